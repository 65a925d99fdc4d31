"""A round on disk: its decisions as the contract has them, why each was taken, and the list that is sent out."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from hashlib import blake2b, sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from sintonia.core.config import NONE, DecideSettings, iso_time
from sintonia.core.errors import ConfigError
from sintonia.core.schema import DECISIONS, KINDS
from sintonia.core.timeline import midnight
from sintonia.data.store import Store
from sintonia.serving.decisions.arms import ARMS
from sintonia.serving.decisions.choosing import Case, Chosen
from sintonia.serving.decisions.explanations import sentence

if TYPE_CHECKING:
    import duckdb

REASONS_FOLDER = "why"
"""The folder, within that of the rounds, of why each decision was taken."""


@dataclass(frozen=True)
class Round:
    """When a round is decided, as of when features are taken, by which policy, and until when outcomes count."""

    round_id: str
    decided_at: datetime
    as_of: datetime
    policy_version: str
    reward_days: int


def round_of(store: Store, settings: DecideSettings, origin: str) -> Round:
    """Return the round that is asked for: by default as of the last midnight with complete data, and at that moment.

    `origin` says where the effects come from; with the engagement policy it makes the version.

    Raises
    ------
    ConfigError
        When features would be taken after the decision, or after the data.
    """
    known = [kind for kind in KINDS if kind in store.kinds_from]
    newest = midnight(store.data_until(known))
    decided_at = iso_time("decided_at", settings.decided_at) if settings.decided_at else newest
    as_of = iso_time("as_of", settings.as_of) if settings.as_of else min(midnight(decided_at), newest)
    if as_of > decided_at:
        raise ConfigError(f"as_of={as_of} lies after decided_at={decided_at}; nobody decides on the future.")
    if as_of > store.data_until(known):
        raise ConfigError(
            f"as_of={settings.as_of} lies after the data, which end {newest:%Y-%m-%d}; choose an earlier date."
        )
    name = settings.round or f"{decided_at:%Y-%m-%d}"
    if not name.replace("-", "").replace("_", "").isalnum():
        raise ConfigError(f"round='{name}' cannot name a file; use letters, digits, - and _.")
    configured = {name: asdict(action) for name, action in settings.actions.items()}
    written = json.dumps([asdict(settings.engagement), configured, origin], sort_keys=True)
    version = f"{settings.engagement.name}-{sha256(written.encode()).hexdigest()[:8]}"
    return Round(name, decided_at, as_of, version, settings.engagement.reward_days)


def decision_ids(round_id: str, customers: pa.Array) -> pa.Array:
    """Return one id a customer and round: the same when the round is decided again."""
    key = blake2b(round_id.encode(), digest_size=32).digest()
    return pa.array(
        [
            "D" + blake2b(customer.encode(), digest_size=8, key=key).hexdigest()
            for customer in customers.to_pylist()
        ]
    )


def decisions_table(one: Round, case: Case, chosen: Chosen, live: pa.Array) -> pa.Table:
    """Return the decisions of a round, a row a customer, with the columns of the contract; nothing is sent yet."""
    names, n = pa.array(chosen.options.actions), len(case.ids)
    rows, action = np.nonzero(case.allowed)
    ends = pa.array(np.r_[0, np.bincount(rows, minlength=n).cumsum()].astype(np.int32))
    cents = np.round(chosen.options.cost_cents).astype(np.int64)
    columns: dict[str, Any] = {
        "decision_id": decision_ids(one.round_id, case.ids),
        "round_id": _all(one.round_id, n),
        "customer_id": case.ids,
        "unit": pa.nulls(n, pa.string()),
        "decided_at": _all(one.decided_at, n),
        "as_of": _all(one.as_of, n),
        "policy_version": _all(one.policy_version, n),
        "eligible_actions": pa.ListArray.from_arrays(ends, names.take(pa.array(action))),
        "logging_propensities": pa.ListArray.from_arrays(ends, pa.array(chosen.propensities[rows, action])),
        "action_id": names.take(pa.array(chosen.action)),
        "channel": channels_of(chosen),
        "arm": pa.array(ARMS).take(pa.array(chosen.arm)),
        "cost": pa.array(cents[chosen.action]),
        "sent_at": pa.nulls(n, pa.timestamp("us")),
        "live_decision_ids": live,
        "reward_until": _all(one.decided_at + timedelta(days=one.reward_days), n),
    }
    return pa.table(columns).select(DECISIONS.names).cast(DECISIONS.arrow())


def channels_of(chosen: Chosen) -> pa.Array:
    """Return by customer the channel of its action, null where nothing is done."""
    channels = pa.array([channel or None for channel in chosen.options.channels], pa.string())
    return channels.take(pa.array(chosen.action))


def _all(value: object, n: int) -> pa.Array:
    return pa.array([value]).take(pa.array(np.zeros(n, np.int32)))


def live_decisions(connection: "duckdb.DuckDBPyConnection", ids: pa.Array, one: Round) -> pa.Array:
    """Return by customer the decisions that were sent and whose outcome still counts; an empty list for none."""
    now = f"TIMESTAMP '{one.decided_at}'"
    found = connection.sql(f"""
        SELECT customer_id, LIST(decision_id ORDER BY decision_id) AS live FROM decided
        WHERE sent_at < {now} AND reward_until > {now} GROUP BY customer_id""").to_arrow_table()
    lists = pa.chunked_array([*found["live"].chunks, pa.array([[]], pa.list_(pa.string()))]).combine_chunks()
    place = pc.index_in(ids, found["customer_id"].combine_chunks())
    return lists.take(pc.fill_null(place, len(lists) - 1))


def send_times(chosen: Chosen, case: Case) -> dict[str, pa.Array]:
    """Return by customer when to send, `send_at` in UTC and `send_at_local` by its own clock; null where nothing is."""
    rows = np.flatnonzero(chosen.option)
    use_of = np.array([case.hours.uses[name] if name else -1 for name in chosen.options.channels])
    use, day = use_of[chosen.action[rows]], chosen.options.day[chosen.option[rows]]
    best = case.hours.share[rows, use].argmax(axis=1)
    utc, local = (np.full(len(chosen.option), np.datetime64("NaT", "us")) for _ in range(2))
    utc[rows], local[rows] = case.hours.send_at(rows, use, np.where(day < 0, best, day))
    return {"send_at": pa.array(utc), "send_at_local": pa.array(local)}


def sent_rows(connection: "duckdb.DuckDBPyConnection", round_id: str) -> pa.Table:
    """Return the round's decisions that have reached their customers, with when they did: these stay as they are."""
    names = ", ".join(DECISIONS.names)
    found = connection.sql(f"""
        SELECT {names} FROM (
            SELECT decided.* REPLACE (COALESCE(sent_at, made_at) AS sent_at) FROM decided
            JOIN (SELECT decision_id, MIN(made_at) AS made_at FROM contacted WHERE decision_id IS NOT NULL GROUP BY 1)
            USING (decision_id)
            WHERE round_id = '{round_id}')
        ORDER BY {", ".join(DECISIONS.order)}""")
    return found.to_arrow_table().cast(DECISIONS.arrow())


