"""A check in figures, and in lines for people: what moved, and which column may tell of the future."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sintonia.evaluation.leakage.invariance import InvarianceTrial
from sintonia.evaluation.leakage.leaks import LeakFinding, in_words, leak_figures

SHOWN_FEATURES = 5
NO_STRENGTH = "-"


def check_figures(trials: Sequence[InvarianceTrial], findings: Sequence[LeakFinding]) -> dict[str, Any]:
    """Return what moved when the unknown was disturbed, every column's verdict, and whether all of it passed."""
    leaks = leak_figures(findings)
    held = all(trial.passed for trial in trials)
    return {
        "passed": held and not leaks["may_leak"],
        "features_hold": held,
        "trials": [
            {"passed": trial.passed, **asdict(trial), "as_of": f"{trial.as_of:%Y-%m-%d}"} for trial in trials
        ],
        "leaks": leaks,
        "files": [],
        "say": [*trial_lines(trials), "", *finding_lines(findings)],
    }


def trial_lines(trials: Sequence[InvarianceTrial]) -> list[str]:
    """Return a line a trial: what was changed, and what moved."""
    lines = ["Features after all that was not yet known was deleted, or disturbed and added to:"]
    for trial in trials:
        told = ", ".join(f"{count:,} {name}" for name, count in trial.unknown.items() if count)
        lines.append(
            f"  {trial.as_of:%Y-%m-%d}  {trial.way:<9} {told or 'nothing'}: "
            f"{trial.features:,} features of {trial.rows:,} customers, {_outcome(trial)}"
        )
    return lines


def _outcome(trial: InvarianceTrial) -> str:
    if trial.passed:
        return "the same to the last byte"
    worst = sorted(trial.moved, key=lambda name: -trial.moved[name])
    told = [f"{name} of {trial.moved[name]:,}" for name in worst[:SHOWN_FEATURES]]
    if len(worst) > SHOWN_FEATURES:
        told.append(f"{len(worst) - SHOWN_FEATURES:,} features more")
    if trial.customers_moved:
        told.append(f"who is eligible, by {trial.customers_moved:,}")
    return f"PEEKS: moved were {', '.join(told)}"


def finding_lines(findings: Sequence[LeakFinding]) -> list[str]:
    """Return the table of columns, strongest first under those that may leak, and a line a leak with its reason."""
    wide = max((len(found.name) for found in findings), default=6)
    silo = max((len(found.source) for found in findings), default=6)
    lines = [
        f"{'column':<{wide}}  {'source':<{silo}}  {'AUC alone':<20}  {'known_at':<11}  {'known then':>10}  "
        f"{'lag, median':>12}  verdict"
    ]
    lines += [
        f"{found.name:<{wide}}  {found.source:<{silo}}  {_auc(found):<20}  "
        f"{'its own' if found.own_known_at else 'occurred_at':<11}  {found.known_share:>10.0%}  "
        f"{_lag(found.lag_days[0]):>12}  {'MAY LEAK' if found.may_leak else 'honest'}"
        for found in findings
    ]
    return lines + leak_lines(findings)


def leak_lines(findings: Sequence[LeakFinding]) -> list[str]:
    """Return a line for every column that may leak, with its reason, or one line that says there is none."""
    lines = [
        f"May leak: {found.name} of silo '{found.source}', AUC alone {_auc(found)}: {found.why}."
        for found in findings
        if found.may_leak
    ]
    return lines or [f"Leak check: none of {len(findings):,} columns of the store may tell of the future."]


def _auc(found: LeakFinding) -> str:
    if found.strength is None:
        return NO_STRENGTH
    return found.strength.text()


def _lag(days: float) -> str:
    return "none" if days <= 0 else in_words(days)
