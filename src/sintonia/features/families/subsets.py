"""Which interactions the families of sequences speak of: orders, what the customer does, what a brand has."""

from sintonia.features.families.frame import Frame
from sintonia.features.measures import Filter

DAY = 86_400  # seconds
HOUR = 3_600
ORDER = Filter(kind="purchase", opens_thread=True)
PURCHASE = Filter(kind="purchase")
ONLINE = ("web", "app")
BY_BRAND = ("send", "resolve")
"""Kinds that the brand does; all others the customer does."""


def known(frame: Frame, label: str, *wanted: str) -> tuple[str, ...]:
    """Return those of the wanted values of a label that the brand has, in the order given."""
    return tuple(value for value in wanted if value in frame.levels(label))


def own_kinds(frame: Frame) -> tuple[str, ...]:
    """Return the kinds of interaction that the customer does, in the order of their letters."""
    return tuple(sorted(set(frame.levels("kind")) - set(BY_BRAND)))


def habit_windows(frame: Frame) -> tuple[int, ...]:
    """Return the two longest windows: a habit or a share needs months to show, and a year to be compared with."""
    return frame.windows_days[-2:]
