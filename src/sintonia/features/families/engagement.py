"""Loyalty as a sum of many small moments: each weighs by what it asks of the customer, and fades."""

from collections.abc import Mapping
from functools import partial
from itertools import pairwise

from sintonia.core.arrays import Floats
from sintonia.features.combine import difference, how_many, itself, part_of_both, ratio
from sintonia.features.families.context import FamilyContext, habit_windows, own_kinds
from sintonia.features.measures import Decayed, Expression, Feature, Filter, Total, expression

POSITIVE_WEIGHTS = {
    "search": 1,
    "view": 1,
    "visit": 1,
    "login": 1,
    "open": 1,
    "contact": 1,
    "click": 2,
    "cart": 3,
    "register": 4,
    "review": 4,
    "redeem": 5,
    "purchase": 8,
}
"""Weights of moments that tie: a look is 1, answering a message 2, a wish 3, giving one's name or opinion 4, money 8.

They order the moments by what each asks of the customer. They are a judgement, not fitted: the model sees the
counts of each kind beside this sum.
"""

NEGATIVE_WEIGHTS = {"return": 2, "complaint": 4, "unsubscribe": 6, "cancel": 8}
"""Weights of moments that loosen, on the same scale: leaving undoes an order."""

ENGAGEMENT_WHY = {
    "score": "Loyalty is many small moments, and the recent ones count more than the old",
    "friction_share": "Moments that annoy weigh against those that please: the balance goes before the customer does",
    "trend": "Engagement that fades is the customer leaving while still on the list",
    "kinds": "Who looks, buys, writes and reviews is tied to the brand by more than one thread",
}


def engagement(context: FamilyContext) -> list[Feature]:
    """Return the faded sum of weighted moments, friction's part in it, its trend, and how many kinds of moments.

    A kind counts once a thread (an order, a session), so that a basket of forty lines is one purchase.
    """
    kinds = own_kinds(context)
    every = Filter(kind=kinds, opens_thread=True)
    good = weight_expression({kind: POSITIVE_WEIGHTS[kind] for kind in kinds if kind in POSITIVE_WEIGHTS})
    bad = weight_expression({kind: NEGATIVE_WEIGHTS[kind] for kind in kinds if kind in NEGATIVE_WEIGHTS})
    if good is None:
        return []
    faded = {days: Decayed(every, good, days) for days in context.half_lives_days}
    friction = {} if bad is None else {days: Decayed(every, bad, days) for days in context.half_lives_days}
    features = [_score(days, faded[days], friction.get(days)) for days in faded]
    features += [_friction(days, friction[days], faded[days]) for days in friction]
    features += [_trend(pair, (faded[pair[0]], faded[pair[1]])) for pair in pairwise(faded)]
    return features + [_kinds(kinds, days) for days in habit_windows(context)]


def weight_expression(weighing: Mapping[str, int]) -> Expression | None:
    """Return the expression that gives each kind its weight, and others none; None without kinds.

    Examples
    --------
    >>> weight_expression({"view": 1, "visit": 1, "purchase": 8}).sql
    "CASE WHEN kind IN ('view', 'visit') THEN 1 WHEN kind IN ('purchase') THEN 8 ELSE 0 END"
    """
    kinds_of: dict[int, list[str]] = {}
    for kind, weight in weighing.items():
        kinds_of.setdefault(weight, []).append(repr(kind))
    cases = " ".join(f"WHEN kind IN ({', '.join(kinds)}) THEN {weight}" for weight, kinds in kinds_of.items())
    return expression(f"CASE {cases} ELSE 0 END") if cases else None


def _score(days: int, good: Decayed, bad: Decayed | None) -> Feature:
    return Feature(
        family="engagement",
        measure=f"score_halved_each_{days}d",
        definition=f"Sum of weighted moments, those that tie less those that loosen, halved every {days} days",
        unit="points",
        terms=(good,) if bad is None else (good, bad),
        combine=itself if bad is None else difference,
        why=ENGAGEMENT_WHY["score"],
    )


def _friction(days: int, bad: Decayed, good: Decayed) -> Feature:
    return Feature(
        family="engagement",
        measure=f"friction_share_halved_each_{days}d",
        definition=f"Part of the weighted moments, halved every {days} days, that loosen rather than tie",
        unit="share",
        terms=(bad, good),
        combine=part_of_both,
        missing="no moment that ties or loosens yet",
        why=ENGAGEMENT_WHY["friction_share"],
    )


def _trend(days: tuple[int, int], faded: tuple[Decayed, Decayed]) -> Feature:
    short, long = days
    return Feature(
        family="engagement",
        measure=f"trend_{short}d_to_{long}d",
        definition=f"Moments that tie, halved every {short} days, over those halved every {long} days: 1 is steady",
        unit="times",
        terms=faded,
        combine=partial(trend, short, long),
        missing="no moment that ties yet",
        why=ENGAGEMENT_WHY["trend"],
    )


def _kinds(kinds: tuple[str, ...], days: int) -> Feature:
    return Feature(
        family="engagement",
        measure="kinds_of_moments",
        definition=f"Different kinds of the customer's own interactions in the last {days} days",
        unit="kinds",
        terms=tuple(Total(Filter(kind=kind), None, days) for kind in kinds),
        combine=how_many,
        window_days=days,
        why=ENGAGEMENT_WHY["kinds"],
    )


def trend(short_days: int, long_days: int, short: Floats, long: Floats) -> Floats:
    """Return the daily rate that one faded sum stands for over that of a longer-lived one.

    Under a steady rate r a sum halved every h days comes to r h / log 2, hence the half-lives' ratio.
    """
    return ratio(short * (long_days / short_days), long)
