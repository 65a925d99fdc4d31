"""The evidence as the page's templates show it: rows of tables, sorted and cut to what can be read."""

from collections.abc import Mapping, Sequence
from typing import Any

from sintonia.core.html import number, percent
from sintonia.evaluation.drift import SCORE, ColumnDrift
from sintonia.evaluation.drift_report import SHIFTED, FeatureShift
from sintonia.evaluation.groups import GroupResult
from sintonia.explain.contributions import Meaning
from sintonia.review.data import CatalogueEntry, ModelEvidence, ReviewData
from sintonia.review.history import history_text
from sintonia.review.people import (
    ExampleCustomer,
    WaterfallStep,
    definition,
    first_of_each_kind,
    value_text,
    waterfall,
)
from sintonia.review.plots import dependence, sparkline
from sintonia.review.treated import Gain
from sintonia.review.words import interval_range

LISTED_DRIFT, LISTED_FAMILIES = 12, 8


def importance_rows(evidence: ModelEvidence, catalogue: Mapping[str, Meaning]) -> dict[str, Any]:
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
    """Return the shares of the families that count in any model, and what the models have in common; None of one."""
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
    """Return the groups' rows as text: rate or euros said and come true, ranking and gap with intervals, families."""
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
            text for text, flag in (("wrong here", group.wrong), ("ranks worse here", group.weak)) if flag
        ],
    }


def drift_rows(review: ReviewData, catalogue: Mapping[str, Meaning]) -> list[dict[str, Any]]:
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
    """Return how far the score itself moved since the test, and whether it surely did; None where nobody looked."""
    drifts = [] if review.now is None else [drift for drift in review.now.moved if drift.name == SCORE]
    return _stability_index(drifts[0]) if drifts else None


def _stability_index(drift: ColumnDrift | None) -> tuple[str, bool]:
    """Return a stability index as text, and whether it lies above the bound by more than chance."""
    return ("", False) if drift is None else (number(drift.psi, 2), drift.beyond(SHIFTED))


def example_rows(people: Sequence[ExampleCustomer], catalogue: Mapping[str, Meaning]) -> list[dict[str, Any]]:
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
    example: ExampleCustomer, catalogue: Mapping[str, Meaning]
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
