"""Models: trained tasks, how they are fitted, and the shared bins that folds and trials grow on."""

from sintonia.model.boosting import Binned, BoostedTrees, FitRows, TreeObjective, bin_rows, grow_trees, regrow
from sintonia.model.fitting import fit_model
from sintonia.model.folds import BinnedFolds, Explain, FoldResult, bin_folds, validate
from sintonia.model.model import LightGBMModel, OutcomeModel
from sintonia.model.own import OwnModel, own_estimator, validate_own
from sintonia.model.protocol import Model

__all__ = [
    "Binned",
    "BinnedFolds",
    "BoostedTrees",
    "Explain",
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
    "validate",
    "validate_own",
]
