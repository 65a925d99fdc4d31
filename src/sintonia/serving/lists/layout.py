"""Send files: selected rows of a scored list with the columns, names and order that a sending tool requires."""

import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from sintonia.core.config import LayoutConfig
from sintonia.core.errors import ConfigError, unknown
from sintonia.serving.lists.output_columns import STATUS, OutputSchema, Writer, column_cells
from sintonia.serving.lists.rows import STATUSES
from sintonia.serving.lists.write import format_by_ending, open_writer

KEY_COLUMN = "key"
"""The name in a layout of the list's key column, whatever its own name."""

MAX_FILES = 200
"""Most values of the column `by`: each has an open file."""


def check_layout(layout: LayoutConfig, schema: OutputSchema) -> None:
    """Refuse a layout with columns that the scored list does not have, or with unknown statuses.

    Raises
    ------
    ConfigError
        Naming the most similar valid name.
    """
    for column in (*layout.columns, *([layout.by] if layout.by else [])):
        if column not in (*schema.names, KEY_COLUMN):
            raise unknown(f"column of the layout '{layout.name}'", column, schema.names)
    for status in layout.statuses:
        if status not in STATUSES:
            raise unknown(f"status of the layout '{layout.name}'", status, STATUSES)


class SendFiles:
    """The files of a layout, next to the scored list; one for each value of the column `by`, where it is given."""

    def __init__(
        self, stack: ExitStack, layout: LayoutConfig, schema: OutputSchema, out: Path, key: str
    ) -> None:
        names = {key if name == KEY_COLUMN else name: called for name, called in layout.columns.items()}
        layout = replace(layout, columns=names)
        self._stack, self._layout, self._form = stack, layout, schema
        self._out, self._writers = out, dict[str, Writer]()
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
            if not (self._layout.by and not value):
                self._writer(value).write([_take_rows(columns[name], rows) for name in self._layout.columns])

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
        indices = [self._form.names.index(name) for name in self._layout.columns]
        return OutputSchema(
            names=tuple(self._layout.columns.values()),
            types=tuple(self._form.types[at] for at in indices),
            decimals=tuple(self._form.decimals[at] for at in indices),
            dialect=self._form.dialect,
        )


def _take_rows(column: Any, rows: Sequence[int]) -> Any:  # noqa: ANN401
    """Return the cells of these rows."""
    if isinstance(column, pa.ChunkedArray | pa.Array):
        return column.take(pa.array(rows, pa.int64()))
    return [column[at] for at in rows]
