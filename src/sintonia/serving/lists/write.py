"""Lists written as delimited text, Excel, Parquet or JSON Lines, by the ending of the file.

Text that a spreadsheet would execute as a formula is escaped: in text by an apostrophe, in Excel by the type of the
cell. Numbers and telephone numbers are unchanged. Files are written atomically, and their bytes do not depend on the
number of rows written at a time.
"""

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sintonia.core.errors import InputError
from sintonia.core.progress import log
from sintonia.data.sources.text import Dialect
from sintonia.serving.lists.cells import FORMULA_STARTS, cell_text, escape_formula
from sintonia.serving.lists.checkpoint import atomic_write
from sintonia.serving.lists.output_columns import OutputSchema, Writer, column_cells, unique_names
from sintonia.serving.lists.read import CustomerList

FLOAT_TYPES = (pa.float32(), pa.float64())
PLAIN_TYPES = (str, int)
"""What most cells are; they are written as Python does."""

Texts = list[str]


def delimited_lines(columns: Sequence[Any], decimals: Sequence[int | None], dialect: Dialect) -> str:
    r"""Return rows as lines, byte for byte those of Python's `csv.writer` with minimal quoting.

    Parameters
    ----------
    columns
        Two or more, of cells in Arrow or in lists.
    decimals
        By column how many its fractions have; None where it holds no fractions of ours.

    Raises
    ------
    UnicodeEncodeError
        When a cell is not valid Unicode.

    Examples
    --------
    >>> delimited_lines([["a;b", "=1"], pa.array([0.5, None])], [None, 2], Dialect(delimiter=";", decimal=","))
    '"a;b";0,50\r\n\'=1;\r\n'
    """
    cells = [_column_cells(column, digits, dialect) for column, digits in zip(columns, decimals, strict=True)]
    separator, end, empty = (
        pa.scalar(text, pa.large_string()) for text in (dialect.delimiter, dialect.line_end, "")
    )
    lines = pc.binary_join_element_wise(*cells, separator, null_handling="replace", null_replacement="")
    return "".join(pc.binary_join_element_wise(lines, empty, end).to_pylist())


def column_texts(column: Any, decimals: int | None, sign: str) -> Texts:  # noqa: ANN401
    """Return a column's cells as text, with the list's decimal sign and formulas escaped."""
    cells = column_cells(column)
    if decimals is not None:
        numbers = ["" if cell is None else f"{cell:.{decimals}f}" for cell in cells]
        return [text.replace(".", sign) for text in numbers] if sign != "." else numbers
    texts = [
        "" if cell is None else str(cell) if type(cell) in PLAIN_TYPES else _cell_text_in_dialect(cell, sign)
        for cell in cells
    ]
    return [escape_formula(text) if text[:1] in FORMULA_STARTS else text for text in texts]


def _cell_text_in_dialect(cell: Any, sign: str) -> str:  # noqa: ANN401
    """Return a cell as text, fractions with the list's decimal sign."""
    text = cell_text(cell)
    return text.replace(".", sign) if isinstance(cell, float) and sign != "." else text


def _column_cells(column: Any, decimals: int | None, dialect: Dialect) -> pa.Array:  # noqa: ANN401
    """Return a column's cells as they are written in a line, each distinct cell formatted once; null is empty."""
    arrow_type = column.type if isinstance(column, pa.ChunkedArray | pa.Array) else pa.null()
    if not (pa.types.is_string(arrow_type) or pa.types.is_integer(arrow_type) or arrow_type in FLOAT_TYPES):
        return _quoted_array(column, decimals, dialect)
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if arrow_type in FLOAT_TYPES:
        # By their bits: 0.0 equals -0.0, but is written differently.
        encoded = array.cast(pa.float64()).view(pa.int64()).dictionary_encode()
        return _quoted_array(encoded.dictionary.view(pa.float64()), decimals, dialect).take(encoded.indices)
    encoded = array.dictionary_encode()
    return _quoted_array(encoded.dictionary, decimals, dialect).take(encoded.indices)


