"""The review: one self-contained HTML page on which a person can judge a model."""

from sintonia.review.charts import drawings
from sintonia.review.customers import Customer
from sintonia.review.data import (
    Check,
    Entry,
    Evidence,
    FeatureWeight,
    FoldFigures,
    LeakColumn,
    Part,
    ReviewData,
    feature_weights,
    read,
)
from sintonia.review.page import render

__all__ = [
    "Check",
    "Customer",
    "Entry",
    "Evidence",
    "FeatureWeight",
    "FoldFigures",
    "LeakColumn",
    "Part",
    "ReviewData",
    "drawings",
    "feature_weights",
    "read",
    "render",
]
