"""The verdict on a model and the warnings to a reviewer, as sentences that the figures support."""

from collections.abc import Sequence
from dataclasses import dataclass

from sintonia.core.html import number, percent
from sintonia.core.intervals import Estimate
from sintonia.evaluation.drift import SCORE
from sintonia.evaluation.drift_report import LARGE_SHIFT
from sintonia.evaluation.evaluate import TOLERANCE, TOTAL_OFF
from sintonia.evaluation.metrics import VALUE_SHARE, find_metric
from sintonia.review.data import ReviewData

UNSETTLED = 0.05
SHOWN = 0.0005
STATES = {"better than": "good", "worse than": "bad", "not distinguishable from": "open"}


@dataclass(frozen=True)
class VerdictLine:
    """One sentence of the verdict: 'good', 'open' or 'bad', its headline and its evidence."""

    state: str
    headline: str
    evidence: str


def interval_range(estimate: Estimate, digits: int = 3, signed: bool = False) -> str:
    """Return 'low to high'."""
    return f"{number(estimate.low, digits, signed)} to {number(estimate.high, digits, signed)}"


def outcome_verdict(data: ReviewData) -> list[VerdictLine]:
    """Return the verdict: does it rank better than the best baseline, is it calibrated, what does it find."""
    functions = (
        (calibration_verdict, lift_verdict) if data.evaluation.bins else (total_verdict, capture_verdict)
    )
    lines = [ranking_verdict(data), *(function(data) for function in functions)]
    return [*lines, gate_verdict(data)] if data.gate else lines


def gate_verdict(data: ReviewData) -> VerdictLine:
    """Return whether the model meets the requirements of a promotion, and its comparison with the champion."""
    failed = [check for check in data.gate if not check.passed]
    if failed:
        evidence = "; ".join(f"{check.name}: {check.explanation}" for check in failed)
        return VerdictLine("bad", "Promotion would stop here", f"{evidence}.")
    explanations = {check.name: check.explanation for check in data.gate}
    evidence = explanations.get("champion", explanations.get("naive rule", ""))
    return VerdictLine("good", "Would pass the gate, once approved", f"{evidence[:1].upper()}{evidence[1:]}.")


def ranking_verdict(data: ReviewData) -> VerdictLine:
    """Return how it ranks against the best baseline, decided by the interval of the paired difference."""
    evaluation = data.evaluation
    metric, best = find_metric(evaluation.headline), evaluation.best_baseline()
    estimate = evaluation.estimates[evaluation.model][metric.name]
    if best is None:
        evidence = f"{metric.title} {number(estimate.value)} (95\u202f% interval {interval_range(estimate)})."
        return VerdictLine("open", "Not compared with any baseline", evidence)
    verdict = evaluation.verdict(best)
    difference = evaluation.differences[best][metric.name]
    state = STATES.get(verdict, "open")
    n_baselines = len(evaluation.baselines)
    baseline = f"the {best}" if n_baselines == 1 else f"the best of {n_baselines} baselines, the {best}"
    judged_on = "Out of time" if data.out_of_time else "On other customers"
    evidence = (
        f"{judged_on}, {metric.title} {number(estimate.value)} against "
        f"{number(evaluation.estimates[best][metric.name].value)}: a difference of "
        f"{number(difference.value, signed=True)} (95\u202f% interval {interval_range(difference, signed=True)})."
    )
    return VerdictLine(
        state,
        f"Ranks {verdict} {baseline}" if state != "open" else f"{verdict.capitalize()} {baseline}",
        evidence,
    )


def calibration_verdict(data: ReviewData) -> VerdictLine:
    """Return whether propensities can be read as rates: at fault only if the interval lies above 2 points."""
    evaluation = data.evaluation
    error, bins = (
        evaluation.estimates[evaluation.model]["calibration_error"],
        evaluation.bins[evaluation.model],
    )
    mean_prediction = sum(b.rows * b.predicted for b in bins) / sum(b.rows for b in bins)
    distance = f"typically {100 * error.value:.1f} points off the observed rates"
    if error.value < SHOWN:
        distance = "off the observed rates by no more than chance"
    evidence = (
        f"Propensities are {distance} (95\u202f% interval "
        f"{100 * error.low:.1f} to {100 * error.high:.1f} points); on average {percent(mean_prediction, 1)} said, "
        f"{percent(evaluation.label_rate, 1)} came true."
    )
    if error.low > TOLERANCE:
        return VerdictLine("bad", "Not calibrated", evidence)
    if error.value > TOLERANCE or error.high > UNSETTLED:
        return VerdictLine("open", "Calibration not settled by this much data", evidence)
    return VerdictLine("good", "Calibrated", evidence)


