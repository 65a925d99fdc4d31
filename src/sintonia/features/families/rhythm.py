"""The customer's own beat: gaps between orders, the silence against them, and whether it quickens or slows."""

from functools import partial
from itertools import pairwise

import numpy as np

from sintonia.core.arrays import Floats, Ints
from sintonia.features.combine import deviation, in_days, ratio
from sintonia.features.families.context import HOUR, ORDER, PURCHASE, FamilyContext, own_kinds
from sintonia.features.measures import (
    DaysSince,
    Extreme,
    Feature,
    Filter,
    Gap,
    Previous,
    Total,
    Value,
    expression,
)

HOURS = expression(f"gap // {HOUR}", gap=Gap(ORDER))  # whole hours: their squares still sum exactly
SQUARES = expression("hours * hours", hours=HOURS)
CALENDAR = expression("(occurred_at + 60000000 * COALESCE(utc_offset_minutes, 0)) // 86400000000")
RECENT = 3
ONE = "fewer than two orders yet"
RHYTHM_WHY = {
    "gap_variation": "A silence says much of somebody regular and little of somebody who comes when it suits",
    "last_gap_to_mean": "The newest gap longer than usual is the first sign of a habit breaking",
    "longest_gap": "A customer who once stayed away for long and came back may do so again",
    "silence_in_deviations": "How surprising this silence is for this customer, by the customer's own spread",
    "silence_to_longest_gap": "Longer away than ever before is a customer nobody has yet seen come back",
    "silence_to_recent_gap": "Habits change: the silence counts against how the customer buys lately",
    "gap_trend": "Gaps that widen one after another end in no order at all",
    "active_days": "Days on which the customer came by themselves: attention without the noise of clicks",
    "pace": "Fewer days or less money than usual is leaving in small steps, seen before the last one",
    "acceleration": "Whether the slowing itself slows tells a pause from a goodbye",
}


def rhythm(context: FamilyContext) -> list[Feature]:
    """Return gaps between orders against the customer's own, active days, and trends from window to window.

    A trend is a short window's daily amount over a long one's: 1 is steady. An acceleration is the trend less
    the trend of the next longer windows: 0 is a steady trend. The mean gap itself and the pace of orders are
    the rfm family's.
    """
    windows, kinds = context.windows_days, own_kinds(context)
    features = _gaps() + _silence()
    if kinds:
        own = Filter(kind=kinds)
        started = expression(
            "before IS NULL OR today <> before", today=CALENDAR, before=Previous(CALENDAR, own)
        )
        active = {days: Total(own, started, days) for days in windows}
        features += [_active(days, total) for days, total in active.items()]
        features += _trends("active_days", "number of active days", active)
    features += _trends("spend", "money spent", {days: Total(PURCHASE, "amount", days) for days in windows})
    orders = {days: Total(ORDER, None, days) for days in windows}
    return features + _accelerations("orders", "orders", orders)


def _feature(measure: str, definition: str, unit: str) -> "partial[Feature]":
    return partial(Feature, "rhythm", measure, definition, unit, why=RHYTHM_WHY[measure])


def _gaps() -> list[Feature]:
    count, total, squares = Total(ORDER), Total(ORDER, HOURS), Total(ORDER, SQUARES)
    last, before = DaysSince(ORDER), DaysSince(ORDER, -1 - RECENT)
    few = f"fewer than {RECENT + 1} orders yet"
    return [
        _feature("gap_variation", "Standard deviation of the gaps between orders over their mean", "times")(
            (count, total, squares), variation, missing="fewer than three orders yet, or no time between them"
        ),
        _feature("last_gap_to_mean", "Last gap between orders over the mean gap", "times")(
            (Value(ORDER, HOURS), count, total), to_mean, missing=ONE
        ),
        _feature("gap_trend", f"Mean of the last {RECENT} gaps between orders over the mean gap", "times")(
            (before, last, count, total), recent_to_mean, missing=few
        ),
        _feature("longest_gap", "Longest time between two orders", "days")(
            (Extreme(ORDER, Gap(ORDER)),), in_days, missing=ONE
        ),
    ]


