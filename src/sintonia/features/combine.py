"""How terms make a feature, element by element: ratios, shares, smoothed rates, deviations, entropy."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Numbers: TypeAlias = npt.NDArray[Any]
Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]

C_LOG2_C: Floats = np.arange(2.0**12) * np.log2(np.maximum(np.arange(2.0**12), 1))


def itself(value: Numbers) -> Numbers:
    """Return the value: a feature that is one term as it stands."""
    return value


def difference(value: Numbers, other: Numbers) -> Numbers:
    """Return value - other."""
    less: Numbers = value - other
    return less


def ratio(value: Numbers, base: Numbers) -> Floats:
    """Return value / base, NaN where the base is nothing.

    Examples
    --------
    >>> ratio(np.array([1, 0]), np.array([4, 0]))
    array([0.25,  nan])
    """
    quotient: Floats = value / np.where(base == 0, np.nan, base)
    return quotient


def part_of_both(part: Ints, rest: Ints) -> Floats:
    """Return part / (part + rest), NaN where both come to nothing."""
    return ratio(part, part + rest)


def side_by_side(values: Sequence[Numbers]) -> Numbers:
    """Return arrays as one of (n_arrays, n_rows), for compiled loops; `numpy.stack` is three times as slow to begin."""
    rows: Numbers = np.concatenate(values).reshape(len(values), -1)
    return rows


def how_many(*counts: Ints) -> Ints:
    """Return how many of the counts are more than zero."""
    from sintonia.features import combined_loops

    used = np.empty(counts[0].shape, np.int64)
    combined_loops.how_many(side_by_side(counts), used.reshape(-1))
    return used


def smoothed_rate(hits: Numbers, tries: Numbers, mean: float, weight: float) -> Floats:
    """Return (hits + weight * mean) / (tries + weight): few tries lean on the mean, which was fitted before.

    The posterior mean of a rate under a beta prior worth `weight` tries. Bind mean and weight by `partial`.

    Examples
    --------
    >>> smoothed_rate(np.array([0, 5]), np.array([0, 10]), mean=0.1, weight=10.0)
    array([0.1, 0.3])
    """
    rate: Floats = (hits + weight * mean) / (tries + weight)
    return rate


def deviation(count: Ints, total: Ints, squares: Ints) -> Floats:
    """Return the sample standard deviation from a count, a sum and a sum of squares; NaN below two.

    Squares about the whole part of the mean are integers, so nothing is lost where the mean is large against
    the deviation; only the last two steps round.

    Examples
    --------
    >>> x = np.array([10**9, 10**9 + 1, 10**9 + 2])
    >>> deviation(np.array([3]), np.array([x.sum()]), np.array([(x * x).sum()]))
    array([1.])
    """
    from sintonia.features import combined_loops

    deviated = np.empty(np.shape(count))
    given = count.reshape(-1), total.reshape(-1), squares.reshape(-1)
    combined_loops.deviation(*given, deviated.reshape(-1))
    return deviated


def entropy(*counts: Ints) -> Floats:
    """Return Shannon's entropy of the counts' shares in bits: 0 when all is in one; NaN when there is nothing.

    From the counts as log2(n) - sum(c log2 c) / n, c log2 c being 0 at 0; negative counts count as 0.

    Examples
    --------
    >>> entropy(np.array([1, 3, 0]), np.array([1, 0, 0]))
    array([ 1.,  0., nan])
    """
    from sintonia.features import combined_loops

    bits = np.empty(counts[0].shape)
    combined_loops.entropy(side_by_side(counts), C_LOG2_C, bits.reshape(-1))
    return bits


def concentration(*counts: Ints) -> Floats:
    """Return the chance that two of what was counted, drawn at random, are of one kind; NaN of fewer than two.

    Simpson's index for draws without replacement (1949): however few were counted, it is right on average.

    Examples
    --------
    >>> concentration(np.array([2, 2, 1]), np.array([0, 2, 0])).round(2)
    array([1.  , 0.33,  nan])
    """
    from sintonia.features import combined_loops

    chance = np.empty(counts[0].shape)
    combined_loops.concentration(side_by_side(counts), chance.reshape(-1))
    return chance


def in_days(seconds: Numbers) -> Floats:
    """Return seconds as days."""
    days: Floats = seconds / 86_400
    return days


def mean_days(seconds: Ints, count: Ints) -> Floats:
    """Return the mean in days of a sum of seconds, NaN of nothing."""
    return in_days(ratio(seconds, count))


def still_open(opened: Floats, closed: Floats) -> Floats:
    """Return the days since something opened where nothing has closed it since; NaN where something has.

    Examples
    --------
    >>> still_open(np.array([3.0, 9.0, 9.0, np.nan]), np.array([5.0, 5.0, np.nan, 5.0]))
    array([ 3., nan,  9., nan])
    """
    return np.where((opened < closed) | np.isnan(closed), opened, np.nan)
