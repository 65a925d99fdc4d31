"""Sightings of identifiers: ties between those seen in one record, and customer ids that survive rebuilds.

Every identifier has a customer id of its own, which the customer gets whose first identifier it is, for good.
"""

from collections.abc import Sequence

import duckdb

from sintonia.core.engine import fetch_row
from sintonia.data.identity.relations import (
    BEFORE_NODES,
    KNOWN_HOLDINGS,
    KNOWN_NODES,
    NODES,
    PLACED,
    REFUSED,
    SEEN,
    SIGHTINGS,
    TIES,
)


def assign_ids(connection: duckdb.DuckDBPyConnection) -> None:
    """Make NODES of PLACED, `confers` filled: as in earlier builds, and for new identifiers their own.

    The id is the key itself where a source has a single kind of key, now and in the build before, else a hash of it,
    which shows no e-mail or phone. Where the first identifier of an earlier customer is no longer in any silo, the
    first that is left takes over its id.
    """
    kinds = connection.execute(f"SELECT DISTINCT SPLIT_PART(key, ':', 1) FROM {PLACED}").fetchall()
    plain = len(kinds) == 1 and kinds[0][0] not in ("email", "phone") and not _others(connection, kinds[0][0])
    own = "SUBSTR(key, STRPOS(key, ':') + 1)" if plain else "'C' || UPPER(SUBSTR(SHA256(key), 1, 16))"
    NODES.create_table(
        connection,
        f"""
        SELECT node, number, key, first_seen_at, COALESCE(heirs.confers, {PLACED}.confers, {own}) AS confers
        FROM {PLACED} LEFT JOIN ({_heirs(connection)}) AS heirs USING (node)""",
    )
    PLACED.drop(connection)


def _others(connection: duckdb.DuckDBPyConnection, kind: str) -> bool:
    """Return whether the build before knew identifiers of another kind."""
    query = f"SELECT 1 FROM {BEFORE_NODES} WHERE SPLIT_PART(key, ':', 1) <> ? LIMIT 1"
    return bool(connection.execute(query, [kind]).fetchall())


def _heirs(connection: duckdb.DuckDBPyConnection) -> str:
    """Return the SQL of the nodes that take over an id, with the id."""
    gone_nodes = f"{KNOWN_NODES} AS gone ANTI JOIN {PLACED} USING (key)"
    (orphans,) = fetch_row(connection, f"SELECT COUNT(*) FROM {gone_nodes}")
    if not orphans:
        return "SELECT 0 AS node, '' AS confers WHERE false"
    return f"""
        SELECT gone.confers, MIN({PLACED}.node) AS node
        FROM (FROM {gone_nodes}) AS gone JOIN {KNOWN_HOLDINGS} ON customer_id = gone.confers
        JOIN {PLACED} ON {PLACED}.key = {KNOWN_HOLDINGS}.key GROUP BY gone.confers"""


SIGHTING = "HASH(_keys)"
"""The SQL of a mapped row's sighting: 64 bits that stand for its set of identifiers.

Among ten million sets two are taken for one in one build of 370,000 (n^2 / 2^65), so that texts need no comparing.
"""


def mapped_sightings(silos: Sequence[str]) -> str:
    """Return the SQL of the silos' rows as `sighting`, `keys` and `arrived_at`."""
    return " UNION ALL ".join(
        f"""SELECT {SIGHTING} AS sighting, _keys AS keys, arrived_at FROM mapped_{name}
            WHERE _read AND reason IS NULL"""
        for name in silos
    )


