"""Which terms are computed together, and which steps they need; planned once for a list of features."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias, TypeVar

import numpy as np

from sintonia.core.arrays import Bools, Floats, Ints
from sintonia.features.kernel.columns import looks_back
from sintonia.features.kernel.filters import Group, entries, filter_groups
from sintonia.features.kernel.steps import MISSING, Steps
from sintonia.features.measures import (
    Column,
    DaysSince,
    Decayed,
    Distinct,
    Extreme,
    Filter,
    Term,
    Total,
    Value,
)

Window: TypeAlias = int | None
TermRows: TypeAlias = Mapping[Term, tuple[int, int]]
"""Of each term, 0 for whole numbers and 1 for floats, and its row among those."""
Levels: TypeAlias = tuple[tuple[int, int], ...]
"""Of each axis of a group of filters, the step of the rows' levels and how many levels there are."""
Columns: TypeAlias = tuple[tuple[int, Column], ...]
"""Columns of values, and the step of the cells of each."""

T = TypeVar("T", Distinct, Extreme)


@dataclass(frozen=True)
class Accumulators:
    """The sums that rows are added to, one for each pair of filter and column, and the requests that read them.

    A row of class c adds to the accumulators `accumulator[class_start[c]:class_start[c + 1]]`, to each its value of
    `column` (-1: a one). Requests are (accumulator, window, row of the result): terms, and totals that are `features`
    as they stand.
    """

    levels: tuple[Levels, ...]  # of each group
    n_classes: tuple[int, ...]
    class_start: Ints
    accumulator: Ints
    column: Ints
    values: Columns
    n_accumulators: int
    terms: Ints  # (n_requests, 3)
    features: Ints


class Positions(NamedTuple):
    """Values at positions of groups of filters on the same columns; `values` are the columns' steps."""

    groups: tuple["PositionGroup", ...]
    values: Columns


class PositionGroup(NamedTuple):
    """Filters on the same columns: which classes of rows each meets, and its (position, column, row of the result)."""

    levels: Levels
    meets: Bools  # (n_filters, n_classes)
    requests: tuple[Ints, ...]  # (n_requests, 3) of each filter


class Nested(NamedTuple):
    """Terms that differ in their windows only: their (window, row), the shortest first, and the steps they need."""

    term: Distinct | Extreme
    windows: Ints  # (n_windows, 2)
    steps: tuple[int, ...]


class DecayedSums(NamedTuple):
    """Decayed sums: their half-lives in microseconds, their rows of the result, and the steps of their values."""

    half_lives: Floats
    rows: Ints
    steps: tuple[int, ...]


def windows_of(terms: Iterable[Term]) -> tuple[Window, ...]:
    """Return the windows in days, the shortest first, the one of all time last."""
    windows = {term.window_days for term in terms if isinstance(term, Total | Distinct | Extreme)}
    days = sorted(days for days in windows if days is not None)
    return (*days, None) if None in windows else tuple(days)


def is_in_time(total: Total) -> bool:
    """Return whether a total's filter or column looks back along the rows."""
    return looks_back(total.where) or (total.column is not None and looks_back(total.column))


def totals(
    terms: Sequence[Total],
    term_rows: TermRows,
    feature_columns: Mapping[Term, Sequence[int]],
    windows: Sequence[Window],
    steps: Steps,
) -> Accumulators:
    """Return the accumulators of totals; `feature_columns` are those of the features that are a total as it stands."""
    columns = tuple(dict.fromkeys(term.column for term in terms if term.column is not None))
    accumulators: dict[tuple[Filter, Column | None], int] = {}
    adds: dict[Filter, list[tuple[int, int]]] = {}
    of_terms, of_features = [], []
    for term in terms:
        key = term.where, term.column
        if key not in accumulators:
            accumulators[key] = len(accumulators)
            column = -1 if term.column is None else columns.index(term.column)
            adds.setdefault(term.where, []).append((accumulators[key], column))
        request = accumulators[key], windows.index(term.window_days)
        if term in term_rows:
            of_terms.append((*request, term_rows[term][1]))
        of_features += [(*request, feature) for feature in feature_columns.get(term, ())]
    groups = filter_groups(adds)
    class_start, accumulator, column_of = entries(groups, adds)
    return Accumulators(
        levels=tuple(_levels(group, steps) for group in groups),
        n_classes=tuple(group.meets.shape[1] for group in groups),
        class_start=class_start,
        accumulator=accumulator,
        column=column_of,
        values=_values(columns, steps),
        n_accumulators=len(accumulators),
        terms=np.array(of_terms, np.int64).reshape(-1, 3),
        features=np.array(of_features, np.int64).reshape(-1, 3),
    )


