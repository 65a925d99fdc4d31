"""Compiled loops of decisions: the best hours of customers, demand at prices, assignment within limits.

Options are columns: `worth` (n_customers, n_options) is minus infinity where an option is not allowed, and option 0 is
doing nothing, which is always allowed and uses nothing of any limit. Importing this module imports numba.
"""

from math import exp, log
from typing import NamedTuple

import numpy as np

from sintonia.core.arrays import Array
from sintonia.core.jit import compiled


class Visits(NamedTuple):
    """Visits by hour of the week with their `weight`: those of a customer are `start[row]` to `start[row + 1]`."""

    start: Array
    hour: Array
    weight: Array


class SegmentPrior(NamedTuple):
    """The prior of visits: the profile (n_segments, 168) of each customer's segment, with a weight in visits."""

    profile: Array
    segment: Array
    strength: float


class OpenHours(NamedTuple):
    """The hours ahead, `slot` (n_slots, 3): hour of the week, day, hour of the day; and those each use allows.

    `opens` (n_uses, n_slots) has the indices of the allowed ones, -1 after the last.
    """

    slot: Array
    opens: Array


class BestHours(NamedTuple):
    """By customer, use and day the best hour of the day, -1 for none, and its share of the visits."""

    hour: Array
    share: Array


@compiled()
def best_hours(
    visits: Visits, prior: SegmentPrior, rows: Array, open_hours: OpenHours, best: BestHours
) -> None:
    """Fill in, for these customers, by use and day, the hour with most of the customer's visits, and their share.

    A visit counts half at its hour and a quarter at the hour before and after. A day without an allowed hour keeps -1
    and a share of 0; of ties the first hour is taken.
    """
    rate = np.zeros(168)
    for at in range(len(rows)):
        row = rows[at]
        total = max(prior.strength, 1e-12)
        for slot in range(168):
            rate[slot] = prior.strength * prior.profile[prior.segment[row], slot]
        for entry in range(visits.start[row], visits.start[row + 1]):
            count, hour = visits.weight[entry], visits.hour[entry]
            total += count
            rate[hour] += count / 2.0
            rate[(hour + 1) % 168] += count / 4.0
            rate[(hour + 167) % 168] += count / 4.0
        for use in range(len(open_hours.opens)):
            for slot in open_hours.opens[use]:
                if slot < 0:
                    break
                day, visited = open_hours.slot[slot, 1], np.float32(rate[open_hours.slot[slot, 0]] / total)
                if best.hour[row, use, day] < 0 or visited > best.share[row, use, day]:
                    best.hour[row, use, day] = open_hours.slot[slot, 2]
                    best.share[row, use, day] = visited


class LimitMatrix(NamedTuple):
    """What each option uses of each limit, (n_limits, n_options), with the limits' maxima and minima."""

    weight: Array
    at_most: Array
    at_least: Array


class Assigned(NamedTuple):
    """Each customer's option, (n_customers,), and what all of them use of each limit, (n_limits,)."""

    choice: Array
    used: Array


class BestChoices(NamedTuple):
    """Each customer's option, (n_customers,), and its margin over the second best."""

    choice: Array
    margin: Array


NEGLIGIBLE = 25.0
"""Temperatures below the best at which an option's share is nothing: exp(-25) of one customer."""


@compiled()
def soft_demand(worth: Array, price: Array, temperature: float, demand: Array, pairs: Array) -> float:
    """Return the customers' summed soft maximum of worth - price, and add up shares and products of shares.

    `demand` (n_options,) and `pairs` (n_options, n_options) are added to: sums of s and of s s', where s is a
    customer's softmax over options at the temperature.
    """
    n_options = len(price)
    share = np.zeros(n_options)
    option_of = np.zeros(n_options, np.int64)
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
                option_of[count] = option
                mass += share[count]
                count += 1
        for first in range(count):
            share[first] /= mass
            demand[option_of[first]] += share[first]
            for second in range(first + 1):
                pairs[option_of[first], option_of[second]] += share[first] * share[second]
        total += best + temperature * log(mass)
    return total


@compiled()
def total_surplus(worth: Array, price: Array) -> float:
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
    """Fill in the step in [low, high] that minimises the quadratic model gradient . s + s . curvature . s / 2.

    Coordinate descent; a coordinate without curvature goes to the end of its box against the gradient.
    """
    n = len(step)
    slope = gradient.copy()
    for _ in range(1000):
        largest = 0.0
        for axis in range(n):
            if curvature[axis, axis] > 0.0:
                target = step[axis] - slope[axis] / curvature[axis, axis]
            else:
                target = low[axis] if slope[axis] > 0.0 else (high[axis] if slope[axis] < 0.0 else step[axis])
            change = min(max(target, low[axis]), high[axis]) - step[axis]
            if change != 0.0:
                step[axis] += change
                for other_axis in range(n):
                    slope[other_axis] += change * curvature[other_axis, axis]
                largest = max(largest, abs(change) / (high[axis] - low[axis]))
        if largest < 1e-9:
            break


