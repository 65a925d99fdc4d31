"""Single effects: slopes found one after the other, each on one feature, for one action or for some together.

A sum of single effects (SuSiE: Wang and others 2020): of each it stays open which feature and which actions it
belongs to, as far as the data leave it open. How large slopes are is estimated, and a single effect that is no likelier
than none ends the search.

Effects as shares of what a customer would bring anyway, in slopes on the few informative features.

What an action changes is hidden in the noise of rewards: of hundreds of features only a few predict it significantly.
Slopes on all of them would add up their errors, so a sum of *single effects* is learned (`single_effects`). Each is
one slope on one feature, for one action, for all, or for those that share an attribute.
"""

from dataclasses import dataclass

import numpy as np

from sintonia.core.arrays import Bools, Floats, Floats32, Ints
from sintonia.uplift.logged import Actions, LoggedDecisions

MAX_FEATURES = 100
"""Features looked at closely: those that move most with what actions change."""

MAX_EFFECTS = 10
"""Single effects at most."""

REVISIONS = 2
"""Times that all single effects are revised when one is added: those of correlated features share what they explain."""

PRIOR_DEVIATIONS = np.geomspace(0.01, 1.0, 15)
"""Standard deviations of slopes that are tried, as shares of what a customer would bring anyway."""

MIN_SLOPE = 1e-4
"""Slopes, as shares for a standard deviation of the feature, below which they are left out."""

MIN_INFORMATION = 0.05
"""Features of which the log knows less than this, against the median, are not used: too few rows would decide."""


class SingleEffectSlopes:
    """Single effects of some rows, found one after the other.

    Of the slope of each pattern of actions on each feature, (n_patterns, n_features): `center` is taken off the
    feature, `information` is that of the rows, `variance` the slope's own, `usable` marks slopes with enough of it.
    """

    def __init__(self, standardized: Floats32, assigned: Floats, residual: Floats, patterns: Floats) -> None:
        """Take standardised features, centred action indicators, and the residual rewards to explain."""
        self.patterns, self.assigned, self.residual = patterns, assigned, residual
        self.means = np.linalg.pinv(assigned.T @ assigned) @ assigned.T  # (n_actions, n)
        self.features = standardized.shape[1]
        unexplained = residual - assigned @ (self.means @ residual)
        center, usable, known, variance = self._known(standardized, unexplained)
        self.candidates = int(usable.sum())
        moments = _moments(assigned * unexplained[:, None] @ patterns.T, standardized, center)
        strength = np.where(usable, moments**2 / (variance * known**2), 0.0).max(axis=0)
        self.columns = np.sort(np.argsort(-strength, kind="stable")[:MAX_FEATURES])
        self.standardized = np.ascontiguousarray(standardized[:, self.columns])
        self.center, self.usable = center[:, self.columns], usable[:, self.columns]
        self.information, self.variance = known[:, self.columns], variance[:, self.columns]

    def learn(self) -> Floats:
        """Return each action's slopes, the mean's first.  # (n_actions, 1 + n_features)"""
        effects: list[Floats] = []
        while len(effects) < MAX_EFFECTS and self.usable.any():
            effect = self._single(self._residual_without(effects))
            if not effect.any():
                break
            effects.append(effect)
            for _ in range(REVISIONS if len(effects) > 1 else 0):
                for index in range(len(effects)):
                    effects[index] = self._single(
                        self._residual_without(effects[:index] + effects[index + 1 :])
                    )
        together = self._together(effects)
        together[np.abs(together) < MIN_SLOPE] = 0.0
        slopes = np.zeros((self.patterns.shape[1], 1 + self.features))
        slopes[:, 1 + self.columns] = self.patterns.T @ together
        slopes[:, 0] = self.means @ (self.residual - self._explained(together))
        slopes[:, 0] -= self.patterns.T @ (together * self.center).sum(axis=1)
        slopes[~self.assigned.any(axis=0)] = 0.0  # an action nobody could get learns nothing from the others
        return slopes

    def _known(self, standardized: Floats32, unexplained: Floats) -> tuple[Floats, Bools, Floats, Floats]:
        """Return center, usable, known and variance of every slope on its own."""
        weights = (self.assigned @ self.patterns.T) ** 2  # (n, n_patterns)
        total = np.maximum(weights.sum(axis=0), 1e-12)[:, None]
        center = _weighted_sums(weights, standardized) / total
        known = _weighted_sums(weights, standardized, square=True) - center**2 * total
        typical = float(np.median(known[known > 0])) if (known > 0).any() else 0.0
        usable = known > max(MIN_INFORMATION * typical, 1e-9)
        known = np.where(usable, known, 1.0)
        squared_errors = weights * unexplained[:, None] ** 2
        spread = _weighted_sums(squared_errors, standardized, square=True) - 2 * center * _weighted_sums(
            squared_errors, standardized
        )
        spread += center**2 * squared_errors.sum(axis=0)[:, None]
        # Of the textbook's variance and the one that holds for any noise (White 1980), the larger.
        return (
            center,
            usable,
            known,
            np.maximum(spread / known**2, unexplained @ unexplained / len(unexplained) / known),
        )

    def _together(self, effects: list[Floats]) -> Floats:
        return np.sum(effects, axis=0) if effects else np.zeros(self.information.shape)

    def _explained(self, together: Floats) -> Floats:
        """Return each row's prediction by the slopes, without the mean effects.  # (n,)"""
        effects = self.standardized @ (self.patterns.T @ together).T.astype(np.float32)
        effects = effects - self.patterns.T @ (together * self.center).sum(axis=1)
        return np.asarray((self.assigned * effects).sum(axis=1), np.float64)

    def _residual_without(self, effects: list[Floats]) -> Floats:
        """Return the residual after the other single effects and the mean effects.  # (n,)"""
        unexplained = self.residual - self._explained(self._together(effects))
        return np.asarray(unexplained - self.assigned @ (self.means @ unexplained), np.float64)

    def _single(self, unexplained: Floats) -> Floats:
        """Return one single effect: slopes times the probability of each; 0 where none at all is as likely."""
        slope = (
            _moments(self.assigned * unexplained[:, None] @ self.patterns.T, self.standardized, self.center)
            / self.information
        )
        priors = PRIOR_DEVIATIONS**2
        prior = priors[
            int(np.argmax([self._evidence(slope, prior_variance)[0] for prior_variance in priors]))
        ]
        weight, chances = self._evidence(slope, prior)
        if weight <= 0:
            return np.zeros(slope.shape)
        return np.asarray(chances * slope * prior / (prior + self.variance), np.float64)

    def _evidence(self, slope: Floats, prior: float) -> tuple[float, Floats]:
        """Return how much likelier one slope of this prior variance is than none (log), and the chances of each."""
        shrunk = prior / (prior + self.variance)
        log_odds = 0.5 * np.log1p(-shrunk) + 0.5 * slope**2 / self.variance * shrunk
        log_odds = np.where(self.usable, log_odds, -np.inf)
        largest = float(log_odds.max())
        odds = np.exp(log_odds - largest)
        return largest + float(np.log(odds.sum() / self.candidates)), odds / odds.sum()


