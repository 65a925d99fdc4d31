"""The arms of a round: who is held out to measure by, who explores, and with which propensities.

The holdout depends on the salt and the customer only, so it is the same in every round. Explorers are drawn anew in
each round; they draw uniformly among the options they are allowed, with lower probabilities where together they would
exceed their share of a limit. So each customer's propensities do not depend on the others' draws.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import pyarrow as pa

from sintonia.core.arrays import Bools, Floats, Ints
from sintonia.serving.decisions import kernels
from sintonia.serving.decisions.allocation import Limit, bounds_of
from sintonia.serving.decisions.kernels import Assigned, LimitMatrix

ARMS = ("policy", "explore", "holdout")
POLICY, EXPLORE, HOLDOUT = range(3)

CUSTOMERS_PER_DRAW = 1 << 15
"""Customers whose ids are texts of Python's at a time."""

SURE_DEVIATIONS = 5.0
"""Standard deviations that chance may bring above the mean: more happens once in three million rounds."""


def hashed_uniforms(salt: str, customers: pa.Array, count: int = 1) -> Floats:
    """Return `count` reproducible numbers in [0, 1) by customer, (n, count), from a hash of salt and id.

    Examples
    --------
    >>> ids = pa.array(["C1", "C2"])
    >>> hashed_uniforms("a", ids).round(4).tolist() == hashed_uniforms("a", ids).round(4).tolist()
    True
    """
    key = blake2b(salt.encode(), digest_size=32).digest()
    uniforms = np.empty((len(customers), count))
    for first in range(0, len(customers), CUSTOMERS_PER_DRAW):
        ids = customers.slice(first, CUSTOMERS_PER_DRAW).to_pylist()
        hashes = b"".join(
            [blake2b(customer.encode(), digest_size=8 * count, key=key).digest() for customer in ids]
        )
        numbers = (np.frombuffer(hashes, "<u8") >> np.uint64(11)).astype(np.float64) / 2.0**53
        uniforms[first : first + CUSTOMERS_PER_DRAW] = numbers.reshape(-1, count)
    return uniforms


def draw_arms(holdout: Floats, explore: Floats, holdout_share: float, explore_share: float) -> Ints:
    """Return each customer's arm from two numbers in [0, 1); customers held out do not explore."""
    arm = np.where(explore < explore_share, EXPLORE, POLICY)
    return np.where(holdout < holdout_share, HOLDOUT, arm).astype(np.int64)


@dataclass(frozen=True)
class Exploration:
    """What explorers drew: `choice` (n,) options, `propensities` (n, n_options), and how many exceeded a limit."""

    choice: Ints
    propensities: Floats
    used: Floats
    turned_away: int


def draw_exploration(
    allowed: Bools, limits: Sequence[Limit], share: float, chance: Floats, order: Floats
) -> Exploration:
    """Return explorers' draws among their allowed options, within a share of every maximum.

    Parameters
    ----------
    allowed
        (n_explorers, n_options); option 0, doing nothing, is allowed for everybody.
    limits
        What there is; minima are no matter of exploring.
    share
        The part of each maximum that all explorers together may ask for, on average.
    chance, order
        (n,) numbers in [0, 1): what is drawn, and who comes first, should chance bring more than there is.
    """
    fair = allowed / np.maximum(allowed.sum(axis=1, keepdims=True), 1)
    bounds = bounds_of(limits, allowed.shape[1])
    scale = np.ones(allowed.shape[1])
    requested = bounds.weight @ fair.sum(axis=0)
    for limit, load, at_most in zip(bounds.weight, requested, bounds.at_most, strict=True):
        max_load = min(share * at_most, _mean_surely_below(at_most, limit.max(initial=0)))
        if load > max_load:
            scale = np.where(limit > 0, np.minimum(scale, max_load / load), scale)
    propensities = fair * scale
    propensities[:, 0] += 1 - propensities.sum(axis=1)
    cumulative = propensities.cumsum(axis=1)
    choice = np.minimum(
        (cumulative <= chance[:, None] * cumulative[:, -1:]).sum(axis=1), allowed.shape[1] - 1
    )
    taken = Assigned(choice.astype(np.int64), np.zeros(len(limits)))
    keep_within(bounds, np.argsort(order, kind="stable"), taken)
    return Exploration(taken.choice, propensities, taken.used, int((taken.choice != choice).sum()))


def keep_within(bounds: LimitMatrix, order: Ints, taken: Assigned) -> None:
    """Replace by nothing, in this order, the choices that exceed a limit; add what the others use."""
    n_options = bounds.weight.shape[1]
    nothing = np.where(np.arange(n_options) > 0, -np.inf, 0.0).astype(np.float32)
    worth = np.broadcast_to(nothing, (len(taken.choice), n_options))
    kernels.choose_within_limits(np.ascontiguousarray(worth), np.zeros(n_options), order, bounds, taken)


def _mean_surely_below(limit: float, heaviest: float) -> float:
    """Return the mean load whose random total exceeds `limit` once in three million rounds.

    A sum of independent draws of weight w <= heaviest with mean m has a variance of at most heaviest x m; m solves m +
    SURE_DEVIATIONS sqrt(heaviest m) = limit.
    """
    if not np.isfinite(limit):
        return limit
    spread = SURE_DEVIATIONS * np.sqrt(heaviest)
    root = (-spread + np.sqrt(spread**2 + 4 * limit)) / 2
    return float(root**2)
