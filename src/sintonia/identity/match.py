"""Probabilistic matching of person records with Splink: weights learned from the table, pairs with their evidence.

Pairs that share a key are compared field by field (`blocking`, `comparisons`), the weights are learned from a
sample of them and from random pairs (`training`), Splink scores them over the caller's DuckDB connection, and
the evidence for a household is taken off. Scoring with weights learned earlier is the same call.
"""

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from sintonia.config import ConfigError
from sintonia.errors import NotEnoughDataError
from sintonia.identity import blocking, training
from sintonia.identity.comparisons import Comparison, comparisons
from sintonia.identity.training import Evidence, Weights

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection
    from splink import Linker

_DERIVED = {
    "email_name": ("email", "nullif(split_part(email, '@', 1), '')"),
    "phone_end": ("phone", "case when length(phone) >= 9 then right(phone, 7) end"),
    "birth_day": ("birth_date", "datediff('day', date '1800-01-01', try_cast(birth_date as date))"),
}
"""Columns the comparisons and keys read beside the standard ones: from which field, and how."""

_START_U = 0.01

LEAST_WEIGHT = -10.0
"""Pairs with less evidence than this, in bits, are not kept: no clustering would tell them from strangers."""


@dataclass(frozen=True)
class MatchConfig:
    """How person records are matched; the defaults are meant for any table.

    `match_probability` is the least probability at which two records are one person. `pairs_per_record` bounds
    the pairs compared in large tables; tables of up to `every_pair_up_to` pairs are compared in full.
    """

    match_probability: float = 0.5
    pairs_per_record: int = 60
    every_pair_up_to: int = 1_000_000
    training_pairs: int = 1_000_000
    random_pairs: int = 250_000

    def __post_init__(self) -> None:
        """Refuse a probability that is none and sizes that cannot work."""
        if not 0 < self.match_probability < 1:
            raise ConfigError(
                f"match_probability={self.match_probability} is no probability; give 0 < p < 1."
            )
        for name in ("pairs_per_record", "training_pairs", "random_pairs"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}={getattr(self, name)} is too small; give at least 1.")


@dataclass(frozen=True)
class Matches:
    """Scored pairs, the weights that scored them, and what each field was compared on.

    `pairs` has one row per compared pair worth keeping, ordered by (left, right), left < right as text:
    `left, right` (record ids), `match_weight` (bits), `match_probability`, `shared` (the key that made them
    candidates), and per field `level_<field>` (0 same ... last different, null missing) and `weight_<field>` (bits).
    """

    pairs: "pa.Table"
    weights: Weights
    compared: tuple[Comparison, ...] = field(default=())


def match_pairs(
    records: "pa.Table", config: MatchConfig, connection: "DuckDBPyConnection", weights: Weights | None = None
) -> Matches:
    """Return the pairs of standardised records that may be one person, with their evidence.

    Parameters
    ----------
    records
        As `standardise` gives them.
    weights
        Weights learned earlier, so that old decisions stand; learned from the records when none are given.

    Raises
    ------
    NotEnoughDataError
        When the table has not two records with a field in common to compare.
    """
    compared = _comparable(records, weights)
    try:
        _persons(connection, records)
        if records.num_rows * (records.num_rows - 1) // 2 <= config.every_pair_up_to:
            blocking.every_pair(connection)
        else:
            blocking.block(
                connection,
                _columns(connection),
                max(config.pairs_per_record * records.num_rows, config.every_pair_up_to),
            )
        weights = weights or _learn(connection, compared, config)
        _first_look(connection, compared, weights)
        _second_look(connection, compared, weights)
        return Matches(_pairs(connection), weights, compared)
    finally:
        for table in ("persons", "candidates", "chosen", "kept"):
            connection.execute(f"drop table if exists {table}")


def _comparable(records: "pa.Table", weights: Weights | None) -> tuple[Comparison, ...]:
    fields = {name for name in records.column_names if len(records[name]) - records[name].null_count >= 2}
    fields &= set(weights.m) if weights else fields
    found = comparisons(fields)
    if not found:
        raise NotEnoughDataError(
            f"No field to match on: {records.num_rows} records with the columns {', '.join(records.column_names)}. "
            "Give at least two records with a name, birth date, e-mail, phone or address in common."
        )
    return found


def _persons(connection: "DuckDBPyConnection", records: "pa.Table") -> None:
    """Make the table `persons`: the records numbered in order of their id, so that the order of rows is nothing."""
    derived = [
        f"{sql} as {name}" for name, (source, sql) in _DERIVED.items() if source in records.column_names
    ]
    numbered = "row_number() over (order by record_id) as person"
    connection.register("standard_records", records)
    connection.execute(
        f"create or replace temp table persons as select {', '.join([numbered, '*', *derived])} from standard_records"
    )
    connection.unregister("standard_records")


