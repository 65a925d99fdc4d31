"""The review: one self-contained HTML page on which a person can judge a model."""

from sintonia.review.charts import drawings
from sintonia.review.data import FeatureWeight, Part, ReviewData, feature_weights
from sintonia.review.page import render

__all__ = ["FeatureWeight", "Part", "ReviewData", "drawings", "feature_weights", "render"]
