"""The page: a template filled with figures, the same bytes for the same figures."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from importlib.resources import files
from typing import Any

from markupsafe import Markup

from sintonia.core.html import number, template
from sintonia.core.intervals import Estimate
from sintonia.evaluation.metrics import Metric
from sintonia.explain.contributions import Meaning, Swarm
from sintonia.review import charts
from sintonia.review.data import FeatureWeight, ReviewData
from sintonia.review.embedded import AMOUNT, PROPENSITY, GridFormat, embedded_customers
from sintonia.review.people import ExampleCustomer, scored_example
from sintonia.review.sections import Section
from sintonia.review.views import (
    catalogue_of,
    current_score_drift,
    drift_rows,
    example_rows,
    group_rows,
    importance_rows,
)
from sintonia.review.warnings import review_warnings
from sintonia.review.words import STATES, interval_range, outcome_verdict

SIGNS = {"good": "▲", "open": "●", "bad": "▼"}
LISTED_FEATURES = 30
TWO_DIGITS = ("lift_top10", "expected_profit")
"""Metrics of numbers above 1: a third digit would say nothing and take the last column's room."""
NO_CELL = ("", "", "", "")
"""What is not measured of a model: of one that gives no median, the median's error."""
_GAINS_AT = (0.05, 0.1, 0.2, 0.3, 0.5)


def render_review(review: ReviewData, sections: Sequence[Section] = ()) -> str:
    """Return the review as one self-contained HTML page: no network, nobody's name, one script known by its hash.

    `sections` of the user's own end it. The same figures give the same bytes. Without its script the page lacks the
    search alone.
    """
    explained = review.evidence is None or bool(review.evidence.stability.as_of)
    model, catalogue, amount = review.evaluation.model, catalogue_of(review), not review.evaluation.bins
    unit = "log amounts" if amount else "log-odds"
    weights = {weight.feature: weight for weight in review.weights}
    people = [scored_example(customer, amount) for customer in review.customers]
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
        **explorer(people, catalogue, AMOUNT if amount else PROPENSITY),
    )


def explorer(
    people: Sequence[ExampleCustomer], catalogue: Mapping[str, Meaning], shown: GridFormat
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
    for a difference, what its interval says.
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
