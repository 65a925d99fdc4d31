"""The columns that a plan's terms read, turned once into a list of steps that every block runs through.

A step computes one array, or one column of cells, from those computed before it. Equal columns, filters and conditions
are one step, however many terms use them, and nothing is looked up by its definition while rows are read.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from sintonia.core.arrays import Numbers
from sintonia.core.schema import INTERACTIONS
from sintonia.features.kernel.columns import CLOCK, named_texts
from sintonia.features.kernel.filters import Axis, Condition, conditions
from sintonia.features.kernel.scans import (
    LookBack,
    RowColumns,
    as_text,
    clock,
    earlier,
    indices_among,
    known_texts,
    look_back,
    select,
    truths,
    whole_numbers,
)
from sintonia.features.measures import Column, Earlier, Expression, Filter, Gap, Level, Previous
from sintonia.features.sql import Cells, column_names_of, compile_expression, evaluate, present_mask

MISSING = np.iinfo(np.int64).min
TEXTS = {column.name for column in INTERACTIONS.columns if column.sql_type == "VARCHAR"}


Step = Callable[[RowColumns], Any]


class Steps:
    """Steps by number, each after those it needs: first those of the row `alone`, then those that look back.

    `looks` are the look backs that need steps of the row alone; `after` are the other steps that look back. `carried`
    are the numbers of the steps of the row alone that those need, or terms that follow the rows in time.
    """

    def __init__(self) -> None:
        self.alone: list[tuple[int, Step]] = []
        self.looks: list[LookBack] = []
        self.after: list[tuple[int, Step]] = []
        self.carried: set[int] = set()
        self._numbers: dict[object, int] = {}
        self._alone: list[bool] = []
        self._texts_named: dict[str, dict[str, None]] = {}

    def add_texts(self, column: Column | Filter) -> None:
        """Add the texts that a column or filter names; all of them are needed before the first step is added."""
        for name, texts in named_texts(column):
            self._texts_named.setdefault(name, {}).update(dict.fromkeys(texts))

    def empty(self) -> list[Any]:
        """Return a list with room for what every step computes."""
        return [None] * len(self._alone)

    def carry(self, *numbers: int) -> tuple[int, ...]:
        """Return these numbers, noting that something reads them in the order of time."""
        self.carried.update(number for number in numbers if self._alone[number])
        return numbers

    def _step(self, key: object, compute: Step, *needs: int) -> int:
        """Return the number of a step, which is added when its key is new."""
        if key not in self._numbers:
            alone = all(self._alone[number] for number in needs)
            (self.alone if alone else self.after).append((self._number(key, alone, needs), compute))
        return self._numbers[key]

    def _number(self, key: object, alone: bool, needs: Iterable[int]) -> int:
        """Return the number of a new step."""
        self._numbers[key] = len(self._alone)
        self._alone.append(alone)
        if not alone:
            self.carry(*needs)
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
                return self._step(
                    column, lambda rows: Cells(rows.computed[levels], rows.computed[levels] == n), levels
                )
            case Gap():
                before = self.previous(column.where, column.same)
                return self._step(
                    column,
                    lambda rows: Cells(rows.computed[before].seconds, rows.computed[before].none),
                    before,
                )
            case Earlier():
                before = self.previous(column.where, column.same)
                return self._step(column, lambda rows: Cells(rows.computed[before].counts), before)
            case Previous():
                before, value = self.previous(column.where, column.same), self.cells(column.column)
                return self._step(
                    column, lambda rows: earlier(rows.computed[value], rows.computed[before]), before, value
                )

    def whole(self, column: Column, missing: int) -> int:
        """Return the number of a column of whole numbers, with a number in place of missing values."""
        cells = self.cells(column)
        return self._step(
            ("whole", column, missing),
            lambda rows: whole_numbers([(rows.computed[cells], column)], missing, rows.n_rows)[0],
            cells,
        )

    def mask(self, where: Filter) -> int:
        """Return the number of the mask of a filter's rows."""
        masks = [self._condition(condition) for condition in conditions(where)]
        if len(masks) == 1:
            return masks[0]

        def mask(rows: RowColumns) -> Numbers:
            every = np.ones(rows.n_rows, np.bool_)
            for number in masks:
                every &= rows.computed[number]
            return every

        return self._step(where, mask, *masks)

    def of_filter(self, where: Filter, column: Column | None, missing: int) -> int:
        """Return the number of a column of whole numbers (None: ones), a number in place of other rows' values."""
        mask = self.mask(where)
        if column is None:
            return self._step(("ones", where), lambda rows: np.where(rows.computed[mask], 1, missing), mask)
        values = self.whole(column, missing)
        return self._step(
            ("of filter", where, column, missing),
            lambda rows: select(rows.computed[mask], rows.computed[values], missing),
            mask,
            values,
        )

    def texts(self, where: Filter, column: str) -> int:
        """Return the number of the mask of a filter's rows that have a text in a column."""
        mask, cells = self.mask(where), self.cells(column)
        return self._step(
            ("texts", where, column),
            lambda rows: rows.computed[mask] & present_mask(as_text(rows.computed[cells], column).gone()),
            mask,
            cells,
        )

    def levels(self, axis: Axis) -> int:
        """Return the number of the rows' levels on an axis."""
        if axis.texts is not None:
            levels = {text: i for i, text in enumerate(axis.texts)}
            table = [levels.get(text, len(levels)) for text in self._texts(axis.column)]
            return self._looked_up(axis, axis.column, np.array([*table, len(levels), len(levels)], np.int32))
        if axis.numbers is None:
            return self._condition(Condition(axis.column))
        values, numbers = self.whole(axis.column, MISSING), np.array(axis.numbers)
        return self._step(axis, lambda rows: indices_among(numbers, rows.computed[values]), values)

    def previous(self, where: Filter, same: str | None = None) -> int:
        """Return the number of a look back for rows of a filter, of the same text in a column if one is named."""
        key = ("previous", where, same)
        if key not in self._numbers:
            mask, text = self.mask(where), None if same is None else (self.cells(same), same)
            needs = [mask] if text is None else [mask, text[0]]
            look = LookBack(self._number(key, False, needs), mask, text)
            if all(self._alone[number] for number in needs):
                self.looks.append(look)
            else:
                self.after.append((look.number, lambda rows: look_back(rows, look)))
        return self._numbers[key]

    def _condition(self, condition: Condition) -> int:
        """Return the number of the mask of a condition's rows."""
        if condition.texts is not None:
            met = [text in condition.texts for text in self._texts(condition.column)]
            return self._looked_up(condition, condition.column, np.array([*met, False, False]))
        if condition.numbers is None:
            cells = self.cells(condition.column)
            return self._step(
                condition,
                lambda rows: truths(rows.computed[cells], condition.column, rows.n_rows),
                cells,
            )
        values, numbers = self.whole(condition.column, MISSING), np.array(condition.numbers)
        return self._step(condition, lambda rows: np.isin(rows.computed[values], numbers), values)

    def _texts(self, column: Column) -> tuple[str, ...]:
        """Return the texts that are named of a column."""
        return tuple(self._texts_named.get(column, ())) if isinstance(column, str) else ()

    def _looked_up(self, key: object, column: Column, table: Numbers) -> int:
        """Return the number of a table's values for each text that is named, any other, and none."""
        cells, indices = self.cells(column), {text: i for i, text in enumerate(self._texts(column))}
        codes = self._step(
            ("known", column),
            lambda rows: known_texts(as_text(rows.computed[cells], column), indices),
            cells,
        )
        return self._step(key, lambda rows: table.take(rows.computed[codes]), codes)

    def _expression(self, column: Expression) -> int:
        """Return the number of an expression's cells."""
        bound = dict(column.names)
        needed = {name: self._named(name, bound) for name in column_names_of(column.sql)}
        if column.sql in needed:
            return needed[column.sql]
        if len(needed) == 1 and not bound and {*needed} <= TEXTS:
            return self._of_text(column, *needed)

        def of(name: str) -> Callable[[RowColumns], Cells]:
            number = needed[name]
            return lambda rows: rows.computed[number]

        return self._step(column, compile_expression(column.sql, of), *needed.values())

    def _of_text(self, column: Expression, name: str) -> int:
        """Return the number of an expression of one text column, which is evaluated once per named text."""
        labels = (*self._texts(name), None)  # the last: any text that nothing names
        domain = Cells(np.arange(len(labels) + 1), None, labels)
        evaluated = evaluate(column.sql, lambda _: domain)
        values = np.broadcast_to(evaluated.values, domain.values.shape)
        by_text = self._looked_up(("values", column), name, values)
        if evaluated.missing is None:
            return self._step(
                column, lambda rows: Cells(rows.computed[by_text], None, evaluated.labels), by_text
            )
        gone = self._looked_up(("missing", column), name, np.broadcast_to(evaluated.missing, values.shape))
        return self._step(
            column,
            lambda rows: Cells(rows.computed[by_text], rows.computed[gone], evaluated.labels),
            by_text,
            gone,
        )

    def _named(self, name: str, bound: Mapping[str, Column]) -> int:
        """Return the number of the cells that a name in an expression stands for."""
        if name in bound:
            return self.cells(bound[name])
        if name in CLOCK:
            offset = self._named("utc_offset_minutes", {})
            return self._step(
                ("row", name), lambda rows: clock(rows, rows.computed[offset], *CLOCK[name]), offset
            )
        if name == "occurred_at":
            return self._step(("row", name), lambda rows: Cells(rows.segments.occurred_at))
        return self._step(("row", name), lambda rows: rows.segments.cells[name])
