"""From Arrow interactions to arrays: texts become codes once, so that no row's text is ever compared."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, overload

import numpy as np

from sintonia.core.arrays import Bools, Floats, Ints, Numbers
from sintonia.core.errors import InputError, hint
from sintonia.core.schema import INTERACTIONS
from sintonia.features.kernel.histories import NEVER, NO_TEXTS, Histories
from sintonia.features.kernel.order import group_rows, run_shared, text_bytes
from sintonia.features.sql import Cells

if TYPE_CHECKING:
    import pyarrow as pa

HISTORY_KEYS = ("customer_id", "occurred_at", "known_at")
KNOWN_UNTIL = "known_until"
"""When a row ends: a newer version of it became known, or its deletion. A table may lack the column."""

FRACTIONS = {column.name for column in INTERACTIONS.columns if column.sql_type in ("FLOAT", "DOUBLE")}


def histories(
    interactions: "pa.Table | pa.RecordBatch", columns: Iterable[str], threads: int = 1
) -> "tuple[pa.Array, Histories]":
    """Return the customers' ids (Arrow strings) and their histories with the columns that are named.

    Texts become codes, nulls among truth values become false, times are UTC microseconds, and numbers are whole
    unless the contract says otherwise. Rows may be in any order; those of one customer and time are ordered by
    `interaction_id` if there is such a column. Rows that end (`known_until`) before they are visible are left out.

    Raises
    ------
    InputError
        When a column is missing, a key is null, or an amount is not whole.
    """
    names = [name for name in dict.fromkeys(columns) if name not in (*HISTORY_KEYS, KNOWN_UNTIL)]
    interactions, ends = _ends(interactions)
    ids, *moments = (column_array(interactions, name, key=True) for name in HISTORY_KEYS)
    cells = run_shared(lambda name: to_cells(column_array(interactions, name), name), names, threads)
    arrays = dict(zip(HISTORY_KEYS[1:], map(times, moments), strict=True))
    if ends is not None:
        arrays[KNOWN_UNTIL] = ends
    for name, column in zip(names, cells, strict=True):
        arrays |= {name: column.values} | ({} if column.missing is None else {f"no {name}": column.missing})
    has_ids = "interaction_id" in interactions.schema.names
    interaction_ids = column_array(interactions, "interaction_id", key=True) if has_ids else None
    if has_ids:
        arrays["row"] = np.arange(len(ids))
    by_customer = group_rows(ids, arrays, threads, interaction_ids)
    rows = by_customer.columns
    grouped = {
        name: Cells(rows[name], rows.get(f"no {name}"), column.labels)
        for name, column in zip(names, cells, strict=True)
    }
    texts = NO_TEXTS
    if interaction_ids is not None and not by_customer.in_order:
        texts = rows["row"], *text_bytes(interaction_ids)
    return by_customer.ids, Histories(
        by_customer.starts,
        by_customer.visible,
        rows["occurred_at"],
        rows["known_at"],
        grouped,
        by_customer.in_order,
        texts,
        rows.get(KNOWN_UNTIL),
    )


def _ends(
    interactions: "pa.Table | pa.RecordBatch",
) -> "tuple[pa.Table | pa.RecordBatch, Ints | None]":
    """Return the rows that are visible at some time, and when each ends (NEVER: it does not); None if none does."""
    import pyarrow as pa

    if interactions.schema.get_field_index(KNOWN_UNTIL) < 0:
        return interactions, None
    column = column_array(interactions, KNOWN_UNTIL)
    if column.null_count == len(column):
        return interactions, None
    missing = _nulls(column)
    ends = times(column) if missing is None else np.where(missing, NEVER, times(column))
    occurred_at, known_at = (times(column_array(interactions, name, key=True)) for name in HISTORY_KEYS[1:])
    visible = np.flatnonzero(ends > np.maximum(occurred_at, known_at))
    if len(visible) < len(ends):
        interactions, ends = interactions.take(pa.array(visible)), ends[visible]
    return interactions, ends


def column_array(interactions: "pa.Table | pa.RecordBatch", name: str, key: bool = False) -> "pa.Array":
    """Return a column as one Arrow array, with one dictionary if it has any.

    Raises
    ------
    InputError
        When it is missing, or is a key and holds nulls.
    """
    import pyarrow as pa

    schema = interactions.schema
    index = schema.get_field_index(name)
    if index < 0:
        raise InputError(f"The interactions have no column '{name}'; {hint(name, schema.names)}")
    column = interactions.column(index)
    if key and column.null_count:
        raise InputError(
            f"The interactions have {column.null_count} rows without '{name}'; every row needs one."
        )
    if not isinstance(column, pa.ChunkedArray):
        return column
    if column.num_chunks == 1:
        return column.chunk(0)
    return column.unify_dictionaries().combine_chunks()


def times(array: "pa.Array") -> Ints:
    """Return a column of times as UTC microseconds, 0 for a null."""
    import pyarrow as pa

    exact = array if array.type == pa.timestamp("us") else array.cast(pa.timestamp("us"))
    missing, microseconds = _nulls(array), _numbers(exact).view(np.int64)
    return microseconds if missing is None else np.where(missing, 0, microseconds)


def _nulls(array: "pa.Array") -> Bools | None:
    """Return which values of a column are null, None if none is: in a tenth of the time of Arrow's `is_null`."""
    if not array.null_count:
        return None
    bits, first = np.frombuffer(array.buffers()[0], np.uint8), array.offset
    nulls: Bools = np.unpackbits(bits, count=first + len(array), bitorder="little")[first:] == 0
    return nulls


