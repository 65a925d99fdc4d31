"""What features take from the past of all customers beside their interactions: attributes, identifiers, the prior."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sintonia.behaviour import Repeats, concatenate, count_repeats, fit_prior, read_purchases
from sintonia.consent import PREFIX
from sintonia.errors import NotEnoughDataError
from sintonia.features.tables import BIRTH_YEAR, GENERATIONS, thousandths
from sintonia.progress import log
from sintonia.schema import CONTACT_FIELDS

if TYPE_CHECKING:
    import pyarrow as pa


FEWEST = 5
"""Customers who share a value before it is a level: one that fewer have could point to a person."""

NUMBERS = 0.95
"""Part of an attribute's answers that are numbers from which on it is one; the rest are slips."""

PERSONAL = {*CONTACT_FIELDS} - {"sex", "city", "province", "country"}
"""Attributes of these names are never features: they say who somebody is, and nothing of what they want."""

Levels = dict[str, tuple[str, ...]]


def attribute_levels(attributes: "Iterable[pa.Table]", until: datetime, top_k: int) -> Levels:
    """Return what attributes there are, from what was visible at `until`; each table holds whole customers.

    `attribute` names those that are texts, with the `top_k` commonest values of each in `attribute:<name>`, and
    `number` those that are numbers; `changing` names those that were seen to change, `generation` the generations
    and `consent` the channels of consents. What fewer than `FEWEST` customers share is left out.
    """
    values: Counter[tuple[str, str]] = Counter()
    changes: Counter[str] = Counter()
    for table in attributes:
        told, changed = count_values(table, until)
        values += told
        changes += changed
    plain, years, channels = _apart(values)
    numbers = [name for name, of_name in plain.items() if _is_number(of_name)]
    texts = {name: _common(of_name)[:top_k] for name, of_name in plain.items() if name not in numbers}
    texts = {name: levels for name, levels in texts.items() if levels}
    return {
        "attribute": tuple(texts),
        **{f"attribute:{name}": levels for name, levels in texts.items()},
        "number": tuple(numbers),
        "changing": tuple(sorted(name for name, count in changes.items() if count >= FEWEST)),
        "generation": _generations(years),
        "consent": _common(channels),
    }


def count_values(attributes: "pa.Table", until: datetime) -> tuple[Counter[tuple[str, str]], Counter[str]]:
    """Return how many customers had each (name, value) by then, and how many had two values of a name."""
    import pyarrow.compute as pc

    personal = pc.is_in(attributes["name"].cast("string"), _texts(PERSONAL))
    seen = attributes.filter(pc.and_not(_visible(attributes, until, "occurred_at", "known_at"), personal))
    said = seen.group_by(["customer_id", "name", "value"]).aggregate([])
    told = said.group_by(["name", "value"]).aggregate([([], "count_all")])
    held = said.group_by(["customer_id", "name"]).aggregate([([], "count_all")])
    changed = held.filter(pc.greater(held["count_all"], 1)).group_by("name").aggregate([([], "count_all")])
    counts = (told[name].to_pylist() for name in ("name", "value", "count_all"))
    return (
        Counter({(name, value): count for name, value, count in zip(*counts, strict=True)}),
        Counter(dict(zip(changed["name"].to_pylist(), changed["count_all"].to_pylist(), strict=True))),
    )


def link_levels(links: "Iterable[pa.Table]", until: datetime) -> Levels:
    """Return the types of identifiers tied by then, the most frequent first: `identifier`."""
    types: Counter[str] = Counter()
    for table in links:
        seen = table.filter(_visible(table, until, "linked_at"))["source"].value_counts()
        types += Counter({row["values"]: row["counts"] for row in seen.to_pylist()})
    return {"identifier": _ordered(types)}


def behavioural_prior(
    interactions: "Iterable[pa.Table]", merges: "pa.Table", until: datetime
) -> dict[str, Any] | None:
    """Return the prior fitted on the purchases visible at `until`, as JSON; None where they are too few.

    Who had become part of another by then is no customer any more, and all they did is the other's.
    """
    import pyarrow.compute as pc

    gone = merges.filter(_visible(merges, until, "merged_at"))["customer_id"]
    parts = []
    for table in interactions:
        ids, purchases = read_purchases(table)
        counted = count_repeats(purchases, len(ids), [until])
        there = ~pc.is_in(ids, gone).to_numpy(zero_copy_only=False)
        parts.append(Repeats(*(values[there, 0] for values in vars(counted).values())))
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


def _texts(values: Iterable[str]) -> "pa.Array":
    import pyarrow as pa

    return pa.array(sorted(values), pa.string())


def _apart(
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
    return values.total() >= FEWEST and numbers >= NUMBERS * values.total()


def _generations(years: Counter[str]) -> tuple[str, ...]:
    born: Counter[str] = Counter()
    for value, count in years.items():
        for name, (first, last) in GENERATIONS.items():
            born[name] += count * (first <= thousandths(value) / 1000 <= last)
    return tuple(name for name in GENERATIONS if born[name] >= FEWEST)


def _common(counts: Counter[str]) -> tuple[str, ...]:
    return _ordered(Counter({value: count for value, count in counts.items() if count >= FEWEST}))


def _ordered(counts: Counter[str]) -> tuple[str, ...]:
    """Return the values, the most frequent first; of equals, in the order of their letters."""
    return tuple(sorted(counts, key=lambda value: (-counts[value], value)))
