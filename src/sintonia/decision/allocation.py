"""One option for each customer, all together worth the most that limits allow, and how far from it at worst."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sintonia.arrays import Floats, Floats32, Ints
from sintonia.decision import kernels
from sintonia.decision.kernels import BestChoices, LimitMatrix, Taken
from sintonia.decision.limits import Limit, bounds_of
from sintonia.decision.prices import Prices, find_prices

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


def allocate(worth: Floats32, limits: Sequence[Limit], threads: int = 1, seed: int = 0) -> Allocation:
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
    bounds, prices = bounds_of(limits, worth.shape[1]), find_prices(worth, limits, threads)
    tries = max(3, min(TRIES, FEW // max(len(worth), 1)))
    found = [_round(worth, prices, bounds, np.random.default_rng([seed, one])) for one in range(tries)]
    taken = max(found, key=lambda one: _value(worth, one))
    value = _value(worth, taken)
    # Against what was possible: a minimum that could not be met is taken as low as it was.
    bound = prices.bound + float(prices.of_minimum @ np.maximum(bounds.at_least - taken.used, 0))
    return Allocation(taken.choice, value, bound, taken.used, prices.of_limit, prices)


def _round(worth: Floats32, prices: Prices, bounds: LimitMatrix, rng: np.random.Generator) -> Taken:
    """Return one choice a customer, and what the choices take of each limit.

    What customers draw at the prices exceeds a limit by few, those for whom it matters the least; these take the
    next best, and what is then left over goes to whom it is worth the most.
    """
    n = len(worth)
    wanted = BestChoices(np.empty(n, np.int64), np.empty(n))
    kernels.draw(worth, prices.of_option, prices.temperature, rng.random(n), wanted)
    taken = Taken(wanted.choice, np.zeros(len(bounds.at_most)))
    kernels.choose_within_limits(
        worth, prices.of_option, np.argsort(-wanted.margin, kind="stable"), bounds, taken
    )
    _meet_minima(worth, bounds, taken)
    for _ in range(ROUNDS):
        gain = _best(worth) - _chosen(worth, taken.choice)
        hopeful = np.flatnonzero(gain > 0)
        if not kernels.improve(worth, hopeful[np.argsort(-gain[hopeful], kind="stable")], bounds, taken):
            break
    return taken


def _meet_minima(worth: Floats32, bounds: LimitMatrix, taken: Taken) -> None:
    """Move customers, those who lose the least first, to options of which a minimum is not met."""
    option, loss = np.empty(len(worth), np.int64), np.empty(len(worth))
    for limit in np.flatnonzero(taken.used < bounds.at_least).tolist():
        kernels.cheapest(worth, taken.choice, bounds.weight[limit], option, loss)
        able = np.flatnonzero(np.isfinite(loss))
        kernels.meet(limit, able[np.argsort(loss[able], kind="stable")], option, bounds, taken)


def _value(worth: Floats32, taken: Taken) -> float:
    return float(_chosen(worth, taken.choice).sum(dtype=np.float64))


def _best(worth: Floats32) -> Floats32:
    best: Floats32 = worth.max(axis=1, initial=-np.inf)
    return best


def _chosen(worth: Floats32, choice: Ints) -> Floats32:
    chosen: Floats32 = np.take_along_axis(worth, choice[:, np.newaxis], axis=1)[:, 0]
    return chosen
