"""Splink at work on chosen pairs: each field's degree of agreement and its weight, over a DuckDB connection.

Splink compares, adjusts for frequent values and adds up; the evidence for a household, which it does not
know, is taken off here. Pairs are tables of (match_key, join_key_l, join_key_r) over `persons`, as Splink's
own blocking.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sintonia.data.identity.comparisons import FieldComparison
from sintonia.data.identity.training import Weights

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

LEAST_WEIGHT = -10.0
"""Pairs with less evidence than this, in bits, are not kept: clustering takes them for strangers anyway."""

_MOST_TIES = 30


@contextmanager
def splink_scores(
    connection: "DuckDBPyConnection", compared: tuple[FieldComparison, ...], weights: Weights, pairs: str
) -> Iterator[str]:
    """Yield the table of Splink's scores of pairs (`gamma_`, `mw_`, `mw_tf_adj_`); gone with the block."""
    from splink import DuckDBAPI, Linker, SettingsCreator

    for name in ("splink", *(name for name in logging.root.manager.loggerDict if name.startswith("splink."))):
        logging.getLogger(name).setLevel(logging.ERROR)
    api = DuckDBAPI(connection)
    settings = SettingsCreator.from_path_or_dict(splink_settings(compared, weights))
    linker = Linker(api.register("persons"), settings)
    for field in (one.field for one in compared if one.by_frequency):
        linker.table_management.register_term_frequency_lookup(api.register(f"tf_{field}"), field)
    linker.table_management.register_blocked_pairs_for_predict(api.register(pairs))
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
    """Make the table `kept` of the candidates' evidence."""
    columns = ", ".join(f"level_{one.field} tinyint, weight_{one.field} float" for one in compared)
    connection.execute(
        "create or replace temp table kept"
        f" (person_l bigint, person_r bigint, match_weight double, shared varchar, {columns})"
    )
    _keep_pairs(connection, compared, weights, "candidates")


def second_look(
    connection: "DuckDBPyConnection", compared: tuple[FieldComparison, ...], weights: Weights
) -> None:
    """Add to `kept` what no key brought together: two records, one of them new, tied to the same third one.

    Ties are those of `kept` and of `known_pairs`, of earlier builds. Of a record with many ties the first count, so
    that a later one never takes an earlier one's place.
    """
    connection.execute(f"""
        create or replace temp table chosen as
        with told as (
            select person_l, person_r, match_weight from kept union all
            select person_l, person_r, match_weight from known_pairs
        ), ties as (
            select person_l as third, person_r as record from told where match_weight >= 0
            union all select person_r, person_l from told where match_weight >= 0
        ), first_ties as (
            select third, record, is_new from ties join persons on person = record
            qualify row_number() over (partition by third order by record) <= {_MOST_TIES}
        )
        select distinct 'third' as match_key, l.record as join_key_l, r.record as join_key_r
        from first_ties l join first_ties r
          on l.third = r.third and l.record < r.record and (l.is_new or r.is_new)
        anti join candidates c on c.join_key_l = l.record and c.join_key_r = r.record
    """)
    _keep_pairs(connection, compared, weights, "chosen")


def _keep_pairs(
    connection: "DuckDBPyConnection", compared: tuple[FieldComparison, ...], weights: Weights, pairs: str
) -> None:
    """Add the pairs' evidence to `kept`: match_weight = log2(p(one person) / p(household or strangers))."""
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
            insert into kept
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
    """Return the table `kept` with record ids and probabilities, ordered by them."""
    return connection.sql("""
        select l.record_id as left, r.record_id as right, match_weight,
            1 / (1 + power(2, -greatest(least(match_weight, 300), -300))) as match_probability,
            kept.* exclude (person_l, person_r, match_weight)
        from kept join persons l on l.person = person_l join persons r on r.person = person_r
        order by 1, 2
    """).to_arrow_table()
