"""Judging propensities out of time: metrics with intervals, paired differences, gains and calibration bins.

Customers, not rows, are what is drawn again: one customer's snapshots resemble each other, and treating them
as independent makes every interval too narrow. All models share the draws, so differences are paired.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
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
    find_metric,
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
        Of the out-of-time rows.
    estimates
        Model to metric to its value.
    differences
        Baseline to metric to the model's value minus the baseline's, with the interval of paired differences.
    bins
        Model to its calibration bins.
    gains
        Model to the share of outcomes found when the share `DEPTHS` of the customers is reached, best first.
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

    def best_baseline(self, metric: str = HEADLINE) -> str | None:
        """Return the baseline with the best value of the metric, the first of equals; None without any."""
        sign = 1 if find_metric(metric).higher_is_better else -1
        return max(self.baselines, key=lambda name: sign * self.estimates[name][metric].value, default=None)

    def verdict(self, baseline: str, metric: str = HEADLINE) -> str:
        """Return 'better than', 'worse than' or 'not distinguishable from', by the paired interval.

        Raises
        ------
        ConfigError
            For a metric or a baseline that was not judged.
        """
        higher_is_better = find_metric(metric).higher_is_better
        if baseline not in self.differences:
            raise unknown("baseline", baseline, self.baselines)
        gap = self.differences[baseline][metric]
        if gap.low <= 0 <= gap.high:
            return "not distinguishable from"
        return "better than" if (gap.low > 0) == higher_is_better else "worse than"

    def figures(self) -> dict[str, Any]:
        """Return sizes, metrics of every model and differences to the baselines as plain JSON values."""
        told = asdict(self)
        del told["bins"], told["gains"]
        return told


def evaluate(
    labels: ArrayLike,
    propensities: Mapping[str, ArrayLike],
    customers: ArrayLike,
    *,
    draws: int = DRAWS,
    seed: int = 7,
) -> Evaluation:
    """Return the metrics of every model on the same out-of-time rows, each with a 95 % interval.

    Figures have six digits after the point: beyond them lies the noise of the order of sums.

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
    drawn = _draw(judged, len(names), draws, seed)
    values = {name: rows.measure(everyone)[:, 0] for name, rows in judged.items()}
    model, *baselines = said
    curves = {name: captured(*rows.curve(everyone), DEPTHS)[0] for name, rows in judged.items()}
    return Evaluation(
        rows=len(truth),
        customers=len(names),
        label_rate=round(float(truth.mean()), _DIGITS),
        estimates={name: _estimates(values[name], drawn[name]) for name in said},
        differences={
            name: _estimates(values[model] - values[name], drawn[model] - drawn[name]) for name in baselines
        },
        bins={name: calibration_bins(truth, values, codes) for name, values in said.items()},
        gains={name: tuple(curve.round(_DIGITS).tolist()) for name, curve in curves.items()},
    )


def _draw(judged: Mapping[str, Judged], customers: int, draws: int, seed: int) -> dict[str, Floats]:
    """Each model's metrics under the same draws of customers.  # (n_metrics, n_draws) each"""
    drawn: dict[str, list[Floats]] = {name: [] for name in judged}
    for weights in resampled(customers, draws, seed):
        for name, rows in judged.items():
            drawn[name].append(rows.measure(weights, noises=2))
    return {name: np.concatenate(parts, axis=1) for name, parts in drawn.items()}


def _estimates(values: Floats, drawn: Floats) -> dict[str, Estimate]:
    low, high = np.nanquantile(drawn, (0.025, 0.975), axis=1)
    each = zip(METRICS, values.tolist(), low.tolist(), high.tolist(), strict=True)
    return {metric.name: _estimate(value, low, high) for metric, value, low, high in each}


def _estimate(value: float, low: float, high: float) -> Estimate:
    return Estimate(*(round(figure, _DIGITS) for figure in (value, low, high)))


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
        Bin(int(n), round(float(said), _DIGITS), wilson(float(rate), float(effective)))
        for n, said, rate, effective in zip(sizes, predicted, observed, worth, strict=True)
    )


def wilson(rate: float, rows: float) -> Estimate:
    """Return a rate with Wilson's 95 % score interval (Wilson 1927), which never leaves 0 to 1.

    Examples
    --------
    >>> wilson(0.0, 10)
    Estimate(value=0.0, low=0.0, high=0.277533)
    """
    shrink = 1 + _Z95**2 / rows
    centre = (rate + _Z95**2 / (2 * rows)) / shrink
    half = _Z95 * math.sqrt(rate * (1 - rate) / rows + _Z95**2 / (4 * rows**2)) / shrink
    return _estimate(rate, max(centre - half, 0.0), min(centre + half, 1.0))


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
