"""A study's report of policies, rankings, actions and segments, on customers not used for training or the gate."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sintonia.core.arrays import Bools, Floats, Ints
from sintonia.core.intervals import Estimate, clustered_mean
from sintonia.evaluation.metrics import equal_mass_bins
from sintonia.uplift.effects import Effects
from sintonia.uplift.logged import LoggedDecisions
from sintonia.uplift.off_policy import (
    GainCurve,
    difference,
    doubly_robust,
    doubly_robust_scores,
    gain_curve,
    ips,
    overlap,
    snips,
)
from sintonia.uplift.policies import best_action, constant_policy, gains, top_share, uniform_policy

PERSONALISED, CHOSEN, RESPONSE = "personalised", "chosen", "response score"
SEGMENT_FEATURES, SEGMENTS_PER_FEATURE = 3, 3
"""By how many features customers are looked at, and into how many parts of equal size each is cut."""


@dataclass(frozen=True)
class ReportedPolicyValue:
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
class ActionSummary:
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

    `rows` marks the report's decisions among the judged ones, `dr_scores` are their doubly robust scores and
    `policy_probabilities` those of the policy that was selected, both (n, n_actions): with them another policy can be
    compared on the same decisions.
    """

    policy_values: Mapping[str, ReportedPolicyValue]
    curves: Mapping[str, GainCurve]
    quintiles: tuple[Quintile, ...]
    actions: tuple[ActionSummary, ...]
    segments: tuple[EffectSegment, ...]
    rows: Bools
    dr_scores: Floats
    policy_probabilities: Floats
    customers: int


def report(
    log: LoggedDecisions,
    rows: Bools,
    effects: Effects,
    personalised: Floats,
    *,
    constant_action: int,
    passed: bool,
) -> PolicyReport:
    """Return the values of a learned personalised policy and of simpler ones, on held-out customers.

    Parameters
    ----------
    log
        The report's decisions, `rows` of the judged ones.
    personalised
        The personalised policy.  # (n, n_actions)
    constant_action, passed
        Index of the best constant action, and whether the personalised policy passed the gate against it.
    """
    eligible, expected = log.eligible, effects.expected(log.values)
    dr_scores, fixed, response = (
        doubly_robust_scores(log, expected),
        constant_policy(eligible, constant_action),
        expected[:, 0],
    )
    policies = {
        "nothing": constant_policy(eligible, 0),
        "at random": uniform_policy(eligible),
        "as logged": log.logging_propensities,
        RESPONSE: top_share(response, eligible, constant_action or 1, 1 - float(personalised[:, 0].mean())),
        f"always {log.actions.names[constant_action]}": fixed,
        PERSONALISED: personalised,
        CHOSEN: personalised if passed else fixed,
    }
    predicted = effects.predict(log.values)
    recommended, gain = best_action(gains(predicted, log.actions), eligible)
    recommended = np.where(np.isfinite(gain), recommended, 0)
    gain = np.where(np.isfinite(gain), gain, gain[np.isfinite(gain)].min(initial=0.0))
    return PolicyReport(
        policy_values={
            name: _policy_value(log, dr_scores, policy, fixed) for name, policy in policies.items()
        },
        curves={
            PERSONALISED: gain_curve(gain, recommended, dr_scores, log.customer),
            RESPONSE: gain_curve(response, recommended, dr_scores, log.customer),
        },
        quintiles=_quintiles(gain, recommended, dr_scores, log.customer),
        actions=tuple(
            _action_summary(log, dr_scores, predicted, index) for index in range(1, len(log.actions))
        ),
        segments=effect_segments(log, dr_scores, gain if np.ptp(gain) > 0 else response),
        rows=rows,
        dr_scores=dr_scores,
        policy_probabilities=policies[CHOSEN],
        customers=log.customers,
    )


