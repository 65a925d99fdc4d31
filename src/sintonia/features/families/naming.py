"""Names of columns for values a silo wrote."""

import re
import unicodedata
from collections.abc import Iterable


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
