"""Maximum likelihood over positive parameters: gradient steps on their logarithms from several starts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from sintonia.core.arrays import Floats
from sintonia.core.errors import NotEnoughDataError
from sintonia.features.clv.repeats import Repeats

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult

LogLikelihood: TypeAlias = Callable[[Floats], tuple[float, Floats]]
"""From the parameters to the log likelihood and its gradient by them."""

MIN_REPEATERS = 50
"""Customers who came back, at least: some ten a parameter, as in the models of four of them."""


SEARCH_SAMPLE = 20_000
"""Customers on whom the starts are tried; their parameters are within some percent of everybody's."""

SLOPE_TOLERANCE = 1e-5
"""Slope of the loss a customer below which a point is a maximum: a fraction of a standard error away at most."""


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
class MeanLikelihood:
    """A log likelihood on so many customers."""

    likelihood: LogLikelihood
    customers: float

    def loss(self, logs: Floats) -> tuple[float, Floats]:
        """Return minus the log likelihood a customer at these logarithms of the parameters, and its gradient."""
        values = np.exp(logs)
        log_likelihood, gradient = self.likelihood(values)
        return -log_likelihood / self.customers, -gradient * values / self.customers


@dataclass(frozen=True)
class DistinctCustomers:
    """The distinct rows of a fit, and how many customers have each: a million customers are fewer rows."""

    frequency: Floats
    recency_days: Floats
    age_days: Floats
    customers: Floats

    def every(self, n: int) -> "DistinctCustomers":
        """Return the rows of every n-th customer, counted in the order of the rows.

        Examples
        --------
        >>> days = np.array([0.0, 1.0, 2.0])
        >>> rows = DistinctCustomers(days, days, days, customers=np.array([4.0, 1.0, 5.0]))
        >>> rows.every(4).frequency.tolist(), rows.every(4).customers.tolist()
        ([0.0, 2.0], [1.0, 1.0])
        """
        counts = np.diff(np.cumsum(self.customers) // n, prepend=0)
        sampled = counts > 0
        return DistinctCustomers(
            self.frequency[sampled], self.recency_days[sampled], self.age_days[sampled], counts[sampled]
        )


def distinct_customers(model: str, repeats: Repeats) -> DistinctCustomers:
    """Return the distinct (frequency, recency_days, age_days) of the customers who bought.

    Raises
    ------
    NotEnoughDataError
        When fewer than `MIN_REPEATERS` came back.
    """
    bought = repeats.bought
    rows = np.stack(
        [repeats.frequency[bought], repeats.recency_days[bought], repeats.age_days[bought]], axis=1
    )
    require_repeaters(model, int((rows[:, 0] > 0).sum()), "customers who bought on at least two days")
    # One number a row sorts ten times faster than rows do; days and counts are whole.
    sizes = rows.max(axis=0).astype(np.int64) + 1
    key = np.ravel_multi_index(tuple(rows.T.astype(np.int64)), tuple(sizes))
    keys, counts = np.unique(key, return_counts=True)
    x, recency_days, age_days = (values.astype(np.float64) for values in np.unravel_index(keys, tuple(sizes)))
    return DistinctCustomers(x, recency_days, age_days, counts.astype(np.float64))


def days_per_purchase(rows: DistinctCustomers) -> float:
    """Return the customers' days over their repeats: where the search for alpha / r starts."""
    return float((rows.customers @ rows.age_days + 1) / (rows.customers @ rows.frequency))


def require_repeaters(model: str, count: int, who: str) -> None:
    """Refuse a fit on fewer than `MIN_REPEATERS`.

    Examples
    --------
    >>> require_repeaters("BG/NBD", 7, "customers who bought on at least two days")
    Traceback (most recent call last):
    ...
    sintonia.core.errors.NotEnoughDataError: BG/NBD needs 50 customers who bought on at least two days to be fitted; \
found 7. Give a later date or a longer history.
    """
    if count < MIN_REPEATERS:
        raise NotEnoughDataError(
            f"{model} needs {MIN_REPEATERS} {who} to be fitted; found {count:,}. "
            "Give a later date or a longer history."
        )


def maximise(
    model: str,
    part: Callable[[int], MeanLikelihood],
    customers: int,
    starts: Sequence[Mapping[str, float]],
    bounds: Mapping[str, tuple[float, float]],
) -> tuple[dict[str, float], Fit]:
    """Return the parameters of the highest log likelihood found from the starts, and how it was found.

    `part(n)` is the objective on every n-th customer. The starts are tried on about `SEARCH_SAMPLE` customers; a last
    search on all of them begins at the best result, which is about ten times cheaper than starting far away.

    Raises
    ------
    NotEnoughDataError
        When no start leads to a maximum.
    """
    names = list(bounds)
    limits = np.log([bounds[name] for name in names])
    every = max(1, customers // SEARCH_SAMPLE)
    full = part(1)
    points = [np.log([start[name] for name in names]) for start in starts]
    optimum = _search(model, part(every) if every > 1 else full, points, limits)
    if every > 1:
        optimum = _search(model, full, [optimum.x], limits)
    errors = _standard_errors(full, optimum.x, optimum.jac, limits)
    values = dict(zip(names, np.exp(optimum.x).tolist(), strict=True))
    likelihood = -float(optimum.fun) * full.customers
    return values, Fit(customers, likelihood, dict(zip(names, errors, strict=False)))


def _search(
    model: str, objective: MeanLikelihood, points: Sequence[Floats], limits: Floats
) -> "OptimizeResult":
    """Return the best of the minima of the loss that the searches from these points settle in."""
    from scipy.optimize import minimize

    options = {"maxiter": 500, "ftol": 1e-13, "gtol": 1e-7}
    attempts = [
        minimize(objective.loss, point, jac=True, method="L-BFGS-B", bounds=limits, options=options)
        for point in points
    ]
    # A search that starts at the maximum of many customers may end for want of digits: there, the slope tells.
    settled = [
        attempt
        for attempt in attempts
        if np.isfinite(attempt.fun)
        and (attempt.success or _slope(attempt.x, attempt.jac, limits) < SLOPE_TOLERANCE)
    ]
    if not settled:
        raise NotEnoughDataError(
            f"{model} found no maximum of its likelihood on {objective.customers:,.0f} customers "
            f"({attempts[0].message}). Give more customers or a longer history."
        )
    return min(settled, key=lambda attempt: float(attempt.fun))


def _slope(logs: Floats, gradient: Floats, limits: Floats) -> float:
    """Return the steepest slope of the loss along which a step within the limits goes down."""
    return float(np.abs(np.clip(logs - gradient, limits[:, 0], limits[:, 1]) - logs).max())


def _standard_errors(
    objective: MeanLikelihood, logs: Floats, gradient: Floats, limits: Floats
) -> list[float]:
    """Return the standard errors of the parameters (delta method from their logarithms), or none.

    The curvature is a forward difference of the exact gradient.
    """
    step = 1e-4
    if np.any(np.abs(logs[:, None] - limits) < 2 * step):
        return []
    moves = np.eye(len(logs)) * step
    curvature = np.stack([(objective.loss(logs + move)[1] - gradient) / step for move in moves])
    information = objective.customers * (curvature + curvature.T) / 2
    if np.linalg.eigvalsh(information).min() <= 0:
        return []
    deviations = np.sqrt(np.diag(np.linalg.inv(information)))
    return [float(error) for error in np.exp(logs) * deviations]
