# ruff: noqa: RUF001
r"""Numbers, amounts and times as people and programs write them, as SQL over a text.

What is not understood whole is not understood: of `12,50` with a decimal point, `1,2,3` or `10:00 XYZ` no part is taken
for the value.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from sintonia.data.sources.reader import literal

SPACES = "".join(
    map(
        chr,
        [
            *range(9, 14),
            0x20,
            0x85,
            0xA0,
            0x1680,
            *range(0x2000, 0x200B),
            0x2028,
            0x2029,
            0x202F,
            0x205F,
            0x3000,
        ],
    )
)
"""White space, as Unicode has it (White_Space)."""

INVISIBLE = "".join(
    map(
        chr,
        [0xAD, 0x61C, 0x180E, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x206A), 0xFEFF],
    )
)
"""Characters without width: joiners, marks of direction and of byte order, soft hyphens."""

BLANKS = SPACES + INVISIBLE
"""What may stand around a value without being part of it."""

_BLANK = r"[ \t\x{a0}\x{2007}\x{2009}\x{202f}]"
_MINUS = "[-−–—‒﹣－]"

CODES = (
    "AED", "ARS", "AUD", "BAM", "BDT", "BGN", "BHD", "BRL", "CAD", "CHF", "CLP", "CNY", "COP", "CZK", "DKK",
    "EGP", "EUR", "GBP", "GEL", "HKD", "HRK", "HUF", "IDR", "ILS", "INR", "ISK", "JOD", "JPY", "KES", "KRW",
    "KWD", "KZT", "LBP", "LKR", "MAD", "MDL", "MKD", "MXN", "MYR", "NGN", "NOK", "NZD", "OMR", "PEN", "PHP",
    "PKR", "PLN", "QAR", "RON", "RSD", "RUB", "SAR", "SEK", "SGD", "THB", "TND", "TRY", "TWD", "UAH", "USD",
    "UYU", "VND", "ZAR",
)  # fmt: skip
"""Codes of ISO 4217 that amounts are written with."""

SIGNS = {
    "€": ("EUR",), "£": ("GBP",), "₹": ("INR",), "₽": ("RUB",), "₺": ("TRY",), "₩": ("KRW",), "₪": ("ILS",),
    "₫": ("VND",), "฿": ("THB",), "₴": ("UAH",), "zł": ("PLN",), "Kč": ("CZK",), "Ft": ("HUF",), "lei": ("RON",),
    "kr": ("SEK", "NOK", "DKK", "ISK"), "¥": ("JPY", "CNY"), "R$": ("BRL",), "US$": ("USD",), "C$": ("CAD",),
    "CA$": ("CAD",), "A$": ("AUD",), "AU$": ("AUD",), "NZ$": ("NZD",), "HK$": ("HKD",), "S$": ("SGD",),
    "$": ("USD", "CAD", "AUD", "NZD", "HKD", "SGD", "MXN", "ARS", "CLP", "COP", "TWD"), "Fr.": ("CHF",),
}  # fmt: skip
"""Signs of currencies that amounts are written with, each with the currencies it stands for."""

_CURRENCY = (
    "(?:"
    + "|".join([*(re.escape(sign) for sign in SIGNS if len(sign) > 1), r"\p{Sc}", r"kr\.", *CODES])
    + ")"
)


MISSING = ("n/a", "n.a.", "na", "#n/a", "null", "none", "-", "--", "\\n")
"""What is written where there is no number, in lower case."""


def trimmed(text: str) -> str:
    """Return the SQL of a value as text without blanks around it, null when nothing is left."""
    cell = f"CAST({text} AS VARCHAR)"
    # DuckDB trims blanks seven times as fast as a set of characters, and few texts have any other.
    plain = " AND ".join(f"NOT CONTAINS({cell}, {literal(blank)})" for blank in "\t\r\n")
    return f"""NULLIF(CASE WHEN STRLEN({cell}) = LENGTH({cell}) AND {plain} THEN TRIM({cell})
        ELSE TRIM({cell}, {literal(BLANKS)}) END, '')"""


def _patterns(decimal: str) -> tuple[str, str, str]:
    """Return the patterns of a plain number, of a number with groups of three, and of a whole amount."""
    point, group = (r"\.", ",") if decimal == "." else (",", r"\.")
    plain = rf"[-+]?\d+(?:{point}\d*)?"
    groups = "|".join(
        rf"[1-9]\d{{0,2}}(?:{sign}\d{{3}})+" for sign in (group, r"[ \x{a0}\x{2009}\x{202f}]", "['’]")
    )
    body = rf"(?:(?:{groups}|\d+)(?:{point}\d+)?|{point}\d+)"
    gap, money = f"{_BLANK}*", f"{_CURRENCY}?"
    signed = rf"(?:\+|{_MINUS})"
    amount = "|".join(
        [
            f"{signed}?{gap}{money}{gap}{body}{gap}{money}",
            f"{_CURRENCY}{gap}{signed}{gap}{body}",
            f"{money}{gap}{body}{gap}{money}{gap}{_MINUS}{gap}{money}",
            rf"{money}{gap}\({gap}{money}{gap}{body}{gap}{money}{gap}\){gap}{money}",
        ]
    )
    return plain, body, amount


def number(text: str, decimal: str) -> str:
    """Return the SQL of a trimmed text as a double: null where nothing is written, NaN of what is not one number.

    Signs and codes of a currency, parentheses and a minus behind are read; signs of groups stand before three digits.
    """
    plain, body, amount = _patterns(decimal)
    point = literal(decimal)
    negative = literal(rf"\(|{_MINUS}")
    exponent = rf"[-+]?\d+(?:{re.escape(decimal)}\d*)?[eE][-+]?\d+"
    digits = f"REGEXP_REPLACE(REGEXP_EXTRACT({text}, {literal(body)}), {literal(_groups(decimal))}, '', 'g')"
    missing = ", ".join(map(literal, MISSING))
    return f"""CASE WHEN {text} IS NULL OR LOWER({text}) IN ({missing}) THEN CAST(NULL AS DOUBLE)
        WHEN REGEXP_FULL_MATCH({text}, {literal(f"(?:{plain}|{exponent})")})
        THEN COALESCE(TRY_CAST(REPLACE({text}, {point}, '.') AS DOUBLE), CAST('NaN' AS DOUBLE))
        WHEN REGEXP_FULL_MATCH({text}, {literal(amount)})
        THEN CASE WHEN REGEXP_MATCHES({text}, {negative}) THEN -1 ELSE 1 END
             * CAST(REPLACE({digits}, {point}, '.') AS DOUBLE)
        ELSE CAST('NaN' AS DOUBLE) END"""


def _groups(decimal: str) -> str:
    group = "," if decimal == "." else r"\."
    return rf"{group}|[ '’\x{{a0}}\x{{2009}}\x{{202f}}]"


def currency(text: str) -> str:
    """Return the SQL of the sign or code of a currency in a trimmed text, null when there is none."""
    return f"""CASE WHEN REGEXP_FULL_MATCH({text}, '[-+]?[0-9.,]*') THEN NULL
        ELSE NULLIF(REGEXP_EXTRACT({text}, {literal(_CURRENCY)}), '') END"""


@dataclass(frozen=True)
class DecimalEvidence:
    """How many values of a column only a decimal comma or point explains, and how many either does (1.234, 1,234)."""

    comma: int = 0
    point: int = 0
    either: int = 0

    @property
    def sign(self) -> str | None:
        """The decimal sign of most values, None when nothing tells."""
        return None if self.comma == self.point else "," if self.comma > self.point else "."

    def __add__(self, other: "DecimalEvidence") -> "DecimalEvidence":
        return DecimalEvidence(self.comma + other.comma, self.point + other.point, self.either + other.either)


def decimal_counts(text: str) -> str:
    """Return the SQL of three counts over rows, as `DecimalEvidence` has them, for a trimmed text."""
    filters = [
        f"COUNT(*) FILTER (WHERE REGEXP_FULL_MATCH({text}, {literal(_explained_by(sign))}))" for sign in ",."
    ]
    either = literal(r"\D*[1-9]\d{0,2}[.,]\d{3}\D*")
    return ", ".join([*filters, f"COUNT(*) FILTER (WHERE REGEXP_FULL_MATCH({text}, {either}))"])


def _explained_by(decimal: str) -> str:
    """Return the pattern of numbers that have this decimal sign and no other."""
    point, group = (r"\.", ",") if decimal == "." else (",", r"\.")
    head, tail = r"[^\d.,]*", r"[^\d]*"
    fraction = rf"{point}(?:\d{{1,2}}|\d{{4,}})"
    return "|".join(
        [
            rf"{head}\d+{fraction}{tail}",
            rf"{head}(?:0|\d{{4,}})?{point}\d+{tail}",
            rf"{head}\d{{1,3}}(?:(?:{group}|[ '’\x{{a0}}\x{{202f}}])\d{{3}})+{point}\d+{tail}",
            rf"{head}\d{{1,3}}(?:{group}\d{{3}}){{2,}}{tail}",
        ]
    )


DAY = r"\d{4}[-/ ]\d{1,2}[-/ ]\d{1,2}"
CLOCK = r"\d{1,2}:\d{2}(?::\d{2}(?:\.\d*)?)?"
ISO = rf"{DAY}(?:[T ]+{CLOCK})?"
NOON = r"[AaPp]\.?[Mm]\.?"

OFFSETS = {
    "EST": "-05", "EDT": "-04", "CDT": "-05", "MST": "-07", "MDT": "-06", "PST": "-08", "PDT": "-07",
    "CET": "+01", "CEST": "+02", "WET": "+00", "WEST": "+01", "EET": "+02", "EEST": "+03",
    "Z": "+00", "UTC": "+00", "GMT": "+00",
}  # fmt: skip
"""Abbreviations that mean one offset only. CST, IST, BST and AST mean several: with these a time is not understood."""

_OFFSET = r"(?:UTC|GMT)?[-+−](?:0?\d|1[0-4])(?::?[0-5]\d)?"
_ZONE = rf"{_OFFSET}|[A-Z][A-Za-z_]+/[A-Za-z_/+-]+\d*|{'|'.join(OFFSETS)}|z"
_ZONED = rf"(.*[T ]\d{{1,2}}[:.]\d{{2}}(?:[:.]\d{{2}}(?:[.,]\d+)?)?(?: *{NOON})?) *\(?({_ZONE})\)?"


def _noon_formats(time_format: str | None) -> Iterable[str]:
    for day in ("%Y-%m-%d", "%Y/%m/%d"):
        for clock in ("%I:%M:%S %p", "%I:%M %p"):
            yield f"{day} {clock}"
    if time_format is not None and "%p" not in time_format:
        yield time_format.replace("%H", "%I").replace("%-H", "%I") + " %p"
    elif time_format is not None:
        yield time_format


def has_zone(time_format: str | None) -> bool:
    """Return whether a time format reads a zone or offset itself."""
    return time_format is not None and re.search("%[zZ]", time_format) is not None


def local_time(text: str, time_format: str | None) -> str:
    """Return the SQL of a trimmed text as a timestamp on its own clock, null when it is none or has a zone."""
    ways = []
    plain = None if time_format is None else re.sub(r" *%[zZ]", "", time_format)
    if plain is not None:
        # DuckDB also reads 'inf' and 'epoch' as times; a time that somebody wrote has a digit.
        ways.append(
            f"CASE WHEN REGEXP_MATCHES({text}, '[0-9]') THEN TRY_STRPTIME({text}, {literal(plain)}) END"
        )
    ways.append(f"CASE WHEN REGEXP_FULL_MATCH({text}, {literal(ISO)}) THEN TRY_CAST({text} AS TIMESTAMP) END")
    noon = r"(.*\d) *([AaPp])\.?[Mm]\.?"
    spelt = f"REPLACE(REGEXP_REPLACE({text}, {literal(noon)}, '\\1 \\2M'), 'T', ' ')"
    formats = ", ".join(literal(form) for form in _noon_formats(plain))
    ways.append(
        f"CASE WHEN REGEXP_FULL_MATCH({text}, {literal(noon)}) THEN TRY_STRPTIME({spelt}, [{formats}]) END"
    )
    return f"COALESCE({', '.join(ways)})"


def zoned_time(text: str, time_format: str | None) -> str:
    """Return the SQL of a trimmed text that says its zone or offset as a UTC timestamp, null when it says none."""
    base = f"REGEXP_EXTRACT({text}, {literal(f'^{_ZONED}$')}, 1)"
    zone = f"REGEXP_EXTRACT({text}, {literal(f'^{_ZONED}$')}, 2)"
    offset = f"REPLACE(REGEXP_REPLACE({zone}, '^(UTC|GMT)', ''), '−', '-')"
    padded = f"REGEXP_REPLACE({offset}, '^([-+])(\\d)(:.*)?$', '\\10\\2\\3')"
    known = " ".join(f"WHEN '{name}' THEN '{hours}'" for name, hours in OFFSETS.items())
    suffix = f"""CASE UPPER({zone}) {known} ELSE CASE
        WHEN REGEXP_FULL_MATCH({zone}, {literal(_OFFSET)}) THEN {padded} ELSE ' ' || {zone} END END"""
    local = local_time(f"TRIM({base})", time_format)
    utc = f"TIMEZONE('UTC', TRY_CAST(CAST({local} AS VARCHAR) || {suffix} AS TIMESTAMPTZ))"
    written = f"CASE WHEN REGEXP_FULL_MATCH({text}, {literal(_ZONED)}) THEN {utc} END"
    if not has_zone(time_format):
        return written
    return f"COALESCE(TIMEZONE('UTC', TRY_STRPTIME({text}, {literal(str(time_format))})), {written})"
