"""Writing the store: mapped silos gathered into its tables, in a new version that is made current in one step."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from uuid import uuid4

import duckdb
import pyarrow.parquet as pq

from sintonia.core.config import SiloConfig, SourceConfig
from sintonia.core.engine import fetch_row
from sintonia.core.paths import VERSION_PREFIX, StorePaths, WorkspacePaths
from sintonia.core.progress import track
from sintonia.core.relation import Relation
from sintonia.core.schema import (
    ATTRIBUTES,
    CONTACTS,
    CROSSWALK,
    DECISIONS,
    INTERACTIONS,
    LINKS,
    MERGES,
    Table,
)
from sintonia.core.visibility import CURRENT
from sintonia.data.identity.previous_build import write_identity
from sintonia.data.identity.relations import SIGHTING_CUSTOMERS
from sintonia.data.identity.sightings import SIGHTING
from sintonia.data.sources.silos import SiloReport
from sintonia.data.store.store import Store, check_version, fingerprint, open_store, write_metadata
from sintonia.data.store.threads import threads_query

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


LOCATED = Relation(
    "located",
    "a mapped row of one silo with its customer, and what the silo says beside it",
    {
        "customer_id": "VARCHAR",
        "person_id": "VARCHAR",
        "known_at": "TIMESTAMP",
        "occurred_at": "TIMESTAMP",
        "arrived_at": "TIMESTAMP",
        "known_until": "TIMESTAMP",
    },
    open_ended=True,
)


def gather(
    connection: duckdb.DuckDBPyConnection, source: SourceConfig, buckets: int, rounds: Sequence[Path]
) -> None:
    """Fill the engine's tables of the contracts from every silo that maps to them, and from planned rounds."""
    for table in (INTERACTIONS, ATTRIBUTES, CONTACTS, DECISIONS):
        columns = ", ".join(f"{column.name} {column.sql_type}" for column in table.columns)
        connection.execute(f"CREATE OR REPLACE TABLE {table.name} ({columns})")
    connection.execute(f"ALTER TABLE {INTERACTIONS} ADD COLUMN bucket INTEGER")
    for name, silo in source.silos.items():
        LOCATED.create_table(
            connection,
            f"""
            SELECT mapped.* EXCLUDE (_read, reason, raw, _file), customer_id, person_id,
                   GREATEST(mapped.arrived_at, linked_at) AS known_at
            FROM mapped_{name} AS mapped JOIN {SIGHTING_CUSTOMERS} ON {SIGHTING} = sighting
            WHERE mapped._read AND mapped.reason IS NULL
              AND (mapped.known_until IS NULL OR mapped.known_until > GREATEST(mapped.arrived_at, linked_at))
              AND (unlinked_at IS NULL OR GREATEST(mapped.arrived_at, linked_at) < unlinked_at)""",
            temporary=False,
        )
        if silo.interactions:
            _gather_interactions(connection, name, silo, buckets)
        for table, prefix in ((ATTRIBUTES, "a"), (CONTACTS, "c")):
            for key in silo.attributes if prefix == "a" else silo.contacts:
                connection.execute(f"""
                    INSERT INTO {table.name}
                    SELECT customer_id, '{key}', "{prefix}__{key}", occurred_at, known_at, '{name}'
                    FROM {LOCATED} WHERE "{prefix}__{key}" IS NOT NULL AND {KEPT[prefix]}""")
        if silo.decisions:
            _gather_decisions(connection)
    _gather_rounds(connection, rounds)
    connection.execute(f"CREATE OR REPLACE TABLE {LINKS} AS SELECT {', '.join(LINKS.names)} FROM {CROSSWALK}")
    for table in BESIDE:
        connection.execute(f"""
            CREATE OR REPLACE TABLE {table.name} AS
            SELECT told.*, {BUCKET.format(buckets=buckets)} AS bucket
            FROM (SELECT told.*, COALESCE(merged_into, customer_id) AS person_id
                  FROM {table.name} AS told LEFT JOIN {MERGES} USING (customer_id)) AS told""")


