"""Fitting what features take from the past of all customers, in one pass over the store."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from sintonia.behaviour.repeats import PURCHASE_COLUMNS
from sintonia.config import FeaturesConfig
from sintonia.features import people
from sintonia.features.families.response import brand_rates
from sintonia.features.fitted import Fitted
from sintonia.features.measures import LABELS
from sintonia.features.tables import History
from sintonia.schema import MERGES

if TYPE_CHECKING:
    import pyarrow as pa

    from sintonia.interactions import Store

COUNTED = (*LABELS, "opens_thread")
CHOSEN = ("category", "action_id")
"""Labels of which a brand may have thousands: the configuration's `top_k` most frequent are levels."""

Labels = tuple[str | bool | None, ...]


def fit(config: FeaturesConfig, store: "Store", until: datetime) -> Fitted:
    """Return what the configuration's features need of the store's rows visible at `until`.

    A model is fitted at its first training as_of, so that no training row meets what lay after it, and keeps what
    was fitted.
    """
    columns = ("customer_id", "occurred_at", "known_at", *COUNTED)
    fitted = fit_tables(config, (store.read_bucket(path, columns=columns) for path in store.buckets), until)
    levels, prior = dict(fitted.levels), None
    if "profile" in config.families:
        told = (store.read_beside("attributes", path) for path in store.buckets)
        levels |= people.attribute_levels(told, until, config.top_k)
    if "identity" in config.families:
        levels |= people.link_levels((store.read_beside("links", path) for path in store.buckets), until)
    if "prior" in config.families:
        bought = (store.read_bucket(path, columns=PURCHASE_COLUMNS) for path in store.buckets)
        prior = people.behavioural_prior(bought, store.read_merges(), until)
    return replace(fitted, levels=levels, prior=prior)


def fit_history(config: FeaturesConfig, history: History, until: datetime) -> Fitted:
    """Return `fit` of whole customers without a store, of whom none became part of another."""
    import pyarrow as pa

    interactions = history.interactions
    if isinstance(interactions, pa.RecordBatch):
        interactions = pa.Table.from_batches([interactions])
    fitted = fit_tables(config, [interactions], until)
    levels, prior = dict(fitted.levels), None
    if "profile" in config.families and history.attributes is not None:
        levels |= people.attribute_levels([history.attributes], until, config.top_k)
    if "identity" in config.families and history.links is not None:
        levels |= people.link_levels([history.links], until)
    if "prior" in config.families:
        prior = people.behavioural_prior([interactions], MERGES.arrow().empty_table(), until)
    return replace(fitted, levels=levels, prior=prior)


def fit_tables(config: FeaturesConfig, interactions: "Iterable[pa.Table]", until: datetime) -> Fitted:
    """Return `fit` of interactions that come in tables, each read once; their order changes nothing."""
    counts: Counter[Labels] = Counter()
    for table in interactions:
        counts.update(count_labels(table, until))
    levels = {label: _levels(config, counts, label) for label in LABELS}
    sends = Counter({labels: rows for labels, rows in counts.items() if _of(labels, "kind") == "send"})
    levels |= {f"sent:{label}": _levels(config, sends, label) for label in ("channel", "action_id")}
    marked: Counter[tuple[str | None, ...]] = Counter()
    for labels, rows in counts.items():
        if _of(labels, "opens_thread"):
            marked[tuple(_of(labels, label) for label in ("kind", "channel", "action_id"))] += rows
    return Fitted(until, levels, brand_rates(marked, levels))


def count_labels(interactions: "pa.Table", until: datetime) -> dict[Labels, int]:
    """Return how many rows visible at `until` have each combination of COUNTED."""
    import pyarrow as pa
    import pyarrow.compute as pc

    moment = pa.scalar(until, pa.timestamp("us"))
    visible = pc.and_(
        pc.less_equal(interactions["occurred_at"], moment), pc.less_equal(interactions["known_at"], moment)
    )
    counted = interactions.filter(visible).group_by(list(COUNTED)).aggregate([([], "count_all")])
    labels = zip(*(counted[name].to_pylist() for name in COUNTED), strict=True)
    return dict(zip(labels, counted["count_all"].to_pylist(), strict=True))


def _of(labels: Labels, name: str) -> str | None:
    value = labels[COUNTED.index(name)]
    return str(value) if value else None


def _levels(config: FeaturesConfig, counts: "Counter[Labels]", label: str) -> tuple[str, ...]:
    """Return one label's values, the most frequent first; of equals, in the order of their letters."""
    totals: Counter[str] = Counter()
    for labels, rows in counts.items():
        if (value := _of(labels, label)) is not None:
            totals[value] += rows
    ordered = sorted(totals, key=lambda value: (-totals[value], value))
    return tuple(ordered[: config.top_k] if label in CHOSEN else ordered)
