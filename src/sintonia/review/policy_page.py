"""The page on a learned policy: values with intervals, what the log could tell, rules, customers that teach."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from markupsafe import Markup

from sintonia.core.html import number, percent, template
from sintonia.evaluation.stability import FamilyWeight
from sintonia.explain.contributions import Swarm, shown
from sintonia.review import policy
from sintonia.review.data import CatalogueEntry, FeatureWeight, read
from sintonia.review.embedded import Shown
from sintonia.review.page import SIGNS, explorer, swarm_rows
from sintonia.review.people import definition, treated
from sintonia.review.policy import PolicyReview
from sintonia.review.treated import Swarmed

WIDTH, ROW, LETTER = 460, 26, 6.4


def render_policy(review: PolicyReview) -> str:
    """Return the page as one self-contained HTML file; the same figures give the same bytes."""
    study, of = review.study, review.study["policies"]
    catalogue = {entry["name"]: read(CatalogueEntry, entry_of(entry)) for entry in review.catalogue}
    people = [treated(one) for one in review.customers]
    grid = Shown(
        caption="What the best action is expected to gain, and why",
        note="What the learned effects say with other values alone: what would change these values, they do not say.",
        parts=1000,
        scale=1,
        digits=3,
        suffix="",
        actions=tuple(study["actions"]),
        threshold=review.policy["threshold"],
    )
    return template("policy.html.j2", {"told": policy.told}).render(
        review=review,
        study=study,
        findings=policy.findings(review),
        horizon=policy.horizon(review.policy["reward"]),
        moved="effect",
        signs=SIGNS,
        values=interval_plot({name: one["doubly_robust"] for name, one in of.items()}, policy.CHOSEN),
        everybody=interval_plot(
            {f"{name} for all": policy.net(one) for name, one in study["effects"].items()}, None
        ),
        net=policy.net,
        gains=interval_plot(
            {f"fifth {at + 1}": one["observed"] for at, one in enumerate(study["fifths"])}, None
        ),
        curve=share_plot(study["curves"]),
        segments=_segments(review),
        choice=policy.choice(review.policy, study["gate"]),
        rules=None
        if review.round is None
        else policy.rules(review.round["engagement"], review.round["configured_actions"], review.currency),
        families=_families(review),
        story=swarm_rows([_swarm(one, catalogue) for one in review.story.features]),
        **explorer(people, catalogue, grid),
    )


def entry_of(entry: Mapping[str, Any]) -> dict[str, str]:
    """Return what a page says of a feature, of all that a run's catalogue says."""
    return {field.name: str(entry.get(field.name, "")) for field in fields(CatalogueEntry)}


def _swarm(one: Swarmed, catalogue: Mapping[str, CatalogueEntry]) -> tuple[FeatureWeight, Swarm]:
    known = catalogue.get(one.feature)
    weight = FeatureWeight(
        one.feature, definition(one.feature, catalogue), known.family if known else "", one.mean_absolute
    )
    return weight, Swarm(one.feature, one.contributions, one.ranks)


def _families(review: PolicyReview) -> list[tuple[FamilyWeight, float]]:
    """Return the families that move effects, each with the length of its bar in per cent."""
    largest = max((one.mean_absolute for one in review.story.families), default=1.0)
    return [(one, round(100 * one.mean_absolute / largest, 1)) for one in review.story.families]


def interval_plot(rows: Mapping[str, Sequence[float | None]], own: str | None) -> Markup:
    """Return estimates with their intervals on a common scale, a row each, as SVG with the figures in words."""
    known = {
        name: [0.0 if one is None else one for one in of] for name, of in rows.items() if of[0] is not None
    }
    low = min((min(of) for of in known.values()), default=0.0)
    high = max((max(of) for of in known.values()), default=1.0)
    low, high = min(low, 0.0), max(high, 0.0)

    left = 16 + LETTER * max(map(len, known), default=0)

    def x(value: float) -> float:
        return round(left + (WIDTH - left - 16) * (value - low) / ((high - low) or 1.0), 1)

    height = ROW * len(known) + 22
    zero = '<path class="grid" d="M{0} 0V{1}"/><text class="tick mid" x="{0}" y="{2}">0</text>'
    marks = [Markup(zero).format(x(0.0), height - 20, height - 5)]
    row = (
        '<text class="key{own}" x="0" y="{text}">{name}</text><path class="bar" d="M{low} {y}H{high}"/>'
        '<circle class="dot" cx="{value}" cy="{y}" r="4.5"/>'
    )
    for at, (name, (value, least, most)) in enumerate(known.items()):
        y = at * ROW + 14
        style = " own" if name == own else ""
        marks.append(
            Markup(row).format(
                own=style, name=name, text=y + 4, y=y, low=x(least), high=x(most), value=x(value)
            )
        )
    label = "; ".join(f"{name} {policy.told(of)}" for name, of in known.items())
    frame = '<svg class="intervals" viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img" aria-label="{told}">'
    return Markup(frame).format(w=WIDTH, h=height, told=label) + Markup("").join([*marks, Markup("</svg>")])


