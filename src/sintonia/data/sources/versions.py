"""Rows of a silo that are one row: versions of an id, its deletion, and copies that several exports bring.

Of an id, the newest version known at a moment counts at that moment. Versions are ordered by `updated_at`, else by
`known_at`, else as they come (files in the order of their names). A version is known from its arrival, and one that
replaces an earlier arrival not before its `updated_at`; it ends when a newer one becomes known, or a deletion does.
"""

import re
from dataclasses import dataclass

import duckdb

from sintonia.core.config import SiloConfig
from sintonia.core.engine import fetch_row

COPY = "duplicate"
"""Reason of a row that says nothing new: identical to one in another file, or to the version before it."""

OLDER_VERSION = "older version"
"""Reason of a row that is older than what was known of its id when it became known."""

DELETION = "deletion"
"""Reason of a row that says that its id is deleted: it is no interaction, and ends the id's earlier version."""

SETTLED = (COPY, OLDER_VERSION, DELETION)
"""Reasons of rows that are understood, and say nothing that holds."""

VERSION_COLUMNS = ("_deleted", "_updated_at", "_same", "_repeated")
"""What the mapping adds for this module alone, and `settle_versions` takes away."""

IDS = ("i__interaction_id", "d__decision_id")


def version_id(columns: list[str]) -> str | None:
    """Return the column of mapped columns that says which rows are one, None where there is none.

    Examples
    --------
    >>> version_id(["id__card", "i__interaction_id", "d__decision_id"]), version_id(["id__card"])
    ('i__interaction_id', None)
    """
    return next((column for column in columns if column in IDS), None)


@dataclass(frozen=True)
class SameRows:
    """The SQL of `_same`, what rows without an id have in common if they are identical, and of `_repeated`."""

    same: str
    repeated: str


def same_rows(silo: SiloConfig, n_files: int, key: str | None) -> SameRows:
    """Return how rows that may be one are found: by their id, or, without ids, by all their raw columns.

    Identical rows of one file are two purchases of one second, unless `keep: distinct`; identical rows of two files are
    one row that two exports bring. Where a row's number is part of the mapping no two rows are the same.
    """
    peers = "PARTITION BY {same}, _reason IS NULL, _read"
    by_number = any(re.search(r"\b_row\b", text) for text in _expressions(silo))
    several = not by_number and (silo.keep == "distinct" or n_files > 1)
    compared = silo.keep != "all" and several
    if key is None:
        same = "NULL" if by_number else "HASH(raw)"
        repeated = f"COUNT(*) OVER ({peers.format(same='_same')}) > 1" if compared else "false"
        return SameRows(f"CAST({same} AS UBIGINT)", repeated)
    without_id = f"{key} IS NULL" if compared else "false"
    repeated = (
        f"({key} IS NOT NULL AND (_deleted OR COUNT(*) OVER ({peers.format(same=key)}) > 1)) OR {without_id}"
    )
    return SameRows("CAST(NULL AS UBIGINT)", repeated)


def _expressions(silo: SiloConfig) -> list[str]:
    groups = (silo.identifiers, silo.interactions, silo.attributes, silo.contacts, silo.decisions)
    return [silo.occurred_at, silo.known_at or "", *(text for group in groups for text in group.values())]


def settle_versions(connection: duckdb.DuckDBPyConnection, name: str, silo: SiloConfig) -> None:
    """Settle in the engine's `mapped_<name>` which rows are copies, older versions and deletions.

    Afterwards the table has `known_until`, of a row that a newer version or a deletion ended; rows that are never
    current have a `reason`, and later versions arrive when they replaced the one before.
    """
    table = f"mapped_{name}"
    columns = [row[0] for row in connection.execute(f"DESCRIBE {table}").fetchall()]
    key = version_id(columns)
    connection.execute(f"ALTER TABLE {table} ADD COLUMN known_until TIMESTAMP")
    (repeated,) = fetch_row(connection, f"SELECT COUNT(*) FROM {table} WHERE _repeated AND reason IS NULL")
    if repeated and silo.keep == "all":
        _number_ids(connection, table)
    elif repeated:
        _reject_copies(connection, table, silo, key)
        if key is not None:
            content = [column for column in columns if column[:3] in ("id_", "i__", "a__", "c__", "d__")]
            _end_versions(connection, table, silo, key, content)
    if repeated:
        connection.execute(f"UPDATE {table} SET raw = NULL WHERE _repeated AND reason IS NULL")


