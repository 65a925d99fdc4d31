"""Metrics of expected spend under row weights: total, ranking, capture and misfit, for many weightings at once.

An absolute error judges a median, not an expectation: most customers spend nothing, so a model that says nothing
for all would win. It is measured only of predictions that are given as medians.
"""

from dataclasses import dataclass

import numpy as np

from sintonia.core.arrays import Floats, Ints
from sintonia.evaluation.metrics import AMOUNT_METRICS, MEDIAN_ERROR, VALUE_SHARE, Metric, captured_shares

POWER = 1.5
_MIN_EXPECTED_SHARE = 1e-3


def tweedie_deviance(amounts: Floats, expected: Floats) -> Floats:
    """Return each row's Tweedie deviance of power 1.5, in the square root of the amounts' unit.  # (n_rows,)

    2 (y^(2-p) / ((1-p)(2-p)) - y m^(1-p) / (1-p) + m^(2-p) / (2-p)), Jorgensen 1987. Returns count as no spend, and
    no expectation counts as less than a thousandth of the mean spend: zero, once wrong, would be infinitely wrong.

    Examples
    --------
    >>> tweedie_deviance(np.array([0.0, 4.0]), np.array([1.0, 4.0])).tolist()
    [4.0, 0.0]
    """
    y = np.maximum(amounts, 0.0)
    m = np.maximum(expected, _MIN_EXPECTED_SHARE * y.mean() or _MIN_EXPECTED_SHARE)
    p = POWER
    return np.asarray(
        2 * (y ** (2 - p) / ((1 - p) * (2 - p)) - y * m ** (1 - p) / (1 - p) + m ** (2 - p) / (2 - p)),
        np.float64,
    )


@dataclass(frozen=True)
class Ranks:
    """The order of values: which group of equal values each row is in, lowest first, and the rows in that order."""

    group: Ints  # (n_rows,)
    rows: Ints  # (n_rows,)
    starts: Ints  # (n_groups,)

    @classmethod
    def of(cls, values: Floats) -> "Ranks":
        """Return the order of the values."""
        rows = np.argsort(values, kind="stable")
        new = np.diff(values[rows], prepend=-np.inf) != 0
        group = np.empty(len(values), np.int64)
        group[rows] = np.cumsum(new) - 1
        return cls(group, rows.astype(np.int64), np.flatnonzero(new).astype(np.int64))

    def groups(self, weights: Floats) -> Floats:
        """Return the sums of row weights over each group, lowest first.  # (n_draws, n_groups)"""
        return np.asarray(np.add.reduceat(weights[:, self.rows], self.starts, axis=1), np.float64)

    def mid(self, weights: Floats) -> Floats:
        """Return each row's rank when a row counts as often as its weight, ties by their mean.  # (n_draws, n_rows)"""
        sizes = self.groups(weights)
        return np.asarray((sizes.cumsum(axis=1) - (sizes - 1) / 2)[:, self.group], np.float64)


@dataclass(frozen=True)
class WeightedAmounts:
    """One model's test rows, prepared so that their metrics under any customer weights are a few array sums.

    `sums` holds per customer: spend, expected spend, deviance, distance of the median, rows.
    """

    customers: Ints  # (n_rows,)
    amounts: Floats  # (n_rows,)
    true_ranks: Ranks
    predicted_ranks: Ranks
    sums: Floats  # (n_customers, 5)
    with_median: bool

    @classmethod
    def prepare(
        cls, amounts: Floats, expected: Floats, customers: Ints, median: Floats | None = None
    ) -> "WeightedAmounts":
        """Return the rows of one model. Amounts in euros; `customers` are codes 0 to n_customers - 1."""
        distance = np.zeros_like(amounts) if median is None else np.abs(amounts - median)
        columns = [amounts, expected, tweedie_deviance(amounts, expected), distance, np.ones_like(amounts)]
        sums = np.stack([np.bincount(customers, column) for column in columns], axis=1)
        return cls(
            customers,
            amounts,
            Ranks.of(amounts),
            Ranks.of(expected),
            sums.astype(np.float64),
            median is not None,
        )

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What is measured, in the order of `measure`."""
        return (*AMOUNT_METRICS, MEDIAN_ERROR) if self.with_median else AMOUNT_METRICS

    def measure(self, weights: Floats, noises: int = 1) -> Floats:
        """Return the metrics under each weighting of the customers, in the order of `metrics`.

        # (n_draws, n_customers) to (n_metrics, n_draws); NaN where a draw has no spend at all.
        """
        rows = np.take(weights, self.customers, axis=1)
        spend, expected, deviance, distance, count = (weights @ self.sums).T
        capture = captured_shares(*self._curve(rows), np.array([VALUE_SHARE]))[:, 0]
        ratio = np.divide(expected, spend, out=np.full_like(expected, np.nan), where=spend > 0)
        measured = [self._correlation(rows), capture, ratio, deviance / count]
        return np.stack([*measured, distance / count] if self.with_median else measured)

    def curve(self, weights: Floats) -> tuple[Floats, Floats]:
        """Return spend found and rows reached after each group of equal expectations, highest first."""
        return self._curve(np.take(weights, self.customers, axis=1))

    def _curve(self, rows: Floats) -> tuple[Floats, Floats]:
        curves = (
            self.predicted_ranks.groups(weights)[:, ::-1].cumsum(axis=1)
            for weights in (rows * self.amounts, rows)
        )
        spent, reached = curves
        return spent, reached

    def _correlation(self, rows: Floats) -> Floats:
        """Pearson's correlation of the ranks; a constant, which ranks nothing, has none."""
        count = rows.sum(axis=1, keepdims=True)
        first, second = (
            ranks.mid(rows) - (count + 1) / 2 for ranks in (self.true_ranks, self.predicted_ranks)
        )
        over = np.sqrt((rows * first**2).sum(axis=1) * (rows * second**2).sum(axis=1))
        along = (rows * first * second).sum(axis=1)
        return np.asarray(np.divide(along, over, out=np.zeros_like(over), where=over > 0), np.float64)
