"""What earlier builds decided about identities, so that the next one goes on from there, and the files that hold it.

They lie with the store they belong to, in the folder `identity` of the same version: both are replaced in one step.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from sintonia.core.config import IdentityConfig
from sintonia.data.identity.comparing import comparisons
from sintonia.data.identity.relations import (
    BEFORE_CROSSWALK,
    BEFORE_HOLDINGS,
    BEFORE_MERGES,
    BEFORE_NODES,
    BEFORE_TIES,
    CARRIED_FILES,
    CROSSWALK,
    GONE_RECORDS,
    KNOWN_HOLDINGS,
    KNOWN_NODES,
    KNOWN_TIES,
    MATCHED,
    MERGES,
    PREFIX,
    PREVIOUS,
)
from sintonia.data.identity.standardise import PATTERNS

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

    Tables and views are copied as they come; the files in CARRIED_FILES go on as they are.
    """
    folder.mkdir()
    relations = (
        """SELECT table_name AS name FROM duckdb_tables() UNION SELECT view_name FROM duckdb_views()"""
    )
    named = f"SELECT name FROM ({relations}) WHERE STARTS_WITH(name, '{PREFIX}') ORDER BY 1"
    for (name,) in connection.execute(named).fetchall():
        path = _quoted(folder / f"{name.removeprefix(PREFIX)}.parquet")
        connection.execute(f'COPY (FROM "{name}") TO {path} (FORMAT parquet, COMPRESSION zstd)')
    for (path,) in connection.execute(f"SELECT path FROM {CARRIED_FILES}").fetchall():
        hard_link(Path(path), folder / Path(path).name)


def hard_link(path: Path, target: Path) -> int:
    """Return 0 when the target is the file under another name, or a copy where the disk has no hard links."""
    target.unlink(missing_ok=True)
    try:
        os.link(path, target)
    except OSError:
        target.write_bytes(path.read_bytes())
    return 0


NOBODY = -1
"""The `root` of an identifier that belongs to no customer until it is seen again."""


@dataclass(frozen=True)
class PreviousBuild:
    """The folder of an earlier build's decisions, None without one, and how far they stand.

    `decisions` are ties and groups, which rest on the rules of the house; `scores` are weights and pairs, which
    rest on how records are read. Customer ids stand whatever happens. `part` says that few sightings changed since,
    so that only the customers they touch are decided.
    """

    folder: Path | None = None
    decisions: bool = False
    scores: bool = False
    part: bool = False

    def path(self, name: str) -> Path | None:
        """Return the file of a table of the folder, None where there is none."""
        path = self.folder / f"{name}.parquet" if self.folder else None
        return path if path and path.is_file() else None

    def read(self, name: str) -> pa.Table | None:
        """Return a table of the folder, None where there is none."""
        path = self.path(name)
        return pq.read_table(path) if path else None


def recall(
    connection: duckdb.DuckDBPyConnection, folder: Path | None, config: IdentityConfig
) -> PreviousBuild:
    """Return how far an earlier build's decisions stand; the engine's relations now hold them.

    - BEFORE_NODES: `node`, `key` and its `hash` (found faster than texts are), `confers`, the id of a customer of
      which this identifier is the first, `first_seen_at`, and `root`, the first identifier of the customer it
      belonged to.
    - BEFORE_TIES: `left`, `right` (identifiers), `arrived_at`, `match_probability`, `rule`, and whether it `holds`.
    - BEFORE_SIGHTINGS: one row per (set of identifiers, customer), by the hash of the set: `arrived_at`, the first
      arrival, `root`, and the customer as in SIGHTING_CUSTOMERS.
    - BEFORE_RECORDS and BEFORE_PAIRS: person records as compared, with their group, and their scored pairs.
    - BEFORE_HOLDINGS: whose each `key` was at the end of that build; BEFORE_CROSSWALK, BEFORE_MERGES and
      BEFORE_LOG as stored.
    - KNOWN_NODES, KNOWN_TIES, KNOWN_HOLDINGS: of these what a build goes by, all until it takes a part.
    """
    _drop_tables(connection)
    known = folder is not None and (folder / "rules.parquet").is_file()
    rules = pq.read_table(folder / "rules.parquet").to_pylist()[0] if folder and known else {}
    now = fingerprints(config)
    decisions = bool(known and not config.relearn and rules == now)
    scores = bool(known and not config.relearn and rules["scores"] == now["scores"])
    before = PreviousBuild(folder if known else None, decisions, scores)
    stand = {"nodes": known, "ties": decisions, "log": known, "sightings": decisions}
    for name, relation in PREVIOUS.items():
        path = before.path(name) if stand.get(name, scores and before.path("weights") is not None) else None
        relation.create_view(connection, f"FROM {standing(path)}" if path else relation.no_rows())
    store = folder.parent if folder and known else None
    for relation, table in ((BEFORE_CROSSWALK, CROSSWALK), (BEFORE_MERGES, MERGES)):
        relation.create_view(
            connection, f"FROM {scan(store / f'{table}.parquet')}" if store else relation.no_rows()
        )
    BEFORE_HOLDINGS.create_view(
        connection,
        f"""
        SELECT source || ':' || source_key AS key, customer_id FROM {BEFORE_CROSSWALK} WHERE unlinked_at IS NULL""",
    )
    # Until person records are matched, none are gone and none were merged.
    GONE_RECORDS.create_table(connection, GONE_RECORDS.no_rows())
    MATCHED.create_table(connection, MATCHED.no_rows())
    for known_now, all_known in (
        (KNOWN_NODES, BEFORE_NODES),
        (KNOWN_TIES, BEFORE_TIES),
        (KNOWN_HOLDINGS, BEFORE_HOLDINGS),
    ):
        known_now.create_view(connection, f"FROM {all_known}")
    return before


def _drop_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Drop what another run on the connection left for the store."""
    for kind in ("table", "view"):
        query = f"SELECT {kind}_name FROM duckdb_{kind}s() WHERE STARTS_WITH({kind}_name, '{PREFIX}')"
        for (name,) in connection.execute(query).fetchall():
            connection.execute(f'DROP {kind} "{name}"')


def fingerprints(config: IdentityConfig) -> dict[str, str]:
    """Return what decisions and scores rest on; equal texts, equal rules.

    Examples
    --------
    >>> one, other = IdentityConfig(), IdentityConfig(match_probability=0.9)
    >>> [fingerprints(one)[name] == fingerprints(other)[name] for name in ("scores", "decisions")]
    [True, False]
    """
    overrides = Path(config.overrides) if config.overrides else None
    decided_pairs = overrides.read_bytes() if overrides and overrides.is_file() else b""
    # Another version's degrees of agreement have weights of their own.
    compared = repr(comparisons({*PATTERNS, "first_name_forms"}))
    scores = [config.name, config.region, config.weights, compared]
    decisions = [
        config.match_probability,
        config.shareable,
        config.persons_per_identifier,
        config.hold_implausible,
        hashlib.sha256(decided_pairs).hexdigest(),
    ]
    return {"scores": _digest(scores), "decisions": _digest([*scores, *decisions])}


def _digest(values: Sequence[object]) -> str:
    return hashlib.sha256(json.dumps(list(values)).encode()).hexdigest()[:16]


def keep(connection: duckdb.DuckDBPyConnection, tables: dict[str, pa.Table]) -> None:
    """Put tables where the next store takes them from."""
    for name, table in tables.items():
        connection.register("handed", table)
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {PREFIX}{name} AS FROM handed")
        connection.unregister("handed")
