"""The kernel's compiled loops over rows in time: moments, extremes, what is distinct, and what fades."""

from math import exp, log

import numpy as np

from sintonia.core.arrays import Array
from sintonia.core.jit import compiled
from sintonia.features.kernel.loops import Course, Wanted

MISSING = np.iinfo(np.int64).min  # of a value that is not there
MICROSECONDS = 86_400_000_000.0  # of a day
LOG_2 = log(2.0)


@compiled()
def fill_positions(course: Course, wanted: Wanted, values: Array, result: Array) -> None:
    """Fill the values of all jobs (slot, position, column, row of the result) at every snapshot.

    Column -1 stands for the days since. The newest rows stand in a ring whose `depth` is a power of two, so that its
    places are told without a division.
    """
    turn = wanted.depth - 1
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
                        newest[slot, seen[slot] & turn] = r
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
                row = newest[slot, rank & turn] if from_end else oldest[slot, rank]
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
