"""A list opened, whatever its format: the header, and its rows chunk by chunk as the file has them."""

import hashlib
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from sintonia.core.errors import InputError, hint
from sintonia.serving.lists import json_lines, sheets
from sintonia.serving.lists.cells import cell_text, python_cells
from sintonia.serving.lists.dialect import Dialect, delimited_rows, find_dialect
from sintonia.serving.lists.text import blocks

Records = Iterator[tuple[Sequence[Any], str]]
"""A list's rows, cells and what is wrong with the row ("" when nothing is)."""

ENDINGS = (".csv", ".tsv", ".txt", ".xlsx", ".parquet", ".jsonl", ".ndjson")
OLD_OFFICE = b"\xd0\xcf\x11\xe0"


@dataclass(frozen=True)
class Chunk:
    """Rows of a list that follow one another: cells as the file has them, and by place what is wrong with a row.

    `first` is the place of the first of them in the list, from 0; `table` has them as Arrow when the file does.
    """

    first: int
    rows: list[tuple[Any, ...]]
    wrong: dict[int, str] = field(default_factory=dict)
    table: pa.Table | None = None

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class CustomerList:
    """A list: where it is, its format, its header, a hash of its bytes, and how to read it from the start.

    `first_number` is what a person calls the first row: in a spreadsheet the header is row 1.
    """

    path: Path
    format: str
    header: tuple[str, ...]
    digest: str
    told: str
    dialect: Dialect = field(default_factory=Dialect)
    limit: int | None = None
    records: Callable[[], Records] | None = None

    @property
    def first_number(self) -> int:
        """What a person calls the first row."""
        return 2 if self.format in ("csv", "excel") else 1

    @property
    def schema(self) -> pa.Schema | None:
        """The types of the list's columns, where its file has such."""
        return parquet_schema(self.path) if self.format == "parquet" else None

    def chunks(self, rows: int) -> Iterator[Chunk]:
        """Yield the rows, so many at a time."""
        first = 0
        for chunk in self._typed(rows) if self.records is None else self._told(self.records(), rows):
            kept = len(chunk) if self.limit is None else min(len(chunk), self.limit - first)
            if kept < len(chunk):
                table = None if chunk.table is None else chunk.table.slice(0, kept)
                chunk = Chunk(first, chunk.rows[:kept], chunk.wrong, table)
            if kept:
                yield chunk
            first += kept
            if self.limit is not None and first >= self.limit:
                return

    def _told(self, records: Records, rows: int) -> Iterator[Chunk]:
        first, width = 0, len(self.header)
        while some := list(islice(records, rows)):
            fitted = [_fit(cells, wrong, width, self.dialect.delimiter) for cells, wrong in some]
            wrong = {at: said for at, (_, said) in enumerate(fitted) if said}
            yield Chunk(first, [cells for cells, _ in fitted], wrong)
            first += len(some)

    def _typed(self, rows: int) -> Iterator[Chunk]:
        import pyarrow.parquet as pq

        first = 0
        with pq.ParquetFile(self.path) as file:
            for batch in file.iter_batches(rows):
                table = pa.Table.from_batches([batch])
                columns = [python_cells(column) for column in table.columns]
                yield Chunk(first, list(zip(*columns, strict=True)), {}, table)
                first += table.num_rows


def _fit(cells: Sequence[Any], wrong: str, width: int, delimiter: str) -> tuple[tuple[Any, ...], str]:
    """Return a row as wide as the header: short ones get empty cells, long ones keep theirs in the last cell."""
    found = len(cells)
    if found == width:
        return tuple(cells), wrong
    if not found:
        return ("",) * width, "the row is empty"
    if found < width:
        return (*cells, *[""] * (width - found)), wrong
    longer = f"{found} cells where the header has {width}"
    return (*cells[: width - 1], delimiter.join(map(cell_text, cells[width - 1 :]))), wrong or longer


def read_list(path: Path, limit: int | None = None) -> CustomerList:
    """Return the list in a file, or its first `limit` rows. What it is, its first bytes say, not its name.

    CSV (any delimiter and encoding, gzip too), Excel (.xlsx, its first sheet), Parquet and JSON Lines are read.

    Raises
    ------
    InputError
        When the file is missing, cannot be read, or holds no rows.
    """
    if not path.is_file():
        folder = path.parent
        near = (
            [entry.name for entry in folder.iterdir() if _named_like_a_list(entry)] if folder.is_dir() else []
        )
        raise InputError(f"No list '{path}'; {hint(path.name, near)}")
    with path.open("rb") as file:
        head = file.read(8)
    if head.startswith(b"PAR1"):
        found = _read_parquet(path, limit)
    elif head.startswith((b"PK\x03\x04", OLD_OFFICE)):
        found = _read_sheet(path, limit)
    elif _is_json(path):
        found = _read_json(path, limit)
    else:
        found = _read_text(path, limit)
    if next(found.chunks(1), None) is None:
        raise InputError(f"The list '{path.name}' has a header only; give at least one row.")
    return found


def _named_like_a_list(entry: Path) -> bool:
    return entry.name.removesuffix(".gz").lower().endswith(ENDINGS)


def _read_text(path: Path, limit: int | None) -> CustomerList:
    dialect = find_dialect(path)
    header = next(delimited_rows(path, dialect), ([], ""))[0]

    def records() -> Records:
        return islice(delimited_rows(path, dialect), 1, None)

    return CustomerList(path, "csv", tuple(header), digest(path), str(dialect), dialect, limit, records)


def _read_sheet(path: Path, limit: int | None) -> CustomerList:
    if not zipfile.is_zipfile(path):
        raise InputError(
            f"The list '{path.name}' is an old, protected or damaged Excel file; save it as .xlsx without a password."
        )
    name, header = sheets.find_sheet(path)

    def records() -> Records:
        return islice(((cells, "") for cells in sheets.sheet_rows(path, name)), 1, None)

    whole = tuple(cell_text(cell) for cell in header)
    return CustomerList(
        path, "excel", whole, digest(path), f"Excel, sheet '{name}'", limit=limit, records=records
    )


def _read_json(path: Path, limit: int | None) -> CustomerList:
    header = json_lines.find_header(path)
    if not header:
        raise InputError(f"The list '{path.name}' has no key in any of its lines; give each customer's.")

    def records() -> Records:
        return json_lines.json_rows(path, header)

    return CustomerList(path, "json", header, digest(path), "JSON Lines", limit=limit, records=records)


def _read_parquet(path: Path, limit: int | None) -> CustomerList:
    header = tuple(parquet_schema(path).names)
    return CustomerList(path, "parquet", header, digest(path), "Parquet", limit=limit)


def parquet_schema(path: Path) -> pa.Schema:
    """Return the columns of a Parquet file.

    Raises
    ------
    InputError
        When it is none, or cut short.
    """
    import pyarrow.parquet as pq

    try:
        return pq.read_schema(path)
    except (pa.ArrowInvalid, OSError):
        raise InputError(
            f"The list '{path.name}' is a Parquet file that is cut short or damaged; write it again."
        ) from None


def _is_json(path: Path) -> bool:
    """Return whether a file's first line that is not blank is a JSON object."""
    head = next(blocks(path, 1 << 16), b"").lstrip(b"\xef\xbb\xbf \t\r\n")
    return head.startswith(b"{") and json_lines.is_object(head.split(b"\n", 1)[0])


def digest(path: Path) -> str:
    """Return a hash of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
