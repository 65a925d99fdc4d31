"""Rows written as delimited text and as JSON Lines, in the dialect of the list that came."""

import csv
import gzip
import io
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sintonia.lists.cells import RISKY, cell_text, tamed
from sintonia.lists.form import Form, cells_of, unique

PLAIN = (str, int)
"""What most cells are; they are written as Python does."""


@contextmanager
def _bytes(part: Path, packed: bool) -> Iterator[Any]:
    with part.open("wb") as file:
        if not packed:
            yield file
            return
        with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as gz:
            yield gz


@contextmanager
def text_writer(part: Path, form: Form, packed: bool) -> Iterator["_TextWriter"]:
    """Yield a writer of delimited text, packed or not."""
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
            _texts(column, decimals, sign) if decimals is not None else _tamed(_texts(column, None, sign))
            for column, decimals in zip(columns, self._form.decimals, strict=True)
        ]
        self._rows.writerows(zip(*texts, strict=True))


def _texts(column: Any, decimals: int | None, sign: str) -> list[str]:  # noqa: ANN401
    """Return a column's cells as text, fractions with the list's decimal sign."""
    cells = cells_of(column)
    if decimals is not None:
        told = ["" if cell is None else f"{cell:.{decimals}f}" for cell in cells]
        return [text.replace(".", sign) for text in told] if sign != "." else told
    return [
        "" if cell is None else str(cell) if type(cell) in PLAIN else _fraction(cell, sign) for cell in cells
    ]


def _fraction(cell: Any, sign: str) -> str:  # noqa: ANN401
    text = cell_text(cell)
    return text.replace(".", sign) if isinstance(cell, float) and sign != "." else text


def _tamed(texts: list[str]) -> list[str]:
    return [tamed(text) if text[:1] in RISKY else text for text in texts]


@contextmanager
def json_writer(part: Path, form: Form, packed: bool) -> Iterator["_JsonWriter"]:
    """Yield a writer of JSON Lines, packed or not."""
    with _bytes(part, packed) as file:
        yield _JsonWriter(file, form)


class _JsonWriter:
    """Rows as JSON Lines; those that were some keep their text, with our keys behind their own."""

    def __init__(self, file: Any, form: Form) -> None:  # noqa: ANN401
        self._file, self._names, self._own = file, unique(form.names), form.own

    def write(self, columns: Sequence[Any], lines: Sequence[str] | None = None) -> None:
        """Write rows as objects."""
        cells = [cells_of(column) for column in columns]
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
