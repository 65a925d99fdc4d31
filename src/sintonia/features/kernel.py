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

from sintonia.features.columns import MISSING, Columns, Marks
from sintonia.features.histories import Grid, Histories, Walks, straight, unfold
from sintonia.features.measures import Floats, Floats32, Ints
from sintonia.features.plan import Plan, Slots

if TYPE_CHECKING:
    from sintonia.features.loops import Course, Wanted


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
    walks, late = straight(block, line)
    if results.plan.totals.n_slots:
        course = _course(walks, line)
        _sum(results.plan.totals, Columns(walks, course, results.marks), course, (results.terms[0], columns))
    if results.plan.in_time:
        _follow(unfold(walks, late, block.starts, line), line, results, columns)


def _follow(walks: Walks, line: Grid, results: Results, features: Floats32) -> None:
    """Fill the terms that ask which row came before which."""
    from sintonia.features import loops

    plan, (whole, floats) = results.plan, results.terms
    course = _course(walks, line)
    columns = Columns(walks, course, results.marks)
    if plan.sequels.n_slots:
        _sum(plan.sequels, columns, course, (whole, features))
    if plan.moments.n_slots:
        wanted, values = _wanted(plan.moments, columns, MISSING)
        loops.moments(course, wanted, values, floats)
    for some, windows in plan.distinct:
        latest = columns.previous(some.where, some.column)[0]
        member = columns.mask(some.where) & columns.given(some.column)
        loops.distinct(course, member, latest, windows, whole)
    for one, windows in plan.extremes:
        values = np.where(columns.mask(one.where), columns.whole(one.column, MISSING), MISSING)
        loops.extremes(course, values, -1 if one.lowest else 1, windows, floats)
    for term, half_life, row in plan.decayed:
        number = 1 if term.column is None else columns.whole(term.column, 0)
        values = np.where(columns.mask(term.where), number, 0)
        loops.decayed(course, values, half_life, row, floats)


def _sum(slots: Slots, columns: Columns, course: "Course", results: tuple[Ints, Floats32]) -> None:
    """Fill the totals of the slots: those that are terms, and those that are features."""
    from sintonia.features import loops

    wanted, values = _wanted(slots, columns, 0)
    loops.totals(course, wanted, values, slots.straight, results)


def _course(walks: Walks, line: Grid) -> "Course":
    from sintonia.features.loops import Course

    spans = (walks.begin, walks.end, walks.first, walks.last, walks.out)
    rows = (walks.slice, walks.seen, walks.occurred_at)
    return Course(*spans, *rows, line.as_ofs, line.at, line.before, line.leaves, len(line.snapshot))


def _wanted(slots: Slots, columns: Columns, missing: int) -> "tuple[Wanted, Ints]":
    """Return the rows' classes with what they bring, and the columns' values (n_columns, n_rows)."""
    from sintonia.features.loops import Wanted

    classes = np.empty((len(slots.groups), columns.n_rows), np.int64)
    values = np.empty((len(slots.columns), columns.n_rows), np.int64)
    offset = 0
    for row, group in zip(classes, slots.groups, strict=True):
        row[:] = 0
        for axis in group.axes:
            row *= len(axis)
            row += columns.levels(axis)
        row += offset
        offset += group.meets.shape[1]
    for row, column in zip(values, slots.columns, strict=True):
        row[:] = columns.whole(column, missing)
    return Wanted(
        classes, slots.start, slots.slot, slots.column, slots.job, slots.n_slots, slots.depth
    ), values
