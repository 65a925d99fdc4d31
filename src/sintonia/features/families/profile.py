"""Who a customer is: age, tenure, what the silos say of them, and where they may be contacted."""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import chain, count

import numpy as np

from sintonia.core.arrays import Bools, Floats, Ints
from sintonia.data.consent import PREFIX
from sintonia.features.families.context import FamilyContext, slugs
from sintonia.features.history import BIRTH_YEAR, GENERATIONS, SCALE, age_years
from sintonia.features.measures import DaysSince, Feature, Filter, Level, Previous, Total, Value, expression

RARE = "rare"
"""What measures call the values of an attribute that have no column of their own."""
BORN = Filter(category=BIRTH_YEAR)
PROFILE_WHY = {
    "age": "Needs, budgets and channels change with the years of life",
    "generation": "People who grew up together share habits of buying and of being spoken to",
    "tenure": "A customer of many years has stayed through more reasons to leave than a new one",
    "value": "Where and in what circumstances somebody lives and stands with the brand says what they can use",
    "changed": "A change (a new tier, a move) is a moment at which habits change as well",
    "consent": "Who let the brand write wants to hear from it, and may be reached there",
    "since": "A consent just given is a warm one; an old one may be forgotten",
}


def profile(context: FamilyContext) -> list[Feature]:
    """Return tenure, age and generation, each attribute's latest value, and consents, as known at as_of.

    An attribute has a column for each value seen often enough before the first training date and one for any other,
    or one column where it is a number.
    """
    texts, numbers, changing = (context.levels(label) for label in ("attribute", "number", "changing"))
    names = [*texts, *numbers]
    named = attribute_slugs(context.fitted.levels)
    return [
        _tenure(),
        *_born(context.levels("generation")),
        *(
            feature
            for name in texts
            for feature in _values(name, named[name], context.levels(f"attribute:{name}"))
        ),
        *(_number(name, named[name]) for name in numbers),
        *(_changed(name, named[name]) for name in names if name in changing),
        *(feature for channel in context.levels("consent") for feature in _consent(channel)),
    ]


