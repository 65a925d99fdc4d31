"""A check in figures, and in lines for people: what moved, and which column may tell of the future."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sintonia.evaluation.leakage.invariance import InvarianceTrial
from sintonia.evaluation.leakage.leaks import LeakFinding, duration_text, leak_figures

SHOWN_FEATURES = 5
NO_STRENGTH = "-"


def leakage_figures(trials: Sequence[InvarianceTrial], findings: Sequence[LeakFinding]) -> dict[str, Any]:
    """Return what moved when the unknown was disturbed, every column's verdict, and whether all of it passed."""
    leaks = leak_figures(findings)
    invariant = all(trial.passed for trial in trials)
    return {
        "passed": invariant and not leaks["may_leak"],
        "features_hold": invariant,
        "trials": [
            {"passed": trial.passed, **asdict(trial), "as_of": f"{trial.as_of:%Y-%m-%d}"} for trial in trials
        ],
        "leaks": leaks,
        "files": [],
        "say": [*trial_lines(trials), "", *finding_lines(findings)],
    }


def trial_lines(trials: Sequence[InvarianceTrial]) -> list[str]:
    """Return a line a trial: what was changed, and what moved."""
    lines = ["Features after all data not yet known were deleted, or perturbed and extended:"]
    for trial in trials:
        counts = ", ".join(f"{count:,} {name}" for name, count in trial.unknown.items() if count)
        lines.append(
            f"  {trial.as_of:%Y-%m-%d}  {trial.way:<9} {counts or 'nothing'}: "
            f"{trial.features:,} features of {trial.rows:,} customers, {_trial_outcome(trial)}"
        )
    return lines


def _trial_outcome(trial: InvarianceTrial) -> str:
    if trial.passed:
        return "identical to the last byte"
    worst = sorted(trial.moved, key=lambda name: -trial.moved[name])
    changes = [f"{name} of {trial.moved[name]:,}" for name in worst[:SHOWN_FEATURES]]
    if len(worst) > SHOWN_FEATURES:
        changes.append(f"{len(worst) - SHOWN_FEATURES:,} features more")
    if trial.customers_moved:
        changes.append(f"eligibility of {trial.customers_moved:,} customers")
    return f"LEAKS: changed {', '.join(changes)}"


def finding_lines(findings: Sequence[LeakFinding]) -> list[str]:
    """Return the table of columns, strongest first under those that may leak, and a line a leak with its reason."""
    name_width = max((len(finding.name) for finding in findings), default=6)
    source_width = max((len(finding.source) for finding in findings), default=6)
    lines = [
        f"{'column':<{name_width}}  {'source':<{source_width}}  {'AUC alone':<20}  {'known_at':<11}  "
        f"{'known then':>10}  {'lag, median':>12}  verdict"
    ]
    lines += [
        f"{finding.name:<{name_width}}  {finding.source:<{source_width}}  {_auc_text(finding):<20}  "
        f"{'its own' if finding.own_known_at else 'occurred_at':<11}  {finding.known_share:>10.0%}  "
        f"{_lag_text(finding.lag_days[0]):>12}  {'MAY LEAK' if finding.may_leak else 'no leak'}"
        for finding in findings
    ]
    return lines + leak_lines(findings)


def leak_lines(findings: Sequence[LeakFinding]) -> list[str]:
    """Return a line for every column that may leak, with its reason, or one line that says there is none."""
    lines = [
        f"May leak: {finding.name} of silo '{finding.source}', AUC alone {_auc_text(finding)}: {finding.why}."
        for finding in findings
        if finding.may_leak
    ]
    return lines or [f"Leak check: none of {len(findings):,} columns of the store may leak the future."]


def _auc_text(finding: LeakFinding) -> str:
    if finding.strength is None:
        return NO_STRENGTH
    return finding.strength.text()


def _lag_text(days: float) -> str:
    return "none" if days <= 0 else duration_text(days)
