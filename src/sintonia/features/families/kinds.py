"""What a customer does."""

from sintonia.features.families.context import FamilyContext
from sintonia.features.measures import DaysSince, Feature, Filter, Total

COUNT = "What a customer does most, and does no longer, is the plainest picture of what they want"
SINCE = "Each deed has its own clock: a search a day old is a wish, a search a year old is history"


def kinds(context: FamilyContext) -> list[Feature]:
    """Return counts per kind of interaction, and days since each kind."""
    counts = [_count(name, days) for days in context.windows_days for name in context.levels("kind")]
    # Days since the last purchase are the rfm family's: twice the same column would share its importance out.
    return counts + [_days_since(name) for name in context.levels("kind") if name != "purchase"]


def _count(name: str, days: int) -> Feature:
    return Feature(
        family="kinds",
        measure=name,
        definition=f"Interactions of kind {name} in the last {days} days",
        unit="interactions",
        terms=(Total(Filter(kind=name), None, days),),
        window_days=days,
        why=COUNT,
    )


def _days_since(name: str) -> Feature:
    return Feature(
        family="kinds",
        measure=f"days_since_{name}",
        definition=f"Days since the last interaction of kind {name}",
        unit="days",
        terms=(DaysSince(Filter(kind=name)),),
        missing="never seen yet",
        why=SINCE,
    )
