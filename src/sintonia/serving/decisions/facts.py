"""The inputs of rules: each customer's attributes, features and open complaints, as known at a date."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

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
    """The customers that facts are read for: a connection with the tables of `open_tables`, their ids, and the date.

    `complaining` has for each customer whether a complaint is open.
    """

    connection: "duckdb.DuckDBPyConnection"
    ids: "pa.Array"
    as_of: datetime
    complaining: Bools


def row_codes(columns: Iterable[NDArray[Any]]) -> NDArray[np.int64]:
    """Return a code for each row, equal for rows that are equal in all columns.

    Examples
    --------
    >>> row_codes([np.array([3, 3, 1]), np.array([0.5, 0.5, 0.5])]).tolist()
    [1, 1, 0]
    """
    number = None
    for column in columns:
        values, code = np.unique(column, return_inverse=True)
        if number is None:
            number = code
        elif len(values) > 1:
            _, number = np.unique(number * len(values) + code, return_inverse=True)
    return np.zeros(0, np.int64) if number is None else number.astype(np.int64)


def is_among(ids: "pa.Array", subset: "pa.Array") -> Bools:
    """Return which of the customers are among a subset."""
    import pyarrow.compute as pc

    is_member: Bools = pc.is_in(ids, subset.cast(ids.type)).to_numpy(zero_copy_only=False)
    return is_member


def read_attribute(customers: CustomersAtDate, name: str) -> Cells:
    """Return an attribute's latest value known at as_of by customer: numbers if all values are, else texts."""
    import pyarrow as pa
    import pyarrow.compute as pc

    quoted = name.replace("'", "''")
    rows = customers.connection.sql(f"""
        SELECT customer_id, TRIM(value) AS value FROM attributes
        WHERE name = '{quoted}' AND GREATEST(occurred_at, known_at) <= TIMESTAMP '{customers.as_of}'
        QUALIFY ROW_NUMBER() OVER (PARTITION BY customer_id ORDER BY occurred_at DESC, source, value) = 1
    """).to_arrow_table()
    index = pc.index_in(customers.ids, rows["customer_id"].combine_chunks().cast(customers.ids.type))
    values = rows["value"].combine_chunks().cast(pa.string()).take(index).dictionary_encode()
    labels = values.dictionary.to_pylist()
    codes = pc.fill_null(values.indices, len(labels)).to_numpy(zero_copy_only=False).astype(np.int64)
    numbers = np.array([*(thousandths(label) / SCALE for label in labels), np.nan])
    if labels and not np.isnan(numbers[:-1]).any():
        return Cells(numbers[codes], codes == len(labels))
    return Cells(codes, None, tuple(labels))


def read_features(
    customers: CustomersAtDate, store: Store, config: FeaturesConfig, names: Collection[str]
) -> dict[str, Cells]:
    """Return the features of these names by customer, missing where a customer has none.

    Raises
    ------
    ConfigError
        Naming the most similar feature, for one that is not configured.
    """
    by_name = {feature.name: feature for feature in catalogue(config, fit(config, store, customers.as_of))}
    for name in names:
        if name not in by_name:
            raise ConfigError(f"A rule asks for the feature '{name}'; {hint(name, by_name)}")
    tables = _compute_by_bucket(store, [by_name[name] for name in names], customers.as_of)
    columns = {name: np.full(len(customers.ids), np.nan, np.float32) for name in names}
    import pyarrow.compute as pc

    for table in tables:
        index = pc.fill_null(pc.index_in(table["customer_id"].combine_chunks(), customers.ids), -1).to_numpy(
            zero_copy_only=False
        )
        for name in names:
            columns[name][index[index >= 0]] = table[name].to_numpy()[index >= 0]
    return {name: Cells(column, np.isnan(column)) for name, column in columns.items()}


def _compute_by_bucket(store: Store, features: Sequence[Feature], as_of: datetime) -> "Iterator[pa.Table]":
    """Yield the features of the store's customers as of a date, bucket by bucket."""
    feature_plan = plan(features)
    for path in store.buckets:
        interactions = store.read_bucket(path, columns=dict.fromkeys(["customer_id", *feature_plan.reads]))
        other_tables = {name: store.read_beside(name, path) for name in feature_plan.others}
        yield compute_features(
            History(interactions, **other_tables) if other_tables else interactions, [as_of], feature_plan
        )


def read_facts(
    customers: CustomersAtDate, store: Store, config: FeaturesConfig, names: Iterable[str]
) -> Mapping[str, Cells]:
    """Return the values of the names by customer: a name with `__` is a feature, any other an attribute.

    Contact data (names, addresses, ...) are not attributes: no rule can use them.

    Raises
    ------
    ConfigError
        For a name that is neither.
    """
    requested = dict.fromkeys(names)
    facts, attributes = {OPEN_COMPLAINT: Cells(customers.complaining)}, _attribute_names(customers)
    features = [name for name in requested if "__" in name]
    for name in requested:
        if name not in (*facts, *features, *attributes):
            nearest = hint(name, [*attributes, *facts])
            raise ConfigError(
                f"A rule asks for '{name}', which is neither an attribute nor a feature; {nearest}"
            )
    if features:
        facts |= read_features(customers, store, config, features)
    return facts | {name: read_attribute(customers, name) for name in requested if name in attributes}


def _attribute_names(customers: CustomersAtDate) -> list[str]:
    """Return the names of attributes that a rule may use."""
    rows = customers.connection.execute("SELECT DISTINCT name FROM attributes ORDER BY 1").fetchall()
    return [name for (name,) in rows if name not in CONTACT_FIELDS or name == "sex"]
