"""What families build features from: windows, half-lives, fitted levels and rates, column names and common filters."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sintonia.features.fitted import Fitted
from sintonia.features.measures import Filter


@dataclass(frozen=True)
class FamilyContext:
    """The windows and half-lives of a configuration, ascending, and what was fitted before the first as_of."""

    windows_days: tuple[int, ...]
    half_lives_days: tuple[int, ...]
    fitted: Fitted

    def levels(self, label: str) -> tuple[str, ...]:
        """Return the values of a label that the brand had when the features were fitted, most frequent first.

        A family makes columns for these and no others, so that a brand without an app has no column for it.
        """
        return self.fitted.levels.get(label, ())

    def mean(self, name: str, default: float) -> float:
        """Return a rate of the brand that was fitted, or the default where there was nothing to fit it on."""
        return self.fitted.means.get(name, default)


def column_names(levels: Sequence[str]) -> tuple[str, ...]:
    """Return a unique name of plain letters, digits and underscores for each level.

    LightGBM's text takes neither spaces nor JSON's marks. Levels that would share a name are numbered.

    Examples
    --------
    >>> column_names(("Women's shoes", "CAFFÈ", "women s shoes", "123"))
    ('women_s_shoes', 'caffe', 'women_s_shoes_2', '123')
    """
    names: list[str] = []
    for level in levels:
        plain = unicodedata.normalize("NFKD", level).encode("ascii", "ignore").decode().lower()
        name = re.sub(r"[^a-z0-9]+", "_", plain).strip("_") or "other"
        while name in names:
            stem, _, number = name.rpartition("_")
            name = f"{stem}_{int(number) + 1}" if stem and number.isdigit() else f"{name}_2"
        names.append(name)
    return tuple(names)


def slugs(values: Iterable[str]) -> tuple[str, ...]:
    """Return a unique name of plain letters, digits and underscores for each value.

    Examples
    --------
    >>> slugs(["Emilia Romagna", "Forlì", "26-40", "forli", "?"])
    ('emilia_romagna', 'forli', '26_40', 'forli_2', 'value')
    """
    names: list[str] = []
    for value in values:
        plain = unicodedata.normalize("NFKD", value.casefold()).encode("ascii", "ignore").decode()
        slug = name = re.sub(r"[^0-9a-z]+", "_", plain).strip("_") or "value"
        number = 1
        while name in names:
            number += 1
            name = f"{slug}_{number}"
        names.append(name)
    return tuple(names)


DAY = 86_400  # seconds
HOUR = 3_600
ORDER = Filter(kind="purchase", opens_thread=True)
PURCHASE = Filter(kind="purchase")
ONLINE = ("web", "app")
BY_BRAND = ("send", "resolve")
"""Kinds of interaction that come from the brand; all others come from the customer."""


def levels_present(context: FamilyContext, label: str, *values: str) -> tuple[str, ...]:
    """Return those of the values that the brand has for a label, in their order."""
    return tuple(value for value in values if value in context.levels(label))


def own_kinds(context: FamilyContext) -> tuple[str, ...]:
    """Return the kinds of interaction that come from the customer, in alphabetical order."""
    return tuple(sorted(set(context.levels("kind")) - set(BY_BRAND)))


def habit_windows(context: FamilyContext) -> tuple[int, ...]:
    """Return the two longest windows: a habit or a share needs months to show, and a year to be compared with."""
    return context.windows_days[-2:]
