"""Recency, frequency and money: how lately, how often and for how much a customer buys."""

from functools import partial
from itertools import pairwise

import numpy as np

from sintonia.core.arrays import Floats, Ints
from sintonia.features.combine import part_of_both, ratio
from sintonia.features.families.context import ORDER, PURCHASE, FamilyContext
from sintonia.features.measures import DaysSince, Feature, Total

NO_ORDER = "no order in the window"
NONE, ONE = "no order yet", "fewer than two orders yet"
RFM_WHY = {
    "orders": "How often somebody bought is the best single guess of how often they will",
    "items": "A full basket shows trust in the range beyond one need",
    "amount": "What a customer is worth so far, and how much there is to lose",
    "order_value": "The size of the basket says which offer is worth making",
    "discount": "Who buys at a discount waits for the next one; who does not should not be given one",
    "pace": "Slowing down shows before stopping does, whatever the customer's own level",
    "recency": "The longer the silence, the likelier it is for good",
    "first": "Old customers have stayed through more reasons to leave than new ones",
    "last_gap": "The newest gap against the usual one shows a habit changing",
    "mean_gap": "Everybody has a rhythm of their own; a month is long for some and short for others",
    "own_pace": "A silence is alarming when it is long for this customer, not for the average one",
}


def rfm(context: FamilyContext) -> list[Feature]:
    """Return recency, frequency and monetary features: how lately, how often, for how much a customer buys.

    A silence is alarming when it is long *for this customer*: hence recency over the customer's own mean gap
    between orders, and the pace of each window over that of the next longer one.
    """
    windows = context.windows_days
    bought = [feature for days in windows for feature in _window_features(days)]
    return bought + [_pace(short, long) for short, long in pairwise(windows)] + _recency()


def _window_features(days: int) -> list[Feature]:
    feature = partial(Feature, "rfm", window_days=days)
    orders = Total(ORDER, None, days)
    items, amount, discount = (Total(PURCHASE, column, days) for column in ("quantity", "amount", "discount"))
    last = f"in the last {days} days"
    return [
        feature("orders", f"Orders {last}", "orders", (orders,), why=RFM_WHY["orders"]),
        feature("items", f"Items bought {last}", "items", (items,), why=RFM_WHY["items"]),
        feature("amount", f"Money spent {last}", "cents", (amount,), why=RFM_WHY["amount"]),
        feature(
            measure="order_value",
            definition=f"Money spent an order {last}",
            unit="cents",
            terms=(amount, orders),
            combine=ratio,
            missing=NO_ORDER,
            why=RFM_WHY["order_value"],
        ),
        feature(
            measure="discount_share",
            definition=f"Part of the full price taken off by discounts {last}",
            unit="share",
            terms=(discount, amount),
            combine=part_of_both,
            missing="nothing bought at a price in the window",
            why=RFM_WHY["discount"],
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
        why=RFM_WHY["pace"],
    )


def _recency() -> list[Feature]:
    days = partial(Feature, "rfm", unit="days")
    orders, first, last, before = Total(ORDER), DaysSince(ORDER, 0), DaysSince(ORDER), DaysSince(ORDER, -2)
    gaps = (first, last, orders)
    return [
        days(
            measure="days_since_purchase",
            definition="Days since the last order",
            terms=(last,),
            missing=NONE,
            why=RFM_WHY["recency"],
        ),
        days(
            measure="days_since_first_purchase",
            definition="Days since the first order",
            terms=(first,),
            missing=NONE,
            why=RFM_WHY["first"],
        ),
        days(
            measure="last_gap",
            definition="Days between the last two orders",
            terms=(before, last),
            combine=np.subtract,
            missing=ONE,
            why=RFM_WHY["last_gap"],
        ),
        days(
            measure="mean_gap",
            definition="Mean days between orders",
            terms=gaps,
            combine=mean_gap,
            missing=ONE,
            why=RFM_WHY["mean_gap"],
        ),
        Feature(
            family="rfm",
            measure="recency_to_mean_gap",
            definition="Days since the last order over the customer's mean days between orders",
            unit="times",
            terms=gaps,
            combine=recency_to_mean_gap,
            missing=ONE,
            why=RFM_WHY["own_pace"],
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
