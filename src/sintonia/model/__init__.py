"""Models: trained tasks, how they are fitted, and the shared bins that folds and trials grow on."""

from sintonia.model.boosting import Binned, BoostedTrees, FitRows, TreeObjective, bin_rows, grow_trees, regrow
from sintonia.model.fitting import fit_model
from sintonia.model.folds import BinnedFolds, Explain, FoldResult, bin_folds, validate
from sintonia.model.model import Model, load_model

__all__ = [
    "Binned",
    "BinnedFolds",
    "BoostedTrees",
    "Explain",
    "FitRows",
    "FoldResult",
    "Model",
    "TreeObjective",
    "bin_folds",
    "bin_rows",
    "fit_model",
    "grow_trees",
    "load_model",
    "regrow",
    "validate",
]
