"""How terms make a feature, element by element: ratios, shares, smoothed rates, deviations, entropy."""

from functools import reduce

import numpy as np

from sintonia.core.arrays import Floats, Ints, Numbers


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
    with np.errstate(divide="ignore", invalid="ignore"):
        quotient: Floats = np.divide(value, base)
        quotient += quotient * 0.0  # what is infinite becomes NaN, in half the time of a mask
    return quotient


def part_of_both(part: Ints, rest: Ints) -> Floats:
    """Return part / (part + rest), NaN where both come to nothing."""
    return ratio(part, part + rest)


def total(*numbers: Numbers) -> Numbers:
    """Return the numbers' sum, added one after the other."""
    return reduce(np.add, numbers)


def how_many(*counts: Ints) -> Ints:
    """Return how many of the counts are more than zero."""
    used = np.zeros(np.shape(counts[0]), np.int64)
    for count in counts:
        used += count > 0
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


def deviation(count: Ints, sums: Ints, squares: Ints) -> Floats:
    """Return the sample standard deviation from a count, a sum and a sum of squares; NaN below two.

    Squares about the whole part of the mean are integers, so nothing is lost where the mean is large against
    the deviation; only the last two steps round.

    Examples
    --------
    >>> x = np.array([10**9, 10**9 + 1, 10**9 + 2])
    >>> deviation(np.array([3]), np.array([x.sum()]), np.array([(x * x).sum()]))
    array([1.])
    """
    n = np.maximum(count, 2)
    mean = sums // n
    rest = sums - mean * n
    about = squares - mean * (2 * sums - n * mean)
    variance = np.maximum((about - rest * (rest / n)) / (n - 1), 0.0)
    return np.where(count < 2, np.nan, np.sqrt(variance))


def times_log2(count: Ints) -> Floats:
    """Return c log2 c of counts, 0 at 0."""
    if count.max(initial=0) < len(SMALL_TIMES_LOG2):
        return SMALL_TIMES_LOG2.take(count)
    return _times_log2(count)


def _times_log2(count: Ints) -> Floats:
    product: Floats = np.log2(np.maximum(count, 1)) * count
    return product


SMALL_TIMES_LOG2 = _times_log2(np.arange(1024))
"""Looked up, a logarithm takes a fifth of the time."""


def entropy(*counts: Ints) -> Floats:
    """Return Shannon's entropy of the counts' shares in bits: 0 when all is in one; NaN when there is nothing.

    From the counts as log2(n) - sum(c log2 c) / n, c log2 c being 0 at 0; negative counts count as 0.

    Examples
    --------
    >>> entropy(np.array([1, 3, 0]), np.array([1, 0, 0]))
    array([ 1.,  0., nan])
    """
    positive = [np.maximum(count, 0) for count in counts]
    n = total(*positive)
    base = np.maximum(n, 1)
    bits = np.log2(base) - total(*map(times_log2, positive)) / base
    return np.where(n > 0, np.maximum(bits, 0.0), np.nan)


def concentration(*counts: Ints) -> Floats:
    """Return the chance that two of what was counted, drawn at random, are of one kind; NaN of fewer than two.

    Simpson's index for draws without replacement (1949): however few were counted, it is right on average.

    Examples
    --------
    >>> concentration(np.array([2, 2, 1]), np.array([0, 2, 0])).round(2)
    array([1.  , 0.33,  nan])
    """
    n = total(*counts)
    alike: Ints = total(*(count * (count - 1) for count in counts))
    return np.where(n > 1, alike / np.maximum(n * (n - 1), 1), np.nan)


def since_then(now: Numbers, then: Floats) -> Floats:
    """Return a count less what it was at a moment; all of it where there was no such moment.

    Examples
    --------
    >>> since_then(np.array([7, 7]), np.array([5.0, np.nan]))
    array([2., 7.])
    """
    since: Floats = now - np.where(np.isnan(then), 0.0, then)
    return since


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
