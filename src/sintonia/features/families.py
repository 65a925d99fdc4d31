"""Families of features: each is one function from windows in days to a list of features.

A new family is one more such function (here or in a module of its own) and one more line in `FAMILIES`.
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise

import numpy as np

from sintonia.config import FeaturesConfig
from sintonia.errors import unknown
from sintonia.features.combine import how_many, part_of_both, ratio
from sintonia.features.measures import DaysSince, Feature, Filter, Floats, Ints, Total
from sintonia.schema import CHANNELS, KINDS

ORDER = Filter(kind="purchase", opens_thread=True)
PURCHASE = Filter(kind="purchase")
NO_ORDER = "no order in the window"


def rfm(windows_days: Sequence[int]) -> list[Feature]:
    """Return recency, frequency and monetary features: how lately, how often, for how much a customer buys.

    A silence is alarming when it is long *for this customer*: hence recency over the customer's own mean gap
    between orders, and the pace of each window over that of the next longer one.
    """
    windows = sorted(windows_days)
    bought = [feature for days in windows for feature in _bought(days)]
    return bought + [_pace(short, long) for short, long in pairwise(windows)] + _order_days()


def _bought(days: int) -> list[Feature]:
    feature = partial(Feature, "rfm", window_days=days)
    orders = Total(ORDER, None, days)
    items, amount, discount = (Total(PURCHASE, column, days) for column in ("quantity", "amount", "discount"))
    last = f"in the last {days} days"
    value = (amount, orders)
    return [
        feature("orders", f"Orders {last}", "orders", (orders,)),
        feature("items", f"Items bought {last}", "items", (items,)),
        feature("amount", f"Money spent {last}", "cents", (amount,)),
        feature("order_value", f"Money spent an order {last}", "cents", value, ratio, missing=NO_ORDER),
        feature(
            measure="discount_share",
            definition=f"Part of the full price taken off by discounts {last}",
            unit="share",
            terms=(discount, amount),
            combine=part_of_both,
            missing="nothing bought at a price in the window",
        ),
    ]


def _pace(short: int, long: int) -> Feature:
    return Feature(
        family="rfm",
        measure=f"pace_to_{long}d",
        definition=f"Orders a day in the last {short} days over orders a day in the last {long} days",
        unit="times",
        terms=(Total(ORDER, None, short), Total(ORDER, None, long)),
        combine=partial(_pace_ratio, long / short),
        window_days=short,
        missing="no order in the longer window",
    )


def _order_days() -> list[Feature]:
    feature = partial(Feature, "rfm")
    orders, first, last, before = Total(ORDER), DaysSince(ORDER, 0), DaysSince(ORDER), DaysSince(ORDER, -2)
    none, one = "no order yet", "fewer than two orders yet"
    gaps = (first, last, orders)
    return [
        feature("days_since_purchase", "Days since the last order", "days", (last,), missing=none),
        feature("days_since_first_purchase", "Days since the first order", "days", (first,), missing=none),
        feature(
            "last_gap", "Days between the last two orders", "days", (before, last), np.subtract, missing=one
        ),
        feature("mean_gap", "Mean days between orders", "days", gaps, mean_gap, missing=one),
        feature(
            measure="recency_to_mean_gap",
            definition="Days since the last order over the customer's mean days between orders",
            unit="times",
            terms=gaps,
            combine=recency_to_mean_gap,
            missing=one,
        ),
    ]


def _pace_ratio(times_longer: float, short: Ints, long: Ints) -> Floats:
    return ratio(short * times_longer, long)


def mean_gap(first: Floats, last: Floats, orders: Ints) -> Floats:
    """Return the mean days between orders, (first - last) / (orders - 1) with both as days before as_of."""
    return ratio(first - last, np.maximum(orders - 1, 0))


def recency_to_mean_gap(first: Floats, last: Floats, orders: Ints) -> Floats:
    """Return the days since the last order over the mean days between orders."""
    return ratio(last, mean_gap(first, last, orders))


def channel_mix(windows_days: Sequence[int]) -> list[Feature]:
    """Return where a customer meets the brand: counts and shares per channel, days since, channels used."""
    windows = sorted(windows_days)
    mixes = [feature for days in windows for feature in _mix(days)]
    return mixes + [_days_since("channel_mix", name, Filter(channel=name)) for name in CHANNELS]


def _mix(days: int) -> list[Feature]:
    feature = partial(Feature, "channel_mix", window_days=days)
    last = f"in the last {days} days"
    counts = {name: Total(Filter(channel=name), None, days) for name in CHANNELS}
    everything = Total(Filter(), None, days)
    mix = []
    for name, count in counts.items():
        mix.append(feature(name, f"Interactions by {name} {last}", "interactions", (count,)))
        mix.append(
            feature(
                measure=f"{name}_share",
                definition=f"Part of all interactions that came by {name} {last}",
                unit="share",
                terms=(count, everything),
                combine=ratio,
                missing="no interaction in the window",
            )
        )
    used = f"Different channels used {last}"
    return [*mix, feature("channels", used, "channels", tuple(counts.values()), how_many)]


def kinds(windows_days: Sequence[int]) -> list[Feature]:
    """Return what a customer does: counts per kind of interaction, and days since each kind."""
    counts = [
        Feature(
            family="kinds",
            measure=name,
            definition=f"Interactions of kind {name} in the last {days} days",
            unit="interactions",
            terms=(Total(Filter(kind=name), None, days),),
            window_days=days,
        )
        for days in sorted(windows_days)
        for name in KINDS
    ]
    # Days since the last purchase are the rfm family's: twice the same column would share its importance out.
    others = [name for name in KINDS if name != "purchase"]
    return counts + [_days_since("kinds", name, Filter(kind=name)) for name in others]


def _days_since(family: str, name: str, where: Filter) -> Feature:
    return Feature(
        family=family,
        measure=f"days_since_{name}",
        definition=f"Days since the last interaction {'by' if where.channel else 'of kind'} {name}",
        unit="days",
        terms=(DaysSince(where),),
        missing="never seen yet",
    )


FAMILIES: dict[str, Callable[[Sequence[int]], list[Feature]]] = {
    "rfm": rfm,
    "channel_mix": channel_mix,
    "kinds": kinds,
}
"""The families a configuration can name."""


def catalogue(config: FeaturesConfig) -> list[Feature]:
    """Return every feature of a configuration, in the order of the feature table's columns.

    Raises
    ------
    ConfigError
        For a family nobody knows.
    """
    for name in config.families:
        if name not in FAMILIES:
            raise unknown("features.families", name, FAMILIES)
    windows_days = sorted(set(config.windows_days))
    return [feature for name in dict.fromkeys(config.families) for feature in FAMILIES[name](windows_days)]
