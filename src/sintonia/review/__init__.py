"""Reviews: one self-contained HTML page on which a person can judge a model."""

from sintonia.review.charts import drawings
from sintonia.review.customers import Customer
from sintonia.review.data import (
    CatalogueEntry,
    DataPart,
    FeatureWeight,
    FoldFigures,
    LeakColumn,
    ModelEvidence,
    PromotionCheck,
    ReviewData,
    feature_weights,
    read,
)
from sintonia.review.page import render_review
from sintonia.review.sections import Section, own_sections

__all__ = [
    "CatalogueEntry",
    "Customer",
    "DataPart",
    "FeatureWeight",
    "FoldFigures",
    "LeakColumn",
    "ModelEvidence",
    "PromotionCheck",
    "ReviewData",
    "Section",
    "drawings",
    "feature_weights",
    "own_sections",
    "read",
    "render_review",
]
