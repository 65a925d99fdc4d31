"""A list opened, whatever its format: its header, and its rows chunk by chunk.

Excel: openpyxl reads in constant memory and gives each cell's format, so that card 7 shown as 00000 is read as 00007;
calamine is ten times as fast and does not. Of merged cells the first has the value, the others are empty.
"""

import hashlib
import io
import json
import re
import warnings
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sintonia.core.errors import InputError, hint
from sintonia.data.sources.text import Dialect, blocks, delimited_rows, find_dialect, open_bytes
from sintonia.serving.lists.cells import cell_text, python_cells

if TYPE_CHECKING:
    from openpyxl import Workbook


def find_sheet(path: Path) -> tuple[str, list[Any]]:
    """Return the name and header of the first sheet that is visible and not empty.

    Raises
    ------
    InputError
        When all visible sheets are empty, or the file is damaged.
    """
    with _open_workbook(path) as book:
        names = [sheet.title for sheet in book.worksheets if sheet.sheet_state == "visible"]
    for name in names:
        header = next(sheet_rows(path, name), None)
        if header is not None:
            return name, header
    raise InputError(f"The list '{path.name}' has nothing in it; give at least one row.")


def hidden_sheets(path: Path) -> list[str]:
    """Return the names of the sheets that a spreadsheet does not show."""
    with _open_workbook(path) as book:
        return [sheet.title for sheet in book.worksheets if sheet.sheet_state != "visible"]


def sheet_rows(path: Path, sheet: str) -> Iterator[list[Any]]:
    """Yield a sheet's rows from the first to the last that is not blank; blank rows between have no cells."""
    blank, width = 0, 0
    with _open_workbook(path) as book:
        worksheet = book[sheet]
        worksheet.reset_dimensions()  # the size recorded in the file may be wrong, and would truncate rows
        for row in worksheet.iter_rows():
            cells = [_sheet_value(cell) for cell in row]
            while cells and cells[-1] in (None, ""):
                cells.pop()
            if not cells:
                blank += width > 0
                continue
            yield from ([] for _ in range(blank))
            blank, width = 0, max(width, len(cells))
            yield cells


@contextmanager
def _open_workbook(path: Path) -> "Iterator[Workbook]":
    """Open a workbook for reading row by row."""
    import zipfile
    from xml.etree.ElementTree import ParseError

    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    with warnings.catch_warnings(), path.open("rb") as file:
        warnings.simplefilter("ignore")
        try:
            book = openpyxl.load_workbook(file, read_only=True, data_only=True)
            yield book
            book.close()
        except (InvalidFileException, KeyError, ValueError, OSError, ParseError, zipfile.BadZipFile):
            raise InputError(
                f"The list '{path.name}' cannot be read as an Excel file; save it as .xlsx or CSV."
            ) from None


def _sheet_value(cell: Any) -> Any:  # noqa: ANN401
    """Return a cell's value; a whole number displayed with leading zeros as the displayed text."""
    value = cell.value
    if isinstance(value, int | float) and not isinstance(value, bool):
        number_format = str(cell.number_format or "")
        if re.fullmatch("0{2,}", number_format) and float(value).is_integer():
            return f"{int(value):0{len(number_format)}d}"
    return value


NOT_AN_OBJECT = "the line is no JSON object"


def is_json_object(line: bytes) -> bool:
    """Return whether a line is a JSON object."""
    return isinstance(_parse_object(line.decode("utf-8", "replace")), dict)


def json_header(path: Path) -> tuple[str, ...]:
    """Return all keys of the lines, in the order of their first appearance."""
    names: dict[str, None] = {}
    for line in _json_lines(path):
        names |= dict.fromkeys(_parse_object(line) or {})
    return tuple(names)


def json_rows(path: Path, header: tuple[str, ...]) -> Iterator[tuple[list[Any], str]]:
    """Yield each line's values in the order of the header, with its problem; objects and lists stay JSON.

    The text of a line that is not an object is put into the first cell.
    """
    for line in _json_lines(path):
        values = _parse_object(line)
        if values is None:
            yield [line.strip("\r\n"), *[None] * (len(header) - 1)], NOT_AN_OBJECT
        else:
            yield [_as_cell(values.get(name)) for name in header], ""


def json_texts(path: Path) -> Iterator[str]:
    """Yield the lines unchanged, without their line ends."""
    return (line.rstrip("\r\n") for line in _json_lines(path))


