"""The columns that a plan's terms read, compiled once into a list of steps that every block runs through.

A step makes one array, or one column of cells, of those made before it. Equal columns, filters and conditions are one
step, however many terms ask for them, and nothing is looked up by its definition while rows are read.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from sintonia.features.cells import Cells, or_not
from sintonia.features.columns import CLOCK, named_texts
from sintonia.features.expressions import evaluate, maker, names
from sintonia.features.filters import Axis, Condition, conditions
from sintonia.features.measures import (
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
from sintonia.features.sheet import (
    Sheet,
    as_text,
    clock,
    earlier,
    known_texts,
    places,
    whole_numbers,
)
from sintonia.schema import INTERACTIONS

MISSING = np.iinfo(np.int64).min
TEXTS = {column.name for column in INTERACTIONS.columns if column.sql_type == "VARCHAR"}


Step = Callable[[Sheet], Any]


class Steps:
    """Steps by number, each after those it needs: first those of the row `alone`, then those that look back.

    `carried` are the numbers of the first that the others need, or terms that follow the rows in time.
    """

    def __init__(self) -> None:
        self.alone: list[tuple[int, Step]] = []
        self.after: list[tuple[int, Step]] = []
        self.carried: set[int] = set()
        self._numbers: dict[object, int] = {}
        self._alone: list[bool] = []
        self._known: dict[str, dict[str, None]] = {}

    def know(self, column: Column | Filter) -> None:
        """Note the texts that a column or filter names, all of them before the first step is made."""
        for name, texts in named_texts(column):
            self._known.setdefault(name, {}).update(dict.fromkeys(texts))

    def empty(self) -> list[Any]:
        """Return room for what the steps make."""
        return [None] * len(self._alone)

    def follow(self, *numbers: int) -> tuple[int, ...]:
        """Return these numbers, noting that they are wanted in time's order."""
        self.carried.update(number for number in numbers if self._alone[number])
        return numbers

    def _step(self, key: object, make: Step, *needs: int, back: bool = False) -> int:
        """Return the number of a step, made the first time that it is asked for."""
        if key not in self._numbers:
            alone = not back and all(self._alone[number] for number in needs)
            self._numbers[key] = len(self._alone)
            (self.alone if alone else self.after).append((len(self._alone), make))
            self._alone.append(alone)
            if not alone:
                self.follow(*needs)
        return self._numbers[key]

    def cells(self, column: Column) -> int:
        """Return the number of a column's cells."""
        column = Expression(column) if isinstance(column, str) else column
        if column in self._numbers:
            return self._numbers[column]
        match column:
            case Expression():
                return self._expression(column)
            case Level():
                levels, n = self.levels(Axis(column.column, column.levels, None)), len(column.levels)
                return self._step(column, lambda on: Cells(on.made[levels], on.made[levels] == n), levels)
            case Gap():
                found = self.previous(column.where, column.same)
                return self._step(column, lambda on: Cells(on.made[found][2], on.made[found][0] < 0), found)
            case Earlier():
                found = self.previous(column.where, column.same)
                return self._step(column, lambda on: Cells(on.made[found][1]), found)
            case Previous():
                found, value = self.previous(column.where, column.same), self.cells(column.column)
                return self._step(column, lambda on: earlier(on.made[value], on.made[found][0]), found, value)

    def whole(self, column: Column, missing: int) -> int:
        """Return the number of a column of whole numbers, with a number in place of what is missing."""
        cells = self.cells(column)
        return self._step(
            ("whole", column, missing),
            lambda on: whole_numbers(on.made[cells], missing, column, on.n_rows),
            cells,
        )

    def mask(self, where: Filter) -> int:
        """Return the number of the mask of a filter's rows."""
        met = [self._meets(one) for one in conditions(where)]
        if len(met) == 1:
            return met[0]

        def mask(on: Sheet) -> Numbers:
            all_met = np.ones(on.n_rows, np.bool_)
            for one in met:
                all_met &= on.made[one]
            return all_met

        return self._step(where, mask, *met)

    def chosen(self, where: Filter, column: Column | None, missing: int) -> int:
        """Return the number of a column of whole numbers (None: ones) that other rows than a filter's lack."""
        mask = self.mask(where)
        if column is None:
            return self._step(("ones", where), lambda on: np.where(on.made[mask], 1, missing), mask)
        values = self.whole(column, missing)
        key = ("chosen", where, column, missing)
        return self._step(key, lambda on: np.where(on.made[mask], on.made[values], missing), mask, values)

    def texts(self, where: Filter, column: str) -> int:
        """Return the number of the mask of a filter's rows that have a text in a column."""
        mask, cells = self.mask(where), self.cells(column)
        key = ("texts", where, column)
        return self._step(
            key, lambda on: on.made[mask] & or_not(as_text(on.made[cells], column).gone()), mask, cells
        )

    def levels(self, axis: Axis) -> int:
        """Return the number of the rows' levels on an axis."""
        if axis.texts is not None:
            place = {text: i for i, text in enumerate(axis.texts)}
            known = [place.get(text, len(place)) for text in self._texts(axis.column)]
            return self._looked_up(axis, axis.column, np.array([*known, len(place), len(place)]))
        if axis.numbers is None:
            return self._meets(Condition(axis.column))
        values, numbers = self.whole(axis.column, MISSING), np.array(axis.numbers)
        return self._step(axis, lambda on: places(numbers, on.made[values]), values)

    def previous(self, where: Filter, same: str | None = None) -> int:
        """Return the number of (3, n_rows): the latest earlier row of a filter and text, how many, seconds since."""
        mask = self.mask(where)
        text = [] if same is None else [self.cells(same)]

        def previous(on: Sheet) -> Ints:
            from sintonia.features import loops

            texts, none = np.empty(0, np.int32), 1
            if same is not None:
                cells = as_text(on.made[text[0]], same)
                texts, none = cells.values.astype(np.int32, copy=False), len(cells.labels or ())
            found = np.empty((3, on.n_rows), np.int64)
            loops.previous(on.course, on.made[mask], (texts, none), on.marks.reaching(none), found)
            return found

        return self._step(("previous", where, same), previous, mask, *text, back=True)

    def _meets(self, one: Condition) -> int:
        if one.texts is not None:
            met = [text in one.texts for text in self._texts(one.column)]
            return self._looked_up(one, one.column, np.array([*met, False, False]))
        values = self.whole(one.column, MISSING if one.numbers else 0)
        if one.numbers is None:
            return self._step(one, lambda on: on.made[values] != 0, values)
        numbers = np.array(one.numbers)
        return self._step(one, lambda on: np.isin(on.made[values], numbers), values)

    def _texts(self, column: Column) -> tuple[str, ...]:
        return tuple(self._known.get(column, ())) if isinstance(column, str) else ()

    def _looked_up(self, key: object, column: Column, table: Numbers) -> int:
        """Return the number of what a table says of each text that is known, any other, and none."""
        cells, place = self.cells(column), {text: i for i, text in enumerate(self._texts(column))}
        numbers = self._step(
            ("known", column), lambda on: known_texts(as_text(on.made[cells], column), place), cells
        )
        return self._step(key, lambda on: table.take(on.made[numbers]), numbers)

    def _expression(self, column: Expression) -> int:
        bound = dict(column.names)
        needed = {name: self._named(name, bound) for name in names(column.sql)}
        if column.sql in needed:
            return needed[column.sql]
        if len(needed) == 1 and not bound and {*needed} <= TEXTS:
            return self._of_text(column, *needed)

        def of(name: str) -> Callable[[Sheet], Cells]:
            number = needed[name]
            return lambda on: on.made[number]

        return self._step(column, maker(column.sql, of), *needed.values())

    def _of_text(self, column: Expression, name: str) -> int:
        """Return the number of an expression of one text, which is worked out once for every text there may be."""
        known = self._texts(name)
        labels = (*known, None)  # the last: any text that nothing names
        domain = Cells(np.arange(len(labels) + 1), None, labels)
        made = evaluate(column.sql, lambda _: domain)
        values = np.broadcast_to(made.values, domain.values.shape)
        looked_up = self._looked_up(("values", column), name, values)
        if made.missing is None:
            return self._step(column, lambda on: Cells(on.made[looked_up], None, made.labels), looked_up)
        missing = np.broadcast_to(made.missing, values.shape)
        gone = self._looked_up(("missing", column), name, missing)
        return self._step(
            column, lambda on: Cells(on.made[looked_up], on.made[gone], made.labels), looked_up, gone
        )

    def _named(self, name: str, bound: Mapping[str, Column]) -> int:
        if name in bound:
            return self.cells(bound[name])
        if name in CLOCK:
            offset = self._named("utc_offset_minutes", {})
            return self._step(("row", name), lambda on: clock(on, on.made[offset], *CLOCK[name]), offset)
        if name == "occurred_at":
            return self._step(("row", name), lambda on: Cells(on.walks.occurred_at))
        return self._step(("row", name), lambda on: on.walks.cells[name])
