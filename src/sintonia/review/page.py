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
from sintonia.review import charts, views, words
from sintonia.review.data import FeatureWeight, ReviewData
from sintonia.review.embedded import PROPENSITY, Shown, amounts_in, embedded
from sintonia.review.people import ExampleCustomer, scored
from sintonia.review.warnings import review_warnings

SIGNS = {"good": "▲", "open": "●", "bad": "▼"}
LISTED_FEATURES = 30
TWO_DIGITS = ("lift_top10", "expected_profit")
"""Metrics of numbers above 1: a third digit would say nothing and take the last column's room."""
NO_CELL = ("", "", "", "")
"""What is not measured of a model: of one that gives no median, the median's error."""
_GAINS_AT = (0.05, 0.1, 0.2, 0.3, 0.5)


def render_review(review: ReviewData) -> str:
    """Return the review as one self-contained HTML page: no network, nobody's name, one script known by its hash.

    The same figures give the same bytes. Without its script the page lacks the search alone.
    """
    explained = review.evidence is None or bool(review.evidence.stability.as_of)
    own, catalogue, amount = review.evaluation.model, views.catalogue_of(review), not review.evaluation.bins
    unit = "log amounts" if amount else "log-odds"
    weights = {weight.feature: weight for weight in review.weights}
    people = [scored(one, amount, review.currency) for one in review.customers]
    return template("review.html.j2", {"interval": words.interval_range}).render(
        review=review,
        judged=review.evaluation,
        findings=words.findings(review),
        warnings=review_warnings(review),
        signs=SIGNS,
        metrics=review.evaluation.metrics,
        table=metric_table(review),
        reliability=charts.reliability(bins) if (bins := review.evaluation.bins.get(own)) else None,
        gains=charts.gains(review.evaluation),
        found_at=found_at(review),
        story=swarm_rows([(weights[swarm.feature], swarm) for swarm in review.swarms]),
        listed=review.weights[:LISTED_FEATURES],
        unit=unit,
        moved="score",
        evidence=review.evidence,
        explained=explained,
        told=views.story(review.evidence, catalogue) if review.evidence and explained else None,
        groups=views.group_rows(review),
        drift=views.drift(review, catalogue),
        score_now=views.score_now(review),
        **explorer(people, catalogue, amounts_in(review.currency) if amount else PROPENSITY),
    )


def explorer(
    people: Sequence[ExampleCustomer], catalogue: Mapping[str, Meaning], shown: Shown
) -> dict[str, Any]:
    """Return what a page needs to show explained customers: their data, the script, and one of each kind without it."""
    script = (files("sintonia.core") / "templates" / "review.js").read_text(encoding="utf-8")
    return {
        "examples": views.examples(people, catalogue),
        "people": people,
        "kinds": dict.fromkeys(one.kind for one in people),
        "customers": embedded(people, catalogue, shown),
        "caption": shown.caption,
        "script": Markup(script),
        "script_hash": b64encode(sha256(script.encode()).digest()).decode(),
    }


def metric_table(review: ReviewData) -> list[dict[str, Any]]:
    """Return the rows of the metric table: the model, its baselines, its difference to the best of them.

    Every row has a `name`, a `kind` ('own', 'baseline' or 'difference') and `cells` of figure, interval and,
    for a difference, what its interval says.
    """
    judged = review.evaluation
    rows = [
        {
            "name": name,
            "kind": "own" if name == judged.model else "baseline",
            "cells": [_cell(metric, of.get(metric.name)) for metric in judged.metrics],
        }
        for name, of in judged.estimates.items()
    ]
    best = judged.best_baseline()
    if best is None:
        return rows
    gaps = judged.differences[best]
    cells = [
        _cell(metric, gap, judged.verdict(best, metric.name)) if (gap := gaps.get(metric.name)) else NO_CELL
        for metric in judged.metrics
    ]
    return [*rows, {"name": f"{judged.model} minus {best}", "kind": "difference", "cells": cells}]


def _cell(metric: Metric, found: Estimate | None, verdict: str = "") -> tuple[str, str, str, str]:
    if found is None:
        return NO_CELL
    digits = 2 if metric.name in TWO_DIGITS else 3
    state = words.STATES.get(verdict, "open")
    told = "unclear" if verdict and state == "open" else verdict.removesuffix(" than")
    signed = bool(verdict)
    return number(found.value, digits, signed), words.interval_range(found, digits, signed), state, told


def found_at(review: ReviewData) -> list[tuple[float, list[float]]]:
    """Return the shares of outcomes found at some depths, by model in the order of the evaluation."""
    gains = review.evaluation.gains
    return [(depth, [gains[name][charts.depth_place(depth)] for name in gains]) for depth in _GAINS_AT]


def swarm_rows(told: Sequence[tuple[FeatureWeight, Swarm]]) -> dict[str, Any]:
    """Return the features that have a swarm, the largest first, each with its bar, its swarm and its direction."""
    moves = [x for _, swarm in told for x in swarm.contributions]
    low, high = min([*moves, -0.1]), max([*moves, 0.1])
    largest = max((weight.mean_absolute for weight, _ in told), default=1.0)
    rows = [
        {
            "weight": weight,
            "bar": round(100 * weight.mean_absolute / largest, 1),
            "swarm": charts.swarm(swarm, low, high),
            "direction": charts.direction(swarm),
        }
        for weight, swarm in told
    ]
    sample = len(told[0][1].contributions) if told else 0
    return {"rows": rows, "scale": charts.swarm_scale(low, high), "sample": sample}
