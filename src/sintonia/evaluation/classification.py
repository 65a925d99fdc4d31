"""Metrics of propensities under row weights, for many weightings at once: the arithmetic below `evaluation`."""

from dataclasses import dataclass, replace

import numpy as np

from sintonia.core.arrays import Floats, Ints
from sintonia.core.config import ProfitConfig
from sintonia.core.intervals import cluster_variance
from sintonia.evaluation.metrics import (
    CAPTURE,
    PROFIT,
    PROPENSITY_METRICS,
    TOP_SHARE,
    VALUE_SHARE,
    Metric,
    captured_shares,
    equal_mass_bins,
)
from sintonia.evaluation.profit import expected_maximum_profit

_EPSILON = 1e-15


@dataclass(frozen=True)
class Stakes:
    """What hangs on the rows beside the outcome: each row's spend in the horizon, and the campaign it may call for."""

    amounts: Floats | None = None  # (n_rows,)
    campaign: ProfitConfig | None = None


NO_STAKES = Stakes()


@dataclass(frozen=True)
class WeightedPropensities:
    """One model's test rows, prepared so that its metrics under any customer weights are a few array sums.

    `customers` and `labels` are in falling order of score, `starts` marks the first row of every group of
    equal scores. `sums` holds per customer: squared errors, log losses, rows, then gap (outcome minus
    propensity) and rows of every calibration bin. `noise` is the variance of each bin's gap. `stakes` says
    which of `CAPTURE` and `PROFIT` are measured, its amounts in the order of the other rows.
    """

    customers: Ints  # (n_rows,)
    labels: Floats  # (n_rows,)
    starts: Ints  # (n_groups,)
    sums: Floats  # (n_customers, 3 + 2 * n_bins)
    noise: Floats  # (n_bins,)
    stakes: Stakes

    @classmethod
    def prepare(
        cls, labels: Floats, propensities: Floats, customers: Ints, stakes: Stakes = NO_STAKES
    ) -> "WeightedPropensities":
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
        amounts = None if stakes.amounts is None else stakes.amounts[order]
        return cls(
            customers[order],
            labels[order],
            starts.astype(np.int64),
            sums,
            noise,
            replace(stakes, amounts=amounts),
        )

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What is measured, in the order of `measure`."""
        optional = ((CAPTURE, self.stakes.amounts), (PROFIT, self.stakes.campaign))
        return (*PROPENSITY_METRICS, *(metric for metric, stake in optional if stake is not None))

    def measure(self, weights: Floats, noises: int = 1) -> Floats:
        """Return the metrics under each weighting of the customers, in the order of `metrics`.

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
        new, reached = self._groups(weights)
        calibration = self._calibration_error(means[:, 3:], rows, noises)
        common = [*self._ranking(new, reached), means[:, 0] / rows, means[:, 1] / rows, calibration]
        return np.stack([*common, *self._at_stake(weights, new, reached)])

    def _at_stake(self, weights: Floats, new: Floats, rows: Floats) -> list[Floats]:
        """Return what is measured of amounts and profit, each only where it is asked for.  # (n_draws,) each"""
        measured = []
        reached = rows.cumsum(axis=1)
        if self.stakes.amounts is not None:
            spent = self._summed(np.take(weights, self.customers, axis=1) * self.stakes.amounts).cumsum(
                axis=1
            )
            measured.append(captured_shares(spent, reached, np.array([VALUE_SHARE]))[:, 0])
        if (campaign := self.stakes.campaign) is not None:
            positives_above = new.cumsum(axis=1)
            pairs = zip(positives_above, reached, strict=True)
            measured.append(np.array([expected_maximum_profit(*draw, campaign) for draw in pairs]))
        return measured

    def _ranking(self, new: Floats, rows: Floats) -> tuple[Floats, Floats, Floats]:
        positives_above, reached = new.cumsum(axis=1), rows.cumsum(axis=1)
        positives = positives_above[:, -1]
        negatives = reached[:, -1] - positives
        above = (reached - positives_above) - (rows - new) / 2  # negatives above a group, and half of its own
        precision = positives_above / np.maximum(reached, 1.0)
        with np.errstate(invalid="ignore", divide="ignore"):
            auc = 1 - np.einsum("ij,ij->i", new, above) / (positives * negatives)
            average_precision = np.einsum("ij,ij->i", new, precision) / positives
            lift = captured_shares(positives_above, reached, np.array([TOP_SHARE]))[:, 0] / TOP_SHARE
        return auc, average_precision, lift

    def curve(self, weights: Floats) -> tuple[Floats, Floats]:
        """Return outcomes found and rows reached after each group of equal scores, best scores first."""
        new, rows = self._groups(weights)
        return new.cumsum(axis=1), rows.cumsum(axis=1)

    def _groups(self, weights: Floats) -> tuple[Floats, Floats]:
        """Outcomes and rows of each group of equal scores, best scores first."""
        rows = np.take(weights, self.customers, axis=1)
        return self._summed(rows * self.labels), self._summed(rows)

    def _summed(self, rows: Floats) -> Floats:
        """Sums over each group of equal scores."""
        if len(self.starts) == len(self.customers):
            return rows
        return np.add.reduceat(rows, self.starts, axis=1)

    def _calibration_error(self, bins: Floats, rows: Floats, noises: int) -> Floats:
        gaps, sizes = bins[:, 0::2], bins[:, 1::2]
        mean_gap = np.divide(gaps, sizes, out=np.zeros_like(gaps), where=sizes > 0)
        squared = (sizes * (mean_gap**2 - noises * self.noise)).sum(axis=1) / rows
        return np.asarray(np.sqrt(np.maximum(squared, 0.0)), dtype=np.float64)
