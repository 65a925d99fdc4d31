"""Figures with their intervals: what a judgement says of models, their grade, and their calibration bins.

Judging propensities and expected amounts out of time: metrics with intervals, paired differences, a grade.

Customers, not rows, are what is drawn again: one customer's snapshots resemble each other, and treating them
as independent makes every interval too narrow. All models share the draws, so differences are paired.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from sintonia.core.arrays import Floats, Ints
from sintonia.core.errors import InputError, NotEnoughDataError, unknown
from sintonia.core.intervals import DIGITS, Estimate, cluster_variance, rounded_estimate, wilson
from sintonia.evaluation.classification import NO_STAKES, Stakes, WeightedPropensities
from sintonia.evaluation.metrics import (
    Metric,
    bootstrap_weights,
    captured_shares,
    equal_mass_bins,
    find_metric,
)
from sintonia.evaluation.regression import WeightedAmounts

TOLERANCE = 0.02
"""Calibration error that is still calibrated: at fault is only what surely lies above."""
TOTAL_OFF = 0.1
"""How far the total of expected amounts may lie from what was spent: at fault is only what surely lies farther."""


@dataclass(frozen=True)
class CalibrationBin:
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
    bins: dict[str, tuple[CalibrationBin, ...]]
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
        chosen = find_metric(metric or self.headline)
        sign = 1 if chosen.higher_is_better else -1

        def worth(name: str) -> float:
            return sign * float(chosen.gain(np.array(self.estimates[name][chosen.name].value)))

        return max(self.baselines, key=worth, default=None)

    def verdict(self, baseline: str, metric: str | None = None) -> str:
        """Return 'better than', 'worse than' or 'not distinguishable from', by the paired interval.

        Raises
        ------
        ConfigError
            For a metric or a baseline that was not judged.
        """
        chosen = find_metric(metric or self.headline)
        higher_is_better = chosen.higher_is_better
        if baseline not in self.differences:
            raise unknown("baseline", baseline, self.baselines)
        gap = self.differences[baseline][chosen.name]
        if gap.low <= 0 <= gap.high:
            return "not distinguishable from"
        return "better than" if (gap.low > 0) == higher_is_better else "worse than"

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "Evaluation":
        """Return what `dataclasses.asdict` or `figures` gave of an evaluation, also after a journey through JSON."""

        def by_metric(by_model: Mapping[str, Any]) -> dict[str, dict[str, Estimate]]:
            return {
                name: {metric: Estimate(**value) for metric, value in values.items()}
                for name, values in by_model.items()
            }

        return cls(
            rows=plain["rows"],
            customers=plain["customers"],
            label_rate=plain["label_rate"],
            estimates=by_metric(plain["estimates"]),
            differences=by_metric(plain["differences"]),
            bins={
                name: tuple(
                    CalibrationBin(**{**bin_figures, "observed": Estimate(**bin_figures["observed"])})
                    for bin_figures in bins
                )
                for name, bins in plain.get("bins", {}).items()
            },
            gains={name: tuple(shares) for name, shares in plain.get("gains", {}).items()},
        )

    def figures(self) -> dict[str, Any]:
        """Return sizes, metrics of every model and differences to the baselines as plain JSON values."""
        plain = asdict(self)
        del plain["bins"], plain["gains"]
        return {**plain, "grade": self.grade}


def calibration_bins(labels: Floats, propensities: Floats, customers: Ints) -> tuple[CalibrationBin, ...]:
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
        CalibrationBin(int(n), round(float(mean_propensity), DIGITS), wilson(float(rate), float(effective)))
        for n, mean_propensity, rate, effective in zip(sizes, predicted, observed, worth, strict=True)
    )


DRAWS = 300
DEPTHS = np.arange(0, 41) / 40


def evaluate(
    labels: ArrayLike,
    propensities: Mapping[str, ArrayLike],
    customers: ArrayLike,
    *,
    stakes: Stakes = NO_STAKES,
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
    stakes
        Each row's spend in the horizon, and the campaign against the outcome, where they are to be measured.
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
    by_model = {name: np.asarray(values, dtype=np.float64) for name, values in propensities.items()}
    names, codes = np.unique(np.asarray(customers), return_inverse=True)
    _check_propensities(truth, by_model, codes)
    prepared = {
        name: WeightedPropensities.prepare(truth, values, codes, stakes) for name, values in by_model.items()
    }
    figures = _figures_of_models(prepared, len(names), draws, seed)
    bins = {name: calibration_bins(truth, values, codes) for name, values in by_model.items()}
    return Evaluation(len(truth), len(names), round(float(truth.mean()), DIGITS), bins=bins, **figures)


def evaluate_amounts(
    amounts: ArrayLike,
    expected: Mapping[str, ArrayLike],
    customers: ArrayLike,
    *,
    medians: Mapping[str, ArrayLike] | None = None,
    draws: int = DRAWS,
    seed: int = 7,
) -> Evaluation:
    """Return how every model's expected amounts did on the same out-of-time rows, each with a 95 % interval.

    Parameters
    ----------
    amounts
        True spend in the horizon, in euros.  # (n_rows,)
    expected
        Name to expected spend in euros; the first is the model, the rest its baselines.
    customers
        Whose row it is: any ids or codes. Rows of one customer are drawn together.
    medians
        Name to predictions that are medians, in euros: of them alone an absolute error is measured.
    draws, seed
        Bootstrap draws (percentile interval), and their seed.

    Raises
    ------
    InputError
        When lengths differ, or an expected amount is no finite number.
    NotEnoughDataError
        When nothing was spent, or only one customer is there.

    Examples
    --------
    >>> found = evaluate_amounts([0, 0, 3, 9], {"model": [1, 0, 4, 7]}, ["a", "b", "c", "d"])
    >>> found.estimates["model"]["total_ratio"].value
    1.0
    """
    truth = np.asarray(amounts, dtype=np.float64)
    by_model = {name: np.asarray(values, dtype=np.float64) for name, values in expected.items()}
    median_by_model = {name: np.asarray(values, dtype=np.float64) for name, values in (medians or {}).items()}
    names, codes = np.unique(np.asarray(customers), return_inverse=True)
    _check_amounts(
        truth, by_model | {f"median of {name}": values for name, values in median_by_model.items()}, codes
    )
    prepared = {
        name: WeightedAmounts.prepare(truth, values, codes, median_by_model.get(name))
        for name, values in by_model.items()
    }
    figures = _figures_of_models(prepared, len(names), draws, seed)
    return Evaluation(len(truth), len(names), round(float((truth > 0).mean()), DIGITS), bins={}, **figures)


def _figures_of_models(
    prepared: Mapping[str, WeightedPropensities] | Mapping[str, WeightedAmounts],
    customers: int,
    draws: int,
    seed: int,
) -> dict[str, Any]:
    """Return estimates, differences of the first to the others, and gains of models prepared on the same rows."""
    everyone = np.ones((1, customers))
    drawn = _bootstrap_metrics(prepared, customers, draws, seed)
    values = {name: rows.measure(everyone)[:, 0] for name, rows in prepared.items()}
    model, *baselines = prepared
    metrics = {name: rows.metrics for name, rows in prepared.items()}
    curves = {name: captured_shares(*rows.curve(everyone), DEPTHS)[0] for name, rows in prepared.items()}
    return {
        "estimates": {name: _with_intervals(metrics[name], values[name], drawn[name]) for name in prepared},
        "differences": {
            name: _paired_differences(metrics[model], metrics[name], (values, drawn), (model, name))
            for name in baselines
        },
        "gains": {name: tuple(curve.round(DIGITS).tolist()) for name, curve in curves.items()},
    }


def _bootstrap_metrics(
    prepared: Mapping[str, WeightedPropensities] | Mapping[str, WeightedAmounts],
    customers: int,
    draws: int,
    seed: int,
) -> dict[str, Floats]:
    """Each model's metrics under the same draws of customers.  # (n_metrics, n_draws) each"""
    drawn: dict[str, list[Floats]] = {name: [] for name in prepared}
    for weights in bootstrap_weights(customers, draws, seed):
        for name, rows in prepared.items():
            drawn[name].append(rows.measure(weights, noises=2))
    return {name: np.concatenate(parts, axis=1) for name, parts in drawn.items()}


