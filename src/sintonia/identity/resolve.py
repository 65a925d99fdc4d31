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
from sintonia.identity.decisions import Decided, decide, places
from sintonia.identity.guards import Ints, Rules, Ties, accepted
from sintonia.identity.match import Earlier, MatchConfig, Matches, Model, match_pairs
from sintonia.identity.overrides import Overrides, read_overrides
from sintonia.identity.persons import collect_persons
from sintonia.identity.standardise import standardise
from sintonia.identity.state import Before, read_model

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Resolved:
    """What matching gave: person records as read and as compared, the pairs that stand, what was decided of them.

    A record's id is its place in the two tables, as text.
    """

    persons: pa.Table
    standard: pa.Table
    matches: Matches
    decided: Decided


def resolve(
    connection: duckdb.DuckDBPyConnection, source: SourceConfig, config: IdentityConfig, before: Before
) -> Resolved | None:
    """Return what matching gave, None without records to match; the table `ties` now holds the ties that stand.

    To the ties of shared identifiers come those of matched person records (rule 'match') and of overrides
    ('must-link'); those that an identifier of several people or a cannot-link forbids are in the table `refused`.
    What was decided `before` stands: only new records are matched, and only new ties are judged.
    """
    known = before.read("records") if before.scores else None
    persons = collect_persons(connection, source.silos, config.shareable, known)
    overrides = _overrides(connection, config)
    matched = _match(connection, persons, config, before, known)
    found = None
    if matched is not None:
        group = _groups(persons, known) if known is not None and before.decisions else None
        found = Resolved(persons, *matched, decide(persons, matched[1], config, overrides, group))
        _add_matches(connection, persons, found.decided)
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
    connection: duckdb.DuckDBPyConnection,
    persons: pa.Table,
    config: IdentityConfig,
    before: Before,
    known: pa.Table | None,
) -> tuple[pa.Table, Matches] | None:
    """Return the records as compared and all pairs that stand, those of earlier builds and the new ones."""
    if persons.num_rows < 2:
        return None
    model = read_model(before, config)
    standard = _standard(persons, known, config.region, model)
    old = _standing_pairs(persons, known, before.read("pairs"))
    is_new = persons["old"].is_null().to_numpy()
    earlier = Earlier(model, is_new, old) if model else None
    try:
        found = match_pairs(
            standard, MatchConfig(match_probability=config.match_probability), connection, earlier
        )
    except NotEnoughDataError as error:
        log.warning("Records are tied by identifiers alone: %s", error)
        return None
    if old is None:
        return standard, found
    pairs = pa.concat_tables([old, found.pairs], promote_options="default")
    return standard, Matches(pairs, found.model, found.compared)


def _standard(persons: pa.Table, known: pa.Table | None, region: str, model: Model | None) -> pa.Table:
    """Return the records as compared: those known as they were, the new ones standardised now.

    Under a model learned before, new records tell nothing about each other.
    """
    new = persons.filter(persons["old"].is_null())
    seen = model.frequencies if model else None
    raw = ("silo", "node", "key", "old", "arrived_at", "names")
    parts = []
    if known is not None:
        stays = known.take(persons["old"].drop_null())
        parts.append(stays.drop_columns(["record_id", "silo", "key", "arrived_at", "names", "cluster"]))
    if new.num_rows:
        parts.append(standardise(new.drop_columns(raw), region=region, seen=seen).drop_columns(["record_id"]))
    whole = pa.concat_tables(parts, promote_options="default")
    ids = pa.array(range(persons.num_rows), pa.int64()).cast(pa.string())
    return whole.add_column(0, "record_id", ids)


def _standing_pairs(persons: pa.Table, known: pa.Table | None, pairs: pa.Table | None) -> pa.Table | None:
    """Return the pairs scored in earlier builds whose records are still there, under their new places."""
    if known is None or pairs is None:
        return None
    old = persons["old"].drop_null().to_numpy()
    ids = known["record_id"].cast(pa.int64()).to_numpy()
    now = np.full(ids.max(initial=-1) + 1, -1)
    now[ids[old]] = np.arange(len(old))
    left, right = (now[side] for side in places(pairs))
    there = (left >= 0) & (right >= 0)
    stand = pairs.filter(pa.array(there))
    for at, (name, place) in enumerate((("left", left), ("right", right))):
        stand = stand.set_column(at, name, pa.array(place[there]).cast(pa.string()))
    return stand


