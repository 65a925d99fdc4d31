"""Effects: what each action changes for whom against doing nothing, with an interval, by doubly robust learning.

1. A forest of the reward over customers and actions, cross-fitted: each customer's expectation comes from a forest
   that has not seen the customer.
2. Doubly robust scores of every action; less those of `none` they are pseudo-outcomes whose mean, for any kind of
   customer, is the effect (Kennedy 2023; for many actions Zhou, Athey and Wager 2023).
3. Two opinions on who differs from the mean effect: the first forest's own (an S-learner), and a second forest
   grown on the pseudo-outcomes (a DR-learner). Both count as far as unseen customers confirm them (`shrinkage`).
"""

from dataclasses import dataclass, replace

import numpy as np

from sintonia.config import ModelConfig
from sintonia.errors import InputError, NotEnoughDataError
from sintonia.uplift.folds import fold_of
from sintonia.uplift.growing import Examples, Forest, Grown, grow, rows_of
from sintonia.uplift.log import Actions, Bools, Floats, Floats32, Ints, Logged
from sintonia.uplift.shrinkage import constants, earned, likes
from sintonia.uplift.values import scores

LEAST = 50
"""Fewest decisions with `none`, and in all with other actions, that an effect can be learned from."""


@dataclass(frozen=True)
class Opinion:
    """What one pair of forests says: constant effects plus weighted differences between customers.

    `means` are the candidates' effects on average where they were learned; what goes beyond them is difference.
    """

    outcome: Forest
    second: Forest
    constants: Floats  # (n_actions,)
    means: Floats  # (2, n_actions)
    weights: Floats  # (2,)

    def effects(self, values: Floats32, actions: Actions) -> Floats:
        """Return the effects.  # (n, n_actions)"""
        found = np.tile(self.constants, (len(values), 1))
        if self.weights[0] > 0:
            found += self.weights[0] * (against_none(self.outcome.predict(values, actions)) - self.means[0])
        if self.weights[1] > 0:
            found += self.weights[1] * (self.second.predict(values, actions) - self.means[1])
        found[:, 0] = 0.0
        return found


def against_none(expected: Floats) -> Floats:
    """Return what each action brings less what doing nothing brings.  # (n, n_actions)"""
    found: Floats = expected - expected[:, [0]]
    return found


