"""Sightings of identifiers: ties between those seen in one record, and customer ids that survive rebuilds.

Every identifier has a customer id of its own, which the customer gets whose first identifier it is, for good.
"""

from collections.abc import Sequence

import duckdb

from sintonia.core.engine import fetch_row


def assign_ids(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table `nodes` of `placed`, `confers` filled: as in earlier builds, and for new identifiers their own.

    The id is the key itself where a source has a single kind of key, now and in the build before, else a hash of it,
    which shows no e-mail or phone. Where the first identifier of an earlier customer is no longer in any silo, the
    first that is left takes over its id.
    """
    kinds = connection.execute("SELECT DISTINCT SPLIT_PART(key, ':', 1) FROM placed").fetchall()
    plain = len(kinds) == 1 and kinds[0][0] not in ("email", "phone") and not _others(connection, kinds[0][0])
    own = "SUBSTR(key, STRPOS(key, ':') + 1)" if plain else "'C' || UPPER(SUBSTR(SHA256(key), 1, 16))"
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE nodes AS
        SELECT node, number, key, first_seen_at, COALESCE(heirs.confers, placed.confers, {own}) AS confers
        FROM placed LEFT JOIN ({_heirs(connection)}) AS heirs USING (node)""")
    connection.execute("DROP TABLE placed")


def _others(connection: duckdb.DuckDBPyConnection, kind: str) -> bool:
    """Return whether the build before knew identifiers of another kind."""
    query = "SELECT 1 FROM before_nodes WHERE SPLIT_PART(key, ':', 1) <> ? LIMIT 1"
    return bool(connection.execute(query, [kind]).fetchall())


def _heirs(connection: duckdb.DuckDBPyConnection) -> str:
    """Return the SQL of the nodes that take over an id, with the id."""
    gone = "known_nodes AS gone ANTI JOIN placed USING (key)"
    (orphans,) = fetch_row(connection, f"SELECT COUNT(*) FROM {gone}")
    if not orphans:
        return "SELECT 0 AS node, '' AS confers WHERE false"
    return f"""
        SELECT gone.confers, MIN(placed.node) AS node
        FROM (FROM {gone}) AS gone JOIN known_holdings ON customer_id = gone.confers
        JOIN placed ON placed.key = known_holdings.key GROUP BY gone.confers"""


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
    """Fill the engine's tables `sightings` and `nodes` from the silos' mapped rows.

    - `sightings`: one row per distinct set of identifiers seen in one record: `sighting`, `keys` (list of
      `type:value`), `arrived_at`, the first arrival, and `lead`, the key that says whose record it is: the first of
      a type that is not `shareable`, else the first.
    - `nodes`: one row per identifier: `node` (those of earlier builds in their order, `before_nodes`, then by first
      arrival and key), `number` (the same here), `key`, `first_seen_at`, and `confers`, the id that a customer has
      who starts with it.

    They are temporary tables, which the engine does not compress as it does tables that stay: that costs half.
    """
    choose_sightings(connection, mapped_sightings(silos), shareable)
    connection.execute("""
        CREATE OR REPLACE TEMP TABLE placed AS
        WITH seen AS (SELECT key, MIN(arrived_at) AS first_seen_at
                      FROM (SELECT UNNEST(keys) AS key, arrived_at FROM sightings) GROUP BY key)
        SELECT *, node AS number FROM (
            SELECT ROW_NUMBER() OVER (ORDER BY before.node, seen.first_seen_at, key) - 1 AS node,
                   key, seen.first_seen_at, before.confers
            FROM seen LEFT JOIN before_nodes AS before USING (key))""")
    assign_ids(connection)


def choose_sightings(connection: duckdb.DuckDBPyConnection, rows: str, shareable: Sequence[str]) -> None:
    """Fill `sightings` from the SQL of rows (`sighting`, `keys`, `arrived_at`)."""
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE sightings AS
        SELECT sighting, keys, arrived_at, {lead("keys", shareable)} AS lead
        FROM (SELECT sighting, ANY_VALUE(keys) AS keys, MIN(arrived_at) AS arrived_at FROM ({rows}) GROUP BY sighting)
        """)


def tie_sightings(connection: duckdb.DuckDBPyConnection) -> None:
    """Fill the engine's tables `seen`, `ties` and `refused` from `sightings` and `nodes`.

    - `seen`: one row per (`sighting`, `node`) of a sighting and its identifiers, with its `lead_node`.
    - `ties`: one row per pair of identifiers seen together: `left_node < right_node`, `arrived_at` (the first
      time), `match_probability`, `rule`. Probabilistic matching adds rows here.
    - `refused`: ties that do not hold, none yet.
    """
    connection.execute("""
        CREATE OR REPLACE TEMP TABLE seen AS
        WITH unnested AS (SELECT sighting, lead, UNNEST(keys) AS key FROM sightings)
        SELECT sighting, node, node AS lead_node FROM unnested JOIN nodes USING (key) WHERE key = lead
        UNION ALL
        SELECT sighting, a.node, b.node
        FROM unnested JOIN nodes AS a USING (key) JOIN nodes AS b ON b.key = lead WHERE unnested.key <> lead""")
    # A star from the lead joins all of a record's identifiers with the fewest ties.
    connection.execute("""
        CREATE OR REPLACE TEMP TABLE ties AS
        SELECT LEAST(node, lead_node) AS left_node, GREATEST(node, lead_node) AS right_node,
               MIN(arrived_at) AS arrived_at, 1e0 AS match_probability, 'same record' AS rule
        FROM seen JOIN sightings USING (sighting) WHERE node <> lead_node GROUP BY 1, 2""")
    connection.execute("CREATE OR REPLACE TEMP TABLE refused AS FROM ties WHERE false")


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
