"""Which terms the kernel's loops compute together, and which steps they need; made once for a list of features."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias, TypeVar

import numpy as np

from sintonia.core.arrays import Floats, Ints
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
Place: TypeAlias = Mapping[Term, tuple[int, int]]
"""Of each term, 0 for whole numbers and 1 for floats, and its row among those."""

T = TypeVar("T", Distinct, Extreme)


@dataclass(frozen=True)
class Slots:
    """What a row brings to which slots by its classes, and the jobs that read the slots (see `loops.Wanted`).

    `levels` are, group by group, the steps of the axes' levels and how many those are; `values` are the steps of the
    columns, in which `missing` stands for what is not there. `straight` are the jobs of totals that are features as
    they stand.
    """

    groups: tuple[Group, ...]
    start: Ints
    slot: Ints
    column: Ints
    job: Ints  # (n_jobs, 3), of moments (n_jobs, 4)
    n_slots: int
    depth: int
    straight: Ints  # (n_jobs, 3)
    levels: tuple[tuple[tuple[int, int], ...], ...]
    values: tuple[tuple[int, Column], ...]
    missing: int = 0


class Nested(NamedTuple):
    """Terms that differ in their windows only: their (window, row), the shortest first, and the steps they need."""

    term: Distinct | Extreme
    windows: Ints  # (n_windows, 2)
    steps: tuple[int, ...]


class Fading(NamedTuple):
    """Decayed sums: their half-lives in microseconds, their rows, and the steps of their values."""

    half_lives: Floats
    rows: Ints
    steps: tuple[int, ...]


def windows_of(terms: Iterable[Term]) -> tuple[Window, ...]:
    """Return the windows in days, the shortest first, the one of all time last."""
    asked = {term.window_days for term in terms if isinstance(term, Total | Distinct | Extreme)}
    days = sorted(days for days in asked if days is not None)
    return (*days, None) if None in asked else tuple(days)


def follows(total: Total) -> bool:
    """Return whether a total is of what looks back along the rows."""
    return looks_back(total.where) or (total.column is not None and looks_back(total.column))


def totals(
    terms: Sequence[Total],
    place: Place,
    straight: Mapping[Term, Sequence[int]],
    windows: Sequence[Window],
    steps: Steps,
) -> Slots:
    """Return the slots of totals, one for each pair of filter and column; jobs of slot, window and row."""
    columns = tuple(dict.fromkeys(term.column for term in terms if term.column is not None))
    slots: dict[tuple[Filter, Column | None], int] = {}
    brings: dict[Filter, list[tuple[int, int]]] = {}
    jobs, features = [], []
    for term in terms:
        if (term.where, term.column) not in slots:
            slots[term.where, term.column] = len(slots)
            column = -1 if term.column is None else columns.index(term.column)
            brings.setdefault(term.where, []).append((slots[term.where, term.column], column))
        job = slots[term.where, term.column], windows.index(term.window_days)
        if term in place:
            jobs.append((*job, place[term][1]))
        features += [(*job, feature) for feature in straight.get(term, ())]
    made = _slots(brings, jobs, len(slots), steps)
    values = _values(columns, steps)
    return replace(made, straight=np.array(features, np.int64).reshape(-1, 3), values=values)


def position_slots(floats: Sequence[Term], steps: Steps) -> Slots:
    """Return the slots of values at places in time, one for each filter; jobs of slot, place, column and row."""
    asked = [(row, term) for row, term in enumerate(floats) if isinstance(term, Value | DaysSince)]
    columns = tuple(dict.fromkeys(term.column for _, term in asked if isinstance(term, Value)))
    slots = {where: slot for slot, where in enumerate(dict.fromkeys(term.where for _, term in asked))}
    jobs = [
        (slots[term.where], term.position, columns.index(term.column) if isinstance(term, Value) else -1, row)
        for row, term in asked
    ]
    depth = max([1, *(max(-term.position, term.position + 1) for _, term in asked)])
    made = _slots({where: [(slot, -1)] for where, slot in slots.items()}, jobs, len(slots), steps)
    return replace(made, depth=1 << (depth - 1).bit_length(), values=_values(columns, steps), missing=MISSING)


def in_time(slots: Slots, steps: Steps) -> Slots:
    """Return the slots, noting that their rows are followed in time's order."""
    steps.follow(*(step for step, _ in slots.values), *(step for axes in slots.levels for step, _ in axes))
    return slots


def _values(columns: Sequence[Column], steps: Steps) -> tuple[tuple[int, Column], ...]:
    return tuple((steps.cells(column), column) for column in columns)


def _slots(
    brings: dict[Filter, list[tuple[int, int]]], jobs: Sequence[tuple[int, ...]], n_slots: int, steps: Steps
) -> Slots:
    found = tuple(filter_groups(brings))
    start, slot, column = entries(found, brings)
    job = np.array(jobs, np.int64).reshape(len(jobs), len(jobs[0]) if jobs else 3)
    levels = tuple(tuple((steps.levels(axis), len(axis)) for axis in group.axes) for group in found)
    return Slots(found, start, slot, column, job, n_slots, 1, np.empty((0, 3), np.int64), levels, ())


def distinct(
    terms: Sequence[Distinct], place: Place, windows: Sequence[Window], steps: Steps
) -> tuple[Nested, ...]:
    """Return the distinct counts; their steps are those of the rows before and of the rows with a text."""
    return tuple(
        Nested(
            one,
            pairs,
            steps.follow(steps.previous(one.where, one.column), steps.texts(one.where, one.column)),
        )
        for one, pairs in _nested(terms, place, windows)
    )


def extremes(
    terms: Sequence[Extreme], place: Place, windows: Sequence[Window], steps: Steps
) -> tuple[Nested, ...]:
    """Return the extremes; their step is that of the values."""
    return tuple(
        Nested(one, pairs, steps.follow(steps.chosen(one.where, one.column, MISSING)))
        for one, pairs in _nested(terms, place, windows)
    )


def fading(terms: Sequence[Decayed], place: Place, day: int, steps: Steps) -> Fading:
    """Return the decayed sums; `day` is one in microseconds."""
    return Fading(
        np.array([term.half_life_days * day for term in terms], np.float64),
        np.array([place[term][1] for term in terms], np.int64),
        steps.follow(*(steps.chosen(term.where, term.column, 0) for term in terms)),
    )


def _nested(terms: Sequence[T], place: Place, windows: Sequence[Window]) -> list[tuple[T, Ints]]:
    together: dict[T, list[tuple[int, int]]] = {}
    for term in terms:
        entry = (windows.index(term.window_days), place[term][1])
        together.setdefault(replace(term, window_days=None), []).append(entry)
    return [(term, np.array(sorted(pairs), np.int64)) for term, pairs in together.items()]
