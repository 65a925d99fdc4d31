"""Probabilistic matching of person records: weights learned from the table, pairs with their evidence.

Pairs that share a key are compared field by field (`blocking`, `comparisons`), the weights are learned from a
sample of them and from random pairs (`training`), and Splink scores them (`scoring`). Scoring new records
with a model learned earlier is the same call, so that old decisions stand.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sintonia.errors import ConfigError, NotEnoughDataError
from sintonia.identity import blocking, scoring, training
from sintonia.identity.comparisons import Comparison, comparisons
from sintonia.identity.frequencies import frequencies, write_frequencies
from sintonia.identity.training import Evidence, Floats, Ints, Weights

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection
    from numpy.typing import NDArray

_DERIVED = {
    "email_name": ("email", "nullif(replace(split_part(email, '@', 1), '.', ''), '')"),
    "phone_end": ("phone", "case when length(phone) >= 9 then right(phone, 7) end"),
    "birth_day": ("birth_date", "datediff('day', date '1800-01-01', try_cast(birth_date as date))"),
}
"""Columns the comparisons and keys read beside the standard ones: from which field, and how."""

_START_U = 0.01


@dataclass(frozen=True)
class MatchConfig:
    """How person records are matched; the defaults are meant for any table.

    `match_probability` is the least probability at which two records are one person. Tables of up to
    `every_pair_up_to` pairs are compared in full; in larger ones records that share a key are, as far as
    `pairs_per_record` and `most_pairs` (in all) allow. The weights are learned from at most `training_pairs` of
    them and `random_pairs`.
    """

    match_probability: float = 0.5
    pairs_per_record: int = 60
    most_pairs: int = 12_000_000
    every_pair_up_to: int = 100_000
    training_pairs: int = 500_000
    random_pairs: int = 250_000

    def __post_init__(self) -> None:
        """Refuse a probability that is none and sizes that cannot work."""
        if not 0 < self.match_probability < 1:
            raise ConfigError(
                f"match_probability={self.match_probability} is no probability; give 0 < p < 1."
            )
        for name in ("pairs_per_record", "most_pairs", "training_pairs", "random_pairs"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}={getattr(self, name)} is too small; give at least 1.")


@dataclass(frozen=True)
class Model:
    """What picks and scores a pair, whatever records come later.

    `frequencies` has one row per (field, value): `frequency`, its share among the known values; a value that was
    not there when the model learned counts as one seen once. `limits` says for each key how many records that
    share it are compared, the first ones; None compares all with all.
    """

    weights: Weights
    frequencies: "pa.Table"
    limits: Mapping[str, int] | None


@dataclass(frozen=True)
class Earlier:
    """What stands of an earlier call: its model, which records are new since, (n_records,), and the old pairs."""

    model: Model
    is_new: "NDArray[np.bool_]"
    pairs: "pa.Table | None" = None


@dataclass(frozen=True)
class Matches:
    """Scored pairs, the model that scored them, and what each field was compared on.

    `pairs` has one row per compared pair worth keeping, ordered by (left, right) as text, left the earlier record:
    `left, right` (record ids), `match_weight` (bits), `match_probability`, `shared` (the key that made them
    candidates), and per field `level_<field>` (0 same ... last different, null missing) and `weight_<field>`
    (bits).
    """

    pairs: "pa.Table"
    model: Model
    compared: tuple[Comparison, ...]


def match_pairs(
    records: "pa.Table", config: MatchConfig, connection: "DuckDBPyConnection", earlier: Earlier | None = None
) -> Matches:
    """Return the pairs of standardised records that may be one person, with their evidence.

    Parameters
    ----------
    records
        As `standardise` gives them.
    earlier
        What an earlier call learned and scored: only pairs with a new record are scored, by its model. Without it
        a model is learned from the records.

    Raises
    ------
    NotEnoughDataError
        When the table has not two records with a field in common to compare.
    """
    compared = _comparable(records, earlier.model.weights if earlier else None)
    with connection.cursor() as own:  # an undrained result of the caller's would stop us on the same one
        _persons(own, records, compared, earlier)
        limits = _candidates(own, config, earlier.model if earlier else None)
        learned = earlier.model.frequencies if earlier else None
        write_frequencies(own, compared, learned)
        weights = earlier.model.weights if earlier else _learn(own, compared, config)
        scoring.first_look(own, compared, weights)
        scoring.second_look(own, compared, weights)
        return Matches(scoring.kept_pairs(own), Model(weights, frequencies(own, compared), limits), compared)


def _comparable(records: "pa.Table", weights: Weights | None) -> tuple[Comparison, ...]:
    known = [name for name in records.column_names if records.num_rows - records[name].null_count >= 2]
    if weights:
        return comparisons({*weights.m, *({"first_name_forms"} & set(known))})
    found = comparisons(known)
    if not found:
        raise NotEnoughDataError(
            f"No field to match on among {', '.join(records.column_names)} of {records.num_rows} records; "
            "give at least two records with a name, birth date, e-mail, phone or address."
        )
    return found


def _persons(
    connection: "DuckDBPyConnection",
    records: "pa.Table",
    compared: tuple[Comparison, ...],
    earlier: Earlier | None,
) -> None:
    """Make the tables `persons`, the records numbered by their ids, and `known_pairs`, the old pairs among them.

    The order of rows is nothing. Fields the weights know and the records lack are there as missing values.
    """
    import pyarrow as pa

    columns = set(records.column_names)
    lacking = [f"null::varchar as {one.field}" for one in compared if one.field not in columns]
    columns |= {one.field for one in compared}
    derived = [f"{sql} as {name}" for name, (source, sql) in _DERIVED.items() if source in columns]
    is_new = earlier.is_new if earlier else np.ones(records.num_rows, bool)
    connection.register("standard_records", records.append_column("is_new", pa.array(is_new)))
    order = "try_cast(record_id as bigint), record_id"
    connection.execute(f"""
        create or replace temp table persons as
        with whole as (select {", ".join(["*", *lacking])} from standard_records)
        select {", ".join([f"row_number() over (order by {order}) as person", "*", *derived])} from whole
    """)
    connection.unregister("standard_records")
    nothing = pa.table({"left": pa.array([], pa.string()), "right": [], "match_weight": []})
    connection.register("old_pairs", earlier.pairs if earlier and earlier.pairs is not None else nothing)
    connection.execute("""
        create or replace temp table known_pairs as
        select l.person as person_l, r.person as person_r, match_weight::double as match_weight
        from old_pairs join persons l on l.record_id = "left" join persons r on r.record_id = "right"
    """)
    connection.unregister("old_pairs")


def _candidates(
    connection: "DuckDBPyConnection", config: MatchConfig, model: Model | None
) -> Mapping[str, int] | None:
    """Make the table `candidates` and return the limits it was made by, a model's own where they still serve."""
    records = _number(connection, "select count(*) from persons")
    new = _number(connection, "select count(*) from persons where is_new")
    limits = model.limits if model else None
    # Tables grow: a model of few records must not compare a million with each other.
    room = 10 * config.every_pair_up_to if model else config.every_pair_up_to
    if limits is None and new * records - new * (new + 1) // 2 <= room:
        blocking.every_pair(connection)
        return None
    columns = [name for name, *_ in connection.execute("describe persons").fetchall()]
    if limits is None:
        most = min(config.pairs_per_record * records, config.most_pairs)
        limits = blocking.limits(connection, columns, most)
    blocking.block(connection, columns, limits)
    return limits


