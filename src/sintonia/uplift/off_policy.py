"""What a policy would have brought, from decisions another policy took: IPS, self-normalised IPS, doubly robust.

A policy is the probability of each action at each decision, (n, n_actions). Every value is a mean over decisions
of the reward less the action's cost, with a 95 % interval whose errors are clustered by customer.

Value against share treated: the gain curve of many actions, its area (AUUC) and Qini, under one definition.

Each decision has a score and one recommended action. The curve at share q is the mean, over all decisions, of what
the policy brings that gives the q highest scores their recommended action and the others nothing, less what giving
nobody anything brings. AUUC is the area under the curve over q in [0, 1]; Qini is AUUC less the area under the straight
line to the curve's end, which is what treating at random brings: area between a ranking and chance, in units of
reward a decision. With one action this is the usual uplift curve. Equal scores are treated together: the curve is
straight across them.
"""

from dataclasses import dataclass

import numpy as np

from sintonia.core.arrays import Floats, Ints
from sintonia.core.intervals import Estimate, clustered_mean
from sintonia.uplift.logged import LoggedDecisions


def doubly_robust_scores(log: LoggedDecisions, expected: Floats) -> Floats:
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
    values = expected - log.actions.costs
    error = log.reward - expected[rows, log.action]
    values[rows, log.action] += error / log.taken_propensities
    return np.asarray(values, np.float64)


def importance_weights(log: LoggedDecisions, policy: Floats) -> Floats:
    """Return how many decisions of the policy each logged one stands for.  # (n,)"""
    ratios: Floats = policy[np.arange(len(log)), log.action] / log.taken_propensities
    return ratios


def net_reward(log: LoggedDecisions) -> Floats:
    """Return the reward less the cost of what was done.  # (n,)"""
    net: Floats = log.reward - log.actions.costs[log.action]
    return net


def ips(log: LoggedDecisions, policy: Floats) -> Estimate:
    """Return the value by inverse propensity scores (Horvitz and Thompson 1952)."""
    return clustered_mean(importance_weights(log, policy) * net_reward(log), log.customer)


def snips(log: LoggedDecisions, policy: Floats) -> Estimate:
    """Return the value by inverse propensity scores over their sum (Swaminathan and Joachims 2015).

    The interval is that of a ratio, linearised. NaN when the policy never did what was logged.
    """
    ratios, reward = importance_weights(log, policy), net_reward(log)
    if not ratios.sum():
        return Estimate(float("nan"), float("nan"), float("nan"))
    value = float(ratios @ reward / ratios.sum())
    errors = clustered_mean(ratios * (reward - value) / ratios.mean(), log.customer)
    return Estimate(value, value + errors.low - errors.value, value + errors.high - errors.value)


def doubly_robust(scores: Floats, policy: Floats, customer: Ints) -> Estimate:
    """Return the value by doubly robust scores."""
    return clustered_mean((policy * scores).sum(axis=1), customer)


def difference(scores: Floats, policy: Floats, baseline: Floats, customer: Ints) -> Estimate:
    """Return by how much the policy is better than the other, on the same decisions."""
    return clustered_mean(((policy - baseline) * scores).sum(axis=1), customer)


@dataclass(frozen=True)
class Overlap:
    """How well the log covers a policy: the effective number of decisions, and the largest weight."""

    effective: float
    largest: float


def overlap(log: LoggedDecisions, policy: Floats) -> Overlap:
    """Return Kish's effective number of decisions under the policy's weights, and the largest weight."""
    ratios = importance_weights(log, policy)
    squares = float((ratios**2).sum())
    return Overlap(float(ratios.sum()) ** 2 / squares if squares else 0.0, float(ratios.max(initial=0.0)))


@dataclass(frozen=True)
class GainCurve:
    """A gain curve: shares treated, gain a decision at each; its areas and its gain at each tenth, with intervals."""

    share: Floats  # (n_points,)
    gain: Floats  # (n_points,)
    auuc: Estimate
    qini: Estimate
    deciles: tuple[Estimate, ...]  # at 10 %, 20 %, ... 100 % treated

    def at(self, shares: Floats) -> Floats:
        """Return the gain at these shares treated."""
        return np.interp(shares, self.share, self.gain)


def gain_curve(score: Floats, recommended: Ints, scores: Floats, customer: Ints) -> GainCurve:
    """Return the gain curve of a ranking, by per-decision guesses of what each action would have brought.

    Parameters
    ----------
    score
        Who goes first.  # (n,)
    recommended
        Place of the action each would get; 0 where there is nothing to give.  # (n,)
    scores
        Doubly robust scores of `doubly_robust_scores`; with an expectation of 0 they are inverse propensity scores.
        # (n, n_actions)

    Examples
    --------
    >>> brought = np.array([[0.0, 4.0], [0.0, 0.0]])
    >>> curve = gain_curve(np.array([0.9, 0.1]), np.array([1, 1]), brought, np.array([1, 2]))
    >>> curve.share.tolist(), curve.gain.tolist(), curve.auuc.value, curve.qini.value
    ([0.0, 0.5, 1.0], [0.0, 2.0, 2.0], 1.5, 0.5)
    """
    n = len(score)
    added = scores[np.arange(n), recommended] - scores[:, 0]
    order = np.argsort(-score, kind="stable")
    ends = np.flatnonzero(np.diff(score[order], append=np.nan) != 0) + 1
    ends_from_zero = np.concatenate([[0], ends])
    gain = np.concatenate([[0.0], added[order].cumsum()[ends - 1]]) / n
    # A decision adds what it brings to all of the curve after its turn: on average over equals, the middle of theirs.
    after, begin, size = np.empty(n), np.empty(n), np.empty(n)
    after[order] = np.repeat(1 - (ends_from_zero[:-1] + ends_from_zero[1:]) / 2 / n, np.diff(ends_from_zero))
    begin[order] = np.repeat(ends_from_zero[:-1], np.diff(ends_from_zero))
    size[order] = np.repeat(np.diff(ends_from_zero), np.diff(ends_from_zero))
    treated = (np.clip((tenth / 10 * n - begin) / size, 0, 1) for tenth in range(1, 11))
    return GainCurve(
        share=ends_from_zero / n,
        gain=gain,
        auuc=clustered_mean(after * added, customer),
        qini=clustered_mean((after - 0.5) * added, customer),
        deciles=tuple(clustered_mean(share * added, customer) for share in treated),
    )
