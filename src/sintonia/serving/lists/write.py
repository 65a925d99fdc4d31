"""A list written: text in the dialect of the one that came, Excel, Parquet or JSON Lines, by the ending.

What a spreadsheet would run as a formula is tamed: in text by an apostrophe before it, in Excel by the type of its
cell. Numbers and telephone numbers stay as they are. Files appear whole or not at all, and have the same bytes
whatever the number of rows that are written at a time.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from sintonia.core.errors import InputError
from sintonia.serving.lists.form import Form, Writer
from sintonia.serving.lists.read import CustomerList
from sintonia.serving.lists.spool import whole
from sintonia.serving.lists.written_tables import excel_writer, parquet_writer
from sintonia.serving.lists.written_text import json_writer, text_writer

TEXT, JSON = (".csv", ".tsv", ".txt"), (".jsonl", ".ndjson")
EXCEL_ROWS, EXCEL_COLUMNS = 1_048_576, 16_384


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
    made: dict[str, Callable[..., Any]] = {
        "text": text_writer,
        "json": json_writer,
        "excel": excel_writer,
        "parquet": parquet_writer,
    }
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