def _policy_value(
    log: LoggedDecisions, dr_scores: Floats, policy: Floats, fixed: Floats
) -> ReportedPolicyValue:
    return ReportedPolicyValue(
        treated=1 - float(policy[:, 0].mean()),
        ips=ips(log, policy),
        snips=snips(log, policy),
        doubly_robust=doubly_robust(dr_scores, policy, log.customer),
        against_constant=difference(dr_scores, policy, fixed, log.customer),
    )


def _quintiles(gain: Floats, recommended: Ints, dr_scores: Floats, customer: Ints) -> tuple[Quintile, ...]:
    """Return predicted and observed gain of the recommended action, by quintiles of what was predicted."""
    observed = dr_scores[np.arange(len(gain)), recommended] - dr_scores[:, 0]
    quintile = equal_mass_bins(gain, 5)
    return tuple(
        Quintile(
            float(gain[quintile == number].mean()),
            clustered_mean(observed[quintile == number], customer[quintile == number]),
        )
        for number in range(int(quintile.max()) + 1)
    )


def _action_summary(log: LoggedDecisions, dr_scores: Floats, predicted: Floats, index: int) -> ActionSummary:
    rows = np.flatnonzero(log.eligible[:, index])
    eligible_log, share = log.take(rows), log.logging_propensities[rows, index]
    supported = overlap(eligible_log, constant_policy(eligible_log.eligible, index))
    least, low, middle = np.quantile(share, [0.0, 0.05, 0.5]).tolist() if len(rows) else (0.0, 0.0, 0.0)
    return ActionSummary(
        logged=int((log.action == index).sum()),
        eligible=len(rows),
        propensity=(least, low, middle),
        effective=supported.effective,
        largest=supported.largest,
        predicted=float(predicted[rows, index].mean()) if len(rows) else 0.0,
        observed=_mean_effect(log, dr_scores, rows, index),
    )


def _mean_effect(log: LoggedDecisions, dr_scores: Floats, rows: Ints, index: int) -> Estimate:
    differences = dr_scores[rows, index] + log.actions.costs[index] - dr_scores[rows, 0]
    return clustered_mean(differences, log.customer[rows])


def effect_segments(log: LoggedDecisions, dr_scores: Floats, score: Floats) -> tuple[EffectSegment, ...]:
    """Return effects by the features that the score moves with most (Spearman's rank correlation), each in parts."""
    from scipy.stats import rankdata

    known = np.isfinite(log.values)
    ranks = rankdata(np.where(known, log.values, -np.inf), axis=0)
    ranks -= ranks.mean(axis=0)
    spread = np.sqrt((ranks**2).sum(axis=0))
    order = rankdata(score) - (len(score) + 1) / 2
    strength = np.abs(order @ ranks) / np.where(spread > 0, spread, np.inf)
    strength[known.mean(axis=0) < 0.5] = 0  # parts of those of whom it is known would leave out most
    segments = []
    for feature in np.argsort(-strength, kind="stable")[:SEGMENT_FEATURES].tolist():
        if strength[feature] > 0:
            segments += _feature_segments(log, dr_scores, feature)
    return tuple(segments)


def _feature_segments(log: LoggedDecisions, dr_scores: Floats, feature: int) -> list[EffectSegment]:
    values = log.values[:, feature].astype(np.float64)
    known = np.flatnonzero(np.isfinite(values))
    part = equal_mass_bins(values[known], SEGMENTS_PER_FEATURE)
    segments = []
    for number in range(int(part.max()) + 1):
        rows = known[part == number]
        rows_by_action = (rows[log.eligible[rows, index]] for index in range(1, len(log.actions)))
        effects = tuple(
            _mean_effect(log, dr_scores, eligible_rows, index) if len(eligible_rows) else None
            for index, eligible_rows in enumerate(rows_by_action, start=1)
        )
        segments.append(
            EffectSegment(feature, float(values[rows].min()), float(values[rows].max()), len(rows), effects)
        )
    return segments
