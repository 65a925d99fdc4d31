"""How the features of a list are computed together: which terms, by which steps, combined how; made once."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby
from typing import NamedTuple

import numpy as np

from sintonia.features import terms as planned
from sintonia.features.arrow import KEYS
from sintonia.features.columns import columns_of
from sintonia.features.combine import itself
from sintonia.features.histories import DAY
from sintonia.features.measures import (
    DaysSince,
    Decayed,
    Distinct,
    Extreme,
    Feature,
    Ints,
    Numbers,
    Term,
    Total,
)
from sintonia.features.steps import Steps
from sintonia.features.terms import Fading, Nested, Place, Slots, Window

WHOLE, FRACTION = 0, 1
"""The kinds of terms: whole numbers, and floats."""

UNSUBSCRIBED = ("kind", "channel")
"""What says in the interactions that a consent was taken back."""


@dataclass(frozen=True)
class Combined:
    """Features of one combination of one kind of terms each: the combination may be called for all at once.

    `each` are the features' own combinations; `combine` is of them all, for terms of (n, n_rows). Of all terms that
    are `Gathered` for it, `runs` are those it reads: their kind, which, and of how many terms.
    """

    combine: Callable[..., Numbers]
    each: tuple[Callable[..., Numbers], ...]
    features: Ints  # (n,) their places among the features
    kinds: tuple[int, ...]  # of each term: WHOLE or FRACTION
    rows: Ints  # (n_terms, n) among the terms of their kind
    runs: tuple[tuple[int, slice, int], ...]


class Gathered(NamedTuple):
    """What features that are combined together read and fill, one combination after the other."""

    rows: tuple[Ints, Ints]  # of whole numbers, of floats
    features: Ints


@dataclass(frozen=True)
class Plan:
    """The features of one table, and how to compute their terms.

    `combined` makes the features of the terms, which are rows of whole numbers and of floats; features are told by
    their place in the feature table. The plan of the interactions holds those of the other tables under their names,
    and in `names` all features in the order of the feature table.
    """

    combined: tuple[Combined, ...]
    gathered: Gathered
    columns: tuple[str, ...]
    windows_days: tuple[Window, ...]
    n_whole: int
    n_floats: int
    steps: Steps
    totals: Slots  # of columns and filters that look at the row alone
    sequels: Slots  # totals of those that look back along the rows as well
    moments: Slots
    distinct: tuple[Nested, ...]
    extremes: tuple[Nested, ...]
    decayed: Fading
    names: tuple[str, ...] = ()
    others: Mapping[str, "Plan"] = field(default_factory=dict)

    @property
    def reads(self) -> tuple[str, ...]:
        """The columns of the interactions to load: the keys, and those that terms of any table are made of."""
        beside = UNSUBSCRIBED if "attributes" in self.others else ()
        return tuple(dict.fromkeys([*KEYS, *self.columns, *beside]))

    @property
    def n_terms(self) -> int:
        """The number of terms that features are combined of."""
        return self.n_whole + self.n_floats

    @property
    def in_time(self) -> bool:
        """Whether some term asks which row came before which."""
        slots = self.sequels.n_slots + self.moments.n_slots + len(self.decayed.rows)
        return bool(slots or self.distinct or self.extremes)


def plan(features: Iterable[Feature]) -> Plan:
    """Return the plan of features, in their order.

    Examples
    --------
    >>> from sintonia.features.measures import Filter
    >>> web = Total(Filter(channel="web"), None, 7)
    >>> made = plan([Feature("mix", "web", "Visits by web", "visits", (web,), window_days=7)])
    >>> made.columns, made.names
    (('channel',), ('mix__web__7d',))
    """
    features = tuple(features)
    apart: dict[str, dict[int, Feature]] = {"interactions": {}}
    for number, feature in enumerate(features):
        apart.setdefault(feature.table, {})[number] = feature
    made = {table: _plan(some) for table, some in apart.items()}
    names = tuple(feature.name for feature in features)
    return replace(made.pop("interactions"), names=names, others=made)


def _plan(features: Mapping[int, Feature]) -> Plan:
    """Return the plan of the features of one table, by their places in the feature table."""
    terms = list(dict.fromkeys(term for feature in features.values() for term in feature.terms))
    straight: dict[Term, list[int]] = {}
    for number, feature in features.items():
        if _is_total(feature):
            straight.setdefault(feature.terms[0], []).append(number)
    rest = {number: feature for number, feature in features.items() if not _is_total(feature)}
    asked = list(dict.fromkeys(term for feature in rest.values() for term in feature.terms))
    whole = [term for term in asked if isinstance(term, Total | Distinct)]
    floats = [term for term in asked if not isinstance(term, Total | Distinct)]
    place: Place = {term: (WHOLE, row) for row, term in enumerate(whole)} | {
        term: (FRACTION, row) for row, term in enumerate(floats)
    }
    windows, steps = planned.windows_of(terms), _steps(terms)
    sums = [term for term in terms if isinstance(term, Total)]
    summed = partial(planned.totals, place=place, straight=straight, windows=windows, steps=steps)
    combined = _combined(rest, place)
    return Plan(
        combined=combined,
        gathered=_gathered(combined),
        columns=tuple(sorted(set().union(*(_columns(term) for term in terms)))),
        windows_days=windows,
        n_whole=len(whole),
        n_floats=len(floats),
        steps=steps,
        totals=summed([term for term in sums if not planned.follows(term)]),
        sequels=planned.in_time(summed([term for term in sums if planned.follows(term)]), steps),
        moments=planned.in_time(planned.moments(floats, steps), steps),
        distinct=planned.distinct([one for one in whole if isinstance(one, Distinct)], place, windows, steps),
        extremes=planned.extremes([one for one in floats if isinstance(one, Extreme)], place, windows, steps),
        decayed=planned.fading([one for one in floats if isinstance(one, Decayed)], place, DAY, steps),
    )


def _steps(terms: Iterable[Term]) -> Steps:
    """Return the steps of the terms' columns, none made yet, which know all texts that the terms name."""
    steps = Steps()
    for term in terms:
        steps.know(term.where)
        if not isinstance(term, DaysSince) and term.column is not None:
            steps.know(term.column)
    return steps


