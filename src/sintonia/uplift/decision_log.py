"""What comes of a decision, as SQL over the interactions in its window.

Decision points from the action log: who, when, what was done, with which probability, and what came of it.

Relational work, done by DuckDB over the store's files. A log of decisions is read as it is; without one, every send
that names an action is taken as a decision to send it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from sintonia.core.arrays import Bools, Floats, Ints, Texts, Times
from sintonia.core.config import EffectsConfig, RewardConfig
from sintonia.core.engine import fetch_row
from sintonia.core.errors import ConfigError, NotEnoughDataError
from sintonia.core.visibility import CURRENT, interactions_query
from sintonia.data.store import Store
from sintonia.uplift.logged import NONE

if TYPE_CHECKING:
    import duckdb


SPEND_KINDS = ("purchase", "return")
"""The kinds of interaction whose amounts are spend."""


def reward_kinds(config: RewardConfig) -> tuple[str, ...]:
    """Return the kinds of interaction a reward looks at."""
    return tuple(config.kinds) if config.name == "converted" else SPEND_KINDS


def reward_sql(config: RewardConfig) -> str:
    """Return the reward as SQL over a decision's events, in units of 1 or in euros."""
    if config.name == "converted":
        kinds = ", ".join(sql_literal(kind) for kind in config.kinds)
        expression = f"COALESCE(MAX(CASE WHEN event.kind IN ({kinds}) THEN 1 END), 0)"
    else:
        amount = "COALESCE(event.amount, 0)"
        if config.name == "margin":
            amount = f"{amount} - {1 - config.margin_share} * ({amount} + COALESCE(event.discount, 0))"
        kinds = ", ".join(sql_literal(kind) for kind in SPEND_KINDS)
        expression = f"COALESCE(SUM({amount}) FILTER (event.kind IN ({kinds})), 0) / 100.0"
    if config.cap is not None:
        expression = f"LEAST({expression}, {config.cap})"
    if config.own_discount:
        own = "event.kind = 'redeem' AND event.action_id = point.action_id"
        expression += f" - COALESCE(SUM(event.discount) FILTER ({own}), 0) / 100.0"
    return expression


