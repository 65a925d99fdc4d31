"""Ties clustered into customers as they arrived: who belonged to whom, as far as anybody could know then."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pyarrow as pa

from sintonia.core.arrays import Ints

if TYPE_CHECKING:
    from sintonia.data.identity.union_kernels import Growth


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
    from sintonia.data.identity.union_kernels import grow_unions

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
    from sintonia.data.identity.union_kernels import Growth

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
