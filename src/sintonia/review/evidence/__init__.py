"""What a training leaves behind for others to judge: the review's figures, and the run MLflow keeps."""

from sintonia.review.evidence.policy import policy_run
from sintonia.review.evidence.review import family_sizes_of
from sintonia.review.evidence.training import fold_figures, training_run
from sintonia.review.evidence.treated import Reported, policy_evidence
from sintonia.review.evidence.whole import TrainingResult

__all__ = [
    "Reported",
    "TrainingResult",
    "family_sizes_of",
    "fold_figures",
    "policy_evidence",
    "policy_run",
    "training_run",
]
