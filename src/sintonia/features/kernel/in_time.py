"""Terms that follow a customer's rows in time: values at positions, extremes, distinct counts, decayed sums.

Each row of the feature table (an *output*) reads one run of its segment's rows, and so does each of its windows, for
rows ascend in time. Where these runs begin and end is computed once for all terms (`Outputs`).
"""

from math import log
from typing import NamedTuple

import numpy as np

from sintonia.core.arrays import Bools, Floats, Ints
from sintonia.features.kernel.histories import Grid, Segments
from sintonia.features.kernel.steps import MISSING

MICROSECONDS = 86_400_000_000.0  # of a day
LOG_2 = log(2.0)


class Outputs(NamedTuple):
    """The rows of a block's feature table, and which rows of its segments each of them reads.

    An output reads its segment's rows up to and without `row_end`; its window d those from `window_begin[d]` on.
    """

    segment: Ints  # (n_outputs,)
    snapshot: Ints
    as_of: Ints
    row_end: Ints
    window_begin: Ints  # (n_windows, n_outputs)
    begin: Ints  # (n_outputs,): of its segment's rows
    reader: Ints  # (n_rows,): the first output that reads a row; of rows that none reads, the next segment's first


def outputs(segments: Segments, grid: Grid) -> Outputs:
    """Return the outputs of segments whose rows ascend in time, in the order of the feature table."""
    n_segments, n_slices = len(segments.begin), len(grid.snapshot)
    counts = segments.last - segments.first
    segment = np.repeat(np.arange(n_segments), counts)
    snapshot = np.arange(segments.out[-1]) - (segments.out[:-1] - segments.first)[segment]
    owner = np.repeat(np.arange(n_segments), segments.end - segments.begin)
    slices = owner * n_slices + segments.slice
    # Rows up to each slice of each segment; segments follow one another, so these are row numbers, too.
    upto = np.concatenate([[0], np.cumsum(np.bincount(slices, minlength=n_segments * n_slices))])
    base = segment * n_slices + 1
    happened = grid.snapshot[segments.slice]
    reader = np.clip(happened - segments.first[owner], 0, counts[owner]) + segments.out[owner]
    return Outputs(
        segment,
        snapshot,
        grid.as_ofs[snapshot],
        upto[base + grid.window_end[snapshot]],
        upto[base + grid.window_start[:, snapshot]],
        segments.begin[segment],
        reader,
    )


def fill_positions(
    member: Bools,
    requests: Ints,
    values: Ints,
    segments: Segments,
    outputs: Outputs,
    result: Floats,
) -> None:
    """Fill the values at positions among the member rows of each output; NaN where there are too few.

    `requests` are (n_requests, 3): position as in a list, row of `values` (-1: the days since), row of the result.
    """
    n_outputs = len(outputs.segment)
    if n_outputs == 1:
        _fill_positions_of_one(member, requests, values, segments, outputs, result)
        return
    members = np.concatenate([[-1], np.flatnonzero(member), [len(member)]])  # none before, none after
    if len(members) == 2:
        result[requests[:, 2]] = np.nan
        return
    readers = outputs.reader.take(members[1:-1])
    # The members up to each output, in earlier segments, too, and in rows that none of their outputs reads.
    count = np.cumsum(np.bincount(readers, minlength=n_outputs + 1)[:n_outputs])
    rows: dict[int, tuple[Ints, Bools]] = {}
    for position, column, to in requests.tolist():
        if position not in rows and position < 0:
            row = members.take(count + (position + 1), mode="clip")
            rows[position] = row, row < outputs.begin
        elif position not in rows:
            first = np.searchsorted(members, segments.begin)[outputs.segment]
            row = members.take(first + position, mode="clip")
            rows[position] = row, row >= outputs.row_end
        row, none = rows[position]
        filled = result[to, :n_outputs]
        if column < 0:
            days = outputs.as_of - segments.occurred_at.take(row, mode="clip")
            np.divide(days, MICROSECONDS, out=filled)
        else:
            value = values[column].take(row, mode="clip")
            filled[:] = value
            none = none | (value == MISSING)
        np.putmask(filled, none, np.nan)


