"""Maximum likelihood over positive parameters: gradient steps on their logarithms from several starts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from sintonia.behaviour.repeats import Floats, Repeats
from sintonia.errors import NotEnoughDataError

LogLikelihood: TypeAlias = Callable[[Floats], tuple[float, Floats]]
"""From the parameters to the log likelihood and its gradient by them."""

LEAST_REPEATERS = 50
"""Customers who came back, at least: some ten a parameter, as in the models of four of them."""


@dataclass(frozen=True)
class Fit:
    """How a model was fitted: on how many customers, to which log likelihood (times in days, money in cents).

    `standard_errors` come from the curvature at the maximum; it is empty where there is no inner maximum (a
    parameter ran to its bound because customers are all alike in that respect).
    """

    customers: int
    log_likelihood: float
    standard_errors: Mapping[str, float]


@dataclass(frozen=True)
class Tally:
    """The distinct rows of a fit, and how many customers have each: a million customers are few rows."""

    frequency: Floats
    recency_days: Floats
    age_days: Floats
    customers: Floats


def tally(model: str, repeats: Repeats) -> Tally:
    """Return the distinct (frequency, recency_days, age_days) of the customers who bought.

    Raises
    ------
    NotEnoughDataError
        When fewer than `LEAST_REPEATERS` came back.
    """
    bought = repeats.bought
    rows = np.stack(
        [repeats.frequency[bought], repeats.recency_days[bought], repeats.age_days[bought]], axis=1
    )
    need_repeaters(model, int((rows[:, 0] > 0).sum()), "customers who bought on at least two days")
    # One number a row sorts ten times faster than rows do; days and counts are whole.
    sizes = rows.max(axis=0).astype(np.int64) + 1
    key = np.ravel_multi_index(tuple(rows.T.astype(np.int64)), tuple(sizes))
    keys, counts = np.unique(key, return_counts=True)
    x, recency_days, age_days = (values.astype(np.float64) for values in np.unravel_index(keys, tuple(sizes)))
    return Tally(x, recency_days, age_days, counts.astype(np.float64))


def days_a_purchase(rows: Tally) -> float:
    """Return the customers' days over their repeats: where the search for alpha / r starts."""
    return float((rows.customers @ rows.age_days + 1) / (rows.customers @ rows.frequency))


def need_repeaters(model: str, found: int, who: str) -> None:
    """Refuse a fit on fewer than `LEAST_REPEATERS`.

    Examples
    --------
    >>> need_repeaters("BG/NBD", 7, "customers who bought on at least two days")
    Traceback (most recent call last):
    ...
    sintonia.errors.NotEnoughDataError: BG/NBD needs 50 customers who bought on at least two days to be fitted; \
found 7. Give a later date or a longer history.
    """
    if found < LEAST_REPEATERS:
        raise NotEnoughDataError(
            f"{model} needs {LEAST_REPEATERS} {who} to be fitted; found {found:,}. "
            "Give a later date or a longer history."
        )


def maximise(
    model: str,
    likelihood: LogLikelihood,
    starts: Sequence[Mapping[str, float]],
    bounds: Mapping[str, tuple[float, float]],
    customers: int,
) -> tuple[dict[str, float], Fit]:
    """Return the parameters of the highest log likelihood found from the starts, and how it was found.

    Raises
    ------
    NotEnoughDataError
        When no start leads to a maximum.
    """
    from scipy.optimize import minimize

    def loss(logs: Floats) -> tuple[float, Floats]:
        values = np.exp(logs)
        found, gradient = likelihood(values)
        return -found / customers, -gradient * values / customers

    names = list(bounds)
    limits = np.log([bounds[name] for name in names])
    tries = [
        minimize(
            loss,
            np.log([start[name] for name in names]),
            jac=True,
            method="L-BFGS-B",
            bounds=limits,
            options={"maxiter": 500, "ftol": 1e-13, "gtol": 1e-7},
        )
        for start in starts
    ]
    settled = [one for one in tries if one.success and np.isfinite(one.fun)]
    if not settled:
        raise NotEnoughDataError(
            f"{model} found no maximum of its likelihood on {customers:,} customers ({tries[0].message}). "
            "Give more customers or a longer history."
        )
    best = min(settled, key=lambda one: float(one.fun))
    errors = _standard_errors(loss, best.x, limits, customers)
    values = dict(zip(names, np.exp(best.x).tolist(), strict=True))
    return values, Fit(customers, -float(best.fun) * customers, dict(zip(names, errors, strict=False)))


def _standard_errors(loss: LogLikelihood, logs: Floats, limits: Floats, customers: int) -> list[float]:
    """Return the standard errors of the parameters (delta method from their logarithms), or none.

    The curvature is a central difference of the exact gradient.
    """
    step = 1e-4
    if np.any(np.abs(logs[:, None] - limits) < 2 * step):
        return []
    moves = np.eye(len(logs)) * step
    curvature = np.stack([(loss(logs + move)[1] - loss(logs - move)[1]) / (2 * step) for move in moves])
    information = customers * (curvature + curvature.T) / 2
    if np.linalg.eigvalsh(information).min() <= 0:
        return []
    deviations = np.sqrt(np.diag(np.linalg.inv(information)))
    return [float(error) for error in np.exp(logs) * deviations]