def _with_intervals(metrics: Sequence[Metric], values: Floats, drawn: Floats) -> dict[str, Estimate]:
    low, high = np.nanquantile(drawn, (0.025, 0.975), axis=1)
    rows = zip(metrics, values.tolist(), low.tolist(), high.tolist(), strict=True)
    return {metric.name: rounded_estimate(value, low, high) for metric, value, low, high in rows}


def _paired_differences(
    metrics: Sequence[Metric],
    baseline_metrics: Sequence[Metric],
    figures: tuple[Mapping[str, Floats], Mapping[str, Floats]],
    names: tuple[str, str],
) -> dict[str, Estimate]:
    """The model's figures minus the baseline's, for what both are judged by, with paired intervals."""
    shared = [metric for metric in metrics if metric in baseline_metrics]
    model_index, baseline_index = (
        [metrics.index(metric) for metric in shared],
        [baseline_metrics.index(metric) for metric in shared],
    )
    gaps = [
        np.stack(
            [
                m.gain(values[names[0]][i]) - m.gain(values[names[1]][j])
                for m, i, j in zip(shared, model_index, baseline_index, strict=True)
            ]
        )
        for values in figures
    ]
    return _with_intervals(shared, *gaps)


def _check_propensities(labels: Floats, propensities: Mapping[str, Floats], customers: Ints) -> None:
    for name, values in propensities.items():
        if not len(values) == len(labels) == len(customers):
            raise InputError(
                f"'{name}' has {len(values)} propensities for {len(labels)} labels and {len(customers)} "
                f"customers; give one of each per row."
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
            f"{len(labels)} test rows of {len(np.unique(customers))} customers have only the labels "
            f"{outcomes.tolist()}; evaluation needs both outcomes and two customers. Add test snapshots."
        )


def _check_amounts(amounts: Floats, expected: Mapping[str, Floats], customers: Ints) -> None:
    for name, values in expected.items():
        if not len(values) == len(amounts) == len(customers):
            raise InputError(
                f"'{name}' has {len(values)} amounts for {len(amounts)} true ones and {len(customers)} "
                f"customers; give one of each per row."
            )
        if not np.isfinite(values).all():
            raise InputError(
                f"'{name}' has {values[~np.isfinite(values)][0]} among its amounts; give numbers."
            )
    if not amounts.sum() > 0 or len(np.unique(customers)) < 2:
        raise NotEnoughDataError(
            f"{len(amounts)} test rows of {len(np.unique(customers))} customers spent {amounts.sum():.2f} in all; "
            "evaluation needs spend and two customers. Add test snapshots."
        )
