"""Features of interaction histories, as they were known at a date: one row per (customer_id, as_of)."""

from sintonia.features.descriptions import as_csv, feature_entries
from sintonia.features.families import FamilyContext, catalogue
from sintonia.features.fitted import Fitted
from sintonia.features.fitting import fit, fit_history
from sintonia.features.history import History
from sintonia.features.kernel.plan import Plan, plan
from sintonia.features.measures import Feature
from sintonia.features.table import columns_read, compute, compute_features, feature_names, feature_values

__all__ = [
    "FamilyContext",
    "Feature",
    "Fitted",
    "History",
    "Plan",
    "as_csv",
    "catalogue",
    "columns_read",
    "compute",
    "compute_features",
    "feature_entries",
    "feature_names",
    "feature_values",
    "fit",
    "fit_history",
    "plan",
]