def _groups(persons: pa.Table, known: pa.Table) -> Ints:
    """Return each record's group of earlier builds as the place of its first record; new ones are their own."""
    old = persons["old"].drop_null().to_numpy()
    _, first, group = np.unique(known["cluster"].to_numpy()[old], return_index=True, return_inverse=True)
    return np.append(first[group], np.arange(len(old), persons.num_rows))


def _add_matches(connection: duckdb.DuckDBPyConnection, persons: pa.Table, decided: Decided) -> None:
    """Add the ties of merges made in earlier builds and now; one of two records that are gone is gone too."""
    node, linked = persons["node"].to_numpy(), decided.linked
    made = ~linked.held
    probability = 1 / (1 + np.exp2(-np.clip(linked.match_weight[made], -300, 300)))
    columns = {
        "one": node[linked.left[made]],
        "other": node[linked.right[made]],
        "arrived_at": linked.arrived_at[made],
        "match_probability": np.minimum(probability, 1 - 1e-12),
    }
    connection.register("matched", pa.table(columns))
    connection.register("there", pa.table({"node": node}))
    connection.execute("""
        INSERT INTO ties
        WITH all_matched AS (
            SELECT one, other, MAKE_TIMESTAMP(arrived_at) AS arrived_at, match_probability FROM matched
            UNION ALL
            SELECT a.node, b.node, arrived_at, match_probability
            FROM before_ties JOIN nodes AS a ON a.key = "left" JOIN nodes AS b ON b.key = "right"
            SEMI JOIN there ON there.node = a.node SEMI JOIN there ON there.node = b.node
            WHERE rule = 'match')
        SELECT LEAST(one, other), GREATEST(one, other), MIN(arrived_at), ARG_MIN(match_probability, arrived_at), 'match'
        FROM all_matched WHERE one <> other GROUP BY 1, 2""")
    connection.unregister("matched")
    connection.unregister("there")


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
        CREATE OR REPLACE TEMP TABLE numbered AS
        SELECT ties.*, ROW_NUMBER() OVER (ORDER BY ties.arrived_at, left_node, right_node, ties.rule) - 1 AS tie,
               CASE WHEN SPLIT_PART(a.key, ':', 1) IN ({listed}) THEN left_node
                    WHEN SPLIT_PART(b.key, ':', 1) IN ({listed}) THEN right_node END AS identifier,
               ties.rule = 'same record' AND identifier IS NOT NULL AS shareable, before.holds
        FROM ties JOIN nodes AS a ON a.node = left_node JOIN nodes AS b ON b.node = right_node
        LEFT JOIN before_ties AS before ON before."left" = a.key AND before."right" = b.key AND before.rule = ties.rule
        """)
    refused = _refused(connection, Rules(_naming(persons), config.persons_per_identifier, overrides.cannot))
    connection.register("refused_ties", pa.table({"tie": refused}))
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE refused AS FROM numbered SEMI JOIN refused_ties USING (tie)"
    )
    connection.execute("""CREATE OR REPLACE TEMP TABLE ties AS SELECT * EXCLUDE (tie, identifier, shareable, holds)
                          FROM numbered ANTI JOIN refused_ties USING (tie)""")
    connection.unregister("refused_ties")


def _refused(connection: duckdb.DuckDBPyConnection, rules: Rules) -> np.ndarray:
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


def _naming(persons: pa.Table) -> dict[int, int]:
    """Return the nodes whose person records name somebody, with their first arrival.

    Those of earlier builds were there before anything that is new, even what comes late from long ago.
    """
    named = persons.filter(persons["names"])
    arrived_at = np.where(
        named["old"].is_valid().to_numpy(), np.iinfo(np.int64).min, named["arrived_at"].to_numpy()
    )
    rows: Sequence[tuple[int, int]] = list(zip(named["node"].to_pylist(), arrived_at.tolist(), strict=True))
    return dict(sorted(rows, key=lambda row: (row[0], -row[1])))
