"""What a policy would have brought, from decisions another policy took: IPS, self-normalised IPS, doubly robust.

A policy is the probability of each action at each decision, (n, n_actions). Every value is a mean over decisions
of the reward less the action's cost, with a 95 % interval whose errors are clustered by customer.
"""

from dataclasses import dataclass

import numpy as np

from sintonia.core.arrays import Floats, Ints
from sintonia.core.intervals import Estimate, clustered_mean
from sintonia.uplift.logged import Logged


def scores(log: Logged, expected: Floats) -> Floats:
    """Return doubly robust scores: an unbiased guess of what each action would have brought.  # (n, n_actions)

    The expected reward, plus, for the action that was taken, its error over its logging propensity, less the
    cost (Robins, Rotnitzky and Zhao 1994; for policies Dudik, Langford and Li 2011). Unbiased when `expected`
    comes from other customers and the logging propensities are right.

    Parameters
    ----------
    expected
        Expected reward of each action at each decision, costs not taken off.  # (n, n_actions)
    """
    rows = np.arange(len(log))
    found = expected - log.actions.costs
    error = log.reward - expected[rows, log.action]
    found[rows, log.action] += error / log.taken_propensities
    return np.asarray(found, np.float64)


def weights(log: Logged, policy: Floats) -> Floats:
    """Return how many decisions of the policy each logged one stands for.  # (n,)"""
    found: Floats = policy[np.arange(len(log)), log.action] / log.taken_propensities
    return found


def net_reward(log: Logged) -> Floats:
    """Return the reward less the cost of what was done.  # (n,)"""
    found: Floats = log.reward - log.actions.costs[log.action]
    return found


def ips(log: Logged, policy: Floats) -> Estimate:
    """Return the value by inverse propensity scores (Horvitz and Thompson 1952)."""
    return clustered_mean(weights(log, policy) * net_reward(log), log.customer)


def snips(log: Logged, policy: Floats) -> Estimate:
    """Return the value by inverse propensity scores over their sum (Swaminathan and Joachims 2015).

    The interval is that of a ratio, linearised. NaN when the policy never did what was logged.
    """
    weighed, reward = weights(log, policy), net_reward(log)
    if not weighed.sum():
        return Estimate(float("nan"), float("nan"), float("nan"))
    value = float(weighed @ reward / weighed.sum())
    errors = clustered_mean(weighed * (reward - value) / weighed.mean(), log.customer)
    return Estimate(value, value + errors.low - errors.value, value + errors.high - errors.value)


def doubly_robust(scores: Floats, policy: Floats, customer: Ints) -> Estimate:
    """Return the value by doubly robust scores."""
    return clustered_mean((policy * scores).sum(axis=1), customer)


def difference(scores: Floats, policy: Floats, other: Floats, customer: Ints) -> Estimate:
    """Return by how much the policy is better than the other, on the same decisions."""
    return clustered_mean(((policy - other) * scores).sum(axis=1), customer)


@dataclass(frozen=True)
class Overlap:
    """How much of a policy the log can tell of: the effective number of decisions, and the largest weight."""

    effective: float
    largest: float


def overlap(log: Logged, policy: Floats) -> Overlap:
    """Return Kish's effective number of decisions under the policy's weights, and the largest weight."""
    found = weights(log, policy)
    squares = float((found**2).sum())
    return Overlap(float(found.sum()) ** 2 / squares if squares else 0.0, float(found.max(initial=0.0)))
