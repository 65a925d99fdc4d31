"""JSON Lines: a customer a line, whatever keys each has."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sintonia.serving.lists.text import opened

NO_OBJECT = "the line is no JSON object"


def is_object(line: bytes) -> bool:
    """Return whether a line is a JSON object."""
    return isinstance(_object(line.decode("utf-8", "replace")), dict)


def find_header(path: Path) -> tuple[str, ...]:
    """Return all keys of the lines, in the order in which they first appear."""
    names: dict[str, None] = {}
    for line in _lines(path):
        names |= dict.fromkeys(_object(line) or {})
    return tuple(names)


def json_rows(path: Path, header: tuple[str, ...]) -> Iterator[tuple[list[Any], str]]:
    """Yield each line's values by the header, with what is wrong with it; objects and lists stay JSON.

    Of a line that is no object the text stands in the first cell.
    """
    for line in _lines(path):
        found = _object(line)
        if found is None:
            yield [line.strip("\r\n"), *[None] * (len(header) - 1)], NO_OBJECT
        else:
            yield [_as_cell(found.get(name)) for name in header], ""


def lines_of(path: Path) -> Iterator[str]:
    """Yield the lines as they stand, without their ends."""
    return (line.rstrip("\r\n") for line in _lines(path))


def _lines(path: Path) -> Iterator[str]:
    with opened(path) as file, io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace") as text:
        yield from (line for line in text if line.strip())


def _object(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _as_cell(value: Any) -> Any:  # noqa: ANN401
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value
