"""Ties clustered into customers as they arrived: who belonged to whom, as far as anybody could know then."""

from collections.abc import Iterator
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
    identifier's first arrival exactly one row holds.
    """

    node: Ints
    root: Ints
    since: Ints
    until: Ints


def cluster(first_seen_at: Ints, left: Ints, right: Ints, arrived_at: Ints) -> Memberships:
    """Return who belonged to whom as the ties arrived, one after the other.

    Nodes are numbered by first arrival. When a tie joins two customers, the one with the earlier first identifier
    goes on and takes over the other's identifiers at that moment; until then the other was a customer of its own,
    for nobody could know better. So a tie that arrives later never changes what held before.

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
    ended: list[tuple[int, int, int, int]] = []
    for one, other, at in _joining(left, right, arrived_at, len(root)):
        stays, goes = sorted((root[one], root[other]))
        for node in members.pop(goes):
            # One that would have lasted no time at all was never seen by anybody.
            if since[node] < at:
                ended.append((node, goes, since[node], at))
            root[node], since[node] = stays, at
            members[stays].append(node)
    holding = ((node, root[node], since[node], -1) for node in range(len(root)))
    table = np.array(sorted([*ended, *holding], key=lambda row: (row[0], row[2])), np.int64).reshape(-1, 4)
    return Memberships(*table.T)


def _joining(left: Ints, right: Ints, arrived_at: Ints, n_nodes: int) -> Iterator[tuple[int, int, int]]:
    """Yield the ties that join two customers, in order of arrival: a minimum spanning tree holds just these.

    Whatever path a tie's ends have in the tree, no edge on it arrived later than the tie (Hu 1961).
    """
    times, ranks = np.unique(arrived_at, return_inverse=True)
    # A weight of zero would be no edge at all, so ranks start at one.
    weights = coo_matrix((ranks + 1.0, (left, right)), shape=(n_nodes, n_nodes))
    tree = minimum_spanning_tree(weights.tocsr()).tocoo()
    order = np.lexsort((tree.col, tree.row, tree.data))
    at = times[tree.data[order].astype(np.int64) - 1] if len(times) else times
    yield from zip(tree.row[order].tolist(), tree.col[order].tolist(), at.tolist(), strict=True)


def write_crosswalk(connection: duckdb.DuckDBPyConnection) -> None:
    """Fill the engine's tables `crosswalk`, `merges` and `sighting_customers` from `nodes`, `ties` and `sightings`.

    - `merges`: one row per customer that became part of another: `customer_id`, `merged_into`, `merged_at`.
    - `sighting_customers`: one row per (set of identifiers, customer): `linked_at`, the earliest among them, for
      any one of a record's identifiers is enough to know whose it is; `unlinked_at`, null while it holds; and
      `person_id`, the customer it belongs to now.
    """
    (seen,) = _columns(connection, "SELECT EPOCH_US(first_seen_at) FROM nodes ORDER BY node")
    ties = _columns(connection, "SELECT left_node, right_node, EPOCH_US(arrived_at) FROM ties")
    found = cluster(seen, *ties)
    connection.register("memberships", pa.table(asdict(found)))
    connection.execute(f"""
        CREATE OR REPLACE TABLE crosswalk AS
        SELECT SPLIT_PART(nodes.key, ':', 1) AS source, SUBSTR(nodes.key, STRPOS(nodes.key, ':') + 1) AS source_key,
               {_customer_id(connection)} AS customer_id, MAKE_TIMESTAMP(since) AS linked_at,
               CASE WHEN until >= 0 THEN MAKE_TIMESTAMP(until) END AS unlinked_at, 1.0 AS match_probability,
               CASE WHEN memberships.node = root THEN 'first record' ELSE 'same record' END AS rule,
               nodes.key AS key, memberships.node = root AS is_root
        FROM memberships JOIN nodes USING (node) JOIN nodes AS roots ON roots.node = memberships.root
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
        FROM (SELECT keys, UNNEST(keys) AS key FROM sightings) JOIN crosswalk USING (key)
        LEFT JOIN merges USING (customer_id) GROUP BY keys, customer_id""")


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
