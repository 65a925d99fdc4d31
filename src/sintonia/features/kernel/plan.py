"""How the features of a list are computed together: which terms, by which steps, combined how; planned once."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple

from sintonia.core.arrays import Numbers
from sintonia.features.combine import itself
from sintonia.features.kernel import terms as planned
from sintonia.features.kernel.arrow import HISTORY_KEYS, KNOWN_UNTIL
from sintonia.features.kernel.columns import columns_of
from sintonia.features.kernel.histories import DAY
from sintonia.features.kernel.steps import Steps
from sintonia.features.kernel.terms import (
    Accumulators,
    DecayedSums,
    Nested,
    Positions,
    TermRows,
    Window,
)
from sintonia.features.measures import DaysSince, Decayed, Distinct, Extreme, Feature, Term, Total

WHOLE, FRACTION = 0, 1
"""The kinds of terms: whole numbers, and floats."""

UNSUBSCRIBED = ("kind", "channel")
"""The columns by which interactions tell that a consent was withdrawn."""


class Combination(NamedTuple):
    """A feature that a function computes from its terms, which are given by kind and row."""

    column: int  # of the feature table
    combine: Callable[..., Numbers]
    terms: tuple[tuple[int, int], ...]  # (WHOLE or FRACTION, row among the terms of that kind)


@dataclass(frozen=True)
class Plan:
    """The features of one table, and how to compute their terms.

    Terms are computed as rows of whole numbers (n_whole, n_rows) and of floats (n_floats, n_rows), which
    `combinations` turn into features. The plan of the interactions holds the plans of the other tables under their
    names, and in `names` all features in the order of the feature table.
    """

    combinations: tuple[Combination, ...]
    columns: tuple[str, ...]
    windows_days: tuple[Window, ...]
    n_whole: int
    n_floats: int
    steps: Steps
    totals: Accumulators  # of columns and filters of the row alone
    sequels: Accumulators  # totals of columns and filters that look back along the rows
    positions: Positions
    distinct: tuple[Nested, ...]
    extremes: tuple[Nested, ...]
    decayed: DecayedSums
    names: tuple[str, ...] = ()
    others: Mapping[str, "Plan"] = field(default_factory=dict)

    @property
    def reads(self) -> tuple[str, ...]:
        """The columns of the interactions to load: the keys, and those that terms of any table read."""
        consents = UNSUBSCRIBED if "attributes" in self.others else ()
        return tuple(dict.fromkeys([*HISTORY_KEYS, KNOWN_UNTIL, *self.columns, *consents]))

    @property
    def n_terms(self) -> int:
        """The number of terms that features are combined from."""
        return self.n_whole + self.n_floats

    @property
    def in_time(self) -> bool:
        """Whether a term depends on which row came before which."""
        ordered = self.positions.groups or self.distinct or self.extremes or self.decayed.steps
        return bool(self.sequels.n_accumulators or ordered)


def plan(features: Iterable[Feature]) -> Plan:
    """Return the plan of features, in their order.

    Examples
    --------
    >>> from sintonia.features.measures import Filter
    >>> web = Total(Filter(channel="web"), None, 7)
    >>> visits = plan([Feature("mix", "web", "Visits by web", "visits", (web,), window_days=7)])
    >>> visits.columns, visits.names
    (('channel',), ('mix__web__7d',))
    """
    features = tuple(features)
    by_table: dict[str, dict[int, Feature]] = {"interactions": {}}
    for number, feature in enumerate(features):
        by_table.setdefault(feature.table, {})[number] = feature
    plans = {table: _plan(numbered) for table, numbered in by_table.items()}
    names = tuple(feature.name for feature in features)
    return replace(plans.pop("interactions"), names=names, others=plans)


def _plan(features: Mapping[int, Feature]) -> Plan:
    """Return the plan of the features of one table, by their columns in the feature table."""
    terms = list(dict.fromkeys(term for feature in features.values() for term in feature.terms))
    feature_columns: dict[Term, list[int]] = {}
    for number, feature in features.items():
        if _is_total(feature):
            feature_columns.setdefault(feature.terms[0], []).append(number)
    combined = {number: feature for number, feature in features.items() if not _is_total(feature)}
    combined_terms = list(dict.fromkeys(term for feature in combined.values() for term in feature.terms))
    whole = [term for term in combined_terms if isinstance(term, Total | Distinct)]
    floats = [term for term in combined_terms if not isinstance(term, Total | Distinct)]
    rows: TermRows = {term: (WHOLE, row) for row, term in enumerate(whole)} | {
        term: (FRACTION, row) for row, term in enumerate(floats)
    }
    windows, steps = planned.windows_of(terms), _steps(terms)
    sums = [term for term in terms if isinstance(term, Total)]
    totals = partial(
        planned.totals, term_rows=rows, feature_columns=feature_columns, windows=windows, steps=steps
    )
    return Plan(
        combinations=tuple(
            Combination(number, feature.combine, tuple(rows[term] for term in feature.terms))
            for number, feature in combined.items()
        ),
        columns=tuple(sorted(set().union(*(_columns(term) for term in terms)))),
        windows_days=windows,
        n_whole=len(whole),
        n_floats=len(floats),
        steps=steps,
        totals=totals([term for term in sums if not planned.is_in_time(term)]),
        sequels=planned.carried(totals([term for term in sums if planned.is_in_time(term)]), steps),
        positions=planned.positions(floats, steps),
        distinct=planned.distinct(
            [term for term in whole if isinstance(term, Distinct)], rows, windows, steps
        ),
        extremes=planned.extremes(
            [term for term in floats if isinstance(term, Extreme)], rows, windows, steps
        ),
        decayed=planned.decayed_sums(
            [term for term in floats if isinstance(term, Decayed)], rows, DAY, steps
        ),
    )


def _steps(terms: Iterable[Term]) -> Steps:
    """Return the steps of the terms' columns, still empty, with all texts that the terms name."""
    steps = Steps()
    for term in terms:
        steps.add_texts(term.where)
        if not isinstance(term, DaysSince) and term.column is not None:
            steps.add_texts(term.column)
    return steps


def _is_total(feature: Feature) -> bool:
    """Return whether a feature is one total as it stands, which needs no combination."""
    return feature.combine is itself and isinstance(feature.terms[0], Total)


def _columns(term: Term) -> set[str]:
    """Return the interactions' own columns that a term reads."""
    column = None if isinstance(term, DaysSince) else term.column
    return columns_of(term.where) | (set() if column is None else columns_of(column))
