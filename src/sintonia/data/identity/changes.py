"""What changed in the silos since the last build, the part of all identities it touches, and what stays as it was.

Customers whose records are unchanged are left alone: ties, ids and dates of a customer follow from its own
identifiers and sightings, so a build decides the touched customers anew and carries the others over. What the next
store holds is views, read when the store is written; files whose rows all stay go on under the name of the next
store.
"""

from collections.abc import Sequence

import duckdb
import numpy as np
import pyarrow as pa

from sintonia.core.arrays import Ints
from sintonia.core.engine import fetch_row
from sintonia.data.identity.previous_build import GROWING, NOBODY, PREFIX, PreviousBuild, generation
from sintonia.data.identity.sightings import assign_ids, choose_sightings, mapped_sightings

MOST_CHANGED = 0.2
"""Share of sightings that may have changed for a part to be decided; beyond it everything is as quick."""


def find_changes(connection: duckdb.DuckDBPyConnection, silos: Sequence[str], before: PreviousBuild) -> bool:
    """Return whether a part is enough: decisions stand, and few sightings changed since. Then the engine has

    - `arriving`: one row per sighting that is new, or now known to have arrived earlier: `sighting`, `keys`,
      `arrived_at`;
    - `arrived`: one row per identifier of these: `key`, `first_seen_at` among them, its `node` of earlier builds and
      the `root` of its customer then, null for a new one;
    - `lost`: the sightings that are gone, or arrived later than was said, with their customer's `root`.
    """
    if not before.decisions or before.path("sightings") is None:
        return False
    from sintonia.data.identity.kernels import compare

    rows = mapped_sightings(silos)
    known, now = _hashes(connection, "before_sightings"), _hashes(connection, f"({rows})")
    changed, lost = compare(*known, *now)
    if np.count_nonzero(changed) + np.count_nonzero(lost) > MOST_CHANGED * len(known[0]):
        return False
    for name, hashes in (("changed_hashes", now[0][changed]), ("lost_hashes", known[0][lost])):
        connection.register(name, pa.table({"sighting": np.unique(hashes).view(np.uint64)}))
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE arriving AS
        SELECT sighting, ANY_VALUE(keys) AS keys, MIN(arrived_at) AS arrived_at
        FROM ({rows}) SEMI JOIN changed_hashes USING (sighting) GROUP BY sighting""")
    connection.execute("""
        CREATE OR REPLACE TEMP TABLE lost AS
        SELECT sighting, root FROM before_sightings SEMI JOIN lost_hashes USING (sighting)""")
    connection.unregister("changed_hashes")
    connection.unregister("lost_hashes")
    connection.execute("""
        CREATE OR REPLACE TEMP TABLE arrived AS
        SELECT told.key, before.node, before.root, told.first_seen_at
        FROM (SELECT key, MIN(arrived_at) AS first_seen_at
              FROM (SELECT UNNEST(keys) AS key, arrived_at FROM arriving) GROUP BY key) AS told
        LEFT JOIN before_nodes AS before ON before.hash = HASH(told.key)""")
    return True


def _hashes(connection: duckdb.DuckDBPyConnection, source: str) -> tuple[Ints, Ints]:
    """Return the sightings of a relation as whole numbers, and when each arrived (microseconds)."""
    query = f"SELECT sighting, EPOCH_US(arrived_at) AS arrived_at FROM {source}"
    found = connection.execute(query).fetchnumpy()
    sighting, arrived_at = (np.asarray(found[name]) for name in ("sighting", "arrived_at"))
    return sighting.view(np.int64), arrived_at


def collect_part(
    connection: duckdb.DuckDBPyConnection,
    silos: Sequence[str],
    shareable: Sequence[str],
    named: Sequence[str],
) -> None:
    """Fill `sightings` and `nodes` as `collect_sightings` does, for the customers that changes touch.

    These are whose identifiers are in `arrived` or `lost`, in merges of records (`matched`), in records that are gone
    or `named` in overrides; where something is gone, those too from whom a refused tie kept them. Their first
    identifiers are in `touched`, and what earlier builds knew of them is in `known_nodes`, `known_ties` and
    `known_holdings`.
    """
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE touched AS
        WITH met AS (SELECT one AS key FROM matched UNION SELECT other FROM matched
                     UNION SELECT key FROM before_records SEMI JOIN gone_records USING (record_id)
                     UNION SELECT UNNEST(?::VARCHAR[]))
        SELECT root FROM lost UNION SELECT root FROM arrived WHERE root IS NOT NULL
        UNION SELECT root FROM before_nodes SEMI JOIN met ON before_nodes.hash = HASH(met.key) UNION SELECT {NOBODY}""",
        [list(named)],
    )
    (gone,) = fetch_row(
        connection, "SELECT (SELECT COUNT(*) FROM lost) + (SELECT COUNT(*) FROM gone_records)"
    )
    if gone:
        _touch_kept_apart(connection)
    _recall_part(connection)
    choose_sightings(
        connection,
        f"""FROM ({mapped_sightings(silos)}) SEMI JOIN (
                SELECT sighting FROM before_sightings SEMI JOIN touched USING (root)
                UNION SELECT sighting FROM arriving) USING (sighting)""",
        shareable,
    )
    _place(connection, mapped_sightings(silos) if gone else None)
    assign_ids(connection)


