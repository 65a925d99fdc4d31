"""How marketing writes its text: encoding, delimiter, quotes, line ends and decimal sign found out."""

import codecs
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from sintonia.core.errors import InputError
from sintonia.serving.lists.text import BYTES_PER_BLOCK, blocks, opened, records

DELIMITERS = ("\t", ";", "|", ",", "^", ":")
"""What may part cells, what is rarer inside them first."""

SELDOM = ("^", ":")
"""What parts cells only where nothing else does."""

NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", "^": "carets", ":": "colons"}

JUDGED_ROWS = 100

WESTERN = [
    "cp1252",
    "cp1250",
    "cp1251",
    "cp1253",
    "cp1254",
    "cp1257",
    "mac_roman",
    "iso8859_2",
    "cp850",
    "cp437",
]
TELLING = 32
"""Letters beyond ASCII by which one code page can be told from another; with fewer it is Windows' western one."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True)
class Dialect:
    """How a list writes its text; `preamble` is a line `sep=;` before the header, for spreadsheets."""

    encoding: str = "utf-8-sig"
    errors: str = "strict"
    delimiter: str = ","
    line_end: str = "\r\n"
    quotes_all: bool = False
    decimal: str = "."
    preamble: str = ""

    def __str__(self) -> str:
        """Return the dialect in words."""
        ends = {"\r\n": "Windows", "\n": "Unix", "\r": "old Mac"}[self.line_end]
        name = NAMES.get(self.delimiter, repr(self.delimiter))
        sign = "comma" if self.decimal == "," else "point"
        return f"text in {self.encoding}, cells parted by {name}, {ends} line ends, decimal {sign}"


def find_dialect(path: Path) -> Dialect:
    """Return the dialect of a list.

    Raises
    ------
    InputError
        When it holds nothing, or is no text.
    """
    sample = next(blocks(path), b"")
    if not sample.strip(b"\x00\xff\xfe\xef\xbb\xbf \t\r\n"):
        raise InputError(f"The list '{path.name}' has nothing in it; give at least one row.")
    encoding, errors = _encoding(path, sample)
    text = codecs.getincrementaldecoder(encoding)("replace").decode(sample)
    if _is_binary(text):
        raise InputError(f"The list '{path.name}' is not text; save it as CSV, Excel or Parquet.")
    preamble = re.match(r"sep=(.)(\r\n|\r|\n)", text, re.IGNORECASE)
    text = text[preamble.end() :] if preamble else text
    lines = io.StringIO(text, newline="").readlines()
    judged = lines[:-1] if len(sample) == BYTES_PER_BLOCK and len(lines) > 1 else lines
    delimiter = preamble[1] if preamble else _delimiter(judged)
    return Dialect(
        encoding=encoding,
        errors=errors,
        delimiter=delimiter,
        line_end=_line_end(text),
        quotes_all=_quotes_all(judged, delimiter),
        decimal=_decimal(judged, delimiter),
        preamble=preamble[0] if preamble else "",
    )


def _encoding(path: Path, sample: bytes) -> tuple[str, str]:
    """Return the encoding and what is done with bytes that do not fit it, so that they can be written as they came."""
    for mark, name in _MARKS:
        if sample.startswith(mark):
            return name, "strict" if name == "utf-8-sig" and _decodes(path, name) else _lenient(name)
    even, odd = sample[:4096:2].count(0), sample[1:4096:2].count(0)
    if max(even, odd) > 0.3 * len(sample[:4096:2]) and min(even, odd) < 0.1 * max(even, odd):
        return ("utf-16-le" if odd > even else "utf-16-be"), "replace"
    if _decodes(path, "utf-8"):
        return "utf-8", "strict"
    telling = b"\n".join(line for line in sample.splitlines() if max(line, default=0) > 127) or sample
    told = telling.decode("utf-8", "replace")
    beyond = sum(letter > "\x7f" for letter in told)
    if told.count("\ufffd") * 10 < beyond:
        return "utf-8", "surrogateescape"
    return next(
        name for name in [*_guess(telling, beyond), "cp1252", "latin-1"] if _decodes(path, name)
    ), "strict"


def _lenient(encoding: str) -> str:
    return "surrogateescape" if encoding == "utf-8-sig" else "replace"


def _guess(telling: bytes, beyond: int) -> list[str]:
    """Return the code page that the letters beyond ASCII are most likely of, none when they are few."""
    if beyond < TELLING:
        return []
    from charset_normalizer import from_bytes

    best = from_bytes(telling[: 1 << 16], cp_isolation=WESTERN).best()
    return [] if best is None else [best.encoding]


def _decodes(path: Path, encoding: str) -> bool:
    """Return whether all of the file can be read in the encoding."""
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for block in blocks(path):
            decoder.decode(block)
        decoder.decode(b"", True)
    except UnicodeDecodeError:
        return False
    return True


def _is_binary(text: str) -> bool:
    odd = sum(letter < " " and letter not in "\t\r\n\x0b\x0c\x1a" for letter in text[:8192])
    return odd > max(8, 0.05 * len(text[:8192]))


def _delimiter(lines: list[str]) -> str:
    """Return what parts the most rows into as many cells as the header has; of equals, what is rarer inside cells."""
    shares = {}
    for delimiter in DELIMITERS:
        found = [len(cells) for cells, _ in islice(records(iter(lines), delimiter), JUDGED_ROWS) if cells]
        if found and found[0] > 1:
            shares[delimiter] = sum(width == found[0] for width in found) / len(found)
    told = {one: share for one, share in shares.items() if one not in SELDOM} or shares
    return max(told, key=lambda one: told[one]) if told else ","


def _line_end(text: str) -> str:
    found = re.search(r"\r\n|\n|\r", text)
    return found[0] if found else "\r\n"


def _quotes_all(lines: list[str], delimiter: str) -> bool:
    some = [line.rstrip("\r\n") for line in lines[:JUDGED_ROWS] if line.strip()]
    parted = f'"{delimiter}"'
    width = some[0].count(parted) if some else 0
    return bool(some) and all(
        len(line) > 1 and line[0] == line[-1] == '"' and line.count(parted) == width for line in some
    )


def _decimal(lines: list[str], delimiter: str) -> str:
    """Return the decimal sign that more cells of the sample have; a point when none tells."""
    counts = {",": 0, ".": 0}
    for cells, _ in islice(records(iter(lines), delimiter), JUDGED_ROWS):
        for cell in cells:
            found = re.fullmatch(r"[-+]?\d+([.,])\d+", cell.strip())
            if found and not re.fullmatch(r"[-+]?[1-9]\d{0,2}[.,]\d{3}", cell.strip()):
                counts[found[1]] += 1
    return "," if counts[","] > counts["."] else "."


def delimited_rows(path: Path, dialect: Dialect) -> Iterator[tuple[list[str], str]]:
    """Yield the list's records, header first: cells, and what is wrong with the record ("" when nothing is).

    Blank lines between rows are records without cells; those at either end are none.
    """
    with (
        opened(path) as file,
        io.TextIOWrapper(file, encoding=dialect.encoding, errors=dialect.errors, newline="") as text,
    ):
        if dialect.preamble:
            text.readline()
        blank, begun = 0, False
        for cells, wrong in records(text, dialect.delimiter):
            if not cells:
                blank += begun
                continue
            yield from (([], "") for _ in range(blank))
            blank, begun = 0, True
            yield cells, wrong
