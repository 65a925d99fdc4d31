"""The evidence as the page's templates show it: rows of tables, sorted and cut to what can be read."""

from collections.abc import Mapping, Sequence
from typing import Any

from sintonia.core.html import number, percent
from sintonia.evaluation.drift import SCORE, ColumnDrift
from sintonia.evaluation.drift_report import SHIFTED, FeatureShift
from sintonia.evaluation.groups import GroupResult
from sintonia.explain.contributions import Meaning
from sintonia.review import plots
from sintonia.review.data import CatalogueEntry, ModelEvidence, ReviewData
from sintonia.review.history import in_words
from sintonia.review.people import (
    ExampleCustomer,
    Fall,
    definition,
    first_of_each_kind,
    value_text,
    waterfall,
)
from sintonia.review.treated import Gain
from sintonia.review.words import interval_range

LISTED_DRIFT, LISTED_FAMILIES = 12, 8


def story(evidence: ModelEvidence, catalogue: Mapping[str, Meaning]) -> dict[str, Any]:
    """Return families with bars, dependence plots with their captions, and sparklines of what counts by date."""
    largest = max((one.mean_absolute for one in evidence.families), default=1.0)
    highest = max((max(sizes) for sizes in evidence.stability.sizes.values()), default=1.0)
    return {
        "families": [(one, round(100 * one.mean_absolute / largest, 1)) for one in evidence.families],
        "dependences": [
            {
                "title": definition(one.feature, catalogue),
                "other": None if one.other is None else definition(one.other, catalogue),
                "share": percent(one.share),
                "missing": len(one.missing),
                "drawn": plots.dependence(
                    one, catalogue[one.feature].unit if one.feature in catalogue else ""
                ),
            }
            for one in evidence.dependences
        ],
        "lowest": number(min(evidence.stability.rank_correlation, default=1.0), 2),
        "folds": _folds(evidence),
        "retold": _retold(evidence),
        "stable": [
            (definition(name, catalogue), sizes, plots.sparkline(sizes, highest))
            for name, sizes in evidence.stability.sizes.items()
        ],
    }


def _folds(evidence: ModelEvidence) -> str:
    """Return how each rolling fold before the test did, by AUC where there is one."""
    if not evidence.folds:
        return ""
    first = evidence.folds[0].figures
    name = "auc" if "auc" in first else next(iter(first))
    each = ", ".join(f"{number(fold.figures[name])} ({fold.as_of})" for fold in evidence.folds)
    return f"Rolling folds before the test, {'AUC' if name == 'auc' else name.replace('_', ' ')}: {each}."


def _retold(evidence: ModelEvidence) -> dict[str, Any] | None:
    """Return the shares of the families that count in any model, and what the models have in common; None of one."""
    found = evidence.retold
    if len(found.models) < 2:
        return None
    rows = sorted(found.shares.items(), key=lambda one: -max(one[1]))[:LISTED_FAMILIES]
    return {
        "models": found.models,
        "rows": [(name, [percent(share) for share in shares]) for name, shares in rows],
        "common": [percent(share) for share in found.common],
        "least": percent(min(found.common)),
    }


def group_rows(review: ReviewData) -> list[dict[str, Any]]:
    """Return the groups' rows as text: predicted and observed means, ranking and gap with intervals, families."""
    if review.evidence is None:
        return []
    return [_group(one, not review.evaluation.bins) for one in review.evidence.groups]


def _group(one: GroupResult, amount: bool) -> dict[str, Any]:
    def mean(value: float) -> str:
        return f"{value:,.2f}" if amount else percent(value, 1)

    def gap(value: float) -> str:
        return percent(value) if amount else number(100 * value, 1, signed=True)

    return {
        "by": one.by,
        "name": one.name,
        "rows": one.rows,
        "ranking": "" if one.ranking is None else number(one.ranking.value),
        "ranking_interval": "" if one.ranking is None else interval_range(one.ranking),
        "predicted": mean(one.predicted),
        "observed": mean(one.observed),
        "gap": gap(one.gap.value),
        "gap_interval": f"{gap(one.gap.low)} to {gap(one.gap.high)}",
        "families": [
            f"{size.family} {number(size.size.value, 2)} ({interval_range(size.size, 2)})"
            for size in one.families
        ],
        "flags": [told for told, so in (("wrong here", one.wrong), ("ranks worse here", one.weak)) if so],
    }


def drift(review: ReviewData, catalogue: Mapping[str, Meaning]) -> list[dict[str, Any]]:
    """Return the features whose distribution moved most, in the test or since, with their missing shares."""
    if review.evidence is None:
        return []
    now = {} if review.now is None else {one.name: one for one in review.now.moved}

    def far(one: FeatureShift) -> float:
        both = (one.moved, now.get(one.moved.name, one.moved))
        return max(moved.psi - moved.chance for moved in both)

    return [
        {
            "title": definition(one.moved.name, catalogue),
            "test": _index(one.moved),
            "now": _index(now.get(one.moved.name)),
            "missing": [percent(share) for share in one.missing],
        }
        for one in sorted(review.evidence.profiles, key=far, reverse=True)[:LISTED_DRIFT]
    ]


def score_now(review: ReviewData) -> tuple[str, bool] | None:
    """Return how far the score itself moved since the test, and whether it surely did; None where nobody looked."""
    found = [] if review.now is None else [one for one in review.now.moved if one.name == SCORE]
    return _index(found[0]) if found else None


def _index(moved: ColumnDrift | None) -> tuple[str, bool]:
    """Return a stability index as text, and whether it lies above the bound by more than chance."""
    return ("", False) if moved is None else (number(moved.psi, 2), moved.beyond(SHIFTED))


def examples(people: Sequence[ExampleCustomer], catalogue: Mapping[str, Meaning]) -> list[dict[str, Any]]:
    """Return one customer of each kind, as the page shows it without its script and on paper."""
    return [
        {
            "person": one,
            "steps": _steps(one, catalogue),
            "history": in_words(one.history),
            "gains": [_gain(gain) for gain in sorted(one.gains, key=lambda of: -of.gain)],
        }
        for one in first_of_each_kind(people)
    ]


def _steps(one: ExampleCustomer, catalogue: Mapping[str, Meaning]) -> list[tuple[Fall, str, str]]:
    """Return each step of the waterfall with its name and value."""
    parts = [
        (definition(part.feature, catalogue), value_text(part.feature, part.value, catalogue))
        for part in one.parts
    ]
    told = [(one.start, ""), *parts, *((name, "") for name in one.rest), (one.end, "")]
    return [(fall, *texts) for fall, texts in zip(waterfall(one), told, strict=True)]


def _gain(one: Gain) -> tuple[str, str, str]:
    """Return an action, its gain and the interval as text."""
    note = "" if one.able else " (not possible then)"
    return f"{one.action}{note}", number(one.gain, signed=True), f"{number(one.low)} to {number(one.high)}"


def catalogue_of(review: ReviewData) -> dict[str, CatalogueEntry]:
    """Return the features by name."""
    return {} if review.evidence is None else {entry.name: entry for entry in review.evidence.catalogue}
