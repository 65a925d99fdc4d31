"""Ties by shared exact identifiers: what was seen together in one record belongs together."""

from collections.abc import Sequence

import duckdb


def collect_sightings(connection: duckdb.DuckDBPyConnection, silos: Sequence[str]) -> None:
    """Fill the engine's tables `sightings`, `nodes` and `ties` from the silos' mapped rows.

    - `sightings`: one row per distinct set of identifiers seen in one record: `keys` (list of `type:value`) and
      `arrived_at`, the first arrival.
    - `nodes`: one row per identifier: `node` (numbered by first arrival, then key), `key`, `first_seen_at`.
    - `ties`: one row per pair of identifiers seen together: `left_node < right_node`, `arrived_at` (the first
      time), `match_probability`, `rule`. Probabilistic matching adds rows here.
    """
    union = " UNION ALL ".join(
        f"SELECT _keys AS keys, arrived_at FROM mapped_{name} WHERE _read AND reason IS NULL"
        for name in silos
    )
    connection.execute(
        f"CREATE OR REPLACE TABLE sightings AS SELECT keys, MIN(arrived_at) AS arrived_at FROM ({union}) GROUP BY keys"
    )
    connection.execute("""
        CREATE OR REPLACE TABLE nodes AS
        SELECT ROW_NUMBER() OVER (ORDER BY MIN(arrived_at), key) - 1 AS node, key, MIN(arrived_at) AS first_seen_at
        FROM (SELECT UNNEST(keys) AS key, arrived_at FROM sightings) GROUP BY key""")
    # A star from the first identifier joins all of a record's identifiers with the fewest ties.
    connection.execute("""
        CREATE OR REPLACE TABLE ties AS
        SELECT LEAST(a.node, b.node) AS left_node, GREATEST(a.node, b.node) AS right_node,
               MIN(pairs.arrived_at) AS arrived_at, 1.0 AS match_probability, 'same record' AS rule
        FROM (SELECT keys[1] AS one, UNNEST(keys[2:]) AS other, arrived_at FROM sightings) AS pairs
        JOIN nodes AS a ON a.key = pairs.one JOIN nodes AS b ON b.key = pairs.other
        WHERE a.node <> b.node GROUP BY 1, 2""")
