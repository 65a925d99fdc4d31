"""A list written: text in the dialect of the one that came, Excel, Parquet or JSON Lines, by the ending.

What a spreadsheet would run as a formula is tamed: in text by an apostrophe before it, in Excel by the type of its
cell. Numbers and telephone numbers stay as they are. Files appear whole or not at all, and have the same bytes
whatever the number of rows that are written at a time.
"""

import csv
import gzip
import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from sintonia.errors import InputError
from sintonia.lists.answers import Column
from sintonia.lists.read import RISKY, CustomerList, cell_text, python_cells
from sintonia.lists.spool import whole
from sintonia.lists.text import Dialect

TEXT, JSON = (".csv", ".tsv", ".txt"), (".jsonl", ".ndjson")
EXCEL_ROWS, EXCEL_COLUMNS, EXCEL_LETTERS = 1_048_576, 16_384, 32_767
ROW_GROUP = 1 << 16
MADE = datetime(2000, 1, 1)
"""When an Excel file says it was made: the same list gives the same bytes."""

_HARMLESS = re.compile(r"[-+][\d\s.,/()%-]*(?:[eE][-+]?\d+)?")


@dataclass(frozen=True)
class Form:
    """What a file has: names and types of its columns (None: whatever a cell is), and how text is written.

    The first `own` columns are those of the list.
    """

    names: tuple[str, ...]
    types: tuple[pa.DataType | None, ...]
    decimals: tuple[int | None, ...]
    dialect: Dialect
    own: int = 0


class Writer(Protocol):
    """What columns, all with as many rows, are given to one after another."""

    def write(self, columns: Sequence[Any], lines: Sequence[str] | None = None) -> None:
        """Write rows; `lines` are those of the JSON Lines they come from."""


def form_of(customers: CustomerList, columns: Sequence[Column], out: Path) -> Form:
    """Return what the scored list has: the list's own columns and ours behind them."""
    schema = customers.schema
    own: tuple[pa.DataType | None, ...] = (
        tuple(schema.types) if schema is not None else (None,) * len(customers.header)
    )
    return Form(
        names=(*customers.header, *(column.name for column in columns)),
        types=(*own, *(column.arrow for column in columns)),
        decimals=(*[None] * len(customers.header), *(column.decimals for column in columns)),
        dialect=_dialect(customers, out),
        own=len(customers.header),
    )


def _dialect(customers: CustomerList, out: Path) -> Dialect:
    tabs = out.name.removesuffix(".gz").lower().endswith(".tsv")
    if customers.format != "csv":
        return Dialect(delimiter="\t" if tabs else ",")
    if tabs and not customers.path.name.lower().removesuffix(".gz").endswith(".tsv"):
        return replace(customers.dialect, delimiter="\t", preamble="")
    return customers.dialect


def ending(path: Path, like: CustomerList | None = None) -> str:
    """Return what the file is by its ending: text, excel, parquet or json; one that ends like a list of text is text.

    Raises
    ------
    InputError
        When it ends like nothing we write.
    """
    name = path.name.lower().removesuffix(".gz")
    for kind, endings in (("text", TEXT), ("json", JSON), ("excel", (".xlsx",)), ("parquet", (".parquet",))):
        if name.endswith(endings):
            return kind
    if like is not None and like.format == "csv" and Path(name).suffix == like.path.suffix.lower():
        return "text"
    raise InputError(
        f"Nobody knows how to write '{path.name}'; let it end in .csv, .tsv, .xlsx, .parquet or .jsonl."
    )


@contextmanager
def writing(path: Path, form: Form, kind: str) -> Iterator[Writer]:
    """Yield a writer of a file that appears when the block ends well."""
    made: dict[str, Callable[..., Any]] = {"text": _text, "json": _json, "excel": _excel, "parquet": _parquet}
    with ExitStack() as stack:
        part = stack.enter_context(whole(path))
        yield stack.enter_context(made[kind](part, form, path.name.lower().endswith(".gz")))


def check_size(kind: str, rows: int, columns: int) -> None:
    """Refuse an Excel file that Excel could not open.

    Raises
    ------
    InputError
        When the list is too large for one sheet.
    """
    if kind == "excel" and (rows >= EXCEL_ROWS or columns > EXCEL_COLUMNS):
        raise InputError(
            f"Excel holds {EXCEL_ROWS - 1:,} rows and {EXCEL_COLUMNS:,} columns, not {rows:,} and {columns:,}; "
            "give out=FILE.csv or FILE.parquet."
        )


def tamed(text: str) -> str:
    """Return a cell of text that no spreadsheet runs: what begins like a formula gets an apostrophe, numbers do not.

    Examples
    --------
    >>> [tamed(text) for text in ("=1+1", "@sum", "-12,50", "+39 333 1234567", "-2+cmd|' /C calc'!A0", "Ann")]
    ["'=1+1", "'@sum", '-12,50', '+39 333 1234567', "'-2+cmd|' /C calc'!A0", 'Ann']
    """
    if not text.startswith(RISKY) or _HARMLESS.fullmatch(text):
        return text
    return "'" + text


