"""Ties clustered into customers, each identifier with the moment its tie could first be known."""

from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import breadth_first_order, connected_components, minimum_spanning_tree

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Clusters:
    """For every identifier: the first identifier of its customer, and when the tie to it was known.

    `root` (n_nodes,) holds node numbers; `linked_at` (n_nodes,) holds the arrival of the last tie that was needed
    to reach the root, in the unit of the ties' times, and for a root its own first arrival.
    """

    root: Ints
    linked_at: Ints


def cluster(first_seen_at: Ints, left: Ints, right: Ints, arrived_at: Ints) -> Clusters:
    """Return connected components with the earliest moment at which each node is reachable from its root.

    Nodes are numbered by first arrival, so a component's root is its smallest node: a tie that arrives later
    never changes which customer an early record belongs to. The tie is known once every tie on the best path is,
    and the path in a minimum spanning tree by arrival has the smallest largest arrival (Hu 1961).

    Examples
    --------
    A cookie (0) is seen on day 1 and a card (1) on day 2; an e-mail (2) ties to the card on day 3 and to the cookie
    on day 9, so the card belongs to the cookie's customer from day 9 only.

    >>> days = np.array([1, 2, 3])
    >>> clusters = cluster(days, np.array([1, 0]), np.array([2, 2]), np.array([3, 9]))
    >>> clusters.root.tolist(), clusters.linked_at.tolist()
    ([0, 0, 0], [1, 9, 9])
    """
    n_nodes = len(first_seen_at)
    times, ranks = np.unique(arrived_at, return_inverse=True)
    # A weight of zero would be no edge at all, so ranks start at one; super-root edges weigh less than any tie.
    tree = minimum_spanning_tree(coo_matrix((ranks + 1.0, (left, right)), shape=(n_nodes, n_nodes)).tocsr())
    _, component = connected_components(tree, directed=False)
    roots = np.unique(component, return_index=True)[1]
    root = roots[component]
    parent, rank = _parents(tree.tocoo(), roots, n_nodes)
    rank = _largest_towards_root(parent, rank)
    linked_at = np.where(rank > 0, times[np.maximum(rank - 1, 0)] if len(times) else 0, first_seen_at)
    return Clusters(root.astype(np.int64), np.maximum(linked_at, first_seen_at[root]).astype(np.int64))


def _parents(tree: coo_matrix, roots: Ints, n_nodes: int) -> tuple[Ints, Ints]:
    """Return each node's parent and the rank of the tie to it, by one walk from a node above all roots."""
    above = np.full(len(roots), n_nodes)
    rows = np.concatenate([tree.row, above])
    columns = np.concatenate([tree.col, roots])
    weights = np.concatenate([tree.data, np.full(len(roots), 0.5)])
    forest = coo_matrix((weights, (rows, columns)), shape=(n_nodes + 1, n_nodes + 1)).tocsr()
    _, predecessor = breadth_first_order(forest, n_nodes, directed=False)
    parent = predecessor[:n_nodes].astype(np.int64)
    symmetric = forest.maximum(forest.T)
    rank = np.asarray(symmetric[np.arange(n_nodes), parent]).ravel().astype(np.int64)
    return np.where(parent == n_nodes, np.arange(n_nodes), parent), rank


def _largest_towards_root(parent: Ints, rank: Ints) -> Ints:
    """Return the largest rank on each node's path to its root, doubling the length of the path each round."""
    while not np.array_equal(parent, parent[parent]):
        rank = np.maximum(rank, rank[parent])
        parent = parent[parent]
    return np.maximum(rank, rank[parent])


def write_crosswalk(connection: duckdb.DuckDBPyConnection) -> None:
    """Fill the engine's tables `crosswalk` and `sighting_customers` from `nodes`, `ties` and `sightings`.

    `sighting_customers` gives each set of identifiers its customer and `linked_at`, the earliest among them: any
    one of a record's identifiers is enough to know whose it is.
    """
    (seen,) = _columns(connection, "SELECT EPOCH_US(first_seen_at) FROM nodes ORDER BY node")
    ties = _columns(connection, "SELECT left_node, right_node, EPOCH_US(arrived_at) FROM ties")
    found = cluster(seen, *ties)
    columns = {"node": np.arange(len(found.root)), "root": found.root, "linked": found.linked_at}
    connection.register("clusters", pa.table(columns))
    connection.execute(f"""
        CREATE OR REPLACE TABLE crosswalk AS
        SELECT SPLIT_PART(nodes.key, ':', 1) AS source, SUBSTR(nodes.key, STRPOS(nodes.key, ':') + 1) AS source_key,
               {_customer_id(connection)} AS customer_id, MAKE_TIMESTAMP(linked) AS linked_at,
               CAST(NULL AS TIMESTAMP) AS unlinked_at, 1.0 AS match_probability,
               CASE WHEN node = root THEN 'first record' ELSE 'same record' END AS rule, nodes.key AS key
        FROM clusters JOIN nodes USING (node) JOIN nodes AS roots ON roots.node = clusters.root
        ORDER BY source, source_key""")
    connection.unregister("clusters")
    connection.execute("""
        CREATE OR REPLACE TABLE sighting_customers AS
        SELECT keys, ANY_VALUE(customer_id) AS customer_id, MIN(linked_at) AS linked_at
        FROM (SELECT keys, UNNEST(keys) AS key FROM sightings) JOIN crosswalk USING (key) GROUP BY keys""")


def _columns(connection: duckdb.DuckDBPyConnection, query: str) -> list[Ints]:
    return [np.asarray(column, np.int64) for column in connection.execute(query).fetchnumpy().values()]


def _customer_id(connection: duckdb.DuckDBPyConnection) -> str:
    """Return the SQL of a customer's id: the key itself where a source has a single kind of key, else a hash.

    The hash is of the customer's first identifier, so an id survives a rebuild and shows no e-mail or phone.
    """
    kinds = connection.execute("SELECT DISTINCT SPLIT_PART(key, ':', 1) FROM nodes").fetchall()
    if len(kinds) == 1 and kinds[0][0] not in ("email", "phone"):
        return "SUBSTR(roots.key, STRPOS(roots.key, ':') + 1)"
    return "'C' || UPPER(SUBSTR(SHA256(roots.key), 1, 16))"