def _json_lines(path: Path) -> Iterator[str]:
    """Yield the lines that are not blank."""
    with open_bytes(path) as file, io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace") as text:
        yield from (line for line in text if line.strip())


def _parse_object(line: str) -> dict[str, Any] | None:
    """Return the object in a line, None if there is none."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _as_cell(value: Any) -> Any:  # noqa: ANN401
    """Return a JSON value as a cell: objects and lists as JSON text."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value


Records = Iterator[tuple[Sequence[Any], str]]
"""A list's rows, cells and what is wrong with the row ("" when nothing is)."""

LIST_ENDINGS = (".csv", ".tsv", ".txt", ".xlsx", ".parquet", ".jsonl", ".ndjson")
OLD_OFFICE_MAGIC = b"\xd0\xcf\x11\xe0"


@dataclass(frozen=True)
class Chunk:
    """Consecutive rows of a list: cells as in the file, and the problems of rows by their index in the chunk.

    `first` is the index in the list of the first row, from 0; `table` has the rows as Arrow if the file is columnar.
    """

    first: int
    rows: list[tuple[Any, ...]]
    problems: dict[int, str] = field(default_factory=dict)
    table: pa.Table | None = None

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class CustomerList:
    """A list: its path, format, header, digest, a description for the log, and how to read it.

    `records` reads the rows from the start, with the problem of each; None for Parquet.
    """

    path: Path
    format: str
    header: tuple[str, ...]
    digest: str
    description: str
    dialect: Dialect = field(default_factory=Dialect)
    limit: int | None = None
    records: Callable[[], Records] | None = None
    headless: bool = False

    @property
    def first_number(self) -> int:
        """The number users see for the first row: in spreadsheets and CSV files the header is row 1."""
        return 2 if self.format in ("csv", "excel") and not self.headless else 1

    def without_header(self) -> "CustomerList":
        """Return the list with its first line as a row, and numbers for the names of its columns."""
        first, others = self.header, self.records
        assert others is not None
        names = tuple(f"column_{number}" for number in range(1, len(first) + 1))
        return replace(
            self,
            header=names,
            records=lambda: chain([(first, "")], others()),
            headless=True,
            description=f"{self.description}, without a header: its columns are called {', '.join(names[:3])}"
            + (", ..." if len(names) > 3 else ""),
        )

    @property
    def schema(self) -> pa.Schema | None:
        """The types of the columns, None where the format has none."""
        return parquet_schema(self.path) if self.format == "parquet" else None

    def chunks(self, rows: int) -> Iterator[Chunk]:
        """Yield the rows in chunks of this size."""
        first = 0
        for chunk in (
            self._from_parquet(rows) if self.records is None else self._from_records(self.records(), rows)
        ):
            n_rows = len(chunk) if self.limit is None else min(len(chunk), self.limit - first)
            if n_rows < len(chunk):
                table = None if chunk.table is None else chunk.table.slice(0, n_rows)
                chunk = Chunk(first, chunk.rows[:n_rows], chunk.problems, table)
            if n_rows:
                yield chunk
            first += n_rows
            if self.limit is not None and first >= self.limit:
                return

    def _from_records(self, records: Records, rows: int) -> Iterator[Chunk]:
        """Yield chunks of rows that are read one by one."""
        first, width = 0, len(self.header)
        while batch := list(islice(records, rows)):
            fitted = [
                _fit_to_header(cells, problems, width, self.dialect.delimiter) for cells, problems in batch
            ]
            problems = {at: problem for at, (_, problem) in enumerate(fitted) if problem}
            yield Chunk(first, [cells for cells, _ in fitted], problems)
            first += len(batch)

    def _from_parquet(self, rows: int) -> Iterator[Chunk]:
        """Yield chunks of rows that are read as Arrow batches."""
        import pyarrow.parquet as pq

        first = 0
        with pq.ParquetFile(self.path) as file:
            for batch in file.iter_batches(rows):
                table = pa.Table.from_batches([batch])
                columns = [python_cells(column) for column in table.columns]
                yield Chunk(first, list(zip(*columns, strict=True)), {}, table)
                first += table.num_rows


