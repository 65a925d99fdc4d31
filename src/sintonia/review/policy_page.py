"""The review page of a learned policy: values with intervals, what the log shows, rules, example customers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from markupsafe import Markup

from sintonia.core.html import number, percent, template
from sintonia.evaluation.stability import FamilyWeight
from sintonia.explain.contributions import Swarm, format_value
from sintonia.review.data import CatalogueEntry, FeatureWeight, PromotionCheck, read
from sintonia.review.examples import GridFormat, decision_example, definition
from sintonia.review.page import SIGNS, explorer, swarm_rows
from sintonia.review.policy_examples import EffectDrivers, ExplainedDecision, FeatureSwarm
from sintonia.review.sections import Section
from sintonia.review.texts import VerdictLine

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
    currency: str = "EUR"


def estimate_text(estimate: Sequence[float | None], digits: int = 3) -> str:
    """Return an estimate as stored in JSON (value, low, high) as text; empty when it is not a number."""
    if estimate is None or estimate[0] is None:
        return ""
    value, low, high = (0.0 if bound is None else bound for bound in estimate)
    return f"{number(value, digits)} ({number(low, digits)} to {number(high, digits)})"


def horizon_text(reward: Mapping[str, Any]) -> str:
    """Return how long a reward counts, as text.

    Examples
    --------
    >>> horizon_text({"horizon_days": 7, "horizon_hours": 12}), horizon_text({"horizon_days": 0})
    ('for 7 days and 12 hours', 'for the window in the log')
    """
    days, hours = reward["horizon_days"], reward.get("horizon_hours", 0)
    durations = [f"{count} {unit}" for count, unit in ((days, "days"), (hours, "hours")) if count]
    return f"for {' and '.join(durations)}" if durations else "for the window in the log"


def net_effect(effect: Mapping[str, Any]) -> list[float | None]:
    """Return an action's net effect per decision if everybody eligible gets it: observed effect less cost.

    Examples
    --------
    >>> net_effect({"observed": [0.5, 0.25, 0.75], "cost": 0.25})
    [0.25, 0.0, 0.5]
    >>> net_effect({"observed": [None, None, None], "cost": 0.2})
    [None, None, None]
    """
    return [None if end is None else end - effect["cost"] for end in effect["observed"]]


def policy_verdict(review: PolicyReview) -> list[VerdictLine]:
    """Return the verdict: whether personalising and acting pay off, the evidence, and whether gains are confirmed."""
    return [
        _personalisation(review.study),
        _value_of_acting(review.study),
        _evidence(review.study),
        _gains_come_true(review.study),
    ]


def _personalisation(study: Mapping[str, Any]) -> VerdictLine:
    gate = study["gate"]
    if gate["passed"]:
        return VerdictLine("good", "Personalisation pays off", gate["sentence"])
    return VerdictLine("open", f"One action for all: '{gate['constant']}'", gate["sentence"])


def _value_of_acting(study: Mapping[str, Any]) -> VerdictLine:
    policies = study["policies"]
    chosen, nothing = policies[CHOSEN]["doubly_robust"], policies[DO_NOTHING]["doubly_robust"]
    evidence = (
        f"Value per decision, net of costs: {estimate_text(chosen)} for the chosen policy, {estimate_text(nothing)} "
        f"for doing nothing, on {study['judged_decisions']:,} decisions of {study['judged_customers']:,} held-out "
        "customers."
    )
    if chosen[1] > nothing[2]:
        return VerdictLine("good", "The policy is better than doing nothing", evidence)
    state, headline = (
        ("bad", "The policy is worse than doing nothing")
        if chosen[2] < nothing[1]
        else ("open", "The policy is not distinguishable from doing nothing")
    )
    return VerdictLine(state, headline, evidence)


def _evidence(study: Mapping[str, Any]) -> VerdictLine:
    log = study["logging_propensities"]
    size = f"{study['decisions']:,} decisions among {len(study['actions'])} actions"
    if log["logged"] and log["warning"]:
        return VerdictLine(
            "open",
            "Chance did not decide every action",
            f"{size}, each with its logged propensity. {log['warning']}",
        )
    if log["logged"]:
        return VerdictLine(
            "good", "Learned from randomised decisions", f"{size}, each with its logged propensity."
        )
    warning = log["warning"] or "The propensities were estimated."
    covered = (
        ""
        if log["covered"] is None
        else f" {percent(log['covered'])} of the decisions have sufficient overlap for every action."
    )
    return VerdictLine(
        "bad" if log["targeted"] else "open", "Propensities were not logged", f"{size}. {warning}{covered}"
    )


def _gains_come_true(study: Mapping[str, Any]) -> VerdictLine:
    covered = [
        low <= fifth["predicted"] <= high for fifth in study["fifths"] for _, low, high in [fifth["observed"]]
    ]
    evidence = (
        f"In {sum(covered)} of {len(covered)} quintiles of the predicted gain, the interval of the observed gain "
        "contains the predicted one."
    )
    if all(covered) and all(
        low <= 0 <= high for fifth in study["fifths"] for _, low, high in [fifth["observed"]]
    ):
        evidence += (
            " All of these intervals also contain 0: there are too few decisions to confirm the gains."
        )
        return VerdictLine("open", "Too few decisions to validate predicted gains", evidence)
    if all(covered):
        return VerdictLine("good", "Predicted gains are confirmed", evidence)
    return VerdictLine("open", "Predicted gains are not calibrated", evidence)


def choice_texts(policy: Mapping[str, Any], gate: Mapping[str, Any]) -> list[str]:
    """Return sentences on how the policy chooses, from its configuration and the result of the gate."""
    threshold, floor = policy["threshold"], policy["floor"]
    methods = {
        "best_gain": "Each customer gets the action with the highest expected gain",
        "sure_gain": "Each customer gets the action with the highest expected gain among those with a significant one",
        "softmax": "Actions are drawn with probabilities that increase with their expected gain (softmax)",
        "thompson": "Actions are drawn with the probability that they are the best (Thompson sampling)",
    }
    threshold_text = f"; customers for whom no gain exceeds {threshold:g} get none"
    lines = [
        f"{methods[policy['name']]}{'' if policy['name'] in ('softmax', 'thompson') else threshold_text}."
    ]
    if not gate["passed"]:
        lines = [
            f"All eligible customers get '{gate['constant']}': personalisation did not pass the gate; individual "
            "effects are shown for information."
        ]
    if floor:
        lines.append(
            f"Every eligible action keeps a probability of at least {percent(floor, 1)}, for exploration."
        )
    lines.append("A gain is the value of the effect on the reward, net of the cost of the action.")
    return lines


def rule_texts(
    engagement: Mapping[str, Any], actions: Mapping[str, Any], currency: str = "EUR"
) -> list[tuple[str, str]]:
    """Return an engagement policy as rows of name and sentence."""
    lines = [
        (
            name,
            f"{entry['channel']}, {entry['cost'] or 0:.2f} {currency} per contact, lever {entry['lever']:g}"
            f"{'' if entry['selling'] else ', not selling'}{'' if entry['needs_consent'] else ', no consent needed'}",
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
            f"in {entry['rolling_days']} days"
            if entry["rolling_days"]
            else f"per calendar {entry['calendar']}"
        )
        lines.append((name, f"at most {entry['at_most']} contacts {period}{_channel_text(entry['channel'])}"))
    for name, entry in engagement["pauses"].items():
        lines.append(
            (
                name,
                f"no contact for {entry['days']} days after {entry['after_refusals']} unanswered in a row"
                f"{_channel_text(entry['channel'])}",
            )
        )
    if engagement["complaint_stops_selling"]:
        lines.append(("complaints", "no selling action while a complaint is open"))
    for name, entry in engagement["capacities"].items():
        most = "" if entry["at_most"] is None else f"at most {entry['at_most']:,}"
        least = f"at least {entry['at_least']:,}" if entry["at_least"] else ""
        what = entry["action"] or entry["channel"] or "contacts"
        lines.append((name, f"{' and '.join(filter(None, (least, most)))} of {what} per {entry['per']}"))
    if engagement["budget"] is not None:
        lines.append(("budget", f"{engagement['budget']:,.2f} {currency} per round"))
    holdout, explore = (percent(engagement[name], 1) for name in ("holdout_share", "explore_share"))
    return [*lines, ("holdout, exploration", f"{holdout} are never contacted, {explore} get a random action")]


def _reason_text(reason: str) -> str:
    return f" ({reason})" if reason else ""


def _channel_text(channel: str | None) -> str:
    return f" on {channel}" if channel else ""


WIDTH, ROW, LETTER = 460, 26, 6.4


def render_policy(review: PolicyReview, sections: Sequence[Section] = ()) -> str:
    """Return the page as one self-contained HTML file, which `sections` of the user's own end.

    The same figures give the same bytes.
    """
    study, policies = review.study, review.study["policies"]
    catalogue = {entry["name"]: read(CatalogueEntry, catalogue_values(entry)) for entry in review.catalogue}
    people = [decision_example(one) for one in review.customers]
    grid_format = GridFormat(
        caption="Contributions to the expected gain of the best action",
        note="Learned effects with other values; they do not say what would change these values.",
        parts=1000,
        scale=1,
        digits=3,
        suffix="",
        actions=tuple(study["actions"]),
        threshold=review.policy["threshold"],
    )
    return template("policy.html.j2", {"estimate": estimate_text}).render(
        review=review,
        study=study,
        verdict=policy_verdict(review),
        horizon=horizon_text(review.policy["reward"]),
        moved="effect",
        signs=SIGNS,
        values=interval_plot({name: one["doubly_robust"] for name, one in policies.items()}, CHOSEN),
        everybody=interval_plot(
            {f"{name} for all": net_effect(one) for name, one in study["effects"].items()}, None
        ),
        net=net_effect,
        gains=interval_plot(
            {f"quintile {at + 1}": one["observed"] for at, one in enumerate(study["fifths"])}, None
        ),
        curve=share_plot(study["curves"]),
        segments=_segments(review),
        choice=choice_texts(review.policy, study["gate"]),
        rules=None
        if review.round is None
        else rule_texts(review.round["engagement"], review.round["configured_actions"], review.currency),
        families=_families(review),
        story=swarm_rows([_swarm(one, catalogue) for one in review.story.features]),
        sections=sections,
        **explorer(people, catalogue, grid_format),
    )


def catalogue_values(entry: Mapping[str, Any]) -> dict[str, str]:
    """Return the part of a run's catalogue entry that a page shows."""
    return {field.name: str(entry.get(field.name, "")) for field in fields(CatalogueEntry)}


