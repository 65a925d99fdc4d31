"""Every file of a folder as text, decoded without a line of the program's own code."""

import gzip
import html
import re
import sqlite3
from pathlib import Path

import duckdb


def decode(path: Path) -> str:
    """Return all a file says, packed or not, in lower case: cells one a line, JSON and HTML unescaped."""
    raw = path.read_bytes()
    if raw[:4] == b"PAR1":
        with duckdb.connect() as connection:
            rows = connection.sql(
                "SELECT COLUMNS(*)::VARCHAR FROM read_parquet(?)", params=[str(path)]
            ).fetchall()
        return "\n".join(str(cell) for row in rows for cell in row).lower() + _text(raw[-(1 << 16) :])
    if raw[:2] == b"\x1f\x8b":
        return _text(gzip.decompress(raw))
    if raw[:6] == b"SQLite":
        with sqlite3.connect(path) as connection:
            return "\n".join(connection.iterdump()).lower() + _text(raw)
    return _text(raw)


def _text(raw: bytes) -> str:
    text = raw.decode("utf-8", "replace")
    unescaped = re.sub(r"\\u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), text).replace("\\/", "/")
    return "\n".join([text, html.unescape(text), unescaped]).lower()


def naming(folder: Path, values: set[str]) -> dict[str, set[str]]:
    """Return which files say which of the values, by their names."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            text = decode(path)
            if said := {value for value in values if value in text}:
                found[str(path.relative_to(folder))] = said
    return found
