"""Which ties hold, the customers they make as they arrive, and the log of merges and splits.

Ties are those of shared identifiers, of matched records and of overrides, less what the rules forbid. They are
clustered in the order in which they arrived: which identifier belonged to whom, as far as could be known then. The
log says what became of the customers of earlier builds, and where their ids lead now.
"""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pyarrow as pa

from sintonia.core.arrays import Ints
from sintonia.core.config import IdentityConfig
from sintonia.core.engine import fetch_row
from sintonia.core.progress import log
from sintonia.data.identity.grouping import Overrides, Rules, Ties, accepted
from sintonia.data.identity.previous_build import PREFIX

if TYPE_CHECKING:
    from sintonia.data.identity.kernels import Growth


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


@dataclass(frozen=True)
class Memberships:
    """Which customer an identifier belonged to, from when until when: one row per (node, customer).

    `node` and `root` hold node numbers, the root being the first identifier of the customer; the row holds for
    since <= t < until, in the unit of the ties' times, and `until` is -1 while it still holds. At any time from an
    identifier's first arrival exactly one row holds. `weakness` is that of the weakest tie behind the row, -1 for
    a customer's first identifier.
    """

    node: Ints
    root: Ints
    since: Ints
    until: Ints
    weakness: Ints


def link_over_time(
    first_seen_at: Ints, left: Ints, right: Ints, arrived_at: Ints, weakness: Ints | None = None
) -> Memberships:
    """Return who belonged to whom as the ties arrived, one after the other.

    Nodes are numbered by first arrival. When a tie joins two customers, the one with the earlier first identifier
    goes on and takes over the other's identifiers at that moment; until then the other was a customer of its own,
    for nobody could know better. So a tie that arrives later never changes what held before. No two nodes are tied
    twice; `weakness` says how weak each tie is, from 0 (all alike when it is not given).

    Examples
    --------
    A cookie (0) is seen on day 1 and a card (1) on day 2; an e-mail (2) ties to the card on day 3 and to the cookie
    on day 9, so card and e-mail are a customer of their own until then.

    >>> found = link_over_time(np.array([1, 2, 3]), np.array([1, 0]), np.array([2, 2]), np.array([3, 9]))
    >>> list(zip(found.node.tolist(), found.root.tolist(), found.since.tolist(), found.until.tolist()))
    [(0, 0, 1, -1), (1, 1, 2, 9), (1, 0, 9, -1), (2, 1, 3, 9), (2, 0, 9, -1)]
    """
    from sintonia.data.identity.kernels import grow_unions

    order = np.lexsort((right, left, arrived_at))
    weaknesses = np.zeros(len(left), np.int64) if weakness is None else weakness
    ties = (left[order], right[order], arrived_at[order], weaknesses[order])
    growth, ended = _apart(first_seen_at), np.empty((len(first_seen_at), 5), np.int64)
    if (count := grow_unions(growth, ties, ended)) > len(ended):
        growth, ended = _apart(first_seen_at), np.empty((count, 5), np.int64)
        grow_unions(growth, ties, ended)
    nodes, holding = np.arange(len(first_seen_at)), np.full(len(first_seen_at), -1)
    last = (nodes, growth.root, growth.since, holding, growth.weak)
    columns = [np.concatenate(both) for both in zip(ended[:count].T, last, strict=True)]
    in_time = np.argsort(columns[0], kind="stable")
    return Memberships(*(column[in_time] for column in columns))


def _apart(first_seen_at: Ints) -> "Growth":
    """Return every node as a customer of its own."""
    from sintonia.data.identity.kernels import Growth

    nodes, none = np.arange(len(first_seen_at)), np.full(len(first_seen_at), -1)
    return Growth(nodes.copy(), first_seen_at.copy(), none.copy(), nodes, none)


def write_crosswalk(connection: duckdb.DuckDBPyConnection) -> None:
    """Fill the engine's tables `decided_crosswalk`, `merges` and `decided_sightings` from `nodes`, `ties`, `sightings`.

    An identifier's rule and probability are those of the weakest tie behind its row.

    - `merges`: one row per customer that became part of another: `customer_id`, `merged_into`, `merged_at`.
    - `decided_sightings`: one row per (`sighting`, customer): `linked_at`, the earliest among its identifiers, for
      any one of a record's is enough to know whose it is, unless its tie to the record was `refused`; `unlinked_at`,
      null while it holds; `person_id`, the customer it belongs to now; `arrived_at`, and `root`, the number of that
      customer's first identifier.
    - `belonging`: the first identifier (`root`) of each node's customer in the end, by their numbers.
    """
    (seen,) = _fetch_columns(connection, "SELECT EPOCH_US(first_seen_at) FROM nodes ORDER BY node")
    connection.execute("""
        CREATE OR REPLACE TEMP TABLE rules AS
        SELECT ROW_NUMBER() OVER (ORDER BY match_probability DESC, rule = 'same record' DESC, rule) - 1 AS weakness,
               match_probability, rule FROM (SELECT DISTINCT match_probability, rule FROM ties)""")
    ties = _fetch_columns(
        connection,
        """SELECT left_node, right_node, EPOCH_US(MIN(arrived_at)), ARG_MIN(weakness, (arrived_at, weakness))
           FROM ties JOIN rules USING (match_probability, rule) GROUP BY left_node, right_node""",
    )
    found = link_over_time(seen, *ties)
    columns = asdict(found) | {"now": found.root[found.until < 0][found.root]}
    connection.register("memberships", pa.table(columns))
    _write_tables(connection)
    connection.unregister("memberships")


