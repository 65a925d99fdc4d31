"""The columns that a plan's terms read, compiled once into a list of steps that every block runs through.

A step makes one array, or one column of cells, of those made before it. Equal columns, filters and conditions are one
step, however many terms ask for them, and nothing is looked up by its definition while rows are read.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from sintonia.core.arrays import Numbers
from sintonia.core.schema import INTERACTIONS
from sintonia.features.kernel.columns import CLOCK, named_texts
from sintonia.features.kernel.filters import Axis, Condition, conditions
from sintonia.features.kernel.scans import (
    Look,
    Sheet,
    as_text,
    clock,
    earlier,
    fill_where,
    known_texts,
    look_back,
    places,
    truths,
    whole_numbers,
)
from sintonia.features.measures import Column, Earlier, Expression, Filter, Gap, Level, Previous
from sintonia.features.sql import Cells, column_names_of, compile_expression, evaluate, present_mask

MISSING = np.iinfo(np.int64).min
TEXTS = {column.name for column in INTERACTIONS.columns if column.sql_type == "VARCHAR"}


Step = Callable[[Sheet], Any]


class Steps:
    """Steps by number, each after those it needs: first those of the row `alone`, then those that look back.

    `looks` are the first that look back, for rows that are told by themselves: all of them are made in one call.
    `carried` are the numbers of the first that the others need, or terms that follow the rows in time.
    """

    def __init__(self) -> None:
        self.alone: list[tuple[int, Step]] = []
        self.looks: list[Look] = []
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

    def _step(self, key: object, make: Step, *needs: int) -> int:
        """Return the number of a step, made the first time that it is asked for."""
        if key not in self._numbers:
            alone = all(self._alone[number] for number in needs)
            (self.alone if alone else self.after).append((self._number(key, alone, needs), make))
        return self._numbers[key]

    def _number(self, key: object, alone: bool, needs: Iterable[int]) -> int:
        """Return the number of a new step."""
        self._numbers[key] = len(self._alone)
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
                return self._step(
                    column, lambda on: Cells(on.made[found].seconds, on.made[found].none), found
                )
            case Earlier():
                found = self.previous(column.where, column.same)
                return self._step(column, lambda on: Cells(on.made[found].counts), found)
            case Previous():
                found, value = self.previous(column.where, column.same), self.cells(column.column)
                return self._step(column, lambda on: earlier(on.made[value], on.made[found]), found, value)

    def whole(self, column: Column, missing: int) -> int:
        """Return the number of a column of whole numbers, with a number in place of what is missing."""
        cells = self.cells(column)
        return self._step(
            ("whole", column, missing),
            lambda on: whole_numbers([(on.made[cells], column)], missing, on.n_rows)[0],
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
        return self._step(key, lambda on: fill_where(on.made[mask], on.made[values], missing), mask, values)

    def texts(self, where: Filter, column: str) -> int:
        """Return the number of the mask of a filter's rows that have a text in a column."""
        mask, cells = self.mask(where), self.cells(column)
        key = ("texts", where, column)
        return self._step(
            key, lambda on: on.made[mask] & present_mask(as_text(on.made[cells], column).gone()), mask, cells
        )

    def levels(self, axis: Axis) -> int:
        """Return the number of the rows' levels on an axis."""
        if axis.texts is not None:
            place = {text: i for i, text in enumerate(axis.texts)}
            known = [place.get(text, len(place)) for text in self._texts(axis.column)]
            return self._looked_up(axis, axis.column, np.array([*known, len(place), len(place)], np.int32))
        if axis.numbers is None:
            return self._meets(Condition(axis.column))
        values, numbers = self.whole(axis.column, MISSING), np.array(axis.numbers)
        return self._step(axis, lambda on: places(numbers, on.made[values]), values)

    def previous(self, where: Filter, same: str | None = None) -> int:
        """Return the number of what a look back for rows of a filter, and of the same text, finds."""
        key = ("previous", where, same)
        if key not in self._numbers:
            mask, text = self.mask(where), None if same is None else (self.cells(same), same)
            needs = [mask] if text is None else [mask, text[0]]
            look = Look(self._number(key, False, needs), mask, text)
            if all(self._alone[number] for number in needs):
                self.looks.append(look)
            else:
                self.after.append((look.number, lambda on: look_back(on, [look])[0]))
        return self._numbers[key]

    def _meets(self, one: Condition) -> int:
        if one.texts is not None:
            met = [text in one.texts for text in self._texts(one.column)]
            return self._looked_up(one, one.column, np.array([*met, False, False]))
        if one.numbers is None:
            cells = self.cells(one.column)
            return self._step(one, lambda on: truths(on.made[cells], one.column, on.n_rows), cells)
        values, numbers = self.whole(one.column, MISSING), np.array(one.numbers)
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
        needed = {name: self._named(name, bound) for name in column_names_of(column.sql)}
        if column.sql in needed:
            return needed[column.sql]
        if len(needed) == 1 and not bound and {*needed} <= TEXTS:
            return self._of_text(column, *needed)

        def of(name: str) -> Callable[[Sheet], Cells]:
            number = needed[name]
            return lambda on: on.made[number]

        return self._step(column, compile_expression(column.sql, of), *needed.values())

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
