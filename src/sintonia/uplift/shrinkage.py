"""Heterogeneity must be earned: what is learned about differences counts as far as unseen customers confirm it."""

import numpy as np

from sintonia.core.arrays import Bools, Floats, Ints
from sintonia.core.intervals import clustered_error
from sintonia.uplift.logged import Actions

GROUPS = 10
"""Groups of decisions, by what was said of them, in which effects are held against what came true."""


def constants(raw: Floats, eligible: Bools, customer: Ints) -> tuple[Floats, Floats]:
    """Return the mean effect of each action where it is eligible, and its clustered standard error.  # (n_actions,)

    `raw` are doubly robust scores less those of `none`. An action that was never eligible has an error of infinity.
    """
    found, errors = np.zeros(raw.shape[1]), np.zeros(raw.shape[1])
    for place in range(1, raw.shape[1]):
        rows = eligible[:, place]
        found[place] = raw[rows, place].mean() if rows.any() else 0.0
        errors[place] = clustered_error(raw[rows, place], customer[rows])[0] if rows.any() else np.inf
    return found, errors


def means_of(said: Floats, eligible: Bools) -> Floats:
    """Return the mean of each action where it is eligible, 0 where it never is.  # (n_actions,)"""
    counts = eligible.sum(axis=0)
    found: Floats = np.divide(
        (said * eligible).sum(axis=0), counts, out=np.zeros(len(counts)), where=counts > 0
    )
    return found


def leaned(raw: Floats, said: Floats, eligible: Bools, customer: Ints) -> Floats:
    """Return mean effects: those of scores, leaned on what was said as far as chance allows.  # (n_actions,)

    The mean of doubly robust scores is right on average, and noisy where a few customers bring most of the money;
    slopes weigh decisions by what they tell, and err where no slope fits. Of the p means d of scores less what was
    said, with clustered covariance S, 1 - (p - 2) / (d' S^-1 d) counts, and nothing below 0: the positive-part
    estimator of James and Stein (1961). Its expected error, in units of S, is never above that of the scores alone,
    as long as what was said does not hang on them. One or two actions have the means of their scores.

    Parameters
    ----------
    raw
        Doubly robust scores less those of `none`.  # (n, n_actions)
    said
        Effects, said of these customers without having seen them.  # (n, n_actions)
    """
    known = np.flatnonzero(eligible[:, 1:].any(axis=0)) + 1
    miss = means_of(raw - said, eligible)
    _, codes = np.unique(customer, return_inverse=True)
    apart = (raw - said - miss) * eligible / np.maximum(eligible.sum(axis=0), 1)
    totals = np.array([np.bincount(codes, apart[:, place]) for place in known]).reshape(len(known), -1)
    covariance = totals @ totals.T * totals.shape[1] / max(1, totals.shape[1] - 1)
    power = float(miss[known] @ np.linalg.pinv(covariance) @ miss[known])
    factor = max(0.0, 1 - max(0, len(known) - 2) / power) if power > 0 else 1.0
    return means_of(said, eligible) + factor * miss


def earned(left: Floats, said: Floats, customer: Ints) -> Floats:
    """Return the weight of each candidate's differences between customers, 0 or more.  # (n_candidates,)

    Non-negative least squares of what mean effects leave of rewards on what unseen candidates say of it (stacking:
    Breiman 1996; by the loss of the R-learner, as Nie and Wager 2021), then shrunk by how sure the mix is of its
    slope: with slope b and clustered standard error s, by 1 - (s / b)^2, the positive-part James-Stein factor, so that
    a slope within one error of 0 counts for nothing.

    Parameters
    ----------
    left
        What is left of each reward when expected rewards and mean effects are taken off (`linear.residuals`).  # (n,)
    said
        What each candidate's differences say of it, predicted for customers that it has not seen.
        # (n, n_candidates)
    """
    from scipy.optimize import nnls

    found, _ = nnls(said.T @ said, said.T @ left)
    mixed = said @ found
    power = float(mixed @ mixed)
    if not power:
        return np.zeros(said.shape[1])
    slope = float(mixed @ left) / power
    error = clustered_error(mixed * (left - slope * mixed), customer)[0] * len(left) / power
    factor = max(0.0, 1 - (error / slope) ** 2) if slope > 0 else 0.0
    return np.asarray(found * factor, np.float64)


def unexplained(raw: Floats, effects: Floats, eligible: Bools, customer: Ints) -> Floats:
    """Return by how much effects typically miss the truth, 0 where noise explains it.  # (n_actions,)

    Decisions are grouped by what was said of them on customers that were not learned from. The mean pseudo-outcome
    of a group misses what was said by the error of the effects and by its own; the square of the latter is known, and
    what is left of the squares, on average over groups, is the former's variance (method of moments).

    Parameters
    ----------
    raw
        Pseudo-outcomes.  # (n, n_actions)
    effects
        What was said of these customers without having seen them.  # (n, n_actions)
    """
    found = np.zeros(raw.shape[1])
    for place in range(1, raw.shape[1]):
        rows = np.flatnonzero(eligible[:, place])
        if len(rows) < 2 * GROUPS:
            continue
        miss, whose = raw[rows, place] - effects[rows, place], customer[rows]
        left = []
        for group in np.array_split(np.argsort(effects[rows, place], kind="stable"), GROUPS):
            error, customers = clustered_error(miss[group], whose[group])
            left.append(miss[group].mean() ** 2 - error**2 if customers > 1 else 0.0)
        found[place] = np.sqrt(max(0.0, float(np.mean(left))))
    return found


def likes(actions: Actions, place: int, errors: Floats) -> Floats:
    """Return how much each learned action tells of one without a history: weights that sum to 1.  # (n_learned,)

    The nearer their attributes (a normal kernel, one standard deviation of each attribute wide), and the better
    known their effect, the more. Without any action learned it is the like of doing nothing.

    Parameters
    ----------
    errors
        Standard errors of the effects of the learned actions, the first ones; infinite where nothing is known.
    """
    learned = len(errors)
    spread = actions.attributes[1:].std(axis=0)
    scaled = actions.attributes / np.where(spread > 0, spread, 1.0)
    distance = ((scaled[:learned] - scaled[place]) ** 2).sum(axis=1) / max(1, scaled.shape[1])
    known = np.isfinite(errors) & (np.arange(learned) > 0)
    if not known.any():
        return np.asarray(np.eye(learned)[0], np.float64)
    nearer = np.exp(-(distance - distance[known].min()) / 2)
    weight = np.where(known, nearer / np.maximum(errors, np.finfo(float).eps) ** 2, 0.0)
    return np.asarray(weight / weight.sum(), np.float64)
