"""A round decided on a store: who may have what, what it is worth, who gets it, when and why, all written down."""

import json
import logging
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sintonia.config import DecideSettings, EngagementConfig, iso_time
from sintonia.config.engagement import NONE
from sintonia.decision.checking import check, refuse_unknown
from sintonia.decision.choosing import Case, Chosen, choose
from sintonia.decision.contacts import complaining, open_tables
from sintonia.decision.effects import effects_matrix, read_effects
from sintonia.decision.facts import Known, marked, read_attribute, read_facts
from sintonia.decision.options import Factors
from sintonia.decision.refusals import Refusals, rule_names
from sintonia.decision.rounds import (
    Round,
    decisions_table,
    live_decisions,
    send_times,
    sent_rows,
    write_list,
    write_round,
)
from sintonia.decision.timing import Hours, find_hours, read_visits, segments
from sintonia.decision.why import sentence, why_table
from sintonia.engine import connect
from sintonia.errors import ConfigError, unknown
from sintonia.features.cells import Cells
from sintonia.features.expressions import evaluate
from sintonia.interactions import Store
from sintonia.progress import step
from sintonia.registry import Registered, find_policy, tracking
from sintonia.schema import KINDS
from sintonia.timeline import midnight
from sintonia.uplift.saved import PolicyModel
from sintonia.uplift.table import effects_table

if TYPE_CHECKING:
    import duckdb


CUSTOMER = "customer_id"

log = logging.getLogger("sintonia")


@dataclass(frozen=True)
class Decided:
    """A round that was decided: what was refused and chosen, and the files: decisions, reasons, the list.

    `kept` rows were reached by the round before, `listed` is how many customers the list names.
    """

    round: Round
    policy: EngagementConfig
    refusals: Refusals
    chosen: Chosen
    kept: int
    listed: int
    files: tuple[Path, Path, Path]


@dataclass(frozen=True)
class _Prepared:
    """Who is decided for, what may be done to whom, the rows of who was reached already, and what is in flight."""

    ids: pa.Array
    refusals: Refusals
    case: Case
    sent: pa.Table
    live: pa.Array


def decide_round(store: Store, settings: DecideSettings) -> Decided:
    """Return the round decided on the store's customers and written to the workspace.

    Who was reached by the round's messages already stays as decided; all others are decided anew. The order of the
    effects' rows, threads, memory and buckets change nothing.
    """
    found = _decide(store, settings)
    one, prepared, chosen = found.round, found.prepared, found.chosen
    keys = _keys(store, settings.key)
    with step("Writing the round"):
        decisions, why = found.tables()
        files = write_round(store, one.round_id, pa.concat_tables([decisions, prepared.sent]), why)
        path = Path(settings.out) if settings.out else store.rounds / f"{one.round_id}.csv"
        listed = write_list(path, decisions, why, settings.key or CUSTOMER, keys)
    return Decided(
        round=one,
        policy=settings.engagement,
        refusals=prepared.refusals,
        chosen=chosen,
        kept=len(prepared.sent),
        listed=listed,
        files=(files[0], files[1], path),
    )


def propose(store: Store, settings: DecideSettings, customers: Collection[str]) -> pa.Table:
    """Return what a round of these customers alone would decide; nothing is written, and nobody is contacted.

    One row a customer: customer_id, action_id ('none': nothing is done), channel, send_at (UTC), send_at_local, effect
    of the action against doing nothing, runner_up (null where nothing was weighed), arm, assignment_probability (that
    of its action within the arm) and why. Who is held out stays held out, whoever else is asked about; budget and
    capacities are those of a whole round.
    """
    decisions, why = _decide(store, settings, frozenset(customers)).tables()
    places = pc.list_value_length(decisions["eligible_actions"]).to_numpy()
    whose = np.repeat(np.arange(len(decisions)), places)
    taken = pc.equal(
        pc.list_flatten(decisions["eligible_actions"]), decisions["action_id"].take(pa.array(whose))
    ).to_numpy(zero_copy_only=False)
    probability = np.zeros(len(decisions))
    probability[whose[taken]] = pc.list_flatten(decisions["logging_propensities"]).to_numpy()[taken]
    done = pc.not_equal(decisions["action_id"], NONE)
    texts = [
        sentence(row) if sent else "" for row, sent in zip(why.to_pylist(), done.to_pylist(), strict=True)
    ]
    return pa.table(
        {
            **{name: decisions[name] for name in ("customer_id", "action_id", "channel")},
            **{name: why[name] for name in ("send_at", "send_at_local", "effect", "runner_up")},
            "arm": decisions["arm"],
            "assignment_probability": probability,
            "why": pa.array(texts, pa.string()),
        }
    )


@dataclass(frozen=True)
class _Found:
    """A round as it was decided, before anything is written."""

    round: Round
    prepared: _Prepared
    chosen: Chosen

    def tables(self) -> tuple[pa.Table, pa.Table]:
        """Return the decisions in the columns of the contract, and why they were taken with when to send."""
        prepared, chosen = self.prepared, self.chosen
        decisions = decisions_table(self.round, prepared.case, chosen, prepared.ids, prepared.live)
        why = why_table(prepared.case, chosen, prepared.refusals, prepared.ids)
        why = why.append_column("decision_id", decisions["decision_id"])
        for name, times in send_times(chosen, prepared.case).items():
            why = why.append_column(name, times)
        return decisions, why


