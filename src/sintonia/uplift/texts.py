"""A study as lines of text and as JSON figures."""

from collections.abc import Iterator, Sequence
from typing import Any

from sintonia.core.intervals import Estimate
from sintonia.uplift.decision_log import DecisionLog
from sintonia.uplift.logging_policy import LoggingPolicy
from sintonia.uplift.report import PERSONALISED, RESPONSE, ActionSummary, EffectSegment
from sintonia.uplift.study import Study

VALUE_HEADINGS = ("treated", "IPS", "self-norm. IPS", "doubly robust", "against the constant")


def study_lines(study: Study, logging: LoggingPolicy, decisions: DecisionLog) -> list[str]:
    """Return the study in words: the log, the warning if there is one, the values, the gate's answer."""
    unit = "value per decision, net of costs"
    return [
        f"Learned from {len(decisions):,} decisions among {len(study.effects.actions)} actions"
        + (
            f", {decisions.assumed:,} of them assumed to be 'none' for customers not in a round"
            if decisions.assumed
            else ""
        )
        + (f"; {decisions.open_decisions:,} more have no reward yet" if decisions.open_decisions else ""),
        *([logging.warning] if logging.warning else []),
        f"Evaluated on {len(study.report.dr_scores):,} decisions of {study.report.customers:,} held-out customers; "
        f"95 % intervals over customers, {unit}:",
        *_value_lines(study),
        f"Gain by share treated: {_curve_text(study, PERSONALISED)} by effects, "
        f"{_curve_text(study, RESPONSE)} by response score",
        f"Differences between customers are weighted by {study.effects.heterogeneity:.2f}, "
        "estimated on held-out customers",
        study.gate.sentence,
    ]


def study_figures(
    study: Study, logging: LoggingPolicy, decisions: DecisionLog, features: Sequence[str]
) -> dict[str, Any]:
    """Return the study as plain JSON values; an estimate is [value, low, high], 95 %, null for what is no number.

    All but `heterogeneity`, `constant_effects` and `gate` is of the report's decisions. `policies`: by policy its
    values a decision; `curves`: areas, and `tenths`, the gain with 10 %, 20 %, ... 100 % treated; `fifths` by
    predicted gain. `effects`: by action what was logged of it (the overlap), what was predicted and what doubly
    robust scores say it changes, cost not taken off. `segments`: the same by parts of the features that gains move
    with most, each with `feature`, `low`, `high`.
    """
    actions, reported = study.effects.actions, study.report
    return {
        "actions": list(actions.names),
        "decisions": len(decisions),
        "open_decisions": decisions.open_decisions,
        "assumed_none": decisions.assumed,
        "log": "sends" if decisions.from_sends else "decisions",
        "logging_propensities": logging.figures(),
        "judged_decisions": len(reported.dr_scores),
        "judged_customers": reported.customers,
        "gate": {
            "passed": study.gate.passed,
            "constant": study.gate.constant,
            "difference": _estimate_figures(study.gate.difference),
            "customers": study.gate.customers,
            "sentence": study.gate.sentence,
        },
        "heterogeneity": study.effects.heterogeneity,
        "constant_effects": dict(zip(actions.names, study.effects.constants.tolist(), strict=True)),
        "effects": {
            name: {"cost": cost, **_action_figures(one)}
            for name, cost, one in zip(
                actions.names[1:], actions.costs[1:].tolist(), reported.actions, strict=True
            )
        },
        "segments": [_segment_figures(one, actions.names, features) for one in reported.segments],
        "policies": {
            name: {
                "treated": worth.treated,
                "ips": _estimate_figures(worth.ips),
                "snips": _estimate_figures(worth.snips),
                "doubly_robust": _estimate_figures(worth.doubly_robust),
                "against_constant": _estimate_figures(worth.against_constant),
            }
            for name, worth in reported.policy_values.items()
        },
        "curves": {
            name: {
                "auuc": _estimate_figures(curve.auuc),
                "qini": _estimate_figures(curve.qini),
                "tenths": [_estimate_figures(one) for one in curve.deciles],
            }
            for name, curve in reported.curves.items()
        },
        "fifths": [
            {"predicted": quintile.predicted, "observed": _estimate_figures(quintile.observed)}
            for quintile in reported.quintiles
        ],
    }


def _action_figures(summary: ActionSummary) -> dict[str, Any]:
    return {
        "logged": summary.logged,
        "eligible": summary.eligible,
        "propensity": dict(zip(("least", "low", "median"), summary.propensity, strict=True)),
        "effective_decisions": summary.effective,
        "largest_weight": summary.largest,
        "predicted": summary.predicted,
        "observed": _estimate_figures(summary.observed),
    }


def _segment_figures(
    segment: EffectSegment, actions: Sequence[str], features: Sequence[str]
) -> dict[str, Any]:
    by_action = dict(zip(actions[1:], segment.effects, strict=True))
    return {
        "feature": features[segment.feature],
        "low": segment.low,
        "high": segment.high,
        "decisions": segment.decisions,
        "effects": {
            name: None if effect is None else _estimate_figures(effect) for name, effect in by_action.items()
        },
    }


def _value_lines(study: Study) -> Iterator[str]:
    yield f"  {'':<22}{VALUE_HEADINGS[0]:>8}" + "".join(f"{title:>28}" for title in VALUE_HEADINGS[1:])
    for name, value in study.report.policy_values.items():
        estimates = (value.ips, value.snips, value.doubly_robust, value.against_constant)
        yield f"  {name:<22}{value.treated:>8.0%}" + "".join(f"{one.text():>28}" for one in estimates)


def _curve_text(study: Study, name: str) -> str:
    curve = study.report.curves[name]
    return f"AUUC {curve.auuc.text()}, Qini {curve.qini.text()}"


def _estimate_figures(estimate: Estimate) -> list[float | None]:
    """Return value, low and high; None for what is no number, as JSON knows none."""
    bounds = (estimate.value, estimate.low, estimate.high)
    return [bound if abs(bound) < float("inf") else None for bound in bounds]