def _gather_interactions(
    connection: duckdb.DuckDBPyConnection, name: str, silo: SiloConfig, buckets: int
) -> None:
    mapped_columns = _columns(connection)
    row_number = "LPAD(CAST(_row AS VARCHAR), 12, '0')"
    own_clock = (
        f"DATE_DIFF('minute', occurred_at, TIMEZONE('{silo.time_zone}', TIMEZONE('UTC', occurred_at)))"
    )
    # Ids and threads are unique within their silo only, so they carry its name; shared threads one of their own.
    derived = {
        "customer_id": "customer_id",
        "interaction_id": f"'{name}:' || {_or(mapped_columns, 'i__interaction_id', row_number)}",
        "thread_id": f"'{silo.threads or name}:' || i__thread_id"
        if "i__thread_id" in mapped_columns
        else "NULL",
        "occurred_at": "occurred_at",
        "known_at": "known_at",
        "utc_offset_minutes": _or(mapped_columns, "i__utc_offset_minutes", own_clock),
        "source": f"'{name}'",
        "opens_thread": "NULL",
        "known_until": "known_until",
    }
    values = [
        derived.get(column, f"i__{column}" if f"i__{column}" in mapped_columns else "NULL")
        for column in INTERACTIONS.names
    ]
    bucket = BUCKET.format(buckets=buckets)
    connection.execute(f"INSERT INTO {INTERACTIONS} SELECT {', '.join(values)}, {bucket} FROM {LOCATED}")


