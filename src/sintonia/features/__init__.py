"""Features of interaction histories, as they were known at a date: one row per (customer_id, as_of)."""

from sintonia.features.families import catalogue
from sintonia.features.measures import Feature
from sintonia.features.table import columns_read, compute, feature_names

__all__ = ["Feature", "catalogue", "columns_read", "compute", "feature_names"]
