"""Files decoded and searched for traces, and rows with a trace removed: Parquet, CSV, JSON, gzip, zip, SQLite, text.

What a file is, its first bytes say; whether text has rows to remove, its name. Rows that stay keep their bytes.
"""

import gzip
import html
import io
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path
from typing import IO, cast

import pyarrow as pa
import pyarrow.parquet as pq

from sintonia.data.identity.files import hard_link
from sintonia.data.privacy.records import decoded, marked_blocks
from sintonia.data.privacy.traces import Traces, json_cells

DELIMITED, JSON_LINES = (".csv", ".tsv", ".txt"), (".jsonl", ".ndjson")


def count_traces(path: Path, traces: Traces) -> int:
    """Return how many rows, records, lines or pages of a file hold a trace, whatever it is packed in.

    Parquet is read by row groups, gzip and zip are unpacked, SQLite is read table by table and page by page (free
    pages keep what was deleted); JSON and HTML are unescaped. Of a format nobody knows the bytes are searched.
    """
    with path.open("rb") as file:
        return _count(file, path.name, traces, path)


def remove_rows(path: Path, traces: Traces) -> int | None:
    """Return how many rows with a trace were removed from a file, None from one that has no rows of its own.

    The file is replaced in one step, and stays as it was when there is nothing to remove. Documents, databases and
    archives are left to the caller.
    """
    with path.open("rb") as file:
        kind = _kind(file, path.name)
    packed = kind == "gzip"
    if packed:
        with gzip.open(path) as unpacked:
            kind = _kind(cast(IO[bytes], unpacked), path.name[: -len(".gz")])
    part = path.with_name(f".{path.name}.part")
    if kind == "parquet" and not packed:
        removed = copy_parquet(path, part, traces)
    elif kind in ("delimited", "json lines"):
        removed = _copy_text(path, part, traces, packed)
    else:
        return None
    if removed:
        part.replace(path)
    else:
        part.unlink(missing_ok=True)
    return removed


def copy_parquet(path: Path, target: Path, traces: Traces) -> int:
    """Return how many rows with a trace a Parquet file's copy is short of; a copy of all rows is a link to the file."""
    table = pq.read_table(path)
    gone = traces.rows(table)
    if not gone.any():
        return hard_link(path, target)
    metadata = pq.read_metadata(path)
    codec = metadata.row_group(0).column(0).compression.lower() if metadata.num_row_groups else "zstd"
    pq.write_table(
        table.filter(pa.array(~gone)), target, compression="none" if codec == "uncompressed" else codec
    )
    return int(gone.sum())


def compact(path: Path) -> None:
    """Rewrite a SQLite file without its free pages, which keep what was deleted.

    Raises
    ------
    sqlite3.Error
        When another process holds it.
    """
    with closing(sqlite3.connect(path, timeout=5)) as connection:
        connection.execute("VACUUM")


def _kind(file: IO[bytes], name: str) -> str:
    """Return what a file is; its reading place goes back to the start."""
    head = file.read(4096)
    file.seek(0)
    suffix = Path(name).suffix.lower()
    for magic, kind in (
        (b"PAR1", "parquet"),
        (b"\x1f\x8b", "gzip"),
        (b"SQLite format 3\0", "sqlite"),
        (b"PK\x03\x04", "zip"),
    ):
        if head.startswith(magic):
            return kind
    if b"\0" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "bytes"
    if suffix in DELIMITED:
        return "delimited"
    if suffix in JSON_LINES:
        return "json lines"
    return {".json": "json", ".html": "html", ".htm": "html"}.get(suffix, "text")


def _count(file: IO[bytes], name: str, traces: Traces, path: Path | None) -> int:
    kind = _kind(file, name)
    if kind == "parquet":
        whole = pq.ParquetFile(path if path is not None else io.BytesIO(file.read()))
        return sum(
            int(traces.rows(pa.Table.from_batches([batch])).sum()) for batch in whole.iter_batches(1 << 17)
        )
    if kind == "gzip":
        with gzip.open(file) as unpacked:
            return _count(cast(IO[bytes], unpacked), name.removesuffix(".gz"), traces, None)
    if kind == "zip":
        with zipfile.ZipFile(file) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            return sum(_count(io.BytesIO(archive.read(m)), m.filename, traces, None) for m in members)
    if kind == "sqlite":
        return (_count_tables(path, traces) if path else 0) + _count_bytes(file, traces)
    if kind == "bytes":
        return _count_bytes(file, traces)
    if kind in ("json", "html"):
        text = decoded(file.read())
        return int(
            traces.in_cells(json_cells(text)) if kind == "json" else traces.in_text(html.unescape(text))
        )
    return sum(int(found.sum()) for _, found in marked_blocks(file, kind, traces))


def _count_tables(path: Path, traces: Traces) -> int:
    """Return how many rows of a SQLite file's tables hold a trace."""
    found = 0
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for name in names:
            quoted = name.replace('"', '""')
            rows = connection.execute(f'SELECT * FROM "{quoted}"')
            columns = [column[0] for column in rows.description]
            for row in rows:
                cells = [(c, v if isinstance(v, str) else str(v)) for c, v in zip(columns, row, strict=True)]
                found += traces.in_cells(cells)
    return found


def _count_bytes(file: IO[bytes], traces: Traces) -> int:
    """Return how many of the words stand in the bytes, whatever stands beside them."""
    raw = file.read().lower()
    return sum(word.encode() in raw or word.encode("utf-16-le") in raw for word in traces.words)


def _copy_text(path: Path, part: Path, traces: Traces, packed: bool) -> int:
    removed = 0
    opened = gzip.open if packed else open
    name = path.name.removesuffix(".gz") if packed else path.name
    with opened(path, "rb") as file, opened(part, "wb") as kept:
        raw = cast(IO[bytes], file)
        for block, found in marked_blocks(raw, _kind(raw, name), traces):
            records, encoding = block
            stay = "".join(record for record, gone in zip(records, found.tolist(), strict=True) if not gone)
            kept.write(stay.encode(encoding))
            removed += int(found.sum())
    return removed
