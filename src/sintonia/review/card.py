"""The model card of what was promoted: the essentials in Markdown, generated, for people without the page."""

from collections.abc import Mapping, Sequence
from typing import Any

from sintonia.core.html import number
from sintonia.review.data import PromotionCheck, ReviewData
from sintonia.review.policy import PolicyReview, told
from sintonia.review.policy import findings as policy_findings
from sintonia.review.warnings import review_warnings
from sintonia.review.words import findings, interval_range

LISTED = 8


def model_card(review: ReviewData, history: Sequence[str]) -> str:
    """Return the card of a propensity or amount model; `history` says who approved and promoted it, a line each."""
    judged, best = review.evaluation, review.evaluation.best_baseline()
    own = judged.estimates[judged.model]
    head = f"| metric | model | 95 % interval |{'' if best is None else f' {best} |'}"
    rows = [
        f"| {metric.title} | {number(own[metric.name].value)} | {interval_range(own[metric.name])} |"
        + ("" if best is None else f" {_other(judged.estimates[best], metric.name)} |")
        for metric in judged.metrics
    ]
    families = [] if review.evidence is None else review.evidence.families[:LISTED]
    origin = _origin(review.source, review.fingerprint, review.run_id)
    return _lines(
        f"# {review.model_name}, version {review.model_version}",
        f"Among {_plain(review.population)}: who {_plain(review.outcome)}?",
        _list([f"Label: {review.label}", *origin, f"Trained {review.created_at}"]),
        "## Limits",
        _list(review.limits),
        "## Verdict",
        _list([f"**{one.headline}.** {one.evidence}" for one in findings(review)]),
        *(("## Look at", _list(noted)) if (noted := review_warnings(review)) else ()),
        f"## Out of time, {judged.rows:,} rows of {judged.customers:,} customers",
        "\n".join([head, "|---" * (head.count("|") - 1) + "|", *rows]),
        "## What moves the score",
        _list([f"{one.family}: {number(one.mean_absolute, 2)}" for one in families]),
        *_gate(review.gate),
        "## Decisions",
        _list(history),
    )


def policy_card(review: PolicyReview, gate: Sequence[PromotionCheck], history: Sequence[str]) -> str:
    """Return the card of a learned policy."""
    rows = [
        f"| {_plain(name)} | {one['treated']:.0%} | {told(one['doubly_robust'])} | {told(one['against_constant'])} |"
        for name, one in review.study["policies"].items()
    ]
    return _lines(
        f"# {review.model_name}, version {review.model_version}",
        f"Which of {len(review.study['actions'])} actions brings most for each customer?",
        _list(_origin(review.source, review.fingerprint, review.run_id)),
        "## Verdict",
        _list([f"**{one.headline}.** {one.evidence}" for one in policy_findings(review)]),
        "## Value a decision, costs taken off",
        "\n".join(["| policy | treats | doubly robust | against the constant |", "|---|---|---|---|", *rows]),
        *_gate(gate),
        "## Decisions",
        _list(history),
    )


def _other(of: Mapping[str, Any], name: str) -> str:
    return number(of[name].value) if name in of else ""


def _origin(source: str, fingerprint: str, run_id: str) -> list[str]:
    return [f"Data: {_plain(source)}, fingerprint `{fingerprint}`", f"Run `{run_id}`"]


def _gate(gate: Sequence[PromotionCheck]) -> tuple[str, ...]:
    if not gate:
        return ()
    return (
        "## Gate",
        _list([f"{one.name}: {'passed' if one.passed else 'FAILED'}, {one.explanation}" for one in gate]),
    )


def _list(lines: Sequence[str]) -> str:
    return "\n".join(f"- {_plain(line)}" for line in lines) or "- nothing"


def _plain(text: str) -> str:
    """Return text from outside as Markdown shows it: on one line, without markup of its own."""
    return " ".join(text.split()).replace("<", "&lt;").replace("|", "\\|")


def _lines(*parts: str) -> str:
    return "\n\n".join(parts) + "\n"