def _learn(
    connection: "DuckDBPyConnection", compared: tuple[Comparison, ...], config: MatchConfig
) -> Weights:
    records = _number(connection, "select count(*) from persons")
    candidates = _number(connection, "select count(*) from candidates")
    step = max(1, -(-candidates // config.training_pairs))
    _random_pairs(connection, records, config.random_pairs)
    chance = _level_counts(connection, compared)
    connection.execute(
        "create or replace temp table chosen as select * from candidates"
        f" where hash(join_key_l, join_key_r) % {step} = 0"
    )
    shown = _levels_and_surprise(connection, compared)
    evidence = {}
    for one in compared:
        known = _number(connection, f"select count({one.field}) from persons")
        evidence[one.field] = Evidence(
            *shown[one.field],
            chance=_chance(connection, one, chance[one.field], known),
            known=known * (known - 1) / 2,
            household=one.household,
        )
    return training.learn(evidence, records * (records - 1) / 2, float(step))


def _number(connection: "DuckDBPyConnection", query: str) -> int:
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


def _chance(connection: "DuckDBPyConnection", one: Comparison, counts: dict[int, int], known: int) -> Floats:
    """Return each degree's share among random pairs: of equality exactly, of the others from the sample.

    Half a pair is added to every degree of the sample, so that one never seen is rare and not impossible.
    """
    seen = np.array([counts.get(level, 0) for level in range(len(one.labels))]) + 0.5
    equal = _number(
        connection,
        "select coalesce(sum(n * (n - 1)), 0)"
        f" from (select count({one.field}) as n from persons group by {one.field})",
    )
    same = np.clip(equal / (known * (known - 1)), 0.5 / known**2, 1 - 1e-6)
    return np.append(same, (1 - same) * seen[1:] / seen[1:].sum())


def _untrained(compared: tuple[Comparison, ...]) -> Weights:
    """Return weights under which Splink's frequency adjustment shows the frequencies themselves."""
    u = {one.field: [_START_U] * (len(one.labels) - 1) + [0.5] for one in compared}
    m = {one.field: [0.5] * len(one.labels) for one in compared}
    return Weights(m, u, 1e-4, 0.0)


def _level_counts(
    connection: "DuckDBPyConnection", compared: tuple[Comparison, ...]
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
    connection: "DuckDBPyConnection", compared: tuple[Comparison, ...]
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
