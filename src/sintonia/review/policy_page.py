"""The page on a learned policy: values with intervals, what the log could tell, rules, customers that teach."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from sintonia.pages import number, template
from sintonia.review import policy
from sintonia.review.history import in_words
from sintonia.review.page import SIGNS
from sintonia.review.policy import PolicyReview, Treated

WIDTH, ROW, LEFT = 620, 26, 190


def render_policy(review: PolicyReview) -> str:
    """Return the page as one self-contained HTML file without a script; the same figures give the same bytes."""
    study, of = review.study, review.study["policies"]
    return template("policy.html.j2", {"told": policy.told}).render(
        review=review,
        study=study,
        findings=policy.findings(review),
        signs=SIGNS,
        values=interval_plot({name: one["doubly_robust"] for name, one in of.items()}, policy.CHOSEN),
        gains=interval_plot(
            {f"fifth {at + 1}": one["observed"] for at, one in enumerate(study["fifths"])}, None
        ),
        effects=sorted(study["constant_effects"].items(), key=lambda one: -one[1]),
        rules=None if review.round is None else policy.rules(review.round["engagement"]),
        customers=[
            (one, in_words(one.history), policy.KINDS[one.kind], _bars(one)) for one in review.customers
        ],
    )


def interval_plot(rows: Mapping[str, Sequence[float | None]], own: str | None) -> Markup:
    """Return estimates with their intervals on a common scale, a row each, as SVG with the figures in words."""
    known = {
        name: [0.0 if one is None else one for one in of] for name, of in rows.items() if of[0] is not None
    }
    low = min((min(of) for of in known.values()), default=0.0)
    high = max((max(of) for of in known.values()), default=1.0)
    low, high = min(low, 0.0), max(high, 0.0)

    def x(value: float) -> float:
        return round(LEFT + (WIDTH - LEFT - 16) * (value - low) / ((high - low) or 1.0), 1)

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


def _bars(one: Treated) -> list[dict[str, Any]]:
    """Return the gains of a customer's actions with a bar to the right or, where they lose, to the left of nothing."""
    low, high = min(0.0, *(gain for _, gain in one.gains)), max(0.0, *(gain for _, gain in one.gains))
    span = (high - low) or 1.0
    return [
        {
            "action": action,
            "gain": number(gain, 3, signed=True),
            "kind": "up" if gain > 0 else "down",
            "left": round(100 * (min(gain, 0.0) - low) / span, 2),
            "width": round(max(100 * abs(gain) / span, 0.4), 2),
        }
        for action, gain in sorted(one.gains, key=lambda gain: -gain[1])
    ]
