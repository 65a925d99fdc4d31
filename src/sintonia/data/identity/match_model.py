"""The matcher of person records: its weights, learned from the table itself, and the scores of pairs.

Pairs that share a key (`blocking`) are compared field by field (`comparing`). The weights are learned by
expectation-maximisation from a sample of them and from random pairs. There are three kinds of pair: for strangers a
field agrees by chance (u); for one person as often as spelling allows (m); for a household (two people of one home)
fields of the home agree as for one person and personal ones as for strangers. Without the third kind shared
address, phone and surname would add up to certainty. This is Fellegi and Sunter's model with u from random pairs
(as Splink estimates it), less the matches that small tables have among their random pairs, and with m and the
shares of the kinds by EM.

Splink scores the pairs: it compares, adjusts for frequent values and adds up; the evidence for a household, which
it does not model, is taken off here. Its pairs are tables of (match_key, join_key_l, join_key_r) over PERSONS.

Records that come later are scored by the model that was learned, so that earlier decisions stand: each with all
others, and no other pair again. Of the known records, which lie in files of millions, only those are read that
share a key with a new record, or a tie with one that does.
"""

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from sintonia.core.arrays import Floats, Ints
from sintonia.core.engine import fetch_row
from sintonia.core.errors import ConfigError, NotEnoughDataError
from sintonia.core.relation import Relation
from sintonia.data.identity import blocking
from sintonia.data.identity.comparing import FieldComparison, comparisons, frequencies, write_frequencies
from sintonia.data.identity.relations import (
    BEFORE_PAIRS,
    BEFORE_RECORDS,
    CANDIDATES,
    CHOSEN,
    EVERYONE,
    GONE_RECORDS,
    KEPT,
    KNOWN_PAIRS,
    NEAR,
    NEWCOMERS,
    PERSONS,
    term_frequencies,
)

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection


_MOST_BITS = 300.0
_TRUST = 1.0


@dataclass(frozen=True)
class FieldPairs:
    """One field over many pairs, and over all pairs of the table.

    `level` counts from 0 (same) to n_levels - 1 (different), n_levels where a value is missing; `surprise` is
    -log2 of the value's frequency where equality is weighed by it, otherwise NaN. `chance` is each degree's
    share among random pairs, `known` the number of the table's pairs in which both records have the field.
    """

    level: Ints  # (n_pairs,)
    surprise: Floats  # (n_pairs,)
    chance: Floats  # (n_levels,)
    known: float
    household: bool


@dataclass(frozen=True)
class Weights:
    """What was learned: m and u by field and degree (best first), the shares of matches and households."""

    m: dict[str, list[float]]
    u: dict[str, list[float]]
    match_share: float
    household_share: float
    iterations: int = 0


def learn(
    evidence: dict[str, FieldPairs], all_pairs: float, scale: float, most_iterations: int = 200
) -> Weights:
    """Return the weights under which the evidence is most likely, matches starting at one a record.

    Parameters
    ----------
    evidence
        By field. Pairs that are not among them count as strangers: they share no key.
    all_pairs
        Number of pairs of the table.
    scale
        How many candidate pairs each pair of the evidence stands for, 1 when it holds all of them.
    """
    m = {name: _first_guess(len(one.chance)) for name, one in evidence.items()}
    u = {name: one.chance for name, one in evidence.items()}
    match_share = household_share = 1 / (1 + (1 + 8 * all_pairs) ** 0.5)
    household_share /= 10
    iterations, before = 0, 0.0
    while iterations < most_iterations and abs(match_share - before) > 1e-4 * match_share:
        iterations, before = iterations + 1, match_share
        match, household = kinds(*bits(evidence, m, u), match_share, household_share)
        match_share = min(0.5, (scale * float(match.sum()) + 0.5) / all_pairs)
        household_share = min(0.25, (scale * float(household.sum()) + 0.5) / all_pairs)
        for name, one in evidence.items():
            agreed = _weighted_counts(one, match)
            m[name] = _shares(agreed + _TRUST * _first_guess(len(agreed)))
            related = agreed + _weighted_counts(one, household) if one.household else agreed
            u[name] = _chance(one, scale * related)
    plain_m, plain_u = ({name: x.tolist() for name, x in shares.items()} for shares in (m, u))
    return Weights(plain_m, plain_u, match_share, household_share, iterations)


