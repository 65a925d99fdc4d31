"""Interactions from anywhere into the order of the store, which the kernel walks along."""

from typing import TYPE_CHECKING

import numpy as np

from sintonia.features.arrow import column_array, times
from sintonia.features.measures import Ints, Numbers

if TYPE_CHECKING:
    import pyarrow as pa


def in_order(interactions: "pa.Table | pa.RecordBatch") -> "pa.Table":
    """Return the interactions ordered by customer_id, occurred_at and interaction_id, as `compute` wants them.

    Customers and ids are ordered by their bytes, as in the store; rows alike in all three (in two, where there
    is no interaction_id) stay as they came. customer_id comes back dictionary-encoded, all else as it is. Rows
    are counted to their customers, and only each customer's few are sorted.

    Raises
    ------
    InputError
        When a key column is missing or holds nulls.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from datetime import datetime
    >>> days = [datetime(2025, 1, day) for day in (3, 2, 1)]
    >>> in_order(pa.table({"customer_id": ["bob", "ann", "bob"], "occurred_at": days}))["customer_id"].to_pylist()
    ['ann', 'bob', 'bob']
    """
    import pyarrow as pa

    ids = column_array(interactions, "customer_id", key=True)
    ids = ids if pa.types.is_dictionary(ids.type) else ids.dictionary_encode()
    customers, rank = _ranked(ids.dictionary)
    order, ends = _sorted_rows(ids.indices.cast(pa.int32()).to_numpy(), rank, interactions)
    rows = pa.array(order)
    runs = np.repeat(np.arange(len(ends), dtype=np.int32), np.diff(ends, prepend=0))
    columns = {
        name: pa.DictionaryArray.from_arrays(pa.array(runs), customers)
        if name == "customer_id"
        else column_array(interactions, name).take(rows)
        for name in interactions.schema.names
    }
    return pa.table(columns)


def _ranked(dictionary: "pa.Array") -> "tuple[pa.Array, Ints]":
    """Return the customers in order, and each one's place by its number."""
    import pyarrow.compute as pc

    by_name = pc.array_sort_indices(dictionary)
    rank = np.empty(len(dictionary), np.int64)
    rank[by_name.to_numpy()] = np.arange(len(rank))
    return dictionary.take(by_name), rank


def _sorted_rows(codes: Numbers, rank: Ints, interactions: "pa.Table | pa.RecordBatch") -> tuple[Ints, Ints]:
    """Return the rows in order, and where each customer's end."""
    from sintonia.features import sorting

    occurred_at = times(column_array(interactions, "occurred_at", key=True))
    counts = np.zeros(len(rank), np.int64)
    counts[rank] = np.bincount(codes, minlength=len(rank))
    place = np.cumsum(counts) - counts
    rows = np.empty((len(codes), 2), np.int64)
    sorting.scatter(codes, rank, occurred_at, place, rows)
    sorting.sort_runs(place, rows, _ids(interactions))
    return rows[:, 0].copy(), place


def _ids(interactions: "pa.Table | pa.RecordBatch") -> tuple[Ints, Numbers]:
    """Return the rows' interaction_id as `_bytes`, without offsets where there is no such column."""
    if "interaction_id" not in interactions.schema.names:
        return np.frombuffer(b"", np.int64), np.frombuffer(b"", np.uint8)
    return _bytes(column_array(interactions, "interaction_id", key=True))


def _bytes(texts: "pa.Array") -> tuple[Ints, Numbers]:
    """Return where each text begins, with the end of the last, and the bytes of them all."""
    import pyarrow as pa

    large = texts.cast(pa.large_string())
    _, offsets, characters = large.buffers()
    begin = np.frombuffer(offsets or b"", np.int64)[large.offset : large.offset + len(large) + 1]
    return begin, np.frombuffer(characters or b"", np.uint8)
