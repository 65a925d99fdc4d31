"""The history kernel: every term of whole customers at every as-of date, in one pass over their rows.

Each row is added once to its slice of time, the slices lying between the sorted edges of all windows (the stream
slicing of window aggregation: Traub et al., Scotty, ICDE 2018), and the slices are cumulated; any window is then a
difference at its two edges, so that twelve snapshots cost little more than one, and rows need no order. A row known
late (an as-of date lies between its happening and its being known) is subtracted from the snapshots in between, and a
row that ends (a newer version or its deletion became known) from those after its end. What looks back along the rows
(gaps, earlier values) is a column like any other, but such a row changes it: there a customer with late or ended rows
has one segment for each run of snapshots that sees the same history (`histories.visible_segments`).
"""

import numpy as np

from sintonia.core.arrays import Array, Floats, Floats32, Ints
from sintonia.features.kernel import in_time
from sintonia.features.kernel.histories import (
    Grid,
    Histories,
    Segments,
    customer_segments,
    visible_segments,
)
from sintonia.features.kernel.plan import Plan
from sintonia.features.kernel.scans import LatestRows, RowColumns, look_back, whole_numbers
from sintonia.features.kernel.steps import MISSING, Steps
from sintonia.features.kernel.terms import Accumulators, Columns, Levels
from sintonia.features.measures import Extreme


