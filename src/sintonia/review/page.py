"""The review page of a model that predicts an outcome: its tables and charts, the same bytes for the same figures."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from importlib.resources import files
from typing import Any

from markupsafe import Markup

from sintonia.core.html import number, percent, template
from sintonia.core.intervals import Estimate
from sintonia.evaluation.drift import SCORE, ColumnDrift
from sintonia.evaluation.drift_report import LARGE_SHIFT, FeatureShift
from sintonia.evaluation.groups import GroupResult
from sintonia.evaluation.metrics import Metric
from sintonia.explain.contributions import FeatureMeaning, Swarm
from sintonia.review import charts
from sintonia.review.charts import dependence, sparkline
from sintonia.review.customers import history_text
from sintonia.review.data import CatalogueEntry, FeatureWeight, ModelEvidence, ReviewData
from sintonia.review.examples import (
    PROPENSITY,
    ExampleCustomer,
    GridFormat,
    WaterfallStep,
    amounts_in,
    definition,
    embedded_customers,
    first_of_each_kind,
    scored_example,
    value_text,
    waterfall,
)
from sintonia.review.policy_examples import Gain
from sintonia.review.sections import Section
from sintonia.review.texts import STATES, interval_range, outcome_verdict, review_warnings

SIGNS = {"good": "▲", "open": "●", "bad": "▼"}
LISTED_FEATURES, LISTED_DRIFT, LISTED_FAMILIES = 30, 12, 8
TWO_DIGITS = ("lift_top10", "expected_profit")
"""Metrics of numbers above 1: a third digit adds nothing, and the last column needs the room."""
NO_CELL = ("", "", "", "")
"""The cell of a metric that a model does not have, as the median error of a model without medians."""
_GAINS_AT = (0.05, 0.1, 0.2, 0.3, 0.5)


def importance_rows(evidence: ModelEvidence, catalogue: Mapping[str, FeatureMeaning]) -> dict[str, Any]:
    """Return families with bars, dependence plots with their captions, and sparklines of what counts by date."""
    largest = max((entry.mean_absolute for entry in evidence.families), default=1.0)
    highest = max((max(sizes) for sizes in evidence.stability.sizes.values()), default=1.0)
    return {
        "families": [(entry, round(100 * entry.mean_absolute / largest, 1)) for entry in evidence.families],
        "dependences": [
            {
                "title": definition(entry.feature, catalogue),
                "other": None if entry.other is None else definition(entry.other, catalogue),
                "share": percent(entry.share),
                "missing": len(entry.missing),
                "drawn": dependence(
                    entry, catalogue[entry.feature].unit if entry.feature in catalogue else ""
                ),
            }
            for entry in evidence.dependences
        ],
        "lowest": number(min(evidence.stability.rank_correlation, default=1.0), 2),
        "folds": _folds(evidence),
        "retold": _family_shares(evidence),
        "stable": [
            (definition(name, catalogue), sizes, sparkline(sizes, highest))
            for name, sizes in evidence.stability.sizes.items()
        ],
    }


def _folds(evidence: ModelEvidence) -> str:
    """Return how each rolling fold before the test did, by AUC where there is one."""
    if not evidence.folds:
        return ""
    first = evidence.folds[0].figures
    name = "auc" if "auc" in first else next(iter(first))
    by_date = ", ".join(f"{number(fold.figures[name])} ({fold.as_of})" for fold in evidence.folds)
    return f"Rolling folds before the test, {'AUC' if name == 'auc' else name.replace('_', ' ')}: {by_date}."


def _family_shares(evidence: ModelEvidence) -> dict[str, Any] | None:
    """Return the shares of the families that count in any model, and what the models share; None for one model."""
    stability = evidence.retold
    if len(stability.models) < 2:
        return None
    rows = sorted(stability.shares.items(), key=lambda item: -max(item[1]))[:LISTED_FAMILIES]
    return {
        "models": stability.models,
        "rows": [(name, [percent(share) for share in shares]) for name, shares in rows],
        "common": [percent(share) for share in stability.common],
        "least": percent(min(stability.common)),
    }


def group_rows(review: ReviewData) -> list[dict[str, Any]]:
    """Return the groups' rows as text: predicted and observed means, ranking and gap with intervals, families."""
    if review.evidence is None:
        return []
    return [_group(group, not review.evaluation.bins) for group in review.evidence.groups]