def _silence() -> list[Feature]:
    last, before = DaysSince(ORDER), DaysSince(ORDER, -1 - RECENT)
    gaps = (Total(ORDER), Total(ORDER, HOURS), Total(ORDER, SQUARES))
    since = "Days since the last order"
    return [
        _feature(
            "silence_in_deviations",
            f"{since} less the mean gap, over the gaps' standard deviation",
            "deviations",
        )((last, *gaps), in_deviations, missing="fewer than three orders yet, or all gaps alike"),
        _feature("silence_to_longest_gap", f"{since} over the longest gap between orders", "times")(
            (last, Extreme(ORDER, Gap(ORDER))), to_longest, missing=ONE
        ),
        _feature("silence_to_recent_gap", f"{since} over the mean of the last {RECENT} gaps", "times")(
            (last, before), to_recent, missing=f"fewer than {RECENT + 1} orders yet"
        ),
    ]


def _active(days: int, total: Total) -> Feature:
    definition = (
        f"Days, by the customer's own calendar, on which the customer did anything in the last {days} days"
    )
    return _feature("active_days", definition, "days")((total,), window_days=days)


def _trends(name: str, what: str, totals: dict[int, Total]) -> list[Feature]:
    """Return the daily amount of each window over that of the next longer one, and how that changes."""
    return [
        Feature(
            family="rhythm",
            measure=f"{name}_pace_to_{long}d",
            definition=f"A day's {what} in the last {short} days over a day's in the last {long} days",
            unit="times",
            terms=(totals[short], totals[long]),
            combine=partial(pace, short, long),
            window_days=short,
            missing=f"no {what} in the longer window",
            why=RHYTHM_WHY["pace"],
        )
        for short, long in pairwise(totals)
    ] + _accelerations(name, what, totals)


def _accelerations(name: str, what: str, totals: dict[int, Total]) -> list[Feature]:
    windows = list(totals)
    return [
        Feature(
            family="rhythm",
            measure=f"{name}_acceleration",
            definition=f"Pace of {what} in the last {days[0]} days to {days[1]}, less that of {days[1]} to {days[2]}",
            unit="times",
            terms=tuple(totals[window] for window in days),
            combine=partial(acceleration, *days),
            window_days=days[0],
            missing=f"no {what} in one of the longer windows",
            why=RHYTHM_WHY["acceleration"],
        )
        for days in zip(windows, windows[1:], windows[2:], strict=False)
    ]


def mean_hours(orders: Ints, hours: Ints) -> Floats:
    """Return the mean gap in hours, NaN of no gap."""
    return ratio(hours, np.maximum(orders - 1, 0))


def gap_deviation(orders: Ints, hours: Ints, squares: Ints) -> Floats:
    """Return the sample standard deviation of the gaps in hours; NaN below two gaps."""
    return deviation(np.maximum(orders - 1, 0), hours, squares)


def variation(orders: Ints, hours: Ints, squares: Ints) -> Floats:
    """Return the gaps' standard deviation over their mean: 0 like clockwork, 1 at random, more in bursts."""
    return ratio(gap_deviation(orders, hours, squares), mean_hours(orders, hours))


def to_mean(gap_hours: Floats, orders: Ints, hours: Ints) -> Floats:
    """Return a gap over the mean gap."""
    return ratio(gap_hours, mean_hours(orders, hours))


def recent_to_mean(before: Floats, last: Floats, orders: Ints, hours: Ints) -> Floats:
    """Return the mean of the recent gaps over that of all; both ends come as days before as_of."""
    return to_mean((before - last) * (24 / RECENT), orders, hours)


def in_deviations(days: Floats, orders: Ints, hours: Ints, squares: Ints) -> Floats:
    """Return how many standard deviations the silence lies above the mean gap."""
    above = days * 24 - mean_hours(orders, hours)
    return ratio(above, gap_deviation(orders, hours, squares))


def to_longest(days: Floats, seconds: Floats) -> Floats:
    """Return the silence over the longest gap."""
    return ratio(days, in_days(seconds))


def to_recent(last: Floats, before: Floats) -> Floats:
    """Return the silence over the mean of the recent gaps; both ends come as days before as_of."""
    return ratio(last * RECENT, before - last)


def pace(short_days: int, long_days: int, short: Ints, long: Ints) -> Floats:
    """Return a day's amount in a short window over a day's in a long one.

    Examples
    --------
    >>> pace(7, 28, np.array([2]), np.array([4]))
    array([2.])
    """
    return ratio(short * (long_days / short_days), long)


def acceleration(short_days: int, days: int, long_days: int, *amounts: Ints) -> Floats:
    """Return the pace of the shortest of three windows to the next, less that of the next to the longest."""
    short, middle, long = amounts
    return pace(short_days, days, short, middle) - pace(days, long_days, middle, long)
