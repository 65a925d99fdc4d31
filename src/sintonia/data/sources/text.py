"""Text files as records: decompression, encoding, delimiter, quotes, line ends and decimal sign.

Silos, the files they are joined with and lists are all read by it.
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

from sintonia.core.errors import ConfigError, InputError, hint
from sintonia.data.sources.encodings import PAGES, guess_code_page

BYTES_PER_BLOCK = 1 << 20
"""Bytes read at a time."""

LINES_PER_BATCH = 4096
MAX_LINES_PER_CELL, MAX_LETTERS_PER_CELL = 200, 1 << 18
"""Limits of one quoted cell, so that a stray quote does not consume the rest of the file."""


def open_bytes(path: Path) -> IO[bytes]:
    """Return the file's bytes, decompressed if it is a gzip or zstd file."""
    with path.open("rb") as file:
        magic = file.read(4)
    if magic.startswith(b"\x1f\x8b"):
        return cast(IO[bytes], gzip.open(path))
    if magic == b"\x28\xb5\x2f\xfd":
        import pyarrow as pa

        return cast(IO[bytes], io.BufferedReader(pa.CompressedInputStream(pa.OSFile(str(path)), "zstd")))
    return path.open("rb")


def blocks(path: Path, size: int = BYTES_PER_BLOCK, what: str = "list") -> Iterator[bytes]:
    """Yield the decompressed bytes of a file block by block; `what` the file is stands in the message.

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
            f"The {what} '{path.name}' is a gzip file that is cut short or damaged; pack or download it again."
        ) from None


def records(lines: Iterator[str], delimiter: str, strict: bool = False) -> Iterator[tuple[list[str], str]]:
    r"""Yield the records of lines, each with its problem, empty for none; a quoted cell may span lines.

    Text behind a closing quote is read as it stands; when `strict` it is a problem.

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
            yield _parse_quoted(line, source, delimiter, strict)
    yield from ((cells, "") for cells in csv.reader(plain, delimiter=delimiter))


