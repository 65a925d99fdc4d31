"""Features of the category that a row asks about, in tables of one row per (customer_id, as_of, category)."""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from sintonia.core.config import FeaturesConfig
from sintonia.features.combine import ratio
from sintonia.features.families.context import ORDER
from sintonia.features.families.rfm import mean_gap, recency_to_mean_gap
from sintonia.features.measures import (
    ROW_CATEGORY,
    DaysSince,
    Decayed,
    Distinct,
    Feature,
    Filter,
    Gap,
    Total,
    expression,
)

FAMILY = "category"
CATEGORY_INDEX = f"{FAMILY}__which"
BOUGHT = Filter(kind="purchase", category=ROW_CATEGORY)
# The lines of one ticket have one time: a line after a gap opens another visit to the category.
VISIT = replace(BOUGHT, having=(expression("gap IS NULL OR gap > 0", gap=Gap(BOUGHT)),))
LOOKED = Filter(kind=("view", "search", "cart"), category=ROW_CATEGORY)
BY_CATEGORY_WHY = {
    "visits": "Who bought it often will again: in one category as in all",
    "amount": "How much is taken at a time says how long it lasts",
    "share": "What is part of most baskets is a habit, whatever the pace",
    "since": "Every category has its own rhythm of need",
    "due": "A need comes back in its own time: it is due, or met elsewhere",
    "looks": "Interest shows in looking before it shows in buying",
    "which": "Bread is bought by more people than paint",
}


def row_category_features(config: FeaturesConfig) -> list[Feature]:
    """Return the features of a row's category: visits, amounts, shares and rhythm in it, and which one it is.

    The last, `category__which`, is the index of the row's category among the task's and has no terms: the caller that
    lays out the rows fills it in.
    """
    windows = sorted(set(config.windows_days))
    features = [feature for days in windows for feature in _window_features(days)]
    features += [_decayed(days) for days in sorted(set(config.half_lives_days))]
    return [*features, *_rhythm(), *(_looks(days) for days in windows[-2:][:1]), _category_index()]


def bind_category(feature: Feature, category: str) -> Feature:
    """Return the feature with `category` in place of the row's category.

    Examples
    --------
    >>> bread = bind_category(row_category_features(FeaturesConfig(windows_days=[7]))[0], "bread")
    >>> bread.terms[0].where.category
    'bread'
    """
    return replace(feature, terms=tuple(_replace_category(term, category) for term in feature.terms))


def is_row_category(feature: Feature) -> bool:
    """Return whether the feature is about the row's category."""
    return feature.family == FAMILY


def _replace_category(part: Any, category: str) -> Any:  # noqa: ANN401  terms, filters and columns are many dataclasses
    """Return a term, filter or column with the category in place of ROW_CATEGORY, at any depth."""
    if part == ROW_CATEGORY:
        return category
    if isinstance(part, tuple):
        return tuple(_replace_category(element, category) for element in part)
    if not hasattr(part, "__dataclass_fields__"):
        return part
    return replace(
        part, **{name: _replace_category(getattr(part, name), category) for name in part.__dataclass_fields__}
    )


def _window_features(days: int) -> list[Feature]:
    feature = partial(Feature, FAMILY, window_days=days)
    visits, last = Total(VISIT, None, days), f"in the last {days} days"
    return [
        feature(
            "visits",
            f"Visits with the category bought {last}",
            "visits",
            (visits,),
            why=BY_CATEGORY_WHY["visits"],
        ),
        feature(
            "amount",
            f"Money spent on the category {last}",
            "cents",
            (Total(BOUGHT, "amount", days),),
            why=BY_CATEGORY_WHY["amount"],
        ),
        feature(
            "share",
            f"Visits with the category over orders {last}",
            "share",
            (visits, Total(ORDER, None, days)),
            ratio,
            missing="no order in the window",
            why=BY_CATEGORY_WHY["share"],
        ),
    ]


def _decayed(half_life_days: int) -> Feature:
    return Feature(
        FAMILY,
        f"decayed_{half_life_days}d",
        f"Visits with the category, each counting half as much every {half_life_days} days",
        "visits",
        (Decayed(VISIT, None, half_life_days),),
        why=BY_CATEGORY_WHY["visits"],
    )


def _rhythm() -> list[Feature]:
    visits, first, last, before = Total(VISIT), DaysSince(VISIT, 0), DaysSince(VISIT), DaysSince(VISIT, -2)
    never, once = "the category was never bought", "the category was bought less than twice"
    ever = partial(Feature, FAMILY, why=BY_CATEGORY_WHY["visits"])
    days = partial(Feature, FAMILY, unit="days", why=BY_CATEGORY_WHY["since"])
    between = "Mean days between visits with the category"
    since, gaps = "Days since the category was bought", (first, last, visits)
    return [
        ever("visits", "Visits with the category bought, ever", "visits", (visits,)),
        ever(
            "items", "Different items of the category bought, ever", "items", (Distinct(BOUGHT, "item_id"),)
        ),
        days("days_since", since, terms=(last,), missing=never),
        days(
            "last_gap",
            "Days between the last two visits with the category",
            terms=(before, last),
            combine=np.subtract,
            missing=once,
        ),
        days("mean_gap", between, terms=gaps, combine=mean_gap, missing=once),
        Feature(
            FAMILY,
            "due",
            f"{since} over the {between[0].lower()}{between[1:]}",
            "times",
            gaps,
            recency_to_mean_gap,
            missing=once,
            why=BY_CATEGORY_WHY["due"],
        ),
    ]


def _looks(days: int) -> Feature:
    definition = f"Views, searches and carts of the category in the last {days} days"
    return Feature(
        FAMILY,
        "looks",
        definition,
        "interactions",
        (Total(LOOKED, None, days),),
        window_days=days,
        why=BY_CATEGORY_WHY["looks"],
    )


def _category_index() -> Feature:
    return Feature(
        FAMILY, "which", "The category the row asks about", "category", (), why=BY_CATEGORY_WHY["which"]
    )
