"""A round decided on a store: inputs prepared, choices made, decisions and reasons written."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sintonia.core.config import NONE, ActionConfig, DecideSettings, EngagementConfig
from sintonia.core.config.engagement import WorthRule
from sintonia.core.engine import connect
from sintonia.core.errors import ConfigError, unknown
from sintonia.core.memory import release
from sintonia.core.progress import log, step
from sintonia.data.store import Store
from sintonia.features.sql import Cells, evaluate
from sintonia.registry.models import find_model
from sintonia.registry.tracking import Registered, open_tracking
from sintonia.serving.decisions.arms import ARMS
from sintonia.serving.decisions.choosing import Choices, DecisionCase, Factors, choose
from sintonia.serving.decisions.contacts import open_complaints, open_tables
from sintonia.serving.decisions.effects import effect_intervals, effects_matrix, read_effects
from sintonia.serving.decisions.eligibility import Refusals, check_eligibility, names_in_rules, refuse_unknown
from sintonia.serving.decisions.explanations import why_table
from sintonia.serving.decisions.facts import CustomersAtDate, is_among, read_attribute, read_facts
from sintonia.serving.decisions.rounds import (
    RoundSpec,
    channels_of,
    decisions_table,
    live_decisions,
    round_spec,
    send_times,
    sent_decisions,
    write_list,
    write_round,
)
from sintonia.serving.decisions.timing import (
    SendHours,
    VisitRequest,
    find_send_hours,
    read_visits,
    segment_codes,
)
from sintonia.training.tasks import NEXT_BEST_ACTION
from sintonia.uplift.effects_table import effects_table
from sintonia.uplift.model import PolicyModel

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class PreparedRound:
    """The inputs of a round, the decisions already sent, and those still in their reward period.

    `effects` is the table of effects, for their intervals; empty for a proposal, which has none.
    """

    refusals: Refusals
    case: DecisionCase
    sent: pa.Table
    live: pa.Array
    effects: pa.Table


def prepare_round(
    store: Store,
    settings: DecideSettings,
    spec: RoundSpec,
    policy: PolicyModel | None,
    customers: pa.Array | None,
) -> PreparedRound:
    """Return the inputs of a round of these customers, by default of all.

    `policy` is the registered policy, None if the settings name a table of effects.
    """
    actions, engagement = settings.actions, settings.engagement
    with connect(settings.engine, store.rounds.parent) as connection:
        with step("Reading contacts and consents"):
            open_tables(
                connection, store, spec.decided_at, bool(engagement.contact_limits or engagement.pauses)
            )
            sent = sent_decisions(connection, spec.round_id)
            ids = _register_customers(connection, store, sent["customer_id"], customers)
        with step("Checking eligibility"):
            table, origin = _load_effects(store, policy, settings, spec)
            effects = effects_matrix(table, ids, [NONE, *actions], origin)
            if customers is not None:
                table = table.schema.empty_table()
            release()
            customers_at_date = CustomersAtDate(
                connection, ids, spec.as_of, is_among(ids, open_complaints(connection))
            )
            facts = read_facts(
                customers_at_date,
                store,
                settings.features,
                names_in_rules(engagement.rules, engagement.value),
            )
            hours = _best_hours(customers_at_date, store, settings, spec)
            refusals = check_eligibility(
                connection, actions, engagement.eligibility, engagement.contacts, ids, facts, spec.decided_at
            )
            refuse_unknown(refusals, actions, effects, hours)
            live = live_decisions(connection, ids, spec)
    value = _value_of_effect(engagement.worth, facts, len(ids))
    factors = Factors.of(actions, engagement.factors, value, np.nan_to_num(effects))
    case = DecisionCase(ids, refusals.allowed, factors, hours, _count_sent(sent, actions))
    return PreparedRound(refusals, case, sent, live, table)


def _load_effects(
    store: Store, policy: PolicyModel | None, settings: DecideSettings, spec: RoundSpec
) -> tuple[pa.Table, str]:
    """Return the effects, from the table in the settings or else by the registered policy, and their origin."""
    if policy is None:
        path = Path(str(settings.effects_table))
        return read_effects(path), f"'{path}'"
    if policy.observational:
        log.warning("The effects were learned from a log that was not randomised: they may be biased.")
    return effects_table(store, policy, spec.as_of, settings.engine), "The registered policy"


def _register_customers(
    connection: "duckdb.DuckDBPyConnection",
    store: Store,
    sent: pa.ChunkedArray,
    subset: pa.Array | None,
) -> pa.Array:
    """Return the customers to decide for, by id; the connection gets them as `customers`."""
    connection.register("reached", pa.table({"customer_id": sent}))
    connection.register(
        "requested", pa.table({"customer_id": subset if subset is not None else sent.slice(0, 0)})
    )
    path = str(store.paths.crosswalk).replace("'", "''")
    ids = connection.sql(f"""
        SELECT DISTINCT customer_id FROM read_parquet('{path}')
        {"" if subset is None else "SEMI JOIN requested USING (customer_id)"} ANTI JOIN reached USING (customer_id)
        WHERE unlinked_at IS NULL ORDER BY customer_id""").to_arrow_table()
    for name in ("reached", "requested"):
        connection.unregister(name)
    connection.register("customers", ids)
    return ids["customer_id"].combine_chunks()


def _best_hours(
    customers: CustomersAtDate, store: Store, settings: DecideSettings, spec: RoundSpec
) -> SendHours:
    """Return the best hours of the customers on each channel."""
    send, n = settings.engagement.send, len(customers.ids)
    similar_by = [read_attribute(customers, name) for name in send.people_like]
    request = VisitRequest(customers.ids, spec.decided_at, send.time_zone)
    clocks = read_visits(customers.connection, store, request, settings.engine.threads)
    channels = list(dict.fromkeys(action.channel for action in settings.actions.values()))
    return find_send_hours(clocks, segment_codes(similar_by, n), channels, send, spec.decided_at)


def _value_of_effect(worth: WorthRule, facts: Mapping[str, Cells], n_customers: int) -> NDArray[np.float64]:
    """Return the value of a unit of effect for each customer, 0 where it is unknown."""
    result = evaluate(worth.value, facts.__getitem__, "value")
    if result.labels is not None:
        raise ConfigError(
            f"engagement.value={worth.value} gives a text; give a number, or an expression of numbers."
        )
    values = np.where(np.asarray(False) if result.missing is None else result.missing, 0, result.values)
    return np.broadcast_to(values, n_customers).astype(np.float64)


def _count_sent(sent: pa.Table, actions: Mapping[str, ActionConfig]) -> NDArray[np.int64]:
    """Return how often the round has sent each action already."""
    sent_actions = sent["action_id"].to_pylist()
    return np.array([sent_actions.count(action) for action in [NONE, *actions]], np.int64)


CUSTOMER_ID = "customer_id"
CUSTOMERS_PER_TABLE = 1 << 16
"""Customers whose proposals are spelt out at a time: what is known of each is a few numbers."""


@dataclass(frozen=True)
class RoundResult:
    """A decided round: refusals and choices, and its files: decisions, reasons, list.

    `kept` is the number of decisions already sent, `listed` that of customers on the list.
    """

    round: RoundSpec
    actions: Mapping[str, ActionConfig]
    engagement: EngagementConfig
    refusals: Refusals
    chosen: Choices
    kept: int
    listed: int
    files: tuple[Path, Path, Path]
    currency: str = "EUR"


def decide_round(store: Store, settings: DecideSettings) -> RoundResult:
    """Return the round decided for the store's customers and written to the workspace.

    Decisions already sent are unchanged; all other customers are decided anew. The result does not depend on the order
    of the effects' rows, threads, memory or buckets.
    """
    draft = _draft_round(store, settings)
    spec, prepared, choices = draft.round, draft.prepared, draft.chosen
    keys = _customer_keys(store, settings.key)
    with step("Writing the round"):
        decisions, why = draft.tables()
        files = write_round(store, spec.round_id, pa.concat_tables([decisions, prepared.sent]), why)
        path = Path(settings.out) if settings.out else store.rounds / f"{spec.round_id}.csv"
        listed = write_list(path, decisions, why, settings.key or CUSTOMER_ID, keys, store.currency)
    return RoundResult(
        round=spec,
        actions=settings.actions,
        engagement=settings.engagement,
        refusals=prepared.refusals,
        chosen=choices,
        kept=len(prepared.sent),
        listed=listed,
        files=(files[0], files[1], path),
        currency=store.currency,
    )


def propose(store: Store, settings: DecideSettings, customers: pa.Array) -> Iterator[pa.Table]:
    """Yield, in blocks of customers, what a round of only these would decide; nothing is written or sent.

    One row a customer, by id: customer_id, action_id ('none': nothing is done), channel, send_at_local, effect of the
    action against doing nothing, runner_up and its margin (null where nothing was compared), worth, arm and
    assignment_probability (that of the action within the arm). The holdout is that of every round; budget and
    capacities are those of a full round, so all customers are decided on together and scarce contacts go where they are
    worth the most.
    """
    draft = _draft_round(store, settings, customers)
    for first in range(0, max(len(draft.prepared.case.ids), 1), CUSTOMERS_PER_TABLE):
        yield draft.proposed(slice(first, first + CUSTOMERS_PER_TABLE))


@dataclass(frozen=True)
class _RoundDraft:
    """A decided round before it is written."""

    round: RoundSpec
    prepared: PreparedRound
    chosen: Choices

    def tables(self) -> tuple[pa.Table, pa.Table]:
        """Return the decisions with the columns of the contract, and their reasons with the send times."""
        prepared, choices, case = self.prepared, self.chosen, self.prepared.case
        decisions = decisions_table(self.round, case, choices, prepared.live)
        why = why_table(case, choices, prepared.refusals)
        why = why.append_column("decision_id", decisions["decision_id"])
        bounds = effect_intervals(prepared.effects, case.ids, choices.action, choices.options.actions)
        for name, bound in bounds.items():
            why = why.append_column(name, bound)
        for name, times in send_times(choices, case).items():
            why = why.append_column(name, times)
        return decisions, why

    def proposed(self, rows: slice) -> pa.Table:
        """Return the proposals to consecutive customers."""
        case, choices = self.prepared.case.part(rows), self.chosen.part(rows)
        why = why_table(case, choices, self.prepared.refusals.part(rows))
        names = ("customer_id", "action_id", "effect", "runner_up", "margin", "worth")
        return pa.table(
            {
                **{name: why[name] for name in names},
                "channel": channels_of(choices),
                "send_at_local": send_times(choices, case)["send_at_local"],
                "arm": pa.array(ARMS).take(pa.array(choices.arm)),
                "assignment_probability": choices.propensities[np.arange(len(case.ids)), choices.action],
            }
        )


def _draft_round(store: Store, settings: DecideSettings, customers: pa.Array | None = None) -> _RoundDraft:
    """Return the round decided for these customers, by default for all of the store's."""
    registry = open_tracking(settings.tracking, store.rounds.parent)
    registered = None if settings.effects_table else find_model(registry, NEXT_BEST_ACTION, PolicyModel)
    origin = Path(settings.effects_table).name if settings.effects_table else _model_version(registered)
    spec = round_spec(store, settings, origin)
    prepared = prepare_round(store, settings, spec, None if registered is None else registered[0], customers)
    with step("Deciding"):
        choices = choose(
            prepared.case, settings.actions, settings.engagement, spec.round_id, settings.engine.threads
        )
        return _RoundDraft(spec, prepared, choices)


def _model_version(registered: tuple[PolicyModel, Registered] | None) -> str:
    """Return the name and version of the registered policy, empty without one."""
    return "" if registered is None else f"{registered[1].name} v{registered[1].version}"


def _customer_keys(store: Store, key: str | None) -> dict[str, str] | None:
    """Return each customer's identifier of a type, the first of several in order; None for customer_id."""
    if key in (None, CUSTOMER_ID):
        return None
    if key not in store.key_types():
        raise unknown("key", str(key), [CUSTOMER_ID, *store.key_types()])
    crosswalk = store.read_crosswalk(str(key)).sort_by([("source_key", "descending")])
    return dict(zip(crosswalk["customer_id"].to_pylist(), crosswalk["source_key"].to_pylist(), strict=True))
