"""Traces of a person in files: decoded and searched, and rows with a trace removed.

Files are Parquet, CSV, JSON, gzip, zip, SQLite and text. What a file is, is told by its first bytes; whether text
has rows to remove, by its name. Text is read in blocks, with the encoding that gives its bytes back; rows that stay
keep theirs.
"""

import csv
import gzip
import html
import io
import json
import re
import sqlite3
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sintonia.core.arrays import Bools
from sintonia.data.identity.previous_build import hard_link

PLENTY = 200
"""How many words one pattern holds: RE2 keeps its automaton within a few megabytes."""

_LETTER = "0-9A-Za-z\u00aa-\u024f"  # \w means ASCII to Arrow's RE2 and all of Unicode to Python's re


@dataclass(frozen=True)
class Traces:
    """What to look for, in lower case.

    `words` are looked for anywhere, as whole words. `columns` holds by the name of a column what is found as a cell
    of it: identifiers too short to be told from other numbers. `names` are such cells too, which count only in rows
    that have nothing in the columns `unless`: a row that says whose it is by an identifier is not judged by a name.
    A table with the columns `source` and `source_key` is read as if it had `key`, their `type:value`.
    """

    words: frozenset[str] = frozenset()
    columns: Mapping[str, frozenset[str]] = field(default_factory=dict)
    names: Mapping[str, frozenset[str]] = field(default_factory=dict)
    unless: frozenset[str] = frozenset()

    @cached_property
    def patterns(self) -> list[str]:
        """The words as regular expressions that Arrow (RE2) and Python read alike."""
        listed = sorted(self.words)
        return [_pattern(listed[at : at + PLENTY]) for at in range(0, len(listed), PLENTY)]

    @cached_property
    def loose(self) -> list[str]:
        """Regular expressions that any text with a trace matches, and others with it: to look closer at few."""
        everything = sorted(self.words.union(*self.columns.values(), *self.names.values()) - {""})
        return [
            "(?i)" + "|".join(map(re.escape, everything[at : at + PLENTY]))
            for at in range(0, len(everything), PLENTY)
        ]

    @cached_property
    def _compiled(self) -> list[re.Pattern[str]]:
        return [re.compile(pattern) for pattern in self.patterns]

    def in_text(self, text: str) -> bool:
        """Return whether one of the words stands in the text.

        Examples
        --------
        >>> found = Traces(words=frozenset({"m.rossi@posta.it"}))
        >>> found.in_text("To: M.Rossi@posta.it."), found.in_text("anna.m.rossi@posta.it")
        (True, False)
        """
        return any(pattern.search(text) for pattern in self._compiled)

    def in_cells(self, cells: Iterable[tuple[str, str]]) -> bool:
        """Return whether one of the (column, value) pairs of a row is or holds a trace."""
        named = told = False
        for column, value in cells:
            name, plain = column.lower(), value.strip().lower()
            if plain in self.columns.get(name, ()) or self.in_text(value):
                return True
            named |= plain in self.names.get(name, ())
            told |= bool(plain) and name in self.unless
        return named and not told

    def rows(self, table: pa.Table) -> Bools:
        """Return which rows of the table hold a trace, (n_rows,)."""
        found = np.zeros(table.num_rows, bool)
        for name, column in zip(table.column_names, table.columns, strict=True):
            found |= self._marked(name, column.combine_chunks())
        if "key" in self.columns and {"source", "source_key"} <= set(table.column_names):
            keys = pc.binary_join_element_wise(
                *(table[name].cast(pa.string()) for name in ("source", "source_key")), ":"
            )
            found |= _among(keys.combine_chunks(), self.columns["key"])
        return found | self._named(table)

    def _named(self, table: pa.Table) -> Bools:
        """Return which rows have one of the names where they say by no identifier whose they are."""
        named, told = np.zeros(table.num_rows, bool), np.zeros(table.num_rows, bool)
        for column, values in zip(table.column_names, table.columns, strict=True):
            name = column.lower()
            if name in self.names and not pa.types.is_nested(values.type):
                named |= _among(values.combine_chunks(), self.names[name])
            if name in self.unless:
                told |= values.is_valid().to_numpy(zero_copy_only=False)
        return named & ~told

    def _marked(self, name: str, values: Any) -> Bools:  # noqa: ANN401  an Arrow array of any type
        """Return which values of an Arrow array hold a trace."""
        kind = values.type
        none = np.zeros(len(values), bool)
        if isinstance(values, pa.ChunkedArray):
            values = pa.concat_arrays(values.chunks) if values.num_chunks else pa.array([], kind)
        if pa.types.is_dictionary(kind):
            inside = pa.array(self._marked(name, values.dictionary))
            return _filled(inside.take(values.indices))
        if pa.types.is_list(kind) or pa.types.is_large_list(kind):
            none[pc.list_parent_indices(values).to_numpy()[self._marked(name, pc.list_flatten(values))]] = (
                True
            )
            return none
        if pa.types.is_struct(kind):
            parts = (
                self._marked(kind.field(at).name, pc.struct_field(values, at))
                for at in range(kind.num_fields)
            )
            return np.asarray(np.logical_or.reduce([none, *parts]), bool)
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            # Most columns repeat few values: each is looked at once.
            coded = values.dictionary_encode()
            return _filled(pa.array(self._in_strings(name, coded.dictionary)).take(coded.indices))
        if pa.types.is_integer(kind):
            exact = self.words | self.columns.get(name.lower(), frozenset())
            few = frozenset(text for text in exact if re.fullmatch(r"[-+]?\d+", text))
            return _among(values.cast(pa.string()), few) if few else none
        if pa.types.is_temporal(kind) or pa.types.is_primitive(kind) or pa.types.is_null(kind):
            return none
        return self._in_strings(
            name, pa.array([None if v is None else _text_of(v) for v in values.to_pylist()])
        )

    def perhaps(self, values: Any, *escapes: str) -> Bools:  # noqa: ANN401
        """Return which texts could hold a trace, once read as JSON or CSV: reading all would take minutes."""
        found = np.zeros(len(values), bool)
        for pattern in [*self.loose, *escapes]:
            found |= _filled(pc.match_substring_regex(values, pattern))
        return found

    def _in_strings(self, name: str, values: Any) -> Bools:  # noqa: ANN401
        found = _among(values, self.columns.get(name.lower(), frozenset()))
        for pattern in self.patterns:
            found |= _filled(pc.match_substring_regex(values, pattern))
        json_like = np.flatnonzero(_filled(pc.match_substring_regex(values, r"^\s*[\[{]")))
        if len(json_like):
            for at in json_like[self.perhaps(values.take(pa.array(json_like)), r"\\")].tolist():
                found[at] = found[at] or self.in_cells(json_cells(values[at].as_py()))
        return found


