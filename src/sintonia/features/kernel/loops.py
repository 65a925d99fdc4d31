"""The kernel's compiled loops: sums over windows, earlier rows, decayed sums. Importing this imports numba.

No segment reads another's rows or results, and every sum runs over integers or in the rows' order, so a customer's
values do not depend on the block, the thread or the other customers.

Whatever can be computed as fast by NumPy is not here: numba compiles each loop at its first use, which costs a process
in a fresh installation 0.2 to 1 s a loop. For the same reason the loops take plain arrays: of named tuples of arrays
numba compiles every field wherever the tuple is passed on. No array is allocated here either.
"""

from math import exp
from typing import Any

import numpy as np

from sintonia.core.arrays import Array
from sintonia.core.jit import compiled

A_SECOND = 1_000_000  # in microseconds
TILE = 64  # rows of the feature table written together: a few lines of memory of each feature
PADDING = 8  # of a tile's rows: those that lie 4 KiB apart would evict one another from the cache


@compiled()
def previous(
    begin: Array,
    end: Array,
    occurred_at: Array,
    member: Array,
    texts: Array,
    no_text: int,
    latest: Array,
    rows: Array,
    counts: Array,
    seconds: Array,
) -> None:
    """Fill each row's latest earlier member with the same text in its segment, their count, and the seconds since.

    `begin` and `end` are (n_segments,), all else (n_rows,). `texts` are numbers, of which `no_text` equals nothing.
    Without such a member the row is -1. `latest` holds each text's latest row; it counts on from call to call from
    its last entry, so that it need not be cleared.
    """
    base = latest[latest.size - 1]
    for w in range(begin.size):
        for r in range(begin[w], end[w]):
            text = texts[r]
            row = latest[text] - base if text != no_text else -1
            if row >= begin[w]:
                rows[r], counts[r] = row, counts[row] + 1
                seconds[r] = (occurred_at[r] - occurred_at[row]) // A_SECOND
            else:
                rows[r], counts[r], seconds[r] = -1, 0, 0
            if member[r] and text != no_text:
                latest[text] = base + r
    latest[latest.size - 1] = base + occurred_at.size


@compiled()
def totals(
    begin: Array,
    end: Array,
    first: Array,
    last: Array,
    n_outputs: int,
    offsets: Array,
    window_end: Array,
    window_start: Array,
    unseen_begin: Array,
    unseen: Array,
    classes: Array,
    class_start: Array,
    accumulator: Array,
    column: Array,
    values: Array,
    n_accumulators: int,
    term_requests: Array,
    terms: Array,
    feature_requests: Array,
    features: Array,
    sums: Array,
    tile: Array,
) -> None:
    """Fill the sums of all requests (accumulator, window, row of the result) at every snapshot of every segment.

    A row of class c adds to the accumulators `accumulator[class_start[c]:class_start[c + 1]]` of its slice, whose
    sums begin at its offset (-1: no snapshot sees it), its value of `column`. Sums are cumulated over the slices, and
    a window is the difference of two of them; integers make it exact even where a sum wraps round.

    What a snapshot does not see yet, though it has happened, is subtracted: `unseen` holds (row, window, first and end
    of the snapshots), those of segment w from `unseen_begin[w]` to `unseen_begin[w + 1]`.

    Segments have `n_outputs` snapshots in all. Requests for terms (int64) and for features (float32) are written `TILE`
    snapshots at a time, so that each result is written a line of memory at a time. `sums` and `tile` are scratch.
    """
    n_windows = window_start.shape[0]
    width = n_windows * n_accumulators + PADDING
    cells = np.uint64(n_accumulators)  # unsigned indices never count from the end
    # Typed: for each literal argument numba would compile the callee once more.
    nothing: Any = np.int64(0)
    plus: Any = np.int64(1)
    minus: Any = np.int64(-1)
    filled, output = nothing, nothing
    for w in range(begin.size):
        if first[w] == last[w]:
            continue
        n_slices = window_end[last[w] - 1] + 2
        for m in range(n_slices * n_accumulators):
            sums[m] = 0
        _add(
            begin[w], end[w], offsets, nothing, plus, sums, classes, class_start, accumulator, column, values
        )
        for j in range(1, n_slices):
            this, before = np.uint64(j * n_accumulators), np.uint64((j - 1) * n_accumulators)
            for m in range(cells):
                sums[this + m] += sums[before + m]
        for s in range(first[w], last[w]):
            upper = np.uint64((window_end[s] + 1) * n_accumulators)
            for d in range(n_windows):
                lower = np.uint64((window_start[d, s] + 1) * n_accumulators)
                cell = np.uint64(filled * width + d * n_accumulators)
                for m in range(cells):
                    tile[cell + m] = sums[upper + m] - sums[lower + m]
            for q in range(unseen_begin[w], unseen_begin[w + 1]):
                if unseen[q, 2] <= s and s < unseen[q, 3]:
                    r = unseen[q, 0]
                    shift = filled * width + unseen[q, 1] * n_accumulators - offsets[r]
                    _add(
                        r,
                        r + 1,
                        offsets,
                        shift,
                        minus,
                        tile,
                        classes,
                        class_start,
                        accumulator,
                        column,
                        values,
                    )
            filled += 1
            output += 1
            if filled == TILE or output == n_outputs:
                start = output - filled
                _write(tile, width, filled, start, n_accumulators, term_requests, terms)
                _write(tile, width, filled, start, n_accumulators, feature_requests, features)
                filled = nothing


