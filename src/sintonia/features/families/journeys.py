"""How a customer comes to buy: from channel to channel, from the first look to the order, visit by visit."""

from functools import partial

from sintonia.features.combine import in_days, mean_days, ratio, still_open
from sintonia.features.families.context import (
    DAY,
    ONLINE,
    ORDER,
    FamilyContext,
    habit_windows,
    levels_present,
    own_kinds,
)
from sintonia.features.measures import (
    DaysSince,
    Expression,
    Feature,
    Filter,
    Gap,
    Previous,
    Total,
    Value,
    expression,
)

NEAR_DAYS = 7  # a look or a shop visit this lately prepared the order
PAUSE = 30 * 60  # seconds: a visit ends with half an hour of nothing, as web analytics count them
SWITCHED = "channel <> before"
PREPARED = f"gap <= {NEAR_DAYS * DAY}"
NO_ORDER = "no order in the window"
JOURNEYS_WHY = {
    "switches": "Who moves between channels is busy with the brand, and meets every seam between them",
    "switch_share": "Many switches for few interactions may be a customer sent from pillar to post",
    "order_switch_share": "Buying now here, now there means that no channel has won, nor can lose, the customer",
    "browse_online_buy_in_store": "Who looks online and buys in the shop answers to online offers that till data hide",
    "visit_store_buy_online": "Who tries in the shop and buys online is lost by a closed shop, not by a closed site",
    "researched_share": "Planned purchases can be met on the way; impulses only at the shelf",
    "research_days": "How long a customer ponders says when a reminder helps and when it comes too late",
    "open_research_days": "A search that has led to no order is a wish still open, and fades day by day",
    "visits": "Coming back unasked is interest before any money shows it",
    "visit_depth": "Short visits know what they want or do not find it; long ones are choosing",
    "orders_per_visit": "Who buys on most visits needs no persuasion; who never does needs another kind",
}


def journeys(context: FamilyContext) -> list[Feature]:
    """Return switches of channel, orders prepared elsewhere, days from first look to order, visits online."""
    online = levels_present(context, "channel", *ONLINE)
    looks = levels_present(context, "kind", "search", "view", "cart")
    features: list[Feature] = []
    for days in habit_windows(context):
        if len(context.levels("channel")) > 1 and own_kinds(context):
            features += _switches(Filter(kind=own_kinds(context)), days)
        if online and looks and "store" in context.levels("channel"):
            features += _prepared(Filter(channel=online, kind=looks), own_kinds(context), days)
    if looks:
        features += _research(Filter(kind=looks), habit_windows(context))
    return features + (_visits(context, online) if online and own_kinds(context) else [])


def _feature(measure: str, definition: str, unit: str, days: int | None = None) -> "partial[Feature]":
    """Return what has its terms still to come, `definition` going on to its window."""
    full_definition = definition if days is None else f"{definition} in the last {days} days"
    return partial(
        Feature, "journeys", measure, full_definition, unit, window_days=days, why=JOURNEYS_WHY[measure]
    )


def _switches(own: Filter, days: int) -> list[Feature]:
    switches = Total(own, expression(SWITCHED, before=Previous("channel", own)), days)
    switched = Total(ORDER, expression(SWITCHED, before=Previous("channel", ORDER)), days)
    every, orders = Total(own, None, days), Total(ORDER, None, days)
    share = "Part of the customer's own interactions that came by another channel than the one before"
    order_share = "Part of the orders that came by another channel than the order before"
    return [
        _feature("switches", "Times the customer went on in another channel", "switches", days)((switches,)),
        _feature("switch_share", share, "share", days)(
            (switches, every), ratio, missing="no interaction of the customer's own in the window"
        ),
        _feature("order_switch_share", order_share, "share", days)(
            (switched, orders), ratio, missing=NO_ORDER
        ),
    ]


def _prepared(looks: Filter, kinds: tuple[str, ...], days: int) -> list[Feature]:
    in_store = Filter(channel="store", kind="purchase", opens_thread=True)
    online = Filter(channel=looks.channel, kind="purchase", opens_thread=True)
    preparations = {
        "browse_online_buy_in_store": (in_store, looks, "orders in store with a look online"),
        "visit_store_buy_online": (
            online,
            Filter(channel="store", kind=kinds),
            "orders online with a visit in store",
        ),
    }
    return [
        _feature(measure, f"Part of the {what} in the {NEAR_DAYS} days before the order,", "share", days)(
            (Total(orders, expression(PREPARED, gap=Gap(before)), days), Total(orders, None, days)),
            ratio,
            missing="no such order in the window",
        )
        for measure, (orders, before, what) in preparations.items()
    ]


def first_look(looks: Filter) -> Filter:
    """Return the looks that begin a search: the first ever, and the first after an order."""
    begins = expression(
        "since_look IS NULL OR since_order <= since_look", since_look=Gap(looks), since_order=Gap(ORDER)
    )
    return Filter(kind=looks.kind, having=(begins,))


def research_seconds(looks: Filter) -> Expression:
    """Return an order's seconds since the first look after the order before it; missing where there was no look."""
    return expression(
        "CASE WHEN since_order IS NULL OR since_look < since_order THEN since_look END",
        since_look=Gap(first_look(looks)),
        since_order=Gap(ORDER),
    )


def _research(looks: Filter, windows: tuple[int, ...]) -> list[Feature]:
    seconds = research_seconds(looks)
    looked = expression("seconds IS NOT NULL", seconds=seconds)
    look, none = "a look (search, view, cart)", "no order with a look before it in the window"
    features = []
    for days in windows:
        prepared = Total(ORDER, looked, days)
        features += [
            _feature(
                "researched_share", f"Part of the orders with {look} since the order before,", "share", days
            )((prepared, Total(ORDER, None, days)), ratio, missing=NO_ORDER),
            _feature(
                "research_days",
                "Mean days from the first look after one order to the next order",
                "days",
                days,
            )((Total(ORDER, seconds, days), prepared), mean_days, missing=none),
        ]
    since = (DaysSince(first_look(looks)), DaysSince(ORDER))
    return [
        *features,
        Feature(
            family="journeys",
            measure="last_research_days",
            definition="Days from the first look after the order before to the last order",
            unit="days",
            terms=(Value(ORDER, seconds),),
            combine=in_days,
            missing="no order yet, or no look before the last one",
            why=JOURNEYS_WHY["research_days"],
        ),
        _feature("open_research_days", "Days since the first look that has led to no order yet", "days")(
            since, still_open, missing="no look since the last order"
        ),
    ]


def _visits(context: FamilyContext, online: tuple[str, ...]) -> list[Feature]:
    own = Filter(channel=online, kind=own_kinds(context))
    begins = expression(f"pause IS NULL OR pause > {PAUSE}", pause=Gap(own))
    visit = Filter(channel=online, kind=own.kind, having=(begins,))
    bought = Filter(channel=online, kind="purchase", opens_thread=True)
    features = [
        _feature("visits", "Visits online, ended by half an hour of nothing,", "visits", days)(
            (Total(visit, None, days),)
        )
        for days in context.windows_days
    ]
    for days in habit_windows(context):
        visits, none = Total(visit, None, days), "no visit online in the window"
        features += [
            _feature("visit_depth", "Interactions a visit online", "interactions", days)(
                (Total(own, None, days), visits), ratio, missing=none
            ),
            _feature("orders_per_visit", "Orders online a visit online", "orders", days)(
                (Total(bought, None, days), visits), ratio, missing=none
            ),
        ]
    return features