def _fit_to_header(
    cells: Sequence[Any], problem: str, width: int, delimiter: str
) -> tuple[tuple[Any, ...], str]:
    """Return a row as wide as the header: missing cells are empty, excess cells are joined into the last."""
    n_cells = len(cells)
    if n_cells == width:
        return tuple(cells), problem
    if not n_cells:
        return ("",) * width, "the row is empty"
    if n_cells < width:
        return (*cells, *[""] * (width - n_cells)), problem
    too_long = f"{n_cells} cells where the header has {width}"
    return (*cells[: width - 1], delimiter.join(map(cell_text, cells[width - 1 :]))), problem or too_long


def read_list(path: Path, limit: int | None = None) -> CustomerList:
    """Return the list in a file, or its first `limit` rows; its format is detected from its first bytes.

    CSV (any delimiter and encoding, gzip too), Excel (.xlsx, its first visible sheet), Parquet and JSON Lines are read.

    Raises
    ------
    InputError
        When the file is missing, unreadable or has no rows.
    """
    if not path.is_file():
        folder = path.parent
        near = (
            [entry.name for entry in folder.iterdir() if _has_list_ending(entry)] if folder.is_dir() else []
        )
        raise InputError(f"No list '{path}'; {hint(path.name, near)}")
    with path.open("rb") as file:
        head = file.read(8)
    if head.startswith(b"PAR1"):
        customers = _read_parquet(path, limit)
    elif head.startswith((b"PK\x03\x04", OLD_OFFICE_MAGIC)):
        customers = _read_sheet(path, limit)
    elif _is_json(path):
        customers = _read_json(path, limit)
    else:
        customers = _read_text(path, limit)
    if next(customers.chunks(1), None) is None:
        raise InputError(f"The list '{path.name}' has a header only; give at least one row.")
    return customers


def _has_list_ending(entry: Path) -> bool:
    """Return whether a file is named like a list."""
    return entry.name.removesuffix(".gz").lower().endswith(LIST_ENDINGS)


def _read_text(path: Path, limit: int | None) -> CustomerList:
    """Return the list in a delimited text file."""
    dialect = find_dialect(path)
    header = next(delimited_rows(path, dialect), ([], ""))[0]

    def records() -> Records:
        return islice(delimited_rows(path, dialect), 1, None)

    return CustomerList(path, "csv", tuple(header), digest(path), str(dialect), dialect, limit, records)


def _read_sheet(path: Path, limit: int | None) -> CustomerList:
    """Return the list in an Excel file."""
    if not zipfile.is_zipfile(path):
        raise InputError(
            f"The list '{path.name}' is an old, protected or damaged Excel file; save it as .xlsx without a password."
        )
    name, header = find_sheet(path)

    def records() -> Records:
        return islice(((cells, "") for cells in sheet_rows(path, name)), 1, None)

    header_texts = tuple(cell_text(cell) for cell in header)
    hidden = ", ".join(f"'{sheet}'" for sheet in hidden_sheets(path))
    description = f"Excel, sheet '{name}'" + (f" (hidden and not read: {hidden})" if hidden else "")
    return CustomerList(path, "excel", header_texts, digest(path), description, limit=limit, records=records)


def _read_json(path: Path, limit: int | None) -> CustomerList:
    """Return the list in a JSON Lines file."""
    header = json_header(path)
    if not header:
        raise InputError(f"The list '{path.name}' has no key in any of its lines; give each customer's.")

    def records() -> Records:
        return json_rows(path, header)

    return CustomerList(path, "json", header, digest(path), "JSON Lines", limit=limit, records=records)


def _read_parquet(path: Path, limit: int | None) -> CustomerList:
    """Return the list in a Parquet file."""
    header = tuple(parquet_schema(path).names)
    return CustomerList(path, "parquet", header, digest(path), "Parquet", limit=limit)


def parquet_schema(path: Path) -> pa.Schema:
    """Return the columns of a Parquet file.

    Raises
    ------
    InputError
        When it is not a Parquet file, or truncated.
    """
    import pyarrow.parquet as pq

    try:
        return pq.read_schema(path)
    except (pa.ArrowInvalid, OSError):
        raise InputError(
            f"The list '{path.name}' is a Parquet file that is cut short or damaged; write it again."
        ) from None


def _is_json(path: Path) -> bool:
    """Return whether the first non-blank line of a file is a JSON object."""
    head = next(blocks(path, 1 << 16), b"").lstrip(b"\xef\xbb\xbf \t\r\n")
    return head.startswith(b"{") and is_json_object(head.split(b"\n", 1)[0])


def digest(path: Path) -> str:
    """Return the SHA-256 digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
