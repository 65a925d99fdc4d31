"""Filters as conditions on columns, and rows put into classes so that one look-up tells all filters they meet."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from sintonia.core.arrays import Bools, Ints
from sintonia.features.measures import LABELS, Among, Column, Filter

CLASSES = 4096  # of a group of filters at most: its table stays in the second-level cache


@dataclass(frozen=True)
class Condition:
    """A column has one of these texts or whole numbers, or (neither given) is not 0, false or missing."""

    column: Column
    texts: tuple[str, ...] | None = None
    numbers: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Axis:
    """A column and the levels that some filters tell apart; a row of another value has the level after them."""

    column: Column
    texts: tuple[str, ...] | None
    numbers: tuple[int, ...] | None

    def __len__(self) -> int:
        """The number of levels, the last for all other values; a condition on truth has two."""
        levels = self.texts if self.texts is not None else self.numbers
        return 2 if levels is None else len(levels) + 1

    def met(self, one: Condition) -> Bools:
        """Return which levels meet a condition on this column."""
        if self.texts is not None:
            return np.array([*(text in (one.texts or ()) for text in self.texts), False])
        if self.numbers is not None:
            return np.array([*(number in (one.numbers or ()) for number in self.numbers), False])
        return np.array([False, True])


@dataclass(frozen=True)
class Group:
    """Filters on the same few columns: which of them each combination of the columns' levels meets."""

    axes: tuple[Axis, ...]
    filters: tuple[Filter, ...]
    meets: Bools  # (n_filters, n_classes)


def conditions(where: Filter) -> tuple[Condition, ...]:
    """Return what a filter asks, column by column.

    Examples
    --------
    >>> conditions(Filter(kind="view", opens_thread=True))[0]
    Condition(column='kind', texts=('view',), numbers=None)
    """
    labels = [(name, getattr(where, name)) for name in LABELS]
    asked = [
        Condition(name, texts=(value,) if isinstance(value, str) else value)
        for name, value in labels
        if value is not None
    ]
    if where.opens_thread:
        asked.append(Condition("opens_thread"))
    asked += [
        Condition(one.column, numbers=one.values) if isinstance(one, Among) else Condition(one)
        for one in where.having
    ]
    return tuple(asked)


def filter_groups(filters: Iterable[Filter]) -> list[Group]:
    """Return the filters in groups that classify a row by few enough columns for one table.

    Examples
    --------
    >>> [group] = filter_groups([Filter(channel="web"), Filter(kind="view"), Filter("web", "view")])
    >>> group.meets.shape  # web or not, view or not
    (3, 4)
    """
    by_columns: dict[frozenset[Axis], list[Filter]] = {}
    wanted = list(dict.fromkeys(filters))
    axes = _axes(wanted)
    for where in wanted:
        by_columns.setdefault(frozenset(axes[_key(one)] for one in conditions(where)), []).append(where)
    merged: list[tuple[frozenset[Axis], list[Filter]]] = []
    for columns, members in sorted(by_columns.items(), key=lambda one: -prod(map(len, one[0]))):
        for at, (others, already) in enumerate(merged):
            if prod(map(len, columns | others)) <= CLASSES:
                merged[at] = (columns | others, already + members)
                break
        else:
            merged.append((columns, members))
    return [_group(tuple(sorted(columns, key=repr)), members) for columns, members in merged]


def _key(one: Condition) -> tuple[Column, str]:
    return one.column, "texts" if one.texts is not None else "numbers" if one.numbers is not None else "truth"


def _axes(filters: Sequence[Filter]) -> dict[tuple[Column, str], Axis]:
    levels: dict[tuple[Column, str], dict[object, None]] = {}
    for where in filters:
        for one in conditions(where):
            levels.setdefault(_key(one), {}).update(dict.fromkeys(one.texts or one.numbers or ()))
    return {
        (column, how): Axis(
            column,
            tuple(sorted(str(text) for text in found)) if how == "texts" else None,
            tuple(sorted(int(str(number)) for number in found)) if how == "numbers" else None,
        )
        for (column, how), found in levels.items()
    }


def _group(axes: tuple[Axis, ...], filters: Sequence[Filter]) -> Group:
    shape = tuple(len(axis) for axis in axes)
    meets = np.ones((len(filters), *shape), np.bool_)
    for met, where in zip(meets, filters, strict=True):
        for one in conditions(where):
            for at, axis in enumerate(axes):
                if axis.column == one.column and _key(one)[1] == _how(axis):
                    met &= axis.met(one).reshape([-1 if i == at else 1 for i in range(len(shape))])
    return Group(axes, tuple(filters), meets.reshape(len(filters), -1))


def _how(axis: Axis) -> str:
    return "texts" if axis.texts is not None else "numbers" if axis.numbers is not None else "truth"


def entries(found: Sequence[Group], brings: dict[Filter, list[tuple[int, int]]]) -> tuple[Ints, Ints, Ints]:
    """Return, class after class and group after group, what a row of the class brings: start, slot, column.

    `brings` lists each filter's pairs of slot and column.
    """
    start, pairs = [0], []
    for group in found:
        for c in range(group.meets.shape[1]):
            for f in np.flatnonzero(group.meets[:, c]):
                pairs += brings[group.filters[f]]
            start.append(len(pairs))
    slot, column = np.array(pairs, np.int64).reshape(-1, 2).T.copy()
    return np.array(start, np.int64), slot, column
