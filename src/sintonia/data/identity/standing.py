"""Which ties stand: those of shared identifiers, of matched records and of overrides, less what rules forbid."""

import duckdb
import numpy as np
import pyarrow as pa

from sintonia.core.arrays import Ints
from sintonia.core.config import IdentityConfig
from sintonia.core.engine import fetch_row
from sintonia.core.progress import log
from sintonia.data.identity.guards import Rules, Ties, accepted
from sintonia.data.identity.overrides import Overrides


def settle_ties(connection: duckdb.DuckDBPyConnection, config: IdentityConfig, overrides: Overrides) -> None:
    """Leave in the table `ties` those that stand, and in `refused` the others.

    To the ties of shared identifiers come those of matched person records (rule 'match') and of overrides
    ('must-link'); an identifier of several people or a cannot-link forbids some. What was decided before stands
    (`known_ties`), and only new ties are judged.
    """
    nodes = _nodes(connection, overrides.keys)
    must, cannot = overrides.among(nodes)
    unknown = len(overrides.must) + len(overrides.cannot) - len(must) - len(cannot)
    if unknown:
        log.warning("%d overrides name identifiers that no silo has; left alone", unknown)
    _add_matches(connection)
    for one, other in must:
        connection.execute(
            """INSERT INTO ties SELECT MIN(node), MAX(node), MAX(first_seen_at), 1.0, 'must-link' FROM nodes
               WHERE node IN (?, ?)""",
            [one, other],
        )
    _refuse(connection, config, cannot)


def _nodes(connection: duckdb.DuckDBPyConnection, keys: list[str]) -> dict[str, int]:
    if not keys:
        return {}
    query = "SELECT key, node FROM nodes WHERE key IN (SELECT UNNEST(?::VARCHAR[]))"
    return dict(connection.execute(query, [keys]).fetchall())


def _add_matches(connection: duckdb.DuckDBPyConnection) -> None:
    """Add the ties of merges made in earlier builds and now; one of two records that are gone is gone too."""
    connection.execute("""
        INSERT INTO ties
        WITH all_matched AS (
            SELECT one, other, arrived_at, match_probability FROM matched
            UNION ALL
            SELECT "left", "right", arrived_at, match_probability FROM known_ties
            WHERE rule = 'match' AND "left" IN (SELECT key FROM all_records)
              AND "right" IN (SELECT key FROM all_records)),
        placed AS (
            SELECT a.node AS one, b.node AS other, arrived_at, match_probability
            FROM all_matched JOIN nodes AS a ON a.key = one JOIN nodes AS b ON b.key = other)
        SELECT LEAST(one, other), GREATEST(one, other), MIN(arrived_at), ARG_MIN(match_probability, arrived_at), 'match'
        FROM placed WHERE one <> other GROUP BY 1, 2""")


def _refuse(
    connection: duckdb.DuckDBPyConnection, config: IdentityConfig, cannot: list[tuple[int, int]]
) -> None:
    """Move the ties that do not hold from the table `ties` to the table `refused`."""
    listed = ", ".join(f"'{kind}'" for kind in config.shareable) or "NULL"
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE numbered AS
        SELECT ties.*, ROW_NUMBER() OVER (ORDER BY ties.arrived_at, left_node, right_node, ties.rule) - 1 AS tie,
               CASE WHEN SPLIT_PART(a.key, ':', 1) IN ({listed}) THEN left_node
                    WHEN SPLIT_PART(b.key, ':', 1) IN ({listed}) THEN right_node END AS identifier,
               ties.rule = 'same record' AND identifier IS NOT NULL AS shareable, known.holds
        FROM ties JOIN nodes AS a ON a.node = left_node JOIN nodes AS b ON b.node = right_node
        LEFT JOIN known_ties AS known ON known."left" = a.key AND known."right" = b.key AND known.rule = ties.rule
        """)
    refused = _refused(connection, Rules(_naming(connection), config.persons_per_identifier, cannot))
    connection.register("refused_ties", pa.table({"tie": refused}))
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE refused AS FROM numbered SEMI JOIN refused_ties USING (tie)"
    )
    connection.execute("""CREATE OR REPLACE TEMP TABLE ties AS SELECT * EXCLUDE (tie, identifier, shareable, holds)
                          FROM numbered ANTI JOIN refused_ties USING (tie)""")
    connection.unregister("refused_ties")


def _refused(connection: duckdb.DuckDBPyConnection, rules: Rules) -> Ints:
    """Return the numbers of the ties that do not hold: those refused before, and of the new ones what rules forbid."""
    told = connection.execute("""SELECT left_node, right_node, EPOCH_US(arrived_at) AS arrived_at, shareable,
                                        CASE holds WHEN true THEN 1 WHEN false THEN 0 ELSE -1 END AS held
                                 FROM numbered ORDER BY tie""").fetchnumpy()
    (n_nodes,) = fetch_row(connection, "SELECT COUNT(*) FROM nodes")
    left, right, arrived_at = (
        np.asarray(told[name], np.int64) for name in ("left_node", "right_node", "arrived_at")
    )
    whole = Ties(left, right, arrived_at, np.asarray(told["shareable"], bool))
    held = np.asarray(told["held"])
    new = np.flatnonzero(held < 0)
    forbidden = new[~accepted(n_nodes, whole.take(new), rules, whole.take(np.flatnonzero(held == 1)))]
    return np.sort(np.append(np.flatnonzero(held == 0), forbidden))


def _naming(connection: duckdb.DuckDBPyConnection) -> dict[int, int]:
    """Return the nodes whose person records name somebody, with their first arrival."""
    named = connection.execute("""SELECT node, MIN(arrived_at) FROM all_records JOIN nodes USING (key)
                                  WHERE names GROUP BY node ORDER BY node""").fetchall()
    return dict(named)
