"""Excel files row by row: dates as dates, and numbers that are shown with leading zeros as they are shown.

openpyxl reads in constant memory and tells each cell's format, so that card 7 formatted 00000 is found as 00007;
calamine is ten times as fast and does not. Of merged cells the first has the value, the others are empty.
"""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sintonia.core.errors import InputError

if TYPE_CHECKING:
    from openpyxl import Workbook


def find_sheet(path: Path) -> tuple[str, list[Any]]:
    """Return the name and header of the first sheet that has anything in it.

    Raises
    ------
    InputError
        When no sheet has, or the file is damaged.
    """
    with _workbook(path) as book:
        names = [sheet.title for sheet in book.worksheets]
    for name in names:
        header = next(sheet_rows(path, name), None)
        if header is not None:
            return name, header
    raise InputError(f"The list '{path.name}' has nothing in it; give at least one row.")


def sheet_rows(path: Path, sheet: str) -> Iterator[list[Any]]:
    """Yield a sheet's rows from the first that is not blank to the last, blank ones between without cells."""
    blank, width = 0, 0
    with _workbook(path) as book:
        page = book[sheet]
        page.reset_dimensions()  # what the file says of its size may be wrong, and would cut rows
        for row in page.iter_rows():
            cells = [_value(cell) for cell in row]
            while cells and cells[-1] in (None, ""):
                cells.pop()
            if not cells:
                blank += width > 0
                continue
            yield from ([] for _ in range(blank))
            blank, width = 0, max(width, len(cells))
            yield cells


@contextmanager
def _workbook(path: Path) -> "Iterator[Workbook]":
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
                f"The list '{path.name}' is no Excel file that can be read; save it as .xlsx or CSV."
            ) from None


def _value(cell: Any) -> Any:  # noqa: ANN401
    """Return a cell's value; of a whole number shown with leading zeros the text that is shown."""
    value = cell.value
    if isinstance(value, int | float) and not isinstance(value, bool):
        shown = str(cell.number_format or "")
        if re.fullmatch("0{2,}", shown) and float(value).is_integer():
            return f"{int(value):0{len(shown)}d}"
    return value
