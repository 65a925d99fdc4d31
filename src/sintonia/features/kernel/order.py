"""Rows of any order grouped by customer, and the time from which each customer is visible."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from sintonia.core.arrays import Ints, Numbers

if TYPE_CHECKING:
    import pyarrow as pa

PROBED = 10_000  # rows that show of most unordered tables that they are unordered
MOVED = 2**13  # rows, which the second-level cache holds
NEVER = np.iinfo(np.int64).max
T = TypeVar("T")
Result = TypeVar("Result")


class CustomerRows(NamedTuple):
    """Customers in the order of their ids' bytes, where their rows start, and the time from which each is visible.

    `columns` are the rows' columns with each customer's rows together; if the rows came `in_order`, they are the
    original columns, and ascend in time.
    """

    ids: "pa.Array"  # (n_customers,) strings
    starts: Ints  # (n_customers + 1,)
    visible: Ints  # (n_customers,)
    columns: Mapping[str, Numbers]
    in_order: bool


def group_rows(
    ids: "pa.Array", columns: Mapping[str, Numbers], threads: int = 1, names: "pa.Array | None" = None
) -> CustomerRows:
    """Return the customers of rows in any order; `columns` hold `occurred_at` and `known_at`.

    Rows of one customer and time are in order if their `names` ascend, or there are none. Unordered rows are moved with
    all their columns at once, which misses the cache once per row instead of once per row and column.
    """
    ordered = _in_order(ids, columns["occurred_at"], names)
    if ordered is None:
        return _counted(ids, columns, threads)
    customers, starts = ordered
    shown = np.maximum(columns["occurred_at"], columns["known_at"])
    visible = np.minimum.reduceat(shown, starts[:-1]) if len(customers) else np.empty(0, np.int64)
    return CustomerRows(customers, starts, visible, columns, True)


def run_shared(work: Callable[[T], Result], parts: Iterable[T], threads: int) -> list[Result]:
    """Return the result of the work for each part, computed by so many threads."""
    if threads == 1:
        return [work(part) for part in parts]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, parts))


def _in_order(
    ids: "pa.Array", occurred_at: Ints, names: "pa.Array | None" = None
) -> "tuple[pa.Array, Ints] | None":
    """Return the customers and where their rows start, with the end, or None when the rows are in no order."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if len(ids) > PROBED and _in_order(ids[:PROBED], occurred_at[:PROBED]) is None:
        return None
    coded = pa.types.is_dictionary(ids.type)
    runs = pc.run_end_encode(ids.indices if coded else ids, run_end_type=pa.int64())
    customers = (ids.dictionary.take(runs.values) if coded else runs.values).cast(pa.string())
    starts = np.concatenate([[0], runs.run_ends.to_numpy()])
    back = occurred_at[1:] < occurred_at[:-1]
    back[starts[1:-1] - 1] = False  # between customers time may go back
    ascending = len(customers) < 2 or pc.all(pc.less(customers[:-1], customers[1:]), min_count=0).as_py()
    if back.any() or not ascending:
        return None
    return (customers, starts) if names is None or _named_in_order(names, occurred_at, starts) else None


def _named_in_order(names: "pa.Array", occurred_at: Ints, starts: Ints) -> bool:
    """Return whether the names of a customer's rows of one time ascend."""
    import pyarrow as pa
    import pyarrow.compute as pc

    same = occurred_at[1:] == occurred_at[:-1]
    same[starts[1:-1] - 1] = False
    rows = np.flatnonzero(same)
    before, after = (names.take(pa.array(index)).cast(pa.string()) for index in (rows, rows + 1))
    ascend: bool = pc.all(pc.less_equal(before, after), min_count=0).as_py()
    return ascend