@contextmanager
def _bytes(part: Path, packed: bool) -> Iterator[Any]:
    with part.open("wb") as file:
        if not packed:
            yield file
            return
        with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as gz:
            yield gz


@contextmanager
def _text(part: Path, form: Form, packed: bool) -> Iterator["_TextWriter"]:
    dialect = form.dialect
    # Only what is ours may not fit the list's encoding; the list's own bytes go back as they came.
    errors = dialect.errors if dialect.errors == "surrogateescape" else "backslashreplace"
    with _bytes(part, packed) as file:
        text = io.TextIOWrapper(
            file, encoding=dialect.encoding, errors=errors, newline="", write_through=False
        )
        yield _TextWriter(text, form)
        text.flush()
        text.detach()


class _TextWriter:
    """Rows as delimited text."""

    def __init__(self, file: Any, form: Form) -> None:  # noqa: ANN401
        file.write(form.dialect.preamble)
        self._form = form
        self._rows = csv.writer(
            file,
            delimiter=form.dialect.delimiter,
            lineterminator=form.dialect.line_end,
            quoting=csv.QUOTE_ALL if form.dialect.quotes_all else csv.QUOTE_MINIMAL,
        )
        self._rows.writerow([tamed(name) for name in form.names])

    def write(self, columns: Sequence[Any], lines: Sequence[str] | None = None) -> None:
        """Write rows as text."""
        sign = self._form.dialect.decimal
        texts = [
            _tamed(_texts(column, decimals, sign))
            for column, decimals in zip(columns, self._form.decimals, strict=True)
        ]
        self._rows.writerows(zip(*texts, strict=True))


def _texts(column: Any, decimals: int | None, sign: str) -> list[str]:  # noqa: ANN401
    """Return a column's cells as text, fractions with the list's decimal sign."""
    cells = _cells(column)
    if decimals is not None:
        told = ["" if cell is None else f"{cell:.{decimals}f}" for cell in cells]
        return [text.replace(".", sign) for text in told] if sign != "." else told
    return [cell if type(cell) is str else _fraction(cell, sign) for cell in cells]


def _fraction(cell: Any, sign: str) -> str:  # noqa: ANN401
    text = cell_text(cell)
    return text.replace(".", sign) if isinstance(cell, float) and sign != "." else text


def _cells(column: Any) -> Sequence[Any]:  # noqa: ANN401
    return python_cells(column) if isinstance(column, pa.ChunkedArray | pa.Array) else column


def _tamed(texts: list[str]) -> list[str]:
    return [tamed(text) if text[:1] in RISKY else text for text in texts]


@contextmanager
def _json(part: Path, form: Form, packed: bool) -> Iterator["_JsonWriter"]:
    with _bytes(part, packed) as file:
        yield _JsonWriter(file, form)


class _JsonWriter:
    """Rows as JSON Lines; those that were some keep their text, with our keys behind their own."""

    def __init__(self, file: Any, form: Form) -> None:  # noqa: ANN401
        self._file, self._names, self._own = file, unique(form.names), form.own

    def write(self, columns: Sequence[Any], lines: Sequence[str] | None = None) -> None:
        """Write rows as objects."""
        cells = [_cells(column) for column in columns]
        for at, row in enumerate(zip(*cells, strict=True)):
            told = dict(zip(self._names, row, strict=True))
            if lines is None:
                text = json.dumps(told, ensure_ascii=False, default=cell_text)
            else:
                text = spliced(lines[at], {name: told[name] for name in self._names[self._own :]})
            self._file.write(text.encode("utf-8", "replace") + b"\n")


def spliced(line: str, added: dict[str, Any]) -> str:
    """Return a JSON object's text with keys added behind its own; of a line that is none, the line under `line`.

    Examples
    --------
    >>> spliced('{"id": 1.50}', {"band": "high"}), spliced("oops", {"band": None})
    ('{"id": 1.50, "band": "high"}', '{"line": "oops", "band": null}')
    """
    more = json.dumps(added, ensure_ascii=False, default=cell_text)[1:-1]
    bare = line.strip()
    if not (bare.startswith("{") and bare.endswith("}") and _is_object(bare)):
        return f'{{"line": {json.dumps(line, ensure_ascii=False)}, {more}}}'
    inside = bare[1:-1].rstrip()
    return f"{{{inside}{', ' if inside.strip() else ''}{more}}}"


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


