"""Person records in one spelling: names, e-mails, phones, dates and addresses as the matcher compares them.

Columns are recognised by their names in English or Italian; the fields that are present are standardised, other
columns are left alone.

- Texts: case, accents, punctuation and words without meaning, column by column with Arrow's kernels.
- Names: titles and suffixes off, full names split, places corrected, short forms. English short forms come from the
  `nicknames` package (Bob is Robert or Bert). No maintained library has Italian ones: most are the start or end of
  the name (Ale, Sandro, Betta), which the comparison of first names covers; those that are neither (Gigi, Mimmo)
  are left to the other fields.
- E-mails and phones: what a provider ignores is dropped, numbers are E.164.
- Birth dates: ISO, day or month first, month names, two-digit years, spreadsheet numbers.
- Street lines: the kind of street in full, the house number and the flat apart. libpostal, which covers every
  language, ships no data with its wheels (2 GB to download); the parsers on PyPI read American addresses. So the
  kinds of street that forms abbreviate most are listed here, as the postal services of Italy and of English-
  speaking countries do.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING

from sintonia.core.errors import InputError, hint
from sintonia.data.sources.identifiers import PLACEHOLDER_ADDRESS, email_address, is_shortened, without_point

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray


PATTERNS: dict[str, str] = {
    "record_id": r"unique_?id|rec(ord)?_?id|row_?id|person_?id|customer_?id|contact_?id|crm_?id|id",
    "full_name": r"full_?name|name|first_and_surname|nominativo|complete_name|nome_e?_?cognome",
    "first_name": r"(first|given|fore|christian)_?names?|fname(_c1)?|name_first|nome|vorname|prenom|nombre",
    "last_name": r"(last|family|sur)_?names?|lname(_c1)?|name_last|cognome|nachname|apellidos?",
    "birth_date": r"dob|birth_?date|date_?of_?birth|birth_?day|born(_on)?|data_(di_)?nascita",
    "birth_year": r"birth_?year|year_of_birth|yob|by",
    "birth_month": r"birth_?month|month_of_birth|bm",
    "birth_day": r"day_of_birth|bd",
    "birth_place": r"(birth_?place|place_?of_?birth|pob|(luogo|comune)_(di_)?nascita)",
    "sex": r"sex|gender|sesso",
    "email": r"e_?mail(_?addr(ess)?)?",
    "phone": r"(tele)?phone(_?(number|no|nr))?|tel|mobile(_?(phone|number|no))?|cell(_?phone)?"
    r"|telefono|cellulare",
    "street_number": r"(street|house|building)_?(number|no|nr|num)|numero_civico|civico",
    "street": r"street(_?(name|address))?|addr(ess)?(_?(line)?_?1)?|street_?(line)?_?1|indirizzo|via|road",
    "street_2": r"(addr(ess)?|street)_?(line)?_?2",
    "postcode": r"post_?code|postal_?code|zip(_?code)?|cap|plz",
    "city": r"city|town|suburb|municipality|locality|village|comune|citta",
    "province": r"state|province|provincia|county|region|regione",
    "country": r"country(_?code)?|nazione|paese",
    "national_id": r"ssn|soc(ial)?_?sec(urity)?(_?(id|no|nr|num|number))?|national_?(id|insurance)(_?number)?"
    r"|nhs(_?(no|number))?|nino|tax_?(id|code)|codice_?fiscale|passport(_?(no|number))?",
    "occupation": r"occupation|job(_?title)?|profession(e)?",
}
"""Which column names mean which field, as whole names in lower case with underscores."""

_NOISE = r"(customer|client|person|user|contact|member|patient|home|primary|main|fake|raw|clean|std)"


def recognise(columns: Sequence[str]) -> dict[str, str]:
    """Return which of the columns holds which field, by their names; the first fitting column wins.

    A name that fits as a whole goes before one that fits without its decoration (`customer_email`,
    `postcode_fake`); separators and capitals do not matter.

    Examples
    --------
    >>> recognise([" given_name", "Surname", "postcode_fake", "shoe size"])
    {'first_name': ' given_name', 'last_name': 'Surname', 'postcode': 'postcode_fake'}
    """
    spelt = {column: _snake(column) for column in columns}
    bare = {column: re.sub(rf"(^|_){_NOISE}(?=_|$)", "", name).strip("_") for column, name in spelt.items()}
    found: dict[str, str] = {}
    for names in (spelt, bare):
        for column, name in names.items():
            field = next((f for f, p in PATTERNS.items() if re.fullmatch(p, name)), None)
            if field and field not in found and column not in found.values():
                found[field] = column
    if "birth_year" in found and bare.get(found.get("birth_date", "")) == "birth_day":  # not a birthday
        found["birth_day"] = found.pop("birth_date")
    return {field: found[field] for field in PATTERNS if field in found}


def _snake(column: str) -> str:
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", column.strip())
    return re.sub(r"[^a-z0-9]+", "_", parted.lower()).strip("_")


_MISSING = ["", "nan", "none", "null", "na", "n a", "nd", "unknown", "missing", "test", "xxx"]


def as_text(column: "pa.ChunkedArray | pa.Array") -> "pa.Array":
    """Return the column as one array of text without space around it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return pc.utf8_trim_whitespace(whole.cast(pa.string()))


