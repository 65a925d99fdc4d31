"""Shrinkage of heterogeneity: learned differences count as far as they are confirmed on held-out customers."""

import numpy as np

from sintonia.core.arrays import Bools, Floats, Ints
from sintonia.core.intervals import clustered_error
from sintonia.uplift.logged import Actions

GROUPS = 10
"""Groups of decisions by predicted effect, in which predictions are compared with outcomes."""


def mean_effects(raw: Floats, eligible: Bools, customer: Ints) -> tuple[Floats, Floats]:
    """Return the mean effect of each action where it is eligible, and its clustered standard error.  # (n_actions,)

    `raw` are doubly robust scores less those of `none`. An action that was never eligible has an error of infinity.
    """
    means, errors = np.zeros(raw.shape[1]), np.zeros(raw.shape[1])
    for index in range(1, raw.shape[1]):
        rows = eligible[:, index]
        means[index] = raw[rows, index].mean() if rows.any() else 0.0
        errors[index] = clustered_error(raw[rows, index], customer[rows])[0] if rows.any() else np.inf
    return means, errors


def eligible_means(values: Floats, eligible: Bools) -> Floats:
    """Return the mean of each action where it is eligible, 0 where it never is.  # (n_actions,)"""
    counts = eligible.sum(axis=0)
    means: Floats = np.divide(
        (values * eligible).sum(axis=0), counts, out=np.zeros(len(counts)), where=counts > 0
    )
    return means


def james_stein_means(raw: Floats, predicted: Floats, eligible: Bools, customer: Ints) -> Floats:
    """Return mean effects: those of scores, shrunk towards the predicted ones (James-Stein).  # (n_actions,)

    The mean of doubly robust scores is right on average, and noisy where a few customers bring most of the money;
    slopes weigh decisions by what they tell, and err where no slope fits. Of the p means d of scores less what was
    said, with clustered covariance S, 1 - (p - 2) / (d' S^-1 d) counts, and nothing below 0: the positive-part
    estimator of James and Stein (1961). Its expected error, in units of S, is never above that of the scores alone,
    as long as what was said does not hang on them. One or two actions have the means of their scores.

    Parameters
    ----------
    raw
        Doubly robust scores less those of `none`.  # (n, n_actions)
    predicted
        Effects predicted by models not trained on these customers.  # (n, n_actions)
    """
    learned = np.flatnonzero(eligible[:, 1:].any(axis=0)) + 1
    miss = eligible_means(raw - predicted, eligible)
    _, codes = np.unique(customer, return_inverse=True)
    influence = (raw - predicted - miss) * eligible / np.maximum(eligible.sum(axis=0), 1)
    totals = np.array([np.bincount(codes, influence[:, index]) for index in learned]).reshape(
        len(learned), -1
    )
    covariance = totals @ totals.T * totals.shape[1] / max(1, totals.shape[1] - 1)
    power = float(miss[learned] @ np.linalg.pinv(covariance) @ miss[learned])
    factor = max(0.0, 1 - max(0, len(learned) - 2) / power) if power > 0 else 1.0
    return eligible_means(predicted, eligible) + factor * miss


def stacking_weights(residual: Floats, members: Floats, customer: Ints) -> Floats:
    """Return the weight of each candidate's differences between customers, 0 or more.  # (n_candidates,)

    Non-negative least squares of what mean effects leave of rewards on what unseen candidates say of it (stacking:
    Breiman 1996; by the loss of the R-learner, as Nie and Wager 2021), then shrunk by how sure the mix is of its
    slope: with slope b and clustered standard error s, by 1 - (s / b)^2, the positive-part James-Stein factor, so that
    a slope within one error of 0 counts for nothing.

    Parameters
    ----------
    residual
        What is left of each reward when expected rewards and mean effects are taken off (`linear.residuals`).  # (n,)
    members
        What each candidate's differences say of it, predicted for customers that it has not seen.
        # (n, n_candidates)
    """
    from scipy.optimize import nnls

    weights, _ = nnls(members.T @ members, members.T @ residual)
    combined = members @ weights
    power = float(combined @ combined)
    if not power:
        return np.zeros(members.shape[1])
    slope = float(combined @ residual) / power
    error = clustered_error(combined * (residual - slope * combined), customer)[0] * len(residual) / power
    factor = max(0.0, 1 - (error / slope) ** 2) if slope > 0 else 0.0
    return np.asarray(weights * factor, np.float64)


def unexplained_deviation(raw: Floats, effects: Floats, eligible: Bools, customer: Ints) -> Floats:
    """Return by how much effects typically miss the truth, 0 where noise explains it.  # (n_actions,)

    Decisions are grouped by what was said of them on customers that were not learned from. The mean pseudo-outcome
    of a group misses what was said by the error of the effects and by its own; the square of the latter is known, and
    what is left of the squares, on average over groups, is the former's variance (method of moments).

    Parameters
    ----------
    raw
        Pseudo-outcomes.  # (n, n_actions)
    effects
        Predictions of models not trained on these customers.  # (n, n_actions)
    """
    deviations = np.zeros(raw.shape[1])
    for index in range(1, raw.shape[1]):
        rows = np.flatnonzero(eligible[:, index])
        if len(rows) < 2 * GROUPS:
            continue
        miss, owner = raw[rows, index] - effects[rows, index], customer[rows]
        excess = []
        for group in np.array_split(np.argsort(effects[rows, index], kind="stable"), GROUPS):
            error, customers = clustered_error(miss[group], owner[group])
            excess.append(miss[group].mean() ** 2 - error**2 if customers > 1 else 0.0)
        deviations[index] = np.sqrt(max(0.0, float(np.mean(excess))))
    return deviations


def similar_action_weights(actions: Actions, index: int, errors: Floats) -> Floats:
    """Return the weights of the learned actions for an action without a history; they sum to 1.  # (n_learned,)

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
    distance = ((scaled[:learned] - scaled[index]) ** 2).sum(axis=1) / max(1, scaled.shape[1])
    known = np.isfinite(errors) & (np.arange(learned) > 0)
    if not known.any():
        return np.asarray(np.eye(learned)[0], np.float64)
    nearer = np.exp(-(distance - distance[known].min()) / 2)
    weight = np.where(known, nearer / np.maximum(errors, np.finfo(float).eps) ** 2, 0.0)
    return np.asarray(weight / weight.sum(), np.float64)
