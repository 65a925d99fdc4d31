"""The catalogue as a document: what every feature is, for people and programs that do not compute it."""

import csv
import io
from collections.abc import Sequence
from typing import Any

from sintonia.features.measures import Feature

CATALOGUE_COLUMNS = ("name", "family", "window_days", "unit", "definition", "missing", "why")


def feature_entries(features: Sequence[Feature]) -> list[dict[str, Any]]:
    """Return one entry a feature: name, family, window in days (None: of all time), unit, and its sentences."""
    return [{column: getattr(feature, column) for column in CATALOGUE_COLUMNS} for feature in features]


def as_csv(entries: Sequence[dict[str, Any]]) -> str:
    """Return the entries as CSV with a header.

    Examples
    --------
    >>> print(as_csv([dict.fromkeys(CATALOGUE_COLUMNS, "a, b") | {"window_days": None}]).splitlines()[1])
    "a, b","a, b",,"a, b","a, b","a, b","a, b"
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, CATALOGUE_COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(entries)
    return text.getvalue()
