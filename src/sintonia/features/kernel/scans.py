"""A block's rows with the columns that steps have computed of them so far, and what single steps compute."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from sintonia.core.arrays import Bools, Ints, Numbers
from sintonia.core.errors import ConfigError
from sintonia.features.kernel.columns import HOUR
from sintonia.features.kernel.histories import Segments
from sintonia.features.measures import Column, Expression
from sintonia.features.sql import Cells


class LatestRows:
    """Scratch memory for `loops.previous`, reused from call to call."""

    def __init__(self) -> None:
        self._rows = np.array([-1, 0])

    def of_texts(self, n_texts: int) -> Ints:
        """Return the latest row of each of so many texts, and the rows counted so far at the end."""
        if len(self._rows) <= n_texts:
            self._rows = np.append(np.full(2 * n_texts + 1, -1), 0)
        return self._rows


class RowColumns(NamedTuple):
    """Rows, and the columns that steps have computed of them so far, at the steps' numbers."""

    segments: Segments
    latest_rows: LatestRows
    computed: list[Any]

    @property
    def n_rows(self) -> int:
        """The number of rows."""
        return len(self.segments.slice)


class LookBack(NamedTuple):
    """Numbers of steps: the look back, the mask of the rows looked for, and the text that must be the `same`."""

    number: int
    mask: int
    same: tuple[int, str] | None


class EarlierRows(NamedTuple):
    """Each row's latest earlier row, how many there are, the seconds since, and whether there is none."""

    rows: Ints  # -1: none
    counts: Ints
    seconds: Ints
    none: Bools


def look_back(columns: RowColumns, look: LookBack) -> EarlierRows:
    """Return each row's latest earlier row of a mask in its segment, of the same text if the look back names one."""
    from sintonia.features.kernel import loops

    segments = columns.segments
    if look.same is None:
        codes, no_text = np.zeros(columns.n_rows, np.int32), 1
    else:
        number, name = look.same
        cells = as_text(columns.computed[number], name)
        # A copy: numba would compile once more for codes that Arrow owns, which are read-only.
        codes, no_text = np.array(cells.values, np.int32), len(cells.labels or ())
    rows, counts, seconds = np.empty((3, columns.n_rows), np.int64)
    loops.previous(
        segments.begin,
        segments.end,
        segments.occurred_at,
        np.ascontiguousarray(columns.computed[look.mask]),
        codes,
        no_text,
        columns.latest_rows.of_texts(no_text),
        rows,
        counts,
        seconds,
    )
    return EarlierRows(rows, counts, seconds, rows < 0)


def earlier(cells: Cells, earlier_rows: EarlierRows) -> Cells:
    """Return a column's cells at earlier rows."""
    rows, none = earlier_rows.rows, earlier_rows.none
    if cells.labels is not None:
        return Cells(select(~none, cells.values.take(rows), len(cells.labels)), None, cells.labels)
    before = cells.take(rows)
    if not before.values.shape:  # one value of every row
        before = Cells(np.broadcast_to(before.values, rows.shape), before.missing)
    return Cells(before.values, none if before.missing is None else none | before.missing)


def whole_numbers(columns: Sequence[tuple[Cells, Column]], missing: int, n_rows: int) -> Ints:
    """Return columns of whole numbers (n_columns, n_rows), with a number in place of missing values.

    Raises
    ------
    ConfigError
        When a column holds text or fractions.
    """
    numbers = np.empty((len(columns), n_rows), np.int64)
    for row, (cells, column) in zip(numbers, columns, strict=True):
        values = _whole(cells, column).values
        if cells.missing is None:
            row[:] = values
        else:
            row[:] = select(~cells.missing, values, missing)
    return numbers


def select(mask: Bools, values: Numbers, otherwise: int) -> Ints:
    """Return whole numbers where a mask is true, and another number elsewhere.

    Arithmetic instead of `numpy.where`, whose branches are mispredicted among rows in no order: it takes five times as
    long. Where a difference overflows, the sum wraps round to the right number.

    Examples
    --------
    >>> select(np.array([True, False]), np.array([7, 8]), -1)
    array([ 7, -1])
    """
    offsets = values if otherwise == 0 else np.subtract(values, otherwise, dtype=np.int64)
    numbers: Ints = np.multiply(offsets, mask, dtype=np.int64)
    if otherwise != 0:
        numbers += otherwise
    return numbers


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
            f"The measure {_sql(column)} gives {what}; a measure is whole units or a truth value, as "
            "ROUND(100 * sentiment) or channel = 'web'."
        )
    return cells


def as_text(cells: Cells, column: Column) -> Cells:
    """Return cells that must be text."""
    if cells.labels is None:
        raise ConfigError(f"The measure {_sql(column)} gives numbers where text is asked for.")
    return cells


def known_texts(cells: Cells, indices: Mapping[str, int]) -> Ints:
    """Return each row's index among the known texts; any other text comes after them, and no text last."""
    labels, n = cells.labels or (), len(indices)
    table = np.full(len(labels) + 1, n)
    table[-1] = n + 1
    if indices:
        table[:-1] = [indices.get(str(label), n) for label in labels]
    return table.take(cells.values)


def indices_among(numbers: Ints, values: Ints) -> Ints:
    """Return each value's index among ascending numbers, and their count for any other value."""
    first, last = numbers[0], numbers[-1]
    if last - first == len(numbers) - 1:  # consecutive numbers: nothing to search
        return np.where((values < first) | (values > last), len(numbers), values - first)
    index = np.minimum(np.searchsorted(numbers, values), len(numbers) - 1)
    return np.where(numbers[index] == values, index, len(numbers))


def clock(columns: RowColumns, offset: Cells, unit: int, shift: int, cycle: int) -> Cells:
    """Return a part of the customer's local time: the hour, the weekday."""
    local = columns.segments.occurred_at + offset.values * (HOUR // 60)
    return Cells((local // unit + shift) % cycle, offset.missing)


def _sql(column: Column) -> str:
    return repr(column.sql if isinstance(column, Expression) else column)
