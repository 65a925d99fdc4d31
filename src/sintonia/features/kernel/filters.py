"""Filters as conditions on columns, and classes of rows, for which one look-up gives all filters that a row meets."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import compress
from math import prod

import numpy as np

from sintonia.core.arrays import Bools, Ints
from sintonia.features.measures import LABELS, Among, Column, Filter

CLASSES = 4096  # of a group of filters at most: its table stays in the second-level cache


@dataclass(frozen=True)
class Condition:
    """A column has one of these texts or whole numbers, or (with neither) is not 0, false or missing."""

    column: Column
    texts: tuple[str, ...] | None = None
    numbers: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Axis:
    """A column and the levels that filters distinguish; a row of another value has the level after them."""

    column: Column
    texts: tuple[str, ...] | None
    numbers: tuple[int, ...] | None

    def __len__(self) -> int:
        """The number of levels, the last for all other values; a condition on truth has two."""
        levels = self.texts if self.texts is not None else self.numbers
        return 2 if levels is None else len(levels) + 1

    def met(self, condition: Condition) -> Bools:
        """Return which levels meet a condition on this column."""
        if self.texts is not None:
            return np.array([*(text in (condition.texts or ()) for text in self.texts), False])
        if self.numbers is not None:
            return np.array([*(number in (condition.numbers or ()) for number in self.numbers), False])
        return np.array([False, True])


@dataclass(frozen=True)
class Group:
    """Filters on the same few columns: which of them each combination of the columns' levels meets."""

    axes: tuple[Axis, ...]
    filters: tuple[Filter, ...]
    meets: Bools  # (n_filters, n_classes)


def conditions(where: Filter) -> tuple[Condition, ...]:
    """Return the conditions of a filter, column by column.

    Examples
    --------
    >>> conditions(Filter(kind="view", opens_thread=True))[0]
    Condition(column='kind', texts=('view',), numbers=None)
    """
    labels = [(name, getattr(where, name)) for name in LABELS]
    on_columns = [
        Condition(name, texts=(value,) if isinstance(value, str) else value)
        for name, value in labels
        if value is not None
    ]
    if where.opens_thread:
        on_columns.append(Condition("opens_thread"))
    on_columns += [
        Condition(having.column, numbers=having.values) if isinstance(having, Among) else Condition(having)
        for having in where.having
    ]
    return tuple(on_columns)


def filter_groups(filters: Iterable[Filter]) -> list[Group]:
    """Return the filters in groups that classify a row by few enough columns for one table.

    Examples
    --------
    >>> [group] = filter_groups([Filter(channel="web"), Filter(kind="view"), Filter("web", "view")])
    >>> group.meets.shape  # web or not, view or not
    (3, 4)
    """
    by_columns: dict[frozenset[Axis], list[Filter]] = {}
    distinct = list(dict.fromkeys(filters))
    axes = _axes(distinct)
    for where in distinct:
        on_axes = frozenset(axes[_key(condition)] for condition in conditions(where))
        by_columns.setdefault(on_axes, []).append(where)
    merged: list[tuple[frozenset[Axis], list[Filter]]] = []
    for columns, members in sorted(by_columns.items(), key=lambda item: -prod(map(len, item[0]))):
        for i, (group_columns, group_members) in enumerate(merged):
            if prod(map(len, columns | group_columns)) <= CLASSES:
                merged[i] = (columns | group_columns, group_members + members)
                break
        else:
            merged.append((columns, members))
    return [_group(tuple(sorted(columns, key=repr)), members) for columns, members in merged]


def _key(condition: Condition) -> tuple[Column, str]:
    return condition.column, _how(condition)


def _axes(filters: Sequence[Filter]) -> dict[tuple[Column, str], Axis]:
    levels: dict[tuple[Column, str], dict[object, None]] = {}
    for where in filters:
        for condition in conditions(where):
            values = condition.texts or condition.numbers or ()
            levels.setdefault(_key(condition), {}).update(dict.fromkeys(values))
    return {
        (column, how): Axis(
            column,
            tuple(sorted(str(text) for text in values)) if how == "texts" else None,
            tuple(sorted(int(str(number)) for number in values)) if how == "numbers" else None,
        )
        for (column, how), values in levels.items()
    }


def _group(axes: tuple[Axis, ...], filters: Sequence[Filter]) -> Group:
    shape = tuple(len(axis) for axis in axes)
    meets = np.ones((len(filters), *shape), np.bool_)
    for met, where in zip(meets, filters, strict=True):
        for condition in conditions(where):
            for number, axis in enumerate(axes):
                if axis.column == condition.column and _how(axis) == _how(condition):
                    met &= axis.met(condition).reshape([-1 if i == number else 1 for i in range(len(shape))])
    return Group(axes, tuple(filters), meets.reshape(len(filters), -1))


def _how(by: Axis | Condition) -> str:
    """Return what an axis or a condition compares: texts, numbers or truth values."""
    return "texts" if by.texts is not None else "numbers" if by.numbers is not None else "truth"


def entries(groups: Sequence[Group], adds: dict[Filter, list[tuple[int, int]]]) -> tuple[Ints, Ints, Ints]:
    """Return what a row adds to, class after class and group after group: class starts, accumulators, columns.

    `adds` lists each filter's pairs of accumulator and column.
    """
    start, pairs = [0], []
    for group in groups:
        for meets in group.meets.T.tolist():
            for where in compress(group.filters, meets):
                pairs += adds[where]
            start.append(len(pairs))
    accumulator, column = np.array(pairs, np.int64).reshape(-1, 2).T.copy()
    return np.array(start, np.int64), accumulator, column