def _columns(connection: "DuckDBPyConnection") -> list[str]:
    return [name for name, *_ in connection.execute("describe persons").fetchall()]


def _learn(
    connection: "DuckDBPyConnection", compared: tuple[Comparison, ...], config: MatchConfig
) -> Weights:
    records = _number(connection, "select count(*) from persons")
    candidates = _number(connection, "select count(*) from candidates")
    step = max(1, -(-candidates // config.training_pairs))
    untrained = _untrained(compared)
    _random_pairs(connection, records, config.random_pairs)
    chance = _level_counts(connection, compared, untrained)
    connection.execute(
        "create or replace temp table chosen as select * from candidates"
        f" where hash(join_key_l, join_key_r) % {step} = 0"
    )
    columns = _evidence_columns(connection, compared, untrained)
    evidence = {}
    for one in compared:
        known = _number(connection, f"select count({one.field}) from persons")
        evidence[one.field] = Evidence(
            *columns[one.field],
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

    Every record takes part equally often, so that no name is sampled by accident; all pairs when they are few.
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


def _chance(
    connection: "DuckDBPyConnection", one: Comparison, counts: dict[int, int], known: int
) -> training.Floats:
    """Return each degree's share among random pairs: of equality exactly, of the others from the sample.

    Half a pair is added to every degree of the sample, so that one never seen is rare and not impossible.
    """
    levels = len(one.labels)
    seen = np.array([counts.get(level, 0) for level in range(levels)]) + 0.5
    same = _number(
        connection,
        f"select coalesce(sum(n * (n - 1)), 0) from (select count(*)::bigint as n from persons"
        f" where {one.field} is not null group by {one.field})",
    ) / (known * (known - 1))
    same = min(max(same, 0.5 / (known * known)), 1 - 1e-6)
    return np.append(same, (1 - same) * seen[1:] / seen[1:].sum())


def _untrained(compared: tuple[Comparison, ...]) -> Weights:
    """Return weights under which Splink's frequency adjustment shows the frequencies themselves."""
    u = {one.field: [_START_U] * (len(one.labels) - 1) + [0.5] for one in compared}
    m = {one.field: [0.5] * len(one.labels) for one in compared}
    return Weights(m, u, 1e-4, 0.0)


def _level_counts(
    connection: "DuckDBPyConnection", compared: tuple[Comparison, ...], weights: Weights
) -> dict[str, dict[int, int]]:
    with _Splink(connection, compared, weights) as scored:
        return {
            one.field: {
                len(one.labels) - 1 - int(gamma): int(pairs)
                for gamma, pairs in connection.execute(
                    f"select gamma_{one.field}, count(*) from {scored} where gamma_{one.field} >= 0 group by 1"
                ).fetchall()
            }
            for one in compared
        }


def _evidence_columns(
    connection: "DuckDBPyConnection", compared: tuple[Comparison, ...], weights: Weights
) -> dict[str, tuple[Any, Any]]:
    """Return each field's level and surprise over the chosen pairs, in one fixed order of pairs."""
    parts = []
    for one in compared:
        last = len(one.labels) - 1
        parts.append(f"({last} - case when gamma_{one.field} < 0 then -1 else gamma_{one.field} end)::bigint")
        adjusted = f"mw_tf_adj_{one.field} - log2({_START_U})"
        parts.append(
            f"case when gamma_{one.field} = {last} then {adjusted} end"
            if one.by_frequency
            else "null::double"
        )
    named = ", ".join(f"{part} as c{place}" for place, part in enumerate(parts))
    with _Splink(connection, compared, weights) as scored:
        found = connection.execute(f"select {named} from {scored} order by person_l, person_r").fetchnumpy()
    columns = [np.ma.filled(found[f"c{place}"].astype(np.float64), np.nan) for place in range(len(parts))]
    return {
        one.field: (columns[2 * place].astype(np.int64), columns[2 * place + 1])
        for place, one in enumerate(compared)
    }


def _score(connection: "DuckDBPyConnection", compared: tuple[Comparison, ...], weights: Weights) -> None:
    """Add the pairs in `chosen` that are worth keeping to the table `kept`, with their evidence.

    match_weight = log2(p(one person) / p(household or strangers)), as `training.kinds` has it.
    """
    personal, home = (
        " + ".join(["0", *(_bits(one) for one in compared if one.household is shared)])
        for shared in (False, True)
    )
    levels = ", ".join(
        f"case when gamma_{one.field} >= 0 then ({len(one.labels) - 1} - gamma_{one.field})::tinyint end"
        f" as level_{one.field}, ({_bits(one)})::float as weight_{one.field}"
        for one in compared
    )
    match, household = weights.match_share, weights.household_share
    against = f"log2({household} * power(2, least(home, 300)) + {1 - match - household})"
    with _Splink(connection, compared, weights) as scored:
        connection.execute(
            f"with summed as (select person_l, person_r, {personal} as personal, {home} as home, match_key, {levels}"
            f" from {scored}), weighed as (select person_l, person_r,"
            f" log2({match}) + personal + home - {against} as match_weight, * exclude (person_l, person_r, personal, home)"
            f" from summed) insert into kept select * from weighed where match_weight >= {LEAST_WEIGHT}"
        )


def _first_look(connection: "DuckDBPyConnection", compared: tuple[Comparison, ...], weights: Weights) -> None:
    columns = ", ".join(f"level_{one.field} tinyint, weight_{one.field} float" for one in compared)
    connection.execute(
        "create or replace temp table kept"
        f" (person_l bigint, person_r bigint, match_weight double, shared varchar, {columns})"
    )
    connection.execute("create or replace temp table chosen as select * from candidates")
    _score(connection, compared, weights)


def _second_look(
    connection: "DuckDBPyConnection", compared: tuple[Comparison, ...], weights: Weights
) -> None:
    """Compare what no key brought together: two records that a third one is tied to (its best 30 ties)."""
    connection.execute(
        "create or replace temp table chosen as"
        " with ties as (select person_l as one, person_r as other, match_weight from kept where match_weight >= 0"
        " union all select person_r, person_l, match_weight from kept where match_weight >= 0),"
        " best as (select * from ties qualify row_number() over (partition by one order by match_weight desc, other) <= 30)"
        " select distinct 'third' as match_key, l.other as join_key_l, r.other as join_key_r"
        " from best l join best r on l.one = r.one and l.other < r.other"
        " anti join candidates c on c.join_key_l = l.other and c.join_key_r = r.other"
    )
    _score(connection, compared, weights)
    connection.execute("insert into candidates select * from chosen")


def _pairs(connection: "DuckDBPyConnection") -> "pa.Table":
    return connection.sql(
        "select l.record_id as left, r.record_id as right, match_weight,"
        " 1 / (1 + power(2, -greatest(least(match_weight, 300), -300))) as match_probability,"
        " kept.* exclude (person_l, person_r, match_weight)"
        " from kept join persons l on l.person = person_l join persons r on r.person = person_r order by 1, 2"
    ).to_arrow_table()


def _bits(one: Comparison) -> str:
    adjusted = f" + coalesce(mw_tf_adj_{one.field}, 0)" if one.by_frequency else ""
    return f"coalesce(mw_{one.field}, 0){adjusted}"


class _Splink:
    """Splink's scores of the pairs in `chosen`: a table that lives as long as the `with` block."""

    def __init__(
        self, connection: "DuckDBPyConnection", compared: tuple[Comparison, ...], weights: Weights
    ) -> None:
        from splink import DuckDBAPI, Linker, SettingsCreator

        for name in (
            "splink",
            *(name for name in logging.root.manager.loggerDict if name.startswith("splink.")),
        ):
            logging.getLogger(name).setLevel(logging.ERROR)
        self._api = DuckDBAPI(connection)
        settings = SettingsCreator.from_path_or_dict(splink_settings(compared, weights))
        self._linker: Linker = Linker(self._api.register("persons"), settings)

    def __enter__(self) -> str:
        self._linker.table_management.register_blocked_pairs_for_predict(self._api.register("chosen"))
        return str(self._linker.inference.predict(warning_mode="never").physical_name)

    def __exit__(self, *_: object) -> None:
        self._linker.table_management.delete_tables_created_by_splink_from_db()


def splink_settings(compared: tuple[Comparison, ...], weights: Weights) -> dict[str, Any]:
    """Return the model as Splink's settings, for its own charts; Splink knows no households."""
    return {
        "link_type": "dedupe_only",
        "unique_id_column_name": "person",
        "comparisons": [_splink_comparison(one, weights) for one in compared],
        "blocking_rules_to_generate_predictions": ["l.person = r.person"],
        "probability_two_random_records_match": weights.match_share,
        "retain_intermediate_calculation_columns": True,
        "retain_matching_columns": True,
    }


def _splink_comparison(one: Comparison, weights: Weights) -> dict[str, Any]:
    missing = f"{one.field}_l is null or {one.field}_r is null"
    levels: list[dict[str, Any]] = [
        {"sql_condition": missing, "label_for_charts": "missing", "is_null_level": True}
    ]
    conditions = [*(level.sql for level in one.levels), "ELSE"]
    chances = zip(weights.m[one.field], weights.u[one.field], strict=True)
    for condition, label, (m, u) in zip(conditions, one.labels, chances, strict=True):
        levels.append(
            {"sql_condition": condition, "label_for_charts": label, "m_probability": m, "u_probability": u}
        )
    if one.by_frequency:
        levels[1] |= {"tf_adjustment_column": one.field, "tf_adjustment_weight": 1.0}
    return {"output_column_name": one.field, "comparison_levels": levels}
