"""Where a customer meets the brand."""

from functools import partial

import numpy as np

from sintonia.core.arrays import Floats
from sintonia.features.combine import entropy, how_many, ratio
from sintonia.features.families.context import FamilyContext
from sintonia.features.measures import DaysSince, Feature, Filter, Level, Total, Value

ANY = Filter()
CHANNEL_MIX_WHY = {
    "count": "Who comes by a channel can be reached and served there",
    "share": "A customer's favourite channel says where an offer is seen and where service must work",
    "channels": "Customers who use several channels buy more and stay longer than those who use one",
    "entropy": "An even mix is a habit of its own; a mix that collapses to one channel often comes before leaving",
    "since": "A channel that fell silent says what the customer has given up, even while others go on",
    "first": "Where a customer was won shapes what they expect: a shop visitor and a web bargain hunter differ",
    "last": "The last channel is where the customer is now, and where an answer would be seen first",
}


def channel_mix(context: FamilyContext) -> list[Feature]:
    """Return counts and shares per channel, their number and entropy; days since each; first and last channel."""
    channels = context.levels("channel")
    if not channels:
        return []
    mixes = [feature for days in context.windows_days for feature in _mix(days, channels)]
    since = [
        Feature(
            family="channel_mix",
            measure=f"days_since_{name}",
            definition=f"Days since the last interaction by {name}",
            unit="days",
            terms=(DaysSince(Filter(channel=name)),),
            missing="never seen yet",
            why=CHANNEL_MIX_WHY["since"],
        )
        for name in channels
    ]
    return (
        mixes
        + since
        + [_is_channel(which, at, channels) for which in ("first", "last") for at in range(len(channels))]
    )


def _mix(days: int, channels: tuple[str, ...]) -> list[Feature]:
    feature = partial(Feature, "channel_mix", window_days=days)
    last = f"in the last {days} days"
    none = "no interaction in the window"
    counts = {name: Total(Filter(channel=name), None, days) for name in channels}
    every = Total(ANY, None, days)
    terms = tuple(counts.values())
    mix = []
    for name, count in counts.items():
        number = f"Interactions by {name} {last}"
        share = f"Part of all interactions that came by {name} {last}"
        mix.append(feature(name, number, "interactions", (count,), why=CHANNEL_MIX_WHY["count"]))
        mix.append(
            feature(
                f"{name}_share",
                share,
                "share",
                (count, every),
                ratio,
                missing=none,
                why=CHANNEL_MIX_WHY["share"],
            )
        )
    used = f"Different channels used {last}"
    spread = f"Evenness of the channels used {last}: 0 is one channel only, 1 two alike, 2 four alike"
    known = "no interaction by a known channel in the window"
    return [
        *mix,
        feature("channels", used, "channels", terms, how_many, why=CHANNEL_MIX_WHY["channels"]),
        feature("entropy", spread, "bits", terms, entropy, missing=known, why=CHANNEL_MIX_WHY["entropy"]),
    ]


def _is_channel(which: str, at: int, channels: tuple[str, ...]) -> Feature:
    channel_index = Value(ANY, Level("channel", channels), 0 if which == "first" else -1)
    return Feature(
        family="channel_mix",
        measure=f"{which}_by_{channels[at]}",
        definition=f"Whether the {which} interaction came by {channels[at]}",
        unit="yes or no",
        terms=(channel_index,),
        combine=partial(is_level, at),
        missing=f"the {which} interaction came by no known channel",
        why=CHANNEL_MIX_WHY[which],
    )


def is_level(level: int, index: Floats) -> Floats:
    """Return 1 where the place is this level and 0 where it is another; NaN stays NaN.

    Examples
    --------
    >>> is_level(1, np.array([1.0, 0.0, np.nan]))
    array([ 1.,  0., nan])
    """
    return np.where(np.isnan(index), np.nan, index == level)