def sql_literal(text: str) -> str:
    """Return a text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


@dataclass(frozen=True)
class DecisionLog:
    """Decision points whose reward is known, one row each, in the order of (customer_id, decided_at).

    `action` is an index of `names`, `none` first. `logging_propensities` are NaN where the log has none, and 0 where
    an action was not eligible; `cost` is NaN where it has none; `until` ends the reward, outside it.
    `orders` is the number of orders in the reward, None where it is not an amount.
    `open_decisions` were left out, for their reward is not known yet; `assumed` were added by `none_for_others`.
    """

    customer_id: Texts  # (n,)
    round_id: Texts  # (n,)
    decided_at: Times  # (n,)
    as_of: Times  # (n,)
    until: Times  # (n,)
    action: Ints  # (n,)
    channel: Texts  # (n,)
    cost: Floats  # (n,)
    reward: Floats  # (n,)
    orders: Ints | None  # (n,)
    logging_propensities: Floats  # (n, n_actions)
    names: tuple[str, ...]
    open_decisions: int
    assumed: int
    from_sends: bool

    @property
    def logged(self) -> Bools:
        """Which decisions the log gives propensities for.  # (n,)"""
        return np.asarray(~np.isnan(self.logging_propensities).any(axis=1), np.bool_)

    def take(self, rows: Bools | Ints) -> "DecisionLog":
        """Return the decisions of a mask or of these places."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        arrays = {name: value[rows] for name, value in values.items() if isinstance(value, np.ndarray)}
        return DecisionLog(**{**values, **arrays})

    def __len__(self) -> int:
        return len(self.action)


def most_recent_decisions(decisions: DecisionLog, most: int) -> DecisionLog:
    """Return the newest decisions, about so many of them: whole moments, as many as it takes.

    What moved customers lately counts, and ten times as many decisions cost ten times the time.
    """
    if len(decisions) <= most:
        return decisions
    return decisions.take(decisions.decided_at >= np.sort(decisions.decided_at)[-most])


def read_decision_log(
    connection: "duckdb.DuckDBPyConnection", store: Store, config: EffectsConfig
) -> DecisionLog:
    """Return the store's decision points whose reward window had closed when the data ended.

    Raises
    ------
    NotEnoughDataError
        When there is no log of actions, or no decision whose window has closed.
    ConfigError
        When neither the log nor the configuration says until when a reward counts.
    """
    from_sends = _load_logged(connection, store)
    if config.none_for_others:
        _add_assumed_none(connection, store)
    kinds = [kind for kind in reward_kinds(config.reward) if kind in store.kinds_from]
    _add_reward_windows(connection, config.reward)
    end = store.data_until(kinds)
    late = f"FROM timed WHERE until > TIMESTAMP '{end}'"
    (still_open,) = fetch_row(connection, f"SELECT COUNT(*) {late}")
    connection.execute(f"DELETE {late}")
    names = _action_names(connection)
    if len(names) < 2:
        raise NotEnoughDataError(
            f"None of the {still_open:,} decisions of '{store.source}' has a complete reward yet; "
            f"the data of {' and '.join(kinds)} end {end:%Y-%m-%d %H:%M}. Shorten effects.reward.horizon_days."
        )
    return _decision_log(
        connection, store, config.reward, names, still_open=int(still_open), from_sends=from_sends
    )


def _load_logged(connection: "duckdb.DuckDBPyConnection", store: Store) -> bool:
    """Fill `logged` with the decisions of the store, else with its sends; return whether they are sends.

    Of a round decided by a policy only the explorers' rows are read: the policy's choice was certain, and who is held
    out had no choice, so nothing can be learned from them of what another action would have brought.
    """
    columns = """decision_id, round_id, customer_id, decided_at, as_of, eligible_actions, logging_propensities,
                 COALESCE(action_id, 'none') AS action_id, channel, cost, reward_until, false AS assumed"""
    decisions, sends = sql_literal(str(store.paths.decisions)), _interactions(store)
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE logged AS SELECT {columns} FROM read_parquet({decisions})
            WHERE COALESCE(arm, 'explore') = 'explore'"""
    )
    if fetch_row(connection, "SELECT COUNT(*) FROM logged")[0]:
        return False
    connection.execute(f"""
        INSERT INTO logged BY NAME
        SELECT interaction_id AS decision_id, COALESCE(thread_id, action_id) AS round_id, customer_id,
               occurred_at AS decided_at, action_id, channel, false AS assumed
        FROM ({sends}) WHERE kind = 'send' AND action_id IS NOT NULL AND opens_thread AND {CURRENT}""")
    if not fetch_row(connection, "SELECT COUNT(*) FROM logged")[0]:
        raise NotEnoughDataError(
            f"The store of '{store.source}' has no decisions and no sends that name an action: "
            "no effect can be learned. Map the action log under `decisions`, including decisions to do nothing."
        )
    return True


