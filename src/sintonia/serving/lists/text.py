"""Text as records: bytes unpacked, lines parted into cells, quotes that are never closed told."""

import csv
import gzip
import sys
import zlib
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from sintonia.core.errors import InputError

BYTES_PER_BLOCK = 1 << 20
"""Bytes read at a time."""

BATCH = 4096
LONGEST_LINES, LONGEST_TEXT = 200, 1 << 18
"""Lines and letters one quoted cell may span; a stray quote must not swallow the rest of the list."""


def opened(path: Path) -> IO[bytes]:
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
        with opened(path) as file:
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
    source = _Lines(lines)
    plain: list[str] = []
    for line in source:
        quoted = '"' in line
        if not quoted:
            plain.append(line)
        if quoted or len(plain) == BATCH:
            yield from ((cells, "") for cells in csv.reader(plain, delimiter=delimiter))
            plain = []
        if quoted:
            yield _parse_quoted(line, source, delimiter)
    yield from ((cells, "") for cells in csv.reader(plain, delimiter=delimiter))


class _Lines:
    """Lines of which some can be put back."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._waiting: deque[str] = deque()

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        return self._waiting.popleft() if self._waiting else next(self._lines)

    def put_back(self, lines: list[str]) -> None:
        """Let these lines be the next ones."""
        self._waiting.extendleft(reversed(lines))


def _parse_quoted(line: str, source: _Lines, delimiter: str) -> tuple[list[str], str]:
    """Return the record that begins with a line that has quotes; lines that are not its own are put back."""
    taken = [line]
    while (found := _parsed(taken, delimiter)) is None:
        if not _take_more(taken, source):
            break
    if found:
        return found, ""
    source.put_back(taken[1:])
    (cells,) = csv.reader([line.rstrip("\r\n")], delimiter=delimiter)
    stays_open = _parsed([line], delimiter) is None
    return cells, "a quote is opened and never closed" if stays_open else ""


def _parsed(taken: list[str], delimiter: str) -> list[str] | None:
    """Return the cells of the lines if they are one record; none when they are not, None while a quote is open."""
    try:
        found = list(csv.reader(taken, delimiter=delimiter, strict=True))
    except csv.Error as error:
        return None if "unexpected end" in str(error) else []
    return found[0] if len(found) == 1 else []


def _take_more(taken: list[str], source: _Lines) -> bool:
    """Add lines up to the next that has a quote; return False when there is none near."""
    while len(taken) < LONGEST_LINES and sum(map(len, taken)) < LONGEST_TEXT:
        following = next(source, None)
        if following is None:
            return False
        taken.append(following)
        if '"' in following:
            return True
    return False
