"""The kernel's compiled loops: one walk after another, each along its rows and its snapshots.

No walk reads another one's rows or results, and every sum runs over integers or in the rows' order, so a
customer's values do not depend on the block, the thread or the other customers. Importing this imports numba.
"""

from math import exp, log
from typing import Any, NamedTuple

import numpy as np

from sintonia.compiled import compiled

Array = np.ndarray[Any, Any]

MISSING = np.iinfo(np.int64).min  # of a value that is not there
MICROSECONDS = 86_400_000_000.0  # of a day
LOG_2 = log(2.0)
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
def previous(course: Course, member: Array, same: Array, marks: Array, found: Array) -> None:
    """Fill each row's latest earlier member row in its walk (-1: none), and how many there were.

    `same` numbers a text that must be alike (-1: none, which is like nothing; empty: no text asked for).
    `marks` (n_numbers + 1,) keeps each number's latest row, counted on from call to call from its last entry,
    so that it need not be wiped; `found` is (2, n_rows).
    """
    base = marks[marks.size - 1]
    for w in range(course.begin.size):
        floor = base + course.begin[w]
        for r in range(course.begin[w], course.end[w]):
            text = same[r] if same.size else 0
            latest = marks[text] if text >= 0 else -1
            known = latest >= floor
            found[0, r] = latest - base if known else -1
            found[1, r] = found[1, latest - base] + 1 if known else 0
            if member[r] and text >= 0:
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
    tile = np.empty((TILE, n_windows * n), np.int64)
    filled = start = 0
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
            _subtract(course, s, n, sums, tile[filled])
            if some_late:
                _add_late(s, late, tile[filled])
            filled += 1
        if some_late:
            late[:, last] = 0
    _write(tile, (start, filled), (wanted.job, n), results[0])
    _write(tile, (start, filled), (straight, n), results[1])


@compiled()
def _add(course: Course, w: int, wanted: Wanted, values: Array, room: tuple[Array, Array]) -> bool:
    """Fill a walk's running sums, and what late rows add and take off; return whether some are late."""
    sums, late = room
    n, upto, some_late = late.shape[2], course.at[course.last[w] - 1], False
    sums[: (upto + 2) * n] = 0
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
def _subtract(course: Course, s: int, n: int, sums: Array, made: Array) -> None:
    """Fill the sums of every window and slot at a snapshot; unsigned indices never count from the end."""
    slots, after = np.uint64(n), np.uint64((course.at[s] + 1) * n)
    for d in range(course.before.shape[0]):
        before, at = np.uint64((course.before[d, s] + 1) * n), np.uint64(d * n)
        for m in range(slots):
            made[at + m] = sums[after + m] - sums[before + m]


@compiled()
def _add_late(s: int, late: Array, made: Array) -> None:
    """Add what late rows bring to a snapshot, and hand it on to the next."""
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


@compiled()
def moments(course: Course, wanted: Wanted, values: Array, result: Array) -> None:
    """Fill the values of all jobs (slot, position, column, row of the result) at every snapshot.

    Column -1 stands for the days since.
    """
    newest = np.empty((wanted.n_slots, wanted.depth), np.int64)
    oldest = np.empty((wanted.n_slots, wanted.depth), np.int64)
    seen = np.empty(wanted.n_slots, np.int64)
    for w in range(course.begin.size):
        seen[:] = 0
        r = course.begin[w]
        for s in range(course.first[w], course.last[w]):
            while r < course.end[w] and course.slice[r] <= course.at[s]:
                for g in range(wanted.classes.shape[0]):
                    c = wanted.classes[g, r]
                    for i in range(wanted.start[c], wanted.start[c + 1]):
                        slot = wanted.slot[i]
                        if seen[slot] < wanted.depth:
                            oldest[slot, seen[slot]] = r
                        newest[slot, seen[slot] % wanted.depth] = r
                        seen[slot] += 1
                r += 1
            out = course.out[w] + s - course.first[w]
            for j in range(wanted.job.shape[0]):
                slot, position, column = wanted.job[j, 0], wanted.job[j, 1], wanted.job[j, 2]
                from_end = position < 0
                rank = seen[slot] + position if from_end else position
                if rank < 0 or rank >= seen[slot]:
                    result[wanted.job[j, 3], out] = np.nan
                    continue
                row = newest[slot, rank % wanted.depth] if from_end else oldest[slot, rank]
                if column < 0:
                    result[wanted.job[j, 3], out] = (
                        course.as_ofs[s] - course.occurred_at[row]
                    ) / MICROSECONDS
                else:
                    value = values[column, row]
                    result[wanted.job[j, 3], out] = np.nan if value == MISSING else value


