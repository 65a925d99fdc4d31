"""About two hundred explained test rows, chosen to be typical, doubtful, right and wrong, with what was known of them.

A history shows whole days before the as-of date, channel, kind and amount. Items, categories and threads are left out:
a page is passed on, and nobody should be identified by it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sintonia.core.arrays import Floats
from sintonia.core.visibility import visible_rows
from sintonia.data.store import Store
from sintonia.explain.contributions import FeatureMeaning
from sintonia.explain.sample import ExplainedSample
from sintonia.explain.what_if import WhatIf

LATEST = 150
HISTORY_COLUMNS = ("customer_id", "occurred_at", "known_at", "known_until", "channel", "kind", "amount")


@dataclass(frozen=True)
class RecentInteractions:
    """The latest interactions visible at a date, newest first, in columns; `earlier` counts those left out.

    `days` are whole days before the date, `channel` and `kind` their names, `cents` the amount (None without one).
    """

    days: tuple[int, ...]
    channel: tuple[str, ...]
    kind: tuple[str, ...]
    cents: tuple[int | None, ...]
    earlier: int


def histories(store: Store, keys: Sequence[tuple[str, datetime]]) -> list[RecentInteractions]:
    """Return each customer's history as it was visible at its date; `keys` are pairs of customer_id and date."""
    customers = {customer for customer, _ in keys}
    tables = [store.read_bucket(path, customers, HISTORY_COLUMNS) for path in store.buckets]
    rows = pa.concat_tables(tables)
    owner = np.asarray(rows["customer_id"].cast(pa.string()).to_pylist(), object)
    indices = {customer: np.flatnonzero(owner == customer) for customer in customers}
    return [visible(rows.take(pa.array(indices[customer])), as_of) for customer, as_of in keys]


