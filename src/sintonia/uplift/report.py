"""What a study reports of policies, rankings, actions and segments: on customers who taught and decided nothing."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sintonia.core.arrays import Bools, Floats, Ints
from sintonia.core.intervals import Estimate, clustered_mean
from sintonia.evaluation.metrics import equal_mass_bins
from sintonia.uplift.effects import Effects
from sintonia.uplift.logged import Logged
from sintonia.uplift.off_policy import (
    Curve,
    difference,
    doubly_robust,
    gain_curve,
    ips,
    overlap,
    scores,
    snips,
)
from sintonia.uplift.policies import at_random, best, constant, gains, ranked

PERSONALISED, CHOSEN, RESPONSE = "personalised", "chosen", "response score"
SEGMENTED, PARTS = 3, 3
"""By how many features customers are looked at, and into how many parts of equal size each is cut."""


@dataclass(frozen=True)
class Worth:
    """What a policy is worth a decision on the report's customers, by three estimators, and how many it treats."""

    treated: float
    ips: Estimate
    snips: Estimate
    doubly_robust: Estimate
    against_constant: Estimate


@dataclass(frozen=True)
class Quintile:
    """A quintile of the report's decisions by predicted gain: what was predicted, and what doubly robust scores say."""

    predicted: float
    observed: Estimate


@dataclass(frozen=True)
class ByAction:
    """One action on the decisions it was eligible for: how it was logged, and what it changed.

    `logged` and `eligible` count decisions; `propensity` is the least, the 5 % quantile and the median of its logging
    propensity; `effective` and `largest` are Kish's number of decisions that always taking it can be judged by,
    and the largest weight; `predicted` is the learned effect, `observed` the doubly robust one, cost not taken off.
    """

    logged: int
    eligible: int
    propensity: tuple[float, float, float]
    effective: float
    largest: float
    predicted: float
    observed: Estimate


@dataclass(frozen=True)
class EffectSegment:
    """Customers alike in one feature, in [low, high]: what each action changes there, None where nobody may have it."""

    feature: int
    low: float
    high: float
    decisions: int
    effects: tuple[Estimate | None, ...]


@dataclass(frozen=True)
class PolicyReport:
    """Values of policies, gain curves, quintiles by predicted gain, actions, segments, and what they rest on.

    `rows` marks the report's decisions among the judged ones, `brings` are their doubly robust scores and `chosen` is
    the policy that was chosen, both (n, n_actions): what another policy can be compared by on the same decisions.
    """

    worths: Mapping[str, Worth]
    curves: Mapping[str, Curve]
    quintiles: tuple[Quintile, ...]
    actions: tuple[ByAction, ...]
    segments: tuple[EffectSegment, ...]
    rows: Bools
    brings: Floats
    chosen: Floats
    customers: int


def report(log: Logged, rows: Bools, effects: Effects, own: Floats, choice: tuple[int, bool]) -> PolicyReport:
    """Return what decisions of other customers say of a personalised policy that was learned.

    Parameters
    ----------
    log
        The report's decisions, `rows` of the judged ones.
    own
        The personalised policy.  # (n, n_actions)
    choice
        Place of the best constant action, and whether the personalised policy passed the gate against it.
    """
    place, passed = choice
    eligible, expected = log.eligible, effects.expected(log.values)
    brings, fixed, likely = scores(log, expected), constant(eligible, place), expected[:, 0]
    policies = {
        "nothing": constant(eligible, 0),
        "at random": at_random(eligible),
        "as logged": log.logging_propensities,
        RESPONSE: ranked(likely, eligible, place or 1, 1 - float(own[:, 0].mean())),
        f"always {log.actions.names[place]}": fixed,
        PERSONALISED: own,
        CHOSEN: own if passed else fixed,
    }
    predicted = effects.predict(log.values)
    recommended, gain = best(gains(predicted, log.actions), eligible)
    recommended = np.where(np.isfinite(gain), recommended, 0)
    gain = np.where(np.isfinite(gain), gain, gain[np.isfinite(gain)].min(initial=0.0))
    return PolicyReport(
        worths={name: _worth(log, brings, policy, fixed) for name, policy in policies.items()},
        curves={
            PERSONALISED: gain_curve(gain, recommended, brings, log.customer),
            RESPONSE: gain_curve(likely, recommended, brings, log.customer),
        },
        quintiles=_quintiles(gain, recommended, brings, log.customer),
        actions=tuple(_by_action(log, brings, predicted, one) for one in range(1, len(log.actions))),
        segments=segments_of(log, brings, gain if np.ptp(gain) > 0 else likely),
        rows=rows,
        brings=brings,
        chosen=policies[CHOSEN],
        customers=log.customers,
    )


