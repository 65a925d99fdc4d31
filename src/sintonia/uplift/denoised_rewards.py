"""Rewards without the luck of the basket: an action makes customers come, and chance decides what they take.

A reward of money is made of orders, and what each is worth varies more than anything an action changes. Its
expectation, given how many orders there were, what was known of the customer and what was done, has the same mean for
every kind of customer and every action (law of total expectation) and varies less, as in Rao and Blackwell's theorem;
with the orders alone it would be the surrogate index of Athey, Chetty, Imbens and Kang (2019), which has to
assume that an action changes nothing else.

What orders are worth also says how much a reward varies: they come by chance, about as a Poisson's, so its variance is
what is expected of it times the worth of an order.
"""

from dataclasses import dataclass

import numpy as np

from sintonia.core.arrays import Floats, Floats32, Ints
from sintonia.core.config import ModelConfig
from sintonia.uplift.forests import Examples, grow_outcome_trees, tree_inputs
from sintonia.uplift.logged import Logged

LEAST = 50
"""Fewest decisions with orders, in every fold of customers, that the worth of an order is learned from."""

SMALL = 0.2
"""Share of the mean worth of an order below which nobody's orders are taken to be worth less."""


@dataclass(frozen=True)
class Steadied:
    """Rewards without the luck of the basket, and what an order of each decision's customer is worth, above 0."""

    reward: Floats  # (n,)
    worth: Floats  # (n,)


def steadied(log: Logged, fold: Ints, config: ModelConfig, seed: int) -> Steadied:
    """Return what each decision's orders are worth on average, by forests that have not seen the customer.

    An order is worth what the forests say of it, and a mean under the action that leaves nothing to add: orders of an
    action are worth together what they brought. Without an order the reward is 0.
    Where rewards are not made of orders, or of too few, they are returned as they are, and orders are worth 1.
    """
    folds, as_is = int(fold.max()) + 1, Steadied(log.reward, np.ones(len(log)))
    if log.orders is None:
        return as_is
    bought = np.flatnonzero(log.orders)
    some, whose, orders = log.take(bought), fold[bought], log.orders[bought].astype(np.float64)
    if np.bincount(whose, minlength=folds).min() < LEAST:
        return as_is
    count = len(log.actions)
    each = np.maximum(np.bincount(some.action, orders, count), 1.0)
    mean = np.bincount(some.action, some.reward, count) / each
    rows = _rows(some, some.action, orders)
    target = some.reward / orders - mean[some.action]
    grown = grow_outcome_trees(Examples(rows, target, whose, orders), folds, config, seed, constant=False)
    one = _rows(log, np.zeros(len(log), np.int64), np.ones(len(log)))
    added, worth = np.zeros(len(bought)), np.zeros(len(log))
    for place, forest in enumerate(grown.without):
        mine = whose == place
        added[mine] = forest.say(rows[mine])
        worth[fold == place] = forest.say(one[fold == place])
    # An action that moves those who buy cheaply has cheap orders: its mean and the forests would both say so.
    mean = np.bincount(some.action, some.reward - orders * added, count) / each
    reward = np.zeros(len(log))
    reward[bought] = orders * (mean[some.action] + added)
    worth += mean[0]
    usual = float(worth.mean())
    return Steadied(reward, np.maximum(worth, SMALL * usual) if usual > 0 else as_is.worth)


def _rows(log: Logged, action: Ints, orders: Floats) -> Floats32:
    """Return what the worth of an order is learned from: how many there were, features, the action."""
    return np.hstack([orders[:, None].astype(np.float32), tree_inputs(log.values, log.actions, action)])
