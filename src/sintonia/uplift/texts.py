"""What a study says: lines for people, figures for programs."""

from collections.abc import Iterator, Sequence
from typing import Any

from sintonia.core.intervals import Estimate
from sintonia.uplift.decision_log import Points
from sintonia.uplift.logging_policy import LoggingPolicy
from sintonia.uplift.report import PERSONALISED, RESPONSE, ByAction, EffectSegment
from sintonia.uplift.study import Study

VALUE_HEADINGS = ("treated", "IPS", "self-norm. IPS", "doubly robust", "against the constant")


def study_lines(found: Study, logging: LoggingPolicy, points: Points) -> list[str]:
    """Return the study in words: the log, the warning if there is one, the values, the gate's answer."""
    unit = "of worth a decision, costs taken off"
    return [
        f"Learned from {len(points):,} decisions among {len(found.effects.actions)} actions"
        + (
            f", {points.assumed:,} of them to do nothing for whom a round does not name"
            if points.assumed
            else ""
        )
        + (f"; {points.open_decisions:,} more have no reward yet" if points.open_decisions else ""),
        *([logging.warning] if logging.warning else []),
        f"Judged on {len(found.report.brings):,} decisions of {found.report.customers:,} customers who taught nothing; "
        f"95 % intervals over customers, {unit}:",
        *_table(found),
        f"Gain by share treated: {_curve(found, PERSONALISED)} by effects, {_curve(found, RESPONSE)} by response score",
        f"Differences between customers count {found.effects.heterogeneity:.2f}, as far as others confirm them",
        found.gate.sentence,
    ]


def study_figures(
    found: Study, logging: LoggingPolicy, points: Points, features: Sequence[str]
) -> dict[str, Any]:
    """Return the study as plain JSON values; an estimate is [value, low, high], 95 %, null for what is no number.

    All but `heterogeneity`, `constant_effects` and `gate` is of the report's decisions. `policies`: by policy its
    values a decision; `curves`: areas, and `tenths`, the gain with 10 %, 20 %, ... 100 % treated; `fifths` by
    predicted gain. `effects`: by action what was logged of it (the overlap), what was predicted and what doubly
    robust scores say it changes, cost not taken off. `segments`: the same by parts of the features that gains move
    with most, each with `feature`, `low`, `high`.
    """
    actions, told = found.effects.actions, found.report
    return {
        "actions": list(actions.names),
        "decisions": len(points),
        "open_decisions": points.open_decisions,
        "assumed_none": points.assumed,
        "log": "sends" if points.from_sends else "decisions",
        "logging_propensities": logging.figures(),
        "judged_decisions": len(told.brings),
        "judged_customers": told.customers,
        "gate": {
            "passed": found.gate.passed,
            "constant": found.gate.constant,
            "difference": _plain(found.gate.difference),
            "customers": found.gate.customers,
            "sentence": found.gate.sentence,
        },
        "heterogeneity": found.effects.heterogeneity,
        "constant_effects": dict(zip(actions.names, found.effects.constants.tolist(), strict=True)),
        "effects": {
            name: {"cost": cost, **_action(one)}
            for name, cost, one in zip(
                actions.names[1:], actions.costs[1:].tolist(), told.actions, strict=True
            )
        },
        "segments": [_segment(one, actions.names, features) for one in told.segments],
        "policies": {
            name: {
                "treated": worth.treated,
                "ips": _plain(worth.ips),
                "snips": _plain(worth.snips),
                "doubly_robust": _plain(worth.doubly_robust),
                "against_constant": _plain(worth.against_constant),
            }
            for name, worth in told.worths.items()
        },
        "curves": {
            name: {
                "auuc": _plain(curve.auuc),
                "qini": _plain(curve.qini),
                "tenths": [_plain(one) for one in curve.deciles],
            }
            for name, curve in told.curves.items()
        },
        "fifths": [
            {"predicted": quintile.predicted, "observed": _plain(quintile.observed)}
            for quintile in told.quintiles
        ],
    }


def _action(one: ByAction) -> dict[str, Any]:
    return {
        "logged": one.logged,
        "eligible": one.eligible,
        "propensity": dict(zip(("least", "low", "median"), one.propensity, strict=True)),
        "effective_decisions": one.effective,
        "largest_weight": one.largest,
        "predicted": one.predicted,
        "observed": _plain(one.observed),
    }


def _segment(one: EffectSegment, actions: Sequence[str], features: Sequence[str]) -> dict[str, Any]:
    told = dict(zip(actions[1:], one.effects, strict=True))
    return {
        "feature": features[one.feature],
        "low": one.low,
        "high": one.high,
        "decisions": one.decisions,
        "effects": {name: None if effect is None else _plain(effect) for name, effect in told.items()},
    }


def _table(found: Study) -> Iterator[str]:
    yield f"  {'':<22}{VALUE_HEADINGS[0]:>8}" + "".join(f"{title:>28}" for title in VALUE_HEADINGS[1:])
    for name, worth in found.report.worths.items():
        told = (worth.ips, worth.snips, worth.doubly_robust, worth.against_constant)
        yield f"  {name:<22}{worth.treated:>8.0%}" + "".join(f"{one.text():>28}" for one in told)


def _curve(found: Study, name: str) -> str:
    curve = found.report.curves[name]
    return f"AUUC {curve.auuc.text()}, Qini {curve.qini.text()}"


def _plain(found: Estimate) -> list[float | None]:
    """Return value, low and high; None for what is no number, as JSON knows none."""
    told = (found.value, found.low, found.high)
    return [one if abs(one) < float("inf") else None for one in told]
