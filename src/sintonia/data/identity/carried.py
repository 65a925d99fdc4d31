"""What the next store holds of identities: what was decided now, and beside it what stays as it was.

All of it is views, read when the store is written; files of rows that stay go on under the next store's name.
"""

import duckdb

from sintonia.data.identity.files import GROWING, PREFIX, generation
from sintonia.data.identity.state import PreviousBuild

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
