"""Drawings of the evidence: dependence plots and sparklines as inline SVG."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from sintonia.core.html import number
from sintonia.evaluation.stability import Dependence
from sintonia.explain.contributions import shown
from sintonia.review.charts import LEVELS, WIDTH

HEIGHT, LEFT, TOP, BOTTOM = 150, 38, 8, 22


def dependence(data: Dependence, unit: str) -> Markup:
    """Return a feature's contributions against its values; dots darken with the other feature's value.

    The axis ends at the 99th percentile of the values: a single spender of thousands must not press all others into a
    corner, and lies at the edge instead. Rows without a value stand at the left as ticks.
    """
    contributions = [*data.contributions, *data.missing]
    low, high = min(0.0, *contributions), max(0.0, *contributions)
    span = high - low or 1.0
    lowest, highest_shown = (
        (float(np.quantile(data.values, q)) for q in (0.0, 0.99)) if data.values else (0.0, 1.0)
    )
    value_span = highest_shown - lowest or 1.0

    def x(value: float) -> float:
        return round(LEFT + 14 + (WIDTH - LEFT - 20) * min(max((value - lowest) / value_span, 0.0), 1.0), 1)

    def y(value: float) -> float:
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (high - value) / span, 1)

    paths: dict[str, list[str]] = defaultdict(list)
    for value, contribution, rank in zip(data.values, data.contributions, data.ranks, strict=True):
        level = (
            "own"
            if data.other is None
            else "none"
            if rank is None
            else f"v{min(int(rank * LEVELS), LEVELS - 1)}"
        )
        paths[level].append(f"M{x(value):g} {y(contribution):g}h0")
    paths["lack"] += [f"M{LEFT + 2} {y(contribution):g}h6" for contribution in data.missing]
    axis = '<path class="grid" d="M{0} {1}H{2}"/><text class="tick end" x="{3}" y="{4}">{5}</text>'
    marks = [
        Markup(axis).format(LEFT, y(value), WIDTH, LEFT - 4, y(value) + 4, number(value, 2, signed=True))
        for value in sorted({low, 0.0, high})
        if value == 0 or abs(y(value) - y(0.0)) > 12
    ]
    marks += [
        Markup('<path class="{}" d="{}"/>').format(level, "".join(paths[level])) for level in sorted(paths)
    ]
    ends = (
        [(lowest, "start", x(lowest)), (highest_shown, "end", WIDTH)]
        if highest_shown > lowest
        else [(lowest, "start", x(lowest))]
    )
    label = '<text class="tick {}" x="{}" y="{}">{}</text>'
    marks += [Markup(label).format(anchor, at, HEIGHT - 6, shown(value, unit)) for value, anchor, at in ends]
    frame = (
        '<svg class="dependence" viewBox="0 0 {0} {1}" width="{0}" height="{1}" aria-hidden="true">{2}</svg>'
    )
    return Markup(frame).format(WIDTH, HEIGHT, Markup("").join(marks))


def sparkline(values: Sequence[float], highest: float) -> Markup:
    """Return a line of figures over dates, from 0 to the highest."""
    width, height = 120, 20
    step = (width - 6) / max(len(values) - 1, 1)
    points = [
        f"{3 + step * index:.1f},{height - 3 - (height - 6) * value / (highest or 1.0):.1f}"
        for index, value in enumerate(values)
    ]
    frame = '<svg viewBox="0 0 {0} {1}" width="{0}" height="{1}" aria-hidden="true">{2}</svg>'
    line = Markup('<polyline class="line own" points="{}"/>').format(" ".join(points))
    return Markup(frame).format(width, height, line)