def _counted(ids: "pa.Array", columns: Mapping[str, Numbers], threads: int) -> CustomerRows:
    """Return the rows grouped by a counting sort: one part of the rows per thread, each customer's in their order."""
    from sintonia.features.kernel import sorting

    edges = np.linspace(0, len(ids), threads + 1).astype(np.int64)
    parts = [slice(*pair) for pair in pairwise(edges)]
    codes, ranks, customers = _coded(ids, parts)
    counts = np.zeros((threads, len(customers)), np.int64)
    visible = np.full((threads, len(customers)), NEVER)
    run_shared(lambda i: sorting.count(codes[parts[i]], ranks[i], counts[i]), range(threads), threads)
    ends = np.cumsum(counts.sum(axis=0))
    next_rows = ends - np.cumsum(counts[::-1], axis=0)[::-1]
    rows = np.empty(len(ids), [(name, column.dtype) for name, column in columns.items()])

    record = np.dtype((np.void, rows.itemsize))  # copied as bytes, not field by field

    def move(i: int) -> None:
        for first in range(parts[i].start, parts[i].stop, MOVED):
            span = slice(first, min(first + MOVED, parts[i].stop))
            moved = np.empty(span.stop - first, rows.dtype)
            for name, column in columns.items():
                moved[name] = column[span]
            shown = np.maximum(moved["occurred_at"], moved["known_at"])
            index = np.empty(span.stop - first, np.int64)
            sorting.find_rows(codes[span], next_rows[i], shown, visible[i], index)
            rows.view(record)[index] = moved.view(record)

    run_shared(move, range(threads), threads)
    starts = np.concatenate([[0], ends])
    return CustomerRows(customers, starts, visible.min(axis=0), {name: rows[name] for name in columns}, False)


def _coded(ids: "pa.Array", parts: list[slice]) -> "tuple[Numbers, list[Ints], pa.Array]":
    """Return the rows' codes, for each part the rank of the customer of each code, and the customers in order."""
    import pyarrow as pa

    if pa.types.is_dictionary(ids.type):
        codes, texts = ids.indices.cast(pa.int32()).to_numpy().copy(), [ids.dictionary.cast(pa.string())]
    else:
        codes = np.empty(len(ids), np.int32)
        texts = run_shared(lambda part: _encode(ids[part], codes[part]), parts, len(parts))
    part_codes = np.empty(sum(map(len, texts)), np.int32)
    rank, customers = _ranked(_encode(pa.concat_arrays(texts), part_codes))
    ranks = np.split(rank[part_codes], np.cumsum([len(part) for part in texts])[:-1])
    return codes, ranks if len(ranks) == len(parts) else ranks * len(parts), customers


def _encode(texts: "pa.Array", codes: Numbers) -> "pa.Array":
    """Fill each text's code, and return the texts of the codes, in the order in which they first come."""
    import pyarrow as pa

    encoded = texts.dictionary_encode()
    codes[:] = encoded.indices.to_numpy()
    return encoded.dictionary.cast(pa.string())


def _ranked(dictionary: "pa.Array") -> "tuple[Ints, pa.Array]":
    """Return each text's rank, and the texts in order."""
    import pyarrow.compute as pc

    by_name = pc.array_sort_indices(dictionary)
    rank = np.empty(len(dictionary), np.int64)
    rank[by_name.to_numpy()] = np.arange(len(rank))
    return rank, dictionary.take(by_name)


def text_bytes(texts: "pa.Array") -> tuple[Numbers, Numbers]:
    """Return where each text begins, with the end of the last, and the bytes of them all."""
    import pyarrow as pa

    large = pa.types.is_large_string(texts.type)
    plain = texts if large or pa.types.is_string(texts.type) else texts.cast(pa.large_string())
    width = np.int32 if pa.types.is_string(plain.type) else np.int64
    _, offsets, characters = plain.buffers()
    begin = np.frombuffer(offsets or bytes(8), width)[plain.offset : plain.offset + len(plain) + 1]
    return begin, np.frombuffer(characters or b"", np.uint8)
