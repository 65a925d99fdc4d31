"""The decision's compiled loops: demand at prices, placing within limits, meeting minima, improving.

Options are columns, `worth` (n_customers, n_options) holds minus infinity where one is not allowed, and option 0 is
doing nothing: always allowed, and free of every limit. Importing this imports numba.
"""

from math import exp, log
from typing import Any

import numpy as np

from sintonia.compiled import compiled

Array = np.ndarray[Any, Any]

NEGLIGIBLE = 25.0
"""Temperatures below the best at which an option's share is nothing: exp(-25) of one customer."""


@compiled()
def soft_demand(worth: Array, price: Array, temperature: float, demand: Array, pairs: Array) -> float:
    """Return the customers' summed soft maximum of worth - price; add up their shares and products of shares.

    `demand` (n_options,) and `pairs` (n_options, n_options) are added to: sums of s and of s s', where s is a
    customer's softmax over options at the temperature.
    """
    n_options = len(price)
    share = np.zeros(n_options)
    place = np.zeros(n_options, np.int64)
    total = 0.0
    for row in range(len(worth)):
        best = worth[row, 0] - price[0]
        for option in range(1, n_options):
            best = max(best, worth[row, option] - price[option])
        count, mass = 0, 0.0
        for option in range(n_options):
            behind = (best - (worth[row, option] - price[option])) / temperature
            if behind < NEGLIGIBLE:
                share[count] = exp(-behind)
                place[count] = option
                mass += share[count]
                count += 1
        for one in range(count):
            share[one] /= mass
            demand[place[one]] += share[one]
            for other in range(one + 1):
                pairs[place[one], place[other]] += share[one] * share[other]
        total += best + temperature * log(mass)
    return total


@compiled()
def hard_demand(worth: Array, price: Array) -> float:
    """Return the sum of each customer's best worth - price."""
    total = 0.0
    for row in range(len(worth)):
        best = worth[row, 0] - price[0]
        for option in range(1, len(price)):
            best = max(best, worth[row, option] - price[option])
        total += best
    return total


@compiled()
def step_within(curvature: Array, gradient: Array, low: Array, high: Array, step: Array) -> None:
    """Fill the step in [low, high] that minimises gradient . step + step . curvature . step / 2, by coordinates.

    Coordinates without curvature go to the end of their box that the gradient points away from.
    """
    n = len(step)
    slope = gradient.copy()
    for _ in range(1000):
        largest = 0.0
        for one in range(n):
            if curvature[one, one] > 0.0:
                wanted = step[one] - slope[one] / curvature[one, one]
            else:
                wanted = low[one] if slope[one] > 0.0 else (high[one] if slope[one] < 0.0 else step[one])
            change = min(max(wanted, low[one]), high[one]) - step[one]
            if change != 0.0:
                step[one] += change
                for other in range(n):
                    slope[other] += change * curvature[other, one]
                largest = max(largest, abs(change) / (high[one] - low[one]))
        if largest < 1e-9:
            break


@compiled()
def draw(worth: Array, price: Array, temperature: float, chance: Array, target: Array, margin: Array) -> None:
    """Fill each customer's option, drawn from its softmax by `chance` in [0, 1), and its lead over the next best.

    Customers who are not near a tie draw their best; those who are share themselves out as the prices ask.
    """
    n_options = len(price)
    for row in range(len(worth)):
        best, mass = worth[row, 0] - price[0], 0.0
        for option in range(1, n_options):
            best = max(best, worth[row, option] - price[option])
        for option in range(n_options):
            mass += exp((worth[row, option] - price[option] - best) / temperature)
        left, chosen = chance[row] * mass, 0
        for option in range(n_options):
            part = exp((worth[row, option] - price[option] - best) / temperature)
            if part > 0.0:
                chosen = option
                left -= part
                if left < 0.0:
                    break
        other = -np.inf
        for option in range(n_options):
            if option != chosen:
                other = max(other, worth[row, option] - price[option])
        target[row] = chosen
        margin[row] = worth[row, chosen] - price[chosen] - other


@compiled()
def _fits(weight: Array, used: Array, at_most: Array, old: int, new: int) -> bool:
    """Return whether moving one customer from option `old` to `new` keeps every limit it adds to."""
    for limit in range(len(used)):
        more = weight[limit, new] - weight[limit, old]
        if more > 0.0 and used[limit] + more > at_most[limit]:
            return False
    return True


@compiled()
def _keeps(weight: Array, used: Array, at_least: Array, old: int, new: int) -> bool:
    """Return whether the move leaves every minimum met that was met, and none further away."""
    for limit in range(len(used)):
        less = weight[limit, old] - weight[limit, new]
        if less > 0.0 and used[limit] - less < at_least[limit]:
            return False
    return True