def _add_assumed_none(connection: "duckdb.DuckDBPyConnection", store: Store) -> None:
    """Add, for every round, `none` for the customers who were known by then and are not in its log."""
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE seen AS
        SELECT customer_id, MIN(GREATEST(occurred_at, known_at)) AS seen_at
        FROM ({_interactions(store)}) WHERE customer_id NOT IN (SELECT former FROM ({_merges(store)})) GROUP BY 1""")
    connection.execute("""
        INSERT INTO logged BY NAME
        SELECT rounds.round_id || ':' || seen.customer_id AS decision_id, rounds.round_id, seen.customer_id,
               rounds.decided_at, 'none' AS action_id, 0 AS cost, rounds.reward_until, true AS assumed
        FROM (SELECT round_id, MIN(decided_at) AS decided_at, MIN(reward_until) AS reward_until
              FROM logged GROUP BY 1) AS rounds
        JOIN seen ON seen.seen_at < rounds.decided_at
        ANTI JOIN logged ON logged.round_id = rounds.round_id AND logged.customer_id = seen.customer_id""")


def _add_reward_windows(connection: "duckdb.DuckDBPyConnection", config: RewardConfig) -> None:
    span = timedelta(days=config.horizon_days, hours=config.horizon_hours)
    until = f"decided_at + INTERVAL {int(span.total_seconds())} SECOND" if span else "reward_until"
    connection.execute(f"CREATE OR REPLACE TEMP TABLE timed AS SELECT *, {until} AS until FROM logged")
    if fetch_row(connection, "SELECT COUNT(*) FROM timed WHERE until IS NULL")[0]:
        raise ConfigError(
            "The action log has no end of the reward window; give effects.reward.horizon_days=... "
            "or effects.reward.horizon_hours=..."
        )


def _action_names(connection: "duckdb.DuckDBPyConnection") -> tuple[str, ...]:
    query = "SELECT DISTINCT action_id FROM timed UNION SELECT DISTINCT UNNEST(eligible_actions) FROM timed"
    names = {name for (name,) in connection.execute(query).fetchall()}
    return (NONE, *sorted(names - {NONE, None}))


def _decision_log(
    connection: "duckdb.DuckDBPyConnection",
    store: Store,
    config: RewardConfig,
    names: Sequence[str],
    *,
    still_open: int,
    from_sends: bool,
) -> DecisionLog:
    logged = "".join(
        f", COALESCE(logging_propensities[LIST_POSITION(eligible_actions, {sql_literal(name)})], "
        f"CASE WHEN logging_propensities IS NOT NULL THEN 0 END) AS p{index}"
        for index, name in enumerate(names)
    )
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE numbered AS SELECT *, ROW_NUMBER() OVER () AS number FROM timed"
    )
    table = connection.sql(f"""
        WITH rewards AS (
            SELECT point.number, {reward_sql(config)} AS reward,
                   COUNT(*) FILTER (event.kind = 'purchase' AND event.opens_thread) AS orders
            FROM numbered AS point LEFT JOIN
                 (SELECT events.*, COALESCE(belongs_to, customer_id) AS person_id
                  FROM ({_interactions(store)}) AS events LEFT JOIN ({_merges(store)}) ON customer_id = former
                  WHERE {CURRENT}) AS event
                 ON event.person_id = point.customer_id
                    AND event.occurred_at >= point.decided_at AND event.occurred_at < point.until
            GROUP BY point.number)
        SELECT customer_id, COALESCE(round_id, '') AS round_id, decided_at, as_of, until, action_id, channel,
               assumed, cost / 100.0 AS cost, CAST(reward AS DOUBLE) AS reward, orders{logged}
        FROM numbered JOIN rewards USING (number) ORDER BY customer_id, decided_at, decision_id""").to_arrow_table()
    columns = {name: table[name].to_numpy(zero_copy_only=False) for name in table.column_names}
    index_of = {name: index for index, name in enumerate(names)}
    return DecisionLog(
        customer_id=columns["customer_id"],
        round_id=columns["round_id"],
        decided_at=columns["decided_at"].astype("datetime64[us]"),
        as_of=columns["as_of"].astype("datetime64[us]"),
        until=columns["until"].astype("datetime64[us]"),
        action=np.array([index_of[name] for name in columns["action_id"]], np.int64),
        channel=columns["channel"],
        cost=columns["cost"].astype(np.float64),
        reward=columns["reward"].astype(np.float64),
        orders=None if config.name == "converted" else columns["orders"],
        logging_propensities=np.column_stack(
            [columns[f"p{index}"].astype(np.float64) for index in range(len(names))]
        ),
        names=tuple(names),
        open_decisions=still_open,
        assumed=int(columns["assumed"].sum()),
        from_sends=from_sends,
    )


def _interactions(store: Store) -> str:
    return interactions_query([store.paths.interactions / "*.parquet"])


def _merges(store: Store) -> str:
    """Return who stopped being a customer, and whom they belong to now."""
    path = sql_literal(str(store.paths.merges))
    return f"SELECT customer_id AS former, merged_into AS belongs_to FROM read_parquet({path})"
