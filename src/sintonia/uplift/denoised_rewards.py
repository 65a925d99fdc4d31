"""Rewards without the luck of the basket: an action makes customers come, and chance decides what they take.

A reward of money is made of orders, and what each is worth varies more than anything an action changes. Its
expectation, given how many orders there were, what was known of the customer and what was done, has the same mean for
every kind of customer and every action (law of total expectation) and varies less, as in Rao and Blackwell's theorem;
with the orders alone it would be the surrogate index of Athey, Chetty, Imbens and Kang (2019), which has to
assume that an action changes nothing else.

The value of orders also determines the variance of a reward: they come about as a Poisson process, so its variance is
what is expected of it times the worth of an order.
"""

from dataclasses import dataclass

import numpy as np

from sintonia.core.arrays import Floats, Floats32, Ints
from sintonia.core.config import ModelConfig
from sintonia.uplift.forests import TrainingExamples, grow_outcome_trees, tree_inputs
from sintonia.uplift.logged import LoggedDecisions

MIN_DECISIONS_WITH_ORDERS = 50
"""Fewest decisions with orders, in every fold of customers, that the worth of an order is learned from."""

MIN_WORTH_SHARE = 0.2
"""Share of the mean worth of an order below which nobody's orders are taken to be worth less."""


@dataclass(frozen=True)
class DenoisedRewards:
    """Rewards without the luck of the basket, and what an order of each decision's customer is worth, above 0."""

    reward: Floats  # (n,)
    worth: Floats  # (n,)


def denoised_rewards(log: LoggedDecisions, fold: Ints, config: ModelConfig, seed: int) -> DenoisedRewards:
    """Return what each decision's orders are worth on average, by forests that have not seen the customer.

    An order is worth what the forests say of it, and a mean under the action that leaves nothing to add: orders of an
    action are worth together what they brought. Without an order the reward is 0.
    Where rewards are not made of orders, or of too few, they are returned as they are, and orders are worth 1.
    """
    folds, unchanged = int(fold.max()) + 1, DenoisedRewards(log.reward, np.ones(len(log)))
    if log.orders is None:
        return unchanged
    with_orders = np.flatnonzero(log.orders)
    ordered, order_fold, orders = (
        log.take(with_orders),
        fold[with_orders],
        log.orders[with_orders].astype(np.float64),
    )
    if np.bincount(order_fold, minlength=folds).min() < MIN_DECISIONS_WITH_ORDERS:
        return unchanged
    count = len(log.actions)
    orders_by_action = np.maximum(np.bincount(ordered.action, orders, count), 1.0)
    action_mean = np.bincount(ordered.action, ordered.reward, count) / orders_by_action
    inputs = _order_inputs(ordered, ordered.action, orders)
    target = ordered.reward / orders - action_mean[ordered.action]
    forests = grow_outcome_trees(
        TrainingExamples(inputs, target, order_fold, orders), folds, config, seed, constant=False
    )
    one_order = _order_inputs(log, np.zeros(len(log), np.int64), np.ones(len(log)))
    residual_worth, worth = np.zeros(len(with_orders)), np.zeros(len(log))
    for held_out, forest in enumerate(forests.without_fold):
        in_fold = order_fold == held_out
        residual_worth[in_fold] = forest.predict_rows(inputs[in_fold])
        worth[fold == held_out] = forest.predict_rows(one_order[fold == held_out])
    # An action that moves those who buy cheaply has cheap orders: its mean and the forests would both say so.
    action_mean = (
        np.bincount(ordered.action, ordered.reward - orders * residual_worth, count) / orders_by_action
    )
    reward = np.zeros(len(log))
    reward[with_orders] = orders * (action_mean[ordered.action] + residual_worth)
    worth += action_mean[0]
    mean_worth = float(worth.mean())
    return DenoisedRewards(
        reward, np.maximum(worth, MIN_WORTH_SHARE * mean_worth) if mean_worth > 0 else unchanged.worth
    )


def _order_inputs(log: LoggedDecisions, action: Ints, orders: Floats) -> Floats32:
    """Return what the worth of an order is learned from: how many there were, features, the action."""
    return np.hstack([orders[:, None].astype(np.float32), tree_inputs(log.values, log.actions, action)])
