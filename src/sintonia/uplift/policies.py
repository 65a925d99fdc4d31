"""Policies: the probability of each action at each decision, (n, n_actions), never of one that is not eligible.

A *gain* is what an action changes against doing nothing, in the unit of the reward's worth: effect x value - cost;
it is 0 for `none`. Of equal gains the action that comes first wins, so doing nothing wins over one without a gain.
"""

from collections.abc import Sequence

import numpy as np

from sintonia.core.arrays import Bools, Floats, Ints
from sintonia.uplift.folds import DRAW, uniform
from sintonia.uplift.logged import NONE, Actions


def gains(effects: Floats, actions: Actions, value: float = 1.0) -> Floats:
    """Return effect x value - cost of each action.  # (n, n_actions)"""
    net: Floats = effects * value - actions.costs
    return net


def constant_policy(eligible: Bools, action: int) -> Floats:
    """Return the policy that always takes one action, and `none` where that is not eligible."""
    allowed = eligible[:, action]
    return _deterministic(np.where(allowed, action, 0), eligible.shape[1])


def uniform_policy(eligible: Bools) -> Floats:
    """Return the policy that draws among the eligible actions, each as likely as the other."""
    policy: Floats = eligible / eligible.sum(axis=1, keepdims=True)
    return policy


def best_gain(gains: Floats, eligible: Bools, threshold: float = 0.0) -> Floats:
    """Return the policy of the highest gain; nothing is done where none exceeds the threshold.

    Examples
    --------
    >>> best_gain(np.array([[0.0, 2.0, 3.0], [0.0, -1.0, -2.0]]), np.ones((2, 3), bool)).tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    >>> best_gain(np.array([[0.0, 2.0, 3.0]]), np.array([[True, True, False]]), threshold=2.5).tolist()
    [[1.0, 0.0, 0.0]]
    """
    action, gain = best_action(gains, eligible)
    return _deterministic(np.where(gain > threshold, action, 0), gains.shape[1])


def sure_gain(gains: Floats, low: Floats, eligible: Bools, threshold: float = 0.0) -> Floats:
    """Return the policy of the highest gain among actions that significantly exceed the threshold, by the lower bound.

    Examples
    --------
    >>> sure_gain(np.array([[0.0, 2.0, 3.0]]), np.array([[0.0, 1.0, -4.0]]), np.ones((1, 3), bool)).tolist()
    [[0.0, 1.0, 0.0]]
    """
    return best_gain(gains, eligible & (low > threshold), threshold)


def best_action(gains: Floats, eligible: Bools) -> tuple[Ints, Floats]:
    """Return each decision's best action other than `none`, and its gain; -inf where none is eligible."""
    allowed = np.where(eligible, gains, -np.inf)[:, 1:]
    index = allowed.argmax(axis=1)
    return index + 1, allowed[np.arange(len(gains)), index]


def softmax(gains: Floats, eligible: Bools, temperature: float, floor: float = 0.0) -> Floats:
    """Return the policy that prefers an action e times as much for each `temperature` of gain it has more.

    No eligible action is left with less than `floor`, so that what is done today can be judged tomorrow.
    """
    scaled = np.where(eligible, gains, -np.inf) / temperature
    shares = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return with_floor(shares / shares.sum(axis=1, keepdims=True), eligible, floor)


def thompson(
    gains: Floats, errors: Floats, eligible: Bools, floor: float = 0.0, draws: int = 200, seed: int = 7
) -> Floats:
    """Return the policy that takes each action as often as it is the best in draws of the gains.

    Gains are drawn as normal, with the standard errors of their effects (Thompson 1933); the gain of `none` is 0.
    """
    rng = np.random.default_rng(seed)
    policy = np.zeros_like(gains)
    rows = np.arange(len(gains))
    for _ in range(draws):
        drawn = gains + errors * rng.standard_normal(gains.shape)
        policy[rows, np.where(eligible, drawn, -np.inf).argmax(axis=1)] += 1 / draws
    return with_floor(policy, eligible, floor)


def with_floor(policy: Floats, eligible: Bools, floor: float) -> Floats:
    """Return the policy mixed with chance, so that each eligible action has at least the floor's probability.

    With more eligible actions than the floor allows, all become equally likely.

    Examples
    --------
    >>> with_floor(np.array([[1.0, 0.0, 0.0]]), np.array([[True, True, False]]), 0.1).tolist()
    [[0.9, 0.1, 0.0]]
    """
    count = eligible.sum(axis=1, keepdims=True)
    share = np.minimum(floor * count, 1.0)
    mixed: Floats = (1 - share) * policy + share * eligible / count
    return mixed


def top_share(score: Floats, eligible: Bools, action: int, share: float) -> Floats:
    """Return the policy that takes one action for this share of the decisions, those with the highest scores.

    With the score of a response this is propensity targeting: it finds who will buy, not whom the action moves.
    """
    order = np.argsort(-score, kind="stable")
    reached = np.zeros(len(score), bool)
    reached[order[: round(share * len(score))]] = True
    return _deterministic(np.where(reached & eligible[:, action], action, 0), eligible.shape[1])


def draw_actions(policy: Floats, customer: Ints, salt: int) -> Ints:
    """Return the action of each decision, drawn by the policy; the same customer, salt and policy draw the same."""
    reached = policy.cumsum(axis=1) / policy.sum(axis=1, keepdims=True)
    action = (reached <= uniform(customer, salt, DRAW)[:, None]).sum(axis=1)
    return np.asarray(action, np.int64)


def action_shares(policy: Floats, names: Sequence[str]) -> dict[str, float]:
    """Return which part of the decisions gets which action, `none` included."""
    assert names[0] == NONE
    return dict(zip(names, policy.mean(axis=0).tolist(), strict=True))


def _deterministic(action: Ints, count: int) -> Floats:
    policy: Floats = np.eye(count)[action]
    return policy
