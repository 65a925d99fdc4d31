"""Ties clustered into customers as they arrived: who belonged to whom, as far as anybody could know then."""

from dataclasses import asdict, dataclass

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import minimum_spanning_tree

Ints = NDArray[np.int64]


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


def cluster(
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

    >>> found = cluster(np.array([1, 2, 3]), np.array([1, 0]), np.array([2, 2]), np.array([3, 9]))
    >>> list(zip(found.node.tolist(), found.root.tolist(), found.since.tolist(), found.until.tolist()))
    [(0, 0, 1, -1), (1, 1, 2, 9), (1, 0, 9, -1), (2, 1, 3, 9), (2, 0, 9, -1)]
    """
    root = list(range(len(first_seen_at)))
    members = {node: [node] for node in root}
    since = first_seen_at.tolist()
    weak = [-1] * len(root)
    ended: list[tuple[int, int, int, int, int]] = []
    weaknesses = np.zeros(len(left), np.int64) if weakness is None else weakness
    for tie in _joining(left, right, arrived_at, len(root)).tolist():
        one, other, at = int(left[tie]), int(right[tie]), int(arrived_at[tie])
        stays, goes = sorted((root[one], root[other]))
        weakest = max(int(weaknesses[tie]), weak[one], weak[other])
        for node in members.pop(goes):
            # One that would have lasted no time at all was never seen by anybody.
            if since[node] < at:
                ended.append((node, goes, since[node], at, weak[node]))
            root[node], since[node], weak[node] = stays, at, max(weak[node], weakest)
            members[stays].append(node)
    holding = ((node, root[node], since[node], -1, weak[node]) for node in range(len(root)))
    table = np.array(sorted([*ended, *holding], key=lambda row: (row[0], row[2])), np.int64).reshape(-1, 5)
    return Memberships(*table.T)


def _joining(left: Ints, right: Ints, arrived_at: Ints, n_nodes: int) -> Ints:
    """Return the ties that join two customers, in order of arrival: a minimum spanning tree holds just these.

    Whatever path a tie's ends have in the tree, no edge on it arrived later than the tie (Hu 1961).
    """
    # Ranks instead of times, for ties of one moment need an order too, and from one: zero would be no edge at all.
    order = np.lexsort((right, left, arrived_at))
    ranks = np.empty(len(order))
    ranks[order] = np.arange(1, len(order) + 1)
    tree = minimum_spanning_tree(coo_matrix((ranks, (left, right)), shape=(n_nodes, n_nodes)).tocsr())
    joining: Ints = order[np.sort(tree.data).astype(np.int64) - 1]
    return joining


def write_crosswalk(connection: duckdb.DuckDBPyConnection) -> None:
    """Fill the engine's tables `crosswalk`, `merges` and `sighting_customers` from `nodes`, `ties` and `sightings`.

    An identifier's rule and probability are those of the weakest tie behind its row.

    - `merges`: one row per customer that became part of another: `customer_id`, `merged_into`, `merged_at`.
    - `sighting_customers`: one row per (set of identifiers, customer): `linked_at`, the earliest among them, for
      any one of a record's identifiers is enough to know whose it is, unless its tie to the record was `refused`;
      `unlinked_at`, null while it holds; and `person_id`, the customer it belongs to now.
    """
    (seen,) = _columns(connection, "SELECT EPOCH_US(first_seen_at) FROM nodes ORDER BY node")
    connection.execute("""
        CREATE OR REPLACE TABLE rules AS
        SELECT ROW_NUMBER() OVER (ORDER BY match_probability DESC, rule = 'same record' DESC, rule) - 1 AS weakness,
               match_probability, rule FROM (SELECT DISTINCT match_probability, rule FROM ties)""")
    ties = _columns(
        connection,
        """SELECT left_node, right_node, EPOCH_US(MIN(arrived_at)), ARG_MIN(weakness, (arrived_at, weakness))
           FROM ties JOIN rules USING (match_probability, rule) GROUP BY left_node, right_node""",
    )
    found = cluster(seen, *ties)
    connection.register("memberships", pa.table(asdict(found)))
    connection.execute("""
        CREATE OR REPLACE TABLE crosswalk AS
        SELECT SPLIT_PART(nodes.key, ':', 1) AS source, SUBSTR(nodes.key, STRPOS(nodes.key, ':') + 1) AS source_key,
               roots.confers AS customer_id, MAKE_TIMESTAMP(since) AS linked_at,
               CASE WHEN until >= 0 THEN MAKE_TIMESTAMP(until) END AS unlinked_at,
               COALESCE(match_probability, 1.0) AS match_probability, COALESCE(rule, 'first record') AS rule,
               nodes.key AS key, memberships.node = root AS is_root
        FROM memberships JOIN nodes USING (node) JOIN nodes AS roots ON roots.node = memberships.root
        LEFT JOIN rules USING (weakness)
        ORDER BY source, source_key, linked_at""")
    connection.unregister("memberships")
    connection.execute("""
        CREATE OR REPLACE TABLE merges AS
        SELECT past.customer_id, present.customer_id AS merged_into, past.unlinked_at AS merged_at
        FROM crosswalk AS past JOIN crosswalk AS present USING (key)
        WHERE past.is_root AND past.unlinked_at IS NOT NULL AND present.unlinked_at IS NULL ORDER BY 1""")
    connection.execute("""
        CREATE OR REPLACE TABLE sighting_customers AS
        SELECT keys, customer_id, MIN(linked_at) AS linked_at, MAX(unlinked_at) AS unlinked_at,
               COALESCE(ANY_VALUE(merged_into), customer_id) AS person_id
        FROM (SELECT keys, lead, UNNEST(keys) AS key FROM sightings) AS seen
        ANTI JOIN (SELECT a.key AS one, b.key AS other FROM refused
                   JOIN nodes AS a ON a.node = left_node JOIN nodes AS b ON b.node = right_node) AS apart
          ON LEAST(seen.key, seen.lead) = LEAST(one, other) AND GREATEST(seen.key, seen.lead) = GREATEST(one, other)
        JOIN crosswalk USING (key)
        LEFT JOIN merges USING (customer_id) GROUP BY keys, customer_id""")


def _columns(connection: duckdb.DuckDBPyConnection, query: str) -> list[Ints]:
    return [np.asarray(column, np.int64) for column in connection.execute(query).fetchnumpy().values()]
