"""A round on disk: its decisions as in the contract, the reasons, and the list to send."""

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
from sintonia.serving.decisions.choosing import Choices, DecisionCase
from sintonia.serving.decisions.explanations import REASONS_FOLDER, reason_sentence

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class RoundSpec:
    """The id of a round, when it is decided, the date of its features, its policy version, and its reward period."""

    round_id: str
    decided_at: datetime
    as_of: datetime
    policy_version: str
    reward_days: int


def round_spec(store: Store, settings: DecideSettings, origin: str) -> RoundSpec:
    """Return the requested round: by default at, and as of, the last midnight with complete data.

    `origin` names the effects; with the actions and the engagement policy it determines the policy version.

    Raises
    ------
    ConfigError
        When as_of is after the decision or after the end of the data.
    """
    customers = [kind for kind in KINDS if kind in store.kinds_from]
    newest = midnight(store.data_until(customers))
    decided_at = iso_time("decided_at", settings.decided_at) if settings.decided_at else newest
    as_of = iso_time("as_of", settings.as_of) if settings.as_of else min(midnight(decided_at), newest)
    if as_of > decided_at:
        raise ConfigError(
            f"as_of={as_of} lies after decided_at={decided_at}; choose a date at or before the decision."
        )
    if as_of > store.data_until(customers):
        raise ConfigError(
            f"as_of={settings.as_of} lies after the data, which end {newest:%Y-%m-%d}; choose an earlier date."
        )
    name = settings.round or f"{decided_at:%Y-%m-%d}"
    if not name.replace("-", "").replace("_", "").isalnum():
        raise ConfigError(f"round='{name}' cannot name a file; use letters, digits, - and _.")
    configured = {name: asdict(action) for name, action in settings.actions.items()}
    document = json.dumps([asdict(settings.engagement), configured, origin], sort_keys=True)
    version = f"{settings.engagement.name}-{sha256(document.encode()).hexdigest()[:8]}"
    return RoundSpec(name, decided_at, as_of, version, settings.engagement.reward_days)


def decision_ids(round_id: str, customers: pa.Array) -> pa.Array:
    """Return an id for each customer in a round: the same if the round is decided again."""
    key = blake2b(round_id.encode(), digest_size=32).digest()
    return pa.array(
        [
            "D" + blake2b(customer.encode(), digest_size=8, key=key).hexdigest()
            for customer in customers.to_pylist()
        ]
    )


def decisions_table(spec: RoundSpec, case: DecisionCase, choices: Choices, live: pa.Array) -> pa.Table:
    """Return the decisions of a round, one row a customer, with the columns of the contract; nothing is sent yet."""
    names, n = pa.array(choices.options.actions), len(case.ids)
    rows, action = np.nonzero(case.allowed)
    ends = pa.array(np.r_[0, np.bincount(rows, minlength=n).cumsum()].astype(np.int32))
    cents = np.round(choices.options.cost_cents).astype(np.int64)
    columns: dict[str, Any] = {
        "decision_id": decision_ids(spec.round_id, case.ids),
        "round_id": _repeat(spec.round_id, n),
        "customer_id": case.ids,
        "unit": pa.nulls(n, pa.string()),
        "decided_at": _repeat(spec.decided_at, n),
        "as_of": _repeat(spec.as_of, n),
        "policy_version": _repeat(spec.policy_version, n),
        "eligible_actions": pa.ListArray.from_arrays(ends, names.take(pa.array(action))),
        "logging_propensities": pa.ListArray.from_arrays(ends, pa.array(choices.propensities[rows, action])),
        "action_id": names.take(pa.array(choices.action)),
        "channel": channels_of(choices),
        "arm": pa.array(ARMS).take(pa.array(choices.arm)),
        "cost": pa.array(cents[choices.action]),
        "sent_at": pa.nulls(n, pa.timestamp("us")),
        "live_decision_ids": live,
        "reward_until": _repeat(spec.decided_at + timedelta(days=spec.reward_days), n),
    }
    return pa.table(columns).select(DECISIONS.names).cast(DECISIONS.arrow())


def channels_of(choices: Choices) -> pa.Array:
    """Return the channel of each customer's action, null where nothing is done."""
    channels = pa.array([channel or None for channel in choices.options.channels], pa.string())
    return channels.take(pa.array(choices.action))


def _repeat(value: object, n: int) -> pa.Array:
    """Return a value n times."""
    return pa.array([value]).take(pa.array(np.zeros(n, np.int32)))


