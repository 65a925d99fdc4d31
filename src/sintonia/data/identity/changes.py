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
from sintonia.data.identity.previous_build import GROWING, NOBODY, PreviousBuild, generation
from sintonia.data.identity.relations import (
    ADDED_PAIRS,
    ADDED_RECORDS,
    ARRIVED,
    ARRIVING,
    BEFORE_CROSSWALK,
    BEFORE_MERGES,
    BEFORE_NODES,
    BEFORE_RECORDS,
    BEFORE_SIGHTINGS,
    BEFORE_TIES,
    BELONGING,
    CARRIED_FILES,
    CHANGED_PAIRS,
    CROSSWALK,
    DECIDED_CROSSWALK,
    DECIDED_SIGHTINGS,
    GONE_RECORDS,
    KNOWN_HOLDINGS,
    KNOWN_NODES,
    KNOWN_TIES,
    LOST,
    MATCHED,
    MERGES,
    MOVED_RECORDS,
    NODES,
    NOW_TIES,
    PART_NODES,
    PART_TIES,
    PLACED,
    PREFIX,
    PREVIOUS,
    REFUSED,
    SIGHTING_CUSTOMERS,
    TIES,
    TOUCHED,
)
from sintonia.data.identity.sightings import assign_ids, choose_sightings, mapped_sightings

MOST_CHANGED = 0.2
"""Share of sightings that may have changed for a part to be decided; beyond it everything is as quick."""


def find_changes(connection: duckdb.DuckDBPyConnection, silos: Sequence[str], before: PreviousBuild) -> bool:
    """Return whether a part is enough: decisions stand, and few sightings changed since. Then the engine has

    - ARRIVING: one row per sighting that is new, or now known to have arrived earlier: `sighting`, `keys`,
      `arrived_at`;
    - ARRIVED: one row per identifier of these: `key`, `first_seen_at` among them, its `node` of earlier builds and
      the `root` of its customer then, null for a new one;
    - LOST: the sightings that are gone, or arrived later than was said, with their customer's `root`.
    """
    if not before.decisions or before.path("sightings") is None:
        return False
    from sintonia.data.identity.kernels import compare

    rows = mapped_sightings(silos)
    known, now = _hashes(connection, str(BEFORE_SIGHTINGS)), _hashes(connection, f"({rows})")
    changed, lost = compare(*known, *now)
    if np.count_nonzero(changed) + np.count_nonzero(lost) > MOST_CHANGED * len(known[0]):
        return False
    for name, hashes in (("changed_hashes", now[0][changed]), ("lost_hashes", known[0][lost])):
        connection.register(name, pa.table({"sighting": np.unique(hashes).view(np.uint64)}))
    ARRIVING.create_table(
        connection,
        f"""
        SELECT sighting, ANY_VALUE(keys) AS keys, MIN(arrived_at) AS arrived_at
        FROM ({rows}) SEMI JOIN changed_hashes USING (sighting) GROUP BY sighting""",
    )
    LOST.create_table(
        connection,
        f"""
        SELECT sighting, root FROM {BEFORE_SIGHTINGS} SEMI JOIN lost_hashes USING (sighting)""",
    )
    connection.unregister("changed_hashes")
    connection.unregister("lost_hashes")
    ARRIVED.create_table(
        connection,
        f"""
        SELECT first_seen.key, before.node, before.root, first_seen.first_seen_at
        FROM (SELECT key, MIN(arrived_at) AS first_seen_at
              FROM (SELECT UNNEST(keys) AS key, arrived_at FROM {ARRIVING}) GROUP BY key) AS first_seen
        LEFT JOIN {BEFORE_NODES} AS before ON before.hash = HASH(first_seen.key)""",
    )
    return True


def _hashes(connection: duckdb.DuckDBPyConnection, source: str) -> tuple[Ints, Ints]:
    """Return the sightings of a relation as whole numbers, and when each arrived (microseconds)."""
    query = f"SELECT sighting, EPOCH_US(arrived_at) AS arrived_at FROM {source}"
    columns = connection.execute(query).fetchnumpy()
    sighting, arrived_at = (np.asarray(columns[name]) for name in ("sighting", "arrived_at"))
    return sighting.view(np.int64), arrived_at


