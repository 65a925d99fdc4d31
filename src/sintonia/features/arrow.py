"""From Arrow interactions to arrays: strings are numbered once, so that no row's string is ever compared."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from sintonia.errors import InputError, hint
from sintonia.features.cells import Cells
from sintonia.features.histories import Histories
from sintonia.features.measures import Floats, Ints
from sintonia.schema import INTERACTIONS

if TYPE_CHECKING:
    import pyarrow as pa

KEYS = ("customer_id", "occurred_at", "known_at")
FRACTIONS = {column.name for column in INTERACTIONS.columns if column.sql_type in ("FLOAT", "DOUBLE")}


def histories(
    interactions: "pa.Table | pa.RecordBatch", columns: Iterable[str]
) -> "tuple[pa.Array, Histories]":
    """Return the customers' ids (Arrow strings) and their histories with the columns that are named.

    Texts are numbered, truth values are true or not (a null is not), times are UTC microseconds, and numbers
    are whole unless the contract says otherwise.

    Raises
    ------
    InputError
        When a column is missing, a key is null, an amount is not whole, or the rows are not in order.
    """
    names = dict.fromkeys([*KEYS, *columns])
    arrays = {name: column_array(interactions, name, key=name in KEYS) for name in names}
    ids, starts = _customers(arrays["customer_id"])
    occurred_at = times(arrays["occurred_at"])
    _check_order(ids, starts, occurred_at)
    cells = {name: to_cells(array, name) for name, array in arrays.items() if name not in KEYS}
    return ids, Histories(starts, occurred_at, times(arrays["known_at"]), cells)


def column_array(interactions: "pa.Table | pa.RecordBatch", name: str, key: bool = False) -> "pa.Array":
    """Return a column as one Arrow array, its dictionary (if it has one) whole.

    Raises
    ------
    InputError
        When it is missing, or is a key and holds nulls.
    """
    import pyarrow as pa

    if name not in interactions.schema.names:
        raise InputError(f"The interactions have no column '{name}'; {hint(name, interactions.schema.names)}")
    column = interactions.column(name)
    if key and column.null_count:
        raise InputError(
            f"The interactions have {column.null_count} rows without '{name}'; every row needs one."
        )
    if not isinstance(column, pa.ChunkedArray):
        return column
    return column.unify_dictionaries().combine_chunks()


def _customers(ids: "pa.Array") -> "tuple[pa.Array, Ints]":
    """Return each run's customer, and where the runs start, with the end; in order, a customer is one run."""
    import pyarrow as pa
    import pyarrow.compute as pc

    coded = pa.types.is_dictionary(ids.type)
    runs = pc.run_end_encode(ids.indices if coded else ids, run_end_type=pa.int64())
    values = ids.dictionary.take(runs.values) if coded else runs.values
    return values.cast(pa.string()), np.concatenate([[0], runs.run_ends.to_numpy()])


def _check_order(ids: "pa.Array", starts: Ints, occurred_at: Ints) -> None:
    import pyarrow.compute as pc

    back = occurred_at[1:] < occurred_at[:-1]
    back[starts[1:-1] - 1] = False  # between customers time may go back
    if back.any() or not pc.all(pc.less(ids[:-1], ids[1:]), min_count=0).as_py():
        raise InputError(
            "The interactions are not in order; sort them by customer_id, occurred_at and interaction_id, "
            "each customer's rows together (sintonia.features.in_order does)."
        )


def times(array: "pa.Array") -> Ints:
    """Return a column of times as UTC microseconds."""
    import pyarrow as pa

    microseconds: Ints = array.cast(pa.timestamp("us")).cast(pa.int64()).to_numpy()
    return microseconds


def to_cells(array: "pa.Array", name: str) -> Cells:
    """Return a column as the kernel reads it.

    Raises
    ------
    InputError
        When it is of a type that no measure reads, or holds fractions where the contract has whole units.
    """
    import pyarrow as pa

    kind = array.type
    if pa.types.is_dictionary(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _texts(array)
    if pa.types.is_boolean(kind):
        return Cells(array.fill_null(False).to_numpy(zero_copy_only=False))
    missing = array.is_null().to_numpy(zero_copy_only=False) if array.null_count else None
    if pa.types.is_timestamp(kind):
        return Cells(array.cast(pa.timestamp("us")).cast(pa.int64()).fill_null(0).to_numpy(), missing)
    if pa.types.is_integer(kind):
        return Cells(array.cast(pa.int64()).fill_null(0).to_numpy(), missing)
    if name in FRACTIONS and pa.types.is_floating(kind):
        return _fractions(array.cast(pa.float64()).fill_null(np.nan).to_numpy())
    raise InputError(f"The interactions' '{name}' is {kind}; give it in whole units (cents, items).")


def _fractions(values: Floats) -> Cells:
    missing = np.isnan(values)
    return Cells(np.where(missing, 0.0, values), missing) if missing.any() else Cells(values)


def _texts(array: "pa.Array") -> Cells:
    """Return a text column's numbers and labels; a null, in the dictionary or out of it, is the number after."""
    import pyarrow as pa

    coded = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
    labels: list[str | None] = coded.dictionary.to_pylist()
    codes = coded.indices.cast(pa.int32()).fill_null(len(labels)).to_numpy()
    if None in labels:
        codes = np.where(codes == labels.index(None), len(labels), codes)
    return Cells(codes, None, labels)
