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
from sintonia.data.identity.relations import (
    ALL_RECORDS,
    BEFORE_LOG,
    BEFORE_MERGES,
    BELONGING,
    DECIDED_CROSSWALK,
    DECIDED_SIGHTINGS,
    KNOWN_HOLDINGS,
    KNOWN_TIES,
    LOG,
    MATCHED,
    MEMBERSHIPS,
    MERGES,
    NODES,
    NUMBERED,
    REFUSED,
    RULES,
    SEEN,
    SIGHTINGS,
    TIES,
)

if TYPE_CHECKING:
    from sintonia.data.identity.kernels import Growth


def settle_ties(connection: duckdb.DuckDBPyConnection, config: IdentityConfig, overrides: Overrides) -> None:
    """Leave in TIES those that stand, and in REFUSED the others.

    To the ties of shared identifiers come those of matched person records (rule 'match') and of overrides
    ('must-link'); an identifier of several people or a cannot-link forbids some. What was decided before stands
    (KNOWN_TIES), and only new ties are judged.
    """
    nodes = _nodes(connection, overrides.keys)
    must, cannot = overrides.among(nodes)
    unknown = len(overrides.must) + len(overrides.cannot) - len(must) - len(cannot)
    if unknown:
        log.warning("%d overrides name identifiers that no silo has; left alone", unknown)
    _add_matches(connection)
    for first, second in must:
        connection.execute(
            f"""INSERT INTO {TIES} SELECT MIN(node), MAX(node), MAX(first_seen_at), 1.0, 'must-link' FROM {NODES}
               WHERE node IN (?, ?)""",
            [first, second],
        )
    _refuse(connection, config, cannot)


def _nodes(connection: duckdb.DuckDBPyConnection, keys: list[str]) -> dict[str, int]:
    if not keys:
        return {}
    query = f"SELECT key, node FROM {NODES} WHERE key IN (SELECT UNNEST(?::VARCHAR[]))"
    return dict(connection.execute(query, [keys]).fetchall())


def _add_matches(connection: duckdb.DuckDBPyConnection) -> None:
    """Add the ties of merges made in earlier builds and now; one of two records that are gone is gone too."""
    connection.execute(f"""
        INSERT INTO {TIES}
        WITH all_matched AS (
            SELECT one, other, arrived_at, match_probability FROM {MATCHED}
            UNION ALL
            SELECT "left", "right", arrived_at, match_probability FROM {KNOWN_TIES}
            WHERE rule = 'match' AND "left" IN (SELECT key FROM {ALL_RECORDS})
              AND "right" IN (SELECT key FROM {ALL_RECORDS})),
        matched_nodes AS (
            SELECT a.node AS one, b.node AS other, arrived_at, match_probability
            FROM all_matched JOIN {NODES} AS a ON a.key = one JOIN {NODES} AS b ON b.key = other)
        SELECT LEAST(one, other), GREATEST(one, other), MIN(arrived_at), ARG_MIN(match_probability, arrived_at), 'match'
        FROM matched_nodes WHERE one <> other GROUP BY 1, 2""")


def _refuse(
    connection: duckdb.DuckDBPyConnection, config: IdentityConfig, cannot: list[tuple[int, int]]
) -> None:
    """Move the ties that do not hold from TIES to REFUSED."""
    listed = ", ".join(f"'{kind}'" for kind in config.shareable) or "NULL"
    NUMBERED.create_table(
        connection,
        f"""
        SELECT {TIES}.*, ROW_NUMBER() OVER (ORDER BY {TIES}.arrived_at, left_node, right_node, {TIES}.rule) - 1 AS tie,
               CASE WHEN SPLIT_PART(a.key, ':', 1) IN ({listed}) THEN left_node
                    WHEN SPLIT_PART(b.key, ':', 1) IN ({listed}) THEN right_node END AS identifier,
               {TIES}.rule = 'same record' AND identifier IS NOT NULL AS shareable, known.holds
        FROM {TIES} JOIN {NODES} AS a ON a.node = left_node JOIN {NODES} AS b ON b.node = right_node
        LEFT JOIN {KNOWN_TIES} AS known ON known."left" = a.key AND known."right" = b.key AND known.rule = {TIES}.rule
        """,
    )
    refused = _refused(connection, Rules(_naming(connection), config.persons_per_identifier, cannot))
    connection.register("refused_ties", pa.table({"tie": refused}))
    ties = "SELECT * EXCLUDE (tie, identifier, shareable, holds)"
    REFUSED.create_table(connection, f"{ties} FROM {NUMBERED} SEMI JOIN refused_ties USING (tie)")
    TIES.create_table(connection, f"{ties} FROM {NUMBERED} ANTI JOIN refused_ties USING (tie)")
    connection.unregister("refused_ties")