def bits(
    evidence: dict[str, FieldPairs], m: dict[str, Floats], u: dict[str, Floats]
) -> tuple[Floats, Floats]:
    """Return log2(m / u) per pair, over personal and over household fields; a missing one adds nothing."""
    pairs = len(next(iter(evidence.values())).level)
    summed = {False: np.zeros(pairs), True: np.zeros(pairs)}
    for name, one in evidence.items():
        by_level = np.append(np.log2(m[name] / u[name]), 0.0)
        by_value = np.log2(m[name][0]) + one.surprise
        weighed = (one.level == 0) & np.isfinite(one.surprise)
        summed[one.household] += np.where(weighed, by_value, by_level[one.level])
    return summed[False], summed[True]


def kinds(
    personal: Floats, home: Floats, match_share: float, household_share: float
) -> tuple[Floats, Floats]:
    """Return the probabilities that a pair is one person, and that it is two of a household.

    Examples
    --------
    Ten bits for the home alone are no person, with as many households as matches; ten personal bits more are.

    >>> match, household = kinds(np.array([0.0, 10.0]), np.array([40.0, 40.0]), 1e-6, 1e-6)
    >>> match.round(3).tolist()
    [0.5, 0.999]
    """
    one = match_share * np.exp2(np.clip(personal + home, -_MOST_BITS, _MOST_BITS))
    two = household_share * np.exp2(np.clip(home, -_MOST_BITS, _MOST_BITS))
    total = one + two + (1 - match_share - household_share)
    return one / total, two / total


def _first_guess(levels: int) -> Floats:
    """Return m before any evidence: same in four of five matches, and every degree less half as often."""
    falling = 0.5 ** np.arange(levels - 1)
    return np.append(0.8, 0.2 * falling / falling.sum())


def _weighted_counts(one: FieldPairs, weight: Floats) -> Floats:
    levels = len(one.chance)
    counts: Floats = np.bincount(one.level, weight, levels + 1)[:levels].astype(np.float64)
    return counts


def _shares(counts: Floats) -> Floats:
    shares: Floats = counts / counts.sum()
    return shares


def _chance(one: FieldPairs, related: Floats) -> Floats:
    """Return u: what random pairs show less the related pairs among them.

    At least a fiftieth of what they show is left to chance, for the related pairs are an estimate too.
    """
    shown = one.chance * one.known
    return _shares(np.maximum(shown - related, shown / 50))


LEAST_WEIGHT = -10.0
"""Pairs with less evidence than this, in bits, are not kept: clustering takes them for strangers anyway."""

_MOST_TIES = 30


@contextmanager
def splink_scores(
    connection: "DuckDBPyConnection", compared: tuple[FieldComparison, ...], weights: Weights, pairs: Relation
) -> Iterator[str]:
    """Yield the table of Splink's scores of pairs (`gamma_`, `mw_`, `mw_tf_adj_`); gone with the block."""
    from splink import DuckDBAPI, Linker, SettingsCreator

    for name in ("splink", *(name for name in logging.root.manager.loggerDict if name.startswith("splink."))):
        logging.getLogger(name).setLevel(logging.ERROR)
    api = DuckDBAPI(connection)
    settings = SettingsCreator.from_path_or_dict(splink_settings(compared, weights))
    linker = Linker(api.register(str(PERSONS)), settings)
    for field in (one.field for one in compared if one.by_frequency):
        linker.table_management.register_term_frequency_lookup(
            api.register(str(term_frequencies(field))), field
        )
    linker.table_management.register_blocked_pairs_for_predict(api.register(str(pairs)))
    try:
        yield str(linker.inference.predict(warning_mode="never").physical_name)
    finally:
        linker.table_management.delete_tables_created_by_splink_from_db()