@compiled()
def draw_choices(worth: Array, price: Array, temperature: float, chance: Array, choices: BestChoices) -> None:
    """Fill in each customer's option, drawn from its softmax by `chance` in [0, 1), and its margin.

    Customers far from a tie get their best option; customers near a tie are divided as the prices require.
    """
    n_options = len(price)
    for row in range(len(worth)):
        best, mass = worth[row, 0] - price[0], 0.0
        for option in range(1, n_options):
            best = max(best, worth[row, option] - price[option])
        for option in range(n_options):
            mass += exp((worth[row, option] - price[option] - best) / temperature)
        remaining, chosen = chance[row] * mass, 0
        for option in range(n_options):
            weight = exp((worth[row, option] - price[option] - best) / temperature)
            if weight > 0.0:
                chosen = option
                remaining -= weight
                if remaining < 0.0:
                    break
        second_best = -np.inf
        for option in range(n_options):
            if option != chosen:
                second_best = max(second_best, worth[row, option] - price[option])
        choices.choice[row] = chosen
        choices.margin[row] = worth[row, chosen] - price[chosen] - second_best


@compiled()
def _fits_maxima(bounds: LimitMatrix, used: Array, old: int, new: int) -> bool:
    """Return whether moving one customer from option `old` to `new` exceeds no maximum."""
    for limit in range(len(used)):
        more = bounds.weight[limit, new] - bounds.weight[limit, old]
        if more > 0.0 and used[limit] + more > bounds.at_most[limit]:
            return False
    return True


@compiled()
def _keeps_minima(bounds: LimitMatrix, used: Array, old: int, new: int) -> bool:
    """Return whether the move leaves no minimum unmet that was met, and none further away."""
    for limit in range(len(used)):
        less = bounds.weight[limit, old] - bounds.weight[limit, new]
        if less > 0.0 and used[limit] - less < bounds.at_least[limit]:
            return False
    return True


@compiled()
def _move_customer(bounds: LimitMatrix, used: Array, old: int, new: int) -> None:
    """Update what is used when one customer moves from option `old` to `new`."""
    for limit in range(len(used)):
        used[limit] += bounds.weight[limit, new] - bounds.weight[limit, old]


@compiled()
def choose_within_limits(
    worth: Array, price: Array, order: Array, bounds: LimitMatrix, taken: Assigned
) -> None:
    """Replace, in this order, each choice that exceeds a maximum by the best option at the prices that fits.

    What the choices use is added to `taken.used`, which excludes them at first.
    """
    for at in range(len(order)):
        row = order[at]
        option_taken = taken.choice[row]
        if not _fits_maxima(bounds, taken.used, 0, option_taken):
            option_taken, best = 0, worth[row, 0] - price[0]
            for option in range(1, len(price)):
                net_worth = worth[row, option] - price[option]
                if net_worth > best and _fits_maxima(bounds, taken.used, 0, option):
                    option_taken, best = option, net_worth
        taken.choice[row] = option_taken
        _move_customer(bounds, taken.used, 0, option_taken)


@compiled()
def cheapest_switch(worth: Array, choice: Array, adds: Array, option: Array, loss: Array) -> None:
    """Fill in, for customers whose choice adds nothing to a limit, the option that does at the least loss (inf: none).

    `adds` (n_options,) is what each option adds to the limit.
    """
    for row in range(len(worth)):
        option[row], loss[row] = 0, np.inf
        if adds[choice[row]] <= 0.0:
            for candidate in range(1, len(adds)):
                if adds[candidate] > 0.0 and worth[row, candidate] > -np.inf:
                    gives = worth[row, choice[row]] - worth[row, candidate]
                    if gives < loss[row]:
                        option[row], loss[row] = candidate, gives


@compiled()
def meet_minimum(limit: int, order: Array, option: Array, bounds: LimitMatrix, taken: Assigned) -> None:
    """Move customers in this order to the option that adds to the limit, until its minimum is met."""
    for at in range(len(order)):
        if taken.used[limit] >= bounds.at_least[limit]:
            break
        row = order[at]
        old, new = taken.choice[row], option[row]
        if _fits_maxima(bounds, taken.used, old, new) and _keeps_minima(bounds, taken.used, old, new):
            taken.choice[row] = new
            _move_customer(bounds, taken.used, old, new)


@compiled()
def improve_choices(worth: Array, order: Array, bounds: LimitMatrix, taken: Assigned) -> int:
    """Return how many customers, in this order, moved to an option of higher worth that fits the limits."""
    moved = 0
    for at in range(len(order)):
        row = order[at]
        old = taken.choice[row]
        new, best = old, worth[row, old]
        for option in range(worth.shape[1]):
            if (
                worth[row, option] > best
                and _fits_maxima(bounds, taken.used, old, option)
                and _keeps_minima(bounds, taken.used, old, option)
            ):
                new, best = option, worth[row, option]
        if new != old:
            taken.choice[row] = new
            _move_customer(bounds, taken.used, old, new)
            moved += 1
    return moved