@compiled()
def _add(
    begin: int,
    end: int,
    offsets: Array,
    shift: int,
    sign: int,
    sums: Array,
    classes: Array,
    class_start: Array,
    accumulator: Array,
    column: Array,
    values: Array,
) -> None:
    """Add what the rows from begin to end give to their accumulators, which lie `shift` after the rows' offsets."""
    for r in range(begin, end):
        if offsets[r] < 0:
            continue
        offset = offsets[r] + shift
        for g in range(classes.shape[0]):
            c = classes[g, r]
            for i in range(class_start[c], class_start[c + 1]):
                value = values[column[i], r] if column[i] >= 0 else 1
                sums[np.uint64(offset + accumulator[i])] += sign * value


@compiled()
def _write(
    tile: Array, width: int, filled: int, start: int, n_accumulators: int, requests: Array, result: Array
) -> None:
    """Write a tile's snapshots to the result, those of a request side by side, from column `start` on."""
    for j in range(requests.shape[0]):
        cell = np.uint64(requests[j, 1] * n_accumulators + requests[j, 0])
        row, column = np.uint64(requests[j, 2]), np.uint64(start)
        for k in range(np.uint64(filled)):
            result[row, column + k] = tile[k * np.uint64(width) + cell]


@compiled()
def decayed(
    out: Array,
    begin: Array,
    row_end: Array,
    as_of: Array,
    occurred_at: Array,
    values: Array,
    rates: Array,
    rows: Array,
    result: Array,
) -> None:
    """Fill sums of values, each multiplied by exp(rate * microseconds) up to the snapshot.

    Segment w has the columns of the result from `out[w]` to `out[w + 1]`; each of those sums the rows from `begin[w]`
    to its `row_end`, at its `as_of`. `values` are (n_sums, n_rows), `rates` and `rows` of the result (n_sums,).
    """
    for j in range(rows.size):
        rate = rates[j]
        for w in range(begin.size):
            r, total, since = begin[w], 0.0, np.int64(0)
            for o in range(out[w], out[w + 1]):
                while r < row_end[o]:
                    value = values[j, r]
                    if value != 0:
                        passed = occurred_at[r] - since if total != 0.0 else 0
                        total = total * exp(rate * passed) + value if passed else total + value
                        since = occurred_at[r]
                    r += 1
                result[rows[j], o] = total * exp(rate * (as_of[o] - since)) if total != 0.0 else 0.0
