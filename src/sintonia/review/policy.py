"""What a page on a learned policy shows: the study of its log, the customers that teach, the rules and their prices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sintonia.core.html import number, percent
from sintonia.review.data import PromotionCheck
from sintonia.review.treated import EffectDrivers, ExplainedDecision
from sintonia.review.words import VerdictLine

DO_NOTHING, CHOSEN, PERSONALISED = "nothing", "chosen", "personalised"


@dataclass(frozen=True)
class PolicyReview:
    """All that the page of a policy needs: plain JSON values of its run, its last round (None without), evidence."""

    study: Mapping[str, Any]
    policy: Mapping[str, Any]
    catalogue: Sequence[Mapping[str, Any]]
    round: Mapping[str, Any] | None
    source: str
    fingerprint: str
    model_name: str
    model_version: str
    run_id: str
    story: EffectDrivers = field(default_factory=lambda: EffectDrivers(0, (), ()))
    customers: tuple[ExplainedDecision, ...] = ()
    gate: tuple[PromotionCheck, ...] = ()


def estimate_text(estimate: Sequence[float | None], digits: int = 3) -> str:
    """Return an estimate as JSON keeps it, value and interval, in words; nothing for what is no number."""
    if estimate is None or estimate[0] is None:
        return ""
    value, low, high = (0.0 if bound is None else bound for bound in estimate)
    return f"{number(value, digits)} ({number(low, digits)} to {number(high, digits)})"


def horizon_text(reward: Mapping[str, Any]) -> str:
    """Return for how long a reward counts, in words.

    Examples
    --------
    >>> horizon_text({"horizon_days": 7, "horizon_hours": 12}), horizon_text({"horizon_days": 0})
    ('for 7 days and 12 hours', 'for as long as the log says')
    """
    days, hours = reward["horizon_days"], reward.get("horizon_hours", 0)
    durations = [f"{count} {unit}" for count, unit in ((days, "days"), (hours, "hours")) if count]
    return f"for {' and '.join(durations)}" if durations else "for as long as the log says"


def net_effect(effect: Mapping[str, Any]) -> list[float | None]:
    """Return what an action brings a decision when everybody who may have it gets it: observed effect less cost.

    Examples
    --------
    >>> net_effect({"observed": [0.5, 0.25, 0.75], "cost": 0.25})
    [0.25, 0.0, 0.5]
    >>> net_effect({"observed": [None, None, None], "cost": 0.2})
    [None, None, None]
    """
    return [None if end is None else end - effect["cost"] for end in effect["observed"]]


def policy_verdict(review: PolicyReview) -> list[VerdictLine]:
    """Return the verdict: is personalising worth it, is acting, on what evidence, and do gains come true."""
    return [
        _personalisation(review.study),
        _value_of_acting(review.study),
        _evidence(review.study),
        _gains_come_true(review.study),
    ]


def _personalisation(study: Mapping[str, Any]) -> VerdictLine:
    gate = study["gate"]
    if gate["passed"]:
        return VerdictLine("good", "Choosing for each customer is surely worth it", gate["sentence"])
    return VerdictLine("open", f"One action for all: '{gate['constant']}'", gate["sentence"])


def _value_of_acting(study: Mapping[str, Any]) -> VerdictLine:
    policies = study["policies"]
    chosen, nothing = policies[CHOSEN]["doubly_robust"], policies[DO_NOTHING]["doubly_robust"]
    evidence = (
        f"A decision is worth {estimate_text(chosen)} by what was chosen, {estimate_text(nothing)} by doing nothing, "
        f"costs taken off, on {study['judged_decisions']:,} decisions of {study['judged_customers']:,} customers who taught nothing."
    )
    if chosen[1] > nothing[2]:
        return VerdictLine("good", "Acting is worth more than doing nothing", evidence)
    state, headline = (
        ("bad", "Acting loses money")
        if chosen[2] < nothing[1]
        else ("open", "Acting is not clearly worth it")
    )
    return VerdictLine(state, headline, evidence)


def _evidence(study: Mapping[str, Any]) -> VerdictLine:
    log = study["logging_propensities"]
    size = f"{study['decisions']:,} decisions among {len(study['actions'])} actions"
    if log["logged"]:
        return VerdictLine(
            "good", "Learned from what chance decided", f"{size}, each with its logged propensity."
        )
    warning = log["warning"] or "The propensities were estimated."
    covered = (
        ""
        if log["covered"] is None
        else f" {percent(log['covered'])} of the decisions could have had every action."
    )
    return VerdictLine(
        "bad" if log["targeted"] else "open", "Propensities were not logged", f"{size}. {warning}{covered}"
    )


def _gains_come_true(study: Mapping[str, Any]) -> VerdictLine:
    covered = [
        low <= fifth["predicted"] <= high for fifth in study["fifths"] for _, low, high in [fifth["observed"]]
    ]
    evidence = f"In {sum(covered)} of {len(covered)} fifths of the predicted gain the observed one holds it in its interval."
    if all(covered) and all(
        low <= 0 <= high for fifth in study["fifths"] for _, low, high in [fifth["observed"]]
    ):
        evidence += " So would it hold 0 in each: these decisions are too few to tell."
        return VerdictLine("open", "Predicted gains are not tested by this much data", evidence)
    if all(covered):
        return VerdictLine("good", "Predicted gains come true", evidence)
    return VerdictLine("open", "Predicted gains are rough", evidence)


def choice_texts(policy: Mapping[str, Any], gate: Mapping[str, Any]) -> list[str]:
    """Return in words how the policy chooses, from its configuration and what the gate made of it."""
    threshold, floor = policy["threshold"], policy["floor"]
    methods = {
        "best_gain": "Each customer gets the action with the highest expected gain",
        "sure_gain": "Each customer gets the action with the highest expected gain among those that surely gain",
        "softmax": "Actions are drawn, the likelier the more they are expected to gain",
        "thompson": "Actions are drawn, each as often as it may be the best",
    }
    threshold_text = f"; nothing is done where none gains more than {threshold:g}"
    lines = [
        f"{methods[policy['name']]}{'' if policy['name'] in ('softmax', 'thompson') else threshold_text}."
    ]
    if not gate["passed"]:
        lines = [
            f"Everybody who may have it gets '{gate['constant']}': personal differences did not pass the gate, and are "
            "shown for information."
        ]
    if floor:
        lines.append(
            f"Every action that is possible keeps a probability of {percent(floor, 1)}, to learn from."
        )
    lines.append("A gain is the effect on the reward in what it is worth, the cost of the action taken off.")
    return lines


def rule_texts(engagement: Mapping[str, Any], actions: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return an engagement policy in words: what it is about, and what it says."""
    lines = [
        (
            name,
            f"{entry['channel']}, {entry['cost'] or 0:.2f} EUR a contact, lever {entry['lever']:g}"
            f"{'' if entry['selling'] else ', does not sell'}{'' if entry['needs_consent'] else ', needs no consent'}",
        )
        for name, entry in actions.items()
    ]
    for name, entry in engagement["rules"].items():
        who = ", ".join(entry["actions"]) or "all actions"
        lines.append(
            (name, f"{entry['stage']}: {who} only where {entry['where']}{_reason_text(entry['because'])}")
        )
    for name, entry in engagement["contact_limits"].items():
        period = (
            f"in {entry['rolling_days']} days" if entry["rolling_days"] else f"a calendar {entry['calendar']}"
        )
        lines.append((name, f"at most {entry['at_most']} contacts {period}{_channel_text(entry['channel'])}"))
    for name, entry in engagement["pauses"].items():
        lines.append(
            (
                name,
                f"after {entry['after_refusals']} unanswered in a row none for {entry['days']} days"
                f"{_channel_text(entry['channel'])}",
            )
        )
    if engagement["complaint_stops_selling"]:
        lines.append(("complaints", "nothing is sold while a complaint is open"))
    for name, entry in engagement["capacities"].items():
        most = "" if entry["at_most"] is None else f"at most {entry['at_most']:,}"
        least = f"at least {entry['at_least']:,}" if entry["at_least"] else ""
        what = entry["action"] or entry["channel"] or "contacts"
        lines.append((name, f"{' and '.join(filter(None, (least, most)))} of {what} a {entry['per']}"))
    if engagement["budget"] is not None:
        lines.append(("budget", f"{engagement['budget']:,.2f} EUR a round"))
    holdout, explore = (percent(engagement[name], 1) for name in ("holdout_share", "explore_share"))
    return [*lines, ("holdout, exploration", f"{holdout} are never contacted, {explore} try out")]


def _reason_text(reason: str) -> str:
    return f" ({reason})" if reason else ""


def _channel_text(channel: str | None) -> str:
    return f" on {channel}" if channel else ""
