"""Drawings of the evidence: dependence plots and sparklines as inline SVG."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from sintonia.core.html import number
from sintonia.evaluation.stability import Dependence
from sintonia.explain.contributions import shown
from sintonia.review.charts import LEVELS

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 250, 150, 38, 8, 22


def dependence(one: Dependence, unit: str) -> Markup:
    """Return a feature's contributions against its values; dots darken with the other feature's value.

    The axis ends at the 99th percentile of the values: a single spender of thousands must not press all others into a
    corner, and lies at the edge instead. Rows without a value stand at the left as ticks.
    """
    everything = [*one.contributions, *one.missing]
    low, high = min(0.0, *everything), max(0.0, *everything)
    span = high - low or 1.0
    first, last = (float(np.quantile(one.values, q)) for q in (0.0, 0.99)) if one.values else (0.0, 1.0)
    reach = last - first or 1.0

    def x(value: float) -> float:
        return round(LEFT + 14 + (WIDTH - LEFT - 20) * min(max((value - first) / reach, 0.0), 1.0), 1)

    def y(value: float) -> float:
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (high - value) / span, 1)

    paths: dict[str, list[str]] = defaultdict(list)
    for value, moved, rank in zip(one.values, one.contributions, one.ranks, strict=True):
        level = (
            "own"
            if one.other is None
            else "none"
            if rank is None
            else f"v{min(int(rank * LEVELS), LEVELS - 1)}"
        )
        paths[level].append(f"M{x(value):g} {y(moved):g}h0")
    paths["lack"] += [f"M{LEFT + 2} {y(moved):g}h6" for moved in one.missing]
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
        [(first, "start", x(first)), (last, "end", WIDTH)] if last > first else [(first, "start", x(first))]
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
        f"{3 + step * at:.1f},{height - 3 - (height - 6) * value / (highest or 1.0):.1f}"
        for at, value in enumerate(values)
    ]
    frame = '<svg viewBox="0 0 {0} {1}" width="{0}" height="{1}" aria-hidden="true">{2}</svg>'
    line = Markup('<polyline class="line own" points="{}"/>').format(" ".join(points))
    return Markup(frame).format(width, height, line)
