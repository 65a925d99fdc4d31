"""What a page on a learned policy shows: the study of its log, the customers that teach, the rules and their prices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sintonia.core.html import number, percent
from sintonia.review.data import PromotionCheck
from sintonia.review.treated import EffectStory, Treated
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
    story: EffectStory = field(default_factory=lambda: EffectStory(0, (), ()))
    customers: tuple[Treated, ...] = ()
    gate: tuple[PromotionCheck, ...] = ()
    currency: str = "EUR"


def told(found: Sequence[float | None], digits: int = 3) -> str:
    """Return an estimate as JSON keeps it, value and interval, in words; nothing for what is no number."""
    if found is None or found[0] is None:
        return ""
    value, low, high = (0.0 if one is None else one for one in found)
    return f"{number(value, digits)} ({number(low, digits)} to {number(high, digits)})"


def horizon(reward: Mapping[str, Any]) -> str:
    """Return for how long a reward counts, in words.

    Examples
    --------
    >>> horizon({"horizon_days": 7, "horizon_hours": 12}), horizon({"horizon_days": 0})
    ('for 7 days and 12 hours', 'for as long as the log says')
    """
    days, hours = reward["horizon_days"], reward.get("horizon_hours", 0)
    told = [f"{count} {unit}" for count, unit in ((days, "days"), (hours, "hours")) if count]
    return f"for {' and '.join(told)}" if told else "for as long as the log says"


def net(one: Mapping[str, Any]) -> list[float | None]:
    """Return what an action brings a decision when everybody who may have it gets it: observed effect less cost.

    Examples
    --------
    >>> net({"observed": [0.5, 0.25, 0.75], "cost": 0.25}), net({"observed": [None, None, None], "cost": 0.2})
    ([0.25, 0.0, 0.5], [None, None, None])
    """
    return [None if end is None else end - one["cost"] for end in one["observed"]]


def findings(review: PolicyReview) -> list[VerdictLine]:
    """Return the verdict: is personalising worth it, is acting, on what evidence, and do gains come true."""
    return [_personal(review.study), _worth(review.study), _evidence(review.study), _order(review.study)]


def _personal(study: Mapping[str, Any]) -> VerdictLine:
    gate = study["gate"]
    if gate["passed"]:
        return VerdictLine("good", "Choosing for each customer is surely worth it", gate["sentence"])
    return VerdictLine("open", f"One action for all: '{gate['constant']}'", gate["sentence"])


def _worth(study: Mapping[str, Any]) -> VerdictLine:
    policies = study["policies"]
    chosen, nothing = policies[CHOSEN]["doubly_robust"], policies[DO_NOTHING]["doubly_robust"]
    evidence = (
        f"A decision is worth {told(chosen)} by what was chosen, {told(nothing)} by doing nothing, costs taken off, "
        f"on {study['judged_decisions']:,} decisions of {study['judged_customers']:,} customers who taught nothing."
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
    said = log["warning"] or "The propensities were estimated."
    covered = (
        ""
        if log["covered"] is None
        else f" {percent(log['covered'])} of the decisions could have had every action."
    )
    return VerdictLine(
        "bad" if log["targeted"] else "open", "Propensities were not logged", f"{size}. {said}{covered}"
    )


def _order(study: Mapping[str, Any]) -> VerdictLine:
    held = [
        low <= fifth["predicted"] <= high for fifth in study["fifths"] for _, low, high in [fifth["observed"]]
    ]
    evidence = f"In {sum(held)} of {len(held)} fifths of the predicted gain the observed one holds it in its interval."
    if all(held) and all(
        low <= 0 <= high for fifth in study["fifths"] for _, low, high in [fifth["observed"]]
    ):
        evidence += " So would it hold 0 in each: these decisions are too few to tell."
        return VerdictLine("open", "Predicted gains are not tested by this much data", evidence)
    if all(held):
        return VerdictLine("good", "Predicted gains come true", evidence)
    return VerdictLine("open", "Predicted gains are rough", evidence)


def choice(policy: Mapping[str, Any], gate: Mapping[str, Any]) -> list[str]:
    """Return in words how the policy chooses, from its configuration and what the gate made of it."""
    threshold, floor = policy["threshold"], policy["floor"]
    ways = {
        "best_gain": "Each customer gets the action with the highest expected gain",
        "sure_gain": "Each customer gets the action with the highest expected gain among those that surely gain",
        "softmax": "Actions are drawn, the likelier the more they are expected to gain",
        "thompson": "Actions are drawn, each as often as it may be the best",
    }
    beyond = f"; nothing is done where none gains more than {threshold:g}"
    found = [f"{ways[policy['name']]}{'' if policy['name'] in ('softmax', 'thompson') else beyond}."]
    if not gate["passed"]:
        found = [
            f"Everybody who may have it gets '{gate['constant']}': personal differences did not pass the gate, and are "
            "shown for information."
        ]
    if floor:
        found.append(
            f"Every action that is possible keeps a probability of {percent(floor, 1)}, to learn from."
        )
    found.append("A gain is the effect on the reward in what it is worth, the cost of the action taken off.")
    return found


def rules(
    engagement: Mapping[str, Any], actions: Mapping[str, Any], currency: str = "EUR"
) -> list[tuple[str, str]]:
    """Return an engagement policy in words: what it is about, and what it says."""
    found = [
        (
            name,
            f"{one['channel']}, {one['cost'] or 0:.2f} {currency} a contact, lever {one['lever']:g}"
            f"{'' if one['selling'] else ', does not sell'}{'' if one['needs_consent'] else ', needs no consent'}",
        )
        for name, one in actions.items()
    ]
    for name, one in engagement["rules"].items():
        who = ", ".join(one["actions"]) or "all actions"
        found.append((name, f"{one['stage']}: {who} only where {one['where']}{_because(one['because'])}"))
    for name, one in engagement["contact_limits"].items():
        period = f"in {one['rolling_days']} days" if one["rolling_days"] else f"a calendar {one['calendar']}"
        found.append((name, f"at most {one['at_most']} contacts {period}{_on(one['channel'])}"))
    for name, one in engagement["pauses"].items():
        found.append(
            (
                name,
                f"after {one['after_refusals']} unanswered in a row none for {one['days']} days{_on(one['channel'])}",
            )
        )
    if engagement["complaint_stops_selling"]:
        found.append(("complaints", "nothing is sold while a complaint is open"))
    for name, one in engagement["capacities"].items():
        most = "" if one["at_most"] is None else f"at most {one['at_most']:,}"
        least = f"at least {one['at_least']:,}" if one["at_least"] else ""
        what = one["action"] or one["channel"] or "contacts"
        found.append((name, f"{' and '.join(filter(None, (least, most)))} of {what} a {one['per']}"))
    if engagement["budget"] is not None:
        found.append(("budget", f"{engagement['budget']:,.2f} {currency} a round"))
    holdout, explore = (percent(engagement[name], 1) for name in ("holdout_share", "explore_share"))
    return [*found, ("holdout, exploration", f"{holdout} are never contacted, {explore} try out")]


def _because(why: str) -> str:
    return f" ({why})" if why else ""


def _on(channel: str | None) -> str:
    return f" on {channel}" if channel else ""
