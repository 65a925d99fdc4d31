"""What weights are learned from: degrees of agreement of a sample of candidate pairs and of random pairs."""

from typing import TYPE_CHECKING

import numpy as np

from sintonia.core.arrays import Floats, Ints
from sintonia.data.identity import scoring, training
from sintonia.data.identity.comparisons import FieldComparison
from sintonia.data.identity.training import FieldPairs, Weights

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_START_U = 0.01


def learn_weights(
    connection: "DuckDBPyConnection",
    compared: tuple[FieldComparison, ...],
    training_pairs: int,
    random_pairs: int,
) -> Weights:
    """Return the weights learned from at most `training_pairs` of `candidates` and `random_pairs` of `persons`."""
    records = _count_rows(connection, "select count(*) from persons")
    candidates = _count_rows(connection, "select count(*) from candidates")
    step = max(1, -(-candidates // training_pairs))
    _random_pairs(connection, records, random_pairs)
    chance = _level_counts(connection, compared)
    connection.execute(
        "create or replace temp table chosen as select * from candidates"
        f" where hash(join_key_l, join_key_r) % {step} = 0"
    )
    shown = _levels_and_surprise(connection, compared)
    evidence = {}
    for one in compared:
        known = _count_rows(connection, f"select count({one.field}) from persons")
        evidence[one.field] = FieldPairs(
            *shown[one.field],
            chance=_random_agreement(connection, one, chance[one.field], known),
            known=known * (known - 1) / 2,
            household=one.household,
        )
    return training.learn(evidence, records * (records - 1) / 2, float(step))


def _count_rows(connection: "DuckDBPyConnection", query: str) -> int:
    ((number,),) = connection.execute(query).fetchall()
    return int(number)


def _random_pairs(connection: "DuckDBPyConnection", records: int, most: int) -> None:
    """Make the table `chosen` of pairs drawn evenly: every record with the next few in a shuffled order.

    Every record takes part equally often, so that no name is sampled by accident; all pairs when they are
    few.
    """
    import pyarrow as pa

    order = np.random.default_rng(records).permutation(records) + 1
    gaps = range(1, 1 + max(1, min((records - 1) // 2, most // records)))
    one, two = np.tile(order, len(gaps)), np.concatenate([np.roll(order, -gap) for gap in gaps])
    pairs = {
        "match_key": ["0"] * len(one),
        "join_key_l": np.minimum(one, two),
        "join_key_r": np.maximum(one, two),
    }
    connection.register("random_pairs", pa.table(pairs))
    connection.execute("create or replace temp table chosen as select * from random_pairs")
    connection.unregister("random_pairs")


def _random_agreement(
    connection: "DuckDBPyConnection", one: FieldComparison, counts: dict[int, int], known: int
) -> Floats:
    """Return each degree's share among random pairs: of equality exactly, of the others from the sample.

    Half a pair is added to every degree of the sample, so that one never seen is rare and not impossible.
    """
    seen = np.array([counts.get(level, 0) for level in range(len(one.labels))]) + 0.5
    equal = _count_rows(
        connection,
        "select coalesce(sum(n * (n - 1)), 0)"
        f" from (select count({one.field}) as n from persons group by {one.field})",
    )
    same = np.clip(equal / (known * (known - 1)), 0.5 / known**2, 1 - 1e-6)
    return np.append(same, (1 - same) * seen[1:] / seen[1:].sum())


def _untrained(compared: tuple[FieldComparison, ...]) -> Weights:
    """Return weights under which Splink's frequency adjustment shows the frequencies themselves."""
    u = {one.field: [_START_U] * (len(one.labels) - 1) + [0.5] for one in compared}
    m = {one.field: [0.5] * len(one.labels) for one in compared}
    return Weights(m, u, 1e-4, 0.0)


def _level_counts(
    connection: "DuckDBPyConnection", compared: tuple[FieldComparison, ...]
) -> dict[str, dict[int, int]]:
    """Return how many of the chosen pairs show each degree of each field, missing values left out."""
    counts = {}
    with scoring.splink_scores(connection, compared, _untrained(compared), "chosen") as scores:
        for one in compared:
            gamma = f"gamma_{one.field}"
            query = f"select {gamma}, count(*) from {scores} where {gamma} >= 0 group by {gamma}"
            found = connection.execute(query).fetchall()
            counts[one.field] = {len(one.labels) - 1 - gamma: pairs for gamma, pairs in found}
    return counts


def _levels_and_surprise(
    connection: "DuckDBPyConnection", compared: tuple[FieldComparison, ...]
) -> dict[str, tuple[Ints, Floats]]:
    """Return each field's level and surprise over the chosen pairs, in one fixed order of pairs."""
    parts = []
    for one in compared:
        gamma, last = f"gamma_{one.field}", len(one.labels) - 1
        adjusted = f"case when {gamma} = {last} then mw_tf_adj_{one.field} - log2({_START_U}) end"
        parts.append(f"({last} - greatest({gamma}, -1))::double as level_{one.field}")
        parts.append(f"{adjusted if one.by_frequency else 'null'}::double as surprise_{one.field}")
    with scoring.splink_scores(connection, compared, _untrained(compared), "chosen") as scores:
        query = f"select {', '.join(parts)} from {scores} order by person_l, person_r"
        found = connection.sql(query).to_arrow_table()

    def column(name: str) -> Floats:
        values: Floats = found.column(name).to_numpy()
        return values

    return {
        one.field: (column(f"level_{one.field}").astype(np.int64), column(f"surprise_{one.field}"))
        for one in compared
    }
