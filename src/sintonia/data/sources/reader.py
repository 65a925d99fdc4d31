"""Files of rows as one relation of the engine: CSV, JSON Lines and Parquet, however they are written.

Clean files go straight into DuckDB's parallel reader. A file it refuses, or in which it meets more than lines that are
too short or too long, is read by `text.py` row by row: there a bad line is one rejected row, wherever it stands.
Both ways give the same columns.
"""

import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, islice
from pathlib import Path
from typing import IO, TYPE_CHECKING

import duckdb
from sqlglot import exp

from sintonia.core.config import CsvConfig
from sintonia.core.engine import DIALECT
from sintonia.core.errors import InputError
from sintonia.data.sources.text import (
    DELIMITER_NAMES,
    Dialect,
    blocks,
    delimited_rows,
    find_dialect,
    is_blank,
    open_bytes,
    records,
)

if TYPE_CHECKING:
    import pyarrow as pa

FILE, ROW, READABLE, LINE = "_file", "_row", "_readable", "_line"
"""Columns beside the files' own: the row's file and number, whether it could be read, the line if not."""

RESERVED = {
    FILE,
    ROW,
    READABLE,
    LINE,
    "_occurred_at",
    "_known_at",
    "_local",
    "_zoned",
    "_moment",
    "_arrival",
    "_update",
    "_rate",
    "_code",
}

RESERVED_STARTS = ("_text_", "_read_", "_written_", "_plain_")
"""Columns of the mapping's own queries; a silo's that begins so is called otherwise there."""

ROWS_PER_BATCH = 20_000

HARMLESS = ("MISSING COLUMNS", "TOO MANY COLUMNS")
"""Errors of DuckDB's reader that end with their line; after any other it may have lost its way."""

FAST_ENCODINGS = {"utf-8": "utf-8", "utf-8-sig": "utf-8", "cp1252": "latin-1", "latin-1": "latin-1"}
"""Encodings DuckDB reads by itself; it refuses Windows-1252 where that is more than Latin-1."""


@dataclass(frozen=True)
class RowsQuery:
    """A query over rows: by column name its type and its name in the query, which differ where SQL cannot say it.

    SQL names have no case and cannot be empty: of `cat` and `Cat` the second is called `Cat_` in the query.
    """

    sql: str
    types: Mapping[str, str]
    names: Mapping[str, str] = field(default_factory=dict)
    reading: tuple[str, ...] = ()
    delimiter: str = ""

    def sql_name(self, column: str) -> str:
        """Return the column's name in the query, quoted."""
        return quoted(self.names[column])


def quoted(name: str) -> str:
    """Return a name as SQL writes it."""
    return exp.to_identifier(name, quoted=True).sql(dialect=DIALECT)


def literal(text: str) -> str:
    """Return a text as SQL writes it."""
    return exp.Literal.string(text).sql(dialect=DIALECT)


def sql_names(columns: Iterable[str], taken: Iterable[str] = ()) -> dict[str, str]:
    """Return a name that SQL can tell from the others for each column: its own, unless that is not to be had.

    Examples
    --------
    >>> sql_names(["cat", "Cat", "_file", ""])
    {'cat': 'cat', 'Cat': 'Cat_', '_file': '_file_', '': '_'}
    """
    used = {name.lower() for name in (*RESERVED, *taken)}
    names = {}
    for column in columns:
        name = column
        while not name or name.lower() in used or name.lower().startswith(RESERVED_STARTS):
            name = f"its{name}" if name.lower().startswith(RESERVED_STARTS) else f"{name}_"
        used.add(name.lower())
        names[column] = name
    return names


