"""The history kernel: every term of whole customers at every as-of date, in one walk along their rows.

Each row is added once to its slice of time, the slices lying between the sorted edges of all windows, and the
slices are summed one after the other; any window is then a difference at its two edges, so that twelve snapshots cost
little more than one, and rows need no order. A row known late (some as_of lies between its happening and its being
known) counts for one run of snapshots a window: it is added where the run starts and taken off where it ends. What
looks back along the rows (gaps, earlier values) is a column like any other, but a late row changes it: there a
customer with late rows walks once for each stretch of snapshots that sees the same history (`histories.unfold`).
"""

from typing import TYPE_CHECKING

import numpy as np

from sintonia.core.arrays import Floats, Floats32, Ints
from sintonia.features.kernel.histories import Grid, Histories, Walks, straight, unfold
from sintonia.features.kernel.plan import Plan
from sintonia.features.kernel.scans import Marks, Sheet, look_back, whole_numbers
from sintonia.features.kernel.steps import Steps
from sintonia.features.kernel.terms import Slots
from sintonia.features.measures import Extreme

if TYPE_CHECKING:
    from sintonia.features.kernel.loops import Course, Wanted


class Results:
    """A plan, and room for its terms that is used again block after block, so that no memory need be fresh.

    `terms` are the whole numbers and the floats, (n_terms, at least the rows asked for) each.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.marks = Marks()
        self.terms: tuple[Ints, Floats] = (np.empty((0, 0), np.int64), np.empty((0, 0)))

    def hold(self, rows: int) -> None:
        """Make room for a block of so many rows of the feature table."""
        if self.terms[0].shape[1] < rows:
            self.terms = (np.empty((self.plan.n_whole, rows), np.int64), np.empty((self.plan.n_floats, rows)))


def compute_terms(block: Histories, line: Grid, results: Results, columns: Floats32) -> None:
    """Fill the results with their plan's terms, a row of the feature table to a column.

    Totals that are features as they stand go straight to the table's `columns`.
    """
    plan = results.plan
    walks, late = straight(block, line)
    sheet = Sheet(walks, _course(walks, line), results.marks, plan.steps.empty())
    with np.errstate(all="ignore"):  # of what is null, or about to be
        for number, step in plan.steps.alone:
            sheet.made[number] = step(sheet)
        if plan.totals.n_slots:
            _sum(plan.totals, sheet, (results.terms[0], columns))
        if plan.in_time:
            _follow(_unfolded(sheet, block.starts, line, plan.steps) if late else sheet, results, columns)


def _unfolded(sheet: Sheet, starts: Ints, line: Grid, steps: Steps) -> Sheet:
    """Return the rows as each stretch of snapshots sees them, with what the steps of the row alone made of them."""
    walks, index = unfold(sheet.walks, starts, line)
    made = steps.empty()
    for number in steps.carried:
        made[number] = sheet.made[number].take(index)
    return Sheet(walks, _course(walks, line), sheet.marks, made)


def _follow(sheet: Sheet, results: Results, columns: Floats32) -> None:
    """Fill the terms that ask which row came before which."""
    from sintonia.features.kernel import ordered_loops

    plan, (whole, floats), made = results.plan, results.terms, sheet.made
    if plan.steps.looks:
        for look, seen in zip(plan.steps.looks, look_back(sheet, plan.steps.looks), strict=True):
            made[look.number] = seen
    for number, step in plan.steps.after:
        made[number] = step(sheet)
    if plan.sequels.n_slots:
        _sum(plan.sequels, sheet, (whole, columns))
    if plan.moments.n_slots:
        ordered_loops.fill_positions(sheet.course, *_wanted(plan.moments, sheet), floats)
    for _, windows, (found, member) in plan.distinct:
        ordered_loops.distinct(sheet.course, made[member], made[found].rows, windows, whole)
    for one, windows, (values,) in plan.extremes:
        sign = -1 if isinstance(one, Extreme) and one.lowest else 1
        ordered_loops.extremes(sheet.course, made[values], sign, windows, floats)
    half_lives, rows, steps = plan.decayed
    if steps:
        ordered_loops.decayed(
            sheet.course, np.stack([made[number] for number in steps]), half_lives, rows, floats
        )


def _sum(slots: Slots, sheet: Sheet, results: tuple[Ints, Floats32]) -> None:
    """Fill the totals of the slots: those that are terms, and those that are features."""
    from sintonia.features.kernel import loops

    loops.totals(sheet.course, *_wanted(slots, sheet), slots.straight, results)


def _course(walks: Walks, line: Grid) -> "Course":
    from sintonia.features.kernel.loops import Course

    spans = (walks.begin, walks.end, walks.first, walks.last, walks.out)
    rows = (walks.slice, walks.seen, walks.occurred_at)
    return Course(*spans, *rows, line.as_ofs, line.at, line.before, line.leaves, len(line.snapshot))


def _wanted(slots: Slots, sheet: Sheet) -> "tuple[Wanted, Ints]":
    """Return the rows' classes with what they bring, and the columns' values (n_columns, n_rows)."""
    from sintonia.features.kernel.loops import Wanted

    classes = np.zeros((len(slots.groups), sheet.n_rows), np.int32)
    offset = 0
    for row, axes, group in zip(classes, slots.levels, slots.groups, strict=True):
        for levels, count in axes:
            row *= count
            row += sheet.made[levels]
        row += offset
        offset += group.meets.shape[1]
    columns = [(sheet.made[number], column) for number, column in slots.values]
    values = whole_numbers(columns, slots.missing, sheet.n_rows)
    brought = (slots.start, slots.slot, slots.column)
    return Wanted(classes, *brought, slots.job, slots.n_slots, slots.depth), values
