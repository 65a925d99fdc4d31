"""Learning effects: what each action changes for each customer against doing nothing, from logged decisions.

1. A forest of the reward over customers and actions, cross-fitted: each customer's expected reward comes from a forest
   trained on other customers.
2. Doubly robust scores of every action; less those of `none` they are pseudo-outcomes whose mean, in any group of
   customers, is the effect (Kennedy 2023; for many actions Zhou, Athey and Wager 2023). Mean effects are the means of
   these scores, shrunk towards those that the slopes predict (`shrinkage.james_stein_means`).
3. Three members predict how customers differ from the mean effect: the first forest itself (an S-learner), a second
   forest of the pseudo-outcomes (a DR-learner), and slopes on the few relevant features (an R-learner) of the share
   that an action adds to what a customer would bring anyway. The slopes are fitted to rewards without basket noise
   (`denoised_rewards`), unless rewards as they were logged predict significantly better. Each member has the weight
   that rewards of held-out customers give it (`shrinkage.stacking_weights`).
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sintonia.core.arrays import Floats, Ints
from sintonia.core.config import ModelConfig
from sintonia.core.errors import NotEnoughDataError
from sintonia.core.intervals import clustered_mean
from sintonia.uplift.denoised_rewards import denoised_rewards
from sintonia.uplift.effects import (
    MIN_SCALE_SHARE,
    EffectEnsemble,
    Effects,
    effect_scale,
    less_none,
    member_effects,
)
from sintonia.uplift.folds import fold_of
from sintonia.uplift.forests import CrossFittedTrees, TrainingExamples, grow_outcome_trees, tree_inputs
from sintonia.uplift.logged import LoggedDecisions
from sintonia.uplift.off_policy import doubly_robust_scores
from sintonia.uplift.shrinkage import (
    eligible_means,
    james_stein_means,
    mean_effects,
    stacking_weights,
    unexplained_deviation,
)
from sintonia.uplift.slopes import CrossFittedSlopes, cross_fit_slopes, residuals

MIN_DECISIONS = 50
"""Fewest decisions with `none`, and in all with other actions, that an effect can be learned from."""

LEAVES_FACTOR = 2
"""Leaves of a tree of effects for one of a tree of scores."""


def learn_effects(log: LoggedDecisions, config: ModelConfig, folds: int = 5, seed: int = 7) -> Effects:
    """Return the effects of every action, learned from logged decisions.

    Raises
    ------
    NotEnoughDataError
        When there are too few decisions without an action, or with one.
    """
    without_action = int((log.action == 0).sum())
    if min(without_action, len(log) - without_action) < MIN_DECISIONS or log.customers < 2 * folds:
        raise NotEnoughDataError(
            f"{len(log):,} decisions, {without_action:,} of them to do nothing, are too few to learn effects from; "
            f"at least {MIN_DECISIONS} of each kind and {2 * folds} customers are needed."
        )
    fold, trees = fold_of(log.customer, folds, seed), widen_trees(config)
    outcome_trees = grow_outcome_trees(
        TrainingExamples(tree_inputs(log.values, log.actions, log.action), log.reward, fold),
        folds,
        trees,
        seed,
    )
    expected = out_of_fold_predictions(outcome_trees, log, fold)
    costless = replace(log, actions=replace(log.actions, costs=np.zeros(len(log.actions))))
    pseudo_outcomes = less_none(
        doubly_robust_scores(costless, expected)
    )  # of the reward alone: costs are taken off when gains are made
    _, errors = mean_effects(pseudo_outcomes, log.eligible, log.customer)
    mean = float(expected[:, 0].mean())
    floor = MIN_SCALE_SHARE * mean if mean > 0 else None
    scale = effect_scale(expected[:, 0], floor)
    denoised = denoised_rewards(log, fold, config, seed)
    variance = scale * denoised.worth
    slopes = fit_slopes(log, denoised.reward, fold, expected=expected, scale=scale, variance=variance)
    by_slopes = scale[:, None] * slopes.unseen
    effects = james_stein_means(pseudo_outcomes, by_slopes, log.eligible, log.customer)
    effect_trees = _grow_effect_trees(pseudo_outcomes - effects, variance, log, fold, trees, seed)
    members = member_effects(expected, slopes.unseen, out_of_fold_predictions(effect_trees, log, fold), floor)
    means = np.stack([eligible_means(member, log.eligible) for member in members])
    differences = [member - mean for member, mean in zip(members, means, strict=True)]
    assigned, residual = residuals(log, expected, scale, variance)
    weights = _member_weights(
        effects, differences, log.customer, assigned=assigned / scale[:, None], residual=residual
    )

    def without_fold(fold_index: int) -> EffectEnsemble:
        other_folds = fold != fold_index
        fold_constants = james_stein_means(
            pseudo_outcomes[other_folds],
            by_slopes[other_folds],
            log.eligible[other_folds],
            log.customer[other_folds],
        )
        parts = (
            outcome_trees.without_fold[fold_index],
            slopes.without_fold[fold_index],
            effect_trees.without_fold[fold_index],
        )
        return EffectEnsemble(*parts, fold_constants, floor, means, weights)

    full = EffectEnsemble(outcome_trees.full, slopes.full, effect_trees.full, effects, floor, means, weights)
    fitted_effects = effects + sum(
        weight * member for weight, member in zip(weights, differences, strict=True)
    )
    return Effects(
        full,
        tuple(without_fold(fold_index) for fold_index in range(folds)),
        log.actions,
        errors,
        np.eye(len(log.actions)),
        unexplained_deviation(pseudo_outcomes, fitted_effects, log.eligible, log.customer),
    )


def fit_slopes(
    log: LoggedDecisions,
    denoised_reward: Floats,
    fold: Ints,
    *,
    expected: Floats,
    scale: Floats,
    variance: Floats,
) -> CrossFittedSlopes:
    """Return slopes of denoised rewards, unless slopes of the logged rewards predict significantly better.

    The former have smaller errors, and which of two fits predicts unseen rewards better is mostly chance.

    Parameters
    ----------
    expected, scale, variance
        Expected rewards, the measure and the variance, as `cross_fit_slopes` takes them.
    """
    scales = (expected, scale, variance)
    denoised = cross_fit_slopes(replace(log, reward=denoised_reward), expected, scale, fold, variance)
    if denoised_reward is log.reward:
        return denoised
    as_logged = cross_fit_slopes(log, expected, scale, fold, variance)
    loss_difference = clustered_mean(
        as_logged.losses(log, *scales) - denoised.losses(log, *scales), log.customer
    )
    return as_logged if loss_difference.high < 0 else denoised


def widen_trees(config: ModelConfig) -> ModelConfig:
    """Return the settings of trees in which actions and features meet.

    Interactions need trees that split on the action and on a feature; trees that are good for scores, with few
    leaves and a few columns drawn, rarely do. All columns are drawn, so that actions are always among them.

    Examples
    --------
    >>> wider = widen_trees(ModelConfig(num_leaves=4, feature_fraction=0.2))
    >>> wider.num_leaves, wider.feature_fraction
    (8, 1.0)
    """
    return replace(config, num_leaves=LEAVES_FACTOR * config.num_leaves, feature_fraction=1.0)


def _grow_effect_trees(
    targets: Floats, variance: Floats, log: LoggedDecisions, fold: Ints, config: ModelConfig, seed: int
) -> CrossFittedTrees:
    """Return forests of the pseudo-outcomes, less the mean effects, of the eligible actions of each decision.

    Of a decision there is the action that was taken, and some of the others, drawn to be as many as there are
    decisions and counted for all: what they add to memory and time is bounded. A row counts as 1 / variance.
    """
    rows, actions = np.nonzero(log.eligible[:, 1:])
    taken = actions + 1 == log.action[rows]
    not_taken = int((~taken).sum())
    sampled_share = min(1.0, len(log) / max(not_taken, 1))
    sampled = taken | (np.random.default_rng(seed).random(len(rows)) < sampled_share)
    rows, actions, taken = rows[sampled], actions[sampled] + 1, taken[sampled]
    weight = np.where(taken, 1.0, 1 / sampled_share) / variance[rows]
    sampled_config = replace(
        config, bagging_fraction=config.bagging_fraction * min(1.0, len(log) / len(rows))
    )
    examples = TrainingExamples(
        tree_inputs(log.values[rows], log.actions, actions),
        targets[rows, actions],
        fold[rows],
        weight / weight.mean(),
    )
    return grow_outcome_trees(examples, int(fold.max()) + 1, sampled_config, seed, constant=False)


def _member_weights(
    effects: Floats, differences: Sequence[Floats], customer: Ints, *, assigned: Floats, residual: Floats
) -> Floats:
    """Return the stacking weight of each member's differences from the mean effects, by unseen customers' rewards.

    Parameters
    ----------
    assigned
        Centred indicators of the actions, in units of the reward.  # (n, n_actions - 1)
    residual
        Rewards less their expectation.  # (n,)
    """
    mean, *columns = ((assigned * of[..., 1:]).sum(axis=1) for of in (effects, *differences))
    return stacking_weights(residual - mean, np.column_stack(columns), customer)


def out_of_fold_predictions(forests: CrossFittedTrees, log: LoggedDecisions, fold: Ints) -> Floats:
    """Return the predictions of forests that were not trained on the customer.  # (n, n_actions)"""
    predicted = np.zeros(log.logging_propensities.shape)
    for fold_index, forest in enumerate(forests.without_fold):
        rows = fold == fold_index
        predicted[rows] = forest.predict(log.values[rows], log.actions)
    return predicted