def _touch_kept_apart(connection: duckdb.DuckDBPyConnection) -> None:
    """Add to `touched` who was refused a tie with those who are in it: what is gone may have dated or kept it."""
    connection.execute("""
        INSERT INTO touched
        WITH apart AS (
            SELECT a.root AS one, b.root AS other FROM before_ties
            JOIN before_nodes AS a ON a.key = "left" JOIN before_nodes AS b ON b.key = "right" WHERE NOT holds)
        SELECT other AS root FROM apart SEMI JOIN touched ON one = touched.root
        UNION SELECT one FROM apart SEMI JOIN touched ON other = touched.root
        EXCEPT FROM touched""")


def _recall_part(connection: duckdb.DuckDBPyConnection) -> None:
    """Narrow what earlier builds knew to the touched customers, and to identifiers that had none and arrived."""
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE part_nodes AS
        FROM before_nodes SEMI JOIN (FROM touched WHERE root <> {NOBODY}) USING (root)
        UNION ALL FROM before_nodes SEMI JOIN arrived USING (key) WHERE root = {NOBODY}""")
    connection.execute("""
        CREATE OR REPLACE TEMP TABLE part_ties AS
        FROM before_ties WHERE "left" IN (SELECT key FROM part_nodes) AND "right" IN (SELECT key FROM part_nodes)""")
    connection.execute("CREATE OR REPLACE TEMP VIEW known_nodes AS FROM part_nodes")
    connection.execute("CREATE OR REPLACE TEMP VIEW known_ties AS FROM part_ties")
    connection.execute("""
        CREATE OR REPLACE TEMP VIEW known_holdings AS
        SELECT part_nodes.key, roots.confers AS customer_id
        FROM part_nodes JOIN part_nodes AS roots ON roots.node = part_nodes.root""")


def _place(connection: duckdb.DuckDBPyConnection, rows: str | None) -> None:
    """Make `placed` of the part's identifiers: numbered anew from 0 for the loops over them, and as all are.

    First arrivals only move back while nothing is gone; else they are looked up in the `rows` of all sightings.
    """
    whole = """SELECT key, known.node, confers,
                      COALESCE(LEAST(known.first_seen_at, arrived.first_seen_at), known.first_seen_at,
                               arrived.first_seen_at) AS first_seen_at
               FROM known_nodes AS known FULL JOIN arrived USING (key)"""
    if rows is not None:
        whole = f"""
            SELECT key, node, confers, MIN(rows.arrived_at) AS first_seen_at
            FROM (SELECT UNNEST(keys) AS key, arrived_at FROM ({rows})) AS rows JOIN ({whole}) USING (key)
            GROUP BY ALL"""
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE placed AS
        WITH whole AS ({whole}), top AS (SELECT COALESCE(MAX(node), -1) + 1 AS top FROM before_nodes)
        SELECT ROW_NUMBER() OVER (ORDER BY whole.node, first_seen_at, key) - 1 AS node,
               COALESCE(whole.node, top + ROW_NUMBER() OVER (ORDER BY whole.node, first_seen_at, key) - 1) AS number,
               key, first_seen_at, confers
        FROM whole, top""")


_DECIDED_NODES = """SELECT number AS node, HASH(key) AS hash, key, confers, first_seen_at, root
            FROM nodes JOIN belonging USING (node)"""

