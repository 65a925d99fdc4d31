"""The compiled loops behind combinations of many terms: NumPy's passes cost more than what they work out.

Counts come as (n_counts, n_rows), a row of the feature table a column, and are added one after the other, so that a
customer's values are the same alone and in company.
"""

from math import log2, sqrt
from typing import Any

import numpy as np

from sintonia.compiled import compiled

Array = np.ndarray[Any, Any]


@compiled()
def how_many(counts: Array, made: Array) -> None:
    """Fill how many of the counts are more than zero."""
    made[:] = 0
    for i in range(counts.shape[0]):
        for k in range(made.size):
            made[k] += counts[i, k] > 0


@compiled()
def entropy(counts: Array, usual: Array, made: Array) -> None:
    """Fill log2(n) - sum(c log2 c) / n of counts c that come to n, NaN of nothing; `usual` has c log2 c of small c."""
    total = np.zeros(made.size, np.int64)
    made[:] = 0.0
    for i in range(counts.shape[0]):
        for k in range(made.size):
            c = counts[i, k]
            if c > 0:
                total[k] += c
                made[k] += usual[c] if c < usual.size else c * log2(c)
    for k in range(made.size):
        made[k] = max(log2(total[k]) - made[k] / total[k], 0.0) if total[k] > 0 else np.nan


@compiled()
def concentration(counts: Array, made: Array) -> None:
    """Fill the pairs of one kind over all pairs, NaN where there is no pair."""
    total = np.zeros(made.size, np.int64)
    made[:] = 0.0
    for i in range(counts.shape[0]):
        for k in range(made.size):
            c = counts[i, k]
            total[k] += c
            made[k] += c * (c - 1)
    for k in range(made.size):
        made[k] = made[k] / (total[k] * (total[k] - 1)) if total[k] > 1 else np.nan


@compiled()
def highest(counts: Array, made: Array) -> None:
    """Fill the place of the highest count, the first of equals; NaN where all are nothing."""
    for k in range(made.size):
        best = place = 0
        for i in range(counts.shape[0]):
            if counts[i, k] > best:
                best, place = counts[i, k], i
        made[k] = place if best > 0 else np.nan


@compiled()
def around(hours: Array, best: Array, share: Array) -> None:
    """Fill the hour with the most around it, its own counted twice, and the part of all within an hour of that.

    The earliest of equals; NaN where all are nothing. The hour after the last is the first.
    """
    n = hours.shape[0]
    for k in range(best.size):
        most = place = near = total = 0
        before, own = hours[n - 1, k], hours[0, k]
        for i in range(n):
            after = hours[i + 1 if i + 1 < n else 0, k]
            if before + 2 * own + after > most:
                most, place, near = before + 2 * own + after, i, before + own + after
            total += own
            before, own = own, after
        best[k] = place if most > 0 else np.nan
        share[k] = near / total if total > 0 else np.nan


@compiled()
def deviation(count: Array, total: Array, squares: Array, made: Array) -> None:
    """Fill the sample standard deviation by a count, a sum and a sum of squares; NaN below two."""
    for k in range(made.size):
        n = count[k]
        if n < 2:
            made[k] = np.nan
            continue
        mean = total[k] // n
        rest = total[k] - mean * n
        about = squares[k] - mean * (2 * total[k] - n * mean)
        made[k] = sqrt(max((about - rest * (rest / n)) / (n - 1), 0.0))
