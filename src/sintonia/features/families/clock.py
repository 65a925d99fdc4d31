"""When a customer comes, by the customer's own clock: parts of the day, weekdays, the hour that suits best."""

from collections.abc import Sequence
from functools import partial, reduce

import numpy as np

from sintonia.core.arrays import Floats, Ints
from sintonia.features.combine import entropy, ratio, total
from sintonia.features.families.context import FamilyContext, habit_windows, own_kinds
from sintonia.features.measures import Among, Feature, Filter, Total

PARTS = {
    "night": ("between midnight and 6", range(6)),
    "morning": ("between 6 and noon", range(6, 12)),
    "afternoon": ("between noon and 18", range(12, 18)),
    "evening": ("between 18 and midnight", range(18, 24)),
}
HOURS = 24
NO_LOCAL_TIME = "none of them in the window whose local time is known"
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


def clock(context: FamilyContext) -> list[Feature]:
    """Return shares of day parts and the weekend, entropies of hours and weekdays, and the best of each.

    A kind counts once a thread, so that a basket of forty lines is one moment. Rows without an offset of their
    clock have no local time and count nowhere.
    """
    kinds = own_kinds(context)
    if not kinds or not context.windows_days:
        return []
    own = Filter(kind=kinds, opens_thread=True)
    shares = [feature for days in habit_windows(context) for feature in _shares(own, days)]
    return shares + _habits(own, context.windows_days[-1])


def _feature(measure: str, definition: str, unit: str, why: str, days: int) -> "partial[Feature]":
    full_definition = f"{definition} in the last {days} days"
    return partial(
        Feature,
        "clock",
        measure,
        full_definition,
        unit,
        window_days=days,
        missing=NO_LOCAL_TIME,
        why=CLOCK_WHY[why],
    )


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
    features = [
        _feature(f"{name}_share", f"Part of {OWN} {when}", "share", "part", days)(
            (part, *parts), share_of_day
        )
        for part, (name, (when, _)) in zip(parts, PARTS.items(), strict=True)
    ]
    definition = f"Part of {OWN} on Saturday or Sunday"
    return [
        *features,
        _feature("weekend_share", definition, "share", "weekend", days)((weekend, *parts), share_of_day),
    ]


def _habits(own: Filter, days: int) -> list[Feature]:
    feature = partial(_feature, days=days)
    hours, weekdays = _counts(own, "local_hour", HOURS, days), _counts(own, "local_weekday", 7, days)
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
            weekdays, index_of_highest
        ),
    ]


def share_of_day(count: Ints, *parts: Ints) -> Floats:
    """Return a count over that of all parts of the day."""
    return ratio(count, total(*parts))


def index_of_highest(*counts: Ints) -> Floats:
    """Return the index of the highest count, the first of equal ones; NaN where all are 0.

    Examples
    --------
    >>> index_of_highest(np.array([1, 0]), np.array([3, 0]), np.array([3, 0]))
    array([ 1., nan])
    """
    highest = index = counts[0] * 0
    for at, count in enumerate(counts):
        index, highest = np.where(count > highest, at, index), np.maximum(count, highest)
    return np.where(highest > 0, index, np.nan)


def best_hour(*counts: Ints) -> Floats:
    """Return the hour with the most interactions around it, its own counted twice; the earliest of equals, or NaN.

    One visit at a chance hour must not win against several in the hours next to each other.
    """
    score, hour = _best_hour(counts)
    return np.where(score > 0, hour, np.nan)


def best_hour_share(*counts: Ints) -> Floats:
    """Return the part of all that fell within an hour of the best hour."""
    score, hour = _best_hour(counts)
    own = np.stack(counts)[hour, np.arange(len(hour))]
    return ratio(score - own, total(*counts))


def _best_hour(counts: Sequence[Ints]) -> tuple[Ints, Ints]:
    """Return the highest count of an hour and its neighbours, its own twice, and the hour; 0 follows 23."""
    # Score and hour in one number, of which the highest is the earliest of the best: a tenth of the time of masks.
    packed = [
        (counts[hour - 1] + 2 * own + counts[(hour + 1) % len(counts)]) * HOURS + (HOURS - 1 - hour)
        for hour, own in enumerate(counts)
    ]
    score, later = np.divmod(reduce(np.maximum, packed), HOURS)
    return score, HOURS - 1 - later