def _gather_decisions(connection: duckdb.DuckDBPyConnection) -> None:
    mapped_columns = _columns(connection)
    derived = {
        "customer_id": "customer_id",
        "decided_at": _or(mapped_columns, "d__decided_at", "occurred_at"),
    }
    values = [
        derived.get(column, f"d__{column}" if f"d__{column}" in mapped_columns else "NULL")
        for column in DECISIONS.names
    ]
    connection.execute(
        f"INSERT INTO {DECISIONS} SELECT {', '.join(values)} FROM {LOCATED} WHERE {NOW} AND {CURRENT}"
    )


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
                SELECT decision_id, sent_at AS moment FROM {DECISIONS}
                UNION ALL SELECT decision_id, occurred_at FROM {INTERACTIONS} WHERE kind = 'send')
            GROUP BY decision_id
        )
        SELECT {names} FROM (
            SELECT rounds.* REPLACE (
                COALESCE(merged_into, customer_id) AS customer_id, COALESCE(sent_at, moment) AS sent_at)
            FROM rounds LEFT JOIN {MERGES} USING (customer_id) LEFT JOIN known USING (decision_id))
        SEMI JOIN {CROSSWALK} USING (customer_id)""")
    connection.execute(f"DELETE FROM {DECISIONS} WHERE decision_id IN (SELECT decision_id FROM planned)")
    connection.execute(f"INSERT INTO {DECISIONS} SELECT {names} FROM planned")


def _columns(connection: duckdb.DuckDBPyConnection) -> set[str]:
    return set(LOCATED.created_columns(connection))


def _or(mapped_columns: set[str], column: str, otherwise: str) -> str:
    return f"COALESCE({column}, {otherwise})" if column in mapped_columns else otherwise


@contextmanager
def _new_version(workspace: Path) -> Iterator[Path]:
    """Yield a fresh folder under store/ that is thrown away unless the block ends well."""
    folder = WorkspacePaths(workspace).store_version(f"{VERSION_PREFIX}{uuid4().hex[:12]}").folder
    for table in (INTERACTIONS, *BESIDE):
        (folder / table.name).mkdir(parents=True)
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def write_store(
    connection: duckdb.DuckDBPyConnection,
    workspace: Path,
    source: SourceConfig,
    silos: Sequence[SiloReport],
    buckets: int,
) -> Store:
    """Return the new current store, written from the engine's mapped silos and crosswalk.

    The new version stands in its own folder until it is whole; then the file `current.json` is replaced, which is
    one step for the file system. A build killed before that leaves the old store as it was.
    """
    with _new_version(workspace) as folder:
        paths = StorePaths(folder)
        gather(connection, source, buckets, WorkspacePaths(workspace).round_files())
        (ended,) = fetch_row(connection, f"SELECT COUNT(known_until) FROM {INTERACTIONS.name}")
        for bucket in track(range(buckets), "Writing the store"):
            query = threads_query(f"{INTERACTIONS.name} WHERE bucket = {bucket}", versions=ended > 0)
            _write(connection, INTERACTIONS, query, paths.bucket(INTERACTIONS.name, bucket))
            for table in BESIDE:
                query = (
                    f"SELECT {', '.join(table.names)} FROM {table.name} WHERE bucket = {bucket} ORDER BY ALL"
                )
                _write(connection, table, query, paths.bucket(table.name, bucket))
        for table in (ATTRIBUTES, CONTACTS, CROSSWALK, MERGES, DECISIONS):
            order = ", ".join(table.order)
            columns = ", ".join(table.names)
            query = f"SELECT {columns} FROM {table.name} ORDER BY {order}"
            _write(connection, table, query, paths.table(table.name))
        write_identity(connection, paths.identity)
        _make_current(connection, workspace, folder, source.name, source.currency, silos)
    store = open_store(workspace)
    _remove_others(workspace, store.folder)
    return store


def rewrite_store(
    connection: duckdb.DuckDBPyConnection, workspace: Path, store: Store, copy: Callable[[Path, Path], None]
) -> Store:
    """Return the new current store: each file as `copy(old path, new path)` writes it, counted anew, the old one gone.

    Like a build it is whole or not at all. The silos' reports are those of `store`.
    """
    with _new_version(workspace) as folder:
        for path in sorted(path for path in store.folder.rglob("*") if path.is_file()):
            target = folder / path.relative_to(store.folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            copy(path, target)
        connection.read_parquet(str(StorePaths(folder).interactions / "*.parquet")).create_view(
            INTERACTIONS.name
        )
        connection.read_parquet(str(StorePaths(folder).merges)).create_view(MERGES.name)
        _make_current(connection, workspace, folder, store.source, store.currency, store.silos)
    now = open_store(workspace)
    _remove_others(workspace, now.folder)
    return now


def write_rejected(
    connection: duckdb.DuckDBPyConnection, workspace: Path, silos: Sequence[str]
) -> list[Path]:
    """Return the files of rejected rows, one a silo, each row with its file, number, reason and raw text."""
    paths = WorkspacePaths(workspace)
    folder = paths.rejected
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.parquet"):
        if old.stem not in silos:
            old.unlink()
    written = []
    for name in silos:
        query = f"""SELECT _file AS file, _row AS row_number, reason, raw FROM mapped_{name}
                    WHERE _read AND reason IS NOT NULL ORDER BY file, row_number"""
        part = folder / f".{name}.part"
        pq.write_table(connection.sql(query).to_arrow_table(), part)
        written.append(part.replace(paths.rejected_rows(name)))
    return written


def _write(connection: duckdb.DuckDBPyConnection, table: Table, query: str, path: Path) -> None:
    rows = connection.sql(query).to_arrow_table().cast(table.arrow())
    # Few distinct values in most text columns: dictionaries make them small on disk and quick to compare.
    pq.write_table(rows, path, compression="zstd")


def _make_current(
    connection: duckdb.DuckDBPyConnection,
    workspace: Path,
    folder: Path,
    source: str,
    currency: str,
    silos: Sequence[SiloReport],
) -> None:
    interactions, customers = fetch_row(
        connection,
        f"SELECT COUNT(*), COUNT(DISTINCT customer_id) FROM {INTERACTIONS} ANTI JOIN {MERGES} USING (customer_id)",
    )
    # One row in a thousand with a clock in the past must not claim a history that is not there.
    first = f"SELECT kind, QUANTILE_DISC(occurred_at, 0.001) FROM {INTERACTIONS} GROUP BY kind ORDER BY kind"
    metadata = {
        "version": folder.name,
        "source": source,
        "currency": currency,
        "fingerprint": fingerprint(
            sorted([*folder.glob("*.parquet"), *folder.glob("interactions/*.parquet")])
        ),
        "interactions": interactions,
        "customers": customers,
        "kinds_from": dict(connection.execute(first).fetchall()),
        "silos": [asdict(silo) for silo in silos],
    }
    check_version(workspace, metadata)
    write_metadata(workspace, metadata)


def _remove_others(workspace: Path, current: Path) -> None:
    """Remove older versions, and what a killed build left behind."""
    for folder in WorkspacePaths(workspace).store_versions():
        if folder != current:
            shutil.rmtree(folder, ignore_errors=True)
