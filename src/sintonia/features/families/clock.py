"""When a customer comes, by the customer's own clock: parts of the day, weekdays, the hour that suits best."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from sintonia.core.arrays import Floats, Ints
from sintonia.features.combine import entropy, ratio, total
from sintonia.features.families.context import Frame, habit_windows, own_kinds
from sintonia.features.measures import Among, Feature, Filter, Total

PARTS = {
    "night": ("between midnight and 6", range(6)),
    "morning": ("between 6 and noon", range(6, 12)),
    "afternoon": ("between noon and 18", range(12, 18)),
    "evening": ("between 18 and midnight", range(18, 24)),
}
NONE = "none of them in the window whose local time is known"
OWN = "the customer's own interactions"
CLOCK_WHY = {
    "part": "A customer chooses when, all day and all night; a message at the wrong hour is noise",
    "weekend": "Weekend shoppers have time, weekday shoppers have a list",
    "hour_entropy": "Who always comes at one hour has a habit to keep; who comes at any hour must be met at any",
    "weekday_entropy": "A fixed shopping day is a habit that breaks visibly",
    "best_hour": "The hour at which the customer chose to come is the hour to write to them",
    "best_hour_share": "How surely the best hour is best",
    "best_weekday": "The day the customer sets aside is the day to be there",
}


def clock(frame: Frame) -> list[Feature]:
    """Return shares of day parts and the weekend, entropies of hours and weekdays, and the best of each.

    A kind counts once a thread, so that a basket of forty lines is one moment. Rows without an offset of their
    clock have no local time and count nowhere.
    """
    kinds = own_kinds(frame)
    if not kinds or not frame.windows_days:
        return []
    own = Filter(kind=kinds, opens_thread=True)
    shares = [feature for days in habit_windows(frame) for feature in _shares(own, days)]
    return shares + _habits(own, frame.windows_days[-1])


def _feature(measure: str, definition: str, unit: str, why: str, days: int) -> "partial[Feature]":
    told = f"{definition} in the last {days} days"
    return partial(Feature, "clock", measure, told, unit, window_days=days, missing=NONE, why=CLOCK_WHY[why])


def _counts(own: Filter, column: str, count: int, days: int) -> tuple[Total, ...]:
    return tuple(
        Total(Filter(kind=own.kind, opens_thread=True, having=(Among(column, (at,)),)), None, days)
        for at in range(count)
    )


def _shares(own: Filter, days: int) -> list[Feature]:
    parts = tuple(
        Total(
            Filter(kind=own.kind, opens_thread=True, having=(Among("local_hour", tuple(hours)),)), None, days
        )
        for _, hours in PARTS.values()
    )
    weekend = Total(
        Filter(kind=own.kind, opens_thread=True, having=(Among("local_weekday", (5, 6)),)), None, days
    )
    made = [
        _feature(f"{name}_share", f"Part of {OWN} {when}", "share", "part", days)((part, *parts), share_of)
        for part, (name, (when, _)) in zip(parts, PARTS.items(), strict=True)
    ]
    told = f"Part of {OWN} on Saturday or Sunday"
    return [
        *made,
        _feature("weekend_share", told, "share", "weekend", days)((weekend, *parts), share_of),
    ]


def _habits(own: Filter, days: int) -> list[Feature]:
    feature = partial(_feature, days=days)
    hours, weekdays = _counts(own, "local_hour", 24, days), _counts(own, "local_weekday", 7, days)
    even = "0 is always the same"
    return [
        feature("hour_entropy", f"Evenness of the hours of {OWN}: {even},", "bits", "hour_entropy")(
            hours, entropy
        ),
        feature("weekday_entropy", f"Evenness of the weekdays of {OWN}: {even},", "bits", "weekday_entropy")(
            weekdays, entropy
        ),
        feature("best_hour", f"Hour around which most of {OWN} fell", "hour of the day", "best_hour")(
            hours, best_hour
        ),
        feature(
            "best_hour_share", f"Part of {OWN} within an hour of the best hour", "share", "best_hour_share"
        )(hours, best_hour_share),
        feature("best_weekday", f"Weekday of most of {OWN}: 0 is Monday,", "weekday", "best_weekday")(
            weekdays, most
        ),
    ]


def share_of(count: Ints, *parts: Ints) -> Floats:
    """Return a count over that of all parts of the day."""
    return ratio(count, total(*parts))


def most(*counts: Ints) -> Floats:
    """Return the place of the highest count, the first of equals; NaN where all are nothing.

    Examples
    --------
    >>> most(np.array([1, 0]), np.array([3, 0]), np.array([3, 0]))
    array([ 1., nan])
    """
    highest = place = counts[0] * 0
    for at, count in enumerate(counts):
        place, highest = np.where(count > highest, at, place), np.maximum(count, highest)
    return np.where(highest > 0, place, np.nan)


def best_hour(*counts: Ints) -> Floats:
    """Return the hour with the most around it, its own counted twice, the earliest of equals; NaN of nothing.

    One visit at a chance hour must not win against several in the hours next to each other.
    """
    best, _ = _around(counts)
    return best


def best_hour_share(*counts: Ints) -> Floats:
    """Return the part of all that fell within an hour of the best hour."""
    _, share = _around(counts)
    return share


def _around(counts: Sequence[Ints]) -> tuple[Floats, Floats]:
    """Return the best hour and what share falls around it; the hour after the last is the first."""
    most = place = near = counts[0] * 0
    for hour, own in enumerate(counts):
        before, after = counts[hour - 1], counts[(hour + 1) % len(counts)]
        there = before + own + after
        better = there + own > most
        most, place = np.where(better, there + own, most), np.where(better, hour, place)
        near = np.where(better, there, near)
    return np.where(most > 0, place, np.nan), ratio(near, total(*counts))
