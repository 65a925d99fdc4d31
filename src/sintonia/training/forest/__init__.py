"""An exact forest engine: scores and SHAP contributions of a LightGBM model, faster than LightGBM's own.

`fastest_engine(booster, n_rows)` gives what the functions below take: the `Forest` of a model, or the booster itself
where the list is too short to pay for compiling, or the model file holds something this reader does not know.
Scores are bit-equal either way; contributions agree to about 1e-13 of the raw score.
"""

from sintonia.training.forest.engine import (
    ROWS_TO_EXPLAIN,
    ROWS_TO_SCORE,
    Booster,
    contributions,
    expected_value,
    fastest_engine,
    grouped_contributions,
    leading_groups,
    predict,
    predict_raw,
    top_contributions,
    top_groups,
)
from sintonia.training.forest.reading import read_forest
from sintonia.training.forest.tables import Forest

__all__ = [
    "ROWS_TO_EXPLAIN",
    "ROWS_TO_SCORE",
    "Booster",
    "Forest",
    "contributions",
    "expected_value",
    "fastest_engine",
    "grouped_contributions",
    "leading_groups",
    "predict",
    "predict_raw",
    "read_forest",
    "top_contributions",
    "top_groups",
]
