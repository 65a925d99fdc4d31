"""What every family is made from: windows, half-lives, and what was fitted on the past."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from sintonia.features.fitted import Fitted


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