def _group(group: GroupResult, amount: bool) -> dict[str, Any]:
    def mean(value: float) -> str:
        return f"{value:,.2f}" if amount else percent(value, 1)

    def gap(value: float) -> str:
        return percent(value) if amount else number(100 * value, 1, signed=True)

    return {
        "by": group.by,
        "name": group.name,
        "rows": group.rows,
        "ranking": "" if group.ranking is None else number(group.ranking.value),
        "ranking_interval": "" if group.ranking is None else interval_range(group.ranking),
        "predicted": mean(group.predicted),
        "observed": mean(group.observed),
        "gap": gap(group.gap.value),
        "gap_interval": f"{gap(group.gap.low)} to {gap(group.gap.high)}",
        "families": [
            f"{size.family} {number(size.size.value, 2)} ({interval_range(size.size, 2)})"
            for size in group.families
        ],
        "flags": [
            text
            for text, flag in (("miscalibrated here", group.wrong), ("ranks worse here", group.weak))
            if flag
        ],
    }


def drift_rows(review: ReviewData, catalogue: Mapping[str, FeatureMeaning]) -> list[dict[str, Any]]:
    """Return the features whose distribution moved most, in the test or since, with their missing shares."""
    if review.evidence is None:
        return []
    now = {} if review.now is None else {shift.name: shift for shift in review.now.moved}

    def distance(shift: FeatureShift) -> float:
        drifts = (shift.moved, now.get(shift.moved.name, shift.moved))
        return max(drift.psi - drift.chance for drift in drifts)

    return [
        {
            "title": definition(shift.moved.name, catalogue),
            "test": _stability_index(shift.moved),
            "now": _stability_index(now.get(shift.moved.name)),
            "missing": [percent(share) for share in shift.missing],
        }
        for shift in sorted(review.evidence.profiles, key=distance, reverse=True)[:LISTED_DRIFT]
    ]


def current_score_drift(review: ReviewData) -> tuple[str, bool] | None:
    """Return the score's drift since the test, and whether it exceeds the bound beyond chance; None without data."""
    drifts = [] if review.now is None else [drift for drift in review.now.moved if drift.name == SCORE]
    return _stability_index(drifts[0]) if drifts else None


def _stability_index(drift: ColumnDrift | None) -> tuple[str, bool]:
    """Return a stability index as text, and whether it lies above the bound by more than chance."""
    return ("", False) if drift is None else (number(drift.psi, 2), drift.beyond(LARGE_SHIFT))


def example_rows(
    people: Sequence[ExampleCustomer], catalogue: Mapping[str, FeatureMeaning]
) -> list[dict[str, Any]]:
    """Return one customer of each kind, as the page shows it without its script and on paper."""
    return [
        {
            "person": example,
            "steps": _steps(example, catalogue),
            "history": history_text(example.history),
            "gains": [_gain(gain) for gain in sorted(example.gains, key=lambda gain_of: -gain_of.gain)],
        }
        for example in first_of_each_kind(people)
    ]


def _steps(
    example: ExampleCustomer, catalogue: Mapping[str, FeatureMeaning]
) -> list[tuple[WaterfallStep, str, str]]:
    """Return each step of the waterfall with its name and value."""
    parts = [
        (definition(part.feature, catalogue), value_text(part.feature, part.value, catalogue))
        for part in example.parts
    ]
    rows = [(example.start, ""), *parts, *((name, "") for name in example.rest), (example.end, "")]
    return [(fall, *texts) for fall, texts in zip(waterfall(example), rows, strict=True)]


def _gain(gain: Gain) -> tuple[str, str, str]:
    """Return an action, its gain and the interval as text."""
    note = "" if gain.able else " (not possible then)"
    return (
        f"{gain.action}{note}",
        number(gain.gain, signed=True),
        f"{number(gain.low)} to {number(gain.high)}",
    )


def catalogue_of(review: ReviewData) -> dict[str, CatalogueEntry]:
    """Return the features by name."""
    return {} if review.evidence is None else {entry.name: entry for entry in review.evidence.catalogue}


