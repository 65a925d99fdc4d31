"""The kernel's compiled loops: one walk after another, each along its rows and its snapshots.

No walk reads another one's rows or results, and every sum runs over integers or in the rows' order, so a
customer's values do not depend on the block, the thread or the other customers. Importing this imports numba.
"""

from typing import Any, NamedTuple

import numpy as np

from sintonia.core.arrays import Array
from sintonia.core.jit import compiled

A_SECOND = 1_000_000  # in microseconds
TILE = 64  # snapshots written together: a few lines of memory of each result


class Course(NamedTuple):
    """The walks of a block (see `histories.Walks`) and the grid they walk along."""

    begin: Array  # (n_walks,)
    end: Array
    first: Array
    last: Array
    out: Array
    slice: Array  # (n_rows,)
    seen: Array
    occurred_at: Array
    as_ofs: Array  # (n_snapshots,)
    at: Array
    before: Array  # (n_windows, n_snapshots)
    leaves: Array  # (n_windows, n_slices)
    n_slices: int


class Wanted(NamedTuple):
    """Which rows meet which slots, and what is wanted of the slots: one job a result.

    A row of class c meets the slots `slot[start[c]:start[c + 1]]` and brings each the row `column` of the
    values (-1: a one). A job names its slot, its column or window, and its place in time.
    """

    classes: Array  # (n_groups, n_rows)
    start: Array
    slot: Array
    column: Array
    job: Array  # (n_jobs, 3 or 4)
    n_slots: int
    depth: int


@compiled()
def fill_where(there: Array, values: Array, otherwise: int, made: Array) -> None:
    """Fill the values where something is there, and a number elsewhere.

    `numpy.where` guesses which comes next, and among rows in no order it guesses wrong: five times as slow.
    """
    for r in range(made.size):
        made[r] = values[r] if there[r] else otherwise


@compiled()
def previous(course: Course, member: Array, found: Array) -> None:
    """Fill each row's latest earlier member row in its walk (-1: none), how many there were, and the seconds since.

    `member` is (n_rows,), `found` (3, n_rows).
    """
    for w in range(course.begin.size):
        row, count = -1, 0
        for r in range(course.begin[w], course.end[w]):
            found[0, r], found[1, r] = row, count
            found[2, r] = (course.occurred_at[r] - course.occurred_at[row]) // A_SECOND if row >= 0 else 0
            if member[r]:
                row, count = r, count + 1


@compiled()
def previous_alike(
    course: Course, member: Array, texts: Array, no_text: int, marks: Array, found: Array
) -> None:
    """Fill the same of earlier members with the row's own text, the texts as numbers (n_rows,).

    `no_text` is the number that is no text, which is like nothing. `marks` keeps each number's latest row, counted on
    from look to look and from call to call from its last entry, so that it need not be wiped.
    """
    base = marks[marks.size - 1]
    for w in range(course.begin.size):
        for r in range(course.begin[w], course.end[w]):
            text = texts[r]
            row = marks[text] - base if text != no_text else -1
            if row >= course.begin[w]:
                found[0, r], found[1, r] = row, found[1, row] + 1
                found[2, r] = (course.occurred_at[r] - course.occurred_at[row]) // A_SECOND
            else:
                found[0, r], found[1, r], found[2, r] = -1, 0, 0
            if member[r] and text != no_text:
                marks[text] = base + r
    marks[marks.size - 1] = base + course.slice.size