def read_files(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    paths: Sequence[Path],
    form: str,
    csv: CsvConfig,
    careful: bool,
) -> RowsQuery:
    """Return the rows of files with `_file`, `_readable` and `_line` beside their columns, united by name.

    `careful` reads text row by row. Otherwise lines that DuckDB rejects land in the engine's tables
    `rejects_<name>` and `scans_<name>` when the query runs; `lost_its_way` says whether these can be believed.

    Raises
    ------
    InputError
        When no file has a row, or one is not of its format.
    """
    if form == "parquet":
        return _parquet(connection, paths)
    paths = [path for path in paths if not is_blank(next(blocks(path, what="file"), b""))] or _nothing(paths)
    if form == "jsonl":
        return _json(connection, name, paths, csv, careful)
    return _csv(connection, name, paths, csv, careful)


def _nothing(paths: Sequence[Path]) -> list[Path]:
    raise InputError(f"The file '{paths[0].name}' has nothing in it; give at least a header and a row.")


def lost_its_way(connection: duckdb.DuckDBPyConnection, name: str) -> bool:
    """Return whether DuckDB met an error in the files after which its rows cannot be believed."""
    known = "SELECT COUNT(*) FROM duckdb_tables() WHERE table_name = ?"
    (exists,) = connection.execute(known, [f"rejects_{name}"]).fetchall()[0]
    if not exists:
        return False
    harmless = ", ".join(map(literal, HARMLESS))
    serious = f"SELECT COUNT(*) FROM rejects_{name} WHERE CAST(error_type AS VARCHAR) NOT IN ({harmless})"
    return bool(connection.execute(serious).fetchall()[0][0])