def _worth(log: Logged, brings: Floats, policy: Floats, fixed: Floats) -> Worth:
    return Worth(
        treated=1 - float(policy[:, 0].mean()),
        ips=ips(log, policy),
        snips=snips(log, policy),
        doubly_robust=doubly_robust(brings, policy, log.customer),
        against_constant=difference(brings, policy, fixed, log.customer),
    )


def _quintiles(gain: Floats, recommended: Ints, brings: Floats, customer: Ints) -> tuple[Quintile, ...]:
    """Return predicted and observed gain of the recommended action, by quintiles of what was predicted."""
    observed = brings[np.arange(len(gain)), recommended] - brings[:, 0]
    quintile = equal_mass_bins(gain, 5)
    return tuple(
        Quintile(
            float(gain[quintile == one].mean()),
            clustered_mean(observed[quintile == one], customer[quintile == one]),
        )
        for one in range(int(quintile.max()) + 1)
    )


def _by_action(log: Logged, brings: Floats, predicted: Floats, place: int) -> ByAction:
    able = np.flatnonzero(log.eligible[:, place])
    some, share = log.take(able), log.logging_propensities[able, place]
    told = overlap(some, constant(some.eligible, place))
    least, low, middle = np.quantile(share, [0.0, 0.05, 0.5]).tolist() if len(able) else (0.0, 0.0, 0.0)
    return ByAction(
        logged=int((log.action == place).sum()),
        eligible=len(able),
        propensity=(least, low, middle),
        effective=told.effective,
        largest=told.largest,
        predicted=float(predicted[able, place].mean()) if len(able) else 0.0,
        observed=_effect(log, brings, able, place),
    )


def _effect(log: Logged, brings: Floats, rows: Ints, place: int) -> Estimate:
    found = brings[rows, place] + log.actions.costs[place] - brings[rows, 0]
    return clustered_mean(found, log.customer[rows])


def segments_of(log: Logged, brings: Floats, score: Floats) -> tuple[EffectSegment, ...]:
    """Return effects by the features that the score moves with most (Spearman's rank correlation), each in parts."""
    from scipy.stats import rankdata

    known = np.isfinite(log.values)
    ranks = rankdata(np.where(known, log.values, -np.inf), axis=0)
    ranks -= ranks.mean(axis=0)
    spread = np.sqrt((ranks**2).sum(axis=0))
    order = rankdata(score) - (len(score) + 1) / 2
    strength = np.abs(order @ ranks) / np.where(spread > 0, spread, np.inf)
    strength[known.mean(axis=0) < 0.5] = 0  # parts of those of whom it is known would leave out most
    found = []
    for feature in np.argsort(-strength, kind="stable")[:SEGMENTED].tolist():
        if strength[feature] > 0:
            found += _parts(log, brings, feature)
    return tuple(found)


def _parts(log: Logged, brings: Floats, feature: int) -> list[EffectSegment]:
    values = log.values[:, feature].astype(np.float64)
    known = np.flatnonzero(np.isfinite(values))
    part = equal_mass_bins(values[known], PARTS)
    found = []
    for one in range(int(part.max()) + 1):
        rows = known[part == one]
        able = (rows[log.eligible[rows, place]] for place in range(1, len(log.actions)))
        effects = tuple(
            _effect(log, brings, some, place) if len(some) else None
            for place, some in enumerate(able, start=1)
        )
        found.append(
            EffectSegment(feature, float(values[rows].min()), float(values[rows].max()), len(rows), effects)
        )
    return found
