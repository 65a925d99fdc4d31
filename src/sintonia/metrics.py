"""Metrics of propensities under row weights, for many weightings at once: the arithmetic below `evaluation`.

A bootstrap over customers is a weighting: a customer drawn twice counts twice, with all of the snapshots. So
one sort of the scores serves every draw. Rows with equal scores are one group, in no order: a metric never
depends on how ties happen to lie.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sintonia.errors import unknown

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

TOP_SHARE = 0.1
BINS = 10
_EPSILON = 1e-15
_DRAWS_AT_ONCE = 16


@dataclass(frozen=True)
class Metric:
    """A metric: its key, its name for people, whether more is better, and what it says."""

    name: str
    title: str
    higher_is_better: bool
    meaning: str


METRICS = (
    Metric("auc", "AUC", True, "chance that a customer with the outcome is ranked above one without"),
    Metric("average_precision", "Average precision", True, "precision, averaged over the outcomes found"),
    Metric(
        "lift_top10", "Lift, top 10 %", True, "outcome rate among the highest tenth, over the rate among all"
    ),
    Metric("brier", "Brier score", False, "mean squared distance of propensity and outcome"),
    Metric("log_loss", "Log loss", False, "mean surprise at the outcome, in nats"),
    Metric(
        "calibration_error", "Calibration error", False, "typical distance of propensity and observed rate"
    ),
)
"""What every model is judged by, in the order in which it is shown."""


def find_metric(name: str) -> Metric:
    """Return the metric of this name.

    Raises
    ------
    ConfigError
        When there is none.
    """
    by_name = {metric.name: metric for metric in METRICS}
    if name not in by_name:
        raise unknown("metric", name, by_name)
    return by_name[name]


def equal_mass_bins(propensities: Floats, bins: int = BINS) -> Ints:
    """Return each row's bin, 0 for the lowest propensities; equal propensities share a bin.

    Many ties leave fewer bins than asked for, and none of them empty.

    Examples
    --------
    >>> equal_mass_bins(np.array([0.1, 0.2, 0.3, 0.4]), bins=2).tolist()
    [0, 0, 1, 1]
    >>> equal_mass_bins(np.array([0.1, 0.1, 0.1, 0.4]), bins=4).tolist()
    [0, 0, 0, 1]
    """
    edges = np.quantile(propensities, np.arange(1, bins) / bins, method="inverted_cdf")
    raw = np.searchsorted(np.unique(edges), propensities, side="left")
    return np.unique(raw, return_inverse=True)[1].astype(np.int64)


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


@dataclass(frozen=True)
class Judged:
    """One model's test rows, prepared so that its metrics under any customer weights are a few array sums.

    `customers` and `labels` are in falling order of score, `starts` marks the first row of every group of
    equal scores. `sums` holds per customer: squared errors, log losses, rows, then gap (outcome minus
    propensity) and rows of every calibration bin. `noise` is the variance of each bin's gap.
    """

    customers: Ints  # (n_rows,)
    labels: Floats  # (n_rows,)
    starts: Ints  # (n_groups,)
    sums: Floats  # (n_customers, 3 + 2 * n_bins)
    noise: Floats  # (n_bins,)

    @classmethod
    def prepare(cls, labels: Floats, propensities: Floats, customers: Ints) -> "Judged":
        """Return the rows of one model, sorted and summed. `customers` are codes 0 to n_customers - 1."""
        order = np.argsort(-propensities, kind="stable")
        starts = np.flatnonzero(np.diff(propensities[order], prepend=np.inf) != 0)
        bins = equal_mass_bins(propensities)
        gap = labels - propensities
        safe = np.clip(propensities, _EPSILON, 1 - _EPSILON)
        loss = -np.where(labels > 0, np.log(safe), np.log1p(-safe))
        ones = np.ones_like(labels)
        columns = [gap**2, loss, ones]
        for number in range(int(bins.max()) + 1):
            columns += [np.where(bins == number, gap, 0.0), np.where(bins == number, 1.0, 0.0)]
        sums = np.stack([np.bincount(customers, column) for column in columns], axis=1).astype(np.float64)
        noise = cluster_variance(gap, customers, bins)
        return cls(customers[order], labels[order], starts.astype(np.int64), sums, noise)

    def measure(self, weights: Floats, noises: int = 1) -> Floats:
        """Return the metrics under each weighting of the customers, in the order of METRICS.

        `noises` says how often a bin's sampling variance is taken off its squared gap: once in the sample,
        twice in a bootstrap draw, which adds its own noise to the sample's.

        Parameters
        ----------
        weights
            How often each customer counts.  # (n_draws, n_customers)
        noises
            1 for the sample, 2 for a bootstrap draw.

        Returns
        -------
            # (n_metrics, n_draws); NaN where a draw holds only one outcome.
        """
        means = weights @ self.sums
        rows = means[:, 2]
        ranking = self._ranking(weights)
        calibration = self._calibration_error(means[:, 3:], rows, noises)
        return np.stack([*ranking, means[:, 0] / rows, means[:, 1] / rows, calibration])

    def _ranking(self, weights: Floats) -> tuple[Floats, Floats, Floats]:
        new, rows = self._groups(weights)
        found, reached = new.cumsum(axis=1), rows.cumsum(axis=1)
        positives = found[:, -1]
        negatives = reached[:, -1] - positives
        above = (reached - found) - (rows - new) / 2  # negatives above a group, and half of its own
        precision = found / np.maximum(reached, 1.0)
        with np.errstate(invalid="ignore", divide="ignore"):
            auc = 1 - np.einsum("ij,ij->i", new, above) / (positives * negatives)
            average_precision = np.einsum("ij,ij->i", new, precision) / positives
            lift = captured(found, reached, np.array([TOP_SHARE]))[:, 0] / TOP_SHARE
        return auc, average_precision, lift

    def curve(self, weights: Floats) -> tuple[Floats, Floats]:
        """Return outcomes found and rows reached after each group of equal scores, best scores first."""
        new, rows = self._groups(weights)
        return new.cumsum(axis=1), rows.cumsum(axis=1)

    def _groups(self, weights: Floats) -> tuple[Floats, Floats]:
        """Outcomes and rows of each group of equal scores, best scores first."""
        rows = np.take(weights, self.customers, axis=1)
        new = rows * self.labels
        if len(self.starts) == len(self.customers):
            return new, rows
        return np.add.reduceat(new, self.starts, axis=1), np.add.reduceat(rows, self.starts, axis=1)

    def _calibration_error(self, bins: Floats, rows: Floats, noises: int) -> Floats:
        gaps, sizes = bins[:, 0::2], bins[:, 1::2]
        mean_gap = np.divide(gaps, sizes, out=np.zeros_like(gaps), where=sizes > 0)
        squared = (sizes * (mean_gap**2 - noises * self.noise)).sum(axis=1) / rows
        return np.asarray(np.sqrt(np.maximum(squared, 0.0)), dtype=np.float64)


def captured(found: Floats, reached: Floats, depths: Floats) -> Floats:
    """Return the share of all outcomes found at each depth, ties by their mean.  # (n_draws, n_depths)

    `found` and `reached` are the cumulative sums of `Judged.curve`; a depth is a share of the rows.
    """
    shares = np.empty((len(found), len(depths)))
    for draw, (hits, rows) in enumerate(zip(found, reached, strict=True)):
        at = np.interp(depths * rows[-1], np.concatenate([[0.0], rows]), np.concatenate([[0.0], hits]))
        shares[draw] = at / hits[-1]
    return shares


def resampled(customers: int, draws: int, seed: int) -> Iterator[Floats]:
    """Yield, some draws at a time, how often each customer is drawn.  # (some, n_customers)"""
    rng = np.random.default_rng(seed)
    for start in range(0, draws, _DRAWS_AT_ONCE):
        count = min(_DRAWS_AT_ONCE, draws - start)
        picks = rng.integers(customers, size=(count, customers))
        yield np.stack([np.bincount(pick, minlength=customers) for pick in picks]).astype(np.float64)