_DECIDED_TIES = """
    SELECT a.key AS "left", b.key AS "right", arrived_at, match_probability, rule, holds
    FROM (SELECT left_node, right_node, arrived_at, match_probability, rule, true AS holds FROM ties UNION ALL
          SELECT left_node, right_node, arrived_at, match_probability, rule, false FROM refused)
    JOIN nodes AS a ON a.node = left_node JOIN nodes AS b ON b.node = right_node"""

_CROSSWALK = """
    SELECT source, source_key, customer_id, linked_at, unlinked_at, match_probability, rule,
           source || ':' || source_key AS key FROM before_crosswalk
    ANTI JOIN (SELECT SPLIT_PART(key, ':', 1) AS source, SUBSTR(key, STRPOS(key, ':') + 1) AS source_key
               FROM part_nodes) USING (source, source_key)"""

_GONE = {
    "nodes": "FROM touched",
    "sightings": "FROM touched",
    "ties": 'SELECT "left", "right", rule FROM part_ties',
    "records": "FROM gone_records UNION SELECT number FROM moved_records",
    "pairs": 'SELECT "left", "right" FROM changed_pairs',
}
"""Rows that a build which decides a part takes back, by the keys of GROWING."""

MOST_GENERATIONS = 8
"""Builds that may add to a table before it is written whole again; reading goes through all of their files."""


def publish(connection: duckdb.DuckDBPyConnection, before: PreviousBuild, matched: bool) -> None:
    """Make the engine's `crosswalk` and `sighting_customers`, and what the next store keeps of the large tables.

    It is what was decided now, and where that is a part, beside it what stays: the store keeps the files there were
    (`carried_files`, by `path`) and adds one. `matched` says that there are person records and pairs.
    """
    part = before.part
    _create_view(connection, "crosswalk", "FROM decided_crosswalk", _CROSSWALK if part else None)
    stay = "FROM before_sightings ANTI JOIN touched USING (root)" if part else None
    _create_view(connection, "sighting_customers", "FROM decided_sightings", stay)
    stay = f'FROM before_ties ANTI JOIN ({_GONE["ties"]}) USING ("left", "right", rule)' if part else None
    _create_view(connection, "now_ties", _DECIDED_TIES, stay)
    connection.execute("CREATE OR REPLACE TEMP TABLE carried_files (path VARCHAR)")
    new = {"nodes": _DECIDED_NODES, "sightings": "FROM decided_sightings", "ties": _DECIDED_TIES}
    if matched:
        new |= {"records": "FROM added_records", "pairs": "FROM added_pairs"}
    for name, rows in new.items():
        _view_for_store(connection, before, name, rows)
    if part:
        _carry_merges(connection)


def _view_for_store(
    connection: duckdb.DuckDBPyConnection, before: PreviousBuild, name: str, rows: str
) -> None:
    """Make the views of one table that the store is to write: of all that stands, or of what is added."""
    path = before.path(name)
    number = generation(path) + 1 if path else 0
    keys = ", ".join(f'"{key}"' for key in GROWING[name])
    stays = f"FROM before_{name} ANTI JOIN ({_GONE[name]}) USING ({keys})"
    if before.part and path and number <= MOST_GENERATIONS:
        _create_view(connection, f"{PREFIX}{name}.{number}", rows)
        _create_view(connection, f"{PREFIX}{name}.{number}.gone", _GONE[name])
        for file in (path, *path.parent.glob(f"{name}.*.parquet")):
            connection.execute("INSERT INTO carried_files VALUES (?)", [str(file)])
    elif before.part or name in ("records", "pairs"):
        _create_view(connection, f"{PREFIX}{name}", rows, stays)
    else:
        _create_view(connection, f"{PREFIX}{name}", rows)


def _create_view(
    connection: duckdb.DuckDBPyConnection, name: str, decided: str, carried: str | None = None
) -> None:
    rows = f"({carried}) UNION ALL BY NAME ({decided})" if carried else decided
    connection.execute(f'CREATE OR REPLACE TEMP VIEW "{name}" AS {rows}')


def _carry_merges(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("""
        INSERT INTO merges
        WITH now AS (SELECT customer_id FROM decided_crosswalk UNION SELECT customer_id FROM merges)
        SELECT customer_id, merged_into, merged_at FROM before_merges
        ANTI JOIN (SELECT DISTINCT customer_id AS merged_into FROM known_holdings) USING (merged_into)
        ANTI JOIN now USING (customer_id)""")
