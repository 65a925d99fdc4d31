"""Street lines as compared: the kind of street in full, the house number and the flat apart.

libpostal, which knows every language, ships no data with any of its wheels (2 GB to download); the parsers on
PyPI read American addresses. What stands here are the kinds of street that forms abbreviate most, as the
postal services of Italy and of the English-speaking countries list them.
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from sintonia.data.identity import spelling

if TYPE_CHECKING:
    import pyarrow as pa

_ITALIAN = {
    "v": "via",
    "vle": "viale",
    "v le": "viale",
    "pza": "piazza",
    "pzza": "piazza",
    "p za": "piazza",
    "p zza": "piazza",
    "p le": "piazzale",
    "ple": "piazzale",
    "pzle": "piazzale",
    "p zle": "piazzale",
    "pzta": "piazzetta",
    "p tta": "piazzetta",
    "cso": "corso",
    "c so": "corso",
    "lgo": "largo",
    "l go": "largo",
    "vlo": "vicolo",
    "v lo": "vicolo",
    "vic": "vicolo",
    "str": "strada",
    "c da": "contrada",
    "cda": "contrada",
    "loc": "localita",
    "fraz": "frazione",
    "b go": "borgo",
    "lungom": "lungomare",
}
"""Kinds of street that begin an Italian line."""
_ENGLISH = {
    "st": "street",
    "str": "street",
    "rd": "road",
    "av": "avenue",
    "ave": "avenue",
    "blvd": "boulevard",
    "bvd": "boulevard",
    "dr": "drive",
    "ln": "lane",
    "ct": "court",
    "crt": "court",
    "pl": "place",
    "sq": "square",
    "tce": "terrace",
    "ter": "terrace",
    "terr": "terrace",
    "cres": "crescent",
    "cr": "crescent",
    "cct": "circuit",
    "cir": "circle",
    "cl": "close",
    "gr": "grove",
    "gdns": "gardens",
    "hwy": "highway",
    "pde": "parade",
    "pkwy": "parkway",
}
"""Kinds of street that end an English line: before a name, St is a saint and Dr a doctor."""
_ITALIAN_KIND = re.compile(rf"^({'|'.join(sorted(_ITALIAN, key=len, reverse=True))}) (?=\S*[^\W\d]{{2}})")
_ENGLISH_KIND = re.compile(rf"(?<=\S\S )({'|'.join(_ENGLISH)})$")
_FLAT = re.compile(
    r"(?:^|(?<= ))(?:(?:flat|apartment|apt|unit|suite|interno|int|appartamento|app) (\d+ ?[a-z]?|[a-z])"
    r"|scala ([a-z]))(?: |$)"
)
_NUMBER_WORD = r"(?:(?:n|nr|no|num|numero|civico) )?"
_NUMBER_LAST = re.compile(
    rf"(.*?[^\W\d].*?) {_NUMBER_WORD}(?P<number>\d{{1,5}}(?: ?(?:[a-z]|bis|ter))?)(?: (?P<flat>\d{{1,4}}))?"
)
_NUMBER_FIRST = re.compile(
    r"(?:(?P<flat>\d{1,4}) )?(?P<number>\d{1,5}(?: ?[a-z])?) ((?:\S+ )*?\S*[^\W\d]{3}.*)"
)


def address(text: Mapping[str, "pa.Array"]) -> dict[str, "pa.Array"]:
    """Return `street, street_2, street_number` in their standard spelling, those that there are.

    A house number in the street line becomes `street_number`, a flat `street_2`, where the record does not
    give those apart. A number given apart is believed: another one in the line stays there.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    found = {f: spelling.known(spelling.words(text[f])) for f in ("street", "street_2") if f in text}
    if "street_number" in text:
        found["street_number"] = spelling.known(spelling.squeezed(text["street_number"]))
    if "street" not in found:
        return found
    lines = found["street"].dictionary_encode()
    rows = [parted(line) for line in lines.dictionary.to_pylist()]
    street, number, flat = (
        pa.array([row[at] for row in rows], pa.string()).take(lines.indices) for at in range(3)
    )
    whole = spelling.by_value(found["street"], _in_full)
    given = found.get("street_number", pa.nulls(len(street), pa.string()))
    found["street"] = spelling.known(pc.if_else(_differ(given, number), whole, street))
    for name, part in (("street_2", flat), ("street_number", number)):
        if name in found or part.null_count < len(part):
            found[name] = pc.coalesce(found.get(name, part), part)
    return {name: found[name] for name in ("street", "street_2", "street_number") if name in found}


def _differ(given: "pa.Array", number: "pa.Array") -> "pa.Array":
    import pyarrow.compute as pc

    return pc.fill_null(pc.not_equal(given, number), False)


def parted(line: str) -> tuple[str, str | None, str | None]:
    """Return street, house number and flat of a line of plain words, in either country's order.

    Examples
    --------
    >>> parted("v le dei mille n 12 b int 3"), parted("corso 22 marzo 4")
    (('viale dei mille', '12b', '3'), ('corso 22 marzo', '4', None))
    >>> parted("flat 2 10 st johns rd"), parted("2 10 high st")
    (('st johns road', '10', '2'), ('high street', '10', '2'))
    """
    flat = None
    while named := _FLAT.search(line):
        flat = flat or re.sub(" ", "", named.group(1) or named.group(2))
        line = f"{line[: named.start()]}{line[named.end() :]}".strip()
    numbered = _NUMBER_LAST.fullmatch(line) or _NUMBER_FIRST.fullmatch(line)
    if numbered is None:
        return _in_full(line), None, flat
    street = numbered.group(1) if numbered.re is _NUMBER_LAST else numbered.group(3)
    return _in_full(street), numbered["number"].replace(" ", ""), flat or numbered["flat"]


def _in_full(line: str) -> str:
    """Return the line with its kind of street in full."""
    line = _ITALIAN_KIND.sub(lambda kind: f"{_ITALIAN[kind.group(1)]} ", line)
    return _ENGLISH_KIND.sub(lambda kind: _ENGLISH[kind.group(1)], line)
