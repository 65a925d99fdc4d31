"""What a written list has: its columns, their types, and how text is written."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from sintonia.serving.lists.answers import OutputColumn
from sintonia.serving.lists.cells import python_cells
from sintonia.serving.lists.dialect import Dialect
from sintonia.serving.lists.read import CustomerList


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


def form_of(customers: CustomerList, columns: Sequence[OutputColumn], out: Path) -> Form:
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


def cells_of(column: Any) -> Sequence[Any]:  # noqa: ANN401
    """Return a column's cells as Python's values, whether they lie in Arrow or in a list."""
    return python_cells(column) if isinstance(column, pa.ChunkedArray | pa.Array) else column