@compiled()
def _move(weight: Array, used: Array, old: int, new: int) -> None:
    for limit in range(len(used)):
        used[limit] += weight[limit, new] - weight[limit, old]


@compiled()
def place(
    worth: Array, price: Array, order: Array, weight: Array, at_most: Array, choice: Array, used: Array
) -> None:
    """Replace, in the order given, each customer's choice that no longer fits by the best that does at the prices.

    `used` (n_limits,) comes as zeros and leaves as what the choices take of each limit.
    """
    for at in range(len(order)):
        row = order[at]
        wanted = choice[row]
        if not _fits(weight, used, at_most, 0, wanted):
            wanted, best = 0, worth[row, 0] - price[0]
            for option in range(1, len(price)):
                kept = worth[row, option] - price[option]
                if kept > best and _fits(weight, used, at_most, 0, option):
                    wanted, best = option, kept
        choice[row] = wanted
        _move(weight, used, 0, wanted)


@compiled()
def cheapest(worth: Array, choice: Array, wants: Array, option: Array, loss: Array) -> None:
    """Fill, for customers whose choice adds nothing to a limit, the option that does at the least loss (inf: none).

    `wants` (n_options,) is what each option adds to the limit.
    """
    for row in range(len(worth)):
        option[row], loss[row] = 0, np.inf
        if wants[choice[row]] <= 0.0:
            for other in range(1, len(wants)):
                if wants[other] > 0.0 and worth[row, other] > -np.inf:
                    gives = worth[row, choice[row]] - worth[row, other]
                    if gives < loss[row]:
                        option[row], loss[row] = other, gives


@compiled()
def meet(
    limit: int,
    order: Array,
    option: Array,
    weight: Array,
    at_most: Array,
    at_least: Array,
    choice: Array,
    used: Array,
) -> None:
    """Move customers in the order given to the option that adds to the limit, until its minimum is met."""
    for at in range(len(order)):
        if used[limit] >= at_least[limit]:
            break
        row = order[at]
        old, new = choice[row], option[row]
        if _fits(weight, used, at_most, old, new) and _keeps(weight, used, at_least, old, new):
            choice[row] = new
            _move(weight, used, old, new)


@compiled()
def improve(
    worth: Array,
    order: Array,
    weight: Array,
    at_most: Array,
    at_least: Array,
    choice: Array,
    used: Array,
) -> int:
    """Return how many customers, in the order given, moved to the most worthy option that still fits."""
    moved = 0
    for at in range(len(order)):
        row = order[at]
        old = choice[row]
        new, best = old, worth[row, old]
        for option in range(worth.shape[1]):
            if (
                worth[row, option] > best
                and _fits(weight, used, at_most, old, option)
                and _keeps(weight, used, at_least, old, option)
            ):
                new, best = option, worth[row, option]
        if new != old:
            choice[row] = new
            _move(weight, used, old, new)
            moved += 1
    return moved


@compiled()
def best_hours(
    start: Array,
    hour: Array,
    count: Array,
    prior: Array,
    segment: Array,
    strength: float,
    rows: Array,
    slot: Array,
    opens: Array,
    best: Array,
    score: Array,
) -> None:
    """Fill by customer, channel and day the hour of the day with most of the customer's visits, and their share.

    Visits to `hour` (of the week) are those from `start[row]` to `start[row + 1]`, each counted half at its hour and
    a quarter at those beside it, and lean on `prior[segment]` as if on `strength` visits. `slot` (n_slots, 3) is each
    hour that comes: hour of the week, day, hour of the day; `opens` (n_channels, n_slots) says when a channel may be
    used. A day without such an hour keeps -1 and a share of 0; of equal hours the first is taken.
    """
    rate = np.zeros(168)
    for at in range(len(rows)):
        row = rows[at]
        visits = strength
        for one in range(168):
            rate[one] = strength * prior[segment[row], one]
        for entry in range(start[row], start[row + 1]):
            visits += count[entry]
            rate[hour[entry]] += count[entry] / 2.0
            rate[(hour[entry] + 1) % 168] += count[entry] / 4.0
            rate[(hour[entry] + 167) % 168] += count[entry] / 4.0
        for channel in range(len(opens)):
            for one in range(len(slot)):
                day, share = slot[one, 1], rate[slot[one, 0]] / max(visits, 1e-12)
                if opens[channel, one] and (best[row, channel, day] < 0 or share > score[row, channel, day]):
                    best[row, channel, day] = slot[one, 2]
                    score[row, channel, day] = share
