"""The feature table: interactions, as-of dates and a configuration into one row per (customer_id, as_of)."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from sintonia.core.arrays import Bools, Floats32, Ints
from sintonia.core.config import FeaturesConfig
from sintonia.features.families import catalogue
from sintonia.features.fitted import Fitted
from sintonia.features.history import History, histories_of_rows, rows_of_table
from sintonia.features.kernel.arrow import histories
from sintonia.features.kernel.compute import TermBuffers, compute_terms
from sintonia.features.kernel.histories import Grid, Histories, grid
from sintonia.features.kernel.order import run_shared
from sintonia.features.kernel.plan import Plan, plan
from sintonia.features.measures import Feature

if TYPE_CHECKING:
    import pyarrow as pa

CELLS = 2**21  # of a block's terms, 8 bytes each: smaller blocks cost more in Python, larger ones more memory
FEW = 2**6  # rows of a feature table, below which building its columns costs more than computing them
LINE = 16  # float32 values of a line of memory
ROWS = 2**15  # of a block's interactions, for the same reason


def feature_names(config: FeaturesConfig, fitted: Fitted) -> list[str]:
    """Return the names of a configuration's features, in the order of the feature table's columns."""
    return [feature.name for feature in catalogue(config, fitted)]


def columns_read(config: FeaturesConfig, fitted: Fitted) -> list[str]:
    """Return the columns of the interactions that a configuration reads; no other need be loaded."""
    return list(plan(catalogue(config, fitted)).reads)


def compute(
    history: "History | pa.Table | pa.RecordBatch",
    as_ofs: Sequence[datetime],
    config: FeaturesConfig,
    fitted: Fitted,
    threads: int = 1,
) -> "pa.Table":
    """Return the features of whole customers as they were known at each as-of date.

    One row per (customer_id, as_of), in that order, for every customer with an interaction visible at as_of
    (occurred_at <= as_of, known_at <= as_of, and known_until null or later than as_of). A window is
    (as_of - window, as_of]. Counts and sums of nothing are 0; NaN stands only where a feature is undefined, and the
    catalogue says what that means.

    Parameters
    ----------
    history
        Whole customers: their interactions as an Arrow table or record batch, with at least the columns of
        `columns_read`, strings plain or dictionary-encoded; or a `History` of those and the other tables that the
        families read. Rows may be in any order; in the store's (customer_id, occurred_at, interaction_id) they are
        read as they stand. Of one customer and time, rows count in the order of interaction_id where there is such a
        column, else as they come.
    as_ofs
        As-of dates, UTC without a zone mark.
    config
        Families, windows, and the user's own measures.
    fitted
        What was fitted for it on the past, by `fit`.
    threads
        How many threads share the customers; they change the speed only.

    Returns
    -------
    customer_id (string), as_of (timestamp[us]) and one float32 column for each of `feature_names`.

    Raises
    ------
    ConfigError
        For an unknown family.
    InputError
        When a table or column is missing, a key is null, or an amount is not whole.
    """
    return compute_features(history, as_ofs, catalogue(config, fitted), threads=threads)


def compute_features(
    history: "History | pa.Table | pa.RecordBatch",
    as_ofs: Sequence[datetime],
    features: Sequence[Feature] | Plan,
    cells: int = CELLS,
    threads: int = 1,
) -> "pa.Table":
    """Return the table of `compute` for any features, or for a plan of them.

    Callers that compute often (one customer at a time) make the `plan` of the features once and pass it. `cells`
    bounds a block of customers by the terms it computes; it changes the speed only.
    """
    planned = features if isinstance(features, Plan) else plan(features)
    ids, moments, first_seen, shown, room = _compute(history, as_ofs, planned, cells, threads)
    table = _table(ids, moments, first_seen, planned.names, room)
    return table if shown is None else table.filter(shown)


def feature_values(
    history: "History | pa.Table | pa.RecordBatch", as_of: datetime, plan: Plan
) -> "tuple[pa.Array, Floats32]":
    """Return the customers of `compute_features` at one date and their values, without a table around them.

    The ids are Arrow strings, the values (n_features, n_customers): for one customer, who is scored while they wait, a
    table of hundreds of columns costs more than what is in it.
    """
    ids, _, first_seen, shown, room = _compute(history, [as_of], plan, CELLS, 1)
    visible, values = np.flatnonzero(first_seen == 0), room[:, : np.count_nonzero(first_seen == 0)]
    if shown is not None:
        visible, values = visible[shown], values[:, shown]
    return (ids if len(visible) == len(ids) else ids.take(visible)), values


def _compute(
    history: "History | pa.Table | pa.RecordBatch",
    as_ofs: Sequence[datetime],
    plan: Plan,
    cells: int,
    threads: int,
) -> "tuple[pa.Array, Ints, Ints, Bools | None, Floats32]":
    """Return all ids, the as-of dates, the first at which each customer is visible, and room with the columns.

    Before the room comes which of its rows are of a customer with a visible interaction; None if all are.
    """
    tables = history if isinstance(history, History) else History(history)
    ids, whole = histories(tables.interactions, plan.columns, threads)
    moments = np.array(sorted(set(as_ofs)), "datetime64[us]").astype(np.int64)
    first_seen = np.searchsorted(moments, whole.visible)
    starts = np.concatenate([[0], np.cumsum(len(moments) - first_seen)])
    room = _room(len(plan.names), int(starts[-1]))
    fill = partial(
        _fill_columns,
        moments=moments,
        columns=room[:, : starts[-1]],
        starts=starts,
        cells=cells,
        threads=threads,
    )
    fill(whole, plan)
    for table, other in plan.others.items():
        fill(histories_of_rows(rows_of_table(table, tables), ids, whole.visible, other.columns), other)
    return ids, moments, first_seen, _shown(whole, moments, first_seen), room


def _shown(whole: Histories, moments: Ints, first_seen: Ints) -> Bools | None:
    """Return which (customer, as_of) from each customer's `first_seen` on have a visible row; None if all have."""
    if whole.known_until is None:
        return None
    owner = np.repeat(np.arange(len(whole)), np.diff(whole.starts))
    n, size = len(moments) + 1, len(whole) * (len(moments) + 1)
    shown_from = np.searchsorted(moments, np.maximum(whole.occurred_at, whole.known_at))
    shown_until = np.searchsorted(moments, whole.known_until)
    changes = [np.bincount(owner * n + at, minlength=size) for at in (shown_from, shown_until)]
    visible = np.cumsum((changes[0] - changes[1]).reshape(-1, n), axis=1)[:, :-1] > 0
    shown: Bools = visible[np.arange(len(moments)) >= first_seen[:, None]]
    return None if shown.all() else shown