@contextmanager
def _parquet(part: Path, form: Form, packed: bool) -> Iterator["_ParquetWriter"]:
    types = [kind or pa.string() for kind in form.types]
    schema = pa.schema(list(zip(unique(form.names), types, strict=True)))
    with pq.ParquetWriter(part, schema, compression="zstd") as file:
        writer = _ParquetWriter(file, schema)
        yield writer
        writer.flush(1)


class _ParquetWriter:
    """Rows as Parquet, in row groups of one size."""

    def __init__(self, file: pq.ParquetWriter, schema: pa.Schema) -> None:
        self._file, self._schema = file, schema
        self._waiting: list[pa.Table] = []

    def write(self, columns: Sequence[Any], lines: Sequence[str] | None = None) -> None:
        """Write rows with the types of their columns."""
        arrays = [_array(column, kind) for column, kind in zip(columns, self._schema.types, strict=True)]
        self._waiting.append(pa.Table.from_arrays(arrays, schema=self._schema))
        self.flush(ROW_GROUP)

    def flush(self, least: int) -> None:
        """Write what waits, as long as it is at least so many rows."""
        while (count := sum(table.num_rows for table in self._waiting)) >= least:
            joined = pa.concat_tables(self._waiting)
            self._file.write_table(joined.slice(0, ROW_GROUP).combine_chunks(), row_group_size=ROW_GROUP)
            self._waiting = [joined.slice(ROW_GROUP)] if count > ROW_GROUP else []


def _array(column: Any, kind: pa.DataType) -> Any:  # noqa: ANN401
    if isinstance(column, pa.ChunkedArray | pa.Array):
        return column
    if kind != pa.string():
        return pa.array(column, kind)
    texts = (None if cell is None else cell_text(cell) for cell in column)
    return pa.array(
        [text if text is None else text.encode("utf-8", "replace").decode() for text in texts], kind
    )


def unique(names: Sequence[str]) -> list[str]:
    """Return the names, those that come again with a number behind them.

    Examples
    --------
    >>> unique(["id", "note", "id", "id"])
    ['id', 'note', 'id_2', 'id_3']
    """
    taken: set[str] = set(names)
    seen: set[str] = set()
    found = []
    for name in names:
        number, one = 2, name
        while one in seen or (one != name and one in taken):
            one, number = f"{name}_{number}", number + 1
        seen.add(one)
        found.append(one)
    return found


@contextmanager
def _excel(part: Path, form: Form, packed: bool) -> Iterator["_ExcelWriter"]:
    import xlsxwriter

    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    book = xlsxwriter.Workbook(str(part), options)
    book.set_properties({"created": MADE})
    yield _ExcelWriter(book, form)
    book.close()


class _ExcelWriter:
    """Rows as one Excel sheet: text as text, so that ids keep their zeros and formulas do not run."""

    def __init__(self, book: Any, form: Form) -> None:  # noqa: ANN401
        self._sheet = book.add_worksheet("list")
        self._sheet.freeze_panes(1, 0)
        self._day = book.add_format({"num_format": "yyyy-mm-dd"})
        self._moment = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        shapes = {
            None: None,
            2: book.add_format({"num_format": "0.00"}),
            4: book.add_format({"num_format": "0.0000"}),
            6: book.add_format({"num_format": "0.000000"}),
        }
        self._shapes = [shapes[decimals] for decimals in form.decimals]
        self._next = 1
        bold = book.add_format({"bold": True})
        for at, name in enumerate(form.names):
            self._sheet.write_string(0, at, _legible(name), bold)

    def write(self, columns: Sequence[Any], lines: Sequence[str] | None = None) -> None:
        """Write rows as cells of their own types."""
        cells = [_cells(column) for column in columns]
        for row in zip(*cells, strict=True):
            for at, cell in enumerate(row):
                self._cell(self._next, at, cell)
            self._next += 1

    def _cell(self, row: int, at: int, cell: Any) -> None:  # noqa: ANN401
        if cell is None or cell == "":
            return
        if isinstance(cell, str):
            self._sheet.write_string(row, at, _legible(cell))
        elif isinstance(cell, bool):
            self._sheet.write_boolean(row, at, cell)
        elif isinstance(cell, int | float) and abs(cell) < 1e15:
            self._sheet.write_number(row, at, cell, self._shapes[at])
        elif isinstance(cell, datetime) and cell.tzinfo is None and cell.year >= 1900:
            midnight = cell.hour == cell.minute == cell.second == 0
            self._sheet.write_datetime(row, at, cell, self._day if midnight else self._moment)
        elif isinstance(cell, date) and not isinstance(cell, datetime) and cell.year >= 1900:
            self._sheet.write_datetime(row, at, cell, self._day)
        else:
            self._sheet.write_string(row, at, _legible(cell_text(cell)))


def _legible(text: str) -> str:
    """Return the text as an Excel cell can hold it: no longer than that, in valid Unicode."""
    return text[:EXCEL_LETTERS].encode("utf-8", "replace").decode("utf-8")