def render_review(review: ReviewData, sections: Sequence[Section] = ()) -> str:
    """Return the review as one self-contained HTML page: no network, no customer's name, one script by its hash.

    `sections` of the user's own end it. The same figures give the same bytes. Without its script the page lacks the
    search alone.
    """
    explained = review.evidence is None or bool(review.evidence.stability.as_of)
    model, catalogue, amount = review.evaluation.model, catalogue_of(review), not review.evaluation.bins
    unit = "log amounts" if amount else "log-odds"
    weights = {weight.feature: weight for weight in review.weights}
    people = [scored_example(customer, amount, review.currency) for customer in review.customers]
    return template("review.html.j2", {"interval": interval_range}).render(
        review=review,
        judged=review.evaluation,
        verdict=outcome_verdict(review),
        warnings=review_warnings(review),
        signs=SIGNS,
        metrics=review.evaluation.metrics,
        table=metric_table(review),
        reliability=charts.reliability(bins) if (bins := review.evaluation.bins.get(model)) else None,
        gains=charts.gains(review.evaluation),
        found_at=gains_at_depths(review),
        story=swarm_rows([(weights[swarm.feature], swarm) for swarm in review.swarms]),
        listed=review.weights[:LISTED_FEATURES],
        unit=unit,
        moved="score",
        evidence=review.evidence,
        explained=explained,
        importance=importance_rows(review.evidence, catalogue) if review.evidence and explained else None,
        groups=group_rows(review),
        drift=drift_rows(review, catalogue),
        score_now=current_score_drift(review),
        sections=sections,
        **explorer(people, catalogue, amounts_in(review.currency) if amount else PROPENSITY),
    )


def explorer(
    people: Sequence[ExampleCustomer], catalogue: Mapping[str, FeatureMeaning], shown: GridFormat
) -> dict[str, Any]:
    """Return what a page needs to show explained customers: their data, the script, and one of each kind without it."""
    script = (files("sintonia.core") / "templates" / "review.js").read_text(encoding="utf-8")
    return {
        "examples": example_rows(people, catalogue),
        "people": people,
        "kinds": dict.fromkeys(one.kind for one in people),
        "customers": embedded_customers(people, catalogue, shown),
        "caption": shown.caption,
        "script": Markup(script),
        "script_hash": b64encode(sha256(script.encode()).digest()).decode(),
    }


def metric_table(review: ReviewData) -> list[dict[str, Any]]:
    """Return the rows of the metric table: the model, its baselines, its difference to the best of them.

    Every row has a `name`, a `kind` ('own', 'baseline' or 'difference') and `cells` of figure, interval and,
    for a difference, its verdict.
    """
    evaluation = review.evaluation
    rows = [
        {
            "name": name,
            "kind": "own" if name == evaluation.model else "baseline",
            "cells": [_cell(metric, estimates.get(metric.name)) for metric in evaluation.metrics],
        }
        for name, estimates in evaluation.estimates.items()
    ]
    baseline = evaluation.best_baseline()
    if baseline is None:
        return rows
    differences = evaluation.differences[baseline]
    cells = [
        _cell(metric, difference, evaluation.verdict(baseline, metric.name))
        if (difference := differences.get(metric.name))
        else NO_CELL
        for metric in evaluation.metrics
    ]
    return [*rows, {"name": f"{evaluation.model} minus {baseline}", "kind": "difference", "cells": cells}]


def _cell(metric: Metric, estimate: Estimate | None, verdict: str = "") -> tuple[str, str, str, str]:
    if estimate is None:
        return NO_CELL
    digits = 2 if metric.name in TWO_DIGITS else 3
    state = STATES.get(verdict, "open")
    verdict_text = "unclear" if verdict and state == "open" else verdict.removesuffix(" than")
    signed = bool(verdict)
    return (
        number(estimate.value, digits, signed),
        interval_range(estimate, digits, signed),
        state,
        verdict_text,
    )


def gains_at_depths(review: ReviewData) -> list[tuple[float, list[float]]]:
    """Return the shares of outcomes found at some depths, by model in the order of the evaluation."""
    gains = review.evaluation.gains
    return [(depth, [gains[name][charts.depth_index(depth)] for name in gains]) for depth in _GAINS_AT]


def swarm_rows(weighted_swarms: Sequence[tuple[FeatureWeight, Swarm]]) -> dict[str, Any]:
    """Return the features that have a swarm, the largest first, each with its bar, its swarm and its direction."""
    contributions = [x for _, swarm in weighted_swarms for x in swarm.contributions]
    low, high = min([*contributions, -0.1]), max([*contributions, 0.1])
    largest = max((weight.mean_absolute for weight, _ in weighted_swarms), default=1.0)
    rows = [
        {
            "weight": weight,
            "bar": round(100 * weight.mean_absolute / largest, 1),
            "swarm": charts.swarm(swarm, low, high),
            "direction": charts.direction(swarm),
        }
        for weight, swarm in weighted_swarms
    ]
    sample = len(weighted_swarms[0][1].contributions) if weighted_swarms else 0
    return {"rows": rows, "scale": charts.swarm_scale(low, high), "sample": sample}
