"""Everything a round is decided on: who is asked about, what may be done to whom, what it changes, and when."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sintonia.core.config import NONE, ActionConfig, DecideSettings
from sintonia.core.config.engagement import WorthRule
from sintonia.core.engine import connect
from sintonia.core.errors import ConfigError
from sintonia.core.memory import release
from sintonia.core.progress import log, step
from sintonia.data.store import Store
from sintonia.features.sql import Cells, evaluate
from sintonia.serving.decisions.choosing import Case
from sintonia.serving.decisions.contacts import complaining, open_tables
from sintonia.serving.decisions.effects import effects_matrix, read_effects
from sintonia.serving.decisions.eligibility import check, refuse_unknown
from sintonia.serving.decisions.facts import CustomersAtDate, marked, read_attribute, read_facts
from sintonia.serving.decisions.options import Factors
from sintonia.serving.decisions.refusals import Refusals, rule_names
from sintonia.serving.decisions.rounds import Round, live_decisions, sent_rows
from sintonia.serving.decisions.timing import Hours, Visiting, find_hours, read_visits, segments
from sintonia.uplift.effects_table import effects_table
from sintonia.uplift.model import PolicyModel

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Prepared:
    """What may be done to whom, the rows of who was reached already, and what is in flight.

    `effects` is the table they came from, for their intervals; of a proposal, which tells none, it has no rows.
    """

    refusals: Refusals
    case: Case
    sent: pa.Table
    live: pa.Array
    effects: pa.Table


def prepare(
    store: Store,
    settings: DecideSettings,
    one: Round,
    learned: PolicyModel | None,
    customers: pa.Array | None,
) -> Prepared:
    """Return everything a round of these customers, by default of all, is decided on.

    `learned` is the registered policy, None where the settings name a table of effects.
    """
    actions, engagement = settings.actions, settings.engagement
    with connect(settings.engine, store.rounds.parent) as connection:
        with step("Looking at contacts and consents"):
            open_tables(
                connection, store, one.decided_at, bool(engagement.contact_limits or engagement.pauses)
            )
            sent = sent_rows(connection, one.round_id)
            ids = _customers(connection, store, sent["customer_id"], customers)
        with step("Checking what may be done"):
            table, origin = _effects(store, learned, settings, one)
            effects = effects_matrix(table, ids, [NONE, *actions], origin)
            if customers is not None:
                table = table.schema.empty_table()
            release()
            known = CustomersAtDate(connection, ids, one.as_of, marked(ids, complaining(connection)))
            facts = read_facts(
                known, store, settings.features, rule_names(engagement.rules, engagement.value)
            )
            hours = _hours(known, store, settings, one)
            refusals = check(
                connection, actions, engagement.eligibility, engagement.contacts, ids, facts, one.decided_at
            )
            refuse_unknown(refusals, actions, effects, hours)
            live = live_decisions(connection, ids, one)
    value = _value(engagement.worth, facts, len(ids))
    factors = Factors.of(actions, engagement.factors, value, np.nan_to_num(effects))
    case = Case(ids, refusals.allowed, factors, hours, _counted(sent, actions))
    return Prepared(refusals, case, sent, live, table)


def _effects(
    store: Store, learned: PolicyModel | None, settings: DecideSettings, one: Round
) -> tuple[pa.Table, str]:
    """Return what actions change, from the table the settings name, else by the registered policy as of the round."""
    if learned is None:
        path = Path(str(settings.effects_table))
        return read_effects(path), f"'{path}'"
    if learned.observational:
        log.warning("The effects come from a log that was not randomised: what they say may be bias.")
    return effects_table(store, learned, one.as_of, settings.engine), "The registered policy"


def _customers(
    connection: "duckdb.DuckDBPyConnection",
    store: Store,
    sent: pa.ChunkedArray,
    some: pa.Array | None,
) -> pa.Array:
    """Return the customers to decide for, by id; the connection gets them as `customers`."""
    connection.register("reached", pa.table({"customer_id": sent}))
    connection.register("given", pa.table({"customer_id": some if some is not None else sent.slice(0, 0)}))
    path = str(store.paths.crosswalk).replace("'", "''")
    ids = connection.sql(f"""
        SELECT DISTINCT customer_id FROM read_parquet('{path}')
        {"" if some is None else "SEMI JOIN given USING (customer_id)"} ANTI JOIN reached USING (customer_id)
        WHERE unlinked_at IS NULL ORDER BY customer_id""").to_arrow_table()
    for name in ("reached", "given"):
        connection.unregister(name)
    connection.register("customers", ids)
    return ids["customer_id"].combine_chunks()


def _hours(known: CustomersAtDate, store: Store, settings: DecideSettings, one: Round) -> Hours:
    send, n = settings.engagement.send, len(known.ids)
    like = [read_attribute(known, name) for name in send.people_like]
    asked = Visiting(known.ids, one.decided_at, send.time_zone)
    clocks = read_visits(known.connection, store, asked, settings.engine.threads)
    channels = list(dict.fromkeys(action.channel for action in settings.actions.values()))
    return find_hours(clocks, segments(like, n), channels, send, one.decided_at)


def _value(worth: WorthRule, facts: Mapping[str, Cells], n_customers: int) -> NDArray[np.float64]:
    """Return what a unit of effect is worth for each customer; where it is not known, nothing."""
    found = evaluate(worth.value, facts.__getitem__, "value")
    if found.labels is not None:
        raise ConfigError(
            f"engagement.value={worth.value} gives a text; give a number, or an expression of numbers."
        )
    known = np.where(np.asarray(False) if found.missing is None else found.missing, 0, found.values)
    return np.broadcast_to(known, n_customers).astype(np.float64)


def _counted(sent: pa.Table, actions: Mapping[str, ActionConfig]) -> NDArray[np.int64]:
    """Return how often the round has sent each action already."""
    told = sent["action_id"].to_pylist()
    return np.array([told.count(action) for action in [NONE, *actions]], np.int64)
