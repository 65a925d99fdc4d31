"""Why a customer buys, beyond the price: discounts and coupons or none, breadth, service, own initiative."""

from functools import partial

from sintonia.core.arrays import Floats, Ints
from sintonia.features.combine import part_of_both, ratio, smoothed_rate
from sintonia.features.families.context import DAY, ORDER, PURCHASE, FamilyContext, habit_windows, own_kinds
from sintonia.features.families.response import UNPROMPTED_REDEEMS
from sintonia.features.measures import Distinct, Feature, Filter, Gap, Total, Value, expression

PROMPT_DAYS = 7  # a message works for about a week
PRIOR_ORDERS = 5.0
"""How many orders the brand's own rate of unasked redemptions is worth against a customer's."""

REDUCED = "discount > 0"
REDUCED_AMOUNT = "CASE WHEN discount > 0 THEN amount ELSE 0 END"
NOTHING_BOUGHT = "nothing bought in the window"
NO_MONEY = "no money spent in the window"
MOTIVES_WHY = {
    "discounted_share": "Who buys only what is reduced is bought, not won, and leaves with the last discount",
    "full_price_share": "Money paid at full price is the plainest vote for the brand itself",
    "discount_depth": "How deep a discount must be says what the next one costs",
    "last_discounted": "The last purchase shows whether the next needs a discount",
    "coupons_per_order": "Coupon collectors follow the coupon, others do not even look for it",
    "unasked_redeems_per_order": "Points cashed in unasked tell who collects; coupons sent tell of their reach",
    "categories": "Who buys across the range trusts the brand, not one product",
    "categories_per_order": "Errands fetch one thing, shopping trips wander",
    "service_share": "Who asks and is answered stays for the service, and costs for it",
    "unprompted_share": "An order nobody prompted is loyalty; messages must not take the credit for it",
}


def motives(context: FamilyContext) -> list[Feature]:
    """Return discounts, full price and coupons among purchases, breadth, use of service, orders unprompted.

    A discount that is not known counts as none.
    """
    kinds = context.levels("kind")
    if "purchase" not in kinds:
        return []
    features = []
    for days in habit_windows(context):
        features += [*_price(days), *_breadth(days)]
        features += [_coupons(days)] if "redeem" in kinds else []
        features += [_unprompted_redeems(context, days)] if UNPROMPTED_REDEEMS in context.fitted.means else []
        features += [_service(own_kinds(context), days)] if "contact" in kinds else []
        features += [_unprompted_orders(days)] if "send" in kinds else []
    return [*features, _last_discounted()]


def _feature(measure: str, definition: str, unit: str, days: int) -> "partial[Feature]":
    full_definition = f"{definition} in the last {days} days"
    return partial(
        Feature, "motives", measure, full_definition, unit, window_days=days, why=MOTIVES_WHY[measure]
    )


def _price(days: int) -> list[Feature]:
    lines, money = Total(PURCHASE, None, days), Total(PURCHASE, "amount", days)
    reduced, reduced_money = Total(PURCHASE, REDUCED, days), Total(PURCHASE, REDUCED_AMOUNT, days)
    depth = "Part of the full price taken off what was bought at a discount"
    return [
        _feature(
            "discounted_share", "Part of the purchases (lines of an order) at a discount", "share", days
        )((reduced, lines), ratio, missing=NOTHING_BOUGHT),
        _feature("full_price_share", "Part of the money spent at full price", "share", days)(
            (reduced_money, money), remaining_share, missing=NO_MONEY
        ),
        _feature("discount_depth", depth, "share", days)(
            (Total(PURCHASE, "discount", days), reduced_money),
            part_of_both,
            missing="nothing bought at a discount in the window",
        ),
    ]


def _breadth(days: int) -> list[Feature]:
    categories = Distinct(PURCHASE, "category", days)
    return [
        _feature("categories", "Different categories bought", "categories", days)((categories,)),
        _feature("categories_per_order", "Different categories bought over orders", "categories", days)(
            (categories, Total(ORDER, None, days)), ratio, missing="no order in the window"
        ),
    ]


def _coupons(days: int) -> Feature:
    coupons = Total(Filter(kind="redeem"), None, days)
    return _feature("coupons_per_order", "Coupons and points redeemed an order", "times", days)(
        (coupons, Total(ORDER, None, days)), ratio, missing="no order in the window"
    )


def _unprompted_redeems(context: FamilyContext, days: int) -> Feature:
    unasked = Filter(kind="redeem", opens_thread=True, having=("action_id IS NULL",))
    return Feature(
        family="motives",
        measure="unasked_redeems_per_order",
        definition=f"Coupons and points redeemed an order in the last {days} days that no action of the brand had "
        f"sent, with the brand's usual rate counted as {PRIOR_ORDERS:.0f} orders more",
        unit="times",
        terms=(Total(unasked, None, days), Total(ORDER, None, days)),
        combine=partial(smoothed_rate, mean=context.mean(UNPROMPTED_REDEEMS, 0.0), weight=PRIOR_ORDERS),
        window_days=days,
        missing="never missing: without orders it is the brand's usual rate",
        why=MOTIVES_WHY["unasked_redeems_per_order"],
    )


def _service(own: tuple[str, ...], days: int) -> Feature:
    contacts = Total(Filter(kind="contact"), None, days)
    definition = "Part of the customer's own interactions that were questions to the brand"
    return _feature("service_share", definition, "share", days)(
        (contacts, Total(Filter(kind=own), None, days)),
        ratio,
        missing="no interaction of the customer's own in the window",
    )


def _unprompted_orders(days: int) -> Feature:
    prompted = expression(f"gap <= {PROMPT_DAYS * DAY}", gap=Gap(Filter(kind="send")))
    definition = f"Part of the orders without a message in the {PROMPT_DAYS} days before,"
    return _feature("unprompted_share", definition, "share", days)(
        (Total(ORDER, prompted, days), Total(ORDER, None, days)),
        remaining_share,
        missing="no order in the window",
    )


def _last_discounted() -> Feature:
    return Feature(
        family="motives",
        measure="last_discounted",
        definition="Whether the last purchase (line of an order) was at a discount",
        unit="yes or no",
        terms=(Value(PURCHASE, "COALESCE(discount, 0) > 0"),),
        missing="nothing bought yet",
        why=MOTIVES_WHY["last_discounted"],
    )


def remaining_share(part: Ints, total: Ints) -> Floats:
    """Return the rest's part of the whole: 1 less the part's; NaN of nothing."""
    return ratio(total - part, total)