def fold_case(written: "pa.Array") -> "pa.Array":
    """Return the text in lower case without accents (NFKD, marks dropped).

    Lower case comes last: of a letter in a circle or brackets NFKD makes a capital.
    """
    import pyarrow.compute as pc

    parts = pc.utf8_lower(pc.utf8_normalize(written, form="NFKD"))
    return pc.replace_substring_regex(parts, r"\p{M}+", "")


def words(written: "pa.Array") -> "pa.Array":
    """Return the words of the text, letters and digits only; an apostrophe joins (D'Angelo is dangelo)."""
    import pyarrow.compute as pc

    joined = pc.replace_substring_regex(fold_case(written), "['`\u2019\u00b4]", "")
    return pc.utf8_trim_whitespace(pc.replace_substring_regex(joined, r"[^\p{L}\p{N}]+", " "))


def squeezed(written: "pa.Array") -> "pa.Array":
    """Return the letters and digits of the text alone."""
    import pyarrow.compute as pc

    return pc.replace_substring_regex(fold_case(written), r"[^\p{L}\p{N}]+", "")


def known(written: "pa.Array") -> "pa.Array":
    """Return the text with the words that stand for a missing value set to null."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.if_else(pc.is_in(written, pa.array(_MISSING)), pa.scalar(None, pa.string()), written)


def by_value(written: "pa.Array", change: Callable[[str], str | None]) -> "pa.Array":
    """Return the text changed value by value, each distinct value once."""
    import pyarrow as pa

    coded = written.dictionary_encode()
    changed = pa.array([change(value) for value in coded.dictionary.to_pylist()], pa.string())
    return changed.take(coded.indices)


def without(written: "pa.Array", pattern: str) -> "pa.Array":
    """Return the text without what fits the pattern, and without the space that leaves around it."""
    import pyarrow.compute as pc

    return pc.utf8_trim_whitespace(pc.replace_substring_regex(written, pattern, ""))


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
    bare = without(words(written), _LEADING_TITLES)
    return known(without(bare, _SUFFIXES))


def _parted(full: "pa.Array") -> tuple["pa.Array", "pa.Array"]:
    """Return first and last names of full ones: 'Rossi, Maria' and 'Maria Rossi' are the same person.

    What follows a comma is a first name unless a suffix begins it; a last name keeps its particles (De Luca).
    """
    import pyarrow.compute as pc

    bare = without(full, rf"(?i),\s*(?:{_SUFFIXES.removeprefix(chr(92) + 's+')})")
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


def email(written: "pa.Array") -> "pa.Array":
    """Return addresses in lower case without a +tag; one without an @ is missing.

    Google reads no dots before the @ and owns googlemail.com; elsewhere dots tell people apart. A misspelt
    domain stays: the comparison allows two slips, and a rule could turn a real domain into another. A domain keeps
    its accents, in its ASCII form; an address that stands for none (noemail@...) is missing.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if pc.any(pc.invert(pc.match_substring_regex(written, r"^[^<>\x80-\x{10ffff}]*$"))).as_py():
        written = by_value(written, email_address)
    bare = pc.replace_substring_regex(fold_case(written), r"\s+|^mailto:|\+[^@]*(@)", r"\1")
    bare = pc.replace_substring_regex(bare, r"@googlemail\.com$", "@gmail.com")
    google = pc.match_substring_regex(bare, r"[^@.]\.*@gmail\.com$")
    name = pc.replace_substring(pc.replace_substring_regex(bare, r"@gmail\.com$", ""), ".", "")
    bare = pc.if_else(google, pc.binary_join_element_wise(name, "gmail.com", "@"), bare)
    is_address = pc.match_substring_regex(bare, r"^[^@]+@[^@]+$")
    is_nobody = pc.match_substring_regex(bare, f"^(?:{PLACEHOLDER_ADDRESS})$")
    return pc.if_else(pc.and_not(is_address, is_nobody), bare, pa.scalar(None, pa.string()))


