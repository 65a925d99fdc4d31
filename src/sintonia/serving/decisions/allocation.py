"""Allocation: one option for each customer, worth the most together within all limits, with an optimality bound.

Limits are capacities, minima and a budget. The dual of the linear programme, the sum of each customer's best worth -
price plus price times limit, is an upper bound on the worth of any allocation, at any prices. It is convex in a handful
of prices, so a smoothed version is minimised by Newton steps while the temperature falls, first on a sample of the
customers. Choices drawn at these prices are repaired to keep the limits, and improved.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from sintonia.core.arrays import Floats, Floats32, Ints
from sintonia.core.errors import ConfigError
from sintonia.serving.decisions import kernels
from sintonia.serving.decisions.kernels import Assigned, BestChoices, LimitMatrix


@dataclass(frozen=True)
class Limit:
    """A limit: one choice of an option uses `weight` (n_options,); all choices use `at_least` to `at_most` together.

    A capacity counts contacts (1 each), a budget cents. Doing nothing, option 0, uses nothing.
    """

    name: str
    weight: NDArray[np.float64]
    at_most: float = np.inf
    at_least: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a limit that nothing could keep."""
        if self.at_most < 0 or self.at_least > self.at_most:
            raise ConfigError(
                f"The limit '{self.name}' asks for at least {self.at_least:g} and at most {self.at_most:g}; "
                "give 0 <= at_least <= at_most."
            )
        if self.weight[0] != 0 or (self.weight < 0).any():
            raise ConfigError(
                f"The limit '{self.name}' has a weight for doing nothing, or a negative weight."
            )


def bounds_of(limits: Sequence[Limit], n_options: int) -> LimitMatrix:
    """Return the limits as arrays, one limit a row."""
    weight = np.array([limit.weight for limit in limits], np.float64).reshape(len(limits), n_options)
    at_most = np.array([limit.at_most for limit in limits], np.float64)
    return LimitMatrix(weight, at_most, np.array([limit.at_least for limit in limits], np.float64))


T = TypeVar("T")


CUSTOMERS_PER_SUM = 1 << 16
"""Customers of a partial sum: blocks are added in order, whatever the number of threads."""

SAMPLE_CUSTOMERS = 1 << 16  # for the first, rough prices
COOLING = 0.3
COLDEST = 1e-4  # of the mean gain: there a soft maximum differs from a maximum only at ties
MAX_STEPS = 60
TRUST_REGION = 8.0  # first step, in temperatures of price
PRECISION = 1e-7  # predicted decrease, relative to the dual, below which steps stop
CEILING = 50.0  # highest price, in largest gains, of a minimum that cannot be met


@dataclass(frozen=True)
class LimitSide:
    """One side of a limit in the dual: price >= 0, `weight` (n_options,) times choices <= `bound`.

    A minimum is a maximum with both signs reversed.
    """

    limit: int
    sign: float
    weight: Floats
    bound: float


@dataclass(frozen=True)
class Prices:
    """The prices of the limits, and the bound that they prove.

    `of_limit` (n_limits,) is a maximum's price minus a minimum's, `of_minimum` the latter; `of_option` (n_options,)
    follows from them. No allocation within the limits is worth more than `bound`; `temperature` is that of the last
    step.
    """

    of_limit: Floats
    of_minimum: Floats
    of_option: Floats
    temperature: float
    bound: float


def limit_sides(limits: Sequence["Limit"]) -> list[LimitSide]:
    """Return the sides of limits that can bind, a maximum and a minimum being one each."""
    sides = []
    for at, limit in enumerate(limits):
        if np.isfinite(limit.at_most):
            sides.append(LimitSide(at, 1.0, limit.weight, limit.at_most))
        if limit.at_least > 0:
            sides.append(LimitSide(at, -1.0, -limit.weight, -limit.at_least))
    return sides


