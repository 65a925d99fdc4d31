"""A block's columns and masks, each worked out once, when it is first asked for."""

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from sintonia.errors import ConfigError
from sintonia.features.cells import Cells
from sintonia.features.expressions import evaluate, names
from sintonia.features.filters import Axis, Condition, conditions
from sintonia.features.histories import Walks
from sintonia.features.measures import (
    Bools,
    Column,
    Earlier,
    Expression,
    Filter,
    Gap,
    Ints,
    Level,
    Numbers,
    Previous,
)

if TYPE_CHECKING:
    from sintonia.features.loops import Course

MISSING = np.iinfo(np.int64).min
HOUR = 3_600_000_000  # microseconds
CLOCK = {"local_hour": (HOUR, 0, 24), "local_weekday": (24 * HOUR, 3, 7)}  # 1970 began on a Thursday


class Marks:
    """Memory for `loops.previous`, kept from call to call."""

    def __init__(self) -> None:
        self._rows = np.array([-1, 0])

    def reaching(self, n_numbers: int) -> Ints:
        """Return room for this many numbers, and the count at its end."""
        if len(self._rows) <= n_numbers:
            self._rows = np.append(np.full(2 * n_numbers + 1, -1), 0)
        return self._rows


class Columns:
    """The columns of a block's walks: (n_rows,) arrays under the names and definitions of `measures`."""

    def __init__(self, walks: Walks, course: "Course", marks: Marks) -> None:
        self._walks, self._course, self._marks = walks, course, marks
        self._cells: dict[Column, Cells] = {}
        self._masks: dict[Filter | Condition, Bools] = {}
        self._found: dict[tuple[Filter, str | None], Ints] = {}

    @property
    def n_rows(self) -> int:
        """The number of the walks' rows."""
        return len(self._walks.slice)

    def cells(self, column: Column) -> Cells:
        """Return a column, whatever it holds."""
        if column not in self._cells:
            self._cells[column] = self._made(column)
        return self._cells[column]

    def whole(self, column: Column, missing: int) -> Ints:
        """Return a column of whole numbers with a number in place of what is missing.

        Raises
        ------
        ConfigError
            When it holds text or fractions.
        """
        cells = self.cells(column)
        if cells.labels is not None or cells.values.dtype.kind not in "bi":
            what = "text" if cells.labels is not None else "fractions"
            raise ConfigError(
                f"The measure {_told(column)} gives {what}; a measure is whole units or a truth value, as "
                "ROUND(100 * sentiment) or channel = 'web'."
            )
        values = cells.values.astype(np.int64)
        if cells.missing is not None:
            values = np.where(cells.missing, missing, values)
        return np.broadcast_to(values, self._walks.slice.shape)

    def mask(self, where: Filter) -> Bools:
        """Return which rows meet a filter."""
        if where not in self._masks:
            mask = np.ones(self.n_rows, np.bool_)
            for one in conditions(where):
                mask &= self._meets(one)
            self._masks[where] = mask
        return self._masks[where]

    def given(self, column: str) -> Bools:
        """Return which rows have a text in this column."""
        cells = self._text(column)
        return np.asarray(cells.values != len(cells.labels or ()))

    def levels(self, axis: Axis) -> Numbers:
        """Return each row's level on an axis."""
        if axis.texts is not None:
            cells = self._text(axis.column)
            place = {text: i for i, text in enumerate(axis.texts)}
            rest = len(axis.texts)
            table = np.array([*(place.get(str(text), rest) for text in cells.labels or ()), rest])
            return np.asarray(table[cells.values])
        if axis.numbers is not None:
            values, numbers = self.whole(axis.column, MISSING), np.array(axis.numbers)
            place_of = np.minimum(np.searchsorted(numbers, values), len(numbers) - 1)
            return np.where(numbers[place_of] == values, place_of, len(numbers))
        return self._meets(Condition(axis.column))

    def previous(self, where: Filter, same: str | None = None) -> Ints:
        """Return (2, n_rows): the latest earlier row of a filter with the same text, and how many there are."""
        from sintonia.features import loops

        if (where, same) not in self._found:
            text, n_texts = self._numbers(same)
            found = np.full((2, self.n_rows), -1)
            loops.previous(self._course, self.mask(where), text, self._marks.reaching(n_texts), found)
            self._found[where, same] = found
        return self._found[where, same]

    def _numbers(self, same: str | None) -> tuple[Ints, int]:
        if same is None:
            return np.empty(0, np.int64), 1
        cells = self._text(same)
        n_texts = len(cells.labels or ())
        return np.where(cells.values == n_texts, -1, cells.values).astype(np.int64), n_texts

    def _meets(self, one: Condition) -> Bools:
        if one not in self._masks:
            self._masks[one] = np.broadcast_to(self._met(one), self._walks.slice.shape)
        return self._masks[one]

    def _met(self, one: Condition) -> Bools:
        if one.texts is not None:
            cells = self._text(one.column)
            return np.array([*(text in one.texts for text in cells.labels or ()), False])[cells.values]
        values = self.whole(one.column, MISSING if one.numbers else 0)
        return np.isin(values, one.numbers) if one.numbers is not None else np.asarray(values != 0)

    def _text(self, column: Column) -> Cells:
        cells = self.cells(column)
        if cells.labels is None:
            raise ConfigError(f"The measure {_told(column)} gives numbers where text is asked for.")
        return cells

    def _made(self, column: Column) -> Cells:
        match column:
            case str():
                return self._expression(Expression(column))
            case Expression():
                return self._expression(column)
            case Level():
                levels = self.levels(Axis(column.column, column.levels, None))
                return Cells(levels, levels == len(column.levels))
            case Gap():
                rows = self.previous(column.where, column.same)[0]
                times = self._walks.occurred_at
                return Cells((times - times[rows]) // 1_000_000, rows < 0)
            case Earlier():
                return Cells(self.previous(column.where, column.same)[1])
            case Previous():
                return self._earlier_value(column)

    def _earlier_value(self, column: Previous) -> Cells:
        rows = self.previous(column.where, column.same)[0]
        cells = self.cells(column.column)
        if cells.labels is not None:
            return Cells(np.where(rows < 0, len(cells.labels), cells.values[rows]), None, cells.labels)
        missing = None if cells.missing is None else np.broadcast_to(cells.missing, rows.shape)
        before = Cells(np.broadcast_to(cells.values, rows.shape), missing).take(rows)
        return Cells(before.values, (rows < 0) if before.missing is None else (rows < 0) | before.missing)

    def _expression(self, column: Expression) -> Cells:
        return evaluate(column.sql, partial(self._named, dict(column.names)))

    def _named(self, bound: dict[str, Column], name: str) -> Cells:
        if name in bound:
            return self.cells(bound[name])
        if name in CLOCK:
            return self._clock(*CLOCK[name])
        if name == "occurred_at":
            return Cells(self._walks.occurred_at)
        return self._walks.cells[name]

    def _clock(self, unit: int, shift: int, cycle: int) -> Cells:
        offset = self._walks.cells["utc_offset_minutes"]
        local = self._walks.occurred_at + offset.values * (HOUR // 60)
        return Cells((local // unit + shift) % cycle, offset.missing)


def _told(column: Column) -> str:
    return repr(column.sql if isinstance(column, Expression) else column)


def columns_of(column: Column | Filter) -> set[str]:
    """Return the interactions' own columns that a column or a filter reads.

    Examples
    --------
    >>> sorted(columns_of(Gap(Filter(kind="purchase"), same="category")))
    ['category', 'kind', 'occurred_at']
    """
    match column:
        case Filter():
            return set().union(*(columns_of(one.column) for one in conditions(column)))
        case str():
            return {_own(name) for name in names(column)}
        case Expression():
            bound = dict(column.names)
            own = {_own(name) for name in names(column.sql) if name not in bound}
            return own.union(*(columns_of(one) for one in bound.values()))
        case Level():
            return {column.column}
    same = set() if column.same is None else {column.same}
    value = columns_of(column.column) if isinstance(column, Previous) else set()
    return {"occurred_at"} | same | value | columns_of(column.where)


def looks_back(column: Column | Filter) -> bool:
    """Return whether a column or a filter asks for earlier rows of the customer.

    Examples
    --------
    >>> looks_back(Filter(having=(Gap(Filter()),))), looks_back("amount")
    (True, False)
    """
    match column:
        case Filter():
            return any(looks_back(one.column) for one in conditions(column))
        case Expression():
            return any(looks_back(one) for _, one in column.names)
    return isinstance(column, Gap | Previous | Earlier)


def _own(name: str) -> str:
    return "utc_offset_minutes" if name in CLOCK else name