def _write_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Fill the tables from `memberships`, of which `now` is the root that the row's root belongs to in the end."""
    connection.execute("""
        CREATE OR REPLACE TEMP TABLE decided_crosswalk AS
        SELECT SPLIT_PART(nodes.key, ':', 1) AS source, SUBSTR(nodes.key, STRPOS(nodes.key, ':') + 1) AS source_key,
               roots.confers AS customer_id, MAKE_TIMESTAMP(since) AS linked_at,
               CASE WHEN until >= 0 THEN MAKE_TIMESTAMP(until) END AS unlinked_at,
               COALESCE(match_probability, 1.0) AS match_probability, COALESCE(rule, 'first record') AS rule,
               nodes.key AS key
        FROM memberships JOIN nodes USING (node) JOIN nodes AS roots ON roots.node = memberships.root
        LEFT JOIN rules USING (weakness)""")
    connection.execute("""
        CREATE OR REPLACE TEMP TABLE merges AS
        SELECT past.confers AS customer_id, present.confers AS merged_into, MAKE_TIMESTAMP(until) AS merged_at
        FROM memberships JOIN nodes AS past ON past.node = root JOIN nodes AS present ON present.node = now
        WHERE memberships.node = root AND until >= 0 ORDER BY 1""")
    connection.execute("""
        CREATE OR REPLACE TEMP TABLE belonging AS
        SELECT memberships.node, roots.number AS root
        FROM memberships JOIN nodes AS roots ON roots.node = memberships.root WHERE until < 0""")
    connection.execute("""
        CREATE OR REPLACE TEMP TABLE decided_sightings AS
        WITH apart AS (SELECT left_node, right_node FROM refused
                       UNION ALL SELECT right_node, left_node FROM refused),
        told AS (
            SELECT sighting, root, now, MIN(since) AS since, MAX(until) AS until
            FROM (FROM seen ANTI JOIN apart ON node = left_node AND lead_node = right_node)
            JOIN memberships USING (node) GROUP BY sighting, root, now)
        SELECT sighting, arrived_at, person.number AS root, roots.confers AS customer_id,
               MAKE_TIMESTAMP(since) AS linked_at, CASE WHEN until >= 0 THEN MAKE_TIMESTAMP(until) END AS unlinked_at,
               person.confers AS person_id
        FROM told JOIN sightings USING (sighting)
        JOIN nodes AS roots ON roots.node = root JOIN nodes AS person ON person.node = now""")


def _fetch_columns(connection: duckdb.DuckDBPyConnection, query: str) -> list[Ints]:
    return [np.asarray(column, np.int64) for column in connection.execute(query).fetchnumpy().values()]


def write_log(connection: duckdb.DuckDBPyConnection) -> None:
    """Fill the engine's `identity_log`, and complete `merges` so that every id of earlier builds still resolves.

    `identity_log` has one row per change, oldest first: `customer_id`, the customer before; `change`, merge (it is
    part of the other now) or split (some of its identifiers are the other's now); `other_customer_id`;
    `identifiers`, how many; `changed_at`, for a merge the arrival of the tie, else the moment it was found. A
    customer whose first identifier another one holds goes on in the customer that holds most of its identifiers.
    """
    connection.execute("""
        CREATE OR REPLACE TEMP TABLE moved AS
        WITH now AS (SELECT key, customer_id FROM decided_crosswalk WHERE unlinked_at IS NULL),
        spread AS (
            SELECT before.customer_id, now.customer_id AS other_customer_id, COUNT(*) AS identifiers
            FROM known_holdings AS before JOIN now USING (key) GROUP BY 1, 2)
        SELECT *, other_customer_id = ARG_MIN(other_customer_id, (other_customer_id <> spread.customer_id,
                      -identifiers, other_customer_id)) OVER (PARTITION BY spread.customer_id) AS goes_on
        FROM spread""")
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE {PREFIX}log AS
        SELECT customer_id, change, other_customer_id, identifiers, changed_at FROM before_log
        UNION ALL
        SELECT customer_id, IF(goes_on, 'merge', 'split'), other_customer_id, identifiers,
               IF(goes_on, COALESCE(merged_at, now()::TIMESTAMP), now()::TIMESTAMP)
        FROM moved LEFT JOIN merges USING (customer_id) WHERE customer_id <> other_customer_id
        ORDER BY changed_at, customer_id, other_customer_id""")
    connection.execute("""
        INSERT INTO merges
        WITH past AS (
            SELECT customer_id, merged_into, merged_at FROM before_merges
            UNION ALL SELECT customer_id, customer_id, now()::TIMESTAMP FROM moved WHERE goes_on),
        customers AS (SELECT DISTINCT customer_id FROM decided_crosswalk WHERE unlinked_at IS NULL)
        SELECT past.customer_id, moved.other_customer_id, ANY_VALUE(past.merged_at)
        FROM past JOIN moved ON moved.customer_id = past.merged_into AND moved.goes_on
        ANTI JOIN merges ON merges.customer_id = past.customer_id
        ANTI JOIN customers ON customers.customer_id = past.customer_id
        GROUP BY 1, 2""")