def drop_version_columns(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Take away from `mapped_<name>` the columns that only this module needs."""
    for column in VERSION_COLUMNS:
        connection.execute(f"ALTER TABLE mapped_{name} DROP COLUMN {column}")


def count_versions(connection: duckdb.DuckDBPyConnection, name: str) -> tuple[int, int]:
    """Return how many stored rows a newer version or a deletion ends, and how many are identical to another."""
    older, identical = fetch_row(
        connection,
        f"""SELECT COUNT(known_until), COUNT(_same) - COUNT(DISTINCT _same)
            FROM mapped_{name} WHERE _read AND reason IS NULL""",
    )
    return older, identical


def _number_ids(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    """Give rows that repeat an id one of their own, for all are kept."""
    connection.execute(f"""
        UPDATE {table} SET i__interaction_id = numbered.id
        FROM (SELECT rowid AS row, i__interaction_id || '#' || nth AS id FROM (
                SELECT rowid, i__interaction_id, ROW_NUMBER() OVER (PARTITION BY i__interaction_id ORDER BY _row) AS nth
                FROM {table} WHERE _repeated AND reason IS NULL AND _read AND i__interaction_id IS NOT NULL)
              WHERE nth > 1) AS numbered
        WHERE {table}.rowid = numbered.row""")


def _reject_copies(
    connection: duckdb.DuckDBPyConnection, table: str, silo: SiloConfig, key: str | None
) -> None:
    """Reject rows without an id that several files bring: the n-th of a file is the n-th of another."""
    without_id = "true" if key is None else f"{key} IS NULL"
    nth = (
        "1" if silo.keep == "distinct" else "ROW_NUMBER() OVER (PARTITION BY raw, _read, _file ORDER BY _row)"
    )
    connection.execute(f"""
        UPDATE {table} SET reason = '{COPY}' FROM (
            SELECT row FROM (SELECT rowid AS row, raw, _read, _row, {nth} AS nth FROM {table}
                             WHERE _repeated AND reason IS NULL AND {without_id})
            QUALIFY ROW_NUMBER() OVER (PARTITION BY raw, _read, nth ORDER BY _row) > 1) AS copies
        WHERE {table}.rowid = copies.row""")


def _end_versions(
    connection: duckdb.DuckDBPyConnection, table: str, silo: SiloConfig, key: str, content: list[str]
) -> None:
    """Settle which version of each id is current when: in the order of becoming known, each newest one so far."""
    newest = [
        *(["COALESCE(_updated_at, arrived_at)"] if silo.updated_at is not None else []),
        *(["arrived_at"] if silo.known_at is not None else []),
        "_row",
    ]
    order = ", ".join(newest)
    values = ", ".join(["occurred_at", *(f'"{column}"' for column in content)])
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE settled AS
        WITH ordered AS (
            SELECT rowid AS row, {key} AS id, _read, _deleted AS deleted, arrived_at, _updated_at,
                   CASE WHEN NOT _deleted THEN ROW({values}) END AS content,
                   ROW_NUMBER() OVER (PARTITION BY {key}, _read ORDER BY {order}) AS version,
                   ROW_NUMBER() OVER (PARTITION BY {key}, _read, _deleted ORDER BY arrived_at, {order}) AS arrival
            FROM {table} WHERE _repeated AND reason IS NULL AND {key} IS NOT NULL),
        dated AS (
            SELECT *, CASE WHEN arrival = 1 AND NOT deleted THEN arrived_at
                           ELSE GREATEST(arrived_at, _updated_at) END AS known_at,
                   version = 1 OR content IS DISTINCT FROM LAG(content) OVER ids AS differs
            FROM ordered WINDOW ids AS (PARTITION BY id, _read ORDER BY version)),
        -- Versions that follow one another and say the same are one, known since the first of them is.
        runs AS (SELECT *, SUM(differs::INT) OVER (PARTITION BY id, _read ORDER BY version) AS run FROM dated),
        dense AS (
            SELECT id, _read, run, ARG_MIN(row, version) AS row, ANY_VALUE(deleted) AS deleted,
                   ARG_MIN(content, version) AS content, MIN(known_at) AS known_at
            FROM runs GROUP BY id, _read, run),
        current AS (
            SELECT * FROM dense
            QUALIFY run = MAX(run) OVER (PARTITION BY id, _read ORDER BY known_at)),
        changes AS (
            SELECT *, content IS DISTINCT FROM LAG(content) OVER times OR LAG(known_at) OVER times IS NULL AS changed
            FROM current WINDOW times AS (PARTITION BY id, _read ORDER BY known_at)),
        ends AS (
            SELECT id, _read, run, row, known_at, LEAD(known_at) OVER times AS known_until
            FROM changes WHERE changed WINDOW times AS (PARTITION BY id, _read ORDER BY known_at))
        SELECT runs.row, runs.deleted, ends.known_at, ends.known_until,
               CASE WHEN runs.deleted THEN '{DELETION}'
                    WHEN ends.run IS NOT NULL THEN IF(ends.row = runs.row, NULL, '{COPY}')
                    WHEN changes.run IS NOT NULL OR NOT runs.differs THEN '{COPY}'
                    ELSE '{OLDER_VERSION}' END AS reason
        FROM runs LEFT JOIN changes USING (id, _read, run) LEFT JOIN ends USING (id, _read, run)""")
    connection.execute(f"""
        UPDATE {table} SET reason = settled.reason,
               arrived_at = IF(settled.reason IS NULL, settled.known_at, arrived_at),
               known_until = IF(settled.reason IS NULL, settled.known_until, NULL)
        FROM settled WHERE {table}.rowid = settled.row""")
    connection.execute("DROP TABLE settled")