def splink_settings(compared: tuple[FieldComparison, ...], weights: Weights) -> dict[str, Any]:
    """Return the model as Splink's settings, for its own charts too; Splink knows no households."""
    return {
        "link_type": "dedupe_only",
        "unique_id_column_name": "person",
        "comparisons": [_splink_comparison(one, weights) for one in compared],
        "blocking_rules_to_generate_predictions": ["l.person = r.person"],
        "probability_two_random_records_match": weights.match_share,
        "retain_intermediate_calculation_columns": True,
        "retain_matching_columns": True,
    }


def _splink_comparison(one: FieldComparison, weights: Weights) -> dict[str, Any]:
    missing = f"{one.field}_l is null or {one.field}_r is null"
    levels: list[dict[str, Any]] = [
        {"sql_condition": missing, "label_for_charts": "missing", "is_null_level": True}
    ]
    conditions = [*(level.sql for level in one.levels), "ELSE"]
    chances = zip(weights.m[one.field], weights.u[one.field], strict=True)
    for sql, label, (m, u) in zip(conditions, one.labels, chances, strict=True):
        levels.append(
            {"sql_condition": sql, "label_for_charts": label, "m_probability": m, "u_probability": u}
        )
    if one.by_frequency:
        levels[1] |= {"tf_adjustment_column": one.field, "tf_adjustment_weight": 1.0}
    return {"output_column_name": one.field, "comparison_levels": levels}


def first_look(
    connection: "DuckDBPyConnection", compared: tuple[FieldComparison, ...], weights: Weights
) -> None:
    """Make KEPT of the candidates' evidence."""
    evidence = {
        name: sql_type
        for one in compared
        for name, sql_type in ((f"level_{one.field}", "TINYINT"), (f"weight_{one.field}", "FLOAT"))
    }
    KEPT.create_table(connection, KEPT.no_rows(evidence))
    _keep_pairs(connection, compared, weights, CANDIDATES)


def second_look(
    connection: "DuckDBPyConnection", compared: tuple[FieldComparison, ...], weights: Weights
) -> None:
    """Add to KEPT what no key brought together: two records, one of them new, tied to the same third one.

    Ties are those of KEPT and of KNOWN_PAIRS, of earlier builds. Of a record with many ties the first count, so
    that a later one never takes an earlier one's place.
    """
    CHOSEN.create_table(
        connection,
        f"""
        with tied as (
            select person_l, person_r, match_weight from {KEPT} union all
            select person_l, person_r, match_weight from {KNOWN_PAIRS}
        ), sides as (
            select person_l as third, person_r as record from tied where match_weight >= 0
            union all select person_r, person_l from tied where match_weight >= 0
        ), first_ties as (
            select third, record, is_new from sides join {PERSONS} on person = record
            qualify row_number() over (partition by third order by record) <= {_MOST_TIES}
        )
        select distinct 'third' as match_key, l.record as join_key_l, r.record as join_key_r
        from first_ties l join first_ties r
          on l.third = r.third and l.record < r.record and (l.is_new or r.is_new)
        anti join {CANDIDATES} c on c.join_key_l = l.record and c.join_key_r = r.record
    """,
    )
    _keep_pairs(connection, compared, weights, CHOSEN)


def _keep_pairs(
    connection: "DuckDBPyConnection", compared: tuple[FieldComparison, ...], weights: Weights, pairs: Relation
) -> None:
    """Add the pairs' evidence to KEPT: match_weight = log2(p(one person) / p(household or strangers))."""
    personal, home = (
        " + ".join(["0", *(_bits(one) for one in compared if one.household is shared)])
        for shared in (False, True)
    )
    levels = ", ".join(
        f"{_level(one)} as level_{one.field}, {_bits(one)} as weight_{one.field}" for one in compared
    )
    match, household = weights.match_share, weights.household_share
    with splink_scores(connection, compared, weights, pairs) as scores:
        connection.execute(f"""
            insert into {KEPT}
            with summed as (
                select person_l, person_r, match_key, {personal} as personal, {home} as home, {levels} from
                {scores}
            ), weighed as (
                select person_l, person_r, log2({match}) + personal + home
                    - log2({household} * power(2, least(home, 300)) + {1 - match - household}) as
                    match_weight, * exclude (person_l, person_r, personal, home)
                from summed
            )
            select * from weighed where match_weight >= {LEAST_WEIGHT}
        """)


