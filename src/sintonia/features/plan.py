"""Which terms are computed together, and by which of the kernel's loops; made once for a list of features."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeAlias, TypeVar

import numpy as np

from sintonia.features.arrow import KEYS
from sintonia.features.columns import columns_of, looks_back
from sintonia.features.combine import itself
from sintonia.features.filters import Group, entries, groups
from sintonia.features.histories import DAY
from sintonia.features.measures import (
    Column,
    DaysSince,
    Decayed,
    Distinct,
    Extreme,
    Feature,
    Filter,
    Ints,
    Numbers,
    Term,
    Total,
    Value,
)

UNSUBSCRIBED = ("kind", "channel")
"""What says in the interactions that a consent was taken back."""

Window: TypeAlias = int | None
T = TypeVar("T", Distinct, Extreme)


@dataclass(frozen=True)
class Slots:
    """What a row brings to which slots by its classes, and the jobs that read the slots (see `loops.Wanted`)."""

    groups: tuple[Group, ...]
    start: Ints
    slot: Ints
    column: Ints
    columns: tuple[Column, ...]
    job: Ints  # (n_jobs, 3), of moments (n_jobs, 4)
    n_slots: int
    depth: int
    straight: Ints  # (n_jobs, 3): totals that are features as they stand


@dataclass(frozen=True)
class Combined:
    """Features of one combination of one kind of terms each: the combination is called for many at once."""

    combine: Callable[..., Numbers]
    features: Ints  # (n,) their places among the features
    kinds: tuple[int, ...]  # of each term: 0 for a whole number, 1 for a float
    rows: Ints  # (n_terms, n) among the terms of their kind


@dataclass(frozen=True)
class Plan:
    """The features of one table, and how to compute their terms.

    `combined` makes the features of the terms, which are rows of whole numbers and of floats. The plan of the
    interactions holds those of the other tables under their names, and in `names` all features in the order of the
    feature table.
    """

    features: tuple[Feature, ...]
    combined: tuple[Combined, ...]
    columns: tuple[str, ...]
    windows_days: tuple[Window, ...]
    n_whole: int
    n_floats: int
    totals: Slots  # of columns and filters that look at the row alone
    sequels: Slots  # totals of those that look back along the rows as well
    moments: Slots
    distinct: tuple[tuple[Distinct, Ints], ...]  # with (n_windows, 2) of window and row, the shortest first
    extremes: tuple[tuple[Extreme, Ints], ...]
    decayed: tuple[tuple[Decayed, float, int], ...]  # with the half-life in microseconds and the row
    names: tuple[str, ...] = ()
    others: Mapping[str, "Plan"] = field(default_factory=dict)

    @property
    def reads(self) -> tuple[str, ...]:
        """The columns of the interactions to load: the keys, and those that terms of any table are made of."""
        beside = UNSUBSCRIBED if "attributes" in self.others else ()
        return tuple(dict.fromkeys([*KEYS, *self.columns, *beside]))

    @property
    def n_terms(self) -> int:
        """The number of terms."""
        return self.n_whole + self.n_floats

    @property
    def in_time(self) -> bool:
        """Whether some term asks which row came before which."""
        return bool(
            self.sequels.n_slots or self.moments.n_slots or self.distinct or self.extremes or self.decayed
        )


def plan(features: Iterable[Feature]) -> Plan:
    """Return the plan of features, in their order.

    Examples
    --------
    >>> web = Total(Filter(channel="web"), None, 7)
    >>> made = plan([Feature("mix", "web", "Visits by web", "visits", (web,), window_days=7)])
    >>> made.columns, made.n_whole
    (('channel',), 1)
    """
    features = tuple(features)
    apart: dict[str, list[Feature]] = {"interactions": []}
    for feature in features:
        apart.setdefault(feature.table, []).append(feature)
    made = {table: _plan(tuple(some)) for table, some in apart.items()}
    names = tuple(feature.name for feature in features)
    return replace(made.pop("interactions"), names=names, others=made)


def _plan(features: tuple[Feature, ...]) -> Plan:
    """Return the plan of the features of one table."""
    terms = list(dict.fromkeys(term for feature in features for term in feature.terms))
    straight: dict[Term, list[int]] = {}
    for number, feature in enumerate(features):
        if _is_total(feature):
            straight.setdefault(feature.terms[0], []).append(number)
    rest = [feature for feature in features if not _is_total(feature)]
    asked = list(dict.fromkeys(term for feature in rest for term in feature.terms))
    whole = [term for term in asked if isinstance(term, Total | Distinct)]
    floats = [term for term in asked if not isinstance(term, Total | Distinct)]
    place: dict[Term, tuple[int, int]] = {term: (0, row) for row, term in enumerate(whole)}
    place |= {term: (1, row) for row, term in enumerate(floats)}
    windows = _windows(terms)
    totals = [term for term in terms if isinstance(term, Total)]
    summed = partial(_totals, place=place, straight=straight, windows=windows)
    return Plan(
        features=features,
        combined=_combined(features, place),
        columns=tuple(sorted(set().union(*(_columns(term) for term in terms)))),
        windows_days=windows,
        n_whole=len(whole),
        n_floats=len(floats),
        totals=summed([term for term in totals if not _looks_back(term)]),
        sequels=summed([term for term in totals if _looks_back(term)]),
        moments=_moments(floats),
        distinct=_nested([term for term in whole if isinstance(term, Distinct)], place, windows),
        extremes=_nested([term for term in floats if isinstance(term, Extreme)], place, windows),
        decayed=tuple(
            (term, float(term.half_life_days * DAY), row)
            for row, term in enumerate(floats)
            if isinstance(term, Decayed)
        ),
    )


def _is_total(feature: Feature) -> bool:
    """Return whether a feature is one total as it stands, which no combination need be called for."""
    return feature.combine is itself and isinstance(feature.terms[0], Total)


def _looks_back(term: Total) -> bool:
    return looks_back(term.where) or (term.column is not None and looks_back(term.column))


def _combined(features: Sequence[Feature], place: dict[Term, tuple[int, int]]) -> tuple[Combined, ...]:
    together: dict[tuple[Callable[..., Numbers], tuple[int, ...]], list[tuple[int, tuple[int, ...]]]] = {}
    for number, feature in enumerate(features):
        if _is_total(feature):
            continue
        kinds, rows = zip(*(place[term] for term in feature.terms), strict=True)
        together.setdefault((feature.combine, kinds), []).append((number, rows))
    return tuple(
        Combined(
            combine,
            np.array([number for number, _ in numbered]),
            kinds,
            np.array([rows for _, rows in numbered]).T,
        )
        for (combine, kinds), numbered in together.items()
    )


def _columns(term: Term) -> set[str]:
    column = None if isinstance(term, DaysSince) else term.column
    return columns_of(term.where) | (set() if column is None else columns_of(column))


def _windows(terms: Iterable[Term]) -> tuple[Window, ...]:
    """Return the windows in days, the shortest first, the one of all time last."""
    asked = {term.window_days for term in terms if isinstance(term, Total | Distinct | Extreme)}
    days = sorted(days for days in asked if days is not None)
    return (*days, None) if None in asked else tuple(days)


def _totals(
    totals: Sequence[Total],
    place: Mapping[Term, tuple[int, int]],
    straight: Mapping[Term, Sequence[int]],
    windows: Sequence[Window],
) -> Slots:
    """Return the slots of totals, one for each pair of filter and column; jobs of slot, window and row."""
    columns = tuple(dict.fromkeys(term.column for term in totals if term.column is not None))
    slots: dict[tuple[Filter, Column | None], int] = {}
    brings: dict[Filter, list[tuple[int, int]]] = {}
    jobs, features = [], []
    for term in totals:
        if (term.where, term.column) not in slots:
            slots[term.where, term.column] = len(slots)
            column = -1 if term.column is None else columns.index(term.column)
            brings.setdefault(term.where, []).append((slots[term.where, term.column], column))
        job = slots[term.where, term.column], windows.index(term.window_days)
        if term in place:
            jobs.append((*job, place[term][1]))
        features += [(*job, feature) for feature in straight.get(term, ())]
    return _slots(brings, columns, jobs, len(slots), 1, features)


def _moments(floats: Sequence[Term]) -> Slots:
    """Return the slots of values at places in time, one for each filter; jobs of slot, place, column and row."""
    asked = [(row, term) for row, term in enumerate(floats) if isinstance(term, Value | DaysSince)]
    columns = tuple(dict.fromkeys(term.column for _, term in asked if isinstance(term, Value)))
    slots = {where: slot for slot, where in enumerate(dict.fromkeys(term.where for _, term in asked))}
    jobs = [
        (slots[term.where], term.position, columns.index(term.column) if isinstance(term, Value) else -1, row)
        for row, term in asked
    ]
    depth = max([1, *(max(-term.position, term.position + 1) for _, term in asked)])
    return _slots({where: [(slot, -1)] for where, slot in slots.items()}, columns, jobs, len(slots), depth)


def _slots(
    brings: dict[Filter, list[tuple[int, int]]],
    columns: tuple[Column, ...],
    jobs: Sequence[tuple[int, ...]],
    n_slots: int,
    depth: int,
    straight: Sequence[tuple[int, ...]] = (),
) -> Slots:
    found = tuple(groups(brings))
    start, slot, column = entries(found, brings)
    job = np.array(jobs, np.int64).reshape(len(jobs), len(jobs[0]) if jobs else 3)
    features = np.array(straight, np.int64).reshape(len(straight), 3)
    return Slots(found, start, slot, column, columns, job, n_slots, depth, features)


def _nested(
    terms: Sequence[T], place: dict[Term, tuple[int, int]], windows: Sequence[Window]
) -> tuple[tuple[T, Ints], ...]:
    """Return the terms that differ in their windows only, one of each kind with its windows and rows."""
    together: dict[T, list[tuple[int, int]]] = {}
    for term in terms:
        entry = (windows.index(term.window_days), place[term][1])
        together.setdefault(replace(term, window_days=None), []).append(entry)
    return tuple((term, np.array(sorted(pairs), np.int64)) for term, pairs in together.items())