@compiled()
def totals(
    course: Course, wanted: Wanted, values: Array, straight: Array, results: tuple[Array, Array]
) -> None:
    """Fill the sums of all jobs (slot, window, row of the result) at every snapshot of every walk.

    `results` are the whole numbers, for `wanted.job`, and the features, for `straight`. A window is the difference
    of two running sums, and integers make it exact even where a sum wraps round. Snapshots are finished together,
    `TILE` of them, so that each result is written a line of memory at a time.
    """
    n_windows, n = course.before.shape[0], (wanted.n_slots + 15) // 16 * 16  # whole vectors of the processor
    sums = np.empty((course.n_slices + 1) * n, np.int64)  # of each slice; the first: before all
    late = np.zeros((n_windows, course.as_ofs.size + 1, n), np.int64)
    tile = np.empty((TILE, n_windows * n + 8), np.int64)  # rows that lie 4 KiB apart push one another out
    # Typed: for a literal 0 numba compiles all that take it once more.
    filled: Any = np.int64(0)
    start: Any = np.int64(0)
    for w in range(course.begin.size):
        first, last = course.first[w], course.last[w]
        if first == last:
            continue
        some_late = _add(course, w, wanted, values, (sums, late))
        for s in range(first, last):
            if filled == TILE:
                _write(tile, (start, filled), (wanted.job, n), results[0])
                _write(tile, (start, filled), (straight, n), results[1])
                filled = 0
            if filled == 0:
                start = course.out[w] + s - first
            _subtract(course, s, n, sums, tile, filled)
            if some_late:
                _add_late(s, late, tile, filled)
            filled += 1
        if some_late:
            for d in range(n_windows):
                for m in range(n):
                    late[d, last, m] = 0
    _write(tile, (start, filled), (wanted.job, n), results[0])
    _write(tile, (start, filled), (straight, n), results[1])


@compiled()
def _add(course: Course, w: int, wanted: Wanted, values: Array, room: tuple[Array, Array]) -> bool:
    """Fill a walk's running sums, and what late rows add and take off; return whether some are late."""
    sums, late = room
    n, upto, some_late = late.shape[2], course.at[course.last[w] - 1], False
    for m in range((upto + 2) * n):  # numba compiles a slice's assignment and a row's view at length
        sums[m] = 0
    for r in range(course.begin[w], course.end[w]):
        j, seen = course.slice[r], course.seen[r]
        if j > upto or seen >= course.last[w]:
            continue
        is_late = seen > 0 and course.at[seen - 1] >= j
        for g in range(wanted.classes.shape[0]):
            c = wanted.classes[g, r]
            for i in range(wanted.start[c], wanted.start[c + 1]):
                column, slot = wanted.column[i], wanted.slot[i]
                value = values[column, r] if column >= 0 else 1
                if not is_late:
                    sums[np.uint64((j + 1) * n + slot)] += value
                    continue
                for d in range(late.shape[0]):
                    ends = min(course.leaves[d, j], course.last[w])
                    if seen < ends:
                        late[d, seen, slot] += value
                        late[d, ends, slot] -= value
        some_late |= is_late
    for j in range(1, upto + 2):
        behind, before = np.uint64(j * n), np.uint64((j - 1) * n)
        for m in range(np.uint64(n)):
            sums[behind + m] += sums[before + m]
    return some_late


@compiled()
def _subtract(course: Course, s: int, n: int, sums: Array, tile: Array, row: int) -> None:
    """Fill the sums of every window and slot at a snapshot; unsigned indices never count from the end."""
    made = tile[row]
    slots, after = np.uint64(n), np.uint64((course.at[s] + 1) * n)
    for d in range(course.before.shape[0]):
        before, at = np.uint64((course.before[d, s] + 1) * n), np.uint64(d * n)
        for m in range(slots):
            made[at + m] = sums[after + m] - sums[before + m]


@compiled()
def _add_late(s: int, late: Array, tile: Array, row: int) -> None:
    """Add what late rows bring to a snapshot, and hand it on to the next."""
    made = tile[row]
    n = np.uint64(late.shape[2])
    for d in range(late.shape[0]):
        since, until, at = late[d, s], late[d, s + 1], np.uint64(d) * n
        for m in range(n):
            made[at + m] += since[m]
        for m in range(n):
            until[m] += since[m]
            since[m] = 0


@compiled()
def _write(tile: Array, span: tuple[int, int], asked: tuple[Array, int], result: Array) -> None:
    """Write a tile's snapshots, those of a job side by side, from the span's start on."""
    jobs, n = asked
    start, filled = np.uint64(span[0]), np.uint64(span[1])
    for j in range(jobs.shape[0]):
        at, row = np.uint64(jobs[j, 1] * n + jobs[j, 0]), np.uint64(jobs[j, 2])
        for k in range(filled):
            result[row, start + k] = tile[k, at]