def _fill_columns(
    whole: Histories, plan: Plan, moments: Ints, columns: Floats32, starts: Ints, cells: int, threads: int
) -> None:
    """Fill the columns of one table's features; a customer's rows of the feature table begin at its `starts`."""
    line = grid(moments, plan.windows_days)
    blocks = _blocks(whole, max(1, cells // max(1, plan.n_terms * len(moments))))

    def fill_share(number: int) -> None:
        buffers = TermBuffers(plan)
        for first, last in blocks[number::threads]:
            if starts[first] < starts[last]:
                block = whole.block(first, last, plan.in_time)
                _fill(block, line, buffers, columns[:, starts[first] : starts[last]])

    run_shared(fill_share, range(threads), threads)


def _room(n_columns: int, rows: int) -> Floats32:
    """Return room for columns of so many rows, each an odd number of lines of memory after the last.

    Columns that lie a power of two apart would push one another out of the processor's nearest cache.
    """
    lines = (
        rows // LINE + 1
    ) | 1  # never full: numba would compile its loops once more for columns without a gap
    return np.empty((n_columns, lines * LINE), np.float32)


def _blocks(whole: Histories, size: int) -> list[tuple[int, int]]:
    """Return the customers in blocks of at most `size`, and of about `ROWS` interactions: first, last."""
    blocks = []
    first = 0
    while first < len(whole):
        full = int(np.searchsorted(whole.starts, whole.starts[first] + ROWS))
        last = min(first + size, max(full, first + 1), len(whole))
        blocks.append((first, last))
        first = last
    return blocks


def _fill(block: Histories, line: Grid, buffers: TermBuffers, columns: Floats32) -> None:
    """Fill the features' columns for a block of customers."""
    plan, rows = buffers.plan, columns.shape[1]
    buffers.reserve(rows)
    compute_terms(block, line, buffers, columns)
    terms = buffers.whole, buffers.floats
    for column, combine, arguments in plan.combinations:
        columns[column] = combine(*(terms[kind][row, :rows] for kind, row in arguments))


def _table(
    ids: "pa.Array", as_ofs: Ints, first_seen: Ints, names: Sequence[str], room: Floats32
) -> "pa.Table":
    """Return the room's columns under their keys: from its first visible snapshot on, a customer has them all."""
    import pyarrow as pa

    rows = len(as_ofs) - first_seen
    customer = np.repeat(np.arange(len(ids)), rows)
    snapshot = np.arange(len(customer)) - np.repeat(np.cumsum(rows) - len(as_ofs), rows)
    moments = as_ofs[snapshot].view("datetime64[us]")
    owners = ids.take(pa.array(customer))
    if names and 0 < len(customer) < FEW:
        return _few(owners, moments, room[:, : len(customer)], names)
    keys = [owners, pa.array(moments)]
    values = pa.Array.from_buffers(pa.float32(), room.size, [None, pa.py_buffer(room)])
    n, apart = len(customer), room.shape[1]
    columns = [values.slice(at, n) for at in range(0, len(names) * apart, apart)]
    return pa.table([*keys, *columns], names=["customer_id", "as_of", *names])


def _few(
    owners: "pa.Array", moments: "np.ndarray[Any, Any]", columns: Floats32, names: Sequence[str]
) -> "pa.Table":
    """Return the table of few rows: Arrow reads one message faster than it builds each column."""
    import pyarrow as pa

    _, offsets, texts = owners.buffers()  # of ids just taken: they begin at the first byte
    letters = int(np.frombuffer(offsets, np.int32)[len(owners)])
    schema, head = _message(tuple(names), len(moments), letters)
    body = np.zeros((len(names), _round_up(len(moments), 2)), np.float32)
    body[:, : len(moments)] = columns
    keys = [
        _padded(bytes(offsets)[: 4 * (len(owners) + 1)]),
        _padded(bytes(texts or b"")[:letters]),
        moments.tobytes(),
    ]
    message = pa.py_buffer(b"".join([head, *keys, body.tobytes()]))
    return pa.Table.from_batches([pa.ipc.read_record_batch(message, schema)])


@lru_cache(64)
def _message(names: tuple[str, ...], rows: int, letters: int) -> "tuple[pa.Schema, bytes]":
    """Return the schema and head of Arrow's message for a feature table whose ids have so many bytes in all.

    After the head come, each padded to 8 bytes, the ids' offsets and letters, the dates, and the columns.
    """
    import pyarrow as pa

    keys = [pa.array(["x" * letters] + [""] * (rows - 1)), pa.array(np.zeros(rows, "datetime64[us]"))]
    columns = [pa.array(np.zeros(rows, np.float32))] * len(names)
    batch = pa.record_batch([*keys, *columns], ["customer_id", "as_of", *names])
    message = batch.serialize()
    body = (
        _round_up(4 * (rows + 1), 8) + _round_up(letters, 8) + 8 * rows + 4 * len(names) * _round_up(rows, 2)
    )
    return batch.schema, message.slice(0, message.size - body).to_pybytes()


def _round_up(size: int, unit: int) -> int:
    return -(-size // unit) * unit


def _padded(data: bytes) -> bytes:
    return data.ljust(_round_up(len(data), 8), b"\0")
