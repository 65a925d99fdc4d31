"""How the features of a list are computed together: which terms, by which steps, combined how; made once."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple

from sintonia.core.arrays import Numbers
from sintonia.features.combine import itself
from sintonia.features.kernel import terms as planned
from sintonia.features.kernel.arrow import HISTORY_KEYS
from sintonia.features.kernel.columns import columns_of
from sintonia.features.kernel.histories import DAY
from sintonia.features.kernel.steps import Steps
from sintonia.features.kernel.terms import Fading, Nested, Place, Slots, Window
from sintonia.features.measures import DaysSince, Decayed, Distinct, Extreme, Feature, Term, Total

WHOLE, FRACTION = 0, 1
"""The kinds of terms: whole numbers, and floats."""

UNSUBSCRIBED = ("kind", "channel")
"""What says in the interactions that a consent was taken back."""


class Combination(NamedTuple):
    """A feature that a function makes of its terms, which are named by kind and row."""

    column: int  # of the feature table
    combine: Callable[..., Numbers]
    terms: tuple[tuple[int, int], ...]  # (WHOLE or FRACTION, row among the terms of that kind)


@dataclass(frozen=True)
class Plan:
    """The features of one table, and how to compute their terms.

    Terms are computed as rows of whole numbers (n_whole, n_rows) and of floats (n_floats, n_rows); `combinations`
    make features of them. The plan of the interactions holds those of the other tables under their names, and in
    `names` all features in the order of the feature table.
    """

    combinations: tuple[Combination, ...]
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
        return tuple(dict.fromkeys([*HISTORY_KEYS, *self.columns, *beside]))

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
    return Plan(
        combinations=tuple(
            Combination(number, feature.combine, tuple(place[term] for term in feature.terms))
            for number, feature in rest.items()
        ),
        columns=tuple(sorted(set().union(*(_columns(term) for term in terms)))),
        windows_days=windows,
        n_whole=len(whole),
        n_floats=len(floats),
        steps=steps,
        totals=summed([term for term in sums if not planned.follows(term)]),
        sequels=planned.in_time(summed([term for term in sums if planned.follows(term)]), steps),
        moments=planned.in_time(planned.position_slots(floats, steps), steps),
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


def _columns(term: Term) -> set[str]:
    column = None if isinstance(term, DaysSince) else term.column
    return columns_of(term.where) | (set() if column is None else columns_of(column))
