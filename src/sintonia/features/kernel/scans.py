"""A block's rows with what steps have made of them so far, and what single steps do with columns of cells."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sintonia.core.arrays import Bools, Ints, Numbers
from sintonia.core.errors import ConfigError
from sintonia.features.kernel.columns import HOUR
from sintonia.features.kernel.histories import Walks
from sintonia.features.measures import Column, Expression
from sintonia.features.sql import Cells

if TYPE_CHECKING:
    from sintonia.features.kernel.loops import Course


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


class Look(NamedTuple):
    """Steps by number: rows that look for the latest earlier row of a mask, and of the `same` text if one is named."""

    number: int
    mask: int
    same: tuple[int, str] | None


class Found(NamedTuple):
    """What a look finds for each row: the latest earlier row, how many there were, the seconds since, and if none."""

    rows: Ints  # -1: none
    counts: Ints
    seconds: Ints
    none: Bools


def look_back(on: Sheet, looks: Sequence[Look]) -> list[Found]:
    """Return what each look finds."""
    from sintonia.features.kernel import loops

    found = np.empty((len(looks), 3, on.n_rows), np.int64)
    for look, rows in zip(looks, found, strict=True):
        member = np.ascontiguousarray(on.made[look.mask])
        if look.same is None:
            loops.previous(on.course, member, rows)
            continue
        number, name = look.same
        cells = as_text(on.made[number], name)
        # A copy: numba would compile once more for codes that Arrow owns, which are read-only.
        codes, no_text = np.array(cells.values, np.int32), len(cells.labels or ())
        loops.previous_alike(on.course, member, codes, no_text, on.marks.reaching(no_text), rows)
    return [
        Found(rows, counts, seconds, gone)
        for (rows, counts, seconds), gone in zip(found, found[:, 0] < 0, strict=True)
    ]


def earlier(cells: Cells, found: Found) -> Cells:
    """Return what a column held at the earlier rows that were found."""
    rows, none = found.rows, found.none
    if cells.labels is not None:
        return Cells(fill_where(~none, cells.values.take(rows), len(cells.labels)), None, cells.labels)
    before = cells.take(rows)
    if not before.values.shape:  # one value of every row
        before = Cells(np.broadcast_to(before.values, rows.shape), before.missing)
    return Cells(before.values, none if before.missing is None else none | before.missing)


def whole_numbers(columns: Sequence[tuple[Cells, Column]], missing: int, n_rows: int) -> Ints:
    """Return columns of whole numbers (n_columns, n_rows), with a number in place of what is missing.

    Raises
    ------
    ConfigError
        When one holds text or fractions.
    """
    numbers = np.empty((len(columns), n_rows), np.int64)
    for row, (cells, column) in zip(numbers, columns, strict=True):
        values = _whole(cells, column).values
        if cells.missing is None:
            row[:] = values
        else:
            fill_where(~cells.missing, values, missing, row)
    return numbers


def fill_where(there: Bools, values: Numbers, otherwise: int, made: Ints | None = None) -> Ints:
    """Return (and fill, if it is given) the values where something is there, and a number elsewhere."""
    from sintonia.features.kernel import loops

    filled = np.empty(there.shape, np.int64) if made is None else made
    if there.shape == values.shape == filled.shape:
        loops.fill_where(there, values, otherwise, filled)
    else:  # one value of every row
        filled[:] = np.where(there, values, otherwise)
    return filled


def truths(cells: Cells, column: Column, n_rows: int) -> Bools:
    """Return which rows are neither 0, false nor missing.

    Raises
    ------
    ConfigError
        When they hold text or fractions.
    """
    values = _whole(cells, column).values
    true = values if values.dtype.kind == "b" else values != 0
    if cells.missing is not None:
        true = true & ~cells.missing
    return true if true.shape else np.full(n_rows, true)


def _whole(cells: Cells, column: Column) -> Cells:
    if cells.labels is not None or cells.values.dtype.kind not in "bi":
        what = "text" if cells.labels is not None else "fractions"
        raise ConfigError(
            f"The measure {_told(column)} gives {what}; a measure is whole units or a truth value, as "
            "ROUND(100 * sentiment) or channel = 'web'."
        )
    return cells


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