def find_prices(worth: Floats32, limits: Sequence["Limit"], threads: int = 1) -> Prices:
    """Return the prices at which customers, each choosing its best option, keep the limits.

    Parameters
    ----------
    worth
        (n_customers, n_options), minus infinity where not allowed; option 0 is nothing.
    limits
        What options take, and how much of it there is.
    threads
        Speed and nothing else.
    """
    priced_sides, n_limits = limit_sides(limits), len(limits)
    scale, ceiling = _worth_scales(worth)
    coldest = COLDEST * scale
    price = np.zeros(len(priced_sides))
    if priced_sides and len(worth):
        sampled = worth[:: -(-len(worth) // SAMPLE_CUSTOMERS)]
        temperature = scale
        while True:
            last = temperature * COOLING <= coldest
            rough = sampled if len(sampled) < len(worth) and not last else worth
            dual = _DualProblem(rough, priced_sides, len(rough) / len(worth), threads)
            price = _minimise_dual(dual, price, temperature, CEILING * ceiling)
            if last:
                break
            temperature *= COOLING
        coldest = temperature
    of_limit, of_minimum = np.zeros(n_limits), np.zeros(n_limits)
    for side, side_price in zip(priced_sides, price, strict=True):
        of_limit[side.limit] += side.sign * side_price
        of_minimum[side.limit] += side_price * (side.sign < 0)
    dual = _DualProblem(worth, priced_sides, 1.0, threads)
    return Prices(of_limit, of_minimum, dual.of_options(price), coldest, dual.bound(price))


def _worth_scales(worth: Floats32) -> tuple[float, float]:
    """Return the mean gain over doing nothing of customers with a gain, and the largest difference in worth."""
    best = worth.max(axis=1, initial=-np.inf) - worth[:, 0] if len(worth) else np.zeros(0)
    gains = best[best > 0].astype(np.float64)
    finite = worth[np.isfinite(worth)]
    spread = float(finite.max() - finite.min()) if finite.size else 0.0
    return (float(gains.mean()) if gains.size else spread or 1.0), spread or 1.0


@dataclass(frozen=True)
class _DualProblem:
    """The dual of an allocation on a part of the customers; `part` is their share of all."""

    worth: Floats32
    sides: list[LimitSide]
    part: float
    threads: int

    @property
    def weight(self) -> Floats:
        """What options use of each side, (n_sides, n_options)."""
        return np.array([side.weight for side in self.sides]).reshape(len(self.sides), self.worth.shape[1])

    def of_options(self, price: Floats) -> Floats:
        """Return the price of each option."""
        options: Floats = price @ self.weight
        return options

    def _map_blocks(self, work: Callable[[Floats32], T]) -> list[T]:
        """Return the results of work on blocks of customers, in order."""
        blocks = [
            self.worth[first : first + CUSTOMERS_PER_SUM]
            for first in range(0, len(self.worth), CUSTOMERS_PER_SUM)
        ]
        if self.threads == 1 or len(blocks) < 2:
            return list(map(work, blocks))
        with ThreadPoolExecutor(self.threads) as pool:
            return list(pool.map(work, blocks))

    def bound(self, price: Floats) -> float:
        """Return the value of the dual: no allocation within the limits is worth more."""
        options = self.of_options(price)
        parts = self._map_blocks(lambda block: kernels.total_surplus(block, options))
        paid = price @ np.array([side.bound for side in self.sides])
        return float(sum(parts) + paid * self.part)

    def smooth(self, price: Floats, temperature: float) -> tuple[float, Floats, Floats]:
        """Return the smoothed dual at prices, its gradient and its Hessian."""
        options, n = self.of_options(price), self.worth.shape[1]

        def share(block: Floats32) -> tuple[float, Floats, Floats]:
            demand, pairs = np.zeros(n), np.zeros((n, n))
            return kernels.soft_demand(block, options, temperature, demand, pairs), demand, pairs

        parts = self._map_blocks(share)
        value = sum(part[0] for part in parts)
        demand = np.sum([part[1] for part in parts], axis=0)
        pairs = np.sum([part[2] for part in parts], axis=0)
        pairs = np.tril(pairs) + np.tril(pairs, -1).T
        bound = np.array([side.bound for side in self.sides]) * self.part
        weight = self.weight
        curvature = weight @ (np.diag(demand) - pairs) @ weight.T / temperature
        return value + float(price @ bound), bound - weight @ demand, curvature


def _minimise_dual(dual: _DualProblem, price: Floats, temperature: float, ceiling: float) -> Floats:
    """Return the prices in [0, ceiling] that minimise the smoothed dual, by Newton steps in a trust region.

    Shares change within a few temperatures of price, and a quadratic model is accurate only within them.
    """
    largest = np.array([np.abs(side.weight).max() for side in dual.sides])
    reach = np.full(len(price), TRUST_REGION * temperature) / largest
    value, gradient, curvature = dual.smooth(price, temperature)
    for _ in range(MAX_STEPS):
        step = np.zeros(len(price))
        low, high = np.maximum(-price, -reach), np.minimum(ceiling / largest - price, reach)
        kernels.step_within(curvature, gradient, low, high, step)
        predicted_gain = -float(gradient @ step + step @ curvature @ step / 2)
        if predicted_gain <= PRECISION * abs(value):
            break
        proposal = dual.smooth(price + step, temperature)
        gain_ratio = (value - proposal[0]) / predicted_gain
        if gain_ratio > 0:
            price, (value, gradient, curvature) = price + step, proposal
        reach *= 0.3 if gain_ratio < 0.25 else 3.0 if gain_ratio > 0.6 else 1.0
    return price


TRIES, TRIES_TIMES_CUSTOMERS = 16, 100_000
"""Most draws that are tried, and their number times customers: luck matters most with few customers."""

IMPROVEMENT_ROUNDS = 4  # of improvement: each uses what the moves of the previous one freed


@dataclass(frozen=True)
class Allocation:
    """The chosen options and the cost of the limits.

    `choice` (n_customers,) is each customer's option; `used` and `shadow_price` (n_limits,) are what the choices use of
    each limit, and the worth of one more unit of it; `value` is the total worth, `bound` its upper bound.
    """

    choice: Ints
    value: float
    bound: float
    used: Floats
    shadow_price: Floats
    prices: Prices

    @property
    def gap(self) -> float:
        """The optimality gap: the share of the bound that is possibly missed."""
        return max(self.bound - self.value, 0.0) / abs(self.bound) if self.bound else 0.0


def allocate(worth: Floats32, limits: Sequence[Limit], threads: int = 1, seed: int = 0) -> Allocation:
    """Return the choices of highest total worth within all limits, up to the optimality gap returned.

    Every maximum is kept. A minimum is met as far as the maxima and the customers allowed its options permit.

    Parameters
    ----------
    worth
        (n_customers, n_options): what each option is worth for each customer, minus infinity where it is not
        allowed. Option 0 is doing nothing, allowed for everybody.
    limits
        What options take of what there is.
    threads
        Speed and nothing else.
    seed
        Of the draw among customers to whom two options are worth the same at the prices.

    Examples
    --------
    >>> worth = np.array([[0, 5, 4], [0, 3, 1], [0, 2, 2]], np.float32)
    >>> one_each = [Limit("mail", np.array([0.0, 1, 0]), 1), Limit("call", np.array([0.0, 0, 1]), 1)]
    >>> found = allocate(worth, one_each)
    >>> found.choice.tolist(), found.value
    ([2, 1, 0], 7.0)
    """
    assert worth.ndim == 2
    assert worth.shape[1] > 0
    bounds, prices = bounds_of(limits, worth.shape[1]), find_prices(worth, limits, threads)
    tries = max(3, min(TRIES, TRIES_TIMES_CUSTOMERS // max(len(worth), 1)))
    candidates = [
        _round_to_choices(worth, prices, bounds, np.random.default_rng([seed, attempt]))
        for attempt in range(tries)
    ]
    best = max(candidates, key=lambda attempt: _total_worth(worth, attempt))
    value = _total_worth(worth, best)
    # The bound counts an unmet minimum only as far as it was met.
    bound = prices.bound + float(prices.of_minimum @ np.maximum(bounds.at_least - best.used, 0))
    return Allocation(best.choice, value, bound, best.used, prices.of_limit, prices)


def _round_to_choices(
    worth: Floats32, prices: Prices, bounds: LimitMatrix, rng: np.random.Generator
) -> Assigned:
    """Return one choice a customer, and what the choices use of each limit.

    Choices drawn at the prices exceed a limit by few customers; those with the least to lose take their next best
    option, and the remaining capacity goes to the customers who gain most.
    """
    n = len(worth)
    drawn = BestChoices(np.empty(n, np.int64), np.empty(n))
    kernels.draw_choices(worth, prices.of_option, prices.temperature, rng.random(n), drawn)
    taken = Assigned(drawn.choice, np.zeros(len(bounds.at_most)))
    kernels.choose_within_limits(
        worth, prices.of_option, np.argsort(-drawn.margin, kind="stable"), bounds, taken
    )
    _meet_minima(worth, bounds, taken)
    for _ in range(IMPROVEMENT_ROUNDS):
        gain = _best_worth(worth) - _choice_worth(worth, taken.choice)
        hopeful = np.flatnonzero(gain > 0)
        if not kernels.improve_choices(
            worth, hopeful[np.argsort(-gain[hopeful], kind="stable")], bounds, taken
        ):
            break
    return taken


def _meet_minima(worth: Floats32, bounds: LimitMatrix, taken: Assigned) -> None:
    """Move customers, those with the least loss first, to options whose minimum is not met."""
    option, loss = np.empty(len(worth), np.int64), np.empty(len(worth))
    for limit in np.flatnonzero(taken.used < bounds.at_least).tolist():
        kernels.cheapest_switch(worth, taken.choice, bounds.weight[limit], option, loss)
        able = np.flatnonzero(np.isfinite(loss))
        kernels.meet_minimum(limit, able[np.argsort(loss[able], kind="stable")], option, bounds, taken)


def _total_worth(worth: Floats32, taken: Assigned) -> float:
    """Return the total worth of the choices."""
    return float(_choice_worth(worth, taken.choice).sum(dtype=np.float64))


def _best_worth(worth: Floats32) -> Floats32:
    """Return each customer's highest worth."""
    best: Floats32 = worth.max(axis=1, initial=-np.inf)
    return best


def _choice_worth(worth: Floats32, choice: Ints) -> Floats32:
    """Return the worth of each customer's choice."""
    choices: Floats32 = np.take_along_axis(worth, choice[:, np.newaxis], axis=1)[:, 0]
    return choices