def collect_sightings(
    connection: duckdb.DuckDBPyConnection, silos: Sequence[str], shareable: Sequence[str] = ()
) -> None:
    """Fill SIGHTINGS and NODES from the silos' mapped rows.

    - SIGHTINGS: one row per distinct set of identifiers seen in one record: `sighting`, `keys` (list of
      `type:value`), `arrived_at`, the first arrival, and `lead`, the key that says whose record it is: the first of
      a type that is not `shareable`, else the first.
    - NODES: one row per identifier: `node` (those of earlier builds in their order, BEFORE_NODES, then by first
      arrival and key), `number` (the same here), `key`, `first_seen_at`, and `confers`, the id that a customer has
      who starts with it.

    They are temporary tables, which the engine does not compress as it does tables that stay: that costs half.
    """
    choose_sightings(connection, mapped_sightings(silos), shareable)
    PLACED.create_table(
        connection,
        f"""
        WITH first_seen AS (SELECT key, MIN(arrived_at) AS first_seen_at
                            FROM (SELECT UNNEST(keys) AS key, arrived_at FROM {SIGHTINGS}) GROUP BY key)
        SELECT node, node AS number, key, first_seen_at, confers FROM (
            SELECT ROW_NUMBER() OVER (ORDER BY before.node, first_seen.first_seen_at, key) - 1 AS node,
                   key, first_seen.first_seen_at, before.confers
            FROM first_seen LEFT JOIN {BEFORE_NODES} AS before USING (key))""",
    )
    assign_ids(connection)


def choose_sightings(connection: duckdb.DuckDBPyConnection, rows: str, shareable: Sequence[str]) -> None:
    """Fill SIGHTINGS from the SQL of rows (`sighting`, `keys`, `arrived_at`)."""
    SIGHTINGS.create_table(
        connection,
        f"""
        SELECT sighting, keys, arrived_at, {lead("keys", shareable)} AS lead
        FROM (SELECT sighting, ANY_VALUE(keys) AS keys, MIN(arrived_at) AS arrived_at FROM ({rows}) GROUP BY sighting)
        """,
    )


def tie_sightings(connection: duckdb.DuckDBPyConnection) -> None:
    """Fill SEEN, TIES and REFUSED from SIGHTINGS and NODES.

    - SEEN: one row per (`sighting`, `node`) of a sighting and its identifiers, with its `lead_node`.
    - TIES: one row per pair of identifiers seen together: `left_node < right_node`, `arrived_at` (the first
      time), `match_probability`, `rule`. Probabilistic matching adds rows here.
    - REFUSED: ties that do not hold, none yet.
    """
    SEEN.create_table(
        connection,
        f"""
        WITH unnested AS (SELECT sighting, lead, UNNEST(keys) AS key FROM {SIGHTINGS})
        SELECT sighting, node, node AS lead_node FROM unnested JOIN {NODES} USING (key) WHERE key = lead
        UNION ALL
        SELECT sighting, a.node, b.node
        FROM unnested JOIN {NODES} AS a USING (key) JOIN {NODES} AS b ON b.key = lead WHERE unnested.key <> lead""",
    )
    # A star from the lead joins all of a record's identifiers with the fewest ties.
    TIES.create_table(
        connection,
        f"""
        SELECT LEAST(node, lead_node) AS left_node, GREATEST(node, lead_node) AS right_node,
               MIN(arrived_at) AS arrived_at, 1e0 AS match_probability, 'same record' AS rule
        FROM {SEEN} JOIN {SIGHTINGS} USING (sighting) WHERE node <> lead_node GROUP BY 1, 2""",
    )
    REFUSED.create_table(connection, REFUSED.no_rows())


def lead(keys: str, shareable: Sequence[str]) -> str:
    """Return the SQL of the key that says whose record it is, from the SQL of a record's keys.

    Examples
    --------
    >>> lead("keys", [])
    'keys[1]'
    """
    if not shareable:
        return f"{keys}[1]"
    listed = ", ".join(f"'{kind}'" for kind in shareable)
    own = f"LIST_FILTER({keys}, LAMBDA key: SPLIT_PART(key, ':', 1) NOT IN ({listed}))"
    # Most need no choosing: they have one identifier, or their first one is not shareable.
    plain = f"LEN({keys}) = 1 OR SPLIT_PART({keys}[1], ':', 1) NOT IN ({listed})"
    return f"CASE WHEN {plain} THEN {keys}[1] ELSE COALESCE({own}[1], {keys}[1]) END"