def lift_verdict(data: ReviewData) -> VerdictLine:
    """Return the outcome rate of the highest tenth of scores."""
    evaluation = data.evaluation
    lift = evaluation.estimates[evaluation.model]["lift_top10"]
    evidence = (
        f"{percent(lift.value * evaluation.label_rate)} of that tenth have the outcome, against "
        f"{percent(evaluation.label_rate)} of all {evaluation.rows:,} test rows "
        f"(95\u202f% interval of the lift {interval_range(lift, 1)})."
    )
    if lift.low <= 1 <= lift.high:
        return VerdictLine("open", "The highest tenth is not clearly different from the rest", evidence)
    state = "good" if lift.low > 1 else "bad"
    return VerdictLine(
        state, f"The highest tenth holds {number(lift.value, 1)} times the usual rate", evidence
    )


def total_verdict(data: ReviewData) -> VerdictLine:
    """Return whether expected amounts add up to what was spent: at fault only if they surely are a tenth off."""
    ratio = data.evaluation.estimates[data.evaluation.model]["total_ratio"]
    evidence = (
        f"All expected spend is {percent(ratio.value)} of what was spent (95\u202f% interval "
        f"{percent(ratio.low)} to {percent(ratio.high)})."
    )
    if ratio.low > 1 + TOTAL_OFF or ratio.high < 1 - TOTAL_OFF:
        return VerdictLine("bad", "The total is off", evidence)
    if abs(ratio.value - 1) > TOTAL_OFF:
        return VerdictLine("open", "The total is not settled by this much data", evidence)
    return VerdictLine("good", "The total is right", evidence)


def capture_verdict(data: ReviewData) -> VerdictLine:
    """Return how much of the spend the highest fifth brings."""
    share = data.evaluation.estimates[data.evaluation.model]["capture_top20"]
    evidence = (
        f"A fifth drawn at random would bring 20\u202f% (95\u202f% interval {interval_range(share, 2)})."
    )
    state = "good" if share.low > VALUE_SHARE else "bad" if share.high < VALUE_SHARE else "open"
    return VerdictLine(state, f"The highest fifth brings {percent(share.value)} of the spend", evidence)


FEW_OUTCOMES = 200
SUSPICIOUS_AUC = 0.95
DOMINANT = 0.5
SHIFT = 0.25
FOUR_FIFTHS = 0.8
"""The ratio of selection rates below which the EEOC (29 CFR 1607.4 D) sees adverse impact."""
STEADY = 0.7
COMMON = 0.75
"""Of the contributions' sizes by family: with a quarter of them elsewhere, a model has other reasons."""
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
    if data.out_of_time and sum(len(part.as_of) for part in data.parts if part.name == "test") == 1:
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
    """Return the groups of customers for which the model is worse, wrong or unfair."""
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
    """Return what has drifted: distributions in the test or since, and what moves the score."""
    if data.evidence is None:
        return []
    warnings = []
    n_shifted = sum(shift.moved.beyond(LARGE_SHIFT) for shift in data.evidence.profiles)
    if n_shifted:
        warnings.append(
            f"{n_shifted} of {len(data.evidence.profiles)} features lie elsewhere in the test "
            f"(PSI above {LARGE_SHIFT} by more than chance)."
        )
    if data.now is not None and (
        shifted := [shift.name for shift in data.now.moved if shift.beyond(LARGE_SHIFT)]
    ):
        score = " and the score itself" if SCORE in shifted else ""
        warnings.append(
            f"{len({*shifted} - {SCORE})} features{score} lie elsewhere since training, as of {data.now.as_of} "
            f"(PSI above {LARGE_SHIFT} by more than chance)."
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
