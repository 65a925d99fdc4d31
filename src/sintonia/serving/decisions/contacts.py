"""Past contacts: limits on their number, pauses after unanswered messages, open complaints.

A planned decision is not a contact; only a sent one is, as a `send` among the interactions or by a decision's
`sent_at`, and each decision counts once. Only what happened and was known strictly before the decision is used.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from sintonia.core.config import ContactLimitConfig, PauseConfig
from sintonia.core.schema import DECISIONS
from sintonia.core.visibility import interactions_query, visible_at
from sintonia.data.store import Store

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


def open_tables(
    connection: "duckdb.DuckDBPyConnection", store: Store, decided_at: datetime, materialise: bool = True
) -> None:
    """Create the tables visible before the decision: `seen`, `attributes`, `merges`, `decided`, `contacted`.

    `seen` are interactions; `decided` the store's decisions and the workspace's rounds, each once, with today's
    customers; `contacted` has one row a contact: customer_id, channel, made_at, thread, decision_id. It is a table with
    `materialise`, else a view, because it needs more memory than anything else about a customer.
    """
    before = f"< TIMESTAMP '{decided_at}'"
    for name in ("attributes", "merges"):
        connection.read_parquet(str(store.paths.table(name))).create_view(name)
    connection.sql(interactions_query(store.buckets)).create_view("interactions")
    connection.execute(f"""
        CREATE TEMP VIEW seen AS SELECT * FROM interactions ANTI JOIN merges USING (customer_id)
        WHERE {visible_at(f"TIMESTAMP '{decided_at}'", strictly_before=True)}""")
    _create_decided(connection, store)
    connection.execute(f"""
        CREATE TEMP {"TABLE" if materialise else "VIEW"} contacted AS
        WITH sends AS NOT MATERIALIZED (
            SELECT customer_id, channel, occurred_at AS made_at,
                   COALESCE(thread_id, interaction_id) AS thread, decision_id
            FROM seen WHERE kind = 'send'
        ), logged AS (
            SELECT customer_id, channel, sent_at AS made_at, decision_id AS thread, decision_id
            FROM decided ANTI JOIN sends USING (decision_id) WHERE sent_at {before}
        )
        FROM sends UNION ALL FROM logged""")


def _create_decided(connection: "duckdb.DuckDBPyConnection", store: Store) -> None:
    """Create `decided`; for a decision of ours, the row of a silo (that it was sent) replaces the planned one."""
    columns = ", ".join(f"{column.name} {column.sql_type}" for column in DECISIONS.columns)
    connection.execute(f"CREATE TEMP TABLE recorded ({columns})")
    files = [store.paths.decisions, *store.workspace.round_files()]
    for path in files:
        connection.read_parquet(str(path)).insert_into("recorded")
    names = ", ".join(DECISIONS.names)
    connection.execute(f"""
        CREATE TEMP TABLE decided AS SELECT {names} FROM (
            SELECT recorded.* REPLACE (COALESCE(merged_into, customer_id) AS customer_id)
            FROM recorded LEFT JOIN merges USING (customer_id))
        QUALIFY ROW_NUMBER() OVER (PARTITION BY decision_id ORDER BY sent_at IS NULL, sent_at) = 1""")


def over_limit(
    connection: "duckdb.DuckDBPyConnection", limit: ContactLimitConfig, decided_at: datetime, zone: str
) -> "pa.Array":
    """Return the customers with as many contacts in the limit's period, (begin, decided_at), as it allows."""
    begin = period_begin(limit, decided_at, zone)
    channel = _channel_condition(limit.channel)
    everybody = "SELECT customer_id FROM customers" if limit.at_most == 0 else None
    return _customer_ids(
        connection,
        everybody
        or f"""SELECT customer_id FROM contacted WHERE made_at > TIMESTAMP '{begin}' AND {channel}
               GROUP BY customer_id HAVING COUNT(*) >= {limit.at_most}""",
    )


