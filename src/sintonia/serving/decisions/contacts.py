"""Who was contacted when, and whom the contact policy therefore leaves alone: caps, pauses, open complaints.

What was planned is no contact: only what was sent is, as a `send` among the interactions or a decision's `sent_at`,
and each decision once. Seen is what happened and was known strictly before the decision.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from sintonia.core.config import ContactLimitConfig, PauseConfig
from sintonia.core.schema import DECISIONS
from sintonia.data.store import Store

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


def open_tables(
    connection: "duckdb.DuckDBPyConnection", store: Store, decided_at: datetime, often: bool = True
) -> None:
    """Give the connection what was seen before the decision: `seen`, `attributes`, `merges`, `decided`, `contacted`.

    `seen` are interactions; `decided` the store's decisions and the workspace's rounds, each once, of today's
    customers; `contacted` one row per contact: customer_id, channel, made_at, thread, decision_id. Where these are not
    asked `often` they are gathered anew each time, not kept: they take more room than all else of a customer.
    """
    before = f"< TIMESTAMP '{decided_at}'"
    for name in ("attributes", "merges"):
        connection.read_parquet(str(store.paths.table(name))).create_view(name)
    connection.read_parquet([str(path) for path in store.buckets]).create_view("interactions")
    connection.execute(f"""
        CREATE TEMP VIEW seen AS SELECT * FROM interactions ANTI JOIN merges USING (customer_id)
        WHERE occurred_at {before} AND known_at {before}""")
    _gather_decided(connection, store)
    connection.execute(f"""
        CREATE TEMP {"TABLE" if often else "VIEW"} contacted AS
        WITH sends AS NOT MATERIALIZED (
            SELECT customer_id, channel, occurred_at AS made_at,
                   COALESCE(thread_id, interaction_id) AS thread, decision_id
            FROM seen WHERE kind = 'send'
        ), logged AS (
            SELECT customer_id, channel, sent_at AS made_at, decision_id AS thread, decision_id
            FROM decided ANTI JOIN sends USING (decision_id) WHERE sent_at {before}
        )
        FROM sends UNION ALL FROM logged""")


def _gather_decided(connection: "duckdb.DuckDBPyConnection", store: Store) -> None:
    """Fill `decided`; what a silo says of a decision of ours (that it was sent) wins over what we planned."""
    columns = ", ".join(f"{column.name} {column.sql_type}" for column in DECISIONS.columns)
    connection.execute(f"CREATE TEMP TABLE told ({columns})")
    files = [store.paths.decisions, *store.workspace.round_files()]
    for path in files:
        connection.read_parquet(str(path)).insert_into("told")
    names = ", ".join(DECISIONS.names)
    connection.execute(f"""
        CREATE TEMP TABLE decided AS SELECT {names} FROM (
            SELECT told.* REPLACE (COALESCE(merged_into, customer_id) AS customer_id)
            FROM told LEFT JOIN merges USING (customer_id))
        QUALIFY ROW_NUMBER() OVER (PARTITION BY decision_id ORDER BY sent_at IS NULL, sent_at) = 1""")


def over_limit(
    connection: "duckdb.DuckDBPyConnection", limit: ContactLimitConfig, decided_at: datetime, zone: str
) -> "pa.Array":
    """Return the customers who had as many contacts as the limit allows in its period, (begin, decided_at)."""
    begin = period_begin(limit, decided_at, zone)
    everybody = "SELECT customer_id FROM customers" if limit.at_most == 0 else None
    return _ids(
        connection,
        everybody
        or f"""SELECT customer_id FROM contacted WHERE made_at > TIMESTAMP '{begin}' AND {_on(limit.channel)}
               GROUP BY customer_id HAVING COUNT(*) >= {limit.at_most}""",
    )


def period_begin(limit: ContactLimitConfig, decided_at: datetime, zone: str) -> datetime:
    """Return when the limit's period began: so many days ago, or with the calendar's day, week (Monday) or month.

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
    back = {"day": 0, "week": local.weekday(), "month": local.day - 1}[str(limit.calendar)]
    midnight = (local - timedelta(days=back)).replace(hour=0, minute=0, second=0, microsecond=0)
    # A contact at midnight itself is of the new period, and the period is open at its begin.
    return midnight.astimezone(UTC).replace(tzinfo=None) - timedelta(microseconds=1)


def paused(connection: "duckdb.DuckDBPyConnection", pause: PauseConfig, decided_at: datetime) -> "pa.Array":
    """Return the customers whose last so many messages, each given its time, all went without an answer.

    The pause begins when the last of them becomes a refusal, and ends `days` later.
    """
    now, answers = f"TIMESTAMP '{decided_at}'", _listed(pause.answers)
    given = f"INTERVAL {pause.unanswered_days} DAY"
    return _ids(
        connection,
        f"""
        WITH answers AS (
            SELECT customer_id, UNNEST([COALESCE(thread_id, interaction_id), decision_id]) AS thread, occurred_at
            FROM seen WHERE kind IN ({answers})
        ), answered AS (
            SELECT customer_id, thread, MAX(occurred_at) AS last FROM answers WHERE thread IS NOT NULL GROUP BY ALL
        ), judged AS (
            SELECT contacted.customer_id, made_at,
                   COALESCE(one.last >= made_at, false) OR COALESCE(other.last >= made_at, false) AS answered,
                   ROW_NUMBER() OVER (
                       PARTITION BY contacted.customer_id ORDER BY made_at DESC, contacted.thread) AS back
            FROM contacted
            LEFT JOIN answered AS one ON contacted.customer_id = one.customer_id AND contacted.thread = one.thread
            LEFT JOIN answered AS other
              ON contacted.customer_id = other.customer_id AND contacted.decision_id = other.thread
            WHERE made_at + {given} <= {now} AND {_on(pause.channel)}
        )
        SELECT customer_id FROM judged WHERE back <= {pause.after_refusals} GROUP BY customer_id
        HAVING COUNT(*) = {pause.after_refusals} AND NOT BOOL_OR(answered)
           AND MAX(made_at) + {given} + INTERVAL {pause.days} DAY > {now}""",
    )


def complaining(connection: "duckdb.DuckDBPyConnection") -> "pa.Array":
    """Return the customers with a complaint whose case nothing resolved."""
    case = "customer_id, COALESCE(thread_id, interaction_id) AS thread"
    return _ids(
        connection,
        f"""SELECT DISTINCT customer_id FROM (
            SELECT {case}, MAX(occurred_at) AS last FROM seen WHERE kind = 'complaint' GROUP BY ALL
        ) AS opened ANTI JOIN (
            SELECT {case}, MAX(occurred_at) AS last FROM seen WHERE kind = 'resolve' GROUP BY ALL
        ) AS closed ON opened.customer_id = closed.customer_id AND opened.thread = closed.thread
                   AND closed.last >= opened.last""",
    )


def _on(channel: str | None) -> str:
    return "true" if channel is None else f"channel = {_listed([channel])}"


def _listed(values: Sequence[str]) -> str:
    return ", ".join("'" + value.replace("'", "''") + "'" for value in values) or "NULL"


def _ids(connection: "duckdb.DuckDBPyConnection", query: str) -> "pa.Array":
    return connection.sql(query).to_arrow_table()["customer_id"].combine_chunks()
