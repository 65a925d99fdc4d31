"""Writing the store: a whole new version beside the old one, made current in one step."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from uuid import uuid4

import duckdb
import pyarrow.parquet as pq

from sintonia.core.config import SourceConfig
from sintonia.core.engine import fetch_row
from sintonia.core.paths import VERSION_PREFIX, StorePaths, WorkspacePaths
from sintonia.core.progress import track
from sintonia.core.schema import ATTRIBUTES, CONTACTS, CROSSWALK, DECISIONS, INTERACTIONS, MERGES, Table
from sintonia.data.identity.files import write_identity
from sintonia.data.sources.report import SiloReport
from sintonia.data.store.gather import BESIDE, bucket_query, gather
from sintonia.data.store.store import Store, fingerprint, open_store, write_metadata


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
        for bucket in track(range(buckets), "Writing the store"):
            _write(connection, INTERACTIONS, bucket_query(bucket), paths.bucket(INTERACTIONS.name, bucket))
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
            "interactions"
        )
        connection.read_parquet(str(StorePaths(folder).merges)).create_view("merges")
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
        "SELECT COUNT(*), COUNT(DISTINCT customer_id) FROM interactions ANTI JOIN merges USING (customer_id)",
    )
    # One row in a thousand with a clock in the past must not claim a history that is not there.
    first = "SELECT kind, QUANTILE_DISC(occurred_at, 0.001) FROM interactions GROUP BY kind ORDER BY kind"
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
    write_metadata(workspace, metadata)


def _remove_others(workspace: Path, current: Path) -> None:
    """Remove older versions, and what a killed build left behind."""
    for folder in WorkspacePaths(workspace).store_versions():
        if folder != current:
            shutil.rmtree(folder, ignore_errors=True)