@compiled()
def extremes(course: Course, values: Array, sign: int, windows: Array, result: Array) -> None:
    """Fill the highest value (the lowest for sign -1) of the nested windows, the shortest first; MISSING: no row.

    From each snapshot the slices are walked backwards, through one window after the other.
    """
    best, spot = np.empty(course.n_slices + 1, np.int64), np.empty(course.n_slices + 1, np.int64)
    for w in range(course.begin.size):
        r, kept = course.begin[w], 0
        for s in range(course.first[w], course.last[w]):
            while r < course.end[w] and course.slice[r] <= course.at[s]:
                if values[r] != MISSING:
                    if kept == 0 or spot[kept - 1] != course.slice[r]:
                        spot[kept], best[kept] = course.slice[r], values[r]
                        kept += 1
                    elif sign * values[r] > sign * best[kept - 1]:
                        best[kept - 1] = values[r]
                r += 1
            k, top = kept - 1, MISSING
            out = course.out[w] + s - course.first[w]
            for j in range(windows.shape[0]):
                while k >= 0 and spot[k] > course.before[windows[j, 0], s]:
                    if top == MISSING or sign * best[k] > sign * top:
                        top = best[k]
                    k -= 1
                result[windows[j, 1], out] = np.nan if top == MISSING else top


@compiled()
def distinct(course: Course, member: Array, latest: Array, windows: Array, result: Array) -> None:
    """Fill how many different texts the nested windows hold, the shortest first.

    Each text counts in the slice of its latest row; `latest` (n_rows,) is each row's previous one with the
    same text, -1 for the first.
    """
    count = np.empty(course.n_slices + 1, np.int64)
    for w in range(course.begin.size):
        count[:] = 0
        r = course.begin[w]
        for s in range(course.first[w], course.last[w]):
            while r < course.end[w] and course.slice[r] <= course.at[s]:
                if member[r]:
                    count[course.slice[r]] += 1
                    if latest[r] >= 0:
                        count[course.slice[latest[r]]] -= 1
                r += 1
            k, texts = course.at[s], 0
            out = course.out[w] + s - course.first[w]
            for j in range(windows.shape[0]):
                while k > course.before[windows[j, 0], s]:
                    texts += count[k]
                    k -= 1
                result[windows[j, 1], out] = texts


@compiled()
def decayed(course: Course, values: Array, half_lives: Array, rows: Array, result: Array) -> None:
    """Fill sums of values, each halved once every half-life of its term (microseconds) up to the snapshot."""
    for j in range(rows.size):
        rate = -LOG_2 / half_lives[j]
        for w in range(course.begin.size):
            r, total, since = course.begin[w], 0.0, np.int64(0)
            for s in range(course.first[w], course.last[w]):
                while r < course.end[w] and course.slice[r] <= course.at[s]:
                    value = values[j, r]
                    if value != 0:
                        passed = course.occurred_at[r] - since if total != 0.0 else 0
                        total = total * exp(rate * passed) + value if passed else total + value
                        since = course.occurred_at[r]
                    r += 1
                out = course.out[w] + s - course.first[w]
                faded = total * exp(rate * (course.as_ofs[s] - since)) if total != 0.0 else 0.0
                result[rows[j], out] = faded