def write_round(store: Store, round_id: str, decisions: pa.Table, why: pa.Table) -> list[Path]:
    """Return the files of a round's decisions and of why they were taken; each appears whole or not at all."""
    order = [(name, "ascending") for name in DECISIONS.order]
    files = {
        store.rounds / f"{round_id}.parquet": decisions.sort_by(order),
        store.rounds / REASONS_FOLDER / f"{round_id}.parquet": why,
    }
    for path, table in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.part")
        pq.write_table(table, part, compression="zstd")
        part.replace(path)
    return list(files)


def write_list(
    path: Path,
    decisions: pa.Table,
    why: pa.Table,
    key: str,
    keys: Mapping[str, str] | None,
    currency: str,
) -> int:
    """Return how many customers the list names: those for whom something is done, each with when and why.

    They are named by `key`, in a column of this name, so that an erasure finds them: `customer_id`, or another type
    of identifier whose `keys` are given by customer; who has none is left out, and not counted.
    """
    rows = pc.indices_nonzero(pc.not_equal(decisions["action_id"], NONE))
    done, told = decisions.take(rows), why.take(rows)
    named = done["customer_id"].to_pylist()
    if keys is not None:
        named = [keys.get(customer) for customer in named]
    sentences = [sentence(row, currency) for row in told.to_pylist()]
    table = pa.table(
        {
            key: pa.array(named, pa.string()),
            "action_id": done["action_id"],
            "channel": done["channel"],
            "send_at_local": pc.strftime(told["send_at_local"], format="%Y-%m-%d %H:%M"),
            "send_at_utc": pc.strftime(told["send_at"], format="%Y-%m-%dT%H:%MZ"),
            "decision_id": done["decision_id"],
            "why": sentences,
        }
    )
    table = table.filter(table[key].is_valid())
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    pyarrow.csv.write_csv(table, part)
    part.replace(path)
    return int(table.num_rows)
