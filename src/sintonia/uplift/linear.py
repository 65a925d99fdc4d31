"""Effects as shares of what a customer would bring anyway, in slopes on the few features that tell.

What an action changes is hidden in the noise of rewards: of hundreds of features only a few tell it surely enough.
Slopes on all of them would add up their errors, so a sum of *single effects* is learned (`single_effects`). Each is
one slope on one feature, for one action, for all, or for those that share an attribute.
"""

from dataclasses import dataclass

import numpy as np

from sintonia.arrays import Floats, Floats32, Ints
from sintonia.uplift.log import Actions, Logged
from sintonia.uplift.single_effects import Slopes

FARTHEST = 3.0
"""Standard deviations beyond which a value counts as no farther: no slope is known out there."""


@dataclass(frozen=True)
class Linear:
    """Slopes of each action on some features, whose places are `columns`; the first coefficient is the mean's."""

    columns: Ints  # (n_used,)
    center: Floats  # (n_used,)
    spread: Floats  # (n_used,)
    coefficients: Floats  # (n_actions, 1 + n_used)

    def predict(self, values: Floats32) -> Floats:
        """Return each action's effect as a share of the measure.  # (n, n_actions)"""
        apart = _apart(values[:, self.columns], self.center, self.spread)
        found: Floats = apart @ self.coefficients[:, 1:].T + self.coefficients[:, 0]
        return found


@dataclass(frozen=True)
class CrossFittedSlopes:
    """Slopes from everybody, slopes without each fold, and what the latter say of the fold.  # unseen (n, n_actions)"""

    whole: Linear
    without: tuple[Linear, ...]
    unseen: Floats

    def losses(
        self, log: Logged, expected: Floats, measure: Floats, variance: Floats | None = None
    ) -> Floats:
        """Return the squared error of what is said of each unseen customer's reward, as 1 / variance.  # (n,)"""
        told, left = residuals(log, expected, measure, variance)
        found: Floats = (left - (told * self.unseen[:, 1:]).sum(axis=1)) ** 2
        return found


def fit_linear(
    log: Logged, expected: Floats, measure: Floats, fold: Ints, variance: Floats | None = None
) -> CrossFittedSlopes:
    """Return the slopes of what is left of rewards when the expected ones are taken off.

    Assignment less its logging propensity has nothing to do with what customers bring anyway, so the rest of the reward
    moves with it by the effects alone (Robinson 1988; the R-learner of Nie and Wager 2021).

    Parameters
    ----------
    expected
        Expected reward of each action, from others than the customer.  # (n, n_actions)
    measure
        What effects are shares of, above 0.  # (n,)
    variance
        What the variance of a reward is taken to grow with; None for the measure.  # (n,)
    """
    told, left = residuals(log, expected, measure, variance)
    center, spread = _scale(log.values)
    apart = _apart(log.values, center, spread)
    patterns = patterns_of(log.actions)

    def one(rows: Ints) -> Linear:
        slopes = Slopes(apart[rows], told[rows], left[rows], patterns).learn()
        columns = np.flatnonzero(slopes[:, 1:].any(axis=0))
        kept = slopes[:, np.concatenate([[0], 1 + columns])]
        coefficients = np.vstack([np.zeros(kept.shape[1]), kept])
        return Linear(columns, center[columns], spread[columns], coefficients)

    whole = one(np.arange(len(log)))
    without = tuple(one(np.flatnonzero(fold != place)) for place in range(int(fold.max()) + 1))
    unseen = np.zeros(expected.shape)
    for place, linear in enumerate(without):
        unseen[fold == place] = linear.predict(log.values[fold == place])
    return CrossFittedSlopes(whole, without, unseen)


def residuals(
    log: Logged, expected: Floats, measure: Floats, variance: Floats | None = None
) -> tuple[Floats, Floats]:
    """Return what tells of each action but `none`, (n, n_actions - 1), and what is left of the rewards, (n,).

    Effects, as shares of the measure, times what tells of them, summed over actions, are what they say of what is left;
    a decision counts as 1 / variance, by default as 1 / measure.
    """
    root = np.sqrt(measure if variance is None else variance)
    assigned = np.eye(len(log.actions))[log.action] - log.logging_propensities
    left = (log.reward - (log.logging_propensities * expected).sum(axis=1)) / root
    return assigned[:, 1:] * (measure / root)[:, None], left


def patterns_of(actions: Actions) -> Floats:
    """Return which actions may share a slope, and in which proportion: each alone, all, and those of each attribute.

    Examples
    --------
    >>> kinds = np.array([[0.0], [1.0], [1.0], [0.0]])
    >>> patterns_of(Actions(("none", "mail", "letter", "call"), np.zeros(4), kinds, ("written",))).tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 1.0, 1.0], [1.0, 1.0, 0.0]]
    """
    count = len(actions) - 1
    largest = np.abs(actions.attributes[1:]).max(axis=0, initial=0.0)
    shared = (actions.attributes[1:, largest > 0] / largest[largest > 0]).T
    found: dict[tuple[float, ...], None] = {}
    for pattern in (*np.eye(count), np.ones(count), *shared):
        found.setdefault(tuple(pattern.tolist()))
    return np.array(list(found))


def _scale(values: Floats32) -> tuple[Floats, Floats]:
    """Return where each feature lies and how wide, on the scale of `_scaled`; infinitely where all are alike."""
    center, spread = np.zeros(values.shape[1]), np.full(values.shape[1], np.inf)
    for place in range(values.shape[1]):
        scaled = _scaled(values[:, place]).astype(np.float64)
        known = scaled[np.isfinite(scaled)]
        if len(known) and known.std() > 1e-6:
            center[place], spread[place] = known.mean(), known.std()
    return center, spread


def _apart(values: Floats32, center: Floats, spread: Floats) -> Floats32:
    """Return the features on one scale, 0 (their mean) where nothing is known.  # (n, n_features)"""
    apart = (_scaled(values) - center.astype(np.float32)) / spread.astype(np.float32)
    found: Floats32 = np.nan_to_num(apart.clip(-FARTHEST, FARTHEST), nan=0.0)
    return found


def _scaled(values: Floats32) -> Floats32:
    """Return counts and amounts by their orders of magnitude: log(1 + x), the sign kept."""
    found: Floats32 = np.sign(values) * np.log1p(np.abs(values))
    return found
