"""The prices at which customers, each choosing the best for itself, keep within what there is.

The dual of the linear programme: a customer's best worth - price, summed, plus price times limit, is an upper bound
on what any allocation can be worth, whatever the prices. It is convex in a handful of prices, so we minimise a
smoothed version by Newton steps while the temperature falls, first on a sample of the customers.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from sintonia.arrays import Floats, Floats32
from sintonia.decision import kernels

if TYPE_CHECKING:
    from sintonia.decision.limits import Limit

T = TypeVar("T")


CUSTOMERS_PER_SUM = (
    1 << 16
)  # customers of a partial sum: sums are of blocks in order, whatever the number of threads
SAMPLE = 1 << 16  # customers that find the prices roughly
COOLING = 0.3
COLDEST = 1e-4  # of the mean gain: there, a soft maximum is a maximum but for ties
STEPS = 60
TRUSTED = 8.0  # temperatures of price that a first step may go
PRECISION = 1e-7  # of the dual's value that a further step must promise
CEILING = 50.0  # price, in largest gains: a minimum that cannot be met must not cost more


@dataclass(frozen=True)
class Side:
    """One side of a limit as the dual has it: price >= 0, `weight` (n_options,) times choices <= `bound`.

    A minimum is a maximum with both signs turned.
    """

    limit: int
    sign: float
    weight: Floats
    bound: float


@dataclass(frozen=True)
class Prices:
    """What the limits cost at the customers' best, and what that proves.

    `of_limit` (n_limits,) is a maximum's price less a minimum's, `of_minimum` the latter; `of_option` (n_options,)
    follows. `bound` is what no allocation within the limits can exceed; `temperature` is that of the last step.
    """

    of_limit: Floats
    of_minimum: Floats
    of_option: Floats
    temperature: float
    bound: float


def sides(limits: Sequence["Limit"]) -> list[Side]:
    """Return the sides of limits that can bind, a maximum and a minimum being one each."""
    found = []
    for at, limit in enumerate(limits):
        if np.isfinite(limit.at_most):
            found.append(Side(at, 1.0, limit.weight, limit.at_most))
        if limit.at_least > 0:
            found.append(Side(at, -1.0, -limit.weight, -limit.at_least))
    return found


def find_prices(worth: Floats32, limits: Sequence["Limit"], threads: int = 1) -> Prices:
    """Return the prices of limits on what customers choose.

    Parameters
    ----------
    worth
        (n_customers, n_options), minus infinity where not allowed; option 0 is nothing.
    limits
        What options take, and how much of it there is.
    threads
        Speed and nothing else.
    """
    some, n_limits = sides(limits), len(limits)
    scale, ceiling = _scales(worth)
    coldest = COLDEST * scale
    price = np.zeros(len(some))
    if some and len(worth):
        sampled = worth[:: -(-len(worth) // SAMPLE)]
        temperature = scale
        while True:
            last = temperature * COOLING <= coldest
            rough = sampled if len(sampled) < len(worth) and not last else worth
            dual = _Dual(rough, some, len(rough) / len(worth), threads)
            price = _minimise(dual, price, temperature, CEILING * ceiling)
            if last:
                break
            temperature *= COOLING
        coldest = temperature
    of_limit, of_minimum = np.zeros(n_limits), np.zeros(n_limits)
    for side, found in zip(some, price, strict=True):
        of_limit[side.limit] += side.sign * found
        of_minimum[side.limit] += found * (side.sign < 0)
    dual = _Dual(worth, some, 1.0, threads)
    return Prices(of_limit, of_minimum, dual.of_options(price), coldest, dual.bound(price))


def _scales(worth: Floats32) -> tuple[float, float]:
    """Return the mean gain over doing nothing of those who have one, and the largest difference in worth."""
    best = worth.max(axis=1, initial=-np.inf) - worth[:, 0] if len(worth) else np.zeros(0)
    gains = best[best > 0].astype(np.float64)
    finite = worth[np.isfinite(worth)]
    spread = float(finite.max() - finite.min()) if finite.size else 0.0
    return (float(gains.mean()) if gains.size else spread or 1.0), spread or 1.0


@dataclass(frozen=True)
class _Dual:
    worth: Floats32
    sides: list[Side]
    part: float
    threads: int

    @property
    def weight(self) -> Floats:
        return np.array([side.weight for side in self.sides]).reshape(len(self.sides), self.worth.shape[1])

    def of_options(self, price: Floats) -> Floats:
        options: Floats = price @ self.weight
        return options

    def _of_blocks(self, work: Callable[[Floats32], T]) -> list[T]:
        blocks = [
            self.worth[first : first + CUSTOMERS_PER_SUM]
            for first in range(0, len(self.worth), CUSTOMERS_PER_SUM)
        ]
        if self.threads == 1 or len(blocks) < 2:
            return list(map(work, blocks))
        with ThreadPoolExecutor(self.threads) as pool:
            return list(pool.map(work, blocks))

    def bound(self, price: Floats) -> float:
        """Return the dual's value: no allocation within the limits is worth more."""
        options = self.of_options(price)
        parts = self._of_blocks(lambda block: kernels.hard_demand(block, options))
        paid = price @ np.array([side.bound for side in self.sides])
        return float(sum(parts) + paid * self.part)

    def smooth(self, price: Floats, temperature: float) -> tuple[float, Floats, Floats]:
        """Return the smoothed dual at prices, its gradient and its Hessian."""
        options, n = self.of_options(price), self.worth.shape[1]

        def share(block: Floats32) -> tuple[float, Floats, Floats]:
            demand, pairs = np.zeros(n), np.zeros((n, n))
            return kernels.soft_demand(block, options, temperature, demand, pairs), demand, pairs

        parts = self._of_blocks(share)
        value = sum(part[0] for part in parts)
        demand = np.sum([part[1] for part in parts], axis=0)
        pairs = np.sum([part[2] for part in parts], axis=0)
        pairs = np.tril(pairs) + np.tril(pairs, -1).T
        bound = np.array([side.bound for side in self.sides]) * self.part
        weight = self.weight
        curvature = weight @ (np.diag(demand) - pairs) @ weight.T / temperature
        return value + float(price @ bound), bound - weight @ demand, curvature


def _minimise(dual: _Dual, price: Floats, temperature: float, ceiling: float) -> Floats:
    """Return the prices in [0, ceiling] of the smoothed dual's minimum, by Newton steps within a trusted box.

    Shares change their shape within a few temperatures of price, and so far a quadratic model can be trusted.
    """
    largest = np.array([np.abs(side.weight).max() for side in dual.sides])
    reach = np.full(len(price), TRUSTED * temperature) / largest
    value, gradient, curvature = dual.smooth(price, temperature)
    for _ in range(STEPS):
        step = np.zeros(len(price))
        low, high = np.maximum(-price, -reach), np.minimum(ceiling / largest - price, reach)
        kernels.step_within(curvature, gradient, low, high, step)
        promised = -float(gradient @ step + step @ curvature @ step / 2)
        if promised <= PRECISION * abs(value):
            break
        found = dual.smooth(price + step, temperature)
        kept = (value - found[0]) / promised
        if kept > 0:
            price, (value, gradient, curvature) = price + step, found
        reach *= 0.3 if kept < 0.25 else 3.0 if kept > 0.6 else 1.0
    return price