class _PushBackLines:
    """An iterator of lines to which lines can be returned."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._waiting: deque[str] = deque()

    def __iter__(self) -> "_PushBackLines":
        return self

    def __next__(self) -> str:
        return self._waiting.popleft() if self._waiting else next(self._lines)

    def put_back(self, lines: list[str]) -> None:
        """Put these lines back, to be read next."""
        self._waiting.extendleft(reversed(lines))


def _parse_quoted(
    line: str, source: _PushBackLines, delimiter: str, strict: bool = False
) -> tuple[list[str], str]:
    """Return the record that begins with a line with quotes; lines that do not belong to it are put back."""
    lines = [line]
    while (cells_of_record := _parse_record(lines, delimiter)) is None:
        if not _extend_to_next_quote(lines, source):
            break
    if cells_of_record:
        return cells_of_record, ""
    source.put_back(lines[1:])
    (cells,) = csv.reader([line.rstrip("\r\n")], delimiter=delimiter)
    if _parse_record([line], delimiter) is None:
        return cells, "a quote is opened and never closed"
    return cells, "text behind a closing quote" if strict else ""


def _parse_record(lines: list[str], delimiter: str) -> list[str] | None:
    """Return the cells if the lines are one record, [] if they are not, None while a quote is open."""
    try:
        parsed = list(csv.reader(lines, delimiter=delimiter, strict=True))
    except csv.Error as error:
        return None if "unexpected end" in str(error) else []
    return parsed[0] if len(parsed) == 1 else []


def _extend_to_next_quote(lines: list[str], source: _PushBackLines) -> bool:
    """Append lines up to the next one with a quote; return False if there is none within the limits."""
    while len(lines) < MAX_LINES_PER_CELL and sum(map(len, lines)) < MAX_LETTERS_PER_CELL:
        following = next(source, None)
        if following is None:
            return False
        lines.append(following)
        if '"' in following:
            return True
    return False


DELIMITERS = ("\t", ";", "|", ",", "^", ":")
"""Possible delimiters, those that are rarer inside cells first."""

RARE_DELIMITERS = ("^", ":")
"""Delimiters that are used only if no other fits."""

DELIMITER_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", "^": "carets", ":": "colons"}

SAMPLED_ROWS = 100

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True)
class Dialect:
    """How a text file is written; `preamble` is a line `sep=;` before the header, as spreadsheets write it."""

    encoding: str = "utf-8-sig"
    errors: str = "strict"
    delimiter: str = ","
    line_end: str = "\r\n"
    quotes_all: bool = False
    decimal: str = "."
    preamble: str = ""

    def __str__(self) -> str:
        """Return the dialect as a phrase for the log."""
        ends = {"\r\n": "Windows", "\n": "Unix", "\r": "old Mac"}[self.line_end]
        name = DELIMITER_NAMES.get(self.delimiter, repr(self.delimiter))
        sign = "comma" if self.decimal == "," else "point"
        return f"text in {self.encoding}, cells separated by {name}, {ends} line ends, decimal {sign}"


def find_dialect(
    path: Path,
    what: str = "list",
    encoding: str | None = None,
    delimiter: str | None = None,
    sampled: bool = False,
) -> Dialect:
    """Return the dialect of a text file, inferred from its first bytes unless it is given.

    Its encoding is checked against all of its bytes, or, when `sampled`, against the first ones only.

    Raises
    ------
    InputError
        When it is empty or not a text file.
    ConfigError
        When the given encoding does not exist.
    """
    sample = next(blocks(path, what=what), b"")
    if is_blank(sample):
        raise InputError(f"The {what} '{path.name}' has nothing in it; give at least one row.")
    encoding, errors = (
        _find_encoding(path, sample, what, sampled)
        if encoding is None
        else _given_encoding(path, encoding, what)
    )
    text = codecs.getincrementaldecoder(encoding)("replace").decode(sample)
    if _is_binary(text):
        raise InputError(
            f"The {what} '{path.name}' is not text; save it as {'CSV' if what == 'file' else 'CSV, Excel'} or Parquet."
        )
    preamble = re.match(r"\ufeff?sep=(.)(\r\n|\r|\n)", text, re.IGNORECASE)
    text = text[preamble.end() :] if preamble else text
    lines = io.StringIO(text, newline="").readlines()
    complete_lines = lines[:-1] if len(sample) == BYTES_PER_BLOCK and len(lines) > 1 else lines
    delimiter = delimiter or (preamble[1] if preamble else _find_delimiter(complete_lines))
    return Dialect(
        encoding=encoding,
        errors=errors,
        delimiter=delimiter,
        line_end=_find_line_end(text),
        quotes_all=_quotes_all(complete_lines, delimiter),
        decimal=_find_decimal_sign(complete_lines, delimiter),
        preamble=preamble[0] if preamble else "",
    )


def is_blank(text: bytes) -> bool:
    """Return whether there is nothing but marks, blanks and line ends."""
    return not text.strip(b"\x00\xff\xfe\xef\xbb\xbf \t\r\n")


def _given_encoding(path: Path, encoding: str, what: str) -> tuple[str, str]:
    """Return a given encoding and its error handler; Latin-1 is read as Windows-1252, as browsers do.

    Windows-1252 is Latin-1 with letters and signs where that has control characters, which no text has.
    """
    try:
        name = codecs.lookup(encoding).name
    except LookupError:
        raise ConfigError(
            f"Unknown encoding '{encoding}'; {hint(encoding, ['utf-8', 'utf-16', 'latin-1', *PAGES])}"
        ) from None
    if name in ("utf-8", "utf-8-sig"):
        return "utf-8-sig", "surrogateescape"
    if name in ("iso8859-1", "cp1252"):
        return ("cp1252" if _decodes(path, "cp1252", what) else "latin-1"), "strict"
    return name, "replace"


def _find_encoding(path: Path, sample: bytes, what: str, sampled: bool) -> tuple[str, str]:
    """Return the encoding, and the error handler with which undecodable bytes can be written back unchanged."""

    def decodes(name: str) -> bool:
        return _decodes(path, name, what, sample if sampled else None)

    for byte_order_mark, name in _BYTE_ORDER_MARKS:
        if sample.startswith(byte_order_mark):
            return name, "strict" if name == "utf-8-sig" and decodes(name) else _error_handler(name)
    even, odd = sample[:4096:2].count(0), sample[1:4096:2].count(0)
    if max(even, odd) > 0.3 * len(sample[:4096:2]) and min(even, odd) < 0.1 * max(even, odd):
        return ("utf-16-le" if odd > even else "utf-16-be"), "replace"
    if decodes("utf-8"):
        return "utf-8", "strict"
    non_ascii_lines = _non_ascii_lines(path, what)
    decoded = non_ascii_lines.decode("utf-8", "replace")
    broken = decoded.count("\ufffd")
    # In a code page two letters hardly ever look like one of UTF-8, so that a few of these tell more than broken ones.
    if broken <= sum(letter > "\x7f" for letter in decoded) - broken:
        return "utf-8", "surrogateescape"
    return next(
        name for name in [*guess_code_page(non_ascii_lines), "cp1252", "latin-1"] if decodes(name)
    ), "strict"


NON_ASCII_BYTES = 1 << 16
"""Bytes of lines with other than ASCII letters that tell the code page."""


def _non_ascii_lines(path: Path, what: str) -> bytes:
    """Return the first lines with bytes above 127, wherever in the file they are."""
    collected, size, rest = [], 0, b""
    for block in blocks(path, what=what):
        if rest.isascii() and block.isascii():
            rest = b""
            continue
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            if not line.isascii():
                collected.append(line)
                size += len(line)
        if size > NON_ASCII_BYTES:
            break
    return b"\n".join([*collected, rest])[:NON_ASCII_BYTES]


def _error_handler(encoding: str) -> str:
    """Return the error handler for an encoding: undecodable bytes of UTF-8 survive, others are replaced."""
    return "surrogateescape" if encoding == "utf-8-sig" else "replace"


def _decodes(path: Path, encoding: str, what: str, sample: bytes | None = None) -> bool:
    """Return whether the whole file can be decoded, or its sample."""
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for block in blocks(path, what=what) if sample is None else [sample]:
            decoder.decode(block)
        decoder.decode(b"", sample is None)
    except UnicodeDecodeError:
        return False
    return True


def _is_binary(text: str) -> bool:
    """Return whether the text has more control characters than text files have."""
    n_control = sum(letter < " " and letter not in "\t\r\n\x0b\x0c\x1a" for letter in text[:8192])
    return n_control > max(8, 0.05 * len(text[:8192]))


def _find_delimiter(lines: list[str]) -> str:
    """Return the delimiter that splits most rows into as many cells as the header; of ties, the rarer one in cells."""
    shares = {}
    for delimiter in DELIMITERS:
        widths = [len(cells) for cells, _ in islice(records(iter(lines), delimiter), SAMPLED_ROWS) if cells]
        if widths and widths[0] > 1:
            shares[delimiter] = sum(width == widths[0] for width in widths) / len(widths)
    candidates = {
        candidate: share for candidate, share in shares.items() if candidate not in RARE_DELIMITERS
    } or shares
    return max(candidates, key=lambda candidate: candidates[candidate]) if candidates else ","


def _find_line_end(text: str) -> str:
    """Return the first line end, Windows' if there is none."""
    match = re.search(r"\r\n|\n|\r", text)
    return match[0] if match else "\r\n"


