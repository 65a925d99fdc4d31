"""Fitting what features learn from all customers' past, in one pass over the store.

Levels of labels, attributes and identifiers, the brand's response rates and the behavioural prior.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sintonia.core.config import FeaturesConfig
from sintonia.core.errors import NotEnoughDataError
from sintonia.core.progress import log
from sintonia.core.schema import CONTACT_FIELDS, MERGES
from sintonia.core.visibility import visible_rows
from sintonia.data.consent import PREFIX
from sintonia.features.clv import Repeats, concatenate, count_repeats, fit_prior, read_purchases
from sintonia.features.clv.repeats import PURCHASE_COLUMNS
from sintonia.features.families.response import brand_rates
from sintonia.features.fitted import Fitted
from sintonia.features.history import BIRTH_YEAR, GENERATIONS, History, thousandths
from sintonia.features.measures import LABELS

if TYPE_CHECKING:
    import pyarrow as pa

    from sintonia.data.store import Store


MIN_CUSTOMERS = 5
"""Customers that must share a value before it becomes a level: a rarer one could identify a person."""

NUMERIC_SHARE = 0.95
"""Share of an attribute's values that must be numbers for it to be numeric; the others count as errors."""

PERSONAL_ATTRIBUTES = {*CONTACT_FIELDS} - {"sex", "city", "province", "country"}
"""Attributes that are never features: they identify a person and say nothing about behaviour."""

Levels = dict[str, tuple[str, ...]]


def attribute_levels(attributes: "Iterable[pa.Table]", until: datetime, top_k: int) -> Levels:
    """Return the levels of attributes visible at `until`; each table has all rows of its customers.

    `attribute` names those that are texts, with the `top_k` commonest values of each in `attribute:<name>`, and
    `number` those that are numbers; `changing` names those that were seen to change, `generation` the generations
    and `consent` the channels of consents. What fewer than `MIN_CUSTOMERS` customers share is left out.
    """
    values: Counter[tuple[str, str]] = Counter()
    changes: Counter[str] = Counter()
    for table in attributes:
        counts, changed = count_values(table, until)
        values += counts
        changes += changed
    plain, years, channels = _split_values(values)
    numbers = [name for name, of_name in plain.items() if _is_number(of_name)]
    texts = {name: _shared_levels(of_name)[:top_k] for name, of_name in plain.items() if name not in numbers}
    texts = {name: levels for name, levels in texts.items() if levels}
    return {
        "attribute": tuple(texts),
        **{f"attribute:{name}": levels for name, levels in texts.items()},
        "number": tuple(numbers),
        "changing": tuple(sorted(name for name, count in changes.items() if count >= MIN_CUSTOMERS)),
        "generation": _generations(years),
        "consent": _shared_levels(channels),
    }


def count_values(attributes: "pa.Table", until: datetime) -> tuple[Counter[tuple[str, str]], Counter[str]]:
    """Return how many customers had each (name, value) by `until`, and how many had several values of each name."""
    import pyarrow.compute as pc

    personal = pc.is_in(attributes["name"].cast("string"), _string_array(PERSONAL_ATTRIBUTES))
    visible = attributes.filter(pc.and_not(_visible(attributes, until, "occurred_at", "known_at"), personal))
    distinct = visible.group_by(["customer_id", "name", "value"]).aggregate([])
    by_value = distinct.group_by(["name", "value"]).aggregate([([], "count_all")])
    by_name = distinct.group_by(["customer_id", "name"]).aggregate([([], "count_all")])
    changed = (
        by_name.filter(pc.greater(by_name["count_all"], 1)).group_by("name").aggregate([([], "count_all")])
    )
    counts = (by_value[name].to_pylist() for name in ("name", "value", "count_all"))
    return (
        Counter({(name, value): count for name, value, count in zip(*counts, strict=True)}),
        Counter(dict(zip(changed["name"].to_pylist(), changed["count_all"].to_pylist(), strict=True))),
    )


def link_levels(links: "Iterable[pa.Table]", until: datetime) -> Levels:
    """Return the types of identifiers linked by `until`, the most frequent first, as `identifier`."""
    types: Counter[str] = Counter()
    for table in links:
        visible = table.filter(_visible(table, until, "linked_at"))["source"].value_counts()
        types += Counter({row["values"]: row["counts"] for row in visible.to_pylist()})
    return {"identifier": _by_frequency(types)}


def behavioural_prior(
    interactions: "Iterable[pa.Table]", merges: "pa.Table", until: datetime
) -> dict[str, Any] | None:
    """Return the prior fitted on the purchases visible at `until`, as JSON; None where they are too few.

    A customer merged into another by then is left out; their interactions belong to the other.
    """
    import pyarrow.compute as pc

    merged = merges.filter(_visible(merges, until, "merged_at"))["customer_id"]
    parts = []
    for table in interactions:
        ids, purchases = read_purchases(table)
        counted = count_repeats(purchases, len(ids), [until])
        is_customer = ~pc.is_in(ids, merged).to_numpy(zero_copy_only=False)
        parts.append(Repeats(*(values[is_customer, 0] for values in vars(counted).values())))
    try:
        return fit_prior(concatenate(parts)).as_json()
    except NotEnoughDataError as error:
        log.info("No behavioural prior: %s", error)
        return None


def _visible(table: "pa.Table", until: datetime, *moments: str) -> Any:  # noqa: ANN401
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.less_equal(
        pc.max_element_wise(*(table[name] for name in moments)), pa.scalar(until, pa.timestamp("us"))
    )