def _decide(store: Store, settings: DecideSettings, customers: Collection[str] | None = None) -> _Found:
    """Return the round decided for these customers, by default for all of the store's."""
    learned = None if settings.effects else find_policy(tracking(settings.tracking, store.rounds.parent))
    origin = Path(settings.effects).name if settings.effects else _named(learned)
    one = round_of(store, settings, origin)
    prepared = _prepare(store, settings, one, None if learned is None else learned[0], customers)
    with step("Deciding"):
        return _Found(
            one, prepared, choose(prepared.case, settings.engagement, one.round_id, settings.engine.threads)
        )


def _named(learned: tuple[PolicyModel, Registered] | None) -> str:
    return "" if learned is None else f"{learned[1].name} v{learned[1].version}"


def _effects(
    store: Store, learned: PolicyModel | None, settings: DecideSettings, ids: pa.Array, one: Round
) -> NDArray[np.float32]:
    """Return what actions change, from the table the settings name, else by the registered policy as of the round."""
    actions = [NONE, *settings.engagement.actions]
    if learned is None:
        path = Path(str(settings.effects))
        return effects_matrix(read_effects(path), ids, actions, f"'{path}'")
    if learned.observational:
        log.warning("The effects come from a log that was not randomised: what they say may be bias.")
    table = effects_table(store, learned, one.as_of, settings.engine)
    return effects_matrix(table, ids, actions, "The registered policy")


def _prepare(
    store: Store,
    settings: DecideSettings,
    one: Round,
    learned: PolicyModel | None,
    customers: Collection[str] | None,
) -> _Prepared:
    policy = settings.engagement
    with connect(settings.engine, store.rounds.parent) as connection:
        with step("Looking at contacts and consents"):
            open_tables(connection, store, one.decided_at)
            sent = sent_rows(connection, one.round_id)
            ids = _customers(connection, store, sent["customer_id"], customers)
        with step("Checking what may be done"):
            effects = _effects(store, learned, settings, ids, one)
            known = Known(connection, ids, one.as_of, marked(ids, complaining(connection)))
            facts = read_facts(known, store, settings.features, rule_names(policy.rules, policy.value))
            hours = _hours(known, policy, one)
            refusals = check(connection, policy, ids, facts, one.decided_at)
            refuse_unknown(refusals, policy, effects, hours)
            live = live_decisions(connection, ids, one)
    factors = Factors.of(policy, _value(policy, facts, len(ids)), np.nan_to_num(effects))
    case = Case(ids.to_pylist(), refusals.allowed, factors, hours, _counted(sent, policy))
    return _Prepared(ids, refusals, case, sent, live)


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
    written = json.dumps([asdict(settings.engagement), origin], sort_keys=True)
    version = f"{settings.engagement.name}-{sha256(written.encode()).hexdigest()[:8]}"
    return Round(name, decided_at, as_of, version, settings.engagement.reward_days)


def _customers(
    connection: "duckdb.DuckDBPyConnection",
    store: Store,
    sent: pa.ChunkedArray,
    some: Collection[str] | None,
) -> pa.Array:
    """Return the customers to decide for, by id; the connection gets them as `customers`, with their place."""
    asked = store.customer_ids() if some is None else store.customer_ids() & set(some)
    left = sorted(asked - set(sent.to_pylist()))
    ids = pa.array(left, pa.string())
    table = pa.table({"customer_id": ids, "place": np.arange(len(ids))})
    connection.register("given", table)
    connection.execute("CREATE TEMP TABLE customers AS FROM given")
    connection.unregister("given")
    return ids


def _hours(known: Known, policy: EngagementConfig, one: Round) -> Hours:
    send, n = policy.send, len(known.ids)
    like = [read_attribute(known, name) for name in send.people_like]
    clocks = read_visits(known.connection, send.time_zone, n)
    channels = list(dict.fromkeys(action.channel for action in policy.actions.values()))
    return find_hours(clocks, segments(like, n), channels, send, one.decided_at)


def _value(policy: EngagementConfig, facts: Mapping[str, Cells], n_customers: int) -> NDArray[np.float64]:
    """Return what a unit of effect is worth for each customer in euro; where it is not known, nothing."""
    found = evaluate(policy.value, facts.__getitem__, "value")
    if found.labels is not None:
        raise ConfigError(
            f"engagement.value={policy.value} gives a text; give a number, or an expression of numbers."
        )
    known = np.where(np.asarray(False) if found.missing is None else found.missing, 0, found.values)
    return np.broadcast_to(known, n_customers).astype(np.float64)


def _counted(sent: pa.Table, policy: EngagementConfig) -> NDArray[np.int64]:
    """Return how often the round has sent each action already."""
    told = sent["action_id"].to_pylist()
    return np.array([told.count(action) for action in [NONE, *policy.actions]], np.int64)


def _keys(store: Store, key: str | None) -> dict[str, str] | None:
    """Return by customer its identifier of a type, the first of several in their own order; None for customer_id."""
    if key in (None, CUSTOMER):
        return None
    if key not in store.key_types():
        raise unknown("key", str(key), [CUSTOMER, *store.key_types()])
    known = store.read_crosswalk(str(key)).sort_by([("source_key", "descending")])
    return dict(zip(known["customer_id"].to_pylist(), known["source_key"].to_pylist(), strict=True))