def phone_reader(region: str) -> Callable[[str], str | None]:
    """Return the function from a number as written to E.164, to its digits when it is none, or to null.

    What fits phonenumbers' national pattern of the region needs no parsing, which costs twenty times as much.

    Raises
    ------
    InputError
        When the region is no country of two letters.
    """
    import phonenumbers

    metadata = phonenumbers.PhoneMetadata.metadata_for_region(region.upper())
    if metadata is None:
        raise InputError(
            f"Unknown region '{region}' of phone numbers; give a country as two letters, such as IT."
        )
    pattern = metadata.general_desc.national_number_pattern if metadata.general_desc else None
    fits = re.compile(str(pattern or r"\b\B")).fullmatch  # without a pattern nothing fits
    code, trunk = str(metadata.country_code), metadata.national_prefix or ""

    def read(value: str) -> str | None:
        if is_shortened(value):
            return None
        value = without_point(value)
        written = re.sub(r"\(0\)|[^\d+]", "", value)
        digits = written.replace("+", "")
        if len(digits) < 6 or len(set(digits)) == 1:
            return None
        national = re.sub(rf"^(\+|00){code}", "", written)
        national = national.removeprefix(trunk) if national == written else national
        if fits(national):
            return f"+{code}{national}"
        try:
            parsed = phonenumbers.parse(written, region.upper())
        except phonenumbers.NumberParseException:
            return digits
        return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)

    return read


_MONTHS = (
    "jan|gen",
    "feb",
    "mar",
    "apr",
    "may|mag|mai",
    "jun|giu",
    "jul|lug",
    "aug|ago",
    "sep|set",
    "oct|ott",
    "nov",
    "dec|dic",
)
"""How the names of months begin, in English and Italian."""
_MONTH = {start: number for number, starts in enumerate(_MONTHS, 1) for start in starts.split("|")}
_DEFAULTS = frozenset(
    ("0000-00-00", "0001-01-01", "1753-01-01", "1899-12-30", "1899-12-31", "1900-01-01", "1970-01-01")
)
"""Where the clocks of MySQL, .NET, SQL Server, spreadsheets and Unix begin: what a form left empty stores."""
_SPREADSHEET_ZERO = date(1899, 12, 30)


