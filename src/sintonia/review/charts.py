"""The charts of review pages, drawn as inline SVG: no script, no network, colours from the page's own style sheet."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
from markupsafe import Markup

from sintonia.core.html import number, percent
from sintonia.evaluation.evaluate import DEPTHS, CalibrationBin, Evaluation
from sintonia.evaluation.stability import Dependence
from sintonia.explain.contributions import Swarm, format_value

LEVELS = 5
WIDTH = 250
_TICK_STEPS = {0.05: 0.01, 0.1: 0.02, 0.2: 0.05, 0.3: 0.1, 0.4: 0.1, 0.5: 0.1, 0.6: 0.2, 0.8: 0.2, 1.0: 0.2}


@dataclass(frozen=True)
class Plane:
    """A square plot: its corner and size in pixels, and the value at the end of both axes."""

    left: float = 42
    top: float = 24
    size: float = 204
    limit: float = 1.0

    def x(self, value: float) -> float:
        """Pixels from the left."""
        return round(self.left + self.size * value / self.limit, 1)

    def y(self, value: float) -> float:
        """Pixels from the top."""
        return round(self.top + self.size * (1 - value / self.limit), 1)

    def axes(self, across: str, up: str) -> Markup:
        """Return grid, tick labels, axis titles and the diagonal."""
        step = _TICK_STEPS[self.limit]
        ticks = [step * i for i in range(round(self.limit / step) + 1)]
        right, bottom, middle = self.left + self.size, self.top + self.size, self.left + self.size / 2
        parts = []
        for tick in ticks:
            grid = '<path class="grid" d="M{} {}H{}"/><text class="tick end" x="{}" y="{}">{}</text>'
            parts.append(
                Markup(grid).format(
                    self.left, self.y(tick), right, self.left - 6, self.y(tick) + 4, percent(tick)
                )
            )
            label = '<text class="tick mid" x="{}" y="{}">{}</text>'
            parts.append(Markup(label).format(self.x(tick), bottom + 16, percent(tick)))
        parts.append(
            Markup('<path class="diagonal" d="M{} {}L{} {}"/>').format(self.left, bottom, right, self.top)
        )
        parts.append(
            Markup('<text class="axis mid" x="{}" y="{}">{}</text>').format(middle, bottom + 34, across)
        )
        parts.append(Markup('<text class="axis" x="0" y="11">{}</text>').format(up))
        return Markup("").join(parts)


def reliability(bins: Sequence[CalibrationBin]) -> Markup:
    """Return the calibration plot: observed rate against predicted propensity, a dot per bin with its 95 % interval."""
    highest = max(max(b.predicted, b.observed.high) for b in bins)
    plane = Plane(limit=min(limit for limit in _TICK_STEPS if limit >= min(highest, 1.0)))
    marks = [plane.axes("predicted propensity", "observed rate")]
    for b in bins:
        x, low, high = plane.x(b.predicted), plane.y(b.observed.low), plane.y(b.observed.high)
        marks.append(
            Markup('<path class="bar" d="M{} {}V{}M{} {}h6m-6 {}h6"/>').format(
                x, low, high, round(x - 3, 1), low, round(high - low, 1)
            )
        )
    dots = [
        Markup('<circle class="dot" cx="{}" cy="{}" r="4"/>').format(
            plane.x(b.predicted), plane.y(b.observed.value)
        )
        for b in bins
    ]
    description = "; ".join(
        f"predicted {percent(b.predicted, 1)}, observed {percent(b.observed.value, 1)}" for b in bins
    )
    return _svg(f"Calibration in {len(bins)} bins: {description}.", Markup("").join(marks + dots))


def gains(evaluation: Evaluation) -> Markup:
    """Return the share of outcomes found against the share of customers reached, model and baselines."""
    plane = Plane()
    marks = [plane.axes("customers contacted, highest scores first", "outcomes captured")]
    names = [*evaluation.baselines, evaluation.model]
    for name in names:
        line = " ".join(
            f"{plane.x(x)},{plane.y(y)}" for x, y in zip(DEPTHS.tolist(), evaluation.gains[name], strict=True)
        )
        marks.append(Markup('<polyline class="{}" points="{}"/>').format(_line(evaluation, name), line))
    for index, name in enumerate([*reversed(names), "at random"]):
        y = plane.y(0.0) - 14 - 17 * (len(names) - index)
        style = _line(evaluation, name) if name in evaluation.gains else "diagonal"
        marks.append(Markup('<path class="{}" d="M{} {}h22"/>').format(style, plane.x(0.56), y - 4))
        marks.append(
            Markup('<text class="{}" x="{}" y="{}">{}</text>').format(
                "key own" if name == evaluation.model else "key", plane.x(0.56) + 28, y, name
            )
        )
    captured = evaluation.gains[evaluation.model][depth_index(0.1)]
    marks.append(
        Markup('<circle class="dot" cx="{}" cy="{}" r="4"/>').format(plane.x(0.1), plane.y(captured))
    )
    description = "; ".join(
        f"{name} {percent(evaluation.gains[name][depth_index(0.1)])}" for name in reversed(names)
    )
    return _svg(f"Outcomes captured in the first 10\u202f%: {description}.", Markup("").join(marks))


def drawings(evaluation: Evaluation) -> dict[str, str]:
    """Return the charts as SVG files that stand alone, the page's style sheets inside: 'gains', and 'calibration'.

    Amounts have no calibration bins, so no such chart.
    """
    folder = files("sintonia.core") / "templates"
    style = "".join((folder / name).read_text(encoding="utf-8") for name in ("page.css", "charts.css"))
    charts = {"gains": gains(evaluation)}
    if evaluation.bins:
        charts["calibration"] = reliability(evaluation.bins[evaluation.model])
    namespace = '<svg xmlns="http://www.w3.org/2000/svg"'
    return {
        name: str(svg).replace("<svg", namespace, 1).replace(">", f"><style>{style}</style>", 1)
        for name, svg in charts.items()
    }


def depth_index(depth: float) -> int:
    """Return the place in `DEPTHS` that is nearest to a depth."""
    return int(abs(DEPTHS - depth).argmin())


def _line(evaluation: Evaluation, name: str) -> str:
    return "line own" if name == evaluation.model else f"line other{evaluation.baselines.index(name) % 3}"


def swarm(points: Swarm, low: float, high: float) -> Markup:
    """Return one feature's swarm on a common scale: dots darken with the value, ticks have no order or value.

    Dots of one level are one path of zero-length strokes with round caps: a fifth of the bytes of circles.
    """
    width, height = WIDTH, 22
    paths: dict[str, list[str]] = defaultdict(list)
    for (x, y), rank in zip(_stack(points, low, high, width, height), points.ranks, strict=True):
        level = "none" if rank is None else f"v{min(int(rank * LEVELS), LEVELS - 1)}"
        paths[level].append(f"M{x:g} {y - 1.5:g}v3" if rank is None else f"M{x:g} {y:g}h0")
    zero = round(_across(0.0, low, high, width), 1)
    marks = [Markup('<path class="grid" d="M{} 0V{}"/>').format(zero, height)]
    marks += [
        Markup('<path class="{}" d="{}"/>').format(level, "".join(paths[level])) for level in sorted(paths)
    ]
    return Markup(
        '<svg class="swarm" viewBox="0 0 {} {}" width="{}" height="{}" aria-hidden="true">{}</svg>'
    ).format(width, height, width, height, Markup("").join(marks))


def swarm_scale(low: float, high: float) -> Markup:
    """Return the scale below the swarms."""
    width = WIDTH
    labels = [(low, "start"), (0.0, "mid"), (high, "end")]
    marks = [
        Markup('<text class="tick {}" x="{}" y="12">{}</text>').format(
            anchor, round(_across(value, low, high, width), 1), number(value, 1, signed=True)
        )
        for value, anchor in labels
    ]
    return Markup(
        '<svg class="swarm" viewBox="0 0 {} 16" width="{}" height="16" aria-hidden="true">{}</svg>'
    ).format(width, width, Markup("").join(marks))


def _across(value: float, low: float, high: float, width: float) -> float:
    return 4 + (width - 8) * (value - low) / (high - low)


def _stack(points: Swarm, low: float, high: float, width: int, height: int) -> list[tuple[float, float]]:
    """Place the points: those that would overlap grow outwards from the middle, closer when many."""
    across = [round(_across(value, low, high, width), 1) for value in points.contributions]
    columns: dict[int, list[int]] = defaultdict(list)
    for index, x in enumerate(across):
        columns[round(x / 2.6)].append(index)
    positions: list[tuple[float, float]] = [(0.0, 0.0)] * len(across)
    for members in columns.values():
        gap = min(2.6, (height - 4) / len(members))
        for rank, index in enumerate(members):
            offset = (rank + 1) // 2 * (1 if rank % 2 else -1)
            positions[index] = (across[index], round(height / 2 + gap * offset, 1))
    return positions


def direction(points: Swarm) -> str:
    """Return which way a feature works, by the rank correlation of values and contributions."""
    known = [(rank, index) for index, rank in enumerate(points.ranks) if rank is not None]
    if len(known) < 3:
        return "category" if not known else "mixed"
    import numpy as np

    ranks, indices = np.array(known).T
    if not ranks.std():
        return "mixed"
    correlation = float(np.corrcoef(ranks, indices)[0, 1])
    return "raises" if correlation > 0.4 else "lowers" if correlation < -0.4 else "mixed"


def _svg(description: str, body: Markup) -> Markup:
    frame = '<svg viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img" aria-label="{told}">{body}</svg>'
    return Markup(frame).format(w=258, h=268, told=description, body=body)


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
    marks += [
        Markup(label).format(anchor, at, HEIGHT - 6, format_value(value, unit)) for value, anchor, at in ends
    ]
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
