"""Effects are learned: what each action changes for whom against doing nothing, from logged decisions.

1. A forest of the reward over customers and actions, cross-fitted: each customer's expectation comes from a forest
   that has not seen the customer.
2. Doubly robust scores of every action; less those of `none` they are pseudo-outcomes whose mean, for any kind of
   customer, is the effect (Kennedy 2023; for many actions Zhou, Athey and Wager 2023). Mean effects are those of
   these scores, leaned on what slopes say as far as chance allows.
3. Three opinions on who differs from the mean effect: the first forest's own (an S-learner), a second forest of the
   pseudo-outcomes (a DR-learner), and slopes on the few features that tell (an R-learner), of the share an action adds
   to what a customer would bring anyway, from rewards without the luck of the basket (`steadied`) unless those with it
   surely tell more. Each counts as far as rewards of unseen customers confirm it (`shrinkage`).
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sintonia.core.arrays import Floats, Ints
from sintonia.core.config import ModelConfig
from sintonia.core.errors import NotEnoughDataError
from sintonia.core.intervals import clustered_mean
from sintonia.uplift.denoised_rewards import steadied
from sintonia.uplift.effects import SMALL, Effects, Opinion, against_none, candidates, scale_of
from sintonia.uplift.folds import fold_of
from sintonia.uplift.forests import CrossFittedTrees, Examples, grow_outcome_trees, tree_inputs
from sintonia.uplift.logged import Logged
from sintonia.uplift.off_policy import scores
from sintonia.uplift.shrinkage import constants, earned, leaned, means_of, unexplained
from sintonia.uplift.slopes import CrossFittedSlopes, fit_linear, residuals

LEAST = 50
"""Fewest decisions with `none`, and in all with other actions, that an effect can be learned from."""

LEAVES = 2
"""Leaves of a tree of effects for one of a tree of scores."""


def learn_effects(log: Logged, config: ModelConfig, folds: int = 5, seed: int = 7) -> Effects:
    """Return the effects of every action, learned from logged decisions.

    Raises
    ------
    NotEnoughDataError
        When hardly anybody was left alone, or hardly anybody was not.
    """
    alone = int((log.action == 0).sum())
    if min(alone, len(log) - alone) < LEAST or log.customers < 2 * folds:
        raise NotEnoughDataError(
            f"{len(log):,} decisions, {alone:,} of them to do nothing, are too few to learn effects from; "
            f"{LEAST} of each kind and {2 * folds} customers are the least."
        )
    fold, trees = fold_of(log.customer, folds, seed), wide(config)
    outcome = grow_outcome_trees(
        Examples(tree_inputs(log.values, log.actions, log.action), log.reward, fold), folds, trees, seed
    )
    expected = unseen(outcome, log, fold)
    free = replace(log, actions=replace(log.actions, costs=np.zeros(len(log.actions))))
    raw = against_none(scores(free, expected))  # of the reward alone: costs are taken off when gains are made
    _, errors = constants(raw, log.eligible, log.customer)
    mean = float(expected[:, 0].mean())
    floor = SMALL * mean if mean > 0 else None
    measure = scale_of(expected[:, 0], floor)
    steady = steadied(log, fold, config, seed)
    variance = measure * steady.worth
    linear = fit_slopes(log, steady.reward, fold, (expected, measure, variance))
    by_slopes = measure[:, None] * linear.unseen
    effects = leaned(raw, by_slopes, log.eligible, log.customer)
    second = _grow_second(raw - effects, variance, log, fold, trees, seed)
    said = candidates(expected, linear.unseen, unseen(second, log, fold), floor)
    means = np.stack([means_of(of, log.eligible) for of in said])
    differences = [of - mean for of, mean in zip(said, means, strict=True)]
    told, left = residuals(log, expected, measure, variance)
    weights = _weigh((told / measure[:, None], left), effects, differences, log.customer)

    def without(place: int) -> Opinion:
        rest = fold != place
        own = leaned(raw[rest], by_slopes[rest], log.eligible[rest], log.customer[rest])
        parts = outcome.without[place], linear.without[place], second.without[place]
        return Opinion(*parts, own, floor, means, weights)

    whole = Opinion(outcome.whole, linear.whole, second.whole, effects, floor, means, weights)
    mixed = effects + sum(weight * of for weight, of in zip(weights, differences, strict=True))
    return Effects(
        whole,
        tuple(without(place) for place in range(folds)),
        log.actions,
        errors,
        np.eye(len(log.actions)),
        unexplained(raw, mixed, log.eligible, log.customer),
    )


def fit_slopes(
    log: Logged, steady_reward: Floats, fold: Ints, scales: tuple[Floats, Floats, Floats]
) -> CrossFittedSlopes:
    """Return slopes of rewards without the luck of the basket, unless those of rewards as they are surely tell more.

    The former's errors are smaller, and which of two fits tells more of unseen rewards is mostly luck.

    Parameters
    ----------
    scales
        Expected rewards, the measure and the variance, as `fit_linear` takes them.
    """
    expected, measure, variance = scales
    steady = fit_linear(replace(log, reward=steady_reward), expected, measure, fold, variance)
    if steady_reward is log.reward:
        return steady
    plain = fit_linear(log, expected, measure, fold, variance)
    more = clustered_mean(plain.losses(log, *scales) - steady.losses(log, *scales), log.customer)
    return plain if more.high < 0 else steady


def wide(config: ModelConfig) -> ModelConfig:
    """Return the settings of trees in which actions and features meet.

    Whom an action moves is told by trees that ask for the action and for a feature; trees that are good for scores,
    of few leaves and a few columns drawn, rarely do. All columns are drawn, so that actions are always among them.

    Examples
    --------
    >>> found = wide(ModelConfig(num_leaves=4, feature_fraction=0.2))
    >>> found.num_leaves, found.feature_fraction
    (8, 1.0)
    """
    return replace(config, num_leaves=LEAVES * config.num_leaves, feature_fraction=1.0)


def _grow_second(
    targets: Floats, variance: Floats, log: Logged, fold: Ints, config: ModelConfig, seed: int
) -> CrossFittedTrees:
    """Return forests of the pseudo-outcomes, less the mean effects, of the eligible actions of each decision.

    Of a decision there is the action that was taken, and some of the others, drawn to be as many as there are
    decisions and counted for all: what they add to memory and time is bounded. A row counts as 1 / variance.
    """
    rows, places = np.nonzero(log.eligible[:, 1:])
    taken = places + 1 == log.action[rows]
    others = int((~taken).sum())
    kept_share = min(1.0, len(log) / max(others, 1))
    kept = taken | (np.random.default_rng(seed).random(len(rows)) < kept_share)
    rows, places, taken = rows[kept], places[kept] + 1, taken[kept]
    weight = np.where(taken, 1.0, 1 / kept_share) / variance[rows]
    fewer = replace(config, bagging_fraction=config.bagging_fraction * min(1.0, len(log) / len(rows)))
    examples = Examples(
        tree_inputs(log.values[rows], log.actions, places),
        targets[rows, places],
        fold[rows],
        weight / weight.mean(),
    )
    return grow_outcome_trees(examples, int(fold.max()) + 1, fewer, seed, constant=False)


def _weigh(
    residual: tuple[Floats, Floats], effects: Floats, differences: Sequence[Floats], customer: Ints
) -> Floats:
    """Return how far each opinion's differences from the mean effects count, by unseen customers' rewards.

    Parameters
    ----------
    residual
        What tells of each action, in units of the reward, (n, n_actions - 1), and what is left of rewards, (n,).
    """
    told, left = residual
    mean, *each = ((told * of[..., 1:]).sum(axis=1) for of in (effects, *differences))
    return earned(left - mean, np.column_stack(each), customer)


def unseen(grown: CrossFittedTrees, log: Logged, fold: Ints) -> Floats:
    """Return what forests say that have not seen the customer.  # (n, n_actions)"""
    found = np.zeros(log.logging_propensities.shape)
    for place, forest in enumerate(grown.without):
        rows = fold == place
        found[rows] = forest.predict(log.values[rows], log.actions)
    return found