def _moments(weights: Floats, standardized: Floats32, center: Floats) -> Floats:
    """Return what weights and features, their centers taken off, have in common.  # (n_patterns, n_features)"""
    products: Floats = _weighted_sums(weights, standardized) - center * weights.sum(axis=0)[:, None]
    return products


def _weighted_sums(weights: Floats, standardized: Floats32, square: bool = False) -> Floats:
    """Return sums over rows of a weight and a feature, or its square, without a second table of features."""
    sums = np.zeros((weights.shape[1], standardized.shape[1]))
    for begin in range(0, len(standardized), 8192):
        block = standardized[begin : begin + 8192]
        sums += weights[begin : begin + 8192].astype(np.float32).T @ (block * block if square else block)
    return sums


MAX_DEVIATIONS = 3.0
"""Standard deviations beyond which a value counts as no farther: no slope is known out there."""


@dataclass(frozen=True)
class LinearEffects:
    """Slopes of each action on some features, whose places are `columns`; the first coefficient is the mean's."""

    columns: Ints  # (n_used,)
    center: Floats  # (n_used,)
    spread: Floats  # (n_used,)
    coefficients: Floats  # (n_actions, 1 + n_used)

    def predict(self, values: Floats32) -> Floats:
        """Return each action's effect as a share of the measure.  # (n, n_actions)"""
        standardized = _standardized(values[:, self.columns], self.center, self.spread)
        effects: Floats = standardized @ self.coefficients[:, 1:].T + self.coefficients[:, 0]
        return effects


