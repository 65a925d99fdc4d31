"""Ties by shared exact identifiers: what was seen together in one record belongs together."""

from collections.abc import Sequence

import duckdb

from sintonia.identity.ids import confer_ids


def collect_sightings(
    connection: duckdb.DuckDBPyConnection, silos: Sequence[str], shareable: Sequence[str] = ()
) -> None:
    """Fill the engine's tables `sightings`, `nodes`, `ties` and `refused` from the silos' mapped rows.

    - `sightings`: one row per distinct set of identifiers seen in one record: `keys` (list of `type:value`),
      `arrived_at`, the first arrival, and `lead`, the key that says whose record it is: the first of a type that
      is not `shareable`, else the first.
    - `nodes`: one row per identifier: `node` (those of earlier builds in their order, `before_nodes`, then by first
      arrival and key), `key`, `first_seen_at`, and `confers`, the id that a customer has who starts with it.
    - `ties`: one row per pair of identifiers seen together: `left_node < right_node`, `arrived_at` (the first
      time), `match_probability`, `rule`. Probabilistic matching adds rows here.
    - `refused`: ties that do not hold, none yet.
    """
    union = " UNION ALL ".join(
        f"SELECT _keys AS keys, arrived_at FROM mapped_{name} WHERE _read AND reason IS NULL"
        for name in silos
    )
    connection.execute(f"""
        CREATE OR REPLACE TABLE sightings AS
        SELECT keys, MIN(arrived_at) AS arrived_at, {lead("keys", shareable)} AS lead FROM ({union}) GROUP BY keys""")
    connection.execute("""
        CREATE OR REPLACE TABLE nodes AS
        WITH seen AS (SELECT key, MIN(arrived_at) AS first_seen_at
                      FROM (SELECT UNNEST(keys) AS key, arrived_at FROM sightings) GROUP BY key)
        SELECT ROW_NUMBER() OVER (ORDER BY before.node, first_seen_at, key) - 1 AS node, key, first_seen_at,
               before.confers
        FROM seen LEFT JOIN before_nodes AS before USING (key)""")
    confer_ids(connection)
    # A star from the lead joins all of a record's identifiers with the fewest ties.
    connection.execute("""
        CREATE OR REPLACE TABLE ties AS
        SELECT LEAST(a.node, b.node) AS left_node, GREATEST(a.node, b.node) AS right_node,
               MIN(pairs.arrived_at) AS arrived_at, 1e0 AS match_probability, 'same record' AS rule
        FROM (SELECT lead AS one, UNNEST(keys) AS other, arrived_at FROM sightings) AS pairs
        JOIN nodes AS a ON a.key = pairs.one JOIN nodes AS b ON b.key = pairs.other
        WHERE a.node <> b.node GROUP BY 1, 2""")
    connection.execute("CREATE OR REPLACE TABLE refused AS FROM ties WHERE false")


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
    return f"COALESCE({own}[1], {keys}[1])"
