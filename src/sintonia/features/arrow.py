"""From Arrow interactions to arrays: strings are numbered once, so that no row's string is ever compared."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sintonia.errors import InputError, hint
from sintonia.features.histories import Histories
from sintonia.features.measures import Bools, Ints

if TYPE_CHECKING:
    import pyarrow as pa

KEYS = ("customer_id", "occurred_at", "known_at")
LABELS = ("channel", "kind")
FLAGS = ("opens_thread",)


def histories(
    interactions: "pa.Table | pa.RecordBatch", columns: Sequence[str]
) -> "tuple[pa.Array, Histories]":
    """Return the customers' ids (Arrow strings) and their histories with the int64 columns that are named.

    A null number counts 0, a null channel or kind is none of them, a null `opens_thread` is false.

    Raises
    ------
    InputError
        When a column is missing, a key is null, an amount is not whole, or the rows are not in order.
    """
    names = [*KEYS, *LABELS, *FLAGS, *columns]
    arrays = {name: _array(interactions, name) for name in names}
    for name in KEYS:
        if nulls := arrays[name].null_count:
            raise InputError(f"The interactions have {nulls} rows without '{name}'; every row needs one.")
    ids, starts = _customers(arrays["customer_id"])
    occurred_at = _times(arrays["occurred_at"])
    _check_order(ids, starts, occurred_at)
    numbered = {name: _codes(arrays[name]) for name in LABELS}
    return ids, Histories(
        starts=starts,
        occurred_at=occurred_at,
        known_at=_times(arrays["known_at"]),
        codes={name: codes for name, (codes, _) in numbered.items()},
        labels={name: labels for name, (_, labels) in numbered.items()},
        opens_thread=_flags(arrays["opens_thread"]),
        columns={name: _whole(arrays[name], name) for name in columns},
    )


def _array(interactions: "pa.Table | pa.RecordBatch", name: str) -> "pa.Array":
    """Return a column as one Arrow array, its dictionary (if it has one) whole."""
    import pyarrow as pa

    if name not in interactions.schema.names:
        raise InputError(f"The interactions have no column '{name}'; {hint(name, interactions.schema.names)}")
    column = interactions.column(name)
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

    back = np.flatnonzero(np.diff(occurred_at) < 0) + 1
    if len(np.setdiff1d(back, starts)) or not pc.all(pc.less(ids[:-1], ids[1:]), min_count=0).as_py():
        raise InputError(
            "The interactions are not in order; sort them by customer_id, occurred_at and interaction_id, "
            "each customer's rows together."
        )


def _times(array: "pa.Array") -> Ints:
    import pyarrow as pa

    times: Ints = array.cast(pa.timestamp("us")).cast(pa.int64()).to_numpy()
    return times


def _codes(array: "pa.Array") -> tuple[Ints, list[str | None]]:
    import pyarrow as pa

    coded = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
    labels: list[str | None] = coded.dictionary.to_pylist()
    indices = coded.indices.cast(pa.int32()).fill_null(len(labels))
    return indices.to_numpy(), labels


def _flags(array: "pa.Array") -> Bools:
    flags: Bools = array.fill_null(False).to_numpy(zero_copy_only=False)
    return flags


def _whole(array: "pa.Array", name: str) -> Ints:
    import pyarrow as pa

    if not pa.types.is_integer(array.type):
        raise InputError(
            f"The interactions' '{name}' is {array.type}; give it in whole units (cents, items)."
        )
    numbers: Ints = array.cast(pa.int64()).fill_null(0).to_numpy()
    return numbers
