"""Send files: selected rows of a scored list with the columns, names and order that a sending tool requires."""

import math
import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from sintonia.core.arrays import Floats
from sintonia.core.config import LayoutConfig
from sintonia.core.errors import ConfigError, unknown
from sintonia.serving.lists.output_columns import STATUS, OutputSchema, Writer, column_cells
from sintonia.serving.lists.rows import STATUSES
from sintonia.serving.lists.write import format_by_ending, open_writer

KEY_COLUMN = "key"
"""The name in a layout of the list's key column, whatever its own name."""

MAX_FILES = 200
"""Most values of the column `by`: each has an open file."""

ROWS_AT_ONCE = 1 << 16


def check_layout(layout: LayoutConfig, schema: OutputSchema) -> None:
    """Refuse a layout with columns that the scored list does not have, or with unknown statuses.

    Raises
    ------
    ConfigError
        Naming the most similar valid name.
    """
    for column in (*layout.columns, *filter(None, (layout.by, layout.sort_by))):
        if column not in (*schema.names, KEY_COLUMN):
            raise unknown(f"column of the layout '{layout.name}'", column, schema.names)
    for status in layout.statuses:
        if status not in STATUSES:
            raise unknown(f"status of the layout '{layout.name}'", status, STATUSES)


@dataclass
class _Waiting:
    """Rows of one file until all of them are known, because the last may come first: priorities, and columns."""

    priorities: list[Floats] = field(default_factory=list)
    columns: list[list[Any]] = field(default_factory=list)


class SendFiles:
    """The files of a layout, next to the scored list; one for each value of the column `by`, where it is given.

    Rows are in the order of their priority, where the layout has one; then only the columns that are sent are kept in
    memory until `finish`. The column `key` of a
    layout is the first of the columns `keys` that a row has.
    """

    def __init__(
        self, stack: ExitStack, layout: LayoutConfig, schema: OutputSchema, out: Path, keys: Sequence[str]
    ) -> None:
        self._stack, self._layout, self._form = stack, replace(layout, sort_by=layout.priority), schema
        self._keys = keys
        self._out, self._writers = out, dict[str, Writer]()
        self._waiting: dict[str, _Waiting] = {}
        self.files: list[Path] = []

    def write(self, columns: Mapping[str, Any]) -> None:
        """Write the rows to send; columns are given by their names in the scored list."""
        statuses = column_cells(columns[STATUS])
        indices = [at for at, status in enumerate(statuses) if status in self._layout.statuses]
        by = column_cells(columns[self._layout.by]) if self._layout.by else [""] * len(statuses)
        parts: dict[str, list[int]] = {}
        for at in indices:
            parts.setdefault("" if by[at] is None else str(by[at]), []).append(at)
        for value, rows in sorted(parts.items()):
            if self._layout.by and not value:
                continue
            writer = self._writer(value)
            sent = [_take_rows(columns[name], rows) for name in self._layout.columns]
            if self._layout.sort_by is None:
                writer.write(sent)
                continue
            waiting = self._waiting.setdefault(value, _Waiting())
            cells = column_cells(_take_rows(columns[self._layout.sort_by], rows))
            waiting.priorities.append(priorities(cells, self._form.dialect.decimal))
            waiting.columns.append(sent)

    def finish(self) -> None:
        """Write the rows that waited for others, those of the highest priority first."""
        for value, waiting in self._waiting.items():
            order = np.argsort(
                -np.concatenate(waiting.priorities), kind="stable"
            )  # nan, no priority, comes last
            whole = [_joined(parts) for parts in zip(*waiting.columns, strict=True)]
            for first in range(0, len(order), ROWS_AT_ONCE):
                rows = order[first : first + ROWS_AT_ONCE].tolist()
                self._writer(value).write([_take_rows(column, rows) for column in whole])
        self._waiting.clear()

    def _writer(self, value: str) -> Writer:
        """Return the writer for a value of `by`, opened when first needed."""
        if value not in self._writers:
            if len(self._writers) == MAX_FILES:
                raise ConfigError(
                    f"The layout '{self._layout.name}' splits the list by '{self._layout.by}', which has more than "
                    f"{MAX_FILES} values; choose another column."
                )
            path = self._path(value)
            self.files.append(path)
            self._writers[value] = self._stack.enter_context(
                open_writer(path, self._own(), format_by_ending(path))
            )
        return self._writers[value]

    def _path(self, value: str) -> Path:
        """Return the path of the file for a value of `by`."""
        slug = re.sub(r"[^\w.-]+", "-", value).strip("-.")
        stem = self._out.name.partition(".")[0]
        name = "-".join(part for part in (stem, self._layout.name, slug) if part)
        return self._out.with_name(f"{name}.{self._layout.ending}")

    def _own(self) -> OutputSchema:
        """Return the schema of the send files."""
        indices = [
            self._form.names.index(self._keys[0] if name == KEY_COLUMN else name)
            for name in self._layout.columns
        ]
        # Keys of several columns may be of several types.
        texts = [name == KEY_COLUMN and len(self._keys) > 1 for name in self._layout.columns]
        return OutputSchema(
            names=tuple(self._layout.columns.values()),
            types=tuple(
                pa.string() if is_text else self._form.types[at]
                for at, is_text in zip(indices, texts, strict=True)
            ),
            decimals=tuple(self._form.decimals[at] for at in indices),
            dialect=self._form.dialect,
        )


def priorities(cells: Sequence[Any], decimal: str = ".") -> Floats:
    """Return cells as numbers, whatever they are written as; nan where a cell is none.

    Examples
    --------
    >>> priorities([96, "100", "96,5", None, "soon"], decimal=",").tolist()
    [96.0, 100.0, 96.5, nan, nan]
    """
    return np.array([_number(cell, decimal) for cell in cells], np.float64)


def _number(cell: Any, decimal: str) -> float:  # noqa: ANN401
    try:
        number = float(cell.strip().replace(decimal, ".") if isinstance(cell, str) else cell)
    except (TypeError, ValueError):
        return math.nan
    return number if math.isfinite(number) else math.nan


def _joined(parts: Sequence[Any]) -> Any:  # noqa: ANN401
    """Return the parts of a column as one."""
    if all(isinstance(part, pa.ChunkedArray | pa.Array) for part in parts):
        arrays = [part.chunks if isinstance(part, pa.ChunkedArray) else [part] for part in parts]
        return pa.chunked_array(
            [chunk for chunks in arrays for chunk in chunks], parts[0].type
        ).combine_chunks()
    return [cell for part in parts for cell in column_cells(part)]


def _take_rows(column: Any, rows: Sequence[int]) -> Any:  # noqa: ANN401
    """Return the cells of these rows."""
    if isinstance(column, pa.ChunkedArray | pa.Array):
        return column.take(pa.array(rows, pa.int64()))
    return [column[at] for at in rows]