def live_decisions(connection: "duckdb.DuckDBPyConnection", ids: pa.Array, spec: RoundSpec) -> pa.Array:
    """Return by customer the sent decisions whose reward period is not over; an empty list for none."""
    now = f"TIMESTAMP '{spec.decided_at}'"
    live = connection.sql(f"""
        SELECT customer_id, LIST(decision_id ORDER BY decision_id) AS live FROM decided
        WHERE sent_at < {now} AND reward_until > {now} GROUP BY customer_id""").to_arrow_table()
    lists = pa.chunked_array([*live["live"].chunks, pa.array([[]], pa.list_(pa.string()))]).combine_chunks()
    index = pc.index_in(ids, live["customer_id"].combine_chunks())
    return lists.take(pc.fill_null(index, len(lists) - 1))


def send_times(choices: Choices, case: DecisionCase) -> dict[str, pa.Array]:
    """Return by customer when to send: `send_at` in UTC and `send_at_local` by its own clock; null for no action."""
    rows = np.flatnonzero(choices.option)
    use_of = np.array([case.hours.uses[name] if name else -1 for name in choices.options.channels])
    use, day = use_of[choices.action[rows]], choices.options.day[choices.option[rows]]
    best = case.hours.share[rows, use].argmax(axis=1)
    utc, local = (np.full(len(choices.option), np.datetime64("NaT", "us")) for _ in range(2))
    utc[rows], local[rows] = case.hours.send_at(rows, use, np.where(day < 0, best, day))
    return {"send_at": pa.array(utc), "send_at_local": pa.array(local)}


def sent_decisions(connection: "duckdb.DuckDBPyConnection", round_id: str) -> pa.Table:
    """Return the round's decisions that reached their customers, with the time of sending; these do not change."""
    names = ", ".join(DECISIONS.names)
    rows = connection.sql(f"""
        SELECT {names} FROM (
            SELECT decided.* REPLACE (COALESCE(sent_at, made_at) AS sent_at) FROM decided
            JOIN (SELECT decision_id, MIN(made_at) AS made_at FROM contacted WHERE decision_id IS NOT NULL GROUP BY 1)
            USING (decision_id)
            WHERE round_id = '{round_id}')
        ORDER BY {", ".join(DECISIONS.order)}""")
    return rows.to_arrow_table().cast(DECISIONS.arrow())


def write_round(store: Store, round_id: str, decisions: pa.Table, why: pa.Table) -> list[Path]:
    """Return the files of a round's decisions and of their reasons; each is written atomically."""
    order = [(name, "ascending") for name in DECISIONS.order]
    files = {
        store.rounds / f"{round_id}.parquet": decisions.sort_by(order),
        store.rounds / REASONS_FOLDER / f"{round_id}.parquet": why,
    }
    for path, table in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.part")
        pq.write_table(table, partial, compression="zstd")
        partial.replace(path)
    return list(files)


def write_list(
    path: Path,
    decisions: pa.Table,
    why: pa.Table,
    key: str,
    keys: Mapping[str, str] | None,
    currency: str,
) -> int:
    """Return the number of customers on the list: those with an action, each with its time and reason.

    They are identified by `key`, in a column of this name, so that an erasure finds them: `customer_id`, or another
    type of identifier given by customer in `keys`; customers without one are left out and not counted.
    """
    rows = pc.indices_nonzero(pc.not_equal(decisions["action_id"], NONE))
    acted, reasons = decisions.take(rows), why.take(rows)
    keys_listed = acted["customer_id"].to_pylist()
    if keys is not None:
        keys_listed = [keys.get(customer) for customer in keys_listed]
    sentences = [reason_sentence(row, currency) for row in reasons.to_pylist()]
    table = pa.table(
        {
            key: pa.array(keys_listed, pa.string()),
            "action_id": acted["action_id"],
            "channel": acted["channel"],
            "send_at_local": pc.strftime(reasons["send_at_local"], format="%Y-%m-%d %H:%M"),
            "send_at_utc": pc.strftime(reasons["send_at"], format="%Y-%m-%dT%H:%MZ"),
            "decision_id": acted["decision_id"],
            "why": sentences,
        }
    )
    table = table.filter(table[key].is_valid())
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.part")
    pyarrow.csv.write_csv(table, partial)
    partial.replace(path)
    return int(table.num_rows)