def read_birth_date(value: str, today: date) -> str | None:
    """Return a date as 1984-05-31; null for what a form fills in by itself and for dates after today.

    Year or day first; month first where the day shows it; a year of two digits is the latest one not after
    today's; five digits alone count days as spreadsheets do. What is no date keeps its digits, and an ISO date with a
    letter in it stays: a slip of the pen can still be compared.

    Examples
    --------
    >>> [read_birth_date(text, date(2025, 1, 1)) for text in ("19840531", "31/05/84", "May 31st, 1984", "30833")]
    ['1984-05-31', '1984-05-31', '1984-05-31', '1984-05-31']
    >>> [read_birth_date(text, date(2025, 1, 1)) for text in ("1900-01-01", "2031-05-31", "1984", "?")]
    [None, None, '1984', None]
    """
    parts = _parts(value.lower(), today)
    if parts is None:
        digits = re.sub(r"\D", "", value)
        if re.fullmatch(r"\S{4}-\S\S-\S\S", value.lower()) and len(digits) >= 6:
            return value.lower()
        return read_birth_date(digits, today) if digits != value else digits or None
    year, month, day = parts
    if month > 12 >= day:
        month, day = day, month
    found = f"{year:04}-{month:02}-{day:02}"
    return None if found in _DEFAULTS or (_real(year, month, day) and found > today.isoformat()) else found


def _parts(value: str, today: date) -> tuple[int, int, int] | None:
    """Return year, month and day as far as the form of the text tells them."""
    if re.fullmatch(r"[1-9]\d{4}(\.0+)?", value):
        counted = _SPREADSHEET_ZERO + timedelta(int(value[:5]))
        return (counted.year, counted.month, counted.day) if counted <= today else None
    whole = re.match(r"(\d{4})\D(\d{1,2})\D?(\d{1,2})(?:\D|$)", value)
    if whole := whole or re.match(r"(\d{4})(\d\d)\D?(\d\d)(?:\D|$)", value):
        year, month, day = map(int, whole.groups())
        turned = re.fullmatch(r"(\d\d)(\d\d)(\d{4})", value)
        if turned and not _real(year, month, day) and _real(*map(int, reversed(turned.groups()))):
            day, month, year = map(int, turned.groups())
        return year, month, day
    if named := re.search(r"[a-z]{3,}", value):
        return _month_named(value, named.group(), today)
    if short := re.match(r"(\d{1,2})([^\da-z])(\d{1,2})\2(\d{4}|\d{2})(?:\D|$)", value):
        first, _, middle, last = short.groups()
        if len(last) == 2 and int(first) > 31:
            first, last = last, first
        return _year(last, today), int(middle), int(first)
    return None


def _month_named(value: str, word: str, today: date) -> tuple[int, int, int] | None:
    numbers = re.findall(r"\d+", value)
    month = _MONTH.get(word[:3])
    if month is None or len(numbers) < 2:
        return None
    first, second = numbers[:2]
    day, year = (second, first) if len(first) == 4 else (first, second)
    return (_year(year, today), month, int(day)) if len(day) <= 2 and len(year) in (2, 4) else None


def _year(digits: str, today: date) -> int:
    year = int(digits)
    if len(digits) == 4:
        return year
    century = today.year // 100 * 100
    return century + year if century + year <= today.year else century - 100 + year