def _fill_positions_of_one(
    member: Bools, requests: Ints, values: Ints, segments: Segments, outputs: Outputs, result: Floats
) -> None:
    """Fill the same for a single output, whom somebody waits for: in a quarter of the time of arrays of one."""
    begin, row_end, as_of = int(outputs.begin[0]), int(outputs.row_end[0]), int(outputs.as_of[0])
    rows = member[begin:row_end].nonzero()[0]
    n_rows = len(rows)
    for position, column, to in requests.tolist():
        if not -n_rows <= position < n_rows:
            result[to, 0] = np.nan
            continue
        row = begin + int(rows[position])
        if column < 0:
            result[to, 0] = (as_of - int(segments.occurred_at[row])) / MICROSECONDS
        else:
            value = int(values[column, row])
            result[to, 0] = np.nan if value == MISSING else value


def fill_extremes(values: Ints, sign: int, windows: Ints, outputs: Outputs, result: Floats) -> None:
    """Fill the highest value (the lowest for sign -1) of nested windows, the shortest first; MISSING is no value.

    `windows` are (n_windows, 2): window, row of the result. Each window adds the rows that the one before it lacks.
    """
    padded = np.append(sign * values, MISSING)  # -MISSING wraps round to itself
    best, end = np.full(len(outputs.row_end), MISSING), outputs.row_end
    for window, to in windows.tolist():
        begin = outputs.window_begin[window]
        spans = np.stack([begin, end], axis=1).ravel()
        more = np.maximum.reduceat(padded, spans)[::2]
        best = np.where(begin < end, np.maximum(best, more), best)
        result[to, : len(best)] = np.where(best == MISSING, np.nan, sign * best)
        end = begin


def fill_distinct(
    member: Bools,
    previous: Ints,
    windows: Ints,
    segments: Segments,
    grid: Grid,
    outputs: Outputs,
    result: Ints,
) -> None:
    """Fill how many different texts the member rows of windows have; `windows` are (n_windows, 2): window, result row.

    `previous` is each row's latest earlier member with the same text, -1 for none. A row counts in a window that
    holds it and not its previous one, and so for one run of snapshots, which is added at its start and subtracted at
    its end.
    """
    n_slices, ends = len(grid.snapshot), len(grid.as_ofs)
    rows = np.flatnonzero(member)
    slices = segments.slice[rows]
    earlier = np.where(previous[rows] < 0, 0, segments.slice.take(previous[rows]) + 1)
    pair = earlier * n_slices + slices
    segment = np.repeat(np.arange(len(segments.begin)), segments.end - segments.begin)[rows]
    size = len(segments.begin) * (ends + 1)
    cells = outputs.segment * (ends + 1) + outputs.snapshot
    for window, to in windows.tolist():
        left = grid.leaves[window]
        entered = np.concatenate([[0], left])  # by the previous row's slice, the first for none
        starts = np.maximum(entered[:, None], grid.snapshot).ravel()
        runs = np.flatnonzero((starts < np.tile(left, n_slices + 1))[pair])
        base = segment[runs] * (ends + 1)
        start = base + starts.take(pair[runs])
        end = base + left.take(slices[runs])
        change = np.bincount(start, minlength=size) - np.bincount(end, minlength=size)
        # Each segment's changes sum to 0, so that one running sum serves all.
        result[to, : len(cells)] = np.cumsum(change)[cells]


def fill_decayed(
    values: Ints,
    half_lives: Floats,
    rows: Ints,
    segments: Segments,
    outputs: Outputs,
    result: Floats,
) -> None:
    """Fill sums of values (n_sums, n_rows), each halved once every half-life (microseconds) up to the snapshot."""
    from sintonia.features.kernel import loops

    rates = -LOG_2 / half_lives
    spans = segments.out, segments.begin, outputs.row_end, outputs.as_of
    loops.decayed(*spans, segments.occurred_at, values, rates, rows, result)
