"""The files of a store's folder `identity`: what builds add to them, what of them stands, and writing them."""

import os
from pathlib import Path

import duckdb

PREFIX = "identity_"
"""The engine's tables and views of this name are written into the folder `identity` of the next store."""

GROWING = {
    "nodes": ("root",),
    "sightings": ("root",),
    "ties": ("left", "right", "rule"),
    "records": ("record_id",),
    "pairs": ("left", "right"),
}
"""Large tables, and by what their rows are taken back: builds that decide a part add to them and rewrite nothing."""


def generation(path: Path) -> int:
    """Return how many builds added to a table since it was written whole."""
    return len(list(path.parent.glob(f"{path.stem}.*.gone.parquet")))


def standing(path: Path) -> str:
    """Return the SQL of a table of the folder as it stands.

    The n-th build that decides a part adds rows in a file of its own, `<table>.<n>.parquet`, and takes back those of
    older files whose keys (GROWING) are in `<table>.<n>.gone.parquet`.
    """
    added = range(1, generation(path) + 1)
    files = [path, *(path.with_name(f"{path.stem}.{number}.parquet") for number in added)]
    gone = [scan(path.with_name(f"{path.stem}.{number}.gone.parquet")) for number in added]
    keys = ", ".join(f'"{name}"' for name in GROWING.get(path.stem, ()))
    parts = []
    for at, file in enumerate(files):
        later = " UNION ALL ".join(f"FROM {source}" for source in gone[at:])
        parts.append(f"FROM {scan(file)}" + (f" ANTI JOIN ({later}) USING ({keys})" if later else ""))
    return f"({' UNION ALL BY NAME '.join(parts)})"


def scan(path: Path) -> str:
    """Return the SQL that reads a file."""
    return f"read_parquet({_quoted(path)})"


def _quoted(path: Path) -> str:
    """Return a path as the SQL's text, whatever its folders are called (L'Ordine)."""
    return "'" + str(path).replace("'", "''") + "'"


def write_identity(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Write what the build decided about identities, for the next build to go on from.

    Tables and views are copied as they come; the files in `carried_files` go on as they are.
    """
    folder.mkdir()
    relations = (
        """SELECT table_name AS name FROM duckdb_tables() UNION SELECT view_name FROM duckdb_views()"""
    )
    named = f"SELECT name FROM ({relations}) WHERE STARTS_WITH(name, '{PREFIX}') ORDER BY 1"
    for (name,) in connection.execute(named).fetchall():
        path = _quoted(folder / f"{name.removeprefix(PREFIX)}.parquet")
        connection.execute(f'COPY (FROM "{name}") TO {path} (FORMAT parquet, COMPRESSION zstd)')
    for (path,) in connection.execute("SELECT path FROM carried_files").fetchall():
        hard_link(Path(path), folder / Path(path).name)


def hard_link(path: Path, target: Path) -> int:
    """Return 0 when the target is the file under another name, or a copy where the disk has no hard links."""
    target.unlink(missing_ok=True)
    try:
        os.link(path, target)
    except OSError:
        target.write_bytes(path.read_bytes())
    return 0
