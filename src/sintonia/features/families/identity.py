"""How well the brand knows who a customer is."""

from functools import partial

from sintonia.features.combine import how_many
from sintonia.features.families.context import FamilyContext, slugs
from sintonia.features.measures import DaysSince, Distinct, Feature, Filter, Total

TIED = Filter(having=("quantity > 0",))
IDENTITY_WHY = {
    "silos": "Who is known in many places has let the brand into more of their life",
    "identifiers": "Every login, card or address given is a small trust, and a way to recognise the next visit",
    "types": "A customer known by one kind of identifier only is seen in part; what they do elsewhere is not known",
    "tied": "Signing in on a new device or taking a card is a step closer, whatever was bought",
    "since": "Somebody just recognised is new here, or has just come back",
}


def identity(context: FamilyContext) -> list[Feature]:
    """Return how many silos know a customer, by how many identifiers and of which types, and how lately tied."""
    types = context.levels("identifier")
    if not types:
        return []
    feature = partial(Feature, "identity", table="links")
    totals = tuple(Total(Filter(category=name), "quantity") for name in types)
    why, count = IDENTITY_WHY["identifiers"], Total(Filter(), "quantity")
    by_type = [
        feature(f"{slug}_identifiers", f"Identifiers of type {name} tied", "identifiers", (total,), why=why)
        for name, slug, total in zip(types, slugs(types), totals, strict=True)
    ]
    return [
        _silos(),
        feature("identifiers", "Identifiers tied to the customer", "identifiers", (count,), why=why),
        feature("types", "Types of identifiers tied", "types", totals, how_many, why=IDENTITY_WHY["types"]),
        *by_type,
        *(_tied(days) for days in context.windows_days),
        feature(
            "days_since_tied",
            "Days since an identifier was last tied",
            "days",
            (DaysSince(TIED),),
            missing="no identifier tied",
            why=IDENTITY_WHY["since"],
        ),
    ]


def _silos() -> Feature:
    return Feature(
        family="identity",
        measure="silos",
        definition="Silos in which the customer has done something",
        unit="silos",
        terms=(Distinct(Filter(), "source"),),
        why=IDENTITY_WHY["silos"],
    )


def _tied(days: int) -> Feature:
    return Feature(
        family="identity",
        measure="tied",
        definition=f"Identifiers tied in the last {days} days",
        unit="identifiers",
        terms=(Total(TIED, None, days),),
        window_days=days,
        why=IDENTITY_WHY["tied"],
        table="links",
    )
