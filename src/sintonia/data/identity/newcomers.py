"""Matching of person records that came since the model learned: each with all others, nobody else anew.

What is known lies in files of a million records; read narrowly and once, only those that share a key with a new
record, or a tie with one that does, are taken up.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pyarrow as pa

from sintonia.core.engine import fetch_row
from sintonia.data.identity import blocking, blocking_new, scoring
from sintonia.data.identity.comparisons import FieldComparison, comparisons
from sintonia.data.identity.frequencies import frequencies, write_frequencies
from sintonia.data.identity.match import MatchConfig, Matches, MatchModel, columns_to_compare

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def match_new(
    connection: "DuckDBPyConnection", new: pa.Table, model: MatchModel, config: MatchConfig
) -> Matches:
    """Return the pairs with a new record that may be one person, scored by the model, which stays as it is.

    `new` are standardised records; their ids are numbers greater than those of the known ones, which are in the
    engine's table `before_records`, less `gone_records`, with pairs in `before_pairs`. `frequencies` of the model
    returned has the values that are new since alone, `limits` those it was made by.
    """
    compared = _everyone(connection, new, model)
    limits = _candidates_of_new(connection, model, config)
    _take_up(connection)
    write_frequencies(connection, compared, model.frequencies)
    scoring.first_look(connection, compared, model.weights)
    scoring.second_look(connection, compared, model.weights)
    fresh = _unseen(frequencies(connection, compared), model.frequencies)
    found = Matches(scoring.kept_pairs(connection), MatchModel(model.weights, fresh, limits), compared)
    for name in ("near", "persons", "candidates", "chosen", "kept", "known_pairs"):
        connection.execute(f"DROP TABLE {name}")
    return found


def _everyone(
    connection: "DuckDBPyConnection", new: pa.Table, model: MatchModel
) -> tuple[FieldComparison, ...]:
    """Make the view `everyone` of known and new records, `person` being their number; return what is compared."""
    connection.register("newcomers", new)
    connection.execute("""
        create or replace temp view compared_records as
        select * exclude (silo, key, arrived_at, names, cluster) replace (record_id::varchar as record_id),
            false as is_new
        from before_records anti join gone_records using (record_id)
        union all by name select *, true as is_new from newcomers""")
    columns = [name for name, *_ in connection.execute("describe compared_records").fetchall()]
    forms = "first_name_forms"
    told = forms in columns and _fetch_count(connection, f"select count({forms}) from compared_records") >= 2
    compared = comparisons({*model.weights.m, *({forms} if told else ())})
    connection.execute(f"""
        create or replace temp view everyone as
        select record_id::bigint as person, {columns_to_compare(columns, compared)} from compared_records""")
    return compared


def _candidates_of_new(
    connection: "DuckDBPyConnection", model: MatchModel, config: MatchConfig
) -> Mapping[str, int] | None:
    """Make the table `candidates` and return the limits it was made by, the model's own where they still serve."""
    records, new = fetch_row(connection, "select count(*), count(*) filter (is_new) from everyone")
    limits = model.limits
    # Tables grow: a model of few records must not compare a million with each other.
    if limits is None and new * records - new * (new + 1) // 2 <= 10 * config.every_pair_up_to:
        blocking.every_pair(connection, "everyone")
        return None
    columns = [name for name, *_ in connection.execute("describe everyone").fetchall()]
    if limits is None or new == records:
        connection.execute("create or replace temp table persons as from everyone")
    if limits is None:
        limits = blocking.limits(
            connection, columns, min(config.pairs_per_record * records, config.most_pairs)
        )
    (blocking.block if new == records else blocking_new.block_new)(connection, columns, limits)
    return limits


def _take_up(connection: "DuckDBPyConnection") -> None:
    """Make `known_pairs` of the earlier ties of all that new records are compared with, and `persons` of all these."""
    connection.execute("""
        create or replace temp table near as
        select join_key_l as person from candidates union select join_key_r from candidates""")
    connection.execute("""
        create or replace temp table known_pairs as
        select "left" as person_l, "right" as person_r, match_weight from before_pairs
        where match_weight >= 0 and ("left" in (from near) or "right" in (from near))
          and "left" not in (from gone_records) and "right" not in (from gone_records)""")
    connection.execute("""
        create or replace temp table persons as
        from everyone semi join (
            from near union select record_id::bigint from newcomers
            union select person_l from known_pairs union select person_r from known_pairs) using (person)""")


def _unseen(found: pa.Table, learned: pa.Table) -> pa.Table:
    """Return the frequencies of values that have none yet."""
    keys = ["field", "value"]
    return found.join(learned.select(keys), keys, join_type="left anti").select(found.column_names)


def _fetch_count(connection: "DuckDBPyConnection", query: str) -> int:
    return int(fetch_row(connection, query)[0])
