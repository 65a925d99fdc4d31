"""What a customer is drawn to: the categories bought and looked at, what is new to them and what they repeat."""

from functools import partial

from sintonia.features.combine import concentration, part_of_both, ratio
from sintonia.features.families.context import FamilyContext, column_names
from sintonia.features.measures import DaysSince, Earlier, Feature, Filter, Gap, Total, expression

PURCHASE = Filter(kind="purchase")
LOOKS = ("view", "search", "cart")
FIRST_IN_CATEGORY = Filter(
    kind="purchase",
    having=("category IS NOT NULL", expression("before = 0", before=Earlier(PURCHASE, same="category"))),
)
WITH_ITEM = Filter(kind="purchase", having=("item_id IS NOT NULL",))
# Of another moment: the second line of one ticket repeats nothing.
REPEAT_PURCHASE = Filter(
    kind="purchase", having=("item_id IS NOT NULL", expression("gap > 0", gap=Gap(PURCHASE, same="item_id")))
)
AFFINITY_WHY = {
    "share": "What somebody buys most is what they will come back for, and what an offer should be about",
    "looks": "Interest shows in looking before it shows in buying: an offer in time meets it",
    "since": "Every category has its own rhythm of need; silence in one says it is met elsewhere",
    "concentration": "Who buys one thing only wants more of it; who buys across the range is open to what is new",
    "search_share": "Who searches is after something of their own; who only looks takes what is put before them",
    "new": "Who tries what is new to them still discovers the brand; who stopped has settled or is leaving",
    "again": "Buying the same thing again is a habit, the strongest tie a brand has",
}


def affinity(context: FamilyContext) -> list[Feature]:
    """Return shares of the top categories in purchases and looks, days since each, new categories and repeats.

    Shares of purchases are over the longest window, of looks over the next shorter, for taste is slow and
    interest quick.
    """
    if not context.windows_days:
        return []
    levels = context.levels("category")
    categories = dict(zip(column_names(levels), levels, strict=True))
    slow, quick = context.windows_days[-1], context.windows_days[-2:][0]
    looks = tuple(kind for kind in LOOKS if kind in context.levels("kind"))
    features = [_share(name, category, slow) for name, category in categories.items()]
    if looks:
        features += [_looks(name, category, looks, quick) for name, category in categories.items()]
    features += [_since(name, category) for name, category in categories.items()]
    if len(categories) > 1:
        features.append(_concentration(levels, slow))
    if "search" in looks and "view" in looks:
        features += [_searches(days) for days in dict.fromkeys((quick, slow))]
    return features + [feature for days in dict.fromkeys((quick, slow)) for feature in _new_and_again(days)]


def _share(name: str, category: str, days: int) -> Feature:
    return Feature(
        family="affinity",
        measure=f"{name}_share",
        definition=f"Part of the purchases that were {category} in the last {days} days",
        unit="share",
        terms=(Total(Filter(kind="purchase", category=category), None, days), Total(PURCHASE, None, days)),
        combine=ratio,
        window_days=days,
        missing="nothing bought in the window",
        why=AFFINITY_WHY["share"],
    )


def _looks(name: str, category: str, looks: tuple[str, ...], days: int) -> Feature:
    kinds = f"({', '.join(looks)})"
    return Feature(
        family="affinity",
        measure=f"{name}_looks",
        definition=f"Part of what the customer looked at {kinds} that was {category} in the last {days} days",
        unit="share",
        terms=(
            Total(Filter(kind=looks, category=category), None, days),
            Total(Filter(kind=looks, having=("category IS NOT NULL",)), None, days),
        ),
        combine=ratio,
        window_days=days,
        missing="nothing with a category looked at in the window",
        why=AFFINITY_WHY["looks"],
    )


def _since(name: str, category: str) -> Feature:
    return Feature(
        family="affinity",
        measure=f"days_since_{name}",
        definition=f"Days since {category} was last bought",
        unit="days",
        terms=(DaysSince(Filter(kind="purchase", category=category)),),
        missing="never bought yet",
        why=AFFINITY_WHY["since"],
    )


def _concentration(categories: tuple[str, ...], days: int) -> Feature:
    return Feature(
        family="affinity",
        measure="concentration",
        definition=f"Chance that two purchases of the last {days} days, drawn from the customer's, are of one category",
        unit="probability",
        terms=tuple(Total(Filter(kind="purchase", category=category), None, days) for category in categories),
        combine=concentration,
        window_days=days,
        missing="fewer than two purchases in a frequent category in the window",
        why=AFFINITY_WHY["concentration"],
    )


def _searches(days: int) -> Feature:
    return Feature(
        family="affinity",
        measure="search_share",
        definition=f"Part of the searches and views that were searches in the last {days} days",
        unit="share",
        terms=(Total(Filter(kind="search"), None, days), Total(Filter(kind="view"), None, days)),
        combine=part_of_both,
        window_days=days,
        missing="nothing searched or viewed in the window",
        why=AFFINITY_WHY["search_share"],
    )


def _new_and_again(days: int) -> list[Feature]:
    feature = partial(Feature, "affinity", window_days=days)
    return [
        feature(
            measure="new_categories",
            definition=f"Categories bought for the first time ever in the last {days} days",
            unit="categories",
            terms=(Total(FIRST_IN_CATEGORY, None, days),),
            why=AFFINITY_WHY["new"],
        ),
        feature(
            measure="repeat_share",
            definition=f"Part of the items bought in the last {days} days that the customer had bought before",
            unit="share",
            terms=(Total(REPEAT_PURCHASE, None, days), Total(WITH_ITEM, None, days)),
            combine=ratio,
            missing="no known item bought in the window",
            why=AFFINITY_WHY["again"],
        ),
    ]
