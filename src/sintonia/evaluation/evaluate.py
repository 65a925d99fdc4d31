"""Judging propensities and expected amounts out of time: metrics with intervals, paired differences, a grade.

Customers, not rows, are what is drawn again: one customer's snapshots resemble each other, and treating them
as independent makes every interval too narrow. All models share the draws, so differences are paired.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from sintonia.core.arrays import Floats, Ints
from sintonia.core.errors import InputError, NotEnoughDataError
from sintonia.core.intervals import DIGITS, Estimate, rounded_estimate
from sintonia.evaluation.classification import NO_STAKES, Stakes, WeightedPropensities
from sintonia.evaluation.estimates import Evaluation, calibration_bins
from sintonia.evaluation.metrics import Metric, captured, resampled
from sintonia.evaluation.regression import JudgedAmounts

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
    said = {name: np.asarray(values, dtype=np.float64) for name, values in propensities.items()}
    names, codes = np.unique(np.asarray(customers), return_inverse=True)
    _check(truth, said, codes)
    judged = {
        name: WeightedPropensities.prepare(truth, values, codes, stakes) for name, values in said.items()
    }
    told = _judge(judged, len(names), draws, seed)
    bins = {name: calibration_bins(truth, values, codes) for name, values in said.items()}
    return Evaluation(len(truth), len(names), round(float(truth.mean()), DIGITS), bins=bins, **told)


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
    said = {name: np.asarray(values, dtype=np.float64) for name, values in expected.items()}
    middle = {name: np.asarray(values, dtype=np.float64) for name, values in (medians or {}).items()}
    names, codes = np.unique(np.asarray(customers), return_inverse=True)
    _check_amounts(truth, said | {f"median of {name}": values for name, values in middle.items()}, codes)
    judged = {
        name: JudgedAmounts.prepare(truth, values, codes, middle.get(name)) for name, values in said.items()
    }
    told = _judge(judged, len(names), draws, seed)
    return Evaluation(len(truth), len(names), round(float((truth > 0).mean()), DIGITS), bins={}, **told)


def _judge(
    judged: Mapping[str, WeightedPropensities] | Mapping[str, JudgedAmounts],
    customers: int,
    draws: int,
    seed: int,
) -> dict[str, Any]:
    """Return estimates, differences of the first to the others, and gains of models prepared on the same rows."""
    everyone = np.ones((1, customers))
    drawn = _draw(judged, customers, draws, seed)
    values = {name: rows.measure(everyone)[:, 0] for name, rows in judged.items()}
    model, *baselines = judged
    metrics = {name: rows.metrics for name, rows in judged.items()}
    curves = {name: captured(*rows.curve(everyone), DEPTHS)[0] for name, rows in judged.items()}
    return {
        "estimates": {name: _estimates(metrics[name], values[name], drawn[name]) for name in judged},
        "differences": {
            name: _differences(metrics[model], metrics[name], (values, drawn), (model, name))
            for name in baselines
        },
        "gains": {name: tuple(curve.round(DIGITS).tolist()) for name, curve in curves.items()},
    }


def _draw(
    judged: Mapping[str, WeightedPropensities] | Mapping[str, JudgedAmounts],
    customers: int,
    draws: int,
    seed: int,
) -> dict[str, Floats]:
    """Each model's metrics under the same draws of customers.  # (n_metrics, n_draws) each"""
    drawn: dict[str, list[Floats]] = {name: [] for name in judged}
    for weights in resampled(customers, draws, seed):
        for name, rows in judged.items():
            drawn[name].append(rows.measure(weights, noises=2))
    return {name: np.concatenate(parts, axis=1) for name, parts in drawn.items()}


def _estimates(metrics: Sequence[Metric], values: Floats, drawn: Floats) -> dict[str, Estimate]:
    low, high = np.nanquantile(drawn, (0.025, 0.975), axis=1)
    each = zip(metrics, values.tolist(), low.tolist(), high.tolist(), strict=True)
    return {metric.name: rounded_estimate(value, low, high) for metric, value, low, high in each}


def _differences(
    metrics: Sequence[Metric],
    others: Sequence[Metric],
    figures: tuple[Mapping[str, Floats], Mapping[str, Floats]],
    names: tuple[str, str],
) -> dict[str, Estimate]:
    """The model's figures minus the baseline's, for what both are judged by, with paired intervals."""
    both = [metric for metric in metrics if metric in others]
    own, other = [metrics.index(metric) for metric in both], [others.index(metric) for metric in both]
    gaps = [
        np.stack(
            [
                m.gain(of[names[0]][i]) - m.gain(of[names[1]][j])
                for m, i, j in zip(both, own, other, strict=True)
            ]
        )
        for of in figures
    ]
    return _estimates(both, *gaps)


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


def _check_amounts(amounts: Floats, expected: Mapping[str, Floats], customers: Ints) -> None:
    for name, values in expected.items():
        if not len(values) == len(amounts) == len(customers):
            raise InputError(
                f"'{name}' has {len(values)} amounts for {len(amounts)} true ones and {len(customers)} "
                f"customers; give one of each a row."
            )
        if not np.isfinite(values).all():
            raise InputError(
                f"'{name}' has {values[~np.isfinite(values)][0]} among its amounts; give numbers."
            )
    if not amounts.sum() > 0 or len(np.unique(customers)) < 2:
        raise NotEnoughDataError(
            f"{len(amounts)} test rows of {len(np.unique(customers))} customers spent {amounts.sum():.2f} in all; "
            "judging needs spend and two customers. Add test snapshots."
        )
