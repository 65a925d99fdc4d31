"""Birth dates as they are written: ISO, day or month first, month names, two-digit years, spreadsheet numbers."""

import re
from datetime import date, timedelta

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
