"""The relational engine: DuckDB inside the process, with its threads, memory and scratch space bounded."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from sintonia.core.config import EngineConfig
from sintonia.core.paths import SCRATCH_PREFIX, scratch_database

DIALECT = "duckdb"


@contextmanager
def connect(config: EngineConfig, workspace: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a connection to a scratch database in the workspace that is gone when the block ends.

    The database is a file, so that tables larger than `config.memory_gib` go to disk instead of failing, and its
    session speaks UTC, so that no time depends on where the machine stands.
    """
    workspace.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=SCRATCH_PREFIX, dir=workspace))
    try:
        with duckdb.connect(str(scratch_database(scratch))) as connection:
            connection.execute(f"SET threads = {config.threads}")
            connection.execute(f"SET memory_limit = '{config.memory_gib}GiB'")
            connection.execute("SET temp_directory = ?", [str(scratch)])
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute("SET enable_progress_bar = false")
            yield connection
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def drop_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Drop the tables of the scratch database, whose room in memory and on disk is free again."""
    names = connection.execute("SELECT table_name FROM duckdb_tables() WHERE NOT temporary").fetchall()
    for (name,) in names:
        connection.execute(f'DROP TABLE "{name}"')


def fetch_row(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    """Return the only row of a query, with nothing left pending: an undrained result blocks its connection."""
    (row,) = connection.execute(query).fetchall()
    return tuple(row)