def collect_part(
    connection: duckdb.DuckDBPyConnection,
    silos: Sequence[str],
    shareable: Sequence[str],
    named: Sequence[str],
) -> None:
    """Fill SIGHTINGS and NODES as `collect_sightings` does, for the customers that changes touch.

    These are whose identifiers are in ARRIVED or LOST, in merges of records (MATCHED), in records that are gone
    or `named` in overrides; where something is gone, those too from whom a refused tie kept them. Their first
    identifiers are in TOUCHED, and what earlier builds knew of them is in KNOWN_NODES, KNOWN_TIES and
    KNOWN_HOLDINGS.
    """
    TOUCHED.create_table(
        connection,
        f"""
        WITH named AS (SELECT one AS key FROM {MATCHED} UNION SELECT other FROM {MATCHED}
                     UNION SELECT key FROM {BEFORE_RECORDS} SEMI JOIN {GONE_RECORDS} USING (record_id)
                     UNION SELECT UNNEST(?::VARCHAR[]))
        SELECT root FROM {LOST} UNION SELECT root FROM {ARRIVED} WHERE root IS NOT NULL
        UNION SELECT root FROM {BEFORE_NODES} SEMI JOIN named ON {BEFORE_NODES}.hash = HASH(named.key)
        UNION SELECT {NOBODY}""",
        [list(named)],
    )
    (gone,) = fetch_row(
        connection, f"SELECT (SELECT COUNT(*) FROM {LOST}) + (SELECT COUNT(*) FROM {GONE_RECORDS})"
    )
    if gone:
        _touch_kept_apart(connection)
    _recall_part(connection)
    choose_sightings(
        connection,
        f"""FROM ({mapped_sightings(silos)}) SEMI JOIN (
                SELECT sighting FROM {BEFORE_SIGHTINGS} SEMI JOIN {TOUCHED} USING (root)
                UNION SELECT sighting FROM {ARRIVING}) USING (sighting)""",
        shareable,
    )
    _place(connection, mapped_sightings(silos) if gone else None)
    assign_ids(connection)


def _touch_kept_apart(connection: duckdb.DuckDBPyConnection) -> None:
    """Add to TOUCHED who was refused a tie with those who are in it: what is gone may have dated or kept it."""
    connection.execute(f"""
        INSERT INTO {TOUCHED}
        WITH apart AS (
            SELECT a.root AS one, b.root AS other FROM {BEFORE_TIES}
            JOIN {BEFORE_NODES} AS a ON a.key = "left" JOIN {BEFORE_NODES} AS b ON b.key = "right" WHERE NOT holds)
        SELECT other AS root FROM apart SEMI JOIN {TOUCHED} ON one = {TOUCHED}.root
        UNION SELECT one FROM apart SEMI JOIN {TOUCHED} ON other = {TOUCHED}.root
        EXCEPT FROM {TOUCHED}""")


def _recall_part(connection: duckdb.DuckDBPyConnection) -> None:
    """Narrow what earlier builds knew to the touched customers, and to identifiers that had none and arrived."""
    PART_NODES.create_table(
        connection,
        f"""
        FROM {BEFORE_NODES} SEMI JOIN (FROM {TOUCHED} WHERE root <> {NOBODY}) USING (root)
        UNION ALL FROM {BEFORE_NODES} SEMI JOIN {ARRIVED} USING (key) WHERE root = {NOBODY}""",
    )
    PART_TIES.create_table(
        connection,
        f"""
        FROM {BEFORE_TIES}
        WHERE "left" IN (SELECT key FROM {PART_NODES}) AND "right" IN (SELECT key FROM {PART_NODES})""",
    )
    KNOWN_NODES.create_view(connection, f"FROM {PART_NODES}")
    KNOWN_TIES.create_view(connection, f"FROM {PART_TIES}")
    KNOWN_HOLDINGS.create_view(
        connection,
        f"""
        SELECT {PART_NODES}.key, roots.confers AS customer_id
        FROM {PART_NODES} JOIN {PART_NODES} AS roots ON roots.node = {PART_NODES}.root""",
    )


def _place(connection: duckdb.DuckDBPyConnection, rows: str | None) -> None:
    """Make PLACED of the part's identifiers: numbered anew from 0 for the loops over them, and as all are.

    First arrivals only move back while nothing is gone; else they are looked up in the `rows` of all sightings.
    """
    identifiers = f"""SELECT key, known.node, confers,
                      COALESCE(LEAST(known.first_seen_at, {ARRIVED}.first_seen_at), known.first_seen_at,
                               {ARRIVED}.first_seen_at) AS first_seen_at
               FROM {KNOWN_NODES} AS known FULL JOIN {ARRIVED} USING (key)"""
    if rows is not None:
        identifiers = f"""
            SELECT key, node, confers, MIN(rows.arrived_at) AS first_seen_at
            FROM (SELECT UNNEST(keys) AS key, arrived_at FROM ({rows})) AS rows JOIN ({identifiers}) USING (key)
            GROUP BY ALL"""
    PLACED.create_table(
        connection,
        f"""
        WITH identifiers AS ({identifiers}), top AS (SELECT COALESCE(MAX(node), -1) + 1 AS top FROM {BEFORE_NODES})
        SELECT ROW_NUMBER() OVER (ORDER BY identifiers.node, first_seen_at, key) - 1 AS node,
               COALESCE(identifiers.node,
                        top + ROW_NUMBER() OVER (ORDER BY identifiers.node, first_seen_at, key) - 1) AS number,
               key, first_seen_at, confers
        FROM identifiers, top""",
    )


