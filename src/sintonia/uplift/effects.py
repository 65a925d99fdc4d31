"""Ensembles of effect estimates: constant effects plus weighted differences between customers.

Learned effects: what each action changes for whom against doing nothing, with an interval.
"""

from dataclasses import dataclass, replace

import numpy as np

from sintonia.core.arrays import Floats, Floats32
from sintonia.core.errors import InputError
from sintonia.uplift.forests import OutcomeTrees
from sintonia.uplift.logged import Actions
from sintonia.uplift.shrinkage import similar_action_weights
from sintonia.uplift.slopes import LinearEffects

MIN_SCALE_SHARE = 0.1
"""Share of the mean reward without an action that is the minimum of an expected reward used as the scale of effects."""


@dataclass(frozen=True)
class EffectEnsemble:
    """What two forests and slopes say: constant effects plus weighted differences between customers.

    `linear` gives effects as shares of the expected reward without an action, `floor` is the least of it that measures
    (None where nothing does). `means` are the candidates' effects on average where they were learned; what
    goes beyond them is difference.
    """

    outcome: OutcomeTrees
    linear: LinearEffects
    second: OutcomeTrees
    constants: Floats  # (n_actions,)
    floor: float | None
    means: Floats  # (3, n_actions)
    weights: Floats  # (3,)

    def effects(self, values: Floats32, actions: Actions) -> Floats:
        """Return the effects.  # (n, n_actions)"""
        effects = np.tile(self.constants, (len(values), 1))
        if self.weights.any():
            expected = self.outcome.predict(values, actions)
            linear = self.linear.predict(values)
            second = self.second.predict(values, actions) if self.weights[2] > 0 else np.zeros_like(expected)
            members = member_effects(expected, linear, second, self.floor)
            for weight, member, mean in zip(self.weights, members, self.means, strict=True):
                effects += weight * (member - mean)
        effects[:, 0] = 0.0
        return effects


def member_effects(
    expected: Floats, linear: Floats, second: Floats, floor: float | None
) -> tuple[Floats, ...]:
    """Return three estimates of effects, (n, n_actions): the first forest's, the slopes', the second forest's.

    Parameters
    ----------
    expected
        Predictions of the first forest by action.  # (n, n_actions)
    linear
        Effects as shares of the measure.  # (n, n_actions)
    second
        Predictions of the second forest.  # (n, n_actions)
    """
    return less_none(expected), effect_scale(expected[:, 0], floor)[:, None] * linear, second


def effect_scale(expected_none: Floats, floor: float | None) -> Floats:
    """Return what effects are measured by: the expected reward without an action, at least the floor, else 1."""
    if floor is None:
        return np.ones(len(expected_none))
    return np.maximum(expected_none, floor)


def less_none(expected: Floats) -> Floats:
    """Return the reward of each action less that of doing nothing.  # (n, n_actions)"""
    differences: Floats = expected - expected[:, [0]]
    return differences


@dataclass(frozen=True)
class Effects:
    """Learned effects. `full` was learned from all customers, each of `without_fold` from all but one fold of them.

    `actions` are those that were learned, and then those that start from their likes: `mixing` says with which
    weights their effects are made of the learned ones.
    """

    full: EffectEnsemble
    without_fold: tuple[EffectEnsemble, ...]
    actions: Actions
    errors: Floats  # (n_actions,) of doubly robust mean effects; infinite where nothing was learned
    mixing: Floats  # (n_actions, n_learned)
    unexplained: Floats  # (n_learned,) standard deviation of what the effects miss

    @property
    def heterogeneity(self) -> float:
        """How far differences between customers count, 0 for not at all."""
        return float(self.full.weights.sum())

    @property
    def constants(self) -> Floats:
        """The mean effect of each action.  # (n_actions,)"""
        means: Floats = self.mixing @ self.full.constants
        return means

    def expected(self, values: Floats32) -> Floats:
        """Return the expected reward of each action, costs not taken off.  # (n, n_actions)"""
        return self._mixed(self.full.outcome.predict(values, self._learned))

    def predict(self, values: Floats32) -> Floats:
        """Return the effect of each action against `none`, in units of the reward.  # (n, n_actions)"""
        return self._mixed(self.full.effects(values, self._learned))

    def standard_errors(self, values: Floats32) -> Floats:
        """Return the standard error of each effect: how it moves without a fold of customers, and what all folds miss.

        The delete-a-group jackknife over folds (Kott 2001: (folds - 1) / folds x the sum of squared deviations of the
        effects learned without each fold) knows what chance did to the effects, not what shrinkage and leaves take
        from everybody alike; that is seen on customers a fold has not learned from (`shrinkage.unexplained`).
        """
        by_fold = np.stack(
            [self._mixed(ensemble.effects(values, self._learned)) for ensemble in self.without_fold]
        )
        unexplained_variance = self.mixing**2 @ self.unexplained**2
        return np.asarray(
            np.sqrt((len(by_fold) - 1) * by_fold.var(axis=0) + unexplained_variance), np.float64
        )

    def intervals(self, values: Floats32, confidence: float = 0.95) -> tuple[Floats, Floats]:
        """Return low and high of each effect, by Student's t with as many degrees of freedom as folds less one."""
        from scipy.stats import t as student

        reach = student.ppf(0.5 + confidence / 2, len(self.without_fold) - 1) * self.standard_errors(values)
        effects = self.predict(values)
        return effects - reach, effects + reach

    def mean_intervals(self, confidence: float = 0.95) -> tuple[Floats, Floats]:
        """Return low and high of the mean effects, infinite where nothing was learned.  # (n_actions,)"""
        from scipy.stats import norm

        reach = norm.ppf(0.5 + confidence / 2) * self.errors
        return self.constants - reach, self.constants + reach

    def with_actions(self, actions: Actions) -> "Effects":
        """Return the effects for more actions: those known before come first, new ones start from their likes.

        Raises
        ------
        InputError
            When the actions known before are not the first ones.
        """
        known = len(self.actions)
        if (
            actions.names[:known] != self.actions.names
            or actions.attribute_names != self.actions.attribute_names
        ):
            raise InputError(
                f"Effects were learned of {', '.join(self.actions.names)}; list these first, then the new ones."
            )
        new = [
            similar_action_weights(actions, index, self.errors) @ self.mixing
            for index in range(known, len(actions))
        ]
        errors = np.concatenate([self.errors, np.full(len(new), np.inf)])
        return replace(self, actions=actions, errors=errors, mixing=np.vstack([self.mixing, *new]))

    @property
    def _learned(self) -> Actions:
        count = self.mixing.shape[1]
        actions = self.actions
        return Actions(
            actions.names[:count], actions.costs[:count], actions.attributes[:count], actions.attribute_names
        )

    def _mixed(self, learned: Floats) -> Floats:
        if len(self.mixing) == learned.shape[1]:
            return learned
        mixed: Floats = learned @ self.mixing.T
        return mixed
