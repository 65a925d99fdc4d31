"""Customers' histories as arrays, the grid of as-of dates and window edges, and the segments that snapshots see."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from sintonia.core.arrays import Ints, Numbers
from sintonia.features.sql import Cells

DAY = 86_400_000_000  # microseconds
NEVER = np.iinfo(np.int64).max
NO_ROWS = np.empty(0, np.int64)
SPANS = 12  # bits of the number of equal spans that times fall into
NO_TEXTS = np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.uint8)


@dataclass(frozen=True)
class Histories:
    """Whole customers as arrays with one element per row; `starts` is where each customer begins, and the end.

    Times are UTC microseconds, ascending within a customer if the rows are `in_time`. `visible` is the time from which
    at least one row of the customer is visible. `texts` order rows of the same time: each row's code, where the text
    of each code begins, with the end, and the bytes of all texts. `known_until` is when each row ends, NEVER where it
    does not; None if no row does.
    """

    starts: Ints  # (n_customers + 1,)
    visible: Ints  # (n_customers,)
    occurred_at: Ints
    known_at: Ints
    cells: Mapping[str, Cells]
    in_time: bool = True
    texts: tuple[Ints, Numbers, Numbers] = NO_TEXTS
    known_until: Ints | None = None

    def __len__(self) -> int:
        """The number of customers."""
        return len(self.starts) - 1

    def block(self, first: int, last: int, in_time: bool = True) -> "Histories":
        """Return the customers from first up to and without last, sorted by time if `in_time`.

        Times are copied; of rows that are in order, everything else is a view.
        """
        span = slice(self.starts[first], self.starts[last])
        starts = self.starts[first : last + 1] - self.starts[first]
        times = self.occurred_at[span].copy(), self.known_at[span].copy()
        ends = None if self.known_until is None else self.known_until[span].copy()
        cells = {name: column.take(span) for name, column in self.cells.items()}
        if in_time and not self.in_time:
            # From the block's rows only: to take from a strided column, NumPy would copy all of it.
            rows = self._order(span, starts)
            times = times[0][rows], times[1][rows]
            ends = None if ends is None else ends[rows]
            cells = {name: column.take(rows) for name, column in cells.items()}
        return Histories(starts, self.visible[first:last], *times, cells, known_until=ends)

    def _order(self, span: slice, starts: Ints) -> Ints:
        """Return the order of a span of rows by time, customer by customer."""
        from sintonia.features.kernel import sorting

        timed = np.stack([np.arange(starts[-1]), self.occurred_at[span]], axis=1)
        codes, offsets, characters = self.texts
        sorting.sort_runs(starts[1:], timed, (codes[span].copy(), offsets, characters))
        return timed[:, 0].copy()


class Grid(NamedTuple):
    """The as-of dates, and the edges of all their windows as one ascending line of times.

    Slice j of the line is (edges[j - 1], edges[j]]. A window at snapshot s holds the slices after its `window_start`
    up to `window_end[s]`; `snapshot[j]` is the first as-of date at or after slice j, and `leaves[d, j]` the first
    whose window d begins after slice j. `near[k]` is the first edge from `edges[0] + (k << shift)` on.
    """

    as_ofs: Ints  # (n_snapshots,)
    edges: Ints
    window_end: Ints  # (n_snapshots,)
    window_start: Ints  # (n_windows, n_snapshots), -1 for a window without a start
    snapshot: Ints  # (n_edges + 1,)
    leaves: Ints  # (n_windows, n_edges + 1)
    near: Ints
    shift: int


def grid(as_ofs: Ints, windows_days: Sequence[int | None]) -> Grid:
    """Return the grid of ascending as-of dates (UTC microseconds) and windows in days (None: of all time)."""
    return _grid(tuple(as_ofs.tolist()), tuple(windows_days))


@lru_cache(64)
def _grid(moments: tuple[int, ...], windows_days: tuple[int | None, ...]) -> Grid:
    """Return the grid, cached for callers that compute customer by customer or bucket by bucket."""
    as_ofs = np.array(moments, np.int64)
    starts = [as_ofs - days * DAY for days in windows_days if days is not None]
    edges = np.unique(np.concatenate([as_ofs, *starts]))
    window_end = np.searchsorted(edges, as_ofs)
    window_start = np.full((len(windows_days), len(as_ofs)), -1)
    for row, days in zip(window_start, windows_days, strict=True):
        if days is not None:
            row[:] = np.searchsorted(edges, as_ofs - days * DAY)
    slices = np.arange(len(edges) + 1)
    leaves = np.array([np.searchsorted(row, slices) for row in window_start], np.int64)
    span = int(edges[-1] - edges[0]) if len(edges) else 0
    shift = max(span.bit_length() - SPANS, 0)
    near = np.searchsorted(edges, edges[:1] + (np.arange((span >> shift) + 1) << shift))
    return Grid(
        as_ofs,
        edges,
        window_end,
        window_start,
        np.searchsorted(window_end, slices),
        leaves.reshape(-1, len(slices)),
        near,
        shift,
    )


@dataclass(frozen=True)
class Segments:
    """Rows that snapshots see as one history: segment w serves the snapshots from first[w] up to and without last[w].

    Its rows are those from begin[w] to end[w], and the next segment's follow them. Snapshots see a row from `seen` on:
    in `visible_segments` from the first after it happened, in `customer_segments` perhaps later. `out` is where
    the segment's rows of the block's feature table begin, and the end.
    """

    begin: Ints  # (n_segments,)
    end: Ints
    first: Ints
    last: Ints
    out: Ints  # (n_segments + 1,)
    slice: Ints  # (n_rows,)
    seen: Ints
    occurred_at: Ints
    cells: Mapping[str, Cells]
    late: Ints  # the rows that some snapshot after they happened does not see yet
    ended: Ints  # the rows that some snapshot does not see any more
    gone: Ints  # the first snapshot that does not see each of the ended rows any more


def customer_segments(block: Histories, grid: Grid) -> Segments:
    """Return one segment a customer, over the rows as they are."""
    slices = _slices(block.occurred_at, grid)
    happened = grid.snapshot.take(slices)
    late = np.flatnonzero(np.append(grid.as_ofs, NEVER).take(happened) < block.known_at)
    seen = happened
    seen[late] = np.searchsorted(grid.as_ofs, block.known_at[late])
    first = np.searchsorted(grid.as_ofs, block.visible)
    last = np.full(len(block), len(grid.as_ofs), np.int64)
    out = np.concatenate([[0], np.cumsum(last - first)])
    ended, gone = NO_ROWS, NO_ROWS
    if block.known_until is not None:
        ended = np.flatnonzero(block.known_until <= grid.as_ofs.max(initial=-NEVER))
        gone = np.searchsorted(grid.as_ofs, block.known_until[ended])
    return Segments(
        block.starts[:-1],
        block.starts[1:],
        first,
        last,
        out,
        slices,
        seen,
        block.occurred_at,
        block.cells,
        late,
        ended,
        gone,
    )


def _slices(occurred_at: Ints, grid: Grid) -> Ints:
    """Return the slice of each time.

    `grid.near` gives the first edge of a span of time; only times after that edge are searched for.
    """
    if not len(grid.edges):
        return np.zeros(len(occurred_at), np.int64)
    span = (occurred_at - grid.edges[0]) >> grid.shift
    slices: Ints = grid.near.take(span, mode="clip")
    after = np.flatnonzero(np.append(grid.edges, NEVER).take(slices) < occurred_at)
    slices[after] = np.searchsorted(grid.edges, occurred_at[after])
    return slices


def visible_segments(whole: Segments, grid: Grid) -> tuple[Segments, Ints]:
    """Return the segments that show every snapshot of every customer exactly what it sees, and their rows.

    A late row splits the snapshots in two: those that do not see it yet, and those that do; a row that ends splits off
    those that do not see it any more. Each segment copies the rows that its snapshots see, in order, so that gaps and
    counts are those of the history as it was known then. The rows are indices into the block, whose cells are not
    copied.
    """
    n_snapshots = len(grid.as_ofs)
    changing = np.concatenate([whole.late, whole.ended])
    at = np.concatenate([whole.seen[whole.late], whole.gone])
    customer = np.searchsorted(whole.begin, changing, "right") - 1
    begins = (whole.first[customer] < at) & (at < n_snapshots)
    shown = np.flatnonzero(whole.first < n_snapshots)
    keys = np.concatenate(
        [shown * n_snapshots + whole.first[shown], customer[begins] * n_snapshots + at[begins]]
    )
    owner, first = np.divmod(np.unique(keys), max(n_snapshots, 1))
    last = np.append(first[1:], n_snapshots)
    last[np.append(owner[1:] != owner[:-1], True)] = n_snapshots
    sizes = whole.end[owner] - whole.begin[owner]
    segment = np.repeat(np.arange(len(owner)), sizes)
    rows = np.arange(len(segment)) + np.repeat(whole.begin[owner] - np.cumsum(sizes) + sizes, sizes)
    happened, seen = grid.snapshot[whole.slice[rows]], whole.seen[rows]
    visible_rows = (happened < last[segment]) & (seen <= np.maximum(first[segment], happened))
    if len(whole.ended):
        gone = np.full(len(whole.slice), n_snapshots)
        gone[whole.ended] = whole.gone
        visible_rows &= gone[rows] > first[segment]
    visible = np.flatnonzero(visible_rows)
    rows = rows[visible]
    end = np.cumsum(np.bincount(segment[visible], minlength=len(owner)))
    begin = np.append(0, end[:-1])
    out = np.concatenate([[0], np.cumsum(last - first)])
    slices = whole.slice[rows]
    times = grid.snapshot[slices], whole.occurred_at[rows]
    return Segments(begin, end, first, last, out, slices, *times, {}, NO_ROWS, NO_ROWS, NO_ROWS), rows