def visible(rows: pa.Table, as_of: datetime) -> RecentInteractions:
    """Return one customer's history from its interactions, in any order.

    Examples
    --------
    >>> at = datetime(2026, 1, 10)
    >>> rows = pa.table({"occurred_at": pa.array([at, at], pa.timestamp("us")), "amount": [1250, None],
    ...     "known_at": pa.array([at, datetime(2026, 1, 11)], pa.timestamp("us")),
    ...     "channel": ["store", "web"], "kind": ["purchase", "view"]})
    >>> visible(rows, at)
    RecentInteractions(days=(0,), channel=('store',), kind=('purchase',), cents=(1250,), earlier=0)
    """
    known = rows.filter(visible_rows(rows, as_of)).sort_by([("occurred_at", "descending")])
    latest = known.slice(0, LATEST)
    elapsed = np.datetime64(as_of, "us") - latest["occurred_at"].to_numpy().astype("datetime64[us]")
    return RecentInteractions(
        days=tuple((elapsed // np.timedelta64(1, "D")).astype(int).tolist()),
        channel=tuple(value or "" for value in latest["channel"].cast(pa.string()).to_pylist()),
        kind=tuple(value or "" for value in latest["kind"].cast(pa.string()).to_pylist()),
        cents=tuple(latest["amount"].to_pylist()),
        earlier=len(known) - len(latest),
    )


def history_text(history: RecentInteractions) -> str:
    """Return a history in a sentence: how much was visible, how lately, and mostly of what kinds."""
    if not history.days:
        return "Nothing was visible at that date."
    kinds = ", ".join(f"{count} {kind}" for kind, count in Counter(history.kind).most_common(4))
    return (
        f"{len(history.days) + history.earlier} interactions were visible, the last {min(history.days)} days before; "
        f"of the latest {len(history.days)}: {kinds}."
    )


LISTED, FAMILIES = 10, 5
REACHED = 0.1
QUOTA = {
    "highest": 25,
    "lowest": 20,
    "confident and wrong": 45,
    "confident and right": 25,
    "borderline": 35,
    "typical": 35,
    "at random": 15,
}
"""How many rows of each kind; a row is of the first kind it fits."""

MEANING = {
    "highest": "one of the highest scores of the sample",
    "lowest": "one of the lowest scores of the sample",
    "confident and wrong": "a prediction far from the outcome",
    "confident and right": "a prediction far from the middle and close to the outcome",
    "borderline": "a score at the edge of the top decile, where a list is cut",
    "typical": "a score near the middle",
    "at random": "a random draw from the remaining rows",
}


class CatalogueFeature(FeatureMeaning, Protocol):
    """What is known of a feature: its meaning and its family."""

    @property
    def family(self) -> str:
        """Which family it belongs to."""


@dataclass(frozen=True)
class FeatureContribution:
    """A feature's value in a row (None when missing) and how far it moved the row's raw score."""

    feature: str
    value: float | None
    contribution: float


@dataclass(frozen=True)
class Customer:
    """One explained row: sample number, why it was chosen, prediction, outcome and evidence.

    `base`, the contributions of `parts` and those of `rest` add up to `raw`. `rest` has the sums of all other features
    by family, the smaller ones under "". `outcome` and `label` are of amounts in cents.
    """

    sample: int
    kind: str
    as_of: str
    category: str
    outcome: float
    label: float
    raw: float
    base: float
    parts: tuple[FeatureContribution, ...]
    rest: dict[str, float]
    groups: dict[str, str]
    reasons: tuple[str, ...]
    history: RecentInteractions
    what_if: WhatIf


@dataclass(frozen=True)
class CustomerContext:
    """What a page shows of a row besides its score: category ("" without), reasons in sentences, history, what-if."""

    category: str
    reasons: tuple[str, ...]
    history: RecentInteractions
    what_if: WhatIf


def choose_rows(sample: ExplainedSample, amount: bool) -> dict[int, str]:
    """Return the indices in the sample of the chosen rows, each with its kind; at most one row per customer."""
    outcome, label = sample.outcome, np.asarray(sample.rows.label, np.float64)
    first_of_customer = np.zeros(len(sample), bool)
    first_of_customer[np.unique(sample.rows.customer_id.astype(str), return_index=True)[1]] = True
    error = np.abs(np.log1p(label) - np.log1p(outcome)) if amount else np.abs(label - outcome)
    apart = np.abs(outcome - np.median(outcome))
    edge = np.quantile(outcome, 1 - REACHED)
    far = apart > np.quantile(apart, 0.6)
    order = {
        "highest": -outcome,
        "lowest": outcome,
        "confident and wrong": -error,
        "confident and right": np.where(far, error, np.inf),
        "borderline": np.abs(outcome - edge),
        "typical": apart,
        "at random": np.arange(len(sample), dtype=np.float64),
    }
    kinds: dict[int, str] = {}
    for kind, by in order.items():
        candidates = [
            at
            for at in np.argsort(by, kind="stable").tolist()
            if first_of_customer[at] and np.isfinite(by[at])
        ]
        chosen = [at for at in candidates if at not in kinds][: QUOTA[kind]]
        kinds |= dict.fromkeys(chosen, kind)
    return kinds


def explained_customers(
    sample: ExplainedSample,
    chosen: Mapping[int, str],
    catalogue: Mapping[str, CatalogueFeature],
    groups: Mapping[str, NDArray[np.str_]],
    contexts: Sequence[CustomerContext],
) -> tuple[Customer, ...]:
    """Return the chosen rows with their evidence, in the order of `chosen`.

    `groups` has by attribute a value for each row of the sample, `contexts` one entry per chosen row.
    """
    return tuple(
        _customer(
            sample,
            (index, kind),
            catalogue,
            {attribute: str(values[index]) for attribute, values in groups.items() if values[index]},
            context,
        )
        for (index, kind), context in zip(chosen.items(), contexts, strict=True)
    )


def _customer(
    sample: ExplainedSample,
    chosen: tuple[int, str],
    catalogue: Mapping[str, CatalogueFeature],
    groups: dict[str, str],
    context: CustomerContext,
) -> Customer:
    index, kind = chosen
    assert sample.contributions is not None, "rows are chosen only of models that give contributions"
    contributions, names = sample.contributions.values[index], sample.contributions.names
    order = np.argsort(-np.abs(contributions), kind="stable").tolist()
    listed = [at for at in order[:LISTED] if contributions[at]]
    values = {at: _value(sample.rows.values[index, at]) for at in listed}
    return Customer(
        sample=index + 1,
        kind=kind,
        as_of=f"{sample.rows.as_of[index].astype('datetime64[D]')}",
        category=context.category,
        outcome=round(float(sample.outcome[index]), 6),
        label=float(sample.rows.label[index]),
        raw=float(sample.raw[index]),
        base=sample.contributions.base,
        parts=tuple(FeatureContribution(names[at], values[at], float(contributions[at])) for at in listed),
        rest=other_contributions(contributions, listed, [catalogue[name].family for name in names]),
        groups=groups,
        reasons=context.reasons,
        history=context.history,
        what_if=context.what_if,
    )


def other_contributions(
    contributions: Floats, listed: Sequence[int], families: Sequence[str]
) -> dict[str, float]:
    """Return what all other features together move a score by, family by family, the largest first."""
    sums: dict[str, float] = {}
    for at, family in enumerate(families):
        if at not in listed and contributions[at]:
            sums[family] = sums.get(family, 0.0) + float(contributions[at])
    order = sorted(sums, key=lambda family: -abs(sums[family]))
    largest = {family: sums[family] for family in order[:FAMILIES]}
    small = [sums[family] for family in order[FAMILIES:]]
    return {**largest, "": sum(small)} if small else largest


def _value(value: np.float32) -> float | None:
    return None if np.isnan(value) else float(value)
