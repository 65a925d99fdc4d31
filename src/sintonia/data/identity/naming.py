"""First and last names as compared: titles and suffixes off, full names parted, places put right, short forms.

English short forms come from the `nicknames` package (Bob is Robert or Bert). No kept library has Italian
ones: most are the name's start or end (Ale, Sandro, Betta), which the comparison of first names knows without
a list; those that are neither (Gigi, Mimmo) are left to the other fields.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sintonia.data.identity import spelling

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

_TITLE = (
    r"mr|mrs|ms|miss|mx|dr|prof|professor|rev|reverend|sir|dame|lady|lord|hon|capt|captain|sig ra|sigra|sigg|sig"
    r"|signora|signor|dott ssa|dottssa|dott|dottor|dottoressa|prof ssa|avv|ing|geom|rag|arch|on|cav"
)
_LEADING_TITLES = rf"^(?:(?:{_TITLE})\s+)+"
_SUFFIXES = (
    r"\s+(?:(?:the\s+)?\d+(?:st|nd|rd|th)\b.*|(?:jr|sr|junior|senior|esq|esquire|phd|obe|mbe|ii|iii)$)"
)
"""What follows a name: a peerage by its ordinal with all that comes after it, or a generation or degree."""
_PARTICLES = (
    r"(?:d[aeiou]|del|della|dello|dei|degli|delle|dal|dalla|lo|la|li|le|van|von|der|den|du|mac|mc|st)"
)


def names(text: Mapping[str, "pa.Array"], seen: "pa.Table | None" = None) -> dict[str, "pa.Array"]:
    """Return `first_name`, `last_name` and `first_name_forms` for the fields of names that there are.

    A full name serves where one of the two is missing. `first_name_forms` are lists: the first name, its first
    word, and the names that word is short for. Which of two names is which the table itself tells, or the
    frequencies `seen` in another (`field`, `value`, `frequency`).
    """
    import pyarrow.compute as pc

    first, last = (_name(text[field]) if field in text else None for field in ("first_name", "last_name"))
    if "full_name" in text:
        whole_first, whole_last = _parted(text["full_name"])
        first = whole_first if first is None else pc.coalesce(first, whole_first)
        last = whole_last if last is None else pc.coalesce(last, whole_last)
    if first is not None and last is not None:
        swapped = _swapped(first, last, seen)
        first, last = pc.if_else(swapped, last, first), pc.if_else(swapped, first, last)
    found = {} if first is None else {"first_name": first, "first_name_forms": _forms(first)}
    return found if last is None else {**found, "last_name": last}


def _name(written: "pa.Array") -> "pa.Array":
    bare = spelling.without(spelling.words(written), _LEADING_TITLES)
    return spelling.known(spelling.without(bare, _SUFFIXES))


def _parted(full: "pa.Array") -> tuple["pa.Array", "pa.Array"]:
    """Return first and last names of full ones: 'Rossi, Maria' and 'Maria Rossi' are the same person.

    What follows a comma is a first name unless a suffix begins it; a last name keeps its particles (De Luca).
    """
    import pyarrow.compute as pc

    bare = spelling.without(full, rf"(?i),\s*(?:{_SUFFIXES.removeprefix(chr(92) + 's+')})")
    name = _name(pc.replace_substring_regex(bare, r"^\s*([^,]+?)\s*,\s*([^,]+?)\s*$", r"\2 \1"))
    first = pc.replace_substring_regex(name, r"^(\S+)(\s.*)?$", r"\1")
    last = pc.replace_substring_regex(name, rf"^\S+\s(?:.*?\s)??((?:{_PARTICLES}\s)*\S+)$", r"\1")
    return first, pc.if_else(pc.match_substring(name, " "), last, None)


def _forms(first: "pa.Array") -> "pa.Array":
    """Return each first name with what it may be short for, as lists in alphabetical order."""
    import pyarrow as pa
    from nicknames import NickNamer

    canonicals = NickNamer().canonicals_of
    coded = first.dictionary_encode()
    forms = [
        sorted({name, word, *canonicals(word)})
        for name, word in ((name, name.split()[0]) for name in coded.dictionary.to_pylist())
    ]
    return pa.array(forms, pa.list_(pa.string())).take(coded.indices)


def _swapped(first: "pa.Array", last: "pa.Array", seen: "pa.Table | None") -> "pa.Array":
    """Return where the two names stand in each other's place, as the rest of the table uses them.

    A name seen n times as a first and m times as a last name speaks for its place by log((n + 1/2) / (m +
    1/2)); the record itself is left out of both counts, and only a clear surplus (a factor of 20) turns names
    round.
    """
    import numpy as np
    import pyarrow as pa

    firsts, lasts = first.to_pandas(), last.to_pandas()
    if seen is None:
        counts, itself = (firsts.value_counts(), lasts.value_counts()), 1
    else:
        counts, itself = (_value_counts(seen, "first_name"), _value_counts(seen, "last_name")), 0
    surplus = _elsewhere(firsts, *counts, itself) + _elsewhere(lasts, *counts[::-1], itself)
    return pa.array(surplus > np.log(20))


def _value_counts(seen: "pa.Table", field: str) -> "pd.Series[float]":
    """Return how often each value was seen, the rarest having been seen once."""
    import pyarrow.compute as pc

    values = seen.filter(pc.equal(seen["field"], field)).to_pandas().set_index("value")["frequency"]
    counts: pd.Series[float] = values / values.min()
    return counts


def _elsewhere(
    names: "pd.Series[str]", here: "pd.Series[float]", there: "pd.Series[float]", itself: int
) -> "NDArray[np.float64]":
    """Return the log odds that each name belongs there and not here, `itself` not counted; 0 where it is missing."""
    import numpy as np

    held, other = (names.map(counts).to_numpy(np.float64, na_value=0) for counts in (here, there))
    odds: NDArray[np.float64] = np.log((other + 0.5) / (np.maximum(held - itself, 0) + 0.5))
    return np.where(names.isna().to_numpy(), 0.0, odds)
