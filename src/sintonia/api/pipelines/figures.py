"""The figures that a verb reports, and how all of them list files."""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

Figures = dict[str, Any]

FOR_PEOPLE = ("say", "row")
"""Keys of figures that are words for people: lines to print, and a row for the table a sweep ends with."""


def write_report(figures: Figures, path: Path) -> Figures:
    """Return the figures, now also in a JSON file for later evaluation, with that file among their files."""
    document = {key: value for key, value in figures.items() if key not in (*FOR_PEOPLE, "files")}
    partial = path.with_name(f".{path.name}.part")
    partial.write_text(json.dumps(document, indent=1, default=str), encoding="utf-8")
    partial.replace(path)
    return {**figures, "files": [*figures["files"], str(path)], "say": [*figures["say"], f"  {path}"]}


def json_value(value: Any) -> Any:  # noqa: ANN401
    """Return a value as JSON knows it, times in ISO."""
    if isinstance(value, dict):
        return {key: json_value(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(inner) for inner in value]
    return value.isoformat() if isinstance(value, datetime) else value


def file_lines(paths: Sequence[Path]) -> list[str]:
    """Return a line per file; numbered parts of one table share a line."""
    tables: dict[Path, list[Path]] = {}
    for path in paths:
        tables.setdefault(path.with_stem(path.stem.rstrip("0123456789")), []).append(path)
    lines = []
    for numbered in tables.values():
        more = f" to {numbered[-1].name}, {len(numbered):,} files" if len(numbered) > 1 else ""
        lines.append(f"  {numbered[0]}{more}")
    return ["Files:", *lines]


def texts(paths: Sequence[Path]) -> list[str]:
    """Return paths as JSON has them."""
    return [str(path) for path in paths]