def _string_array(values: Iterable[str]) -> "pa.Array":
    import pyarrow as pa

    return pa.array(sorted(values), pa.string())


def _split_values(
    values: Counter[tuple[str, str]],
) -> tuple[dict[str, Counter[str]], Counter[str], Counter[str]]:
    """Return the values of plain attributes by name, the birth years, and the channels of consents."""
    plain: dict[str, Counter[str]] = {}
    years: Counter[str] = Counter()
    channels: Counter[str] = Counter()
    for (name, value), count in sorted(values.items()):
        if name == BIRTH_YEAR:
            years[value] += count
        elif name.startswith(PREFIX):
            channels[name.removeprefix(PREFIX)] += count
        else:
            plain.setdefault(name, Counter())[value] += count
    return plain, years, channels


def _is_number(values: Counter[str]) -> bool:
    numbers = sum(count for value, count in values.items() if thousandths(value) == thousandths(value))
    return values.total() >= MIN_CUSTOMERS and numbers >= NUMERIC_SHARE * values.total()


def _generations(years: Counter[str]) -> tuple[str, ...]:
    born: Counter[str] = Counter()
    for value, count in years.items():
        for name, (first, last) in GENERATIONS.items():
            born[name] += count * (first <= thousandths(value) / 1000 <= last)
    return tuple(name for name in GENERATIONS if born[name] >= MIN_CUSTOMERS)


def _shared_levels(counts: Counter[str]) -> tuple[str, ...]:
    return _by_frequency(Counter({value: count for value, count in counts.items() if count >= MIN_CUSTOMERS}))


def _by_frequency(counts: Counter[str]) -> tuple[str, ...]:
    """Return the values, the most frequent first; equally frequent ones in alphabetical order."""
    return tuple(sorted(counts, key=lambda value: (-counts[value], value)))


LABEL_COLUMNS = (*LABELS, "opens_thread")
TRUNCATED_LABELS = ("category", "action_id")
"""Labels of which a brand may have thousands: the configuration's `top_k` most frequent are levels."""

LabelRow = tuple[str | bool | None, ...]


def fit(config: FeaturesConfig, store: "Store", until: datetime) -> Fitted:
    """Return what the configuration's features need of the store's rows visible at `until`.

    A model is fitted at its first training as_of, so that no training row meets what lay after it, and keeps what
    was fitted.
    """
    columns = ("customer_id", "occurred_at", "known_at", "known_until", *LABEL_COLUMNS)
    fitted = fit_tables(config, (store.read_bucket(path, columns=columns) for path in store.buckets), until)
    levels, prior = dict(fitted.levels), None
    if "profile" in config.families:
        attributes = (store.read_beside("attributes", path) for path in store.buckets)
        levels |= attribute_levels(attributes, until, config.top_k)
    if "identity" in config.families:
        levels |= link_levels((store.read_beside("links", path) for path in store.buckets), until)
    if "prior" in config.families:
        bought = (store.read_bucket(path, columns=PURCHASE_COLUMNS) for path in store.buckets)
        prior = behavioural_prior(bought, store.read_merges(), until)
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
        levels |= attribute_levels([history.attributes], until, config.top_k)
    if "identity" in config.families and history.links is not None:
        levels |= link_levels([history.links], until)
    if "prior" in config.families:
        prior = behavioural_prior([interactions], MERGES.arrow().empty_table(), until)
    return replace(fitted, levels=levels, prior=prior)


def fit_tables(config: FeaturesConfig, interactions: "Iterable[pa.Table]", until: datetime) -> Fitted:
    """Return `fit` of interactions that come in tables, each read once; their order changes nothing."""
    counts: Counter[LabelRow] = Counter()
    for table in interactions:
        counts.update(count_labels(table, until))
    levels = {label: _levels(config, counts, label) for label in LABELS}
    sends = Counter({labels: rows for labels, rows in counts.items() if _label_of(labels, "kind") == "send"})
    levels |= {f"sent:{label}": _levels(config, sends, label) for label in ("channel", "action_id")}
    threads: Counter[tuple[str | None, ...]] = Counter()
    for labels, rows in counts.items():
        if _label_of(labels, "opens_thread"):
            threads[tuple(_label_of(labels, label) for label in ("kind", "channel", "action_id"))] += rows
    return Fitted(until, levels, brand_rates(threads, levels))


def count_labels(interactions: "pa.Table", until: datetime) -> dict[LabelRow, int]:
    """Return how many rows visible at `until` have each combination of COUNTED."""
    visible = visible_rows(interactions, until)
    counted = interactions.filter(visible).group_by(list(LABEL_COLUMNS)).aggregate([([], "count_all")])
    labels = zip(*(counted[name].to_pylist() for name in LABEL_COLUMNS), strict=True)
    return dict(zip(labels, counted["count_all"].to_pylist(), strict=True))


def _label_of(labels: LabelRow, name: str) -> str | None:
    value = labels[LABEL_COLUMNS.index(name)]
    return str(value) if value else None


def _levels(config: FeaturesConfig, counts: "Counter[LabelRow]", label: str) -> tuple[str, ...]:
    """Return one label's values, the most frequent first; of equals, in the order of their letters."""
    totals: Counter[str] = Counter()
    for labels, rows in counts.items():
        if (value := _label_of(labels, label)) is not None:
            totals[value] += rows
    ordered = sorted(totals, key=lambda value: (-totals[value], value))
    return tuple(ordered[: config.top_k] if label in TRUNCATED_LABELS else ordered)