def _is_total(feature: Feature) -> bool:
    """Return whether a feature is one total as it stands, which no combination need be called for."""
    return feature.combine is itself and isinstance(feature.terms[0], Total)


def _combined(features: Mapping[int, Feature], place: Place) -> tuple[Combined, ...]:
    together: dict[object, list[tuple[int, tuple[int, ...]]]] = {}
    for number, feature in features.items():
        kinds, places = zip(*(place[term] for term in feature.terms), strict=True)
        together.setdefault((_alike(feature.combine), kinds), []).append((number, places))
    found: list[Combined] = []
    ends = [0, 0]
    for numbered in together.values():
        each = tuple(features[number].combine for number, _ in numbered)
        kinds = tuple(place[term][0] for term in features[numbered[0][0]].terms)
        numbers, rows = (
            np.array([number for number, _ in numbered]),
            np.array([rows for _, rows in numbered]).T,
        )
        runs = tuple(_runs(kinds, len(numbered), ends))
        found.append(Combined(_of_all(each), each, numbers, kinds, rows, runs))
    return tuple(found)


def _runs(kinds: Sequence[int], n: int, ends: list[int]) -> Iterator[tuple[int, slice, int]]:
    """Yield the runs of terms of one kind, n features each, from where the runs before ended."""
    for kind, some in groupby(kinds):
        terms = len(list(some))
        start = ends[kind]
        ends[kind] += terms * n
        yield kind, slice(start, ends[kind]), terms


def _gathered(combined: Sequence[Combined]) -> Gathered:
    rows: tuple[list[Ints], list[Ints]] = ([np.empty(0, np.int64)], [np.empty(0, np.int64)])
    for one in combined:
        for kind, row in zip(one.kinds, one.rows, strict=True):
            rows[kind].append(row)
    features = [np.empty(0, np.int64), *(one.features for one in combined)]
    whole, floats = map(np.concatenate, rows)
    return Gathered((whole, floats), np.concatenate(features))


def _alike(combine: Callable[..., Numbers]) -> object:
    """Return what is the same for combinations that can be called as one: sintonia's own but for bound numbers."""
    if not isinstance(combine, partial) or not combine.func.__module__.startswith("sintonia."):
        return combine
    bound = (*combine.args, *combine.keywords.values())
    numbers = all(isinstance(value, int | float) for value in bound)
    return (combine.func, len(combine.args), tuple(combine.keywords)) if numbers else combine


def _of_all(each: Sequence[Callable[..., Numbers]]) -> Callable[..., Numbers]:
    """Return the combination of features that are combined alike, with the numbers bound to each as (n, 1)."""
    first = each[0]
    if not isinstance(first, partial) or len(each) == 1:
        return first
    all_args = zip(*(one.args for one in each if isinstance(one, partial)), strict=True)
    args = [np.array(values)[:, None] for values in all_args]
    words = {
        name: np.array([one.keywords[name] for one in each if isinstance(one, partial)])[:, None]
        for name in first.keywords
    }
    return partial(first.func, *args, **words)


def _columns(term: Term) -> set[str]:
    column = None if isinstance(term, DaysSince) else term.column
    return columns_of(term.where) | (set() if column is None else columns_of(column))