def _quoted_array(cells: Any, decimals: int | None, dialect: Dialect) -> pa.Array:  # noqa: ANN401
    """Return cells as an array of texts, quoted where necessary."""
    return pa.array(_quote_cells(column_texts(cells, decimals, dialect.decimal), dialect), pa.large_string())


def _quote_cells(texts: Texts, dialect: Dialect) -> Texts:
    """Return the texts, quoted where a line requires it."""
    special = {dialect.delimiter, '"', "\r", "\n"}
    joined = "".join(texts)
    if not any(sign in joined for sign in special):
        return texts
    return [_quoted_cell(text, dialect) if any(sign in text for sign in special) else text for text in texts]


def _quoted_cell(text: str, dialect: Dialect) -> str:
    """Return one cell as `csv` writes it; which cells it quotes differs between Python versions."""
    line = io.StringIO()
    csv.writer(line, delimiter=dialect.delimiter, lineterminator=dialect.line_end).writerow([text])
    return line.getvalue().removesuffix(dialect.line_end)


@contextmanager
def _open_output(partial: Path, gzipped: bool) -> Iterator[Any]:
    """Open a file for bytes, gzip-compressed or not."""
    with partial.open("wb") as file:
        if not gzipped:
            yield file
            return
        with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as gz:
            yield gz


@contextmanager
def text_writer(partial: Path, schema: OutputSchema, gzipped: bool) -> Iterator["_TextWriter"]:
    """Yield a writer of delimited text, compressed or not."""
    dialect = schema.dialect
    # Only added text may not fit the list's encoding; the list's own bytes are written unchanged.
    errors = dialect.errors if dialect.errors == "surrogateescape" else "backslashreplace"
    with _open_output(partial, gzipped) as file:
        text = io.TextIOWrapper(
            file, encoding=dialect.encoding, errors=errors, newline="", write_through=False
        )
        yield _TextWriter(text, schema)
        text.flush()
        text.detach()


class _TextWriter:
    """Rows as delimited text."""

    def __init__(self, file: Any, schema: OutputSchema) -> None:  # noqa: ANN401
        file.write(schema.dialect.preamble)
        self._file, self._form = file, schema
        self._rows = csv.writer(
            file,
            delimiter=schema.dialect.delimiter,
            lineterminator=schema.dialect.line_end,
            quoting=csv.QUOTE_ALL if schema.dialect.quotes_all else csv.QUOTE_MINIMAL,
        )
        self._rows.writerow([escape_formula(name) for name in schema.names])

    def write(self, columns: Sequence[Any], lines: Sequence[str] | None = None) -> None:
        """Write rows as text."""
        decimals, dialect = self._form.decimals, self._form.dialect
        if len(columns) > 1 and not dialect.quotes_all:
            try:
                self._file.write(delimited_lines(columns, decimals, dialect))
                return
            except UnicodeEncodeError:
                log.debug("Cells that are no valid Unicode are written one by one")
        pairs = zip(columns, decimals, strict=True)
        self._rows.writerows(zip(*(column_texts(*pair, dialect.decimal) for pair in pairs), strict=True))


@contextmanager
def json_writer(partial: Path, schema: OutputSchema, gzipped: bool) -> Iterator["_JsonWriter"]:
    """Yield a writer of JSON Lines, compressed or not."""
    with _open_output(partial, gzipped) as file:
        yield _JsonWriter(file, schema)


class _JsonWriter:
    """Rows as JSON Lines; lines of the list are kept as they are, with our keys appended."""

    def __init__(self, file: Any, schema: OutputSchema) -> None:  # noqa: ANN401
        self._file, self._names, self._own = file, unique_names(schema.names), schema.n_own

    def write(self, columns: Sequence[Any], lines: Sequence[str] | None = None) -> None:
        """Write rows as objects."""
        cells = [column_cells(column) for column in columns]
        for at, row in enumerate(zip(*cells, strict=True)):
            values = dict(zip(self._names, row, strict=True))
            if lines is None:
                text = json.dumps(values, ensure_ascii=False, default=cell_text)
            else:
                text = with_keys_added(lines[at], {name: values[name] for name in self._names[self._own :]})
            self._file.write(text.encode("utf-8", "replace") + b"\n")


