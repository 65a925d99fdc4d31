"""Figures with their intervals: what a judgement says of models, their grade, and their calibration bins."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from sintonia.core.arrays import Floats, Ints
from sintonia.core.errors import unknown
from sintonia.core.intervals import DIGITS, Estimate, cluster_variance, wilson
from sintonia.evaluation.metrics import Metric, equal_mass_bins, find_metric

TOLERANCE = 0.02
"""Calibration error that is still calibrated: at fault is only what surely lies above."""
TOTAL_OFF = 0.1
"""How far the total of expected amounts may lie from what was spent: at fault is only what surely lies farther."""


@dataclass(frozen=True)
class Bin:
    """One calibration bin: rows of similar propensity, what was said and what came true."""

    rows: int
    predicted: float
    observed: Estimate


@dataclass(frozen=True)
class Evaluation:
    """How several models did on the same rows. The first one named is the model, the others are baselines.

    Attributes
    ----------
    rows, customers, label_rate
        Of the out-of-time rows; of amounts, the rate is that of rows with any spend.
    estimates
        Model to metric to its value.
    differences
        Baseline to metric to the model's value minus the baseline's, with the interval of paired differences.
    bins
        Model to its calibration bins; none for amounts.
    gains
        Model to the share of outcomes (or spend) found when the share `DEPTHS` of the customers is reached, best
        first.
    """

    rows: int
    customers: int
    label_rate: float
    estimates: dict[str, dict[str, Estimate]]
    differences: dict[str, dict[str, Estimate]]
    bins: dict[str, tuple[Bin, ...]]
    gains: dict[str, tuple[float, ...]]

    @property
    def model(self) -> str:
        """The name of the model that is judged."""
        return next(iter(self.estimates))

    @property
    def baselines(self) -> tuple[str, ...]:
        """The names of the others."""
        return tuple(self.differences)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What the model is judged by, the headline first."""
        return tuple(find_metric(name) for name in self.estimates[self.model])

    @property
    def headline(self) -> str:
        """The metric that decides: AUC for propensities, the rank correlation for amounts."""
        return self.metrics[0].name

    @property
    def grade(self) -> str | None:
        """A, B or C against the best baseline by the headline; None without any baseline.

        A: better, and the 95 % interval of the paired difference says so. B: better, but the interval holds no
        difference too. C: not better.
        """
        best = self.best_baseline()
        if best is None:
            return None
        if self.verdict(best) == "better than":
            return "A"
        sign = 1 if self.metrics[0].higher_is_better else -1
        return "B" if sign * self.differences[best][self.headline].value > 0 else "C"

    def best_baseline(self, metric: str | None = None) -> str | None:
        """Return the baseline with the best value of the metric, the first of equals; None without any."""
        asked = find_metric(metric or self.headline)
        sign = 1 if asked.higher_is_better else -1

        def worth(name: str) -> float:
            return sign * float(asked.gain(np.array(self.estimates[name][asked.name].value)))

        return max(self.baselines, key=worth, default=None)

    def verdict(self, baseline: str, metric: str | None = None) -> str:
        """Return 'better than', 'worse than' or 'not distinguishable from', by the paired interval.

        Raises
        ------
        ConfigError
            For a metric or a baseline that was not judged.
        """
        asked = find_metric(metric or self.headline)
        higher_is_better = asked.higher_is_better
        if baseline not in self.differences:
            raise unknown("baseline", baseline, self.baselines)
        gap = self.differences[baseline][asked.name]
        if gap.low <= 0 <= gap.high:
            return "not distinguishable from"
        return "better than" if (gap.low > 0) == higher_is_better else "worse than"

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "Evaluation":
        """Return what `dataclasses.asdict` or `figures` gave of an evaluation, also after a journey through JSON."""

        def by_metric(of: Mapping[str, Any]) -> dict[str, dict[str, Estimate]]:
            return {
                name: {metric: Estimate(**value) for metric, value in values.items()}
                for name, values in of.items()
            }

        return cls(
            rows=plain["rows"],
            customers=plain["customers"],
            label_rate=plain["label_rate"],
            estimates=by_metric(plain["estimates"]),
            differences=by_metric(plain["differences"]),
            bins={
                name: tuple(Bin(**{**one, "observed": Estimate(**one["observed"])}) for one in bins)
                for name, bins in plain.get("bins", {}).items()
            },
            gains={name: tuple(shares) for name, shares in plain.get("gains", {}).items()},
        )

    def figures(self) -> dict[str, Any]:
        """Return sizes, metrics of every model and differences to the baselines as plain JSON values."""
        told = asdict(self)
        del told["bins"], told["gains"]
        return {**told, "grade": self.grade}


def calibration_bins(labels: Floats, propensities: Floats, customers: Ints) -> tuple[Bin, ...]:
    """Return ten bins of equal mass (fewer with many ties), lowest propensities first.

    The interval is Wilson's, on as many rows as the bin would be worth were every row another customer (its
    rows over the design effect), so that it stays honest both for repeated customers and for rates near 0.
    """
    bins = equal_mass_bins(propensities)
    sizes = np.bincount(bins)
    observed = np.bincount(bins, labels) / sizes
    predicted = np.bincount(bins, propensities) / sizes
    single = observed * (1 - observed)
    variance = cluster_variance(labels, customers, bins)
    worth = np.divide(single, variance, out=sizes.astype(np.float64), where=variance > 0)
    worth = np.minimum(worth, sizes)
    return tuple(
        Bin(int(n), round(float(said), DIGITS), wilson(float(rate), float(effective)))
        for n, said, rate, effective in zip(sizes, predicted, observed, worth, strict=True)
    )