def _quotes_all(lines: list[str], delimiter: str) -> bool:
    """Return whether every cell of the sample is quoted."""
    sampled = [line.rstrip("\r\n") for line in lines[:SAMPLED_ROWS] if line.strip()]
    boundary = f'"{delimiter}"'
    width = sampled[0].count(boundary) if sampled else 0
    return bool(sampled) and all(
        len(line) > 1 and line[0] == line[-1] == '"' and line.count(boundary) == width for line in sampled
    )


def _find_decimal_sign(lines: list[str], delimiter: str) -> str:
    """Return the decimal sign of most numbers in the sample, a point if there is none."""
    counts = {",": 0, ".": 0}
    for cells, _ in islice(records(iter(lines), delimiter), SAMPLED_ROWS):
        for cell in cells:
            match = re.fullmatch(r"[-+]?\d+([.,])\d+", cell.strip())
            if match and not re.fullmatch(r"[-+]?[1-9]\d{0,2}[.,]\d{3}", cell.strip()):
                counts[match[1]] += 1
    return "," if counts[","] > counts["."] else "."


def delimited_rows(path: Path, dialect: Dialect, strict: bool = False) -> Iterator[tuple[list[str], str]]:
    """Yield the file's records, header first: cells, and the problem of the record (empty for none).

    Blank lines between rows are records without cells; those at the start and the end are skipped.
    """
    with (
        open_bytes(path) as file,
        io.TextIOWrapper(file, encoding=dialect.encoding, errors=dialect.errors, newline="") as text,
    ):
        if dialect.preamble:
            text.readline()
        blank, started = 0, False
        for cells, problem in records(text, dialect.delimiter, strict):
            if not cells:
                blank += started
                continue
            yield from (([], "") for _ in range(blank))
            blank, started = 0, True
            yield cells, problem
