"""Text in records: lines, JSON Lines and delimited rows, in blocks, with the encoding that gives their bytes back."""

import csv
import io
from collections.abc import Callable, Iterator
from typing import IO

import numpy as np
import pyarrow as pa

from sintonia.core.arrays import Bools
from sintonia.data.privacy.traces import Traces, json_cells

DELIMITERS = (",", ";", "\t", "|")
BYTES_PER_READ = 1 << 24
"""Bytes of text taken at a time."""

LONGEST = 20
"""Lines one CSV record may span; a stray quote must not make a record of the rest of the file."""

Cells = Callable[[str], list[tuple[str, str]]]
"""What reads a record's text into (column, value) pairs."""


def marked_blocks(
    file: IO[bytes], kind: str, traces: Traces
) -> Iterator[tuple[tuple[list[str], str], Bools]]:
    """Yield blocks of a text's records with their encoding, and which of them hold a trace; a header never does."""
    cells: Cells = _json_records if kind == "json lines" else lambda line: [("", line)]
    header: list[str] = []
    for text, encoding in _texts(file):
        lines = text.splitlines(keepends=True) if "\r" in text and "\n" not in text else _lines(text)
        first = kind == "delimited" and not header
        if first and lines:
            delimiter = max(DELIMITERS, key=lines[0].count)
            header = next(csv.reader([lines[0].lstrip("\ufeff")], delimiter=delimiter), [])
            cells = _delimited(header, delimiter)
        records = _whole(lines, len(header), delimiter) if kind == "delimited" else lines
        found = _in_records(records, traces, cells, kind == "json lines")
        if first and len(found) and len(header) > 1:
            found[0] = False
        yield (records, encoding), found


def _in_records(records: list[str], traces: Traces, cells: Cells, escaped: bool) -> Bools:
    """Return which records hold a trace."""
    values = pa.array(records, pa.string())
    found = np.zeros(len(records), bool)
    for at in np.flatnonzero(traces.perhaps(values, *([r"\\"] if escaped else []))):
        found[at] = traces.in_cells(cells(records[at]))
    return found


def _json_records(line: str) -> list[tuple[str, str]]:
    """Return the (key, value) pairs of a line of JSON."""
    return list(json_cells(line))


def _delimited(header: list[str], delimiter: str) -> Cells:
    def cells(record: str) -> list[tuple[str, str]]:
        found = next(csv.reader(io.StringIO(record, newline=""), delimiter=delimiter), [])
        names = [*header, *[""] * max(len(found) - len(header), 0)]
        return list(zip(names, found, strict=False))

    return cells


def _whole(lines: list[str], width: int, delimiter: str) -> list[str]:
    """Return records of lines: a quoted cell may hold line ends, if that gives a record of the header's width."""
    open_quotes = [line.count('"') % 2 == 1 for line in lines]
    if not any(open_quotes):
        return lines
    records, at = [], 0
    while at < len(lines):
        ends = (end for end in range(at + 1, min(at + LONGEST, len(lines))) if open_quotes[end])
        end = next(ends, None) if open_quotes[at] else None
        joined = "" if end is None else "".join(lines[at : end + 1])
        fits = (
            bool(joined)
            and len(next(csv.reader(io.StringIO(joined, newline=""), delimiter=delimiter))) == width
        )
        records.append(joined if fits else lines[at])
        at = end + 1 if fits and end is not None else at + 1
    return records


def _texts(file: IO[bytes]) -> Iterator[tuple[str, str]]:
    """Yield a file's text in blocks of whole lines, each with the encoding that gives its bytes back."""
    rest = b""
    while block := file.read(BYTES_PER_READ):
        if not rest and block.startswith((b"\xff\xfe", b"\xfe\xff")):
            yield (block + file.read()).decode("utf-16"), "utf-16"
            return
        whole, end, rest = (rest + block).rpartition(b"\n")
        if end:
            yield _readable(whole + end)
    if rest:
        yield _readable(rest)


def _readable(raw: bytes) -> tuple[str, str]:
    try:
        return raw.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return raw.decode("latin-1"), "latin-1"


def decoded(raw: bytes) -> str:
    """Return a whole file's text, by its mark, as UTF-8, or as Latin-1, which reads anything."""
    return raw.decode("utf-16") if raw.startswith((b"\xff\xfe", b"\xfe\xff")) else _readable(raw)[0]


def _lines(text: str) -> list[str]:
    """Return the lines with their ends; str.splitlines would also part at characters that stand inside cells."""
    parted = text.split("\n")
    lines = [line + "\n" for line in parted[:-1]]
    return lines + ([parted[-1]] if parted[-1] else [])
