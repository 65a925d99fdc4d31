"""The model card of a promoted version: the essentials of its page in Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

from sintonia.core.html import number
from sintonia.review.data import PromotionCheck, ReviewData
from sintonia.review.policy_page import PolicyReview, estimate_text, policy_verdict
from sintonia.review.texts import interval_range, outcome_verdict, review_warnings

LISTED = 8


def model_card(review: ReviewData, history: Sequence[str]) -> str:
    """Return the card of a propensity or amount model; `history` says who approved and promoted it, a line each."""
    evaluation, best = review.evaluation, review.evaluation.best_baseline()
    estimates = evaluation.estimates[evaluation.model]
    head = f"| metric | model | 95 % interval |{'' if best is None else f' {best} |'}"
    rows = [
        f"| {metric.title} | {number(estimates[metric.name].value)} | {interval_range(estimates[metric.name])} |"
        + ("" if best is None else f" {_other(evaluation.estimates[best], metric.name)} |")
        for metric in evaluation.metrics
    ]
    families = [] if review.evidence is None else review.evidence.families[:LISTED]
    judged_on = "Out of time" if review.out_of_time else "Other customers, not out of time"
    origin = _origin(review.source, review.fingerprint, review.run_id)
    return _lines(
        f"# {review.model_name}, version {review.model_version}",
        f"Among {_plain(review.population)}: who {_plain(review.outcome)}?",
        _list([f"Label: {review.label}", *origin, f"Trained {review.created_at}"]),
        "## Limits",
        _list(review.limits),
        "## Verdict",
        _list([f"**{entry.headline}.** {entry.evidence}" for entry in outcome_verdict(review)]),
        *(("## Look at", _list(warnings)) if (warnings := review_warnings(review)) else ()),
        f"## {judged_on}, {evaluation.rows:,} rows of {evaluation.customers:,} customers",
        "\n".join([head, "|---" * (head.count("|") - 1) + "|", *rows]),
        "## What moves the score",
        _list([f"{entry.family}: {number(entry.mean_absolute, 2)}" for entry in families]),
        *_gate(review.gate),
        "## Decisions",
        _list(history),
    )


def policy_card(review: PolicyReview, gate: Sequence[PromotionCheck], history: Sequence[str]) -> str:
    """Return the card of a learned policy."""
    rows = [
        f"| {_plain(name)} | {entry['treated']:.0%} | {estimate_text(entry['doubly_robust'])} | "
        f"{estimate_text(entry['against_constant'])} |"
        for name, entry in review.study["policies"].items()
    ]
    return _lines(
        f"# {review.model_name}, version {review.model_version}",
        f"Which of {len(review.study['actions'])} actions brings most for each customer?",
        _list(_origin(review.source, review.fingerprint, review.run_id)),
        "## Verdict",
        _list([f"**{entry.headline}.** {entry.evidence}" for entry in policy_verdict(review)]),
        "## Value a decision, costs taken off",
        "\n".join(["| policy | treats | doubly robust | against the constant |", "|---|---|---|---|", *rows]),
        *_gate(gate),
        "## Decisions",
        _list(history),
    )


def _other(estimates: Mapping[str, Any], name: str) -> str:
    return number(estimates[name].value) if name in estimates else ""


def _origin(source: str, fingerprint: str, run_id: str) -> list[str]:
    return [f"Data: {_plain(source)}, fingerprint `{fingerprint}`", f"Run `{run_id}`"]


def _gate(checks: Sequence[PromotionCheck]) -> tuple[str, ...]:
    if not checks:
        return ()
    return (
        "## Gate",
        _list(
            [
                f"{check.name}: {'passed' if check.passed else 'FAILED'}, {check.explanation}"
                for check in checks
            ]
        ),
    )


def _list(lines: Sequence[str]) -> str:
    return "\n".join(f"- {_plain(line)}" for line in lines) or "- nothing"


def _plain(text: str) -> str:
    """Return text from outside as Markdown shows it: on one line, without markup of its own."""
    return " ".join(text.split()).replace("<", "&lt;").replace("|", "\\|")


def _lines(*parts: str) -> str:
    return "\n\n".join(parts) + "\n"
