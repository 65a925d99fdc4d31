"""Features of interaction histories, as they were known at a date: one row per (customer_id, as_of)."""

from sintonia.features.described import as_csv, described
from sintonia.features.families import Frame, catalogue
from sintonia.features.fitted import Fitted
from sintonia.features.fitting import fit, fit_history
from sintonia.features.measures import Feature
from sintonia.features.plan import Plan, plan
from sintonia.features.table import columns_read, compute, compute_features, feature_names
from sintonia.features.tables import History

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
    "fit",
    "fit_history",
    "plan",
]
