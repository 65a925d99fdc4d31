"""Moments of truth: search and observe, evaluate and cart, convert, after the sale; where the customer stands now."""

from functools import partial

import numpy as np

from sintonia.core.arrays import Floats, Ints
from sintonia.features.combine import difference, ratio, since_then, still_open
from sintonia.features.families.context import DAY, ORDER, FamilyContext, habit_windows, levels_present
from sintonia.features.measures import (
    DaysSince,
    Earlier,
    Expression,
    Feature,
    Filter,
    Gap,
    Previous,
    Total,
    Value,
    expression,
)

MOMENTS = {
    "observe": ("search", "view", "visit"),
    "evaluate": ("cart",),
    "convert": ("purchase",),
    "after": ("return", "review", "contact", "complaint"),
}
"""The moments in the order of a purchase, each with its kinds of interaction."""

FRESH_DAYS = 7  # a cart that is older is left behind, and another one after it is a new one
MOMENTS_WHY = {
    "share": "Where a customer's time goes says what is missing: a reason to want it, or a push to take it",
    "forward_share": "Who keeps moving towards the order finds the way easy; who falls back has met a hurdle",
    "carts": "A cart is the wish said aloud: nothing before the order says more",
    "carts_left_share": "Somebody leaves every cart to think and somebody by accident: only the latter need a reminder",
    "moment": "The next best word to a customer who is choosing differs from that to one who has just bought",
    "days_in_moment": "Standing still in one moment for long is being stuck, or gone",
    "open_cart_days": "A cart left yesterday is nearly sold; a cart left last month is not",
    "since_order": "Looks and carts pile up before the next order: the count is how near it is",
}


def moments(context: FamilyContext) -> list[Feature]:
    """Return each moment's share, moves forward, carts and those left, and the moment the customer is in now."""
    present = {name: levels_present(context, "kind", *kinds) for name, kinds in MOMENTS.items()}
    present = {name: kinds for name, kinds in present.items() if kinds}
    features: list[Feature] = []
    if len(present) > 1:
        for days in habit_windows(context):
            features += _shares(present, days)
        features += _current_moment(present)
    if "cart" in context.levels("kind"):
        features += _carts(habit_windows(context))
    return features + [
        _since_order(name, present[name]) for name in ("observe", "evaluate") if name in present
    ]


def _feature(measure: str, definition: str, unit: str, days: int | None = None) -> "partial[Feature]":
    full_definition = definition if days is None else f"{definition} in the last {days} days"
    return partial(
        Feature,
        "moments",
        measure,
        full_definition,
        unit,
        window_days=days,
        why=MOMENTS_WHY.get(measure, MOMENTS_WHY["share"]),
    )


def purchase_stage(present: dict[str, tuple[str, ...]]) -> Expression:
    """Return an interaction's moment as its place in the order of a purchase, 0 to 3; missing for other kinds."""
    cases = [
        f"WHEN kind IN ({', '.join(repr(kind) for kind in present[name])}) THEN {at}"
        for at, name in enumerate(MOMENTS)
        if name in present
    ]
    return expression(f"CASE {' '.join(cases)} END")


def _stage_changes(present: dict[str, tuple[str, ...]]) -> tuple[Filter, Expression, Expression]:
    """Return the interactions that have a moment, and whether it differs from, and is later than, the one before."""
    every = Filter(kind=tuple(kind for kinds in present.values() for kind in kinds))
    now, before = purchase_stage(present), Previous(purchase_stage(present), every)
    moved = expression("now <> before", now=now, before=before)
    return every, moved, expression("now > before", now=now, before=before)


def _shares(present: dict[str, tuple[str, ...]], days: int) -> list[Feature]:
    every, moved, forward = _stage_changes(present)
    total = Total(every, None, days)
    none = "no such interaction in the window"
    shares = [
        _feature(
            f"{name}_share",
            f"Part of all these moments that were {phrase}",
            "share",
            days,
        )((Total(Filter(kind=present[name]), None, days), total), ratio, missing=none)
        for name, phrase in MOMENT_PHRASES.items()
        if name in present
    ]
    steps = "Part of the changes of moment (looking, cart, order, after the sale) that led forward"
    changes = Total(every, moved, days)
    return [
        *shares,
        _feature("forward_share", steps, "share", days)(
            (Total(every, forward, days), changes), ratio, missing=none
        ),
    ]


MOMENT_PHRASES = {
    "observe": "searches, views and visits",
    "evaluate": "carts",
    "convert": "purchases",
    "after": "after the sale: returns, reviews, contacts, complaints",
}


def _current_moment(present: dict[str, tuple[str, ...]]) -> list[Feature]:
    every, moved, _ = _stage_changes(present)
    entered = Filter(kind=every.kind, having=(expression("moved IS NULL OR moved", moved=moved),))
    return [
        _feature(
            "moment", "Moment the customer is in: 0 looking, 1 cart, 2 order, 3 after the sale", "place"
        )((Value(every, purchase_stage(present)),), missing="in none yet"),
        _feature("days_in_moment", "Days since the customer entered this moment", "days")(
            (DaysSince(entered),), missing="in none yet"
        ),
    ]


def _carts(windows: tuple[int, ...]) -> list[Feature]:
    cart = Filter(kind="cart")
    filled = Filter(
        kind="cart",
        having=(
            expression(
                f"since_cart IS NULL OR since_cart > {FRESH_DAYS * DAY} OR since_order <= since_cart",
                since_cart=Gap(cart),
                since_order=Gap(ORDER),
            ),
        ),
    )
    sold = expression(
        f"since_cart <= {FRESH_DAYS * DAY} AND (since_order IS NULL OR since_cart <= since_order)",
        since_cart=Gap(cart),
        since_order=Gap(ORDER),
    )
    features = []
    for days in windows:
        carts = Total(filled, None, days)
        features += [
            _feature("carts", "Carts begun", "carts", days)((carts,)),
            _feature(
                "carts_left_share",
                f"Part of the carts begun that no order followed within {FRESH_DAYS} days",
                "share",
                days,
            )((carts, Total(ORDER, sold, days)), abandoned_share, missing="no cart begun in the window"),
        ]
    return [
        *features,
        _feature("open_cart_days", "Days since something was put into a cart not ordered yet", "days")(
            (DaysSince(cart), DaysSince(ORDER)), still_open, missing="no cart since the last order"
        ),
    ]


def _since_order(name: str, kinds: tuple[str, ...]) -> Feature:
    where = Filter(kind=kinds)
    return Feature(
        family="moments",
        measure=f"{name}_since_order",
        definition=f"How many interactions since the last order were {MOMENT_PHRASES[name]}",
        unit="interactions",
        terms=(Total(where), Value(ORDER, Earlier(where))),
        combine=since_then,
        why=MOMENTS_WHY["since_order"],
    )


def abandoned_share(begun: Ints, sold: Ints) -> Floats:
    """Return the part begun and not sold; an order for a cart begun before the window leaves it at 0."""
    return ratio(np.maximum(difference(begun, sold), 0), begun)
