"""Rows written as delimited text and as JSON Lines, in the dialect of the list that came."""

import csv
import gzip
import io
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sintonia.core.progress import log
from sintonia.serving.lists.cells import cell_text, tamed
from sintonia.serving.lists.delimited import delimited, texts_of
from sintonia.serving.lists.form import Form, cells_of, unique


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
        self._file, self._form = file, form
        self._rows = csv.writer(
            file,
            delimiter=form.dialect.delimiter,
            lineterminator=form.dialect.line_end,
            quoting=csv.QUOTE_ALL if form.dialect.quotes_all else csv.QUOTE_MINIMAL,
        )
        self._rows.writerow([tamed(name) for name in form.names])

    def write(self, columns: Sequence[Any], lines: Sequence[str] | None = None) -> None:
        """Write rows as text."""
        decimals, dialect = self._form.decimals, self._form.dialect
        if len(columns) > 1 and not dialect.quotes_all:
            try:
                self._file.write(delimited(columns, decimals, dialect))
                return
            except UnicodeEncodeError:
                log.debug("Cells that are no valid Unicode are written one by one")
        pairs = zip(columns, decimals, strict=True)
        self._rows.writerows(zip(*(texts_of(*pair, dialect.decimal) for pair in pairs), strict=True))


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
