"""Text as records: bytes unpacked, lines parted into cells, quotes that are never closed told.

How marketing writes its text: encoding, delimiter, quotes, line ends and decimal sign found out.
"""

import codecs
import csv
import gzip
import io
import re
import sys
import zlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, cast

from sintonia.core.errors import InputError

BYTES_PER_BLOCK = 1 << 20
"""Bytes read at a time."""

LINES_PER_BATCH = 4096
MAX_LINES_PER_CELL, MAX_LETTERS_PER_CELL = 200, 1 << 18
"""Lines and letters one quoted cell may span; a stray quote must not swallow the rest of the list."""


def open_bytes(path: Path) -> IO[bytes]:
    """Return the file's bytes, unpacked when they are gzip's."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return cast(IO[bytes], gzip.open(path)) if packed else path.open("rb")


def blocks(path: Path, size: int = BYTES_PER_BLOCK) -> Iterator[bytes]:
    """Yield the unpacked bytes of a file block by block.

    Raises
    ------
    InputError
        When a gzip file is cut short or damaged.
    """
    try:
        with open_bytes(path) as file:
            while block := file.read(size):
                yield block
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise InputError(
            f"The list '{path.name}' is a gzip file that is cut short or damaged; pack or download it again."
        ) from None


def records(lines: Iterator[str], delimiter: str) -> Iterator[tuple[list[str], str]]:
    r"""Yield records of lines, each with what is wrong with it; a quoted cell may hold line ends.

    Examples
    --------
    >>> list(records(iter(['1,"a\n', 'b"\n', '2,"c\n', '3,d\n']), ","))
    [(['1', 'a\nb'], ''), (['2', 'c'], 'a quote is opened and never closed'), (['3', 'd'], '')]
    """
    csv.field_size_limit(sys.maxsize)
    source = _PushBackLines(lines)
    plain: list[str] = []
    for line in source:
        quoted = '"' in line
        if not quoted:
            plain.append(line)
        if quoted or len(plain) == LINES_PER_BATCH:
            yield from ((cells, "") for cells in csv.reader(plain, delimiter=delimiter))
            plain = []
        if quoted:
            yield _parse_quoted(line, source, delimiter)
    yield from ((cells, "") for cells in csv.reader(plain, delimiter=delimiter))


class _PushBackLines:
    """Lines of which some can be put back."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._waiting: deque[str] = deque()

    def __iter__(self) -> "_PushBackLines":
        return self

    def __next__(self) -> str:
        return self._waiting.popleft() if self._waiting else next(self._lines)

    def put_back(self, lines: list[str]) -> None:
        """Let these lines be the next ones."""
        self._waiting.extendleft(reversed(lines))


def _parse_quoted(line: str, source: _PushBackLines, delimiter: str) -> tuple[list[str], str]:
    """Return the record that begins with a line that has quotes; lines that are not its own are put back."""
    taken = [line]
    while (found := _parse_record(taken, delimiter)) is None:
        if not _extend_to_next_quote(taken, source):
            break
    if found:
        return found, ""
    source.put_back(taken[1:])
    (cells,) = csv.reader([line.rstrip("\r\n")], delimiter=delimiter)
    stays_open = _parse_record([line], delimiter) is None
    return cells, "a quote is opened and never closed" if stays_open else ""


def _parse_record(taken: list[str], delimiter: str) -> list[str] | None:
    """Return the cells of the lines if they are one record; none when they are not, None while a quote is open."""
    try:
        found = list(csv.reader(taken, delimiter=delimiter, strict=True))
    except csv.Error as error:
        return None if "unexpected end" in str(error) else []
    return found[0] if len(found) == 1 else []


def _extend_to_next_quote(taken: list[str], source: _PushBackLines) -> bool:
    """Add lines up to the next that has a quote; return False when there is none near."""
    while len(taken) < MAX_LINES_PER_CELL and sum(map(len, taken)) < MAX_LETTERS_PER_CELL:
        following = next(source, None)
        if following is None:
            return False
        taken.append(following)
        if '"' in following:
            return True
    return False


