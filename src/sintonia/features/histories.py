"""Customers' histories as arrays, and where their rows fall on the line of as-of dates and window edges."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sintonia.features.measures import Bools, Ints

DAY = 86_400_000_000  # microseconds


@dataclass(frozen=True)
class Histories:
    """Whole customers as arrays of one entry a row; `starts`: where each customer begins, and the end.

    Times are UTC microseconds, ascending within a customer. `codes` numbers each row's channel and kind by
    its place in `labels`; the number after the last means none of them.
    """

    starts: Ints  # (n_customers + 1,)
    occurred_at: Ints
    known_at: Ints
    codes: Mapping[str, Ints]
    labels: Mapping[str, Sequence[str | None]]
    opens_thread: Bools
    columns: Mapping[str, Ints]

    def __len__(self) -> int:
        """The number of customers."""
        return len(self.starts) - 1

    def block(self, first: int, last: int) -> "Histories":
        """Return the customers from first up to and without last, as views."""
        rows = slice(self.starts[first], self.starts[last])
        return replace(
            self,
            starts=self.starts[first : last + 1] - self.starts[first],
            occurred_at=self.occurred_at[rows],
            known_at=self.known_at[rows],
            codes={name: codes[rows] for name, codes in self.codes.items()},
            opens_thread=self.opens_thread[rows],
            columns={name: column[rows] for name, column in self.columns.items()},
        )


@dataclass(frozen=True)
class Grid:
    """The as-of dates, and the edges of all their windows as one ascending line of times.

    Slice j of the line is (edges[j - 1], edges[j]]. A window of `days` at snapshot s holds the slices after
    `before[days][s]` up to `at[s]`; `snapshot[j]` is the first as-of date that has slice j behind it.
    """

    as_ofs: Ints  # (n_snapshots,)
    edges: Ints
    at: Ints  # (n_snapshots,)
    before: Mapping[int, Ints]  # days to (n_snapshots,)
    snapshot: Ints  # (n_edges + 1,)


def grid(as_ofs: Ints, windows_days: Sequence[int]) -> Grid:
    """Return the grid of ascending as-of dates (UTC microseconds) and windows in days."""
    starts = {days: as_ofs - days * DAY for days in windows_days}
    edges = np.unique(np.concatenate([as_ofs, *starts.values()]))
    at = np.searchsorted(edges, as_ofs)
    before = {days: np.searchsorted(edges, start) for days, start in starts.items()}
    return Grid(as_ofs, edges, at, before, np.searchsorted(at, np.arange(len(edges) + 1)))


@dataclass(frozen=True)
class Rows:
    """Where rows fall: customer, slice of time, and first snapshot that sees them (n_snapshots: none does).

    A row that is late for some snapshot falls in the slice after the last, as one that is later than all.
    """

    index: Ints
    customer: Ints
    slice: Ints
    seen: Ints
    late: Bools

    def only(self, chosen: Bools | Ints) -> "Rows":
        """Return the chosen rows."""
        return Rows(
            self.index[chosen],
            self.customer[chosen],
            self.slice[chosen],
            self.seen[chosen],
            self.late[chosen],
        )


def place(block: Histories, grid: Grid) -> Rows:
    """Return where each row of a block falls on the grid."""
    customer = np.repeat(np.arange(len(block)), np.diff(block.starts))
    fallen = np.searchsorted(grid.edges, block.occurred_at)
    happened = grid.snapshot[fallen]
    seen = np.maximum(happened, np.searchsorted(grid.as_ofs, block.known_at))
    late = seen > happened
    fallen[late] = len(grid.edges)
    return Rows(np.arange(len(customer)), customer, fallen, seen, late)
