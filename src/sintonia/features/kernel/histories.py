"""Customers' histories as arrays, the line of as-of dates and window edges, and walks along it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from sintonia.core.arrays import Ints, Numbers
from sintonia.features.sql import Cells

DAY = 86_400_000_000  # microseconds
SPANS = 12  # bits of the number of equal spans that times fall into
NO_TEXTS = np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.uint8)


@dataclass(frozen=True)
class Histories:
    """Whole customers as arrays of one entry a row; `starts`: where each customer begins, and the end.

    Times are UTC microseconds, ascending within a customer if the rows are `in_time`. `visible` is the moment from
    which something of the customer is. `texts` order rows of one time: each row's number, where each number's text
    begins, with the end, and the bytes of all.
    """

    starts: Ints  # (n_customers + 1,)
    visible: Ints  # (n_customers,)
    occurred_at: Ints
    known_at: Ints
    cells: Mapping[str, Cells]
    in_time: bool = True
    texts: tuple[Ints, Numbers, Numbers] = NO_TEXTS

    def __len__(self) -> int:
        """The number of customers."""
        return len(self.starts) - 1

    def block(self, first: int, last: int, in_time: bool = True) -> "Histories":
        """Return the customers from first up to and without last, sorted in time if that is asked.

        Times are copied; of rows in time, all else are views.
        """
        some = slice(self.starts[first], self.starts[last])
        starts = self.starts[first : last + 1] - self.starts[first]
        times = self.occurred_at[some].copy(), self.known_at[some].copy()
        cells = {name: one.take(some) for name, one in self.cells.items()}
        if in_time and not self.in_time:
            # Of some rows only: to take from a column whose values lie apart, NumPy would copy it whole.
            rows = self._order(some, starts)
            times = times[0][rows], times[1][rows]
            cells = {name: one.take(rows) for name, one in cells.items()}
        return Histories(starts, self.visible[first:last], *times, cells)

    def _order(self, some: slice, starts: Ints) -> Ints:
        """Return the order of some rows by time, customer by customer."""
        from sintonia.features.kernel import sorting

        timed = np.stack([np.arange(starts[-1]), self.occurred_at[some]], axis=1)
        numbers, offsets, characters = self.texts
        sorting.sort_runs(starts[1:], timed, (numbers[some].copy(), offsets, characters))
        return timed[:, 0].copy()


class Grid(NamedTuple):
    """The as-of dates, and the edges of all their windows as one ascending line of times.

    Slice j of the line is (edges[j - 1], edges[j]]. A window at snapshot s holds the slices after its `before`
    up to `at[s]`; `snapshot[j]` is the first as-of date that has slice j behind it, and `leaves[w, j]` the first
    whose window w has left it behind. `near[k]` is the first edge from `edges[0] + (k << shift)` on.
    """

    as_ofs: Ints  # (n_snapshots,)
    edges: Ints
    at: Ints  # (n_snapshots,)
    before: Ints  # (n_windows, n_snapshots), -1 for a window without a start
    snapshot: Ints  # (n_edges + 1,)
    leaves: Ints  # (n_windows, n_edges + 1)
    near: Ints
    shift: int


def grid(as_ofs: Ints, windows_days: Sequence[int | None]) -> Grid:
    """Return the grid of ascending as-of dates (UTC microseconds) and windows in days (None: of all time)."""
    return _grid(tuple(as_ofs.tolist()), tuple(windows_days))


@lru_cache(64)
def _grid(moments: tuple[int, ...], windows_days: tuple[int | None, ...]) -> Grid:
    """Return the grid, made once for a list or a training that asks customer by customer or bucket by bucket."""
    as_ofs = np.array(moments, np.int64)
    starts = [as_ofs - days * DAY for days in windows_days if days is not None]
    edges = np.unique(np.concatenate([as_ofs, *starts]))
    at = np.searchsorted(edges, as_ofs)
    before = np.full((len(windows_days), len(as_ofs)), -1)
    for row, days in zip(before, windows_days, strict=True):
        if days is not None:
            row[:] = np.searchsorted(edges, as_ofs - days * DAY)
    slices = np.arange(len(edges) + 1)
    leaves = np.array([np.searchsorted(row, slices) for row in before], np.int64).reshape(-1, len(slices))
    span = int(edges[-1] - edges[0]) if len(edges) else 0
    shift = max(span.bit_length() - SPANS, 0)
    near = np.searchsorted(edges, edges[:1] + (np.arange((span >> shift) + 1) << shift))
    return Grid(as_ofs, edges, at, before, np.searchsorted(at, slices), leaves, near, shift)


@dataclass(frozen=True)
class Walks:
    """Histories as a stretch of snapshots sees them: walk w serves the snapshots from first[w] to last[w].

    Its rows are those from begin[w] to end[w], each from the snapshot `seen` on; in the walks of `unfold` that is
    the first after it happened. `out` is the walk's first row in the block's feature table.
    """

    begin: Ints  # (n_walks,)
    end: Ints
    first: Ints
    last: Ints
    out: Ints
    slice: Ints  # (n_rows,)
    seen: Ints
    occurred_at: Ints
    cells: Mapping[str, Cells]


def straight(block: Histories, line: Grid) -> tuple[Walks, bool]:
    """Return one walk a customer over the rows as they are, and whether some row is seen late."""
    from sintonia.features.kernel import stretches

    slices, seen = np.empty_like(block.occurred_at), np.empty_like(block.occurred_at)
    late = stretches.slice_rows((block.occurred_at, block.known_at), line, (slices, seen))
    first = np.searchsorted(line.as_ofs, block.visible)
    last = np.full(len(block), len(line.as_ofs), np.int64)
    begin, end, out = block.starts[:-1], block.starts[1:], np.cumsum(last - first) - (last - first)
    walks = Walks(begin, end, first, last, out, slices, seen, block.occurred_at, block.cells)
    return walks, late > 0


def unfold(block: Walks, starts: Ints, line: Grid) -> tuple[Walks, Ints]:
    """Return the walks that show every snapshot of every customer exactly what it may see, and their rows.

    A row that some snapshot must not see yet splits the snapshots in two: up to the last that does not see it, and
    from the first that does. Each stretch walks a copy of the rows it sees, in order, so that gaps and counts are
    those of the history as it was known then. The rows are places in the block, whose cells they do not copy.
    """
    from sintonia.features.kernel import stretches

    spans, index = np.empty((4, 0), np.int64), np.empty(0, np.int64)
    walks, rows = stretches.fill_walks(starts, block.slice, block.seen, line, spans, index)
    spans, index = np.empty((4, walks), np.int64), np.empty(rows, np.int64)
    stretches.fill_walks(starts, block.slice, block.seen, line, spans, index)
    begin, end, first, last = spans
    out = np.cumsum(last - first) - (last - first)
    slices = block.slice[index]
    shown = slices, line.snapshot[slices], block.occurred_at[index]
    return Walks(begin, end, first, last, out, *shown, {}), index