def attribute_slugs(levels: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return by attribute what its measures call it: no measure of one has the name of another's, or of a built-in.

    Examples
    --------
    >>> attribute_slugs({"attribute": ("Plan",), "attribute:Plan": ("A", "B"), "number": ("tenure", "plan_is_a")})
    {'Plan': 'plan', 'tenure': 'tenure_2', 'plan_is_a': 'plan_is_a_2'}
    """
    texts, numbers, changing = (levels.get(label, ()) for label in ("attribute", "number", "changing"))
    channels = levels.get("consent", ())
    taken = {"tenure", "age", *(f"generation_{name}" for name in GENERATIONS)}
    taken |= {f"{stem}{channel}" for channel in channels for stem in ("consent_", "days_since_consent_")}

    def measures(name: str, slug: str) -> set[str]:
        values = level_slugs(levels.get(f"attribute:{name}", ()))
        named = {f"{slug}_is_{value}" for value in (*values, RARE)} if name in texts else {slug}
        return named | ({f"days_since_{slug}_changed"} if name in changing else set())

    names, chosen = [*texts, *numbers], dict[str, str]()
    for name, slug in zip(names, slugs(names), strict=True):
        candidates = chain([slug], (f"{slug}_{number}" for number in count(2)))
        chosen[name] = next(candidate for candidate in candidates if not taken & measures(name, candidate))
        taken |= measures(name, chosen[name])
    return chosen


def level_slugs(levels: Sequence[str]) -> tuple[str, ...]:
    """Return what measures call each value of an attribute; none is called as the values without a column are.

    Examples
    --------
    >>> level_slugs(("common", "rare"))
    ('common', 'rare_2')
    """
    return slugs([RARE, *levels])[1:]


def _tenure() -> Feature:
    return Feature(
        family="profile",
        measure="tenure",
        definition="Days since the customer's first interaction",
        unit="days",
        terms=(DaysSince(Filter(), 0),),
        missing="never missing: a row has an interaction",
        why=PROFILE_WHY["tenure"],
    )


def _born(generations: tuple[str, ...]) -> list[Feature]:
    if not generations:
        return []
    feature = partial(Feature, "profile", table="attributes", missing="no believable birth year known")
    year = Value(BORN, "quantity")
    terms = (year, Value(BORN, "occurred_at"), DaysSince(BORN))
    age = feature(
        "age", "Age by the birth year, right to half a year", "years", terms, age_at, why=PROFILE_WHY["age"]
    )
    return [age] + [
        feature(
            measure=f"generation_{name}",
            definition=f"Whether born from {GENERATIONS[name][0]} to {GENERATIONS[name][1]}",
            unit="yes or no",
            terms=(year,),
            combine=partial(born_between, *GENERATIONS[name]),
            why=PROFILE_WHY["generation"],
        )
        for name in generations
    ]


def _values(name: str, slug: str, levels: tuple[str, ...]) -> list[Feature]:
    where = Filter(category=name)
    terms = (Value(where, Level("value", levels)), Total(where))
    feature = partial(
        Feature, "profile", table="attributes", unit="yes or no", terms=terms, why=PROFILE_WHY["value"]
    )
    unknown = f"{name} not known"
    features = [
        feature(
            measure=f"{slug}_is_{of_level}",
            definition=f"Whether {name} is {level}",
            combine=partial(latest_is, index),
            missing=unknown,
        )
        for index, (level, of_level) in enumerate(zip(levels, level_slugs(levels), strict=True))
    ]
    rare = f"Whether {name} is something less common than the values with columns of their own"
    return [*features, feature(f"{slug}_is_{RARE}", rare, combine=partial(latest_is, None), missing=unknown)]


def _number(name: str, slug: str) -> Feature:
    return Feature(
        family="profile",
        measure=slug,
        definition=f"The latest {name}",
        unit="as the silo gives it",
        terms=(Value(Filter(category=name), "quantity"),),
        combine=from_thousandths,
        missing=f"{name} not known as a number",
        why=PROFILE_WHY["value"],
        table="attributes",
    )


def _changed(name: str, slug: str) -> Feature:
    where = Filter(category=name)
    change = expression("value <> before", before=Previous("value", where))
    return Feature(
        family="profile",
        measure=f"days_since_{slug}_changed",
        definition=f"Days since {name} last became another",
        unit="days",
        terms=(DaysSince(Filter(category=name, having=(change,))),),
        missing=f"{name} never changed, or is not known",
        why=PROFILE_WHY["changed"],
        table="attributes",
    )


def _consent(channel: str) -> list[Feature]:
    where = Filter(category=PREFIX + channel)
    answer = Value(where, "quantity")
    feature = partial(Feature, "profile", table="attributes")
    return [
        feature(
            measure=f"consent_{channel}",
            definition=f"Whether the latest answer allows contact by {channel}; silence is no",
            unit="yes or no",
            terms=(answer,),
            combine=zero_if_missing,
            missing="never missing: silence is no",
            why=PROFILE_WHY["consent"],
        ),
        feature(
            measure=f"days_since_consent_{channel}",
            definition=f"Days since contact by {channel} was last allowed, while it is",
            unit="days",
            terms=(answer, DaysSince(where)),
            combine=days_while_allowed,
            missing=f"contact by {channel} is not allowed",
            why=PROFILE_WHY["since"],
        ),
    ]


def age_at(year: Floats, year_known_at: Floats, days_since: Floats) -> Floats:
    """Return the age in years at as_of, `days_since` days after the birth year (in thousandths) was recorded."""
    from sintonia.features.kernel.histories import DAY

    return age_years(year / SCALE, year_known_at + days_since * DAY)


def born_between(first: int, last: int, year: Floats) -> Floats:
    """Return 1 where the birth year (in thousandths) lies between two years, both included; NaN stays NaN."""
    inside: Bools = (year >= first * SCALE) & (year <= last * SCALE)
    return np.where(np.isnan(year), np.nan, inside)


def latest_is(level: int | None, index: Floats, count: Ints) -> Floats:
    """Return 1 where the latest value has this level's index (None: it is no level); NaN where there is no value.

    Examples
    --------
    >>> latest_is(0, np.array([0.0, 1.0, np.nan, np.nan]), np.array([1, 2, 1, 0]))
    array([ 1.,  0.,  0., nan])
    >>> latest_is(None, np.array([0.0, 1.0, np.nan, np.nan]), np.array([1, 2, 1, 0]))
    array([ 0.,  0.,  1., nan])
    """
    is_level = np.isnan(index) if level is None else index == level
    return np.where(count == 0, np.nan, is_level)


def from_thousandths(number: Floats) -> Floats:
    """Return a number kept in thousandths."""
    return number / SCALE


def zero_if_missing(answer: Floats) -> Floats:
    """Return the answer, 0 where none was given."""
    return np.nan_to_num(answer)


def days_while_allowed(answer: Floats, days_since: Floats) -> Floats:
    """Return the days since the answer while it is a yes, else NaN."""
    return np.where(answer == 1, days_since, np.nan)
