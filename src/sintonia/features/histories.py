"""Customers' histories as arrays, the line of as-of dates and window edges, and walks along it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sintonia.features.cells import Cells
from sintonia.features.measures import Ints

DAY = 86_400_000_000  # microseconds


@dataclass(frozen=True)
class Histories:
    """Whole customers as arrays of one entry a row; `starts`: where each customer begins, and the end.

    Times are UTC microseconds, ascending within a customer.
    """

    starts: Ints  # (n_customers + 1,)
    occurred_at: Ints
    known_at: Ints
    cells: Mapping[str, Cells]

    def __len__(self) -> int:
        """The number of customers."""
        return len(self.starts) - 1

    def block(self, first: int, last: int) -> "Histories":
        """Return the customers from first up to and without last; times are copied, all else are views."""
        rows = slice(self.starts[first], self.starts[last])
        return Histories(
            starts=self.starts[first : last + 1] - self.starts[first],
            occurred_at=self.occurred_at[rows].copy(),
            known_at=self.known_at[rows].copy(),
            cells={name: cells.take(rows) for name, cells in self.cells.items()},
        )


class Grid(NamedTuple):
    """The as-of dates, and the edges of all their windows as one ascending line of times.

    Slice j of the line is (edges[j - 1], edges[j]]. A window at snapshot s holds the slices after its `before`
    up to `at[s]`; `snapshot[j]` is the first as-of date that has slice j behind it.
    """

    as_ofs: Ints  # (n_snapshots,)
    edges: Ints
    at: Ints  # (n_snapshots,)
    before: Ints  # (n_windows, n_snapshots), -1 for a window without a start
    snapshot: Ints  # (n_edges + 1,)


def grid(as_ofs: Ints, windows_days: Sequence[int | None]) -> Grid:
    """Return the grid of ascending as-of dates (UTC microseconds) and windows in days (None: of all time)."""
    starts = [as_ofs - days * DAY for days in windows_days if days is not None]
    edges = np.unique(np.concatenate([as_ofs, *starts]))
    at = np.searchsorted(edges, as_ofs)
    before = np.full((len(windows_days), len(as_ofs)), -1)
    for row, days in zip(before, windows_days, strict=True):
        if days is not None:
            row[:] = np.searchsorted(edges, as_ofs - days * DAY)
    return Grid(as_ofs, edges, at, before, np.searchsorted(at, np.arange(len(edges) + 1)))


@dataclass(frozen=True)
class Walks:
    """Histories as a stretch of snapshots sees them: walk w serves the snapshots from first[w] to last[w].

    Its rows are those from begin[w] to end[w]; a snapshot of the stretch sees those that have happened by
    then, and no other row. `out` is the walk's first row in the block's feature table.
    """

    begin: Ints  # (n_walks,)
    end: Ints
    first: Ints
    last: Ints
    out: Ints
    slice: Ints  # (n_rows,)
    occurred_at: Ints
    cells: Mapping[str, Cells]

    @property
    def rows_out(self) -> int:
        """The number of rows of the feature table: (customer, as_of) with something visible."""
        return int(np.sum(self.last - self.first))


def unfold(block: Histories, line: Grid) -> Walks:
    """Return the walks that show every snapshot of every customer exactly what it may see.

    A customer whose rows are all known by the first snapshot after they happened is one walk over views. A row
    that some snapshot must not see yet splits the snapshots in two: up to the last that does not see it, and
    from the first that does. Each stretch walks a copy of the rows it sees, in order, so that gaps and
    counts are those of the history as it was known then.
    """
    from sintonia.features import stretches

    slices, seen = np.empty_like(block.occurred_at), np.empty_like(block.occurred_at)
    late = stretches.place(block.starts, (block.occurred_at, block.known_at), line, slices, seen)
    walks, rows = stretches.count_walks(block.starts, slices, seen, line)
    spans, index = np.empty((4, walks), np.int64), np.empty(rows if late else 0, np.int64)
    stretches.fill_walks(block.starts, (slices, seen), line, spans, index)
    begin, end, first, last = spans
    out = np.cumsum(last - first) - (last - first)
    if not late:
        return Walks(begin, end, first, last, out, slices, block.occurred_at, block.cells)
    cells = {name: cells.take(index) for name, cells in block.cells.items()}
    return Walks(begin, end, first, last, out, slices[index], block.occurred_at[index], cells)
