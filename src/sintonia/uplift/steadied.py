"""Rewards without the luck of the basket: an action makes customers come, and chance decides what they take.

A reward of money is made of orders, and what each is worth varies more than anything an action changes. Its
expectation, given how many orders there were, what was known of the customer and what was done, has the same mean for
every kind of customer and every action (law of total expectation) and varies less, as in Rao and Blackwell's theorem;
with the orders alone it would be the surrogate index of Athey, Chetty, Imbens and Kang (2019), which has to
assume that an action changes nothing else.
"""

import numpy as np

from sintonia.config import ModelConfig
from sintonia.uplift.growing import Examples, grow, rows_of
from sintonia.uplift.log import Floats, Ints, Logged

LEAST = 50
"""Fewest decisions with orders, in every fold of customers, that the worth of an order is learned from."""


def steadied(log: Logged, fold: Ints, config: ModelConfig, seed: int) -> Floats:
    """Return what each decision's orders are worth on average, by forests that have not seen the customer.  # (n,)

    An order is worth its mean under the action, and what the forests add to that. Without an order it is 0. Where
    rewards are not made of orders, or of too few, they are returned as they are.
    """
    folds = int(fold.max()) + 1
    if log.orders is None:
        return log.reward
    bought = np.flatnonzero(log.orders)
    some, whose, orders = log.take(bought), fold[bought], log.orders[bought].astype(np.float64)
    if np.bincount(whose, minlength=folds).min() < LEAST:
        return log.reward
    count = len(log.actions)
    each = np.maximum(np.bincount(some.action, orders, count), 1.0)
    mean = (np.bincount(some.action, some.reward, count) / each)[some.action]
    known = rows_of(some.values, some.actions, some.action)
    rows = np.hstack([orders[:, None].astype(np.float32), known])
    grown = grow(
        Examples(rows, some.reward / orders - mean, whose, orders), folds, config, seed, constant=False
    )
    found = np.zeros(len(log))
    for place, forest in enumerate(grown.without):
        mine = whose == place
        found[bought[mine]] = orders[mine] * (mean[mine] + forest.say(rows[mine]))
    return found
