"""A small store written as the contracts have it, for tests of decisions: every row typed in the test."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sintonia.core.schema import ATTRIBUTES, CROSSWALK, DECISIONS, INTERACTIONS, LINKS, MERGES, Table
from sintonia.data.sources.silos import SiloReport
from sintonia.data.store import Store

NOON = datetime(2026, 7, 1, 12)
"""A Wednesday."""


def ago(days: float) -> datetime:
    """So many days before NOON."""
    return NOON - timedelta(days=days)


def send(customer: str, days: float, channel: str = "email", **more: object) -> dict:
    return event(customer, days, "send", channel=channel, **more)


def event(customer: str, days: float, kind: str, **more: object) -> dict:
    at = ago(days)
    made = {"customer_id": customer, "occurred_at": at, "known_at": at, "kind": kind, "opens_thread": True}
    return made | {"channel": "email", "source": "toy"} | more


def said(customer: str, name: str, value: str, days: float = 100) -> dict:
    at = ago(days)
    return {
        "customer_id": customer,
        "name": name,
        "value": value,
        "occurred_at": at,
        "known_at": at,
        "source": "crm",
    }


def small_store(
    folder: Path,
    interactions: list[dict] = (),
    attributes: list[dict] = (),
    decisions: list[dict] = (),
    merges: list[dict] = (),
    customers: list[str] = (),
) -> Store:
    """The store of these rows in `folder/store/v-1`; whoever is named in any of them, or given, is a customer."""
    place = folder / "store" / "v-1"
    for name in ("interactions", "attributes", "links"):
        (place / name).mkdir(parents=True)
    rows = sorted(interactions, key=lambda row: (row["customer_id"], row["occurred_at"]))
    rows = [{"interaction_id": f"i{at}", **row} for at, row in enumerate(rows)]
    old = {row["customer_id"] for row in merges}
    named = {row["customer_id"] for row in [*rows, *attributes]} | set(customers)
    ties = [
        {"source": "crm", "source_key": f"K{one}", "customer_id": one, "linked_at": ago(400), "rule": "exact"}
        for one in sorted(named - old)
    ]
    _write(place / "interactions/bucket-0000.parquet", INTERACTIONS, rows)
    _write(place / "attributes/bucket-0000.parquet", ATTRIBUTES, list(attributes))
    _write(place / "links/bucket-0000.parquet", LINKS, [])
    for table, some in (
        (ATTRIBUTES, attributes),
        (DECISIONS, decisions),
        (MERGES, merges),
        (CROSSWALK, ties),
    ):
        _write(place / f"{table.name}.parquet", table, list(some))
    kinds = sorted({row["kind"] for row in rows})
    silo = SiloReport("toy", len(rows), len(rows), 0, 0, {}, NOON, tuple(kinds))
    first = {kind: ago(400) for kind in kinds}
    return Store(place, "toy", "1", first, len(named - old), len(rows), (silo,))


def _write(path: Path, table: Table, rows: list[dict]) -> None:
    filled = [dict.fromkeys(table.names) | row for row in rows]
    pq.write_table(pa.Table.from_pylist(filled, schema=table.arrow()), path)


def decided(customer: str, round_id: str, sent_days: float | None, **more: object) -> dict:
    """A decision of an earlier round, sent so many days ago or only planned."""
    return {
        "decision_id": f"{round_id}-{customer}",
        "round_id": round_id,
        "customer_id": customer,
        "decided_at": ago(20),
        "action_id": "mail",
        "channel": "email",
        "arm": "policy",
        "sent_at": None if sent_days is None else ago(sent_days),
        "reward_until": ago(-8),
    } | more


def effects_file(path: Path, effects: dict[str, dict[str, float]]) -> Path:
    """A table of effects: customer to action to effect."""
    rows = [(who, action, effect) for who, some in effects.items() for action, effect in some.items()]
    columns = zip(*rows, strict=True)
    pq.write_table(
        pa.table(dict(zip(("customer_id", "action_id", "effect"), map(list, columns), strict=True))), path
    )
    return path


def random_effects(path: Path, customers: list[str], actions: list[str], seed: int) -> Path:
    rng = np.random.default_rng(seed)
    return effects_file(
        path, {one: {action: float(rng.normal(1, 3)) for action in actions} for one in customers}
    )
