"""Effects as shares of what a customer would bring anyway, linear in the features: what little data can tell of many.

Trees ask for a split what a slope gets from everybody. Features are brought to one scale, each action has its own
slopes, and all are shrunk alike (ridge regression: Hoerl and Kennard 1970), as far as customers of left-out folds ask.
"""

from dataclasses import dataclass

import numpy as np

from sintonia.uplift.log import Bools, Floats, Floats32, Ints

MOST = 60
"""Features with slopes: those that pseudo-outcomes move with most."""

PENALTIES = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
"""What slopes are shrunk by, in units of what is known of each: 1 halves a slope that stands alone."""

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
        found: Floats = _design(values[:, self.columns], self.center, self.spread) @ self.coefficients.T
        return found


@dataclass(frozen=True)
class Fitted:
    """Slopes from everybody, slopes without each fold, and what the latter say of the fold.  # unseen (n, n_actions)"""

    whole: Linear
    without: tuple[Linear, ...]
    unseen: Floats


def fit_linear(values: Floats32, raw: Floats, measure: Floats, eligible: Bools, fold: Ints) -> Fitted:
    """Return the slopes of pseudo-outcomes over the measure, a row counting as its measure.

    Parameters
    ----------
    raw
        Pseudo-outcomes.  # (n, n_actions)
    measure
        What effects are shares of, above 0; the variance of a reward is taken to grow with it.  # (n,)
    """
    root, folds = np.sqrt(measure), int(fold.max()) + 1
    columns, center, spread = _chosen(values, raw, measure, eligible)
    rows = _design(values[:, columns], center, spread) * root[:, None]
    solved = np.zeros((len(PENALTIES), folds + 1, raw.shape[1], rows.shape[1]))
    loss = np.zeros(len(PENALTIES))
    for action in range(1, raw.shape[1]):
        parts = [np.flatnonzero((fold == one) & eligible[:, action]) for one in range(folds)]
        targets = raw[:, action] / root
        products = [(rows[part].T @ rows[part], rows[part].T @ targets[part]) for part in parts]
        gram, moment = (sum(each, np.zeros(1)) for each in zip(*products, strict=True))
        for one in range(folds + 1):
            less = products[one] if one < folds else (0.0, 0.0)
            solved[:, one, action] = _slopes(gram - less[0], moment - less[1])
        for one, part in enumerate(parts):
            loss += ((targets[part, None] - rows[part] @ solved[:, one, action].T) ** 2).sum(axis=0)
    best = solved[int(loss.argmin())]
    found = [Linear(columns, center, spread, coefficients) for coefficients in best]
    unseen = np.zeros(raw.shape)
    for one in range(folds):
        unseen[fold == one] = found[one].predict(values[fold == one])
    return Fitted(found[-1], tuple(found[:-1]), unseen)


def _slopes(gram: Floats, moment: Floats) -> Floats:
    """Return the solutions for each penalty, the mean's coefficient unshrunk.  # (n_penalties, n_columns)"""
    known = float(gram[0, 0])
    if known <= 0:
        return np.zeros((len(PENALTIES), len(moment)))
    shrunk = np.eye(len(moment))
    shrunk[0, 0] = 0
    return np.stack([np.linalg.solve(gram + one * known * shrunk, moment) for one in PENALTIES])


def _chosen(values: Floats32, raw: Floats, measure: Floats, eligible: Bools) -> tuple[Ints, Floats, Floats]:
    """Return which features move most with the shares, and where and how wide they lie on the scale of `_scaled`.

    By each slope's own square over its variance, summed over the actions; the mean share of each is taken off first.
    """
    scaled = _scaled(values)
    known = np.isfinite(scaled)
    counts = np.maximum(known.sum(axis=0), 1)
    center = np.where(known, scaled, 0).sum(axis=0) / counts
    spread = np.sqrt((np.where(known, scaled - center, 0) ** 2).sum(axis=0) / counts)
    constant = ~(spread > 1e-6)
    apart = np.where(known, (scaled - center) / np.where(constant, 1, spread), 0).clip(-FARTHEST, FARTHEST)
    brought, base = (raw * eligible).sum(axis=0), measure @ eligible
    shares = np.divide(brought, base, out=np.zeros(len(base)), where=base > 0)
    slopes = ((raw - measure[:, None] * shares) * eligible).T @ apart  # (n_actions, n_features)
    noise = (eligible * measure[:, None]).T @ apart**2
    sure = np.divide(slopes**2, noise, out=np.zeros(slopes.shape), where=noise > 0)
    strength = np.where(constant, -1.0, sure.sum(axis=0))
    columns = np.sort(np.argsort(-strength, kind="stable")[: min(MOST, int((~constant).sum()))])
    return columns, center[columns], spread[columns]


def _design(values: Floats32, center: Floats, spread: Floats) -> Floats:
    """Return 1 and the features on one scale, 0 (their mean) where nothing is known.  # (n, 1 + n_used)"""
    apart = ((_scaled(values) - center) / spread).clip(-FARTHEST, FARTHEST)
    return np.column_stack([np.ones(len(values)), np.nan_to_num(apart, nan=0.0)])


def _scaled(values: Floats32) -> Floats:
    """Return counts and amounts by their orders of magnitude: log(1 + x), the sign kept."""
    found: Floats = (np.sign(values) * np.log1p(np.abs(values))).astype(np.float64)
    return found
