"""What a reviewer should look at before signing: what is rough, suspicious, unfair or has moved."""

from collections.abc import Sequence

from sintonia.core.html import number, percent
from sintonia.evaluation.drift import SCORE
from sintonia.evaluation.drift_report import SHIFTED
from sintonia.review.data import ReviewData

FEW_OUTCOMES = 200
SUSPICIOUS_AUC = 0.95
DOMINANT = 0.5
SHIFT = 0.25
FOUR_FIFTHS = 0.8
"""The ratio of selection rates below which the EEOC (29 CFR 1607.4 D) sees adverse impact."""
STEADY = 0.7
COMMON = 0.75
"""Of the contributions' sizes by family: a quarter that changes hands is another story."""
LISTED = 4


def review_warnings(data: ReviewData) -> list[str]:
    """Return what a reviewer should look at before signing; nothing when nothing stands out."""
    judged = data.evaluation
    rates = {part.name: part.label_rate for part in data.parts}
    before, now = rates.get("train", judged.label_rate), rates.get("test", judged.label_rate)
    outcomes = round(judged.rows * min(judged.label_rate, 1 - judged.label_rate))
    total = sum(weight.mean_absolute for weight in data.weights)
    found = []
    if outcomes < FEW_OUTCOMES:
        found.append(f"Only {outcomes} test rows have the rarer outcome; every figure is rough.")
    if sum(len(part.as_of) for part in data.parts if part.name == "test") == 1:
        found.append(
            "Only one test date: intervals say nothing of how the figures change from month to month."
        )
    auc = judged.estimates[judged.model].get("auc")
    if auc is not None and auc.value > SUSPICIOUS_AUC:
        found.append("An AUC this high is rare in behaviour: make sure that no feature knows the outcome.")
    if data.weights and data.weights[0].mean_absolute > DOMINANT * total:
        found.append(
            f"More than half of all contributions come from one feature: {data.weights[0].definition}."
        )
    if abs(now - before) > SHIFT * before:
        found.append(
            f"The outcome's rate went from {percent(before, 1)} in training to {percent(now, 1)} in the test."
        )
    return [*found, *of_groups(data), *of_data(data)]


def of_groups(data: ReviewData) -> list[str]:
    """Return for which groups of customers the model is worse, wrong or unfair."""
    if data.evidence is None:
        return []
    groups = data.evidence.groups
    wrong = [f"{one.by} {one.name}" for one in groups if one.wrong]
    weak = [f"{one.by} {one.name}" for one in groups if one.weak]
    found = []
    if wrong:
        found.append(f"What it says is surely off for {_listed(wrong)}; see the groups below.")
    if weak:
        found.append(f"It ranks surely worse than over all for {_listed(weak)}; see the groups below.")
    found += [
        f"By {one.by}, the highest tenth reaches one group only {percent(one.ratio)} as often as another."
        for one in data.evidence.fairness
        if one.ratio < FOUR_FIFTHS
    ]
    return found


def of_data(data: ReviewData) -> list[str]:
    """Return what has moved: distributions in the test or since, and the story the contributions tell."""
    if data.evidence is None:
        return []
    found = []
    moved = sum(one.moved.beyond(SHIFTED) for one in data.evidence.profiles)
    if moved:
        found.append(
            f"{moved} of {len(data.evidence.profiles)} features lie elsewhere in the test "
            f"(PSI above {SHIFTED} by more than chance)."
        )
    if data.now is not None and (late := [one.name for one in data.now.moved if one.beyond(SHIFTED)]):
        score = " and the score itself" if SCORE in late else ""
        found.append(
            f"{len({*late} - {SCORE})} features{score} lie elsewhere since training, as of {data.now.as_of} "
            f"(PSI above {SHIFTED} by more than chance)."
        )
    lowest = min(data.evidence.stability.rank_correlation, default=1.0)
    if lowest < STEADY:
        found.append(
            f"What moves the score changes over time: rank correlation down to {number(lowest, 2)} between dates."
        )
    apart = min(data.evidence.retold.common, default=1.0)
    if apart < COMMON:
        found.append(
            f"What moves the score depends on when the model was taught: as little as {percent(apart)} of the "
            "story is the same in an older fold's model."
        )
    return found


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more