def _refused(connection: duckdb.DuckDBPyConnection, rules: Rules) -> Ints:
    """Return the numbers of the ties that do not hold: those refused before, and of the new ones what rules forbid."""
    columns = connection.execute(f"""SELECT left_node, right_node, EPOCH_US(arrived_at) AS arrived_at, shareable,
                                        CASE holds WHEN true THEN 1 WHEN false THEN 0 ELSE -1 END AS held
                                 FROM {NUMBERED} ORDER BY tie""").fetchnumpy()
    (n_nodes,) = fetch_row(connection, f"SELECT COUNT(*) FROM {NODES}")
    left, right, arrived_at = (
        np.asarray(columns[name], np.int64) for name in ("left_node", "right_node", "arrived_at")
    )
    ties = Ties(left, right, arrived_at, np.asarray(columns["shareable"], bool))
    held_before = np.asarray(columns["held"])
    new = np.flatnonzero(held_before < 0)
    forbidden = new[~accepted(n_nodes, ties.take(new), rules, ties.take(np.flatnonzero(held_before == 1)))]
    return np.sort(np.append(np.flatnonzero(held_before == 0), forbidden))


def _naming(connection: duckdb.DuckDBPyConnection) -> dict[int, int]:
    """Return the nodes whose person records name somebody, with their first arrival."""
    named = connection.execute(f"""SELECT node, MIN(arrived_at) FROM {ALL_RECORDS} JOIN {NODES} USING (key)
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
    """Fill DECIDED_CROSSWALK, MERGES and DECIDED_SIGHTINGS from NODES, TIES and SIGHTINGS.

    An identifier's rule and probability are those of the weakest tie behind its row.

    - MERGES: one row per customer that became part of another: `customer_id`, `merged_into`, `merged_at`.
    - DECIDED_SIGHTINGS: one row per (`sighting`, customer): `linked_at`, the earliest among its identifiers, for
      any one of a record's is enough to know whose it is, unless its tie to the record was `refused`; `unlinked_at`,
      null while it holds; `person_id`, the customer it belongs to now; `arrived_at`, and `root`, the number of that
      customer's first identifier.
    - BELONGING: the first identifier (`root`) of each node's customer in the end, by their numbers.
    """
    (seen,) = _fetch_columns(connection, f"SELECT EPOCH_US(first_seen_at) FROM {NODES} ORDER BY node")
    RULES.create_table(
        connection,
        f"""
        SELECT ROW_NUMBER() OVER (ORDER BY match_probability DESC, rule = 'same record' DESC, rule) - 1 AS weakness,
               match_probability, rule FROM (SELECT DISTINCT match_probability, rule FROM {TIES})""",
    )
    ties = _fetch_columns(
        connection,
        f"""SELECT left_node, right_node, EPOCH_US(MIN(arrived_at)), ARG_MIN(weakness, (arrived_at, weakness))
           FROM {TIES} JOIN {RULES} USING (match_probability, rule) GROUP BY left_node, right_node""",
    )
    memberships = link_over_time(seen, *ties)
    columns = asdict(memberships) | {"now": memberships.root[memberships.until < 0][memberships.root]}
    MEMBERSHIPS.register(connection, pa.table(columns))
    _write_tables(connection)
    MEMBERSHIPS.unregister(connection)


def _write_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Fill the tables from MEMBERSHIPS, of which `now` is the root that the row's root belongs to in the end."""
    DECIDED_CROSSWALK.create_table(
        connection,
        f"""
        SELECT SPLIT_PART({NODES}.key, ':', 1) AS source,
               SUBSTR({NODES}.key, STRPOS({NODES}.key, ':') + 1) AS source_key,
               roots.confers AS customer_id, MAKE_TIMESTAMP(since) AS linked_at,
               CASE WHEN until >= 0 THEN MAKE_TIMESTAMP(until) END AS unlinked_at,
               COALESCE(match_probability, 1.0) AS match_probability, COALESCE(rule, 'first record') AS rule,
               {NODES}.key AS key
        FROM {MEMBERSHIPS} JOIN {NODES} USING (node) JOIN {NODES} AS roots ON roots.node = {MEMBERSHIPS}.root
        LEFT JOIN {RULES} USING (weakness)""",
    )
    MERGES.create_table(
        connection,
        f"""
        SELECT past.confers AS customer_id, present.confers AS merged_into, MAKE_TIMESTAMP(until) AS merged_at
        FROM {MEMBERSHIPS} JOIN {NODES} AS past ON past.node = root JOIN {NODES} AS present ON present.node = now
        WHERE {MEMBERSHIPS}.node = root AND until >= 0 ORDER BY 1""",
    )
    BELONGING.create_table(
        connection,
        f"""
        SELECT {MEMBERSHIPS}.node, roots.number AS root
        FROM {MEMBERSHIPS} JOIN {NODES} AS roots ON roots.node = {MEMBERSHIPS}.root WHERE until < 0""",
    )
    DECIDED_SIGHTINGS.create_table(
        connection,
        f"""
        WITH apart AS (SELECT left_node, right_node FROM {REFUSED}
                       UNION ALL SELECT right_node, left_node FROM {REFUSED}),
        linked AS (
            SELECT sighting, root, now, MIN(since) AS since, MAX(until) AS until
            FROM (FROM {SEEN} ANTI JOIN apart ON node = left_node AND lead_node = right_node)
            JOIN {MEMBERSHIPS} USING (node) GROUP BY sighting, root, now)
        SELECT sighting, arrived_at, person.number AS root, roots.confers AS customer_id,
               MAKE_TIMESTAMP(since) AS linked_at, CASE WHEN until >= 0 THEN MAKE_TIMESTAMP(until) END AS unlinked_at,
               person.confers AS person_id
        FROM linked JOIN {SIGHTINGS} USING (sighting)
        JOIN {NODES} AS roots ON roots.node = root JOIN {NODES} AS person ON person.node = now""",
    )


def _fetch_columns(connection: duckdb.DuckDBPyConnection, query: str) -> list[Ints]:
    return [np.asarray(column, np.int64) for column in connection.execute(query).fetchnumpy().values()]


def write_log(connection: duckdb.DuckDBPyConnection) -> None:
    """Fill LOG, and complete MERGES so that every id of earlier builds still resolves.

    LOG has one row per change, oldest first: `customer_id`, the customer before; `change`, merge (it is
    part of the other now) or split (some of its identifiers are the other's now); `other_customer_id`;
    `identifiers`, how many; `changed_at`, for a merge the arrival of the tie, else the moment it was found. A
    customer whose first identifier another one holds goes on in the customer that holds most of its identifiers.
    """
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE moved AS
        WITH now AS (SELECT key, customer_id FROM {DECIDED_CROSSWALK} WHERE unlinked_at IS NULL),
        spread AS (
            SELECT before.customer_id, now.customer_id AS other_customer_id, COUNT(*) AS identifiers
            FROM {KNOWN_HOLDINGS} AS before JOIN now USING (key) GROUP BY 1, 2)
        SELECT *, other_customer_id = ARG_MIN(other_customer_id, (other_customer_id <> spread.customer_id,
                      -identifiers, other_customer_id)) OVER (PARTITION BY spread.customer_id) AS goes_on
        FROM spread""")
    LOG.create_table(
        connection,
        f"""
        SELECT customer_id, change, other_customer_id, identifiers, changed_at FROM {BEFORE_LOG}
        UNION ALL
        SELECT customer_id, IF(goes_on, 'merge', 'split'), other_customer_id, identifiers,
               IF(goes_on, COALESCE(merged_at, now()::TIMESTAMP), now()::TIMESTAMP)
        FROM moved LEFT JOIN {MERGES} USING (customer_id) WHERE customer_id <> other_customer_id
        ORDER BY changed_at, customer_id, other_customer_id""",
    )
    connection.execute(f"""
        INSERT INTO {MERGES}
        WITH past AS (
            SELECT customer_id, merged_into, merged_at FROM {BEFORE_MERGES}
            UNION ALL SELECT customer_id, customer_id, now()::TIMESTAMP FROM moved WHERE goes_on),
        customers AS (SELECT DISTINCT customer_id FROM {DECIDED_CROSSWALK} WHERE unlinked_at IS NULL)
        SELECT past.customer_id, moved.other_customer_id, ANY_VALUE(past.merged_at)
        FROM past JOIN moved ON moved.customer_id = past.merged_into AND moved.goes_on
        ANTI JOIN {MERGES} ON {MERGES}.customer_id = past.customer_id
        ANTI JOIN customers ON customers.customer_id = past.customer_id
        GROUP BY 1, 2""")