_DECIDED_NODES = f"""SELECT number AS node, HASH(key) AS hash, key, confers, first_seen_at, root
            FROM {NODES} JOIN {BELONGING} USING (node)"""

_DECIDED_TIES = f"""
    SELECT a.key AS "left", b.key AS "right", arrived_at, match_probability, rule, holds
    FROM (SELECT left_node, right_node, arrived_at, match_probability, rule, true AS holds FROM {TIES} UNION ALL
          SELECT left_node, right_node, arrived_at, match_probability, rule, false FROM {REFUSED})
    JOIN {NODES} AS a ON a.node = left_node JOIN {NODES} AS b ON b.node = right_node"""

_CROSSWALK = f"""
    SELECT source, source_key, customer_id, linked_at, unlinked_at, match_probability, rule
    FROM {BEFORE_CROSSWALK}
    ANTI JOIN (SELECT SPLIT_PART(key, ':', 1) AS source, SUBSTR(key, STRPOS(key, ':') + 1) AS source_key
               FROM {PART_NODES}) USING (source, source_key)"""

_GONE = {
    "nodes": f"FROM {TOUCHED}",
    "sightings": f"FROM {TOUCHED}",
    "ties": f'SELECT "left", "right", rule FROM {PART_TIES}',
    "records": f"FROM {GONE_RECORDS} UNION SELECT number FROM {MOVED_RECORDS}",
    "pairs": f'SELECT "left", "right" FROM {CHANGED_PAIRS}',
}
"""Rows that a build which decides a part takes back, by the keys of GROWING."""

MOST_GENERATIONS = 8
"""Builds that may add to a table before it is written whole again; reading goes through all of their files."""


def publish(connection: duckdb.DuckDBPyConnection, before: PreviousBuild, matched: bool) -> None:
    """Make CROSSWALK and SIGHTING_CUSTOMERS, and what the next store keeps of the large tables.

    It is what was decided now, and where that is a part, beside it what stays: the store keeps the files there were
    (CARRIED_FILES, by `path`) and adds one. `matched` says that there are person records and pairs.
    """
    part = before.part
    CROSSWALK.create_view(
        connection,
        _with_carried(f"SELECT * EXCLUDE (key) FROM {DECIDED_CROSSWALK}", _CROSSWALK if part else None),
    )
    stay = f"FROM {BEFORE_SIGHTINGS} ANTI JOIN {TOUCHED} USING (root)" if part else None
    SIGHTING_CUSTOMERS.create_view(connection, _with_carried(f"FROM {DECIDED_SIGHTINGS}", stay))
    stay = f'FROM {BEFORE_TIES} ANTI JOIN ({_GONE["ties"]}) USING ("left", "right", rule)' if part else None
    NOW_TIES.create_view(connection, _with_carried(_DECIDED_TIES, stay))
    CARRIED_FILES.create_table(connection, CARRIED_FILES.no_rows())
    new = {"nodes": _DECIDED_NODES, "sightings": f"FROM {DECIDED_SIGHTINGS}", "ties": _DECIDED_TIES}
    if matched:
        new |= {"records": f"FROM {ADDED_RECORDS}", "pairs": f"FROM {ADDED_PAIRS}"}
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
    stays = f"FROM {PREVIOUS[name]} ANTI JOIN ({_GONE[name]}) USING ({keys})"
    if before.part and path and number <= MOST_GENERATIONS:
        _create_view(connection, f"{PREFIX}{name}.{number}", rows)
        _create_view(connection, f"{PREFIX}{name}.{number}.gone", _GONE[name])
        for file in (path, *path.parent.glob(f"{name}.*.parquet")):
            connection.execute(f"INSERT INTO {CARRIED_FILES} VALUES (?)", [str(file)])
    elif before.part or name in ("records", "pairs"):
        _create_view(connection, f"{PREFIX}{name}", rows, stays)
    else:
        _create_view(connection, f"{PREFIX}{name}", rows)


def _create_view(
    connection: duckdb.DuckDBPyConnection, name: str, decided: str, carried: str | None = None
) -> None:
    connection.execute(f'CREATE OR REPLACE TEMP VIEW "{name}" AS {_with_carried(decided, carried)}')


def _with_carried(decided: str, carried: str | None) -> str:
    """Return the SQL of the rows that were decided now, and of those that are carried over."""
    return f"({carried}) UNION ALL BY NAME ({decided})" if carried else decided


def _carry_merges(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(f"""
        INSERT INTO {MERGES}
        WITH now AS (SELECT customer_id FROM {DECIDED_CROSSWALK} UNION SELECT customer_id FROM {MERGES})
        SELECT customer_id, merged_into, merged_at FROM {BEFORE_MERGES}
        ANTI JOIN (SELECT DISTINCT customer_id AS merged_into FROM {KNOWN_HOLDINGS}) USING (merged_into)
        ANTI JOIN now USING (customer_id)""")
