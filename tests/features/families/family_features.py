"""One family's features of a history that a test types."""

from datetime import datetime

from features.rows import FITTED, day, table
from sintonia.features import FamilyContext, Fitted, compute_features


def features_of(family, rows, as_of, windows_days=(7, 30), fitted=FITTED):
    """Return the one customer's features of a family as measure (and window) to value; as_of is a day of 2025."""
    features = family(FamilyContext(tuple(windows_days), (30, 180), fitted))
    (found,) = compute_features(table(rows), [day(as_of)], features).to_pylist()
    return {name.split("__", 1)[1]: value for name, value in found.items() if "__" in name}


def brand(channels=(), kinds=()):
    """Return what is fitted of a brand with these channels and kinds only."""
    return Fitted(datetime(2025, 1, 1), {"channel": tuple(channels), "kind": tuple(kinds)})


def names(family, fitted, windows_days=(7, 30)):
    """Return the names of a family's features for a brand, without the family's own."""
    return {
        feature.name.split("__", 1)[1]
        for feature in family(FamilyContext(tuple(windows_days), (30, 180), fitted))
    }
