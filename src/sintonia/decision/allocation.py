"""One option for each customer, all together worth the most that limits allow, and how far from it at worst."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sintonia.decision import kernels
from sintonia.decision.limits import Limit
from sintonia.decision.prices import Prices, Worth, find_prices

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

TRIES, FEW = 16, 100_000  # draws tried, if there are so few customers: one in a hundred matters among them
ROUNDS = 4  # of improving: each finds what the moves of the one before made room for


@dataclass(frozen=True)
class Allocation:
    """What was chosen and what it costs to be limited.

    `choice` (n_customers,) is each one's option; `used` and `shadow_price` (n_limits,) what the choices take of each
    limit, and what one unit more of it would add; `value` their worth, `bound` what no allocation can exceed.
    """

    choice: Ints
    value: float
    bound: float
    used: Floats
    shadow_price: Floats
    prices: Prices

    @property
    def gap(self) -> float:
        """The share of the bound that may have been missed."""
        return max(self.bound - self.value, 0.0) / abs(self.bound) if self.bound else 0.0


def allocate(worth: Worth, limits: Sequence[Limit], threads: int = 1, seed: int = 0) -> Allocation:
    """Return the choices within all limits that are worth the most, to within the gap they are returned with.

    Every maximum is kept. A minimum is met as far as those for whom its options are allowed, and the maxima, let it.

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
    weight = np.array([limit.weight for limit in limits]).reshape(len(limits), worth.shape[1])
    at_most = np.array([limit.at_most for limit in limits])
    at_least = np.array([limit.at_least for limit in limits])
    prices = find_prices(worth, limits, threads)
    bounds = _Bounds(weight, at_most, at_least)
    tries = max(3, min(TRIES, FEW // max(len(worth), 1)))
    found = [_round(worth, prices, bounds, np.random.default_rng([seed, one])) for one in range(tries)]
    choice, used, value = max(found, key=lambda one: one[2])
    # Against what was possible: a minimum that could not be met is taken as low as it was.
    bound = prices.bound + float(prices.of_minimum @ np.maximum(at_least - used, 0))
    return Allocation(choice, value, bound, used, prices.of_limit, prices)


@dataclass(frozen=True)
class _Bounds:
    weight: Floats  # (n_limits, n_options)
    at_most: Floats
    at_least: Floats


def _round(
    worth: Worth, prices: Prices, bounds: _Bounds, rng: np.random.Generator
) -> tuple[Ints, Floats, float]:
    """Return one choice a customer, what the choices take of each limit, and their worth.

    What customers draw at the prices exceeds a limit by few, those for whom it matters the least; these take the
    next best, and what is then left over goes to whom it is worth the most.
    """
    n, weight, at_most, at_least = len(worth), bounds.weight, bounds.at_most, bounds.at_least
    choice, margin, used = np.empty(n, np.int64), np.empty(n), np.zeros(len(at_most))
    kernels.draw(worth, prices.of_option, prices.temperature, rng.random(n), choice, margin)
    order = np.argsort(-margin, kind="stable")
    kernels.place(worth, prices.of_option, order, weight, at_most, choice, used)
    _meet_minima(worth, choice, used, bounds)
    for _ in range(ROUNDS):
        gain = _best(worth) - _chosen(worth, choice)
        hopeful = np.flatnonzero(gain > 0)
        hopeful = hopeful[np.argsort(-gain[hopeful], kind="stable")]
        if not kernels.improve(worth, hopeful, weight, at_most, at_least, choice, used):
            break
    return choice, used, float(_chosen(worth, choice).astype(np.float64).sum())


def _meet_minima(worth: Worth, choice: Ints, used: Floats, bounds: _Bounds) -> None:
    """Move customers, those who lose the least first, to options of which a minimum is not met."""
    option, loss = np.empty(len(worth), np.int64), np.empty(len(worth))
    for limit in np.flatnonzero(used < bounds.at_least).tolist():
        kernels.cheapest(worth, choice, bounds.weight[limit], option, loss)
        able = np.flatnonzero(np.isfinite(loss))
        able = able[np.argsort(loss[able], kind="stable")]
        kernels.meet(limit, able, option, bounds.weight, bounds.at_most, bounds.at_least, choice, used)


def _best(worth: Worth) -> Worth:
    best: Worth = worth.max(axis=1, initial=-np.inf)
    return best


def _chosen(worth: Worth, choice: Ints) -> Worth:
    chosen: Worth = np.take_along_axis(worth, choice[:, np.newaxis], axis=1)[:, 0]
    return chosen