def _swarm(feature: FeatureSwarm, catalogue: Mapping[str, CatalogueEntry]) -> tuple[FeatureWeight, Swarm]:
    entry = catalogue.get(feature.feature)
    weight = FeatureWeight(
        feature.feature,
        definition(feature.feature, catalogue),
        entry.family if entry else "",
        feature.mean_absolute,
    )
    return weight, Swarm(feature.feature, feature.contributions, feature.ranks)


def _families(review: PolicyReview) -> list[tuple[FamilyWeight, float]]:
    """Return the families that move effects, each with the length of its bar in per cent."""
    largest = max((family.mean_absolute for family in review.story.families), default=1.0)
    return [(family, round(100 * family.mean_absolute / largest, 1)) for family in review.story.families]


def interval_plot(rows: Mapping[str, Sequence[float | None]], highlighted: str | None) -> Markup:
    """Return estimates with their intervals on a common scale, a row each, as SVG with the figures in words."""
    estimates = {
        name: [0.0 if bound is None else bound for bound in estimate]
        for name, estimate in rows.items()
        if estimate[0] is not None
    }
    low = min((min(estimate) for estimate in estimates.values()), default=0.0)
    high = max((max(estimate) for estimate in estimates.values()), default=1.0)
    low, high = min(low, 0.0), max(high, 0.0)

    left = 16 + LETTER * max(map(len, estimates), default=0)

    def x(value: float) -> float:
        return round(left + (WIDTH - left - 16) * (value - low) / ((high - low) or 1.0), 1)

    height = ROW * len(estimates) + 22
    zero = '<path class="grid" d="M{0} 0V{1}"/><text class="tick mid" x="{0}" y="{2}">0</text>'
    marks = [Markup(zero).format(x(0.0), height - 20, height - 5)]
    row = (
        '<text class="key{own}" x="0" y="{text}">{name}</text><path class="bar" d="M{low} {y}H{high}"/>'
        '<circle class="dot" cx="{value}" cy="{y}" r="4.5"/>'
    )
    for at, (name, (value, least, most)) in enumerate(estimates.items()):
        y = at * ROW + 14
        style = " own" if name == highlighted else ""
        marks.append(
            Markup(row).format(
                own=style, name=name, text=y + 4, y=y, low=x(least), high=x(most), value=x(value)
            )
        )
    label = "; ".join(f"{name} {estimate_text(estimate)}" for name, estimate in estimates.items())
    frame = '<svg class="intervals" viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img" aria-label="{told}">'
    return Markup(frame).format(w=WIDTH, h=height, told=label) + Markup("").join([*marks, Markup("</svg>")])


