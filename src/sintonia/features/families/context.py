"""What every family is made from: windows, half-lives, and what was fitted on the past.

Names of columns for values a silo wrote.

Which interactions the families of sequences speak of: orders, what the customer does, what a brand has.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sintonia.features.fitted import Fitted
from sintonia.features.measures import Filter


@dataclass(frozen=True)
class Frame:
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
    """Return a short name for each level that can stand in a column's: plain letters, digits and underscores.

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
    """Return a short name in plain letters and digits for each value, no two alike.

    Examples
    --------
    >>> slugs(["Emilia Romagna", "Forlì", "26-40", "forli", "?"])
    ('emilia_romagna', 'forli', '26_40', 'forli_2', 'value')
    """
    made: list[str] = []
    for value in values:
        plain = unicodedata.normalize("NFKD", value.casefold()).encode("ascii", "ignore").decode()
        slug = name = re.sub(r"[^0-9a-z]+", "_", plain).strip("_") or "value"
        number = 1
        while name in made:
            number += 1
            name = f"{slug}_{number}"
        made.append(name)
    return tuple(made)


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
