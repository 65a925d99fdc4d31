"""What rules may ask about: each customer's attributes, features and open complaint, as they were known."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from sintonia.core.arrays import Bools
from sintonia.core.config import FeaturesConfig
from sintonia.core.errors import ConfigError, hint
from sintonia.core.schema import CONTACT_FIELDS
from sintonia.data.store import Store
from sintonia.features import Feature, History, catalogue, compute_features, fit, plan
from sintonia.features.history import SCALE, thousandths
from sintonia.features.sql import Cells

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


OPEN_COMPLAINT = "open_complaint"


@dataclass(frozen=True)
class CustomersAtDate:
    """What facts are read from: a connection as `open_tables` leaves it, the customers' ids, and as of when.

    `complaining` says by customer whether a complaint is open.
    """

    connection: "duckdb.DuckDBPyConnection"
    ids: "pa.Array"
    as_of: datetime
    complaining: Bools


def marked(ids: "pa.Array", some: "pa.Array") -> Bools:
    """Return which of the customers are among some."""
    import pyarrow.compute as pc

    found: Bools = pc.is_in(ids, some.cast(ids.type)).to_numpy(zero_copy_only=False)
    return found


def read_attribute(known: CustomersAtDate, name: str) -> Cells:
    """Return an attribute's latest value known at as_of by customer: numbers if all values are, else texts."""
    import pyarrow as pa
    import pyarrow.compute as pc

    quoted = name.replace("'", "''")
    told = known.connection.sql(f"""
        SELECT customer_id, TRIM(value) AS value FROM attributes
        WHERE name = '{quoted}' AND GREATEST(occurred_at, known_at) <= TIMESTAMP '{known.as_of}'
        QUALIFY ROW_NUMBER() OVER (PARTITION BY customer_id ORDER BY occurred_at DESC, source, value) = 1
    """).to_arrow_table()
    place = pc.index_in(known.ids, told["customer_id"].combine_chunks().cast(known.ids.type))
    values = told["value"].combine_chunks().cast(pa.string()).take(place).dictionary_encode()
    labels = values.dictionary.to_pylist()
    codes = pc.fill_null(values.indices, len(labels)).to_numpy(zero_copy_only=False).astype(np.int64)
    numbers = np.array([*(thousandths(label) / SCALE for label in labels), np.nan])
    if labels and not np.isnan(numbers[:-1]).any():
        return Cells(numbers[codes], codes == len(labels))
    return Cells(codes, None, tuple(labels))


def read_features(
    known: CustomersAtDate, store: Store, config: FeaturesConfig, wanted: Collection[str]
) -> dict[str, Cells]:
    """Return the features of these names by customer, missing where a customer has none.

    Raises
    ------
    ConfigError
        With the nearest right name, for one the configuration has not.
    """
    made = {feature.name: feature for feature in catalogue(config, fit(config, store, known.as_of))}
    for name in wanted:
        if name not in made:
            raise ConfigError(f"A rule asks for the feature '{name}'; {hint(name, made)}")
    tables = _computed(store, [made[name] for name in wanted], known.as_of)
    columns = {name: np.full(len(known.ids), np.nan, np.float32) for name in wanted}
    import pyarrow.compute as pc

    for table in tables:
        place = pc.fill_null(pc.index_in(table["customer_id"].combine_chunks(), known.ids), -1).to_numpy(
            zero_copy_only=False
        )
        for name in wanted:
            columns[name][place[place >= 0]] = table[name].to_numpy()[place >= 0]
    return {name: Cells(column, np.isnan(column)) for name, column in columns.items()}


def _computed(store: Store, features: Sequence[Feature], as_of: datetime) -> "Iterator[pa.Table]":
    """Yield the features of the store's customers as of a date, bucket by bucket."""
    made = plan(features)
    for path in store.buckets:
        interactions = store.read_bucket(path, columns=dict.fromkeys(["customer_id", *made.reads]))
        beside = {name: store.read_beside(name, path) for name in made.others}
        yield compute_features(History(interactions, **beside) if beside else interactions, [as_of], made)


def read_facts(
    known: CustomersAtDate, store: Store, config: FeaturesConfig, names: Iterable[str]
) -> Mapping[str, Cells]:
    """Return what the names stand for by customer: a feature has `__` in its name, else it is an attribute.

    Contact data (names, addresses, ...) are nobody's attribute: no rule can ask for them.

    Raises
    ------
    ConfigError
        For a name that is neither.
    """
    wanted = dict.fromkeys(names)
    facts, attributes = {OPEN_COMPLAINT: Cells(known.complaining)}, _attribute_names(known)
    features = [name for name in wanted if "__" in name]
    for name in wanted:
        if name not in (*facts, *features, *attributes):
            there = hint(name, [*attributes, *facts])
            raise ConfigError(
                f"A rule asks for '{name}', which is neither an attribute nor a feature; {there}"
            )
    if features:
        facts |= read_features(known, store, config, features)
    return facts | {name: read_attribute(known, name) for name in wanted if name in attributes}


def _attribute_names(known: CustomersAtDate) -> list[str]:
    rows = known.connection.execute("SELECT DISTINCT name FROM attributes ORDER BY 1").fetchall()
    return [name for (name,) in rows if name not in CONTACT_FIELDS or name == "sex"]