def _numbers(array: "pa.Array") -> Numbers:
    """Return an Arrow column of numbers as it is in memory, with arbitrary values in place of nulls.

    Each call of Arrow's casts and fill_null costs 10 to 40 microseconds, which matters for one customer, if not for a
    batch.
    """
    import pyarrow as pa

    if array.null_count:
        array = pa.Array.from_buffers(array.type, len(array), [None, array.buffers()[1]], offset=array.offset)
    bare: Numbers = array.to_numpy()
    return bare


def _filled(array: "pa.Array", value: float, missing: Bools | None, dtype: type[np.generic]) -> Numbers:
    """Return an Arrow column as numbers of a type, with a value in place of nulls, the `missing`."""
    numbers = _numbers(array).astype(dtype, copy=False)
    return numbers if missing is None else np.where(missing, dtype(value), numbers)


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
        filled = array.fill_null(False) if array.null_count else array
        return Cells(filled.to_numpy(zero_copy_only=False))
    missing = _nulls(array)
    if pa.types.is_timestamp(kind):
        return Cells(times(array), missing)
    if pa.types.is_integer(kind):
        return Cells(_filled(array, 0, missing, np.int64), missing)
    if name in FRACTIONS and pa.types.is_floating(kind):
        return _fractions(_filled(array, np.nan, missing, np.float64))
    raise InputError(f"The interactions' '{name}' is {kind}; give it in whole units (cents, items).")


def _fractions(values: Floats) -> Cells:
    missing = np.isnan(values)
    return Cells(np.where(missing, 0.0, values), missing) if missing.any() else Cells(values)


class Labels(Sequence[str | None]):
    """The texts of a dictionary, converted to Python when the first is read: there may be millions of thread ids."""

    def __init__(self, dictionary: "pa.Array") -> None:
        self._dictionary = dictionary
        self._texts: list[str | None] | None = None

    def __len__(self) -> int:
        """The number of texts."""
        return len(self._dictionary)

    @overload
    def __getitem__(self, index: int) -> str | None: ...

    @overload
    def __getitem__(self, index: slice) -> list[str | None]: ...

    def __getitem__(self, index: int | slice) -> str | list[str | None] | None:
        """Return a text, or a slice of the texts."""
        if self._texts is None:
            self._texts = self._dictionary.to_pylist()
        return self._texts[index]

    def __iter__(self) -> Iterator[str | None]:
        """The texts, one after the other."""
        return iter(self[:])


def _texts(array: "pa.Array") -> Cells:
    """Return a text column's codes and labels; a null, in the dictionary or not, has the code after the last."""
    import pyarrow as pa

    coded = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
    labels = Labels(coded.dictionary)
    codes = _filled(coded.indices, len(labels), _nulls(coded.indices), np.int32)
    if coded.dictionary.null_count:
        codes = np.where(codes == labels.index(None), len(labels), codes)
    return Cells(codes, None, labels)
