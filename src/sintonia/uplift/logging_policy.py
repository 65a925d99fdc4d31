"""With which probability the log took each action, where it does not say so: estimated, and believed only with overlap.

Propensities that were logged are facts. Estimated ones are a model of who was chosen: what it cannot see (a salesman's
hunch) stays in the effect. Two checks keep the worst out. Can the features tell who got what at all? Where they cannot
the shares of the round are the propensities. Where they can, the log was targeted, and every action must still be
likely enough for nearly everybody, or there is nobody to compare with.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sintonia.core.arrays import Floats, Floats32, Ints
from sintonia.core.errors import InputError, NotEnoughDataError
from sintonia.core.intervals import Estimate, clustered_mean
from sintonia.uplift.folds import fold_of
from sintonia.uplift.logged import ROUNDING

MIN_COVERED = 0.9
"""Share of the decisions for which every action must be likely enough."""

CERTAIN = 0.999
"""Logging propensity from which an action that was taken had no alternative worth the name."""

TREES, LEAVES, RATE, LEAST_LEAF, BINS, FOLDS = 40, 8, 0.2, 100, 63, 3


@dataclass(frozen=True)
class LoggingPolicy:
    """Propensities of every action at every decision, and where they are from.

    `predictable` is by how much the features predict the action better than the round's shares do, in nats a decision;
    `covered` the share of decisions with every action likely enough; both None where the propensities were logged.
    `never_by_chance` names the actions of a log with propensities that were certain whenever they were taken.
    """

    propensities: Floats  # (n, n_actions)
    predictable: Estimate | None = None
    covered: float | None = None
    never_by_chance: tuple[str, ...] = ()

    @property
    def logged(self) -> bool:
        """Whether the propensities were logged."""
        return self.predictable is None

    @property
    def targeted(self) -> bool:
        """Whether the features significantly predict the action."""
        return self.predictable is not None and self.predictable.low > 0

    @property
    def warning(self) -> str | None:
        """The warning about effects of actions that were not randomised, None where chance decided every action."""
        if self.never_by_chance:
            actions = " and ".join(f"'{name}'" for name in self.never_by_chance)
            return (
                f"Chance never decided for {actions}: whenever taken, the logging propensity was 1, so there is nobody "
                "to compare these customers with, and what tells them apart stays in the effects."
            )
        if self.predictable is None or self.covered is None:
            return None
        advantage = f"{self.predictable.text(digits=4)} nats"
        if self.targeted:
            explanation = (
                f"the features predict the action ({advantage} per decision better than chance); "
                f"{self.covered:.0%} of the decisions have sufficient overlap for every action"
            )
        else:
            explanation = (
                f"the features do not predict the action ({advantage} per decision better than chance), so each "
                "round's shares are used"
            )
        return (
            f"Observational: propensities were not logged; {explanation}. Confounding by anything that is "
            "not a feature remains in these effects."
        )

    def figures(self) -> dict[str, Any]:
        """Return plain JSON values."""
        predictable = self.predictable
        return {
            "logged": self.logged,
            "targeted": self.targeted,
            "covered": self.covered,
            "predictable": None
            if predictable is None
            else [predictable.value, predictable.low, predictable.high],
            "warning": self.warning,
        }


def logged_policy(propensities: Floats, action: Ints, names: Sequence[str]) -> LoggingPolicy:
    """Return the logging policy of decisions whose propensities were logged.

    Parameters
    ----------
    propensities
        With which probability each action was assigned, 0 where it was not eligible.  # (n, n_actions)

    Raises
    ------
    InputError
        When the propensities of a decision do not sum to 1.
    NotEnoughDataError
        When no decision was left to chance.

    Examples
    --------
    >>> logged_policy(np.array([[0.5, 0.5], [0.0, 1.0]]), np.array([0, 1]), ("none", "mail")).never_by_chance
    ('mail',)
    """
    sums = propensities.sum(axis=1)
    wrong = np.flatnonzero(~np.isclose(sums, 1, rtol=0, atol=ROUNDING))
    if len(wrong):
        raise InputError(
            f"Logging propensities of a decision must sum to 1 over its eligible actions; those of {len(wrong):,} of "
            f"{len(sums):,} decisions do not, the first sums to {sums[wrong[0]]:.6g}. Log the probability with which "
            "each action was drawn."
        )
    by_chance = propensities[np.arange(len(action)), action] < CERTAIN
    if not by_chance.any():
        raise NotEnoughDataError(
            f"All {len(action):,} decisions of the log were certain (logging propensity 1): there is nobody to compare "
            "with, so no uplift. Let chance decide for some; or, if there were alternatives, leave out "
            "logging_propensities, and they are estimated."
        )
    taken, drawn = (np.bincount(rows, minlength=len(names)) > 0 for rows in (action, action[by_chance]))
    return LoggingPolicy(
        propensities,
        never_by_chance=tuple(name for name, sure in zip(names, taken & ~drawn, strict=True) if sure),
    )


def estimate_logging_policy(
    values: Floats32,
    action: Ints,
    *,
    rounds: Ints,
    customer: Ints,
    names: tuple[str, ...],
    overlap: float,
    seed: int = 7,
) -> LoggingPolicy:
    """Return the estimated logging policy of decisions whose propensities were not logged.

    Parameters
    ----------
    rounds, customer
        Round and customer of each decision: shares are per round, a customer is predicted by models of others.
    overlap
        Minimum propensity of every action, required of nine decisions in ten.

    Raises
    ------
    NotEnoughDataError
        When there is no comparison group, or too little overlap.
    """
    counts = np.bincount(action, minlength=len(names))
    if not counts[0] or not counts[1:].any():
        raise NotEnoughDataError(
            f"All {len(action):,} decisions of the log are {' or '.join(np.array(names)[counts > 0])}: without a "
            "comparison group, no uplift can be learned. Map decisions to do nothing too, or give "
            "effects.none_for_others=true."
        )
    shares = _round_shares(action, rounds, len(names))
    predicted = _predicted_propensities(values, action, rounds, customer, len(names), seed)
    rows = np.arange(len(action))
    gain = clustered_mean(np.log(predicted[rows, action]) - np.log(shares[rows, action]), customer)
    policy = LoggingPolicy(predicted if gain.low > 0 else shares, gain, 1.0)
    taken = counts > 0
    covered = float((policy.propensities[:, taken].min(axis=1) >= overlap).mean())
    if policy.targeted and covered < MIN_COVERED:
        raise NotEnoughDataError(
            f"The log was targeted, and only {covered:.0%} of its decisions have a propensity of at least "
            f"{overlap:.1%} for every action ({MIN_COVERED:.0%} are needed): the overlap is too small, so no uplift is "
            "learned. Log propensities, or randomise some decisions."
        )
    return LoggingPolicy(policy.propensities, gain, covered)


def _round_shares(action: Ints, rounds: Ints, count: int) -> Floats:
    """Return each decision's round's shares of the actions.  # (n, n_actions)"""
    _, codes = np.unique(rounds, return_inverse=True)
    table = np.zeros((codes.max() + 1, count))
    np.add.at(table, (codes, action), 1)
    by_decision: Floats = (table / table.sum(axis=1, keepdims=True))[codes]
    return by_decision


def _predicted_propensities(
    values: Floats32, action: Ints, rounds: Ints, customer: Ints, count: int, seed: int
) -> Floats:
    """Return each decision's propensities given features and round, fitted on other customers.  # (n, n_actions)"""
    import lightgbm

    rows = np.column_stack([values, np.unique(rounds, return_inverse=True)[1].astype(np.float32)])
    parameters = {
        "objective": "multiclass",
        "num_class": count,
        "num_leaves": LEAVES,
        "learning_rate": RATE,
        "min_data_in_leaf": LEAST_LEAF,
        "max_bin": BINS,
        "feature_fraction": 0.7,
        "num_threads": 1,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    fold = fold_of(customer, FOLDS, seed)
    predicted = np.empty((len(action), count))
    for held_out in range(FOLDS):
        inside = fold != held_out
        dataset = lightgbm.Dataset(rows[inside], action[inside], categorical_feature=[rows.shape[1] - 1])
        predicted[~inside] = lightgbm.train(parameters, dataset, TREES).predict(rows[~inside])
    predicted = np.maximum(predicted, 1e-6)
    return np.asarray(predicted / predicted.sum(axis=1, keepdims=True), np.float64)
