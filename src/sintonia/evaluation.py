"""Judging propensities out of time: metrics with intervals, paired differences, gains and calibration bins.

Customers, not rows, are what is drawn again: one customer's snapshots resemble each other, and treating them
as independent makes every interval too narrow. All models share the draws, so differences are paired.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from sintonia.errors import InputError, NotEnoughDataError, unknown
from sintonia.metrics import (
    METRICS,
    Floats,
    Ints,
    Judged,
    captured,
    cluster_variance,
    equal_mass_bins,
    resampled,
)

DRAWS = 300
DEPTHS = np.arange(0, 41) / 40
HEADLINE = "auc"
_Z95 = 1.959963984540054
_DIGITS = 6


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float

    def rounded(self) -> "Estimate":
        """Return the estimate at six digits after the point: beyond them is noise of the order of sums."""
        return Estimate(*(round(x, _DIGITS) for x in (self.value, self.low, self.high)))


@dataclass(frozen=True)
class Bin:
    """One calibration bin: rows of similar propensity, what was said and what came true."""

    rows: int
    predicted: float
    observed: Estimate


@dataclass(frozen=True)
class Evaluation:
    """How several models did on the same rows. The first one named is the model, the others are baselines.

    `estimates[model][metric]` are the metrics; `bins[model]` and `gains[model]` the calibration bins and, at
    each of `DEPTHS`, the share of outcomes found.
    """

    rows: int
    customers: int
    label_rate: float
    estimates: dict[str, dict[str, Estimate]]
    bins: dict[str, tuple[Bin, ...]]
    gains: dict[str, tuple[float, ...]]
    draws: dict[str, Floats] = field(repr=False, compare=False)  # (n_metrics, n_draws) each

    @property
    def model(self) -> str:
        """The name of the model that is judged."""
        return next(iter(self.estimates))

    @property
    def baselines(self) -> tuple[str, ...]:
        """The names of the others."""
        return tuple(self.estimates)[1:]

    def difference(self, metric: str, model: str, other: str) -> Estimate:
        """Return model minus other on a metric, with the interval of the paired differences.

        Raises
        ------
        ConfigError
            For a metric or a model that was not judged.
        """
        row = _metric_row(metric)
        for name in (model, other):
            if name not in self.estimates:
                raise unknown("model", name, self.estimates)
        value = self.estimates[model][metric].value - self.estimates[other][metric].value
        return _estimate(value, self.draws[model][row] - self.draws[other][row])

    def best_baseline(self, metric: str = HEADLINE) -> str | None:
        """Return the baseline with the best value of the metric, the first of equals; None without any."""
        sign = 1 if METRICS[_metric_row(metric)].higher_is_better else -1
        return max(self.baselines, key=lambda name: sign * self.estimates[name][metric].value, default=None)

    def verdict(self, other: str, metric: str = HEADLINE) -> str:
        """Return 'better than', 'worse than' or 'not distinguishable from', by the paired interval."""
        gap = self.difference(metric, self.model, other).rounded()
        if gap.low <= 0 <= gap.high:
            return "not distinguishable from"
        return (
            "better than" if (gap.low > 0) == METRICS[_metric_row(metric)].higher_is_better else "worse than"
        )

    def figures(self) -> dict[str, Any]:
        """Return the figures as plain JSON values: sizes, metrics per model, differences to baselines."""
        return {
            "rows": self.rows,
            "customers": self.customers,
            "label_rate": round(self.label_rate, _DIGITS),
            "metrics": {
                name: {metric: asdict(found.rounded()) for metric, found in of.items()}
                for name, of in self.estimates.items()
            },
            "differences": {
                name: {m.name: asdict(self.difference(m.name, self.model, name).rounded()) for m in METRICS}
                for name in self.baselines
            },
        }


def evaluate(
    labels: ArrayLike,
    propensities: Mapping[str, ArrayLike],
    customers: ArrayLike,
    *,
    draws: int = DRAWS,
    seed: int = 7,
) -> Evaluation:
    """Return the metrics of every model on the same out-of-time rows, each with a 95 % interval.

    Parameters
    ----------
    labels
        0 or 1.  # (n_rows,)
    propensities
        Name to propensities between 0 and 1; the first is the model, the rest its baselines.
    customers
        Whose row it is: any ids or codes. Rows of one customer are drawn together.
    draws, seed
        Bootstrap draws (percentile interval), and their seed.

    Raises
    ------
    InputError
        When lengths differ, a propensity is not between 0 and 1, or a label not 0 or 1.
    NotEnoughDataError
        When only one outcome, or only one customer, is there.

    Examples
    --------
    >>> found = evaluate([0, 0, 1, 1], {"model": [0.1, 0.3, 0.2, 0.9]}, ["a", "b", "c", "d"])
    >>> found.estimates["model"]["auc"].value
    0.75
    """
    truth = np.asarray(labels, dtype=np.float64)
    said = {name: np.asarray(values, dtype=np.float64) for name, values in propensities.items()}
    names, codes = np.unique(np.asarray(customers), return_inverse=True)
    _check(truth, said, codes)
    judged = {name: Judged.prepare(truth, values, codes) for name, values in said.items()}
    everyone = np.ones((1, len(names)))
    drawn: dict[str, list[Floats]] = {name: [] for name in said}
    for weights in resampled(len(names), draws, seed):
        for name, rows in judged.items():
            drawn[name].append(rows.measure(weights, noises=2))
    together = {name: np.concatenate(parts, axis=1) for name, parts in drawn.items()}
    return Evaluation(
        rows=len(truth),
        customers=len(names),
        label_rate=float(truth.mean()),
        estimates={
            name: {
                metric.name: _estimate(float(value), sample)
                for metric, value, sample in zip(
                    METRICS, rows.measure(everyone)[:, 0], together[name], strict=True
                )
            }
            for name, rows in judged.items()
        },
        bins={name: calibration_bins(truth, values, codes) for name, values in said.items()},
        gains={
            name: tuple(captured(*rows.curve(everyone), DEPTHS)[0].tolist()) for name, rows in judged.items()
        },
        draws=together,
    )


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
        Bin(int(n), float(said), wilson(float(rate), float(effective)))
        for n, said, rate, effective in zip(sizes, predicted, observed, worth, strict=True)
    )


def wilson(rate: float, rows: float) -> Estimate:
    """Return a rate with Wilson's 95 % score interval (Wilson 1927), which never leaves 0 to 1.

    Examples
    --------
    >>> wilson(0.0, 10).rounded()
    Estimate(value=0.0, low=0.0, high=0.277533)
    """
    shrink = 1 + _Z95**2 / rows
    centre = (rate + _Z95**2 / (2 * rows)) / shrink
    half = _Z95 * np.sqrt(rate * (1 - rate) / rows + _Z95**2 / (4 * rows**2)) / shrink
    return Estimate(
        rate, float(max(min(centre - half, rate), 0.0)), float(min(max(centre + half, rate), 1.0))
    )


def _metric_row(metric: str) -> int:
    names = [m.name for m in METRICS]
    if metric not in names:
        raise unknown("metric", metric, names)
    return names.index(metric)


def _estimate(value: float, drawn: Floats) -> Estimate:
    low, high = np.nanquantile(drawn, (0.025, 0.975))
    return Estimate(value, float(low), float(high))


def _check(labels: Floats, propensities: Mapping[str, Floats], customers: Ints) -> None:
    for name, values in propensities.items():
        if not len(values) == len(labels) == len(customers):
            raise InputError(
                f"'{name}' has {len(values)} propensities for {len(labels)} labels and {len(customers)} "
                f"customers; give one of each a row."
            )
        if not np.all((values >= 0) & (values <= 1)):
            bad = values[~((values >= 0) & (values <= 1))][0]
            raise InputError(
                f"'{name}' has {bad} among its propensities; calibrate them to lie between 0 and 1."
            )
    outcomes = np.unique(labels)
    if not np.isin(outcomes, (0, 1)).all():
        raise InputError(f"Labels must be 0 or 1; found {outcomes[:5].tolist()}.")
    if len(outcomes) < 2 or len(np.unique(customers)) < 2:
        raise NotEnoughDataError(
            f"{len(labels)} test rows of {len(np.unique(customers))} customers hold only the labels "
            f"{outcomes.tolist()}; judging needs both outcomes and two customers. Add test snapshots."
        )