def drop_rejects(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Drop what DuckDB noted of the files' bad lines."""
    for table in ("rejects", "scans"):
        connection.execute(f"DROP TABLE IF EXISTS {table}_{name}")


def _parquet(connection: duckdb.DuckDBPyConnection, paths: Sequence[Path]) -> RowsQuery:
    import pyarrow as pa
    import pyarrow.parquet as pq

    files = ", ".join(literal(str(path)) for path in paths)
    scan = f"read_parquet([{files}], filename = '{PARQUET_FILE}', union_by_name = true)"
    described = connection.execute(f"DESCRIBE SELECT * EXCLUDE ({PARQUET_FILE}) FROM {scan}").fetchall()
    theirs = [row[0] for row in described]
    columns = theirs
    try:
        written = pq.read_schema(paths[0]).names
    except (pa.ArrowException, OSError):
        written = []
    if [name.lower() for name in written] != [name.lower() for name in theirs] and len(written) == len(
        theirs
    ):
        columns = written  # of `cat` and `Cat` DuckDB renames the second
    names = sql_names(columns)
    picked = ", ".join(
        f"{quoted(own)} AS {quoted(names[column])}" for own, column in zip(theirs, columns, strict=True)
    )
    sql = f"""SELECT {picked}, {PARQUET_FILE} AS {FILE}, CAST(NULL AS VARCHAR) AS {LINE}, true AS {READABLE}
              FROM {scan}"""
    return RowsQuery(sql, dict(zip(columns, (row[1] for row in described), strict=True)), names)


PARQUET_FILE = "_sintonia_file"
"""The column of DuckDB's reader for the file's name; `_file` may be one of the silo's own."""


@dataclass(frozen=True)
class _TextFile:
    """A delimited file: its dialect, its column names, and whether DuckDB may try to read it."""

    path: Path
    dialect: Dialect
    columns: tuple[str, ...]
    plain: bool


def _csv(
    connection: duckdb.DuckDBPyConnection, name: str, paths: Sequence[Path], csv: CsvConfig, careful: bool
) -> RowsQuery:
    files = _united([_text_file(path, csv, careful) for path in paths])
    columns = list(dict.fromkeys(column for file in files for column in file.columns))
    names = sql_names(columns)
    queries = []
    groups = groupby(files, key=lambda file: (file.plain and not careful, file.dialect, file.columns))
    for number, ((plain, *_), group) in enumerate(groups):
        members = list(group)
        if plain:
            queries.append(_scan(name, members, columns, names))
        else:
            table = f"rows_{name}_{number}"
            _store(connection, table, [*names.values(), FILE, LINE], _batches(members, columns))
            queries.append(f"SELECT *, {LINE} IS NULL AS {READABLE} FROM {table}")
    reading = dict.fromkeys(phrase for file in files if (phrase := _found(file.dialect, csv)))
    lacking = {column: sum(column not in file.columns for file in files) for column in columns}
    reading |= dict.fromkeys(
        f"column '{column}' is missing in {count} of {len(files)} files, where it is null"
        for column, count in lacking.items()
        if count
    )
    return RowsQuery(
        " UNION ALL BY NAME ".join(queries),
        dict.fromkeys(columns, "VARCHAR"),
        names,
        tuple(reading),
        files[0].dialect.delimiter,
    )


def _found(dialect: Dialect, csv: CsvConfig) -> str:
    """Return what was found out of a file that is not as usual, "" when all of it was given or is."""
    encoding = dialect.encoding.removesuffix("-sig")
    parted = DELIMITER_NAMES.get(dialect.delimiter, repr(dialect.delimiter))
    parts = [encoding] if csv.encoding is None and encoding != "utf-8" else []
    if csv.delimiter is None and dialect.delimiter != ",":
        parts.append(f"cells separated by {parted}")
    return ", ".join(parts)


def _text_file(path: Path, csv: CsvConfig, careful: bool) -> _TextFile:
    dialect = find_dialect(path, "file", csv.encoding, csv.delimiter, sampled=not careful)
    header, problem = next(delimited_rows(path, dialect, strict=True), ([""], ""))
    with (
        open_bytes(path) as file,
        io.TextIOWrapper(file, encoding=dialect.encoding, errors="replace", newline="") as text,
    ):
        if dialect.preamble:
            text.readline()
        first = next(records(iter([text.readline()]), dialect.delimiter), ([], ""))[0]
    packed = path.suffix if path.suffix in PACKED else ""
    plain = dialect.encoding in FAST_ENCODINGS and first == header and not problem
    return _TextFile(path, dialect, _column_names(header), plain and packed == _packed(path))


PACKED = {".gz": b"\x1f\x8b", ".zst": b"\x28\xb5\x2f\xfd"}
"""The endings by which DuckDB knows that a file is packed, and how such a file begins."""


def _packed(path: Path) -> str:
    """Return the ending a file's first bytes call for, "" when it is not packed."""
    with path.open("rb") as file:
        magic = file.read(4)
    return next((ending for ending, start in PACKED.items() if magic.startswith(start)), "")


def _column_names(header: Sequence[str]) -> tuple[str, ...]:
    """Return the names of a header: trimmed, `column2` for an empty one, `a_1` for the second `a`."""
    names: list[str] = []
    digits = len(str(len(header) - 1))
    for at, cell in enumerate(header):
        base = (
            cell.encode("utf-8", "replace").decode("utf-8").replace("\ufeff", "").strip()
            or f"column{at:0{digits}d}"
        )
        name, again = base, 0
        while name in names:
            again += 1
            name = f"{base}_{again}"
        names.append(name)
    return tuple(names)


def _united(files: list[_TextFile]) -> list[_TextFile]:
    """Return the files with columns that differ from an earlier file's in case only named as there."""
    known: dict[str, str] = {}
    renamed = []
    for file in files:
        own = set(file.columns)
        columns = tuple(
            column
            if column in known.values() or known.get(column.lower(), column) in own
            else known.get(column.lower(), column)
            for column in file.columns
        )
        columns = columns if len(set(columns)) == len(columns) else file.columns
        for column in columns:
            known.setdefault(column.lower(), column)
        renamed.append(replace(file, columns=columns))
    return renamed


def _scan(name: str, files: Sequence[_TextFile], columns: Sequence[str], names: Mapping[str, str]) -> str:
    """Return DuckDB's own scan of files that are written alike."""
    dialect, own = files[0].dialect, files[0].columns
    at = {column: index for index, column in enumerate(own)}
    cells = ", ".join(f"'c{index}': 'VARCHAR'" for index in range(len(own)))
    picked = ", ".join(
        f"{f'c{at[column]}' if column in at else 'CAST(NULL AS VARCHAR)'} AS {quoted(names[column])}"
        for column in columns
    )
    paths = ", ".join(literal(str(file.path)) for file in files)
    return f"""SELECT {picked}, {FILE}, CAST(NULL AS VARCHAR) AS {LINE}, true AS {READABLE} FROM read_csv([{paths}],
        delim = {literal(dialect.delimiter)}, quote = '"', escape = '"', header = true, auto_detect = false,
        columns = {{{cells}}}, encoding = '{FAST_ENCODINGS[dialect.encoding]}', skip = {int(bool(dialect.preamble))},
        filename = '{FILE}', store_rejects = true, rejects_table = 'rejects_{name}', rejects_scan = 'scans_{name}')"""


def _batches(files: Sequence[_TextFile], columns: Sequence[str]) -> Iterator[list[list[str | None]]]:
    """Yield the files' rows in batches of columns: cells by `columns`, the file, and the line of a bad row."""
    for file in files:
        at = [file.columns.index(column) if column in file.columns else None for column in columns]
        rows = islice(delimited_rows(file.path, file.dialect, strict=True), 1, None)
        lines = (_cells(cells, problem, at, len(file.columns), file) for cells, problem in rows if cells)
        while batch := list(islice(lines, ROWS_PER_BATCH)):
            yield [list(column) for column in zip(*batch, strict=True)]


def _cells(
    cells: list[str], problem: str, at: Sequence[int | None], width: int, file: _TextFile
) -> list[str | None]:
    """Return a row's cells, its file, and the row as one line when it cannot be read."""
    if len(cells) == width + 1 and not cells[-1]:
        cells = cells[:-1]  # a delimiter that ends the line
    line = file.dialect.delimiter.join(cells)
    valid = line.isascii() or _is_unicode(line)
    if problem or len(cells) != width or not valid:
        return [*[None] * len(at), str(file.path), line.encode("utf-8", "replace").decode("utf-8")]
    return [*(None if index is None else cells[index] or None for index in at), str(file.path), None]


def _is_unicode(text: str) -> bool:
    """Return whether a text has no byte that could not be decoded."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _store(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    columns: Sequence[str],
    batches: Iterator[list[list[str | None]]],
) -> None:
    """Store batches of texts as a table of the engine, in their order; what goes wrong in them is raised as it is."""
    import pyarrow as pa

    schema = pa.schema([(column, pa.string()) for column in columns])
    failures: list[Exception] = []

    def arrow() -> "Iterator[pa.RecordBatch]":
        try:
            for batch in batches:
                yield pa.record_batch([pa.array(column, pa.string()) for column in batch], schema)
        except Exception as error:
            failures.append(error)
            raise

    connection.register("incoming", pa.RecordBatchReader.from_batches(schema, arrow()))
    try:
        connection.execute(f"CREATE OR REPLACE TABLE {table} AS SELECT * FROM incoming")
    except duckdb.Error:
        if failures:
            raise failures[0] from None
        raise
    finally:
        connection.unregister("incoming")


def _json(
    connection: duckdb.DuckDBPyConnection, name: str, paths: Sequence[Path], csv: CsvConfig, careful: bool
) -> RowsQuery:
    """Return the rows of JSON Lines, or of JSON arrays; lines are texts first, so that a broken one is rejected."""
    if careful or any(_is_stream(_head(path)) for path in paths):
        _store(connection, f"text_{name}", [LINE, FILE], _json_batches(paths, csv))
        scan = f"text_{name}"
    else:
        files = ", ".join(literal(str(path)) for path in paths)
        options = (
            f"columns = {{'{LINE}': 'VARCHAR'}}, delim = '\x01', quote = '', escape = '', header = false"
        )
        scan = f"read_csv([{files}], {options}, auto_detect = false, filename = '{FILE}')"
    blank = f"TRIM({LINE}, ' \t\r\ufeff')"
    is_object = f"(JSON_VALID({LINE}) AND STARTS_WITH({blank}, '{{'))"
    # All lines are looked at: a key that is rare (or new) stands in none of the first ones.
    every = f"SELECT DISTINCT UNNEST(JSON_KEYS({LINE})) AS key FROM {scan} WHERE {is_object} ORDER BY key"
    keys = [row[0] for row in connection.execute(every).fetchall()]
    names = sql_names(keys)
    # One call for all keys, for every call parses the whole line again (a quarter of the time with 14 keys). A JSON
    # pointer has a spelling for every key; a JSON path has none for `"` or an empty one.
    pointers = ", ".join(literal("/" + key.replace("~", "~0").replace("/", "~1")) for key in keys)
    cells = f"CASE WHEN {is_object} THEN JSON_EXTRACT_STRING({LINE}, [{pointers}]) END" if keys else "NULL"
    fields = "".join(f"cells[{at}] AS {quoted(names[key])}, " for at, key in enumerate(keys, start=1))
    # Stored once: as a view, every use of a field would parse its line again.
    connection.execute(f"""
        CREATE OR REPLACE TABLE lines_{name} AS
        SELECT {fields}{FILE}, {READABLE}, CASE WHEN NOT {READABLE} THEN {LINE} END AS {LINE}
        FROM (SELECT {cells} AS cells, {FILE}, {LINE}, {is_object} AS {READABLE} FROM {scan}
              WHERE {blank} <> '')""")
    connection.execute(f"DROP TABLE IF EXISTS text_{name}")
    return RowsQuery(f"SELECT * FROM lines_{name}", dict.fromkeys(keys, "VARCHAR"), names)


def _head(path: Path) -> str:
    return next(blocks(path, what="file"), b"").decode("utf-8-sig", "replace").lstrip()


def _is_stream(head: str) -> bool:
    """Return whether JSON does not come line by line: an array, or objects over several lines."""
    if head.startswith("["):
        return True
    first = head.split("\n", 1)[0]
    try:
        _, end = json.JSONDecoder().raw_decode(head)
    except (ValueError, RecursionError):
        return first.strip() == "{"
    return end > len(first)


def _json_batches(paths: Sequence[Path], csv: CsvConfig) -> Iterator[list[list[str | None]]]:
    """Yield the lines of the files in batches, each with its file."""
    for path in paths:
        dialect = find_dialect(path, "file", csv.encoding, ",")
        start = next(blocks(path, what="file"), b"").decode(dialect.encoding, "replace")
        with (
            open_bytes(path) as file,
            io.TextIOWrapper(file, encoding=dialect.encoding, errors=dialect.errors) as text,
        ):
            lines = _objects(text) if _is_stream(start.lstrip("\ufeff \t\r\n")) else text
            valid = (line.encode("utf-8", "replace").decode("utf-8") for line in lines)
            while batch := list(islice(valid, 2000)):
                yield [list[str | None](batch), [str(path)] * len(batch)]


LONGEST_OBJECT = 1 << 24
"""Letters after which an object that cannot be read is broken, and not only unfinished."""

_BETWEEN = re.compile(r"[\s,\[\]\ufeff]*")
_NEXT_OBJECT = re.compile(r"[\r\n]\s*,?\s*(?=\{)")


def _objects(text: IO[str]) -> Iterator[str]:
    """Yield the elements of an array, or objects that follow one another, each as one line, and what is broken."""
    decoder = json.JSONDecoder()
    buffer, at, ended = "", 0, False
    while not ended:
        block = text.read(1 << 20)
        buffer, at, ended = buffer[at:] + block, 0, not block
        while (at := _BETWEEN.match(buffer, at).end()) < len(buffer):  # type: ignore[union-attr]
            try:
                _, end = decoder.raw_decode(buffer, at)
            except (ValueError, RecursionError):
                if not ended and len(buffer) - at < LONGEST_OBJECT:
                    break
                following = _NEXT_OBJECT.search(buffer, at + 1)
                end = following.start() if following else len(buffer)
            yield " ".join(buffer[at:end].splitlines())
            at = end
