"""Columns of rows in which a value may be missing, and what nulls do to them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sintonia.arrays import Bools, Ints, Numbers
from sintonia.errors import ConfigError


class Cells(NamedTuple):
    """A column of rows: numbers with a mask of those that are missing (None: none is), or numbered texts.

    With `labels`, values are places in them, and the number after the last is a missing text. What is one value of
    no axis is the same at every row.
    """

    values: Numbers
    missing: Bools | None = None
    labels: Sequence[str | None] | None = None

    def take(self, rows: Ints | slice) -> "Cells":
        """Return these rows of the column."""
        missing = None if self.missing is None else _taken(self.missing, rows)
        return Cells(_taken(self.values, rows), missing, self.labels)

    def gone(self) -> Bools | None:
        """Return which rows are missing, None when none is."""
        if self.labels is None:
            return self.missing
        return np.asarray(self.values == len(self.labels))


def _taken(values: Numbers, rows: Ints | slice) -> Numbers:
    if not values.shape:
        return values
    return np.ascontiguousarray(values[rows]) if isinstance(rows, slice) else values.take(rows)


def either(one: Bools | None, other: Bools | None) -> Bools | None:
    """Return which rows are missing in one mask or the other; None is a mask of no row."""
    if one is None or other is None:
        return other if one is None else one
    return one | other


def or_none(value: Cells) -> Bools:
    """Return which rows are missing, as an array or a scalar."""
    gone = value.gone()
    return np.asarray(False) if gone is None else gone


def or_not(missing: Bools | None) -> Bools:
    """Return which rows are there, as an array or a scalar."""
    return np.asarray(True) if missing is None else ~missing


def renumbered(value: Cells, labels: Sequence[str | None]) -> Numbers:
    """Return a text column's values as places in other labels; -1 for a text that is not among them."""
    if value.labels is labels:
        return value.values
    place = {label: i for i, label in enumerate(labels)}
    own = value.labels or ()
    return np.array([*(place.get(label, -1) for label in own), -1])[value.values]


def select_cells(one: Cells, other: Cells, when: Bools) -> Cells:
    """Return one where the mask holds, the other elsewhere."""
    if one.labels is not None or other.labels is not None:
        raise ConfigError("A measure's CASE or COALESCE gives text; compare it inside instead.")
    values = np.where(when, one.values, other.values)
    if one.missing is None and other.missing is None:
        return Cells(values)
    missing = np.where(when, or_none(one), or_none(other))
    return Cells(values, missing if missing.any() else None)