def json_cells(text: str) -> Iterator[tuple[str, str]]:
    """Yield the (key, value) pairs of all a JSON text holds, keys themselves too; the text as it is when it is none.

    Examples
    --------
    >>> list(json_cells('{"email": "a@b.it", "cards": [7]}'))
    [('', 'email'), ('email', 'a@b.it'), ('', 'cards'), ('cards', '7')]
    """
    try:
        whole = json.loads(text)
    except ValueError:
        yield "", text
    else:
        yield from _cells_of("", whole)


def _cells_of(name: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield "", str(key)
            yield from _cells_of(str(key), inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _cells_of(name, inner)
    elif value is not None:
        yield name, str(value)


def _pattern(words: list[str]) -> str:
    """Return a pattern of whole words; an address's dots, dashes and pluses belong to its word."""
    addresses = "|".join(re.escape(word) for word in words if "@" in word)
    others = "|".join(re.escape(word) for word in words if "@" not in word)
    parts = []
    if addresses:
        parts.append(rf"(?:^|[^{_LETTER}.+_-])(?:{addresses})(?:$|[^{_LETTER}_-])")
    if others:
        parts.append(rf"(?:^|[^{_LETTER}])(?:{others})(?:$|[^{_LETTER}])")
    return "(?im)" + "|".join(parts)


def _among(values: Any, texts: frozenset[str]) -> Bools:  # noqa: ANN401
    if not texts:
        return np.zeros(len(values), bool)
    plain = pc.utf8_lower(pc.utf8_trim_whitespace(values.cast(pa.string())))
    return _filled(pc.is_in(plain, pa.array(sorted(texts), pa.string())))


def _filled(found: Any) -> Bools:  # noqa: ANN401
    whole: Bools = pc.fill_null(found, False).to_numpy(zero_copy_only=False).astype(bool)
    return whole


def _text_of(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else json.dumps(value, default=str)


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


DELIMITED, JSON_LINES = (".csv", ".tsv", ".txt"), (".jsonl", ".ndjson")


def count_traces(path: Path, traces: Traces) -> int:
    """Return how many rows, records, lines or pages of a file hold a trace, whatever it is packed in.

    Parquet is read by row groups, gzip and zip are unpacked, SQLite is read table by table and page by page (free
    pages keep what was deleted); JSON and HTML are unescaped. Of a format nobody knows the bytes are searched.
    """
    with path.open("rb") as file:
        return _count(file, path.name, traces, path)


def remove_rows(path: Path, traces: Traces) -> int | None:
    """Return how many rows with a trace were removed from a file, None from one that has no rows of its own.

    The file is replaced in one step, and stays as it was when there is nothing to remove. Documents, databases and
    archives are left to the caller.
    """
    with path.open("rb") as file:
        kind = _kind(file, path.name)
    packed = kind == "gzip"
    if packed:
        with gzip.open(path) as unpacked:
            kind = _kind(cast(IO[bytes], unpacked), path.name[: -len(".gz")])
    part = path.with_name(f".{path.name}.part")
    if kind == "parquet" and not packed:
        removed = copy_parquet(path, part, traces)
    elif kind in ("delimited", "json lines"):
        removed = _copy_text(path, part, traces, packed)
    else:
        return None
    if removed:
        part.replace(path)
    else:
        part.unlink(missing_ok=True)
    return removed


def copy_parquet(path: Path, target: Path, traces: Traces) -> int:
    """Return how many rows with a trace a Parquet file's copy is short of; a copy of all rows is a link to the file."""
    table = pq.read_table(path)
    gone = traces.rows(table)
    if not gone.any():
        return hard_link(path, target)
    metadata = pq.read_metadata(path)
    codec = metadata.row_group(0).column(0).compression.lower() if metadata.num_row_groups else "zstd"
    pq.write_table(
        table.filter(pa.array(~gone)), target, compression="none" if codec == "uncompressed" else codec
    )
    return int(gone.sum())


def compact(path: Path) -> None:
    """Rewrite a SQLite file without its free pages, which keep what was deleted.

    Raises
    ------
    sqlite3.Error
        When another process holds it.
    """
    with closing(sqlite3.connect(path, timeout=5)) as connection:
        connection.execute("VACUUM")


def _kind(file: IO[bytes], name: str) -> str:
    """Return what a file is; its reading place goes back to the start."""
    head = file.read(4096)
    file.seek(0)
    suffix = Path(name).suffix.lower()
    for magic, kind in (
        (b"PAR1", "parquet"),
        (b"\x1f\x8b", "gzip"),
        (b"SQLite format 3\0", "sqlite"),
        (b"PK\x03\x04", "zip"),
    ):
        if head.startswith(magic):
            return kind
    if b"\0" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "bytes"
    if suffix in DELIMITED:
        return "delimited"
    if suffix in JSON_LINES:
        return "json lines"
    return {".json": "json", ".html": "html", ".htm": "html"}.get(suffix, "text")


def _count(file: IO[bytes], name: str, traces: Traces, path: Path | None) -> int:
    kind = _kind(file, name)
    if kind == "parquet":
        whole = pq.ParquetFile(path if path is not None else io.BytesIO(file.read()))
        return sum(
            int(traces.rows(pa.Table.from_batches([batch])).sum()) for batch in whole.iter_batches(1 << 17)
        )
    if kind == "gzip":
        with gzip.open(file) as unpacked:
            return _count(cast(IO[bytes], unpacked), name.removesuffix(".gz"), traces, None)
    if kind == "zip":
        with zipfile.ZipFile(file) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            return sum(_count(io.BytesIO(archive.read(m)), m.filename, traces, None) for m in members)
    if kind == "sqlite":
        return (_count_tables(path, traces) if path else 0) + _count_bytes(file, traces)
    if kind == "bytes":
        return _count_bytes(file, traces)
    if kind in ("json", "html"):
        text = decoded(file.read())
        return int(
            traces.in_cells(json_cells(text)) if kind == "json" else traces.in_text(html.unescape(text))
        )
    return sum(int(found.sum()) for _, found in marked_blocks(file, kind, traces))


def _count_tables(path: Path, traces: Traces) -> int:
    """Return how many rows of a SQLite file's tables hold a trace."""
    found = 0
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for name in names:
            quoted = name.replace('"', '""')
            rows = connection.execute(f'SELECT * FROM "{quoted}"')
            columns = [column[0] for column in rows.description]
            for row in rows:
                cells = [(c, v if isinstance(v, str) else str(v)) for c, v in zip(columns, row, strict=True)]
                found += traces.in_cells(cells)
    return found


def _count_bytes(file: IO[bytes], traces: Traces) -> int:
    """Return how many of the words stand in the bytes, whatever stands beside them."""
    raw = file.read().lower()
    return sum(word.encode() in raw or word.encode("utf-16-le") in raw for word in traces.words)


def _copy_text(path: Path, part: Path, traces: Traces, packed: bool) -> int:
    removed = 0
    opened = gzip.open if packed else open
    name = path.name.removesuffix(".gz") if packed else path.name
    with opened(path, "rb") as file, opened(part, "wb") as kept:
        raw = cast(IO[bytes], file)
        for block, found in marked_blocks(raw, _kind(raw, name), traces):
            records, encoding = block
            stay = "".join(record for record, gone in zip(records, found.tolist(), strict=True) if not gone)
            kept.write(stay.encode(encoding))
            removed += int(found.sum())
    return removed
