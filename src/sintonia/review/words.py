"""The verdict in words: what a careful reader may say of the figures, and not a word more."""

from dataclasses import dataclass

from sintonia.core.html import number, percent
from sintonia.core.intervals import Estimate
from sintonia.evaluation.estimates import TOLERANCE, TOTAL_OFF
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


def interval_range(found: Estimate, digits: int = 3, signed: bool = False) -> str:
    """Return 'low to high'."""
    return f"{number(found.low, digits, signed)} to {number(found.high, digits, signed)}"


def findings(data: ReviewData) -> list[VerdictLine]:
    """Return the verdict: does it rank better than the best baseline, is it calibrated, what does it find."""
    others = (calibration, reach) if data.evaluation.bins else (total, capture)
    found = [ranking(data), *(finding(data) for finding in others)]
    return [*found, gate(data)] if data.gate else found


def gate(data: ReviewData) -> VerdictLine:
    """Return whether the figures would let it become champion, and how it does against the present one."""
    failed = [one for one in data.gate if not one.passed]
    if failed:
        evidence = "; ".join(f"{one.name}: {one.explanation}" for one in failed)
        return VerdictLine("bad", "Promotion would stop here", f"{evidence}.")
    told = {one.name: one.explanation for one in data.gate}
    evidence = told.get("champion", told.get("naive rule", ""))
    return VerdictLine("good", "Would pass the gate, once approved", f"{evidence[:1].upper()}{evidence[1:]}.")


def ranking(data: ReviewData) -> VerdictLine:
    """Return how it ranks against the best baseline, decided by the interval of the paired difference."""
    judged = data.evaluation
    metric, best = find_metric(judged.headline), judged.best_baseline()
    own = judged.estimates[judged.model][metric.name]
    if best is None:
        evidence = f"{metric.title} {number(own.value)} (95\u202f% interval {interval_range(own)})."
        return VerdictLine("open", "Not compared with any baseline", evidence)
    verdict = judged.verdict(best)
    gap = judged.differences[best][metric.name]
    state = STATES.get(verdict, "open")
    many = len(judged.baselines)
    named = f"the {best}" if many == 1 else f"the best of {many} baselines, the {best}"
    evidence = (
        f"Out of time, {metric.title} {number(own.value)} against "
        f"{number(judged.estimates[best][metric.name].value)}: a difference of "
        f"{number(gap.value, signed=True)} (95\u202f% interval {interval_range(gap, signed=True)})."
    )
    return VerdictLine(
        state, f"Ranks {verdict} {named}" if state != "open" else f"{verdict.capitalize()} {named}", evidence
    )


def calibration(data: ReviewData) -> VerdictLine:
    """Return whether propensities can be read as rates: at fault only if the interval lies above 2 points."""
    judged = data.evaluation
    error, bins = judged.estimates[judged.model]["calibration_error"], judged.bins[judged.model]
    said = sum(b.rows * b.predicted for b in bins) / sum(b.rows for b in bins)
    off = f"typically {100 * error.value:.1f} points off the observed rates"
    if error.value < SHOWN:
        off = "off the observed rates by no more than chance"
    evidence = (
        f"Propensities are {off} (95\u202f% interval "
        f"{100 * error.low:.1f} to {100 * error.high:.1f} points); on average {percent(said, 1)} said, "
        f"{percent(judged.label_rate, 1)} came true."
    )
    if error.low > TOLERANCE:
        return VerdictLine("bad", "Not calibrated", evidence)
    if error.value > TOLERANCE or error.high > UNSETTLED:
        return VerdictLine("open", "Calibration not settled by this much data", evidence)
    return VerdictLine("good", "Calibrated", evidence)


def reach(data: ReviewData) -> VerdictLine:
    """Return how much of the outcome the highest tenth holds."""
    judged = data.evaluation
    lift = judged.estimates[judged.model]["lift_top10"]
    evidence = (
        f"{percent(lift.value * judged.label_rate)} of that tenth have the outcome, against "
        f"{percent(judged.label_rate)} of all {judged.rows:,} test rows "
        f"(95\u202f% interval of the lift {interval_range(lift, 1)})."
    )
    if lift.low <= 1 <= lift.high:
        return VerdictLine("open", "The highest tenth is not clearly different from the rest", evidence)
    state = "good" if lift.low > 1 else "bad"
    return VerdictLine(
        state, f"The highest tenth holds {number(lift.value, 1)} times the usual rate", evidence
    )


def total(data: ReviewData) -> VerdictLine:
    """Return whether expected amounts add up to what was spent: at fault only if they surely are a tenth off."""
    found = data.evaluation.estimates[data.evaluation.model]["total_ratio"]
    evidence = (
        f"All expected spend is {percent(found.value)} of what was spent (95\u202f% interval "
        f"{percent(found.low)} to {percent(found.high)})."
    )
    if found.low > 1 + TOTAL_OFF or found.high < 1 - TOTAL_OFF:
        return VerdictLine("bad", "The total is off", evidence)
    if abs(found.value - 1) > TOTAL_OFF:
        return VerdictLine("open", "The total is not settled by this much data", evidence)
    return VerdictLine("good", "The total is right", evidence)


def capture(data: ReviewData) -> VerdictLine:
    """Return how much of the spend the highest fifth brings."""
    found = data.evaluation.estimates[data.evaluation.model]["capture_top20"]
    evidence = (
        f"A fifth drawn at random would bring 20\u202f% (95\u202f% interval {interval_range(found, 2)})."
    )
    state = "good" if found.low > VALUE_SHARE else "bad" if found.high < VALUE_SHARE else "open"
    return VerdictLine(state, f"The highest fifth brings {percent(found.value)} of the spend", evidence)