def period_begin(limit: ContactLimitConfig, decided_at: datetime, zone: str) -> datetime:
    """Return the begin of the limit's period: rolling days ago, or that of the calendar day, week (Monday) or month.

    Examples
    --------
    >>> noon = datetime(2026, 7, 1, 12)
    >>> period_begin(ContactLimitConfig(rolling_days=7), noon, "Europe/Rome")
    datetime.datetime(2026, 6, 24, 12, 0)
    >>> period_begin(ContactLimitConfig(calendar="week"), noon, "Europe/Rome")
    datetime.datetime(2026, 6, 28, 21, 59, 59, 999999)
    """
    if limit.rolling_days is not None:
        return decided_at - timedelta(days=limit.rolling_days)
    local = decided_at.replace(tzinfo=UTC).astimezone(ZoneInfo(zone))
    days_back = {"day": 0, "week": local.weekday(), "month": local.day - 1}[str(limit.calendar)]
    midnight = (local - timedelta(days=days_back)).replace(hour=0, minute=0, second=0, microsecond=0)
    # A contact at midnight belongs to the new period, whose begin is exclusive.
    return midnight.astimezone(UTC).replace(tzinfo=None) - timedelta(microseconds=1)


def paused(connection: "duckdb.DuckDBPyConnection", pause: PauseConfig, decided_at: datetime) -> "pa.Array":
    """Return the customers whose last messages, as many as the pause requires, all remained unanswered.

    The pause begins when the last of them counts as a refusal, and ends `days` later.
    """
    now, answers = f"TIMESTAMP '{decided_at}'", _sql_list(pause.answers)
    grace_period = f"INTERVAL {pause.unanswered_days} DAY"
    return _customer_ids(
        connection,
        f"""
        WITH answers AS (
            SELECT customer_id, UNNEST([COALESCE(thread_id, interaction_id), decision_id]) AS thread, occurred_at
            FROM seen WHERE kind IN ({answers})
        ), answered AS (
            SELECT customer_id, thread, MAX(occurred_at) AS last FROM answers WHERE thread IS NOT NULL GROUP BY ALL
        ), numbered AS (
            SELECT contacted.customer_id, made_at,
                   COALESCE(by_thread.last >= made_at, false)
                   OR COALESCE(by_decision.last >= made_at, false) AS answered,
                   ROW_NUMBER() OVER (
                       PARTITION BY contacted.customer_id ORDER BY made_at DESC, contacted.thread) AS recency
            FROM contacted
            LEFT JOIN answered AS by_thread
              ON contacted.customer_id = by_thread.customer_id AND contacted.thread = by_thread.thread
            LEFT JOIN answered AS by_decision
              ON contacted.customer_id = by_decision.customer_id AND contacted.decision_id = by_decision.thread
            WHERE made_at + {grace_period} <= {now} AND {_channel_condition(pause.channel)}
        )
        SELECT customer_id FROM numbered WHERE recency <= {pause.after_refusals} GROUP BY customer_id
        HAVING COUNT(*) = {pause.after_refusals} AND NOT BOOL_OR(answered)
           AND MAX(made_at) + {grace_period} + INTERVAL {pause.days} DAY > {now}""",
    )


def open_complaints(connection: "duckdb.DuckDBPyConnection") -> "pa.Array":
    """Return the customers with a complaint whose case is not resolved."""
    case = "customer_id, COALESCE(thread_id, interaction_id) AS thread"
    return _customer_ids(
        connection,
        f"""SELECT DISTINCT customer_id FROM (
            SELECT {case}, MAX(occurred_at) AS last FROM seen WHERE kind = 'complaint' GROUP BY ALL
        ) AS opened ANTI JOIN (
            SELECT {case}, MAX(occurred_at) AS last FROM seen WHERE kind = 'resolve' GROUP BY ALL
        ) AS closed ON opened.customer_id = closed.customer_id AND opened.thread = closed.thread
                   AND closed.last >= opened.last""",
    )


def _channel_condition(channel: str | None) -> str:
    """Return the SQL condition that a contact was on the channel, true for any channel."""
    return "true" if channel is None else f"channel = {_sql_list([channel])}"


def _sql_list(values: Sequence[str]) -> str:
    """Return texts as a list of SQL literals."""
    return ", ".join("'" + value.replace("'", "''") + "'" for value in values) or "NULL"


def _customer_ids(connection: "duckdb.DuckDBPyConnection", query: str) -> "pa.Array":
    """Return the `customer_id` column of a query."""
    return connection.sql(query).to_arrow_table()["customer_id"].combine_chunks()
