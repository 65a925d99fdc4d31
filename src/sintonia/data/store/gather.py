"""What the silos say, gathered into the tables of the contracts: whose, known since when, in which bucket."""

from collections.abc import Sequence
from pathlib import Path

import duckdb

from sintonia.core.config import SiloConfig, SourceConfig
from sintonia.core.schema import ATTRIBUTES, CONTACTS, DECISIONS, INTERACTIONS, LINKS
from sintonia.data.identity.deterministic import SIGHTING

# A customer's bucket: the first 32 bits of the MD5 of the id, modulo the number of buckets. Any engine can say it.
# A customer that became part of another lies in the bucket of that other, for their labels are one person's.
BUCKET = "CAST('0x' || SUBSTR(MD5(person_id), 1, 8) AS BIGINT) % {buckets}"
NOW = "customer_id = person_id"
BESIDE = (ATTRIBUTES, LINKS)
"""What features read beside the interactions lies in buckets as they do, once more, so that each is read once."""

KEPT = {
    "a": "true",
    "c": NOW,
}  # what was known of a customer goes with it; contacts and decisions are kept once


def gather(
    connection: duckdb.DuckDBPyConnection, source: SourceConfig, buckets: int, rounds: Sequence[Path]
) -> None:
    """Fill the engine's tables of the contracts from every silo that maps to them, and from planned rounds."""
    for table in (INTERACTIONS, ATTRIBUTES, CONTACTS, DECISIONS):
        columns = ", ".join(f"{column.name} {column.sql_type}" for column in table.columns)
        connection.execute(f"CREATE OR REPLACE TABLE {table.name} ({columns})")
    connection.execute("ALTER TABLE interactions ADD COLUMN bucket INTEGER")
    for name, silo in source.silos.items():
        connection.execute(f"""
            CREATE OR REPLACE TABLE located AS
            SELECT mapped.* EXCLUDE (_read, reason, raw, _file), customer_id, person_id,
                   GREATEST(mapped.arrived_at, linked_at) AS known_at
            FROM mapped_{name} AS mapped JOIN sighting_customers ON {SIGHTING} = sighting
            WHERE mapped._read AND mapped.reason IS NULL
              AND (unlinked_at IS NULL OR GREATEST(mapped.arrived_at, linked_at) < unlinked_at)""")
        if silo.interactions:
            _gather_interactions(connection, name, silo, buckets)
        for table, prefix in ((ATTRIBUTES, "a"), (CONTACTS, "c")):
            for key in silo.attributes if prefix == "a" else silo.contacts:
                connection.execute(f"""
                    INSERT INTO {table.name}
                    SELECT customer_id, '{key}', "{prefix}__{key}", occurred_at, known_at, '{name}'
                    FROM located WHERE "{prefix}__{key}" IS NOT NULL AND {KEPT[prefix]}""")
        if silo.decisions:
            _gather_decisions(connection)
    _gather_rounds(connection, rounds)
    connection.execute(f"CREATE OR REPLACE TABLE links AS SELECT {', '.join(LINKS.names)} FROM crosswalk")
    for table in BESIDE:
        connection.execute(f"""
            CREATE OR REPLACE TABLE {table.name} AS
            SELECT told.*, {BUCKET.format(buckets=buckets)} AS bucket
            FROM (SELECT told.*, COALESCE(merged_into, customer_id) AS person_id
                  FROM {table.name} AS told LEFT JOIN merges USING (customer_id)) AS told""")


def _gather_interactions(
    connection: duckdb.DuckDBPyConnection, name: str, silo: SiloConfig, buckets: int
) -> None:
    there = _columns(connection)
    row_number = "LPAD(CAST(_row AS VARCHAR), 12, '0')"
    own_clock = (
        f"DATE_DIFF('minute', occurred_at, TIMEZONE('{silo.time_zone}', TIMEZONE('UTC', occurred_at)))"
    )
    # Ids and threads are unique within their silo only, so they carry its name; shared threads one of their own.
    derived = {
        "customer_id": "customer_id",
        "interaction_id": f"'{name}:' || {_or(there, 'i__interaction_id', row_number)}",
        "thread_id": f"'{silo.threads or name}:' || i__thread_id" if "i__thread_id" in there else "NULL",
        "occurred_at": "occurred_at",
        "known_at": "known_at",
        "utc_offset_minutes": _or(there, "i__utc_offset_minutes", own_clock),
        "source": f"'{name}'",
        "opens_thread": "NULL",
    }
    values = [
        derived.get(column, f"i__{column}" if f"i__{column}" in there else "NULL")
        for column in INTERACTIONS.names
    ]
    bucket = BUCKET.format(buckets=buckets)
    connection.execute(f"INSERT INTO interactions SELECT {', '.join(values)}, {bucket} FROM located")


def _gather_decisions(connection: duckdb.DuckDBPyConnection) -> None:
    there = _columns(connection)
    derived = {"customer_id": "customer_id", "decided_at": _or(there, "d__decided_at", "occurred_at")}
    values = [
        derived.get(column, f"d__{column}" if f"d__{column}" in there else "NULL")
        for column in DECISIONS.names
    ]
    connection.execute(f"INSERT INTO decisions SELECT {', '.join(values)} FROM located WHERE {NOW}")


def _gather_rounds(connection: duckdb.DuckDBPyConnection, rounds: Sequence[Path]) -> None:
    """Add the decisions planned in the workspace; when they were sent, silos and the sends themselves say."""
    if not rounds:
        return
    names = ", ".join(DECISIONS.names)
    connection.read_parquet([str(path) for path in rounds]).create_view("rounds", replace=True)
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE planned AS
        WITH known AS (
            SELECT decision_id, MIN(moment) AS moment FROM (
                SELECT decision_id, sent_at AS moment FROM decisions
                UNION ALL SELECT decision_id, occurred_at FROM interactions WHERE kind = 'send')
            GROUP BY decision_id
        )
        SELECT {names} FROM (
            SELECT rounds.* REPLACE (
                COALESCE(merged_into, customer_id) AS customer_id, COALESCE(sent_at, moment) AS sent_at)
            FROM rounds LEFT JOIN merges USING (customer_id) LEFT JOIN known USING (decision_id))
        SEMI JOIN crosswalk USING (customer_id)""")
    connection.execute("DELETE FROM decisions WHERE decision_id IN (SELECT decision_id FROM planned)")
    connection.execute(f"INSERT INTO decisions SELECT {names} FROM planned")


def _columns(connection: duckdb.DuckDBPyConnection) -> set[str]:
    return {row[0] for row in connection.execute("DESCRIBE located").fetchall()}


def _or(there: set[str], column: str, otherwise: str) -> str:
    return f"COALESCE({column}, {otherwise})" if column in there else otherwise


def opens_thread() -> str:
    """Return the SQL that says whether a row is the first of its thread and kind to become visible."""
    return """ROW_NUMBER() OVER (PARTITION BY customer_id, COALESCE(thread_id, interaction_id), kind
                   ORDER BY GREATEST(occurred_at, known_at), occurred_at, interaction_id) = 1"""


def bucket_query(bucket: int) -> str:
    """Return the query of a bucket's interactions in the store's order."""
    return f"""SELECT * EXCLUDE (bucket) REPLACE ({opens_thread()} AS opens_thread) FROM interactions
               WHERE bucket = {bucket} ORDER BY {", ".join(INTERACTIONS.order)}"""
