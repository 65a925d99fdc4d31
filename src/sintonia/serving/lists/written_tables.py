"""Rows written as Parquet and as Excel: columns of their own types, text that stays text."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sintonia.serving.lists.cells import cell_text
from sintonia.serving.lists.form import Form, cells_of, unique

EXCEL_LETTERS = 32_767
ADDRESS, SHORT = 26, 18
"""Letters of a column's width: what an e-mail address takes, and what an action's name or a moment does."""

ROOM = {"list_status": SHORT, "_reason": 90, "_status": 62, "_model": 36}
"""What our columns take that say more, by a part of their names."""

ROW_GROUP = 1 << 16
MADE = datetime(2000, 1, 1)
"""When an Excel file says it was made: the same list gives the same bytes."""


@contextmanager
def parquet_writer(part: Path, form: Form, packed: bool) -> Iterator["_ParquetWriter"]:
    """Yield a writer of a Parquet file, which packs its columns itself."""
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
        return column.cast(kind)
    if kind != pa.string():
        return pa.array(column, kind)
    texts = (None if cell is None else cell_text(cell) for cell in column)
    return pa.array(
        [text if text is None else text.encode("utf-8", "replace").decode() for text in texts], kind
    )


@contextmanager
def excel_writer(part: Path, form: Form, packed: bool) -> Iterator["_ExcelWriter"]:
    """Yield a writer of an Excel file with one sheet, which packs itself."""
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
        for at, name in enumerate(form.names):
            # Written row by row, a sheet must know the width before it knows the cells.
            self._sheet.set_column(at, at, _width(name, at < form.own, form.types[at]))
        bold = book.add_format({"bold": True})
        for at, name in enumerate(form.names):
            self._sheet.write_string(0, at, _legible(name), bold)

    def write(self, columns: Sequence[Any], lines: Sequence[str] | None = None) -> None:
        """Write rows as cells of their own types."""
        cells = [cells_of(column) for column in columns]
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


def _width(name: str, own: bool, kind: pa.DataType | None) -> int:
    """Return a column's width in letters: room for its name, and for what our columns of that name say.

    Examples
    --------
    >>> _width("churn_reason_1", False, pa.string()), _width("churn_propensity", False, pa.float64())
    (90, 18)
    """
    text = kind in (None, pa.string())
    told = ADDRESS if own else next((room for part, room in ROOM.items() if part in name), SHORT)
    return min(max(len(name) + 2, told if text else 0), max(ROOM.values()))


def _legible(text: str) -> str:
    """Return the text as an Excel cell can hold it: no longer than that, in valid Unicode."""
    return text[:EXCEL_LETTERS].encode("utf-8", "replace").decode("utf-8")
