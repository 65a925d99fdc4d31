"""Person records matched into ties between customers' identifiers, and the ties that hold."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from sintonia.config import IdentityConfig, SourceConfig
from sintonia.engine import fetch_row
from sintonia.errors import NotEnoughDataError
from sintonia.identity.guards import Bools, Rules, Ties, accepted
from sintonia.identity.linkage import Linked, Pairs, link_as_known
from sintonia.identity.match import MatchConfig, Matches, match_pairs
from sintonia.identity.overrides import Overrides, read_overrides
from sintonia.identity.persons import collect_persons
from sintonia.identity.standardise import standardise

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Resolved:
    """What matching gave: person records as read and as compared, the scored pairs, the merges made and held.

    `implausible` marks the pairs that contradict each other.
    """

    persons: pa.Table
    standard: pa.Table
    matches: Matches
    implausible: Bools
    linked: Linked


def resolve(
    connection: duckdb.DuckDBPyConnection, source: SourceConfig, config: IdentityConfig
) -> Resolved | None:
    """Return what matching gave, None without records to match; the table `ties` now holds the ties that stand.

    To the ties of shared identifiers come those of matched person records (rule 'match') and of overrides
    ('must-link'); those that an identifier of several people or a cannot-link forbids are in the table `refused`.
    """
    persons = collect_persons(connection, source.silos, config.shareable)
    overrides = _overrides(connection, config)
    found = _match(connection, persons, config, overrides)
    if found is not None:
        _add_matches(connection, found)
    _add_must_links(connection, overrides)
    _refuse(connection, persons, config, overrides)
    return found


def _overrides(connection: duckdb.DuckDBPyConnection, config: IdentityConfig) -> Overrides:
    if config.overrides is None:
        return Overrides()
    nodes = dict(connection.execute("SELECT key, node FROM nodes").fetchall())
    found = read_overrides(Path(config.overrides), nodes)
    if found.unknown:
        log.warning("%d overrides name identifiers that no silo has; left alone", found.unknown)
    return found


def _match(
    connection: duckdb.DuckDBPyConnection, persons: pa.Table, config: IdentityConfig, overrides: Overrides
) -> Resolved | None:
    known = [name for name in persons.column_names if name not in ("node", "key", "arrived_at", "names")]
    if persons.num_rows < 2:
        return None
    standard = standardise(persons.select(known), region=config.region)
    try:
        matches = match_pairs(standard, MatchConfig(match_probability=config.match_probability), connection)
    except NotEnoughDataError as error:
        log.warning("Records are tied by identifiers alone: %s", error)
        return None
    implausible = (
        implausible_pairs(matches) if config.hold_implausible else np.zeros(len(matches.pairs), bool)
    )
    pairs = _with_overrides(_pairs(matches, implausible), persons["node"].to_numpy(), overrides)
    least = float(np.log2(config.match_probability / (1 - config.match_probability)))
    linked = link_as_known(persons["arrived_at"].to_numpy(), pairs, least)
    return Resolved(persons, standard, matches, implausible, linked)


def _pairs(matches: Matches, implausible: Bools) -> Pairs:
    left, right = (matches.pairs[side].to_numpy().astype(np.int64) for side in ("left", "right"))
    weight = matches.pairs["match_weight"].to_numpy()
    return Pairs(np.minimum(left, right), np.maximum(left, right), weight, implausible)


def implausible_pairs(matches: Matches) -> Bools:
    """Return the pairs that hold two birth dates, or two sexes and two first names: beyond any slip of the pen."""
    last = {one.field: len(one.labels) - 1 for one in matches.compared}

    def differ(field: str) -> Bools:
        if field not in last:
            return np.zeros(len(matches.pairs), bool)
        levels = matches.pairs[f"level_{field}"].to_numpy(zero_copy_only=False).astype(np.float64)
        return np.asarray(levels == last[field])

    return differ("birth_date") | (differ("sex") & differ("first_name"))


def _with_overrides(pairs: Pairs, nodes: np.ndarray, overrides: Overrides) -> Pairs:
    """Return the pairs with those that people have decided, in both senses, between all records of the two."""
    places: dict[int, list[int]] = {}
    for place, node in enumerate(nodes.tolist()):
        places.setdefault(node, []).append(place)
    told = [(pair, np.inf) for pair in overrides.must] + [(pair, -np.inf) for pair in overrides.cannot]
    more = [
        (min(left, right), max(left, right), weight)
        for (one, other), weight in told
        for left in places.get(one, [])
        for right in places.get(other, [])
    ]
    left, right, weight = (np.array([row[at] for row in more]) for at in range(3))
    return Pairs(
        np.append(pairs.left, left.astype(np.int64)),
        np.append(pairs.right, right.astype(np.int64)),
        np.append(pairs.weight, weight.astype(np.float64)),
        np.append(pairs.implausible, np.zeros(len(more), bool)),
    )


def _add_matches(connection: duckdb.DuckDBPyConnection, found: Resolved) -> None:
    node, linked = found.persons["node"].to_numpy(), found.linked
    made = ~linked.held
    probability = 1 / (1 + np.exp2(-np.clip(linked.match_weight[made], -300, 300)))
    columns = {
        "one": node[linked.left[made]],
        "other": node[linked.right[made]],
        "arrived_at": linked.arrived_at[made],
        "match_probability": np.minimum(probability, 1 - 1e-12),
    }
    connection.register("matched", pa.table(columns))
    connection.execute("""
        INSERT INTO ties
        SELECT LEAST(one, other), GREATEST(one, other), MAKE_TIMESTAMP(MIN(arrived_at)),
               ARG_MIN(match_probability, arrived_at), 'match'
        FROM matched WHERE one <> other GROUP BY 1, 2""")
    connection.unregister("matched")


def _add_must_links(connection: duckdb.DuckDBPyConnection, overrides: Overrides) -> None:
    for one, other in overrides.must:
        connection.execute(
            """INSERT INTO ties SELECT ?, ?, MAX(first_seen_at), 1.0, 'must-link' FROM nodes WHERE node IN (?, ?)""",
            [one, other, one, other],
        )


def _refuse(
    connection: duckdb.DuckDBPyConnection, persons: pa.Table, config: IdentityConfig, overrides: Overrides
) -> None:
    """Move the ties that do not hold from the table `ties` to the table `refused`."""
    listed = ", ".join(f"'{kind}'" for kind in config.shareable) or "NULL"
    connection.execute(f"""
        CREATE OR REPLACE TABLE numbered AS
        SELECT ties.*, ROW_NUMBER() OVER (ORDER BY ties.arrived_at, left_node, right_node, rule) - 1 AS tie,
               CASE WHEN SPLIT_PART(a.key, ':', 1) IN ({listed}) THEN left_node
                    WHEN SPLIT_PART(b.key, ':', 1) IN ({listed}) THEN right_node END AS identifier,
               rule = 'same record' AND identifier IS NOT NULL AS shareable
        FROM ties JOIN nodes AS a ON a.node = left_node JOIN nodes AS b ON b.node = right_node""")
    told = connection.execute(
        "SELECT left_node, right_node, EPOCH_US(arrived_at) AS arrived_at, shareable FROM numbered ORDER BY tie"
    ).fetchnumpy()
    left, right, arrived_at = (
        np.asarray(told[name], np.int64) for name in ("left_node", "right_node", "arrived_at")
    )
    ties = Ties(left, right, arrived_at, np.asarray(told["shareable"], bool))
    (n_nodes,) = fetch_row(connection, "SELECT COUNT(*) FROM nodes")
    rules = Rules(_naming(persons), config.persons_per_identifier, overrides.cannot)
    refused = np.flatnonzero(~accepted(n_nodes, ties, rules))
    connection.register("refused_ties", pa.table({"tie": refused}))
    connection.execute("CREATE OR REPLACE TABLE refused AS FROM numbered SEMI JOIN refused_ties USING (tie)")
    connection.execute("""CREATE OR REPLACE TABLE ties AS SELECT * EXCLUDE (tie, identifier, shareable)
                          FROM numbered ANTI JOIN refused_ties USING (tie)""")
    connection.unregister("refused_ties")


def _naming(persons: pa.Table) -> dict[int, int]:
    """Return the nodes whose person records name somebody, with their first arrival."""
    named = persons.filter(persons["names"])
    rows: Sequence[tuple[int, int]] = list(
        zip(named["node"].to_pylist(), named["arrived_at"].to_pylist(), strict=True)
    )
    return dict(sorted(rows, key=lambda row: (row[0], -row[1])))
