"""A block's rows with what steps have made of them so far, and what single steps do with columns of cells."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sintonia.errors import ConfigError
from sintonia.features.cells import Cells
from sintonia.features.columns import HOUR
from sintonia.features.histories import Walks
from sintonia.features.measures import Column, Expression, Ints

if TYPE_CHECKING:
    from sintonia.features.loops import Course


class Marks:
    """Memory for `loops.previous`, kept from call to call."""

    def __init__(self) -> None:
        self._rows = np.array([-1, 0])

    def reaching(self, n_numbers: int) -> Ints:
        """Return room for this many numbers, and the count at its end."""
        if len(self._rows) <= n_numbers:
            self._rows = np.append(np.full(2 * n_numbers + 1, -1), 0)
        return self._rows


class Sheet(NamedTuple):
    """Rows, and what the steps have made of them so far, at the steps' numbers."""

    walks: Walks
    course: "Course"
    marks: Marks
    made: list[Any]

    @property
    def n_rows(self) -> int:
        """The number of rows."""
        return len(self.walks.slice)


def earlier(cells: Cells, rows: Ints) -> Cells:
    """Return what a column held at earlier rows (-1: none)."""
    none = rows < 0
    if cells.labels is not None:
        return Cells(np.where(none, len(cells.labels), cells.values.take(rows)), None, cells.labels)
    missing = None if cells.missing is None else np.broadcast_to(cells.missing, rows.shape)
    before = Cells(np.broadcast_to(cells.values, rows.shape), missing).take(rows)
    return Cells(before.values, none if before.missing is None else none | before.missing)


def whole_numbers(cells: Cells, missing: int, column: Column, n_rows: int) -> Ints:
    """Return a column of whole numbers with a number in place of what is missing.

    Raises
    ------
    ConfigError
        When it holds text or fractions.
    """
    if cells.labels is not None or cells.values.dtype.kind not in "bi":
        what = "text" if cells.labels is not None else "fractions"
        raise ConfigError(
            f"The measure {_told(column)} gives {what}; a measure is whole units or a truth value, as "
            "ROUND(100 * sentiment) or channel = 'web'."
        )
    values = cells.values.astype(np.int64, copy=False)
    if cells.missing is not None:
        values = np.where(cells.missing, missing, values)
    return values if values.shape else np.full(n_rows, values)


def as_text(cells: Cells, column: Column) -> Cells:
    """Return cells that must be text."""
    if cells.labels is None:
        raise ConfigError(f"The measure {_told(column)} gives numbers where text is asked for.")
    return cells


def known_texts(cells: Cells, place: Mapping[str, int]) -> Ints:
    """Return each row's place among the known texts; any other text comes after them, and no text last."""
    labels, n = cells.labels or (), len(place)
    table = np.full(len(labels) + 1, n)
    table[-1] = n + 1
    if place:
        table[:-1] = [place.get(str(label), n) for label in labels]
    return table.take(cells.values)


def places(numbers: Ints, values: Ints) -> Ints:
    """Return each value's place among ascending numbers, and after them that of any other."""
    first, last = numbers[0], numbers[-1]
    if last - first == len(numbers) - 1:  # one after the other: nothing to search
        return np.where((values < first) | (values > last), len(numbers), values - first)
    place = np.minimum(np.searchsorted(numbers, values), len(numbers) - 1)
    return np.where(numbers[place] == values, place, len(numbers))


def clock(on: Sheet, offset: Cells, unit: int, shift: int, cycle: int) -> Cells:
    """Return a part of the customer's own time: a hour, a weekday."""
    local = on.walks.occurred_at + offset.values * (HOUR // 60)
    return Cells((local // unit + shift) % cycle, offset.missing)


def _told(column: Column) -> str:
    return repr(column.sql if isinstance(column, Expression) else column)
