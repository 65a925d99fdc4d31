"""The history kernel: every total and moment of whole customers at every as-of date, no loop over rows.

Each row is added once to the slice of time it falls in, the slices lying between the sorted edges of all
windows; a cumulative sum over slices then gives any window as a difference at its two edges, so that twelve
snapshots cost little more than one. A row known late (some as_of lies between its happening and its being
known) would break the differences. It serves, for each window, one run of snapshots: it is added where the
run starts, subtracted where it ends, and accumulated over snapshots. Sums are int64, thus exact in any
order.

Arrays are laid out (time, plane, customer), so that every accumulation adds whole stretches of memory.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from sintonia.features.histories import DAY, Grid, Histories, Rows
from sintonia.features.measures import DaysSince, Floats, Ints, Numbers, Term, Total
from sintonia.features.passes import Pass


def compute_terms(block: Histories, rows: Rows, grid: Grid, plan: Sequence[Pass]) -> dict[Term, Numbers]:
    """Return each term of the plan as (n_snapshots, n_customers): totals int64, moments float64 days."""
    found: dict[Term, Numbers] = {}
    for one in plan:
        walk = _walk(block, rows, grid, one)
        for column, windows in one.totals.items():
            for days, total in walk.totals(column, windows):
                found |= {Total(where, column, days): total[:, i] for i, where in enumerate(one.planes)}
        for position, since in walk.moments(one.newest, one.oldest):
            found |= {DaysSince(where, position): since[:, i] for i, where in enumerate(one.planes)}
    return found


@dataclass(frozen=True)
class _Walk:
    """The rows of one pass, and for each its spot: its place in a flat (n_planes, n_customers)."""

    block: Histories
    grid: Grid
    rows: Rows
    spots: Ints
    shape: tuple[int, int]  # (n_planes, n_customers)

    def totals(self, column: str | None, windows: Sequence[int | None]) -> Iterator[tuple[int | None, Ints]]:
        """Yield each window in days with its sums of a column (None: of ones), (n_snapshots, *shape)."""
        values = np.ones_like(self.spots) if column is None else self.block.columns[column][self.rows.index]
        summed = _pile(self.rows.slice, self.spots, values, (len(self.grid.edges) + 1, *self.shape))
        late = np.flatnonzero(self.rows.late)
        for days in windows:
            total = summed[self.grid.at] if days is None else self._between(summed, days)
            if len(late):
                total += self._late_total(late, values[late], days)
            yield days, total

    def _between(self, summed: Ints, days: int) -> Ints:
        total = np.empty((len(self.grid.as_ofs), *self.shape), np.int64)
        for out, after, before in zip(total, self.grid.at, self.grid.before[days], strict=True):
            np.subtract(summed[after], summed[before], out=out)
        return total

    def _late_total(self, late: Ints, values: Ints, days: int | None) -> Ints:
        """Return what late rows add: each from the snapshot that first sees it to the one that is past it."""
        ends = len(self.grid.as_ofs)
        shown, spots = self.rows.seen[late], self.spots[late]
        past = np.full(len(late), ends)
        if days is not None:
            occurred_at = self.block.occurred_at[self.rows.index[late]]
            past = np.maximum(np.searchsorted(self.grid.as_ofs, occurred_at + days * DAY), shown)
        times, signed = np.concatenate([shown, past]), np.concatenate([values, -values])
        return _pile(times, np.concatenate([spots, spots]), signed, (ends + 1, *self.shape))[:-1]

    def moments(self, newest: int, oldest: int) -> Iterator[tuple[int, Floats]]:
        """Yield each position with the days since its interaction, (n_snapshots, *shape)."""
        seen = np.flatnonzero(self.rows.seen < len(self.grid.as_ofs))
        rank = self.rows.index[seen]
        for depth, top in enumerate(self._top(seen, rank, newest)):
            yield -1 - depth, self._days_since(top)
        last = len(self.block.occurred_at) - 1
        for depth, top in enumerate(self._top(seen, last - rank, oldest)):
            yield depth, self._days_since(np.where(top < 0, top, last - top))

    def _top(self, seen: Ints, rank: Ints, depth: int) -> Ints:
        """Return the `depth` highest ranks seen at each snapshot, -1: none; (depth, n_snapshots, *shape)."""
        shape = (len(self.grid.as_ofs), *self.shape)
        cells = self.rows.seen[seen] * (shape[1] * shape[2]) + self.spots[seen]
        top = np.full((depth, *shape), -1)
        for level in (level.reshape(-1) for level in top):
            np.maximum.at(level, cells, rank)
            left = rank < level[cells]
            cells, rank = cells[left], rank[left]
        for snapshot in range(1, shape[0]):
            for carried in top[:, snapshot - 1]:
                _insert(carried, top[:, snapshot])
        return top

    def _days_since(self, index: Ints) -> Floats:
        """Return the days from the row of each index (-1: none, hence NaN) to the snapshot."""
        passed = self.grid.as_ofs[:, None, None] - self.block.occurred_at[index]
        return np.where(index < 0, np.nan, passed / DAY)


def _walk(block: Histories, rows: Rows, grid: Grid, one: Pass) -> _Walk:
    """Return the rows that meet one of the pass's planes, with their spots."""
    shape = (len(one.planes), len(block))
    base = one.planes[0]
    keep = block.opens_thread if base.opens_thread else None
    if one.axis is None:
        chosen = rows if keep is None else rows.only(keep)
        return _Walk(block, grid, chosen, chosen.customer, shape)
    if one.axis == "channel" and base.kind is not None:
        is_kind = block.codes["kind"] == _code(block.labels["kind"], base.kind)
        keep = is_kind if keep is None else keep & is_kind
    plane = _plane_of_code(block.labels[one.axis], one)[block.codes[one.axis]]
    keep = plane >= 0 if keep is None else keep & (plane >= 0)
    chosen = rows.only(np.flatnonzero(keep))
    return _Walk(block, grid, chosen, plane[chosen.index] * len(block) + chosen.customer, shape)


def _plane_of_code(labels: Sequence[str | None], one: Pass) -> Ints:
    """Return for each label, and for the number after the last, its plane: -1 for none."""
    places = {getattr(where, one.axis or ""): i for i, where in enumerate(one.planes)}
    return np.array([*(places.get(label, -1) for label in labels), -1])


def _code(labels: Sequence[str | None], label: str) -> int:
    return list(labels).index(label) if label in labels else -1


def _pile(times: Ints, spots: Ints, values: Ints, shape: tuple[int, int, int]) -> Ints:
    """Return the values added up by time and spot, accumulated over times."""
    piled = np.zeros(shape, np.int64)
    np.add.at(piled.reshape(-1), times * (shape[1] * shape[2]) + spots, values)
    for before, after in pairwise(piled):
        np.add(after, before, out=after)
    return piled


def _insert(carried: Ints, top: Ints) -> None:
    """Put the carried ranks in their places among the highest ranks, level by level."""
    for level in top:
        higher = np.maximum(level, carried)
        carried = np.minimum(level, carried)
        level[...] = higher