def _real(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


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

    found = {f: known(words(text[f])) for f in ("street", "street_2") if f in text}
    if "street_number" in text:
        found["street_number"] = known(squeezed(text["street_number"]))
    if "street" not in found:
        return found
    lines = found["street"].dictionary_encode()
    rows = [parted(line) for line in lines.dictionary.to_pylist()]
    street, number, flat = (
        pa.array([row[at] for row in rows], pa.string()).take(lines.indices) for at in range(3)
    )
    whole = by_value(found["street"], _in_full)
    given = found.get("street_number", pa.nulls(len(street), pa.string()))
    found["street"] = known(pc.if_else(_differ(given, number), whole, street))
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


_SEXES = {"m": "m", "male": "m", "man": "m", "maschio": "m", "uomo": "m", "f": "f", "female": "f"}
_SEXES |= {"w": "f", "woman": "f", "femmina": "f", "donna": "f"}


def standardise(
    records: "pa.Table",
    fields: Mapping[str, str] | None = None,
    region: str = "IT",
    seen: "pa.Table | None" = None,
) -> "pa.Table":
    """Return one row per record, in the same order, with each field present in its standard spelling.

    Parameters
    ----------
    records
        One row per person record.
    fields
        Field to column, as `recognise` gives it (the default) or a correction of it: `{"city": "suburb"}`.
    region
        Country of phone numbers written without a country code, as two letters.
    seen
        Frequencies of names (`field`, `value`, `frequency`) by which first and last names are told apart; those
        of the records themselves when none are given.

    Returns
    -------
    Text columns, null where unknown: `record_id` and those of `first_name, last_name, birth_date` (ISO when it
    is a date), `sex, email, phone` (E.164 when it is a number), `street, street_2, street_number,
    birth_place, city, province, country, occupation, postcode, national_id` for which something was given.
    `first_name_forms` is a list of text: the names that the first name may be short for.

    Raises
    ------
    InputError
        When a field or column is unknown, no field is recognised, or a record id is missing or repeated.
    """
    import pyarrow as pa

    columns = _checked(records, fields)
    raw = {field: records.column(column) for field, column in columns.items()}
    ready = {"record_id": _record_ids(raw.pop("record_id", None), records.num_rows)}
    text = {field: as_text(column) for field, column in raw.items()}
    ready |= names(text, seen)
    ready |= {"birth_date": written} if (written := _birth_date(text)) is not None else {}
    if "sex" in text:
        ready["sex"] = by_value(words(text["sex"]), lambda value: _SEXES.get(value))
    if "email" in text:
        ready["email"] = email(text["email"])
    if "phone" in text:
        ready["phone"] = by_value(text["phone"], phone_reader(region))
    ready |= address(text)
    for field in ("birth_place", "city", "province", "country", "occupation"):
        if field in text:
            ready[field] = known(words(text[field]))
    for field in ("postcode", "national_id"):
        if field in text:
            ready[field] = known(squeezed(text[field]))
    return pa.table(ready)


def _checked(records: "pa.Table", fields: Mapping[str, str] | None) -> dict[str, str]:
    known = recognise(records.column_names)
    for field, column in (fields or {}).items():
        if field not in PATTERNS:
            raise InputError(f"Unknown field '{field}'; {hint(field, PATTERNS)}")
        if column not in records.column_names:
            raise InputError(
                f"No column '{column}' for the field {field}; {hint(column, records.column_names)}"
            )
        known = {f: c for f, c in known.items() if c != column} | {field: column}
    if not set(known) - {"record_id"}:
        found = ", ".join(records.column_names[:20])
        raise InputError(f"No field of a person recognised among the columns {found}; name some in `fields`.")
    return known


def _record_ids(column: "pa.ChunkedArray | None", rows: int) -> "pa.ChunkedArray | pa.Array":
    import pyarrow as pa
    import pyarrow.compute as pc

    if column is None:
        return pa.array(range(rows), pa.int64()).cast(pa.string())
    ids = column.cast(pa.string())
    if ids.null_count or pc.count_distinct(ids).as_py() != rows:
        raise InputError(
            f"The record ids are not unique: {rows} records, {pc.count_distinct(ids).as_py()} different ids, "
            f"{ids.null_count} missing. Give a column of unique ids, or none."
        )
    return ids


def _birth_date(text: Mapping[str, "pa.Array"]) -> "pa.Array | None":
    import pyarrow.compute as pc

    today = date.today()
    if "birth_date" in text:
        return by_value(text["birth_date"], lambda value: read_birth_date(value, today))
    if "birth_year" not in text:
        return None
    parts = [text["birth_year"]] + [
        pc.utf8_lpad(text[part], 2, "0") for part in ("birth_month", "birth_day") if part in text
    ]
    joined = pc.binary_join_element_wise(*parts, "-")
    return by_value(joined, lambda value: read_birth_date(value, today))
