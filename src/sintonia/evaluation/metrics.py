"""What models are judged by, and the arithmetic that all metrics share: bins, variances, gains, draws.

A bootstrap over customers is a weighting: a customer drawn twice counts twice, with all of the snapshots. So
one sort of the scores serves every draw. Rows with equal scores are one group, in no order: a metric never
depends on how ties happen to lie.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sintonia.core.arrays import Floats, Ints
from sintonia.core.errors import unknown

TOP_SHARE = 0.1
VALUE_SHARE = 0.2
BINS = 10
_DRAWS_AT_ONCE = 16


@dataclass(frozen=True)
class Metric:
    """A metric: its key, its name for people, whether more is better, what it says, and the value that is right.

    With a `target` what counts is how far from it a value lies, so nearer is better; differences are of distances.
    """

    name: str
    title: str
    higher_is_better: bool
    meaning: str
    target: float | None = None

    def gain(self, values: Floats) -> Floats:
        """Return values as what is compared: themselves, or how far they lie from the target."""
        return values if self.target is None else np.abs(values - self.target)


CAPTURE = Metric(
    "capture_top20",
    "Spend in the top 20 %",
    True,
    "share of the next horizon's spend from the 20 % of customers with the highest scores",
)
PROFIT = Metric(
    "expected_profit",
    "Expected maximum profit",
    True,
    "maximum expected profit per customer of a campaign against the outcome, in currency, as configured in the run",
)
PROPENSITY_METRICS = (
    Metric("auc", "AUC", True, "probability that a customer with the outcome ranks above one without"),
    Metric(
        "average_precision",
        "Average precision",
        True,
        "mean precision, weighted by the gain in recall",
    ),
    Metric(
        "lift_top10",
        "Lift, top 10 %",
        True,
        "outcome rate in the top decile of scores divided by the overall rate",
    ),
    Metric("brier", "Brier score", False, "mean squared difference of propensity and outcome"),
    Metric("log_loss", "Log loss", False, "mean negative log-likelihood of the outcome, in nats"),
    Metric(
        "calibration_error",
        "Calibration error",
        False,
        "root mean squared gap of propensity and observed rate",
    ),
)
"""What every propensity is judged by, in the order in which it is shown; `CAPTURE` and `PROFIT` may follow."""

AMOUNT_METRICS = (
    Metric(
        "rank_correlation",
        "Rank correlation",
        True,
        "Spearman's rank correlation of expected and actual spend, ties at their mean rank",
    ),
    CAPTURE,
    Metric(
        "total_ratio",
        "Total",
        False,
        "total expected spend divided by total actual spend; 1 is unbiased",
        target=1.0,
    ),
    Metric(
        "tweedie_deviance",
        "Tweedie deviance",
        False,
        "mean deviance of expected spend, power 1.5, in root currency",
    ),
)
"""What every expected amount is judged by, in the order in which it is shown; `MEDIAN_ERROR` may follow."""

MEDIAN_ERROR = Metric(
    "median_error",
    "Error of the median",
    False,
    "mean absolute error of the predicted median, in currency",
)

METRICS = (*PROPENSITY_METRICS, PROFIT, *AMOUNT_METRICS, MEDIAN_ERROR)


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


def captured_shares(captured: Floats, reached: Floats, depths: Floats) -> Floats:
    """Return the share of all outcomes (or spend) found at each depth, ties by their mean.  # (n_draws, n_depths)

    `captured` and `reached` are cumulative sums over groups of equal scores, best first; a depth is a share of the
    rows. NaN where there is nothing to find.
    """
    shares = np.empty((len(captured), len(depths)))
    for draw, (hits, rows) in enumerate(zip(captured, reached, strict=True)):
        reached_outcomes = np.interp(
            depths * rows[-1], np.concatenate([[0.0], rows]), np.concatenate([[0.0], hits])
        )
        shares[draw] = reached_outcomes / hits[-1] if hits[-1] else np.nan
    return shares


def bootstrap_weights(customers: int, draws: int, seed: int) -> Iterator[Floats]:
    """Yield, some draws at a time, how often each customer is drawn.  # (some, n_customers)"""
    rng = np.random.default_rng(seed)
    for start in range(0, draws, _DRAWS_AT_ONCE):
        count = min(_DRAWS_AT_ONCE, draws - start)
        picks = rng.integers(customers, size=(count, customers))
        yield np.stack([np.bincount(pick, minlength=customers) for pick in picks]).astype(np.float64)