def with_keys_added(line: str, added: dict[str, Any]) -> str:
    """Return a JSON object's text with keys appended; a line that is not an object is put under `line`.

    Examples
    --------
    >>> with_keys_added('{"id": 1.50}', {"band": "high"}), with_keys_added("oops", {"band": None})
    ('{"id": 1.50, "band": "high"}', '{"line": "oops", "band": null}')
    """
    more = json.dumps(added, ensure_ascii=False, default=cell_text)[1:-1]
    stripped = line.strip()
    if not (stripped.startswith("{") and stripped.endswith("}") and _is_object(stripped)):
        return f'{{"line": {json.dumps(line, ensure_ascii=False)}, {more}}}'
    inside = stripped[1:-1].rstrip()
    return f"{{{inside}{', ' if inside.strip() else ''}{more}}}"


def _is_object(text: str) -> bool:
    """Return whether a text is a JSON object."""
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


MAX_EXCEL_LETTERS = 32_767
WIDTH_OWN, WIDTH_SHORT = 26, 18
"""Letters of a column's width: what an e-mail address takes, and what an action's name or a moment does."""

WIDTHS = {"list_status": WIDTH_SHORT, "_reason": 90, "_status": 62, "_model": 36}
"""What our columns take that say more, by a part of their names."""

ROW_GROUP = 1 << 16
CREATED_AT = datetime(2000, 1, 1)
"""When an Excel file says it was made: the same list gives the same bytes."""


@contextmanager
def parquet_writer(partial: Path, form: OutputSchema, gzipped: bool) -> Iterator["_ParquetWriter"]:
    """Yield a writer of a Parquet file, which compresses its columns itself."""
    types = [kind or pa.string() for kind in form.types]
    schema = pa.schema(list(zip(unique_names(form.names), types, strict=True)))
    with pq.ParquetWriter(partial, schema, compression="zstd") as file:
        writer = _ParquetWriter(file, schema)
        yield writer
        writer.flush(1)


class _ParquetWriter:
    """Rows as Parquet, in row groups of equal size."""

    def __init__(self, file: pq.ParquetWriter, schema: pa.Schema) -> None:
        self._file, self._schema = file, schema
        self._waiting: list[pa.Table] = []

    def write(self, columns: Sequence[Any], lines: Sequence[str] | None = None) -> None:
        """Write rows with the types of their columns."""
        arrays = [
            _typed_array(column, kind) for column, kind in zip(columns, self._schema.types, strict=True)
        ]
        self._waiting.append(pa.Table.from_arrays(arrays, schema=self._schema))
        self.flush(ROW_GROUP)

    def flush(self, least: int) -> None:
        """Write the buffered rows if there are at least `least`."""
        while (count := sum(table.num_rows for table in self._waiting)) >= least:
            joined = pa.concat_tables(self._waiting)
            self._file.write_table(joined.slice(0, ROW_GROUP).combine_chunks(), row_group_size=ROW_GROUP)
            self._waiting = [joined.slice(ROW_GROUP)] if count > ROW_GROUP else []


def _typed_array(column: Any, arrow_type: pa.DataType) -> Any:  # noqa: ANN401
    """Return a column as an array of the type."""
    if isinstance(column, pa.ChunkedArray | pa.Array):
        return column.cast(arrow_type)
    if arrow_type != pa.string():
        return pa.array(column, arrow_type)
    texts = (None if cell is None else cell_text(cell) for cell in column)
    return pa.array(
        [text if text is None else text.encode("utf-8", "replace").decode() for text in texts], arrow_type
    )


@contextmanager
def excel_writer(partial: Path, schema: OutputSchema, gzipped: bool) -> Iterator["_ExcelWriter"]:
    """Yield a writer of an Excel file with one sheet; the format is compressed already."""
    import xlsxwriter

    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    book = xlsxwriter.Workbook(str(partial), options)
    book.set_properties({"created": CREATED_AT})
    yield _ExcelWriter(book, schema)
    book.close()


