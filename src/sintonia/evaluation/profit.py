"""Expected maximum profit: what a campaign that keeps customers may earn when it asks as many as pays best.

The measure of Verbraken, Verbeke and Baesens (2013), "A novel profit maximizing metric for measuring
classification performance of customer churn prediction models", IEEE Transactions on Knowledge and Data Engineering
25(5), 961-973. The package `empulse` has it too; it takes no weights, so no bootstrap over customers, and
brings a computer algebra system along: its values are in our tests instead.
"""

import numpy as np

from sintonia.core.arrays import Floats
from sintonia.core.config import ProfitConfig


def expected_maximum_profit(positives: Floats, reached: Floats, campaign: ProfitConfig) -> float:
    """Return the expected maximum profit in euros, a customer of all, whether asked or not.

    `positives` and `reached` are the cumulative outcomes and rows, best scores first. For each gamma the campaign
    stops where profit is highest, which is always on the convex hull of the ROC curve; between the gammas where
    two of its corners earn the same, the profit of a corner is linear in gamma, and its integral known.

    Examples
    --------
    >>> round(expected_maximum_profit(np.array([1.0, 2.0, 2.0]), np.array([1.0, 2.0, 4.0]), ProfitConfig()), 3)
    28.0
    """
    from scipy.special import betainc

    leavers, stayers = _hull(positives / reached[-1], (reached - positives) / reached[-1])
    value, alpha, beta = campaign.customer_value, campaign.accepts_alpha, campaign.accepts_beta
    delta, phi = campaign.incentive / value, campaign.contact_cost / value
    with np.errstate(divide="ignore"):
        turns = ((delta + phi) * np.diff(stayers) / np.diff(leavers) + phi) / (1 - delta)
    gammas = np.concatenate([[0.0], np.clip(turns, 0.0, 1.0), [1.0]])
    chance = np.diff(betainc(alpha, beta, gammas))
    mean_gamma = alpha / (alpha + beta) * np.diff(betainc(alpha + 1, beta, gammas))
    earned = leavers * ((1 - delta) * mean_gamma - phi * chance) - stayers * (delta + phi) * chance
    return float(value * earned.sum())


def _hull(up: Floats, across: Floats) -> tuple[Floats, Floats]:
    """Return the corners of the upper convex hull of a rising curve from (0, 0), steepest first.

    A point on or below the line between two others of the curve is no corner; all such are dropped at once, until
    none is left.
    """
    y, x = np.concatenate([[0.0], up]), np.concatenate([[0.0], across])
    moved = np.concatenate([[True], (np.diff(y) != 0) | (np.diff(x) != 0)])
    y, x = y[moved], x[moved]
    while len(y) > 2:
        rise, run = np.diff(y), np.diff(x)
        corner = rise[:-1] * run[1:] > rise[1:] * run[:-1]
        if corner.all():
            break
        keep = np.concatenate([[True], corner, [True]])
        y, x = y[keep], x[keep]
    return y, x
