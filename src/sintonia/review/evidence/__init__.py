"""What a training records for reviewers: the figures of its review page, and its MLflow run."""

from sintonia.review.evidence.outcomes import family_sizes_of, fold_figures, training_run
from sintonia.review.evidence.policies import ReportedDecisions, policy_evidence, policy_run
from sintonia.review.evidence.training_result import TrainingResult

__all__ = [
    "ReportedDecisions",
    "TrainingResult",
    "family_sizes_of",
    "fold_figures",
    "policy_evidence",
    "policy_run",
    "training_run",
]