def share_plot(curves: Mapping[str, Mapping[str, Any]]) -> Markup:
    """Return the gain at each tenth treated, a line a ranking, as SVG with the figures in words."""
    tenths = {
        name: [point for point in curve["tenths"] if point[0] is not None] for name, curve in curves.items()
    }
    ends = [end or 0.0 for curve in tenths.values() for point in curve for end in point]
    low, high = min(0.0, *ends, 0.0), max(0.0, *ends, 1e-9)
    left, top, width, height = 48, 14, 330, 190

    def y(value: float) -> float:
        return round(top + height * (high - value) / (high - low), 1)

    axis = '<path class="grid" d="M{0} {1}H{2}"/><text class="tick end" x="{3}" y="{4}">{5}</text>'
    marks = [
        Markup(axis).format(left, y(value), left + width, left - 6, y(value) + 4, number(value, 2))
        for value in sorted({low, 0.0, high})
    ]
    for at, (name, curve) in enumerate(tenths.items()):
        style, shift = ("own", 0.0) if at == 0 else (f"other{at - 1}", 3.0 * at)
        points = [(left + width * (index + 1) / 10 - shift, point) for index, point in enumerate(curve)]
        line = " ".join([f"{left},{y(0.0)}", *(f"{x:g},{y(point[0])}" for x, point in points)])
        marks.append(Markup('<polyline class="line {}" points="{}"/>').format(style, line))
        bars = "".join(f"M{x:g} {y(point[1])}V{y(point[2])}" for x, point in points if None not in point)
        marks.append(Markup('<path class="bar" d="{}"/>').format(bars))
        label = '<path class="line {}" d="M{} {}h22"/><text class="key" x="{}" y="{}">{}</text>'
        row = top + height + 34 + 17 * at
        marks.append(Markup(label).format(style, left, row - 4, left + 28, row, name))
    for share in (0.0, 0.5, 1.0):
        tick = '<text class="tick mid" x="{}" y="{}">{}</text>'
        marks.append(Markup(tick).format(left + width * share, top + height + 16, percent(share)))
    description = "; ".join(
        f"{name} {', '.join(number(point[0]) for point in curve)}" for name, curve in tenths.items()
    )
    frame = '<svg viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img" aria-label="{told}">'
    size = {"w": left + width + 14, "h": top + height + 30 + 17 * len(tenths)}
    return Markup(frame).format(told=f"Gain by share treated, in deciles: {description}", **size) + Markup(
        ""
    ).join([*marks, Markup("</svg>")])


def _segments(review: PolicyReview) -> list[tuple[str, str, int, list[Sequence[float | None] | None]]]:
    """Return each segment's feature in words, its values, its decisions and each action's effect."""
    entries = {feature["name"]: feature for feature in review.catalogue}
    rows = []
    for segment in review.study["segments"]:
        feature = entries.get(segment["feature"], {"definition": segment["feature"], "unit": ""})
        effects = [segment["effects"].get(name) for name in review.study["effects"]]
        rows.append(
            (feature["definition"], _segment_text(segment, feature["unit"]), segment["decisions"], effects)
        )
    return rows


def _segment_text(segment: Mapping[str, Any], unit: str) -> str:
    """Return a segment's range of values as text; without bounds it is the customers without a value."""
    low, high = segment["low"], segment["high"]
    if low is None and high is None:
        return "not known"
    if low is None or high is None:
        return (
            f"up to {format_value(float(high), unit)}"
            if low is None
            else f"from {format_value(float(low), unit)}"
        )
    return (
        format_value(float(low), unit)
        if low == high
        else f"{format_value(float(low), unit)} to {format_value(float(high), unit)}"
    )
