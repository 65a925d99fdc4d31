"""Features of interaction histories, as they were known at a date: one row per (customer_id, as_of)."""

from sintonia.features.descriptions import as_csv, described
from sintonia.features.families import Frame, catalogue
from sintonia.features.fitted import Fitted
from sintonia.features.fitting import fit, fit_history
from sintonia.features.history import History
from sintonia.features.kernel.plan import Plan, plan
from sintonia.features.measures import Feature
from sintonia.features.table import columns_read, compute, compute_features, feature_names, feature_values

__all__ = [
    "Feature",
    "Fitted",
    "Frame",
    "History",
    "Plan",
    "as_csv",
    "catalogue",
    "columns_read",
    "compute",
    "compute_features",
    "described",
    "feature_names",
    "feature_values",
    "fit",
    "fit_history",
    "plan",
]
