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
    evaluation = data.evaluation
    rates = {part.name: part.label_rate for part in data.parts}
    train_rate, test_rate = (
        rates.get("train", evaluation.label_rate),
        rates.get("test", evaluation.label_rate),
    )
    outcomes = round(evaluation.rows * min(evaluation.label_rate, 1 - evaluation.label_rate))
    total = sum(weight.mean_absolute for weight in data.weights)
    warnings = []
    if outcomes < FEW_OUTCOMES:
        warnings.append(f"Only {outcomes} test rows have the rarer outcome; every figure is rough.")
    if sum(len(part.as_of) for part in data.parts if part.name == "test") == 1:
        warnings.append(
            "Only one test date: intervals say nothing of how the figures change from month to month."
        )
    auc = evaluation.estimates[evaluation.model].get("auc")
    if auc is not None and auc.value > SUSPICIOUS_AUC:
        warnings.append("An AUC this high is rare in behaviour: make sure that no feature knows the outcome.")
    if data.weights and data.weights[0].mean_absolute > DOMINANT * total:
        warnings.append(
            f"More than half of all contributions come from one feature: {data.weights[0].definition}."
        )
    if abs(test_rate - train_rate) > SHIFT * train_rate:
        warnings.append(
            f"The outcome's rate went from {percent(train_rate, 1)} in training to {percent(test_rate, 1)} in the test."
        )
    return [*warnings, *group_warnings(data), *data_warnings(data)]


def group_warnings(data: ReviewData) -> list[str]:
    """Return for which groups of customers the model is worse, wrong or unfair."""
    if data.evidence is None:
        return []
    groups = data.evidence.groups
    wrong = [f"{group.by} {group.name}" for group in groups if group.wrong]
    weak = [f"{group.by} {group.name}" for group in groups if group.weak]
    warnings = []
    if wrong:
        warnings.append(f"What it says is surely off for {_listed(wrong)}; see the groups below.")
    if weak:
        warnings.append(f"It ranks surely worse than over all for {_listed(weak)}; see the groups below.")
    warnings += [
        f"By {group.by}, the highest tenth reaches one group only {percent(group.ratio)} as often as another."
        for group in data.evidence.fairness
        if group.ratio < FOUR_FIFTHS
    ]
    return warnings


def data_warnings(data: ReviewData) -> list[str]:
    """Return what has moved: distributions in the test or since, and the story the contributions tell."""
    if data.evidence is None:
        return []
    warnings = []
    n_shifted = sum(shift.moved.beyond(SHIFTED) for shift in data.evidence.profiles)
    if n_shifted:
        warnings.append(
            f"{n_shifted} of {len(data.evidence.profiles)} features lie elsewhere in the test "
            f"(PSI above {SHIFTED} by more than chance)."
        )
    if data.now is not None and (
        shifted := [shift.name for shift in data.now.moved if shift.beyond(SHIFTED)]
    ):
        score = " and the score itself" if SCORE in shifted else ""
        warnings.append(
            f"{len({*shifted} - {SCORE})} features{score} lie elsewhere since training, as of {data.now.as_of} "
            f"(PSI above {SHIFTED} by more than chance)."
        )
    lowest = min(data.evidence.stability.rank_correlation, default=1.0)
    if lowest < STEADY:
        warnings.append(
            f"What moves the score changes over time: rank correlation down to {number(lowest, 2)} between dates."
        )
    common = min(data.evidence.retold.common, default=1.0)
    if common < COMMON:
        warnings.append(
            f"What moves the score depends on when the model was taught: as little as {percent(common)} of the "
            "story is the same in an older fold's model."
        )
    return warnings


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more