@dataclass(frozen=True)
class CrossFittedSlopes:
    """Slopes from everybody, slopes without each fold, and what the latter say of the fold.  # unseen (n, n_actions)"""

    full: LinearEffects
    without_fold: tuple[LinearEffects, ...]
    unseen: Floats

    def losses(
        self, log: LoggedDecisions, expected: Floats, scale: Floats, variance: Floats | None = None
    ) -> Floats:
        """Return the squared error of each unseen customer's predicted reward, weighted by 1 / variance.  # (n,)"""
        assigned, residual = residuals(log, expected, scale, variance)
        squared: Floats = (residual - (assigned * self.unseen[:, 1:]).sum(axis=1)) ** 2
        return squared


def cross_fit_slopes(
    log: LoggedDecisions, expected: Floats, scale: Floats, fold: Ints, variance: Floats | None = None
) -> CrossFittedSlopes:
    """Return the slopes of what is left of rewards when the expected ones are taken off.

    Assignment less its logging propensity has nothing to do with what customers bring anyway, so the rest of the reward
    moves with it by the effects alone (Robinson 1988; the R-learner of Nie and Wager 2021).

    Parameters
    ----------
    expected
        Expected reward of each action, from others than the customer.  # (n, n_actions)
    scale
        What effects are shares of, above 0.  # (n,)
    variance
        What the variance of a reward is taken to grow with; None for the measure.  # (n,)
    """
    assigned, residual = residuals(log, expected, scale, variance)
    center, spread = _center_and_spread(log.values)
    standardized = _standardized(log.values, center, spread)
    patterns = patterns_of(log.actions)

    def fit_rows(rows: Ints) -> LinearEffects:
        slopes = SingleEffectSlopes(standardized[rows], assigned[rows], residual[rows], patterns).learn()
        columns = np.flatnonzero(slopes[:, 1:].any(axis=0))
        used_slopes = slopes[:, np.concatenate([[0], 1 + columns])]
        coefficients = np.vstack([np.zeros(used_slopes.shape[1]), used_slopes])
        return LinearEffects(columns, center[columns], spread[columns], coefficients)

    full = fit_rows(np.arange(len(log)))
    without_fold = tuple(
        fit_rows(np.flatnonzero(fold != held_out)) for held_out in range(int(fold.max()) + 1)
    )
    unseen = np.zeros(expected.shape)
    for held_out, linear in enumerate(without_fold):
        unseen[fold == held_out] = linear.predict(log.values[fold == held_out])
    return CrossFittedSlopes(full, without_fold, unseen)


def residuals(
    log: LoggedDecisions, expected: Floats, scale: Floats, variance: Floats | None = None
) -> tuple[Floats, Floats]:
    """Return centred indicators of each action but `none`, (n, n_actions - 1), and residual rewards, (n,).

    Effects, as shares of the measure, times what tells of them, summed over actions, are what they say of what is left;
    a decision counts as 1 / variance, by default as 1 / measure.
    """
    root = np.sqrt(scale if variance is None else variance)
    assigned = np.eye(len(log.actions))[log.action] - log.logging_propensities
    residual = (log.reward - (log.logging_propensities * expected).sum(axis=1)) / root
    return assigned[:, 1:] * (scale / root)[:, None], residual


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
    distinct: dict[tuple[float, ...], None] = {}
    for pattern in (*np.eye(count), np.ones(count), *shared):
        distinct.setdefault(tuple(pattern.tolist()))
    return np.array(list(distinct))


def _center_and_spread(values: Floats32) -> tuple[Floats, Floats]:
    """Return where each feature lies and how wide, on the scale of `_log_scale`; infinitely where all are alike."""
    center, spread = np.zeros(values.shape[1]), np.full(values.shape[1], np.inf)
    for index in range(values.shape[1]):
        scaled = _log_scale(values[:, index]).astype(np.float64)
        known = scaled[np.isfinite(scaled)]
        if len(known) and known.std() > 1e-6:
            center[index], spread[index] = known.mean(), known.std()
    return center, spread


def _standardized(values: Floats32, center: Floats, spread: Floats) -> Floats32:
    """Return the features on one scale, 0 (their mean) where nothing is known.  # (n, n_features)"""
    deviations = (_log_scale(values) - center.astype(np.float32)) / spread.astype(np.float32)
    clipped: Floats32 = np.nan_to_num(deviations.clip(-MAX_DEVIATIONS, MAX_DEVIATIONS), nan=0.0)
    return clipped


def _log_scale(values: Floats32) -> Floats32:
    """Return counts and amounts by their orders of magnitude: log(1 + x), the sign kept."""
    logs: Floats32 = np.sign(values) * np.log1p(np.abs(values))
    return logs
