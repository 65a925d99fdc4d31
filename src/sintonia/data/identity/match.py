"""Probabilistic matching of person records: weights learned from the table, pairs with their evidence.

Pairs that share a key are compared field by field (`blocking`, `comparisons`), the weights are learned from a
sample of them and from random pairs (`training`), and Splink scores them (`scoring`). Records that come later
are scored by the model that was learned (`newcomers`), so that old decisions stand.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sintonia.core.engine import fetch_row
from sintonia.core.errors import ConfigError, NotEnoughDataError
from sintonia.data.identity import blocking, scoring
from sintonia.data.identity.comparisons import FieldComparison, comparisons
from sintonia.data.identity.frequencies import frequencies, write_frequencies
from sintonia.data.identity.learning import learn_weights
from sintonia.data.identity.training import Weights

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

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
        scoring.first_look(own, compared, weights)
        scoring.second_look(own, compared, weights)
        return Matches(
            scoring.kept_pairs(own), MatchModel(weights, frequencies(own, compared), limits), compared
        )


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
    """Make the table `persons`, the records numbered by their ids; the order of rows is nothing."""
    connection.register("standard_records", records)
    order = "try_cast(record_id as bigint), record_id"
    connection.execute(f"""
        create or replace temp table persons as
        select row_number() over (order by {order}) as person, true as is_new,
            {columns_to_compare(records.column_names, compared)} from standard_records""")
    connection.unregister("standard_records")
    connection.execute(
        "create or replace temp table known_pairs (person_l bigint, person_r bigint, match_weight double)"
    )


def _candidates_of_all(connection: "DuckDBPyConnection", config: MatchConfig) -> Mapping[str, int] | None:
    """Make the table `candidates` and return the limits it was made by, None where all pairs are compared."""
    records = int(fetch_row(connection, "select count(*) from persons")[0])
    if records * (records - 1) // 2 <= config.every_pair_up_to:
        blocking.every_pair(connection)
        return None
    columns = [name for name, *_ in connection.execute("describe persons").fetchall()]
    found = blocking.limits(connection, columns, min(config.pairs_per_record * records, config.most_pairs))
    blocking.block(connection, columns, found)
    return found
