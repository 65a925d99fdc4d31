"""Models: trained tasks, how they are fitted, and the shared bins that folds and trials grow on."""

from sintonia.training.models.boosting import (
    BinnedRows,
    BoostedTrees,
    FitRows,
    TreeObjective,
    bin_rows,
    grow_trees,
    regrow,
)
from sintonia.training.models.fitting import fit_model
from sintonia.training.models.folds import BinnedFolds, ExplainFold, FoldResult, bin_folds, validate_folds
from sintonia.training.models.lightgbm_model import LightGBMModel
from sintonia.training.models.outcome_model import OutcomeModel
from sintonia.training.models.own import OwnModel, own_estimator, validate_own
from sintonia.training.models.protocol import Model

__all__ = [
    "BinnedFolds",
    "BinnedRows",
    "BoostedTrees",
    "ExplainFold",
    "FitRows",
    "FoldResult",
    "LightGBMModel",
    "Model",
    "OutcomeModel",
    "OwnModel",
    "TreeObjective",
    "bin_folds",
    "bin_rows",
    "fit_model",
    "grow_trees",
    "own_estimator",
    "regrow",
    "validate_folds",
    "validate_own",
]
