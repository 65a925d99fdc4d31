"""Effects: what each action changes for whom against doing nothing, with an interval, by doubly robust learning.

1. A forest of the reward over customers and actions, cross-fitted: each customer's expectation comes from a forest
   that has not seen the customer.
2. Doubly robust scores of every action; less those of `none` they are pseudo-outcomes whose mean, for any kind of
   customer, is the effect (Kennedy 2023; for many actions Zhou, Athey and Wager 2023).
3. Three opinions on who differs from the mean effect: the first forest's own (an S-learner), and two learned from the
   pseudo-outcomes (DR-learners): a second forest, and slopes of their share of what a customer would bring anyway.
   Each counts as far as unseen customers confirm it (`shrinkage`).
"""

from dataclasses import dataclass, replace

import numpy as np

from sintonia.config import ModelConfig
from sintonia.errors import InputError, NotEnoughDataError
from sintonia.uplift.folds import fold_of
from sintonia.uplift.growing import Examples, Forest, Grown, grow, rows_of
from sintonia.uplift.linear import Linear, fit_linear
from sintonia.uplift.log import Actions, Bools, Floats, Floats32, Ints, Logged
from sintonia.uplift.shrinkage import constants, earned, likes, unexplained
from sintonia.uplift.values import scores

LEAST = 50
"""Fewest decisions with `none`, and in all with other actions, that an effect can be learned from."""


SMALL = 0.1
"""Share of the mean reward without an action below which nobody's expectation counts as a measure of effects."""


@dataclass(frozen=True)
class Opinion:
    """What two forests and slopes say: constant effects plus weighted differences between customers.

    `linear` gives effects as shares of the expected reward without an action, `floor` is the least of it that measures
    (None where nothing does). `means` are the candidates' effects on average where they were learned; what
    goes beyond them is difference.
    """

    outcome: Forest
    linear: Linear
    second: Forest
    constants: Floats  # (n_actions,)
    floor: float | None
    means: Floats  # (3, n_actions)
    weights: Floats  # (3,)

    def effects(self, values: Floats32, actions: Actions) -> Floats:
        """Return the effects.  # (n, n_actions)"""
        found = np.tile(self.constants, (len(values), 1))
        if self.weights.any():
            expected = self.outcome.predict(values, actions)
            linear = self.linear.predict(values)
            second = self.second.predict(values, actions) if self.weights[2] > 0 else np.zeros_like(expected)
            said = candidates(expected, linear, second, self.floor)
            for weight, candidate, mean in zip(self.weights, said, self.means, strict=True):
                found += weight * (candidate - mean)
        found[:, 0] = 0.0
        return found


def candidates(expected: Floats, linear: Floats, second: Floats, floor: float | None) -> tuple[Floats, ...]:
    """Return three opinions on effects, (n, n_actions): the first forest's, the slopes', the second forest's.

    Parameters
    ----------
    expected
        What the first forest says of each action.  # (n, n_actions)
    linear
        Effects as shares of the measure.  # (n, n_actions)
    second
        What the second forest says.  # (n, n_actions)
    """
    return against_none(expected), scale_of(expected[:, 0], floor)[:, None] * linear, second


def scale_of(expected_none: Floats, floor: float | None) -> Floats:
    """Return what effects are measured by: the expected reward without an action, at least the floor, else 1."""
    if floor is None:
        return np.ones(len(expected_none))
    return np.maximum(expected_none, floor)


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
    unexplained: Floats  # (n_learned,) standard deviation of what the effects miss

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
        """Return the standard error of each effect: how it moves without a fold of customers, and what all folds miss.

        The delete-a-group jackknife over folds (Kott 2001: (folds - 1) / folds x the sum of squared deviations of the
        effects learned without each fold) knows what chance did to the effects, not what shrinkage and leaves take
        from everybody alike; that is seen on customers a fold has not learned from (`shrinkage.unexplained`).
        """
        said = np.stack([self._mixed(opinion.effects(values, self._learned)) for opinion in self.without])
        missed = self.mixing**2 @ self.unexplained**2
        return np.asarray(np.sqrt((len(said) - 1) * said.var(axis=0) + missed), np.float64)

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
    mean = float(expected[:, 0].mean())
    floor = SMALL * mean if mean > 0 else None
    measure = scale_of(expected[:, 0], floor)
    linear = fit_linear(log.values, raw, measure, log.eligible, fold)
    second = _grow_second(raw - effects, measure, log, fold, config, seed)
    said = candidates(expected, linear.unseen, _unseen(second, log, fold), floor)
    means = np.stack([_means(of, log.eligible) for of in said])
    differences = [of - mean for of, mean in zip(said, means, strict=True)]
    weights = earned(raw - effects, differences, log.eligible, log.customer, measure)

    def without(place: int) -> Opinion:
        rest = fold != place
        own, _ = constants(raw[rest], log.eligible[rest], log.customer[rest])
        trees = outcome.without[place], linear.without[place], second.without[place]
        return Opinion(*trees, own, floor, means, weights)

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


def _grow_second(
    targets: Floats, measure: Floats, log: Logged, fold: Ints, config: ModelConfig, seed: int
) -> Grown:
    """Return forests of the pseudo-outcomes, less the mean effects, of the eligible actions of each decision.

    Of a decision there is the action that was taken, and some of the others, drawn to be as many as there are
    decisions and counted for all: what they add to memory and time is bounded. The variance of a reward grows with
    what it is expected to be, so a row counts as 1 / measure.
    """
    rows, places = np.nonzero(log.eligible[:, 1:])
    taken = places + 1 == log.action[rows]
    others = int((~taken).sum())
    kept_share = min(1.0, len(log) / max(others, 1))
    kept = taken | (np.random.default_rng(seed).random(len(rows)) < kept_share)
    rows, places, taken = rows[kept], places[kept] + 1, taken[kept]
    weight = np.where(taken, 1.0, 1 / kept_share) / measure[rows]
    fewer = replace(config, bagging_fraction=config.bagging_fraction * min(1.0, len(log) / len(rows)))
    examples = Examples(
        rows_of(log.values[rows], log.actions, places),
        targets[rows, places],
        fold[rows],
        weight / weight.mean(),
    )
    return grow(examples, int(fold.max()) + 1, fewer, seed, constant=False)


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
