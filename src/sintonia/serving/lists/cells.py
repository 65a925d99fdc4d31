"""Cells as text: as they are written, as they are looked up, and safe from execution as a formula."""

import re
from datetime import date, datetime, time
from typing import Any

import pyarrow as pa

from sintonia.data.sources.identifiers import trimmed

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""First characters of cells that a spreadsheet may execute as a formula."""

_NUMBER = re.compile(r"[-+][\d\s.,/()%-]*(?:[eE][-+]?\d+)?")


def python_cells(column: pa.ChunkedArray) -> list[Any]:
    """Return an Arrow column's values as Python values; what Python cannot represent (nanoseconds) as text."""
    try:
        return list(column.to_pylist())
    except (ValueError, TypeError, OverflowError, ImportError):
        return list(column.cast(pa.string()).to_pylist())


def cell_text(cell: Any) -> str:  # noqa: ANN401
    """Return a cell as text: whole numbers without a point, dates in ISO, a missing value as "".

    Examples
    --------
    >>> cell_text(7.0), cell_text(date(2025, 1, 2)), cell_text(None), cell_text(True), cell_text("007")
    ('7', '2025-01-02', '', 'true', '007')
    """
    if isinstance(cell, str):
        return cell
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 2**53 else repr(cell)
    if isinstance(cell, datetime):
        midnight = cell.time() == time() and cell.tzinfo is None
        return cell.date().isoformat() if midnight else cell.isoformat(sep=" ")
    if isinstance(cell, bytes):
        return cell.decode("utf-8", "replace")
    return cell.isoformat() if isinstance(cell, date | time) else str(cell)


def key_text(cell: Any) -> str:  # noqa: ANN401
    """Return a cell as a key to look up: trimmed, valid Unicode, without the apostrophe that escapes a formula.

    Examples
    --------
    >>> key_text("'@anna "), key_text("'t Hooft"), key_text(3.0)
    ('@anna', "'t Hooft", '3')
    """
    text = trimmed(cell_text(cell).replace("\ufeff", "").replace("\x00", ""))
    text = trimmed(text[1:]) if text[:1] == "'" and text[1:2] in FORMULA_STARTS else text
    return text.encode("utf-8", "replace").decode("utf-8")


def escape_formula(text: str) -> str:
    """Return text that no spreadsheet executes: formulas get an apostrophe before them, numbers do not.

    Examples
    --------
    >>> [escape_formula(text) for text in ("=1+1", "@sum", "-12,50", "+39 333 1234567", "-2+cmd|' /C calc'!A0", "Ann")]
    ["'=1+1", "'@sum", '-12,50', '+39 333 1234567', "'-2+cmd|' /C calc'!A0", 'Ann']
    """
    if not text.startswith(FORMULA_STARTS) or _NUMBER.fullmatch(text):
        return text
    return "'" + text