class _ExcelWriter:
    """Rows as one Excel sheet: text as text, so that ids keep their zeros and formulas are not executed."""

    def __init__(self, book: Any, schema: OutputSchema) -> None:  # noqa: ANN401
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
        self._shapes = [shapes[decimals] for decimals in schema.decimals]
        self._next = 1
        for at, name in enumerate(schema.names):
            # In constant memory, widths must be set before the cells are written.
            self._sheet.set_column(at, at, _column_width(name, at < schema.n_own, schema.types[at]))
        bold = book.add_format({"bold": True})
        for at, name in enumerate(schema.names):
            self._sheet.write_string(0, at, _excel_text(name), bold)

    def write(self, columns: Sequence[Any], lines: Sequence[str] | None = None) -> None:
        """Write rows as cells of their own types."""
        cells = [column_cells(column) for column in columns]
        for row in zip(*cells, strict=True):
            for at, cell in enumerate(row):
                self._cell(self._next, at, cell)
            self._next += 1

    def _cell(self, row: int, at: int, cell: Any) -> None:  # noqa: ANN401
        """Write one cell with its type; what Excel cannot hold is written as text."""
        if cell is None or cell == "":
            return
        if isinstance(cell, str):
            self._sheet.write_string(row, at, _excel_text(cell))
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
            self._sheet.write_string(row, at, _excel_text(cell_text(cell)))


def _column_width(name: str, own: bool, kind: pa.DataType | None) -> int:
    """Return a column's width in characters: enough for its name and its usual values.

    Examples
    --------
    >>> _column_width("churn_reason_1", False, pa.string()), _column_width("churn_propensity", False, pa.float64())
    (90, 18)
    """
    text = kind in (None, pa.string())
    values = (
        WIDTH_OWN if own else next((room for partial, room in WIDTHS.items() if partial in name), WIDTH_SHORT)
    )
    return min(max(len(name) + 2, values if text else 0), max(WIDTHS.values()))


def _excel_text(text: str) -> str:
    """Return the text as an Excel cell can hold it: truncated, in valid Unicode."""
    return text[:MAX_EXCEL_LETTERS].encode("utf-8", "replace").decode("utf-8")


TEXT_ENDINGS, JSON_ENDINGS = (".csv", ".tsv", ".txt"), (".jsonl", ".ndjson")
MAX_EXCEL_ROWS, MAX_EXCEL_COLUMNS = 1_048_576, 16_384


def format_by_ending(path: Path, customers: CustomerList | None = None) -> str:
    """Return the format of a file by its ending: text, excel, parquet or json; the ending of a text list is text too.

    Raises
    ------
    InputError
        When the ending is that of no supported format.
    """
    name = path.name.lower().removesuffix(".gz")
    for file_format, endings in (
        ("text", TEXT_ENDINGS),
        ("json", JSON_ENDINGS),
        ("excel", (".xlsx",)),
        ("parquet", (".parquet",)),
    ):
        if name.endswith(endings):
            return file_format
    if (
        customers is not None
        and customers.format == "csv"
        and Path(name).suffix == customers.path.suffix.lower()
    ):
        return "text"
    raise InputError(
        f"Unknown output format '{path.name}'; use the ending .csv, .tsv, .xlsx, .parquet or .jsonl."
    )


@contextmanager
def open_writer(path: Path, schema: OutputSchema, file_format: str) -> Iterator[Writer]:
    """Yield a writer of a file that is complete, under its name, when the block ends without an error."""
    writers: dict[str, Callable[..., Any]] = {
        "text": text_writer,
        "json": json_writer,
        "excel": excel_writer,
        "parquet": parquet_writer,
    }
    with ExitStack() as stack:
        partial = stack.enter_context(atomic_write(path))
        yield stack.enter_context(writers[file_format](partial, schema, path.name.lower().endswith(".gz")))


def check_excel_size(file_format: str, rows: int, columns: int) -> None:
    """Refuse an Excel file that Excel could not open.

    Raises
    ------
    InputError
        When the list is too large for one sheet.
    """
    if file_format == "excel" and (rows >= MAX_EXCEL_ROWS or columns > MAX_EXCEL_COLUMNS):
        raise InputError(
            f"Excel holds {MAX_EXCEL_ROWS - 1:,} rows and {MAX_EXCEL_COLUMNS:,} columns, not {rows:,} and {columns:,}; "
            "give out=FILE.csv or FILE.parquet."
        )