DELIMITERS = ("\t", ";", "|", ",", "^", ":")
"""What may part cells, what is rarer inside them first."""

RARE_DELIMITERS = ("^", ":")
"""What parts cells only where nothing else does."""

DELIMITER_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", "^": "carets", ":": "colons"}

SAMPLED_ROWS = 100

CODE_PAGES = [
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
MIN_NON_ASCII = 32
"""Letters beyond ASCII by which one code page can be told from another; with fewer it is Windows' western one."""

_BYTE_ORDER_MARKS = (
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
        name = DELIMITER_NAMES.get(self.delimiter, repr(self.delimiter))
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
    encoding, errors = _find_encoding(path, sample)
    text = codecs.getincrementaldecoder(encoding)("replace").decode(sample)
    if _is_binary(text):
        raise InputError(f"The list '{path.name}' is not text; save it as CSV, Excel or Parquet.")
    preamble = re.match(r"sep=(.)(\r\n|\r|\n)", text, re.IGNORECASE)
    text = text[preamble.end() :] if preamble else text
    lines = io.StringIO(text, newline="").readlines()
    judged = lines[:-1] if len(sample) == BYTES_PER_BLOCK and len(lines) > 1 else lines
    delimiter = preamble[1] if preamble else _find_delimiter(judged)
    return Dialect(
        encoding=encoding,
        errors=errors,
        delimiter=delimiter,
        line_end=_find_line_end(text),
        quotes_all=_quotes_all(judged, delimiter),
        decimal=_find_decimal_sign(judged, delimiter),
        preamble=preamble[0] if preamble else "",
    )


def _find_encoding(path: Path, sample: bytes) -> tuple[str, str]:
    """Return the encoding and what is done with bytes that do not fit it, so that they can be written as they came."""
    for mark, name in _BYTE_ORDER_MARKS:
        if sample.startswith(mark):
            return name, "strict" if name == "utf-8-sig" and _decodes(path, name) else _error_handler(name)
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
        name for name in [*_guess_code_page(telling, beyond), "cp1252", "latin-1"] if _decodes(path, name)
    ), "strict"


def _error_handler(encoding: str) -> str:
    return "surrogateescape" if encoding == "utf-8-sig" else "replace"


def _guess_code_page(telling: bytes, beyond: int) -> list[str]:
    """Return the code page that the letters beyond ASCII are most likely of, none when they are few."""
    if beyond < MIN_NON_ASCII:
        return []
    from charset_normalizer import from_bytes

    best = from_bytes(telling[: 1 << 16], cp_isolation=CODE_PAGES).best()
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


def _find_delimiter(lines: list[str]) -> str:
    """Return what parts the most rows into as many cells as the header has; of equals, what is rarer inside cells."""
    shares = {}
    for delimiter in DELIMITERS:
        found = [len(cells) for cells, _ in islice(records(iter(lines), delimiter), SAMPLED_ROWS) if cells]
        if found and found[0] > 1:
            shares[delimiter] = sum(width == found[0] for width in found) / len(found)
    told = {one: share for one, share in shares.items() if one not in RARE_DELIMITERS} or shares
    return max(told, key=lambda one: told[one]) if told else ","


def _find_line_end(text: str) -> str:
    found = re.search(r"\r\n|\n|\r", text)
    return found[0] if found else "\r\n"


def _quotes_all(lines: list[str], delimiter: str) -> bool:
    some = [line.rstrip("\r\n") for line in lines[:SAMPLED_ROWS] if line.strip()]
    parted = f'"{delimiter}"'
    width = some[0].count(parted) if some else 0
    return bool(some) and all(
        len(line) > 1 and line[0] == line[-1] == '"' and line.count(parted) == width for line in some
    )


def _find_decimal_sign(lines: list[str], delimiter: str) -> str:
    """Return the decimal sign that more cells of the sample have; a point when none tells."""
    counts = {",": 0, ".": 0}
    for cells, _ in islice(records(iter(lines), delimiter), SAMPLED_ROWS):
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
        open_bytes(path) as file,
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
