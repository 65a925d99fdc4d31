"""Trust and what wears it: complaints and how they end, how the customer sounds, what comes back."""

from functools import partial

import numpy as np

from sintonia.core.arrays import Floats, Ints, Numbers
from sintonia.features.combine import difference, in_days, mean_days, ratio
from sintonia.features.families.context import ORDER, PURCHASE, FamilyContext, habit_windows
from sintonia.features.measures import (
    DaysSince,
    Distinct,
    Earlier,
    Extreme,
    Feature,
    Filter,
    Gap,
    Total,
    Value,
    expression,
)

COMPLAINT = Filter(kind="complaint", opens_thread=True)  # a case
OPENED = Gap(Filter(kind="complaint"), same="thread_id")
CLOSED = Filter(kind="resolve", opens_thread=True, having=(expression("opened IS NOT NULL", opened=OPENED),))
HUNDREDTHS = expression("ROUND(100 * sentiment)")  # whole units sum exactly
VOICE = Filter(having=(expression("sentiment IS NOT NULL"),))
SILENT = "sentiment never known"
TRUST_WHY = {
    "complaints_per_order": "Trouble counts against how often there was occasion for it",
    "open_complaints": "Nothing should be sold to somebody who waits for an answer",
    "days_open": "Each day a complaint waits, the customer tells somebody",
    "days_to_resolve": "A complaint settled fast can bind more than no complaint; a slow one costs twice",
    "orders_since_complaint": "The first order after a complaint says that the customer has forgiven",
    "sentiment": "How a customer sounds today is how the customer acts tomorrow",
    "worst_sentiment": "One bad moment is remembered longer than ten pleasant ones",
    "sentiment_trend": "A voice that sours goes before the complaint, and before the silence",
    "returned_share": "Who sends much back has not found what was promised, or never meant to keep it",
    "channels_left": "Each channel unsubscribed is a door closed, and a word about the messages",
    "reviews_per_order": "Who gives an opinion unasked still cares",
}


def trust(context: FamilyContext) -> list[Feature]:
    """Return complaints against orders, open ones, days to resolve, sentiment, returns, unsubscribes and reviews.

    A complaint is a case: it is resolved when a `resolve` of the same thread follows.
    """
    kinds, windows = context.levels("kind"), habit_windows(context)
    features = _sentiment(windows)
    for days in windows:
        features += [_per_order(kind, days) for kind in ("complaint", "review") if kind in kinds]
        features += [_returned(days)] if "return" in kinds else []
    if "complaint" in kinds:
        features += [_orders_since(), *_open(), *_resolved()]
    if "unsubscribe" in kinds:
        unsubscribed_channels = Distinct(Filter(kind="unsubscribe"), "channel")
        features.append(
            _feature("channels_left", "Different channels unsubscribed from", "channels")(
                (unsubscribed_channels,)
            )
        )
    return features


def _feature(measure: str, definition: str, unit: str, days: int | None = None) -> "partial[Feature]":
    full_definition = definition if days is None else f"{definition} in the last {days} days"
    return partial(Feature, "trust", measure, full_definition, unit, window_days=days, why=TRUST_WHY[measure])


def _per_order(kind: str, days: int) -> Feature:
    counted = Total(Filter(kind=kind, opens_thread=True), None, days)
    return _feature(f"{kind}s_per_order", f"{kind.title()}s an order", "times", days)(
        (counted, Total(ORDER, None, days)), ratio, missing="no order in the window"
    )


def _returned(days: int) -> Feature:
    back, bought = Total(Filter(kind="return"), "amount", days), Total(PURCHASE, "amount", days)
    return _feature("returned_share", "Money returned over money spent", "share", days)(
        (back, bought), returned_share, missing="nothing spent in the window"
    )


def _open() -> list[Feature]:
    open_now = (Total(COMPLAINT), Total(CLOSED))
    return [
        _feature("open_complaints", "Complaints not resolved yet", "complaints")(open_now, not_closed),
        _feature("days_open", "Days since the last complaint, while any is open", "days")(
            (DaysSince(COMPLAINT), *open_now), while_open, missing="no complaint is open"
        ),
    ]


def _resolved() -> list[Feature]:
    mean = (Total(CLOSED, OPENED), Total(CLOSED))
    none = "no complaint resolved yet"
    took = "days from a complaint to its resolution"
    return [
        _feature("days_to_resolve", f"Mean {took}", "days")(mean, mean_days, missing=none),
        Feature(
            family="trust",
            measure="last_days_to_resolve",
            definition="Days from the complaint last resolved to its resolution",
            unit="days",
            terms=(Value(CLOSED, OPENED),),
            combine=in_days,
            missing=none,
            why=TRUST_WHY["days_to_resolve"],
        ),
    ]


def _orders_since() -> Feature:
    return _feature("orders_since_complaint", "Orders since the last complaint", "orders")(
        (Total(ORDER), Value(COMPLAINT, Earlier(ORDER))), difference, missing="never complained"
    )


def _sentiment(windows: tuple[int, ...]) -> list[Feature]:
    feature = partial(Feature, "trust", unit="-1 to 1", why=TRUST_WHY["sentiment"])
    means = {days: (Total(VOICE, HUNDREDTHS, days), Total(VOICE, None, days)) for days in windows}
    features = [
        feature(
            measure="sentiment",
            definition=f"Mean sentiment in the last {days} days",
            terms=terms,
            combine=mean_sentiment,
            window_days=days,
            missing="no sentiment known in the window",
        )
        for days, terms in means.items()
    ]
    features += [
        feature(
            "last_sentiment",
            "Last sentiment",
            terms=(Value(VOICE, HUNDREDTHS),),
            combine=from_hundredths,
            missing=SILENT,
        ),
        feature(
            measure="worst_sentiment",
            definition="Lowest sentiment so far",
            terms=(Extreme(VOICE, HUNDREDTHS, lowest=True),),
            combine=from_hundredths,
            missing=SILENT,
        ),
    ]
    if len(windows) > 1:
        short, long = windows
        features.append(
            _feature(
                measure="sentiment_trend",
                definition=f"Mean sentiment of the last {short} days less that of the last {long} days",
                unit="difference",
            )(
                (*means[short], *means[long]),
                sentiment_trend,
                missing="no sentiment known in the shorter window",
            )
        )
    return features


def from_hundredths(hundredths: Numbers) -> Floats:
    """Return hundredths as a sentiment."""
    sentiment: Floats = hundredths / 100
    return sentiment


def mean_sentiment(hundredths: Ints, count: Ints) -> Floats:
    """Return the mean sentiment, NaN of nothing."""
    return from_hundredths(ratio(hundredths, count))


def sentiment_trend(*sums: Ints) -> Floats:
    """Return the mean of the first sum and count less that of the second."""
    short, n_short, long, n_long = sums
    return mean_sentiment(short, n_short) - mean_sentiment(long, n_long)


def returned_share(back: Ints, bought: Ints) -> Floats:
    """Return the money that came back, negative as the store keeps it, over the money spent."""
    return ratio(-back, bought)


def not_closed(opened: Ints, closed: Ints) -> Ints:
    """Return how many are open; a resolution whose complaint is not known takes nothing off."""
    still: Ints = np.maximum(opened - closed, 0)
    return still


def while_open(days: Floats, opened: Ints, closed: Ints) -> Floats:
    """Return the days where any is open, NaN elsewhere."""
    return np.where(opened > closed, days, np.nan)
