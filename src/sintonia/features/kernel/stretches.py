"""The compiled loops behind `histories.unfold`: where rows fall, and which walks show each snapshot its rows."""

from typing import TYPE_CHECKING

from sintonia.core.arrays import Array
from sintonia.core.jit import compiled

if TYPE_CHECKING:
    from sintonia.features.kernel.histories import Grid


@compiled()
def slice_rows(times: tuple[Array, Array], line: "Grid", placed: tuple[Array, Array]) -> int:
    """Fill each row's slice and the first snapshot that sees it, and return how many rows are seen late.

    `line.near` tells of equal spans of time between which two edges they begin, so that rows in any order find
    their slice in a step or two.
    """
    occurred_at, known_at = times
    slices, seen = placed
    n_edges, late = line.edges.size, 0
    start = line.edges[0] if n_edges else 0
    for r in range(occurred_at.size):
        span = max(occurred_at[r] - start, 0) >> line.shift
        edge = line.near[min(span, line.near.size - 1)]
        while edge < n_edges and line.edges[edge] < occurred_at[r]:
            edge += 1
        slices[r] = edge
        happened = line.snapshot[edge]
        known = happened
        while known < line.as_ofs.size and line.as_ofs[known] < known_at[r]:
            known += 1
        seen[r] = known
        late += happened < known
    return late


@compiled()
def _next_stretch(rows: tuple[int, int], seen: Array, happened: Array, first: int, ends: int) -> int:
    """Return where the stretch of snapshots from `first` on ends: at the next that sees a late row newly."""
    last = ends
    for r in range(rows[0], rows[1]):
        if happened[r] < seen[r] and first < seen[r] < last:
            last = seen[r]
    return last


@compiled()
def fill_walks(
    starts: Array, slices: Array, seen: Array, line: "Grid", spans: Array, index: Array
) -> tuple[int, int]:
    """Return how many walks show every customer's history, and how many rows they have in all.

    Fill the walks' begin, end, first and last (4, n_walks), and the row behind each of theirs; without room (of size
    0) for them they are only counted.
    """
    happened, ends = line.snapshot[slices], line.as_ofs.size
    walks = rows = 0
    for c in range(starts.size - 1):
        first = ends
        for r in range(starts[c], starts[c + 1]):
            first = min(first, seen[r])
        while first < ends:
            last = _next_stretch((starts[c], starts[c + 1]), seen, happened, first, ends)
            begin, r = rows, starts[c]
            while r < starts[c + 1] and happened[r] < last:
                if seen[r] <= max(first, happened[r]):
                    if index.size:
                        index[rows] = r
                    rows += 1
                r += 1
            if spans.shape[1]:
                spans[0, walks], spans[1, walks], spans[2, walks], spans[3, walks] = begin, rows, first, last
            walks += 1
            first = last
    return walks, rows