@dataclass(frozen=True)
class Effects:
    """Learned effects. `whole` was learned from all customers, each of `without` from all but one fold of them.

    `actions` are those that were learned, and then those that start from their likes: `mixing` says with which
    weights their effects are made of the learned ones.
    """

    whole: Opinion
    without: tuple[Opinion, ...]
    actions: Actions
    errors: Floats  # (n_actions,) of the constant effects; infinite where nothing was learned
    mixing: Floats  # (n_actions, n_learned)

    @property
    def heterogeneity(self) -> float:
        """How far differences between customers count, 0 for not at all."""
        return float(self.whole.weights.sum())

    @property
    def constants(self) -> Floats:
        """The mean effect of each action.  # (n_actions,)"""
        found: Floats = self.mixing @ self.whole.constants
        return found

    def expected(self, values: Floats32) -> Floats:
        """Return the expected reward of each action, costs not taken off.  # (n, n_actions)"""
        return self._mixed(self.whole.outcome.predict(values, self._learned))

    def predict(self, values: Floats32) -> Floats:
        """Return the effect of each action against `none`, in units of the reward.  # (n, n_actions)"""
        return self._mixed(self.whole.effects(values, self._learned))

    def standard_errors(self, values: Floats32) -> Floats:
        """Return the standard error of each effect, by the delete-a-group jackknife over folds of customers.

        Kott 2001: (folds - 1) / folds x the sum of squared deviations of the effects learned without each fold.
        What shrinkage takes from everybody alike is not in it.
        """
        said = np.stack([self._mixed(opinion.effects(values, self._learned)) for opinion in self.without])
        return np.asarray(np.sqrt(len(said) - 1) * said.std(axis=0), np.float64)

    def intervals(self, values: Floats32, confidence: float = 0.95) -> tuple[Floats, Floats]:
        """Return low and high of each effect, by Student's t with as many degrees of freedom as folds less one."""
        from scipy.stats import t as student

        reach = student.ppf(0.5 + confidence / 2, len(self.without) - 1) * self.standard_errors(values)
        found = self.predict(values)
        return found - reach, found + reach

    def with_actions(self, actions: Actions) -> "Effects":
        """Return the effects for more actions: those known before come first, new ones start from their likes.

        Raises
        ------
        InputError
            When the actions known before are not the first ones.
        """
        old = len(self.actions)
        if (
            actions.names[:old] != self.actions.names
            or actions.attribute_names != self.actions.attribute_names
        ):
            raise InputError(
                f"Learned were effects of {', '.join(self.actions.names)}; name these first, then the new ones."
            )
        new = [likes(actions, place, self.errors) @ self.mixing for place in range(old, len(actions))]
        errors = np.concatenate([self.errors, np.full(len(new), np.inf)])
        return replace(self, actions=actions, errors=errors, mixing=np.vstack([self.mixing, *new]))

    @property
    def _learned(self) -> Actions:
        count = self.mixing.shape[1]
        of = self.actions
        return Actions(of.names[:count], of.costs[:count], of.attributes[:count], of.attribute_names)

    def _mixed(self, said: Floats) -> Floats:
        if len(self.mixing) == said.shape[1]:
            return said
        found: Floats = said @ self.mixing.T
        return found


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
    fold = fold_of(log.customer, folds, seed)
    outcome = grow(
        Examples(rows_of(log.values, log.actions, log.action), log.reward, fold), folds, config, seed
    )
    expected = _unseen(outcome, log, fold)
    free = replace(log, actions=replace(log.actions, costs=np.zeros(len(log.actions))))
    raw = against_none(scores(free, expected))  # of the reward alone: costs are taken off when gains are made
    effects, errors = constants(raw, log.eligible, log.customer)
    second = _grow_second(raw - effects, log, fold, folds, config, seed)
    said = [against_none(expected), _unseen(second, log, fold)]
    means = np.stack([_means(of, log.eligible) for of in said])
    differences = [of - mean for of, mean in zip(said, means, strict=True)]
    weights = earned(raw - effects, differences, log.eligible, log.customer)

    def without(place: int) -> Opinion:
        rest = fold != place
        own, _ = constants(raw[rest], log.eligible[rest], log.customer[rest])
        return Opinion(outcome.without[place], second.without[place], own, means, weights)

    whole = Opinion(outcome.whole, second.whole, effects, means, weights)
    return Effects(
        whole, tuple(without(place) for place in range(folds)), log.actions, errors, np.eye(len(log.actions))
    )


def _grow_second(
    targets: Floats, log: Logged, fold: Ints, folds: int, config: ModelConfig, seed: int
) -> Grown:
    """Return forests of the pseudo-outcomes of all eligible actions of each decision.

    A decision has as many rows as actions, alike in what they tell of the customer; a tree sees a draw of them, as
    many as there are decisions, so that leaves are as sure of themselves as the first forest's, and time is bounded.
    """
    rows, places = np.nonzero(log.eligible[:, 1:])
    fewer = replace(config, bagging_fraction=config.bagging_fraction * min(1.0, len(log) / len(rows)))
    examples = Examples(
        rows_of(log.values[rows], log.actions, places + 1), targets[rows, places + 1], fold[rows]
    )
    return grow(examples, folds, fewer, seed, constant=False)


def _means(said: Floats, eligible: Bools) -> Floats:
    """Return the mean of each action where it is eligible.  # (n_actions,)"""
    counts = eligible.sum(axis=0)
    found: Floats = np.divide(
        (said * eligible).sum(axis=0), counts, out=np.zeros(len(counts)), where=counts > 0
    )
    return found


def _unseen(grown: Grown, log: Logged, fold: Ints) -> Floats:
    """Return what forests say that have not seen the customer.  # (n, n_actions)"""
    found = np.zeros(log.logging_propensities.shape)
    for place, forest in enumerate(grown.without):
        rows = fold == place
        found[rows] = forest.predict(log.values[rows], log.actions)
    return found