class TermBuffers:
    """A plan, and memory for its terms that is reused block after block: fresh memory costs as much as filling it.

    `whole` are the terms that are whole numbers and `floats` the others, (n_terms, at least the rows of a block) each.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.latest_rows = LatestRows()
        self.whole: Ints = np.empty((0, 0), np.int64)
        self.floats: Floats = np.empty((0, 0))

    def reserve(self, rows: int) -> None:
        """Make the buffers large enough for a block of so many rows of the feature table."""
        if self.whole.shape[1] < rows:
            self.whole = np.empty((self.plan.n_whole, rows), np.int64)
            self.floats = np.empty((self.plan.n_floats, rows))


def compute_terms(block: Histories, grid: Grid, buffers: TermBuffers, features: Floats32) -> None:
    """Fill the buffers with their plan's terms, one column for each row of the feature table.

    Totals that are features as they stand are written to the table's `features` (n_features, n_rows) at once.
    """
    plan = buffers.plan
    segments = customer_segments(block, grid)
    rows = RowColumns(segments, buffers.latest_rows, plan.steps.empty())
    with np.errstate(all="ignore"):  # of values that are missing, or about to be
        for number, step in plan.steps.alone:
            rows.computed[number] = step(rows)
        if plan.totals.n_accumulators:
            _sum(plan.totals, rows, grid, buffers, features)
        if plan.in_time:
            if len(segments.late) or len(segments.ended):
                rows = _visible(rows, grid, plan.steps)
            _compute_in_time(rows, grid, buffers, features)


def _visible(rows: RowColumns, grid: Grid, steps: Steps) -> RowColumns:
    """Return the rows that each run of snapshots sees, with what the steps of the row alone computed of them."""
    segments, index = visible_segments(rows.segments, grid)
    computed = steps.empty()
    for number in steps.carried:
        computed[number] = rows.computed[number].take(index)
    return RowColumns(segments, rows.latest_rows, computed)


def _compute_in_time(rows: RowColumns, grid: Grid, buffers: TermBuffers, features: Floats32) -> None:
    """Fill the terms that depend on which row came before which."""
    plan, segments, computed = buffers.plan, rows.segments, rows.computed
    for look in plan.steps.looks:
        computed[look.number] = look_back(rows, look)
    for number, step in plan.steps.after:
        computed[number] = step(rows)
    if plan.sequels.n_accumulators:
        _sum(plan.sequels, rows, grid, buffers, features)
    outputs = in_time.outputs(segments, grid)
    values = _values(plan.positions.values, MISSING, rows)
    for group in plan.positions.groups:
        classes = _classes(group.levels, np.zeros(rows.n_rows, np.intp), rows)
        for meets, requests in zip(group.meets, group.requests, strict=True):
            member = meets.take(classes)
            in_time.fill_positions(member, requests, values, segments, outputs, buffers.floats)
    for term, windows, (column,) in plan.extremes:
        sign = -1 if isinstance(term, Extreme) and term.lowest else 1
        in_time.fill_extremes(computed[column], sign, windows, outputs, buffers.floats)
    for _, windows, (earlier, member) in plan.distinct:
        in_time.fill_distinct(
            computed[member], computed[earlier].rows, windows, segments, grid, outputs, buffers.whole
        )
    half_lives, result_rows, steps = plan.decayed
    if steps:
        columns = np.stack([computed[number] for number in steps])
        in_time.fill_decayed(columns, half_lives, result_rows, segments, outputs, buffers.floats)


def _sum(
    accumulators: Accumulators, rows: RowColumns, grid: Grid, buffers: TermBuffers, features: Floats32
) -> None:
    """Fill the totals: those that are terms, and those that are features."""
    from sintonia.features.kernel import loops

    segments, n = rows.segments, -(-accumulators.n_accumulators // 16) * 16  # whole vectors of the processor
    classes = np.zeros((len(accumulators.levels), rows.n_rows), np.int32)
    offset = 0
    for row, levels, count in zip(classes, accumulators.levels, accumulators.n_classes, strict=True):
        _classes(levels, row, rows)
        row += offset
        offset += count
    offsets = (segments.slice + 1) * n
    offsets[segments.seen >= len(grid.as_ofs)] = -1
    n_windows = len(grid.window_start)
    loops.totals(
        segments.begin,
        segments.end,
        segments.first,
        segments.last,
        segments.out[-1],
        offsets,
        grid.window_end,
        grid.window_start,
        *_unseen(segments, grid),
        classes,
        accumulators.class_start,
        accumulators.accumulator,
        accumulators.column,
        _values(accumulators.values, 0, rows),
        n,
        accumulators.terms,
        buffers.whole,
        accumulators.features,
        features,
        np.empty((len(grid.snapshot) + 1) * n, np.int64),
        np.empty(loops.TILE * (n_windows * n + loops.PADDING), np.int64),
    )


def _unseen(segments: Segments, grid: Grid) -> tuple[Ints, Ints]:
    """Return where each segment's entries begin, with the end, and the entries: row, window, snapshots.

    The snapshots, the first and the end, have the row in their window by when it happened, but do not see it: not yet,
    or not any more.
    """
    late, ended = segments.late, segments.ended
    if not len(late) and not len(ended):
        return np.zeros(len(segments.begin) + 1, np.int64), np.empty((0, 4), np.int64)
    rows, seen = np.concatenate([late, ended]), segments.seen
    # Rows that no snapshot before the last sees are in no sum: nothing is subtracted of them.
    after, before = np.zeros(len(rows), np.int64), seen[rows]
    after[len(late) :], before[len(late) :] = np.maximum(segments.gone, seen[ended]), len(grid.as_ofs)
    slices, segment = segments.slice[rows], np.searchsorted(segments.begin, rows, "right") - 1
    start = np.maximum(np.maximum(grid.snapshot[slices], segments.first[segment]), after)
    end = np.minimum(grid.leaves[:, slices], np.minimum(before, segments.last[segment])).T
    some, window = np.nonzero((start[:, None] < end) & (seen[rows] < segments.last[segment])[:, None])
    unseen = np.stack([rows[some], window, start[some], end[some, window]], axis=1)
    unseen = unseen[np.argsort(unseen[:, 0], kind="stable")] if len(ended) else unseen
    return np.searchsorted(unseen[:, 0], np.append(segments.begin, segments.end[-1:])), unseen


def _classes(levels: Levels, classes: Array, rows: RowColumns) -> Array:
    """Return zeros filled with each row's class: the combination of its levels on the axes."""
    for number, count in levels:
        classes *= count
        classes += rows.computed[number]
    return classes


def _values(columns: Columns, missing: int, rows: RowColumns) -> Ints:
    """Return the values of columns (n_columns, n_rows), with a number in place of missing ones."""
    return whole_numbers(
        [(rows.computed[number], column) for number, column in columns], missing, rows.n_rows
    )