def carried(accumulators: Accumulators, steps: Steps) -> Accumulators:
    """Return the accumulators, noting that their rows are read in the order of time."""
    _carry(accumulators.levels, accumulators.values, steps)
    return accumulators


def positions(floats: Sequence[Term], steps: Steps) -> Positions:
    """Return the values at positions, and the days since, among terms that are floats."""
    requested = [(row, term) for row, term in enumerate(floats) if isinstance(term, Value | DaysSince)]
    columns = tuple(dict.fromkeys(term.column for _, term in requested if isinstance(term, Value)))
    by_filter: dict[Filter, list[tuple[int, int, int]]] = {}
    for row, term in requested:
        column = columns.index(term.column) if isinstance(term, Value) else -1
        by_filter.setdefault(term.where, []).append((term.position, column, row))
    groups = tuple(
        PositionGroup(
            _levels(group, steps),
            group.meets,
            tuple(np.array(by_filter[where], np.int64) for where in group.filters),
        )
        for group in filter_groups(by_filter)
    )
    values = _values(columns, steps)
    _carry([group.levels for group in groups], values, steps)
    return Positions(groups, values)


def _carry(levels: Iterable[Levels], values: Columns, steps: Steps) -> None:
    steps.carry(*(step for step, _ in values), *(step for axes in levels for step, _ in axes))


def _values(columns: Sequence[Column], steps: Steps) -> Columns:
    return tuple((steps.cells(column), column) for column in columns)


def _levels(group: Group, steps: Steps) -> Levels:
    return tuple((steps.levels(axis), len(axis)) for axis in group.axes)


def distinct(
    terms: Sequence[Distinct], term_rows: TermRows, windows: Sequence[Window], steps: Steps
) -> tuple[Nested, ...]:
    """Return the distinct counts; their steps are those of the earlier rows and of the rows with a text."""
    return tuple(
        Nested(
            term,
            pairs,
            steps.carry(steps.previous(term.where, term.column), steps.texts(term.where, term.column)),
        )
        for term, pairs in _nested(terms, term_rows, windows)
    )


def extremes(
    terms: Sequence[Extreme], term_rows: TermRows, windows: Sequence[Window], steps: Steps
) -> tuple[Nested, ...]:
    """Return the extremes; their step is that of the values."""
    return tuple(
        Nested(term, pairs, steps.carry(steps.of_filter(term.where, term.column, MISSING)))
        for term, pairs in _nested(terms, term_rows, windows)
    )


def decayed_sums(terms: Sequence[Decayed], term_rows: TermRows, day: int, steps: Steps) -> DecayedSums:
    """Return the decayed sums; `day` is one in microseconds."""
    return DecayedSums(
        np.array([term.half_life_days * day for term in terms], np.float64),
        np.array([term_rows[term][1] for term in terms], np.int64),
        steps.carry(*(steps.of_filter(term.where, term.column, 0) for term in terms)),
    )


def _nested(terms: Sequence[T], term_rows: TermRows, windows: Sequence[Window]) -> list[tuple[T, Ints]]:
    """Return the terms without their windows, and of each its pairs of window and row of the result."""
    together: dict[T, list[tuple[int, int]]] = {}
    for term in terms:
        pair = windows.index(term.window_days), term_rows[term][1]
        together.setdefault(replace(term, window_days=None), []).append(pair)
    return [(term, np.array(sorted(pairs), np.int64)) for term, pairs in together.items()]
