"""The behavioural prior: what purchase days alone say of who will come back, and what for."""

from collections.abc import Callable
from functools import partial

import numpy as np

from sintonia.core.arrays import Floats, Ints, Numbers
from sintonia.features.clv import BehaviouralPrior, Repeats
from sintonia.features.combine import ratio
from sintonia.features.families.context import FamilyContext
from sintonia.features.kernel.histories import DAY
from sintonia.features.measures import (
    DaysSince,
    Earlier,
    Expression,
    Extreme,
    Feature,
    Filter,
    Previous,
    Total,
    Value,
    expression,
)

PURCHASE = Filter(kind="purchase")
OWN_DAY = Expression("(occurred_at + 60000000 * COALESCE(utc_offset_minutes, 0)) // 86400000000")
NEW_DAY = expression(
    "before IS NULL OR own_day <> before", own_day=OWN_DAY, before=Previous(OWN_DAY, PURCHASE)
)
OPENS_DAY = Filter(kind="purchase", having=(NEW_DAY,))
FIRST_DAY = expression("days + new = 1", days=Earlier(OPENS_DAY), new=NEW_DAY)
TERMS = (
    Total(OPENS_DAY),
    Extreme(PURCHASE, OWN_DAY, lowest=True),
    Extreme(PURCHASE, OWN_DAY),
    Total(PURCHASE, "amount"),
    Total(Filter(kind="purchase", having=(FIRST_DAY,)), "amount"),
    Value(PURCHASE, "occurred_at"),
    DaysSince(PURCHASE),
)
"""What makes `repeats`, in its order."""

NEVER = "no purchase yet"
PRIOR_WHY = {
    "alive": "A long silence means leaving for who came weekly, and nothing for who comes twice a year",
    "purchase": "The plainest forecast of coming back, which every other sign must add to",
    "purchases": "How often somebody will come in a longer time says who is worth an effort now",
    "spend": "Few baskets say little of a customer, so theirs lean on everybody's",
    "value": "What is there to lose, or to win, in money",
}

Measure = Callable[[BehaviouralPrior, Repeats], Floats]


def prior(context: FamilyContext) -> list[Feature]:
    """Return the probability of being alive and of buying, expected purchases, spend and value; none without a fit.

    The probability of buying is given for each window's length from as_of on, what is expected for the longest.
    """
    if context.fitted.prior is None or not context.windows_days:
        return []
    fitted, longest = BehaviouralPrior.from_json(context.fitted.prior), context.windows_days[-1]
    feature = partial(_feature, fitted)
    ahead = f"in the next {longest} days"
    features = [
        feature("alive", "Probability of still being a customer", "probability", _alive),
        *(
            feature(
                f"purchase_in_{days}d",
                f"Probability of a purchase in the next {days} days, by the purchase days so far",
                "probability",
                partial(_purchase, days),
            )
            for days in context.windows_days
        ),
        feature(
            f"purchases_in_{longest}d",
            f"Expected purchase days {ahead}",
            "days",
            partial(_purchases, longest),
        ),
    ]
    if fitted.spend is None:
        return features
    spend, value = "Expected spend of the next purchase day", f"Expected spend {ahead}"
    return [
        *features,
        feature("spend", spend, "cents", _spend),
        feature(f"value_in_{longest}d", value, "cents", partial(_value, longest)),
    ]


def _feature(fitted: BehaviouralPrior, measure: str, definition: str, unit: str, gives: Measure) -> Feature:
    return Feature(
        family="prior",
        measure=measure,
        definition=definition,
        unit=unit,
        terms=TERMS,
        combine=partial(_measured, gives, fitted),
        missing=NEVER,
        why=PRIOR_WHY[measure.split("_")[0]],
    )


def _measured(gives: Measure, fitted: BehaviouralPrior, *terms: Numbers) -> Floats:
    known = repeats(*terms)
    # One NaN for all: what arithmetic makes of a NaN may carry a sign that depends on the length of the array.
    return np.where(known.bought, gives(fitted, known), np.nan)


def _alive(fitted: BehaviouralPrior, known: Repeats) -> Floats:
    return fitted.coming_back.probability_alive(known)


def _purchase(days: int, fitted: BehaviouralPrior, known: Repeats) -> Floats:
    return fitted.coming_back.probability_purchase(known, days)


def _purchases(days: int, fitted: BehaviouralPrior, known: Repeats) -> Floats:
    return fitted.coming_back.expected_purchases(known, days)


def _spend(fitted: BehaviouralPrior, known: Repeats) -> Floats:
    assert fitted.spend is not None
    return fitted.spend.expected_spend_cents(known)


def _value(days: int, fitted: BehaviouralPrior, known: Repeats) -> Floats:
    return _purchases(days, fitted, known) * _spend(fitted, known)


def repeats(
    days: Ints,
    first: Floats,
    last: Floats,
    spent: Ints,
    spent_first: Ints,
    last_purchase_at: Floats,
    since: Floats,
) -> Repeats:
    """Return what the behavioural models read, as `behaviour.count_repeats` counts it.

    Purchase days by the customer's own clock; as_of is taken for its UTC day. `last_purchase_at` (UTC microseconds) and
    `since` (days) of the last purchase make as_of.
    """
    bought = days > 0
    frequency = np.where(bought, days - 1.0, np.nan)
    recency = last - first
    today = np.floor((last_purchase_at + np.round(since * DAY)) / DAY)
    mean = np.where(days == 1, 0.0, ratio(spent - spent_first, np.maximum(days - 1, 0)))
    return Repeats(frequency, recency, np.maximum(today - first, recency), mean)
