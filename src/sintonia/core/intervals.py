"""Estimates with their intervals: normal, Wilson's, and of means over customers who have several rows each."""

import math
from dataclasses import dataclass

import numpy as np

from sintonia.core.arrays import Floats, Ints

DIGITS = 6
CONFIDENCE = 0.95
Z95 = 1.959963984540054
"""The standard normal quantile of 97.5 %: as many standard errors lie on either side in a 95 % interval."""


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float

    def text(self, digits: int = 3, signed: bool = False) -> str:
        """Return the figure and its interval as every summary writes them.

        Examples
        --------
        >>> Estimate(0.76719, 0.74811, 0.78304).text()
        '0.767 [0.748, 0.783]'
        >>> Estimate(0.01, -0.02, 0.04).text(digits=2, signed=True)
        '+0.01 [-0.02, +0.04]'
        """
        form = f"{'+' if signed else ''}.{digits}f"
        return f"{self.value:{form}} [{self.low:{form}}, {self.high:{form}}]"


def rounded_estimate(value: float, low: float, high: float) -> Estimate:
    """Return a figure and the ends of its interval, with six digits: beyond lies the noise of the order of sums."""
    return Estimate(*(round(figure, DIGITS) for figure in (value, low, high)))


def normal_interval(
    value: float, standard_error: float, least: float = -math.inf, most: float = math.inf
) -> Estimate:
    """Return a figure with its normal 95 % interval, cut at the least and the most that the figure can be.

    Examples
    --------
    >>> normal_interval(0.9, 0.1, least=0.0, most=1.0)
    Estimate(value=0.9, low=0.704004, high=1.0)
    """
    half = Z95 * standard_error
    return rounded_estimate(value, max(value - half, least), min(value + half, most))


def wilson(rate: float, rows: float) -> Estimate:
    """Return a rate with Wilson's 95 % score interval (Wilson 1927), which never leaves 0 to 1.

    Examples
    --------
    >>> wilson(0.0, 10)
    Estimate(value=0.0, low=0.0, high=0.277533)
    """
    shrink = 1 + Z95**2 / rows
    centre = (rate + Z95**2 / (2 * rows)) / shrink
    half = Z95 * math.sqrt(rate * (1 - rate) / rows + Z95**2 / (4 * rows**2)) / shrink
    return rounded_estimate(rate, max(centre - half, 0.0), min(centre + half, 1.0))


def cluster_variance(values: Floats, customers: Ints, bins: Ints) -> Floats:
    """Return the variance of each bin's mean when whole customers are drawn, not rows.  # (n_bins,)

    The linearised variance of a ratio mean: the sum over customers of the squared sum of their residuals,
    over the squared size of the bin (Cochran, Sampling Techniques, 3rd ed., section 9A). A bin that holds one
    customer cannot show any spread and gets zero.
    """
    sizes = np.bincount(bins)
    means = np.bincount(bins, values) / sizes
    cells, cell = np.unique(bins * (int(customers.max()) + 1) + customers, return_inverse=True)
    totals = np.bincount(cell, values - means[bins])
    owner = cells // (int(customers.max()) + 1)
    present = np.bincount(owner)
    spread = np.bincount(owner, totals**2)
    correction = np.divide(present, present - 1, out=np.zeros(len(sizes)), where=present > 1)
    return np.asarray(correction * spread / sizes**2, dtype=np.float64)


def clustered_mean(values: Floats, customer: Ints, confidence: float = CONFIDENCE) -> Estimate:
    """Return the mean over decisions, with an interval for customers being drawn and not decisions.

    Variance of a ratio of totals over customers (Cochran, Sampling Techniques, section 9A); Student's t with as
    many degrees of freedom as customers less one. NaN without rows, and no bounds with one customer.

    Examples
    --------
    >>> found = clustered_mean(np.array([1.0, 3.0, 1.0, 3.0]), np.array([1, 2, 3, 4]))
    >>> found.value, round(found.high - found.value, 4)
    (2.0, 1.8374)
    """
    if not len(values):
        return Estimate(float("nan"), float("nan"), float("nan"))
    mean = float(values.mean())
    error, customers = clustered_error(values, customer)
    if customers < 2:
        return Estimate(mean, float("-inf"), float("inf"))
    from scipy.stats import t as student

    reach = float(student.ppf(0.5 + confidence / 2, customers - 1)) * error
    return Estimate(mean, mean - reach, mean + reach)


def clustered_error(values: Floats, customer: Ints) -> tuple[float, int]:
    """Return the clustered standard error of the mean, and how many customers it rests on."""
    _, codes = np.unique(customer, return_inverse=True)
    totals = np.bincount(codes, values - values.mean())
    customers = len(totals)
    if customers < 2:
        return float("inf"), customers
    return float(np.sqrt(customers / (customers - 1) * (totals**2).sum()) / len(values)), customers