def share_plot(curves: Mapping[str, Mapping[str, Any]]) -> Markup:
    """Return the gain at each tenth treated, a line a ranking, as SVG with the figures in words."""
    tenths = {name: [one for one in of["tenths"] if one[0] is not None] for name, of in curves.items()}
    ends = [end or 0.0 for of in tenths.values() for one in of for end in one]
    low, high = min(0.0, *ends, 0.0), max(0.0, *ends, 1e-9)
    left, top, width, height = 48, 14, 330, 190

    def y(value: float) -> float:
        return round(top + height * (high - value) / (high - low), 1)

    axis = '<path class="grid" d="M{0} {1}H{2}"/><text class="tick end" x="{3}" y="{4}">{5}</text>'
    marks = [
        Markup(axis).format(left, y(value), left + width, left - 6, y(value) + 4, number(value, 2))
        for value in sorted({low, 0.0, high})
    ]
    for at, (name, of) in enumerate(tenths.items()):
        style, shift = ("own", 0.0) if at == 0 else (f"other{at - 1}", 3.0 * at)
        points = [(left + width * (place + 1) / 10 - shift, one) for place, one in enumerate(of)]
        line = " ".join([f"{left},{y(0.0)}", *(f"{x:g},{y(one[0])}" for x, one in points)])
        marks.append(Markup('<polyline class="line {}" points="{}"/>').format(style, line))
        bars = "".join(f"M{x:g} {y(one[1])}V{y(one[2])}" for x, one in points if None not in one)
        marks.append(Markup('<path class="bar" d="{}"/>').format(bars))
        label = '<path class="line {}" d="M{} {}h22"/><text class="key" x="{}" y="{}">{}</text>'
        row = top + height + 34 + 17 * at
        marks.append(Markup(label).format(style, left, row - 4, left + 28, row, name))
    for share in (0.0, 0.5, 1.0):
        tick = '<text class="tick mid" x="{}" y="{}">{}</text>'
        marks.append(Markup(tick).format(left + width * share, top + height + 16, percent(share)))
    told = "; ".join(f"{name} {', '.join(number(one[0]) for one in of)}" for name, of in tenths.items())
    frame = '<svg viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img" aria-label="{told}">'
    size = {"w": left + width + 14, "h": top + height + 30 + 17 * len(tenths)}
    return Markup(frame).format(told=f"Gain by tenths treated: {told}", **size) + Markup("").join(
        [*marks, Markup("</svg>")]
    )


def _segments(review: PolicyReview) -> list[tuple[str, str, int, list[Sequence[float | None] | None]]]:
    """Return each segment's feature in words, its values, its decisions and each action's effect."""
    known = {entry["name"]: entry for entry in review.catalogue}
    found = []
    for one in review.study["segments"]:
        entry = known.get(one["feature"], {"definition": one["feature"], "unit": ""})
        effects = [one["effects"].get(name) for name in review.study["effects"]]
        found.append((entry["definition"], _between(one, entry["unit"]), one["decisions"], effects))
    return found


def _between(one: Mapping[str, Any], unit: str) -> str:
    """Return the values of a segment in words; without ends it is those who have none."""
    low, high = one["low"], one["high"]
    if low is None and high is None:
        return "not known"
    if low is None or high is None:
        return f"up to {shown(float(high), unit)}" if low is None else f"from {shown(float(low), unit)}"
    return (
        shown(float(low), unit) if low == high else f"{shown(float(low), unit)} to {shown(float(high), unit)}"
    )
