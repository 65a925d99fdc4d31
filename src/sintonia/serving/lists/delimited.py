"""Columns as lines of delimited text: each different cell written once, lines joined by Arrow."""

import csv
import io
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sintonia.serving.lists.cells import RISKY, cell_text, tamed
from sintonia.serving.lists.dialect import Dialect
from sintonia.serving.lists.form import cells_of

FRACTIONS = (pa.float32(), pa.float64())
PLAIN = (str, int)
"""What most cells are; they are written as Python does."""

Texts = list[str]


def delimited(columns: Sequence[Any], decimals: Sequence[int | None], dialect: Dialect) -> str:
    r"""Return rows as lines, the bytes those of Python's `csv.writer` that quotes as little as it can.

    Parameters
    ----------
    columns
        Two or more, of cells in Arrow or in lists.
    decimals
        By column how many its fractions have; None where it holds no fractions of ours.

    Raises
    ------
    UnicodeEncodeError
        When a cell is no valid Unicode.

    Examples
    --------
    >>> delimited([["a;b", "=1"], pa.array([0.5, None])], [None, 2], Dialect(delimiter=";", decimal=","))
    '"a;b";0,50\r\n\'=1;\r\n'
    """
    cells = [_cells(column, places, dialect) for column, places in zip(columns, decimals, strict=True)]
    parted, end, nothing = (
        pa.scalar(text, pa.large_string()) for text in (dialect.delimiter, dialect.line_end, "")
    )
    lines = pc.binary_join_element_wise(*cells, parted, null_handling="replace", null_replacement="")
    return "".join(pc.binary_join_element_wise(lines, nothing, end).to_pylist())


def texts_of(column: Any, decimals: int | None, sign: str) -> Texts:  # noqa: ANN401
    """Return a column's cells as text, fractions with the list's decimal sign, formulas tamed."""
    cells = cells_of(column)
    if decimals is not None:
        told = ["" if cell is None else f"{cell:.{decimals}f}" for cell in cells]
        return [text.replace(".", sign) for text in told] if sign != "." else told
    texts = [
        "" if cell is None else str(cell) if type(cell) in PLAIN else _text(cell, sign) for cell in cells
    ]
    return [tamed(text) if text[:1] in RISKY else text for text in texts]


def _text(cell: Any, sign: str) -> str:  # noqa: ANN401
    text = cell_text(cell)
    return text.replace(".", sign) if isinstance(cell, float) and sign != "." else text


def _cells(column: Any, decimals: int | None, dialect: Dialect) -> pa.Array:  # noqa: ANN401
    """Return a column's cells as they stand in a line; null is an empty one."""
    kind = column.type if isinstance(column, pa.ChunkedArray | pa.Array) else pa.null()
    if not (pa.types.is_string(kind) or pa.types.is_integer(kind) or kind in FRACTIONS):
        return _written(column, decimals, dialect)
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if kind in FRACTIONS:
        # By their bits: 0.0 equals -0.0, and is written otherwise.
        each = whole.cast(pa.float64()).view(pa.int64()).dictionary_encode()
        return _written(each.dictionary.view(pa.float64()), decimals, dialect).take(each.indices)
    each = whole.dictionary_encode()
    return _written(each.dictionary, decimals, dialect).take(each.indices)


def _written(cells: Any, decimals: int | None, dialect: Dialect) -> pa.Array:  # noqa: ANN401
    return pa.array(_quote_cells(texts_of(cells, decimals, dialect.decimal), dialect), pa.large_string())


def _quote_cells(texts: Texts, dialect: Dialect) -> Texts:
    """Return the texts, in quotes where a line needs them."""
    special = {dialect.delimiter, '"', "\r", "\n"}
    together = "".join(texts)
    if not any(sign in together for sign in special):
        return texts
    return [_cell(text, dialect) if any(sign in text for sign in special) else text for text in texts]


def _cell(text: str, dialect: Dialect) -> str:
    """Return one cell as `csv` writes it: what it puts in quotes differs from one Python to the next."""
    line = io.StringIO()
    csv.writer(line, delimiter=dialect.delimiter, lineterminator=dialect.line_end).writerow([text])
    return line.getvalue().removesuffix(dialect.line_end)
