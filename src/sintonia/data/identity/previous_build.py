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
from sintonia.data.identity.standardise import PATTERNS

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


_EMPTY = {
    "nodes": """0::BIGINT AS node, 0::UBIGINT AS hash, '' AS key, '' AS confers,
                CAST(NULL AS TIMESTAMP) AS first_seen_at, 0::BIGINT AS root""",
    "ties": """'' AS "left", '' AS "right", CAST(NULL AS TIMESTAMP) AS arrived_at, 1e0 AS match_probability,
               '' AS rule, true AS holds""",
    "log": """'' AS customer_id, '' AS change, '' AS other_customer_id, 0::BIGINT AS identifiers,
              CAST(NULL AS TIMESTAMP) AS changed_at""",
    "crosswalk": """'' AS source, '' AS source_key, '' AS customer_id, CAST(NULL AS TIMESTAMP) AS linked_at,
                    CAST(NULL AS TIMESTAMP) AS unlinked_at, 1e0 AS match_probability, '' AS rule""",
    "merges": "'' AS customer_id, '' AS merged_into, CAST(NULL AS TIMESTAMP) AS merged_at",
    "records": """0::BIGINT AS record_id, '' AS silo, '' AS key, 0::BIGINT AS arrived_at, true AS names,
                  0::BIGINT AS cluster""",
    "pairs": """0::BIGINT AS "left", 0::BIGINT AS "right", 0e0 AS match_weight, 0e0 AS match_probability,
                '' AS shared, true AS held""",
    "sightings": """0::UBIGINT AS sighting, CAST(NULL AS TIMESTAMP) AS arrived_at, 0::BIGINT AS root,
                    '' AS customer_id, CAST(NULL AS TIMESTAMP) AS linked_at, CAST(NULL AS TIMESTAMP) AS unlinked_at,
                    '' AS person_id""",
}


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
    """Return how far an earlier build's decisions stand; the engine's `before_` tables now hold them.

    - `before_nodes`: `node`, `key` and its `hash` (found faster than texts are), `confers`, the id of a customer of
      which this identifier is the first, `first_seen_at`, and `root`, the first identifier of the customer it
      belonged to.
    - `before_ties`: `left`, `right` (identifiers), `arrived_at`, `match_probability`, `rule`, and whether it `holds`.
    - `before_sightings`: one row per (set of identifiers, customer), by the hash of the set: `arrived_at`, the first
      arrival, `root`, and the customer as in `sighting_customers`.
    - `before_records` and `before_pairs`: person records as compared, with their group, and their scored pairs.
    - `before_holdings`: whose each `key` was at the end of that build; `before_crosswalk`, `before_merges` and
      `before_log` as stored.
    - `known_nodes`, `known_ties`, `known_holdings`: of these what a build goes by, all until it takes a part.
    """
    _drop_tables(connection)
    known = folder is not None and (folder / "rules.parquet").is_file()
    rules = pq.read_table(folder / "rules.parquet").to_pylist()[0] if folder and known else {}
    now = fingerprints(config)
    decisions = bool(known and not config.relearn and rules == now)
    scores = bool(known and not config.relearn and rules["scores"] == now["scores"])
    before = PreviousBuild(folder if known else None, decisions, scores)
    stand = {"nodes": known, "ties": decisions, "log": known, "sightings": decisions}
    for name in ("nodes", "ties", "log", "sightings", "records", "pairs"):
        path = before.path(name) if stand.get(name, scores and before.path("weights") is not None) else None
        _view_previous(connection, name, standing(path) if path else None)
    store = folder.parent if folder and known else None
    for name in ("crosswalk", "merges"):
        _view_previous(connection, name, scan(store / f"{name}.parquet") if store else None)
    connection.execute("""
        CREATE OR REPLACE TEMP VIEW before_holdings AS
        SELECT source || ':' || source_key AS key, customer_id FROM before_crosswalk WHERE unlinked_at IS NULL""")
    # Until person records are matched, none are gone and none were merged.
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE gone_records AS SELECT record_id FROM before_records WHERE false"
    )
    connection.execute("""
        CREATE OR REPLACE TEMP TABLE matched AS
        SELECT key AS one, key AS other, now()::TIMESTAMP AS arrived_at, 1e0 AS match_probability
        FROM before_records WHERE false""")
    for name in ("nodes", "ties", "holdings"):
        connection.execute(f"CREATE OR REPLACE TEMP VIEW known_{name} AS FROM before_{name}")
    return before


def _drop_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Drop what another run on the connection left for the store."""
    for kind in ("table", "view"):
        query = f"SELECT {kind}_name FROM duckdb_{kind}s() WHERE STARTS_WITH({kind}_name, '{PREFIX}')"
        for (name,) in connection.execute(query).fetchall():
            connection.execute(f'DROP {kind} "{name}"')


def _view_previous(connection: duckdb.DuckDBPyConnection, name: str, source: str | None) -> None:
    rows = f"FROM {source}" if source else f"SELECT {_EMPTY[name]} WHERE false"
    connection.execute(f"CREATE OR REPLACE TEMP VIEW before_{name} AS {rows}")


def fingerprints(config: IdentityConfig) -> dict[str, str]:
    """Return what decisions and scores rest on; equal texts, equal rules.

    Examples
    --------
    >>> one, other = IdentityConfig(), IdentityConfig(match_probability=0.9)
    >>> [fingerprints(one)[name] == fingerprints(other)[name] for name in ("scores", "decisions")]
    [True, False]
    """
    overrides = Path(config.overrides) if config.overrides else None
    told = overrides.read_bytes() if overrides and overrides.is_file() else b""
    # Another version's degrees of agreement have weights of their own.
    compared = repr(comparisons({*PATTERNS, "first_name_forms"}))
    scores = [config.name, config.region, config.weights, compared]
    decisions = [
        config.match_probability,
        config.shareable,
        config.persons_per_identifier,
        config.hold_implausible,
        hashlib.sha256(told).hexdigest(),
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