def _level(one: FieldComparison) -> str:
    """Return the degree counted from 0, same; Splink counts from the other end, -1 for a missing value."""
    return f"case when gamma_{one.field} >= 0 then {len(one.labels) - 1} - gamma_{one.field} end"


def _bits(one: FieldComparison) -> str:
    adjusted = f" + coalesce(mw_tf_adj_{one.field}, 0)" if one.by_frequency else ""
    return f"(coalesce(mw_{one.field}, 0){adjusted})"


def kept_pairs(connection: "DuckDBPyConnection") -> "pa.Table":
    """Return KEPT with record ids and probabilities, ordered by them."""
    return connection.sql(f"""
        select l.record_id as left, r.record_id as right, match_weight,
            1 / (1 + power(2, -greatest(least(match_weight, 300), -300))) as match_probability,
            {KEPT}.* exclude (person_l, person_r, match_weight)
        from {KEPT} join {PERSONS} l on l.person = person_l join {PERSONS} r on r.person = person_r
        order by 1, 2
    """).to_arrow_table()


_START_U = 0.01


def learn_weights(
    connection: "DuckDBPyConnection",
    compared: tuple[FieldComparison, ...],
    training_pairs: int,
    random_pairs: int,
) -> Weights:
    """Return the weights learned from at most `training_pairs` of CANDIDATES and `random_pairs` of PERSONS."""
    records = _count_rows(connection, f"select count(*) from {PERSONS}")
    candidates = _count_rows(connection, f"select count(*) from {CANDIDATES}")
    step = max(1, -(-candidates // training_pairs))
    _random_pairs(connection, records, random_pairs)
    chance = _level_counts(connection, compared)
    CHOSEN.create_table(
        connection, f"select * from {CANDIDATES} where hash(join_key_l, join_key_r) % {step} = 0"
    )
    shown = _levels_and_surprise(connection, compared)
    evidence = {}
    for one in compared:
        known = _count_rows(connection, f"select count({one.field}) from {PERSONS}")
        evidence[one.field] = FieldPairs(
            *shown[one.field],
            chance=_random_agreement(connection, one, chance[one.field], known),
            known=known * (known - 1) / 2,
            household=one.household,
        )
    return learn(evidence, records * (records - 1) / 2, float(step))


def _count_rows(connection: "DuckDBPyConnection", query: str) -> int:
    ((number,),) = connection.execute(query).fetchall()
    return int(number)


def _random_pairs(connection: "DuckDBPyConnection", records: int, most: int) -> None:
    """Make CHOSEN of pairs drawn evenly: every record with the next few in a shuffled order.

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
    CHOSEN.create_table(connection, "select * from random_pairs")
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
        f" from (select count({one.field}) as n from {PERSONS} group by {one.field})",
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
    with splink_scores(connection, compared, _untrained(compared), CHOSEN) as scores:
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
    with splink_scores(connection, compared, _untrained(compared), CHOSEN) as scores:
        query = f"select {', '.join(parts)} from {scores} order by person_l, person_r"
        found = connection.sql(query).to_arrow_table()

    def column(name: str) -> Floats:
        values: Floats = found.column(name).to_numpy()
        return values

    return {
        one.field: (column(f"level_{one.field}").astype(np.int64), column(f"surprise_{one.field}"))
        for one in compared
    }


_DERIVED = {
    "email_name": ("email", "nullif(replace(split_part(email, '@', 1), '.', ''), '')"),
    "phone_end": ("phone", "case when length(phone) >= 9 then right(phone, 7) end"),
    "birth_day": ("birth_date", "datediff('day', date '1800-01-01', try_cast(birth_date as date))"),
}
"""Columns the comparisons and keys read beside the standard ones: from which field, and how."""


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
class MatchModel:
    """What picks and scores a pair, whatever records come later.

    `frequencies` has one row per (field, value): `frequency`, its share among the known values; a value that was
    not there when the model learned counts as one seen once. `limits` says for each key how many records that
    share it are compared, the first ones; None compares all with all.
    """

    weights: Weights
    frequencies: "pa.Table"
    limits: Mapping[str, int] | None


@dataclass(frozen=True)
class Matches:
    """Scored pairs, the model that scored them, and what each field was compared on.

    `pairs` has one row per compared pair worth keeping, ordered by (left, right) as text, left the earlier record:
    `left, right` (record ids), `match_weight` (bits), `match_probability`, `shared` (the key that made them
    candidates), and per field `level_<field>` (0 same ... last different, null missing) and `weight_<field>`
    (bits).
    """

    pairs: "pa.Table"
    model: MatchModel
    compared: tuple[FieldComparison, ...]


def match_pairs(records: "pa.Table", config: MatchConfig, connection: "DuckDBPyConnection") -> Matches:
    """Return the pairs of standardised records that may be one person, with their evidence, and the model learned.

    `records` are as `standardise` gives them.

    Raises
    ------
    NotEnoughDataError
        When the table has not two records with a field in common to compare.
    """
    compared = _comparable(records)
    with connection.cursor() as own:  # an undrained result of the caller's would stop us on the same one
        _persons(own, records, compared)
        limits = _candidates_of_all(own, config)
        write_frequencies(own, compared, None)
        weights = learn_weights(own, compared, config.training_pairs, config.random_pairs)
        first_look(own, compared, weights)
        second_look(own, compared, weights)
        return Matches(kept_pairs(own), MatchModel(weights, frequencies(own, compared), limits), compared)


def _comparable(records: "pa.Table") -> tuple[FieldComparison, ...]:
    known = [name for name in records.column_names if records.num_rows - records[name].null_count >= 2]
    found = comparisons(known)
    if not found:
        raise NotEnoughDataError(
            f"No field to match on among {', '.join(records.column_names)} of {records.num_rows} records; "
            "give at least two records with a name, birth date, e-mail, phone or address."
        )
    return found


def columns_to_compare(columns: Collection[str], compared: Sequence[FieldComparison]) -> str:
    """Return the SQL of the columns that comparisons and keys read beside those that records have.

    Fields that are compared and the records lack are there as missing values.
    """
    lacking = [one.field for one in compared if one.field not in columns]
    derived = [
        f"{sql} as {name}" for name, (source, sql) in _DERIVED.items() if source in {*columns, *lacking}
    ]
    return ", ".join(["*", *(f"null::varchar as {name}" for name in lacking), *derived])


def _persons(
    connection: "DuckDBPyConnection", records: "pa.Table", compared: tuple[FieldComparison, ...]
) -> None:
    """Make PERSONS, the records numbered by their ids; the order of rows is nothing."""
    connection.register("standard_records", records)
    order = "try_cast(record_id as bigint), record_id"
    PERSONS.create_table(
        connection,
        f"""
        select row_number() over (order by {order}) as person, true as is_new,
            {columns_to_compare(records.column_names, compared)} from standard_records""",
    )
    connection.unregister("standard_records")
    KNOWN_PAIRS.create_table(connection, KNOWN_PAIRS.no_rows())


def _candidates_of_all(connection: "DuckDBPyConnection", config: MatchConfig) -> Mapping[str, int] | None:
    """Make CANDIDATES and return the limits it was made by, None where all pairs are compared."""
    records = int(fetch_row(connection, f"select count(*) from {PERSONS}")[0])
    if records * (records - 1) // 2 <= config.every_pair_up_to:
        blocking.every_pair(connection)
        return None
    columns = PERSONS.created_columns(connection)
    limits = blocking.limits(connection, columns, min(config.pairs_per_record * records, config.most_pairs))
    blocking.block(connection, columns, limits)
    return limits


def match_new(
    connection: "DuckDBPyConnection", new: pa.Table, model: MatchModel, config: MatchConfig
) -> Matches:
    """Return the pairs with a new record that may be one person, scored by the model, which stays as it is.

    `new` are standardised records; their ids are numbers greater than those of the known ones, which are in
    BEFORE_RECORDS, less GONE_RECORDS, with pairs in BEFORE_PAIRS. `frequencies` of the model returned has
    the values that are new since alone, `limits` those it was made by.
    """
    compared = _everyone(connection, new, model)
    limits = _candidates_of_new(connection, model, config)
    _take_up(connection)
    write_frequencies(connection, compared, model.frequencies)
    first_look(connection, compared, model.weights)
    second_look(connection, compared, model.weights)
    fresh = _unseen(frequencies(connection, compared), model.frequencies)
    matches = Matches(kept_pairs(connection), MatchModel(model.weights, fresh, limits), compared)
    for relation in (NEAR, PERSONS, CANDIDATES, CHOSEN, KEPT, KNOWN_PAIRS):
        relation.drop(connection)
    return matches


def _everyone(
    connection: "DuckDBPyConnection", new: pa.Table, model: MatchModel
) -> tuple[FieldComparison, ...]:
    """Make EVERYONE of known and new records, `person` being their number; return what is compared."""
    NEWCOMERS.register(connection, new)
    connection.execute(f"""
        create or replace temp view compared_records as
        select * exclude (silo, key, arrived_at, names, cluster) replace (record_id::varchar as record_id),
            false as is_new
        from {BEFORE_RECORDS} anti join {GONE_RECORDS} using (record_id)
        union all by name select *, true as is_new from {NEWCOMERS}""")
    columns = [name for name, *_ in connection.execute("describe compared_records").fetchall()]
    forms = "first_name_forms"
    has_forms = (
        forms in columns and _fetch_count(connection, f"select count({forms}) from compared_records") >= 2
    )
    compared = comparisons({*model.weights.m, *({forms} if has_forms else ())})
    EVERYONE.create_view(
        connection,
        f"""
        select record_id::bigint as person, {columns_to_compare(columns, compared)} from compared_records""",
    )
    return compared


def _candidates_of_new(
    connection: "DuckDBPyConnection", model: MatchModel, config: MatchConfig
) -> Mapping[str, int] | None:
    """Make CANDIDATES and return the limits it was made by, the model's own where they still serve."""
    records, new = fetch_row(connection, f"select count(*), count(*) filter (is_new) from {EVERYONE}")
    limits = model.limits
    # Tables grow: a model of few records must not compare a million with each other.
    if limits is None and new * records - new * (new + 1) // 2 <= 10 * config.every_pair_up_to:
        blocking.every_pair(connection, EVERYONE)
        return None
    columns = EVERYONE.created_columns(connection)
    if limits is None or new == records:
        PERSONS.create_table(connection, f"from {EVERYONE}")
    if limits is None:
        limits = blocking.limits(
            connection, columns, min(config.pairs_per_record * records, config.most_pairs)
        )
    (blocking.block if new == records else blocking.block_new)(connection, columns, limits)
    return limits


def _take_up(connection: "DuckDBPyConnection") -> None:
    """Make KNOWN_PAIRS of the earlier ties of all that new records are compared with, and PERSONS of all these."""
    NEAR.create_table(
        connection,
        f"""
        select join_key_l as person from {CANDIDATES} union select join_key_r from {CANDIDATES}""",
    )
    KNOWN_PAIRS.create_table(
        connection,
        f"""
        select "left" as person_l, "right" as person_r, match_weight from {BEFORE_PAIRS}
        where match_weight >= 0 and ("left" in (from {NEAR}) or "right" in (from {NEAR}))
          and "left" not in (from {GONE_RECORDS}) and "right" not in (from {GONE_RECORDS})""",
    )
    PERSONS.create_table(
        connection,
        f"""
        from {EVERYONE} semi join (
            from {NEAR} union select record_id::bigint from {NEWCOMERS}
            union select person_l from {KNOWN_PAIRS} union select person_r from {KNOWN_PAIRS}) using (person)""",
    )


def _unseen(found: pa.Table, learned: pa.Table) -> pa.Table:
    """Return the frequencies of values that have none yet."""
    keys = ["field", "value"]
    return found.join(learned.select(keys), keys, join_type="left anti").select(found.column_names)


def _fetch_count(connection: "DuckDBPyConnection", query: str) -> int:
    return int(fetch_row(connection, query)[0])
