"""One silo mapped to the contracts: typed columns for the rows that keep them, a reason for the rows that do not."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
from sqlglot import exp

from sintonia.core.config import SiloConfig, iso_time
from sintonia.core.engine import DIALECT, fetch_row
from sintonia.core.errors import ConfigError, unknown
from sintonia.core.schema import CHANNELS, CONTACT_FIELDS, DECISIONS, INTERACTIONS, KINDS, Column
from sintonia.data.sources.expressions import Expressions
from sintonia.data.sources.read import RawSilo, read_raw
from sintonia.data.sources.report import SiloReport

BUILT = ("customer_id", "known_at", "occurred_at", "source", "opens_thread")
"""Columns the build fills by itself; a mapping cannot name them under `interactions` or `decisions`."""

PREFIXES = {"identifiers": "id", "interactions": "i", "attributes": "a", "contacts": "c", "decisions": "d"}


@dataclass(frozen=True)
class DateBounds:
    """Dates between which a row is believed and read."""

    until: datetime | None
    today: datetime


def map_silo(
    connection: duckdb.DuckDBPyConnection, name: str, silo: SiloConfig, root: Path, bounds: DateBounds
) -> SiloReport:
    """Return what became of the silo's rows, now in the engine's table `mapped_<name>`.

    The table holds one row per raw row: `_file`, `_row`, `occurred_at`, `arrived_at`, `reason` (null when the row
    keeps the contract), `raw` (the row as JSON when it does not), and the mapped columns as `id__<type>`,
    `i__<column>`, `a__<attribute>`, `c__<field>` and `d__<column>`.
    """
    raw = read_raw(connection, name, root, silo)
    mapped = _mapped_columns(name, silo, raw)
    connection.execute(_mapping_sql(name, silo, raw, mapped, bounds))
    if silo.format == "csv":
        _add_unreadable_lines(connection, name)
    return _report(connection, name, silo, bounds)


@dataclass(frozen=True)
class _Mapped:
    """A mapped column: its name in `mapped_<silo>`, its typed value, and when and why that fails the row."""

    name: str
    value: exp.Expr
    failed: str | None
    reason: str


def _mapped_columns(name: str, silo: SiloConfig, raw: RawSilo) -> list[_Mapped]:
    expressions = Expressions(name, silo, raw.types)
    mapped = []
    for kind, text in silo.identifiers.items():
        value = expressions.text(expressions.parse(text))
        mapped.append(
            _Mapped(f"id__{kind}", exp.func("LOWER", value) if kind == "email" else value, None, "")
        )
    for group, table in (("interactions", INTERACTIONS), ("decisions", DECISIONS)):
        given: Mapping[str, str] = getattr(silo, group)
        allowed = {column.name: column for column in table.columns if column.name not in BUILT}
        constants = {key: text for key, text in silo.constants.items() if key in allowed} if given else {}
        for key in [*given, *constants]:
            if key not in allowed:
                raise unknown(f"column under {group} of silo '{name}':", key, allowed)
            literal = exp.Literal.string(constants[key]) if key in constants else None
            source = expressions.rename(key, literal or expressions.parse(given[key]))
            mapped.append(_typed(expressions, PREFIXES[group], allowed[key], source))
    for field in silo.contacts:
        if field not in CONTACT_FIELDS:
            raise unknown(f"contact field of silo '{name}':", field, CONTACT_FIELDS)
    for group in ("attributes", "contacts"):
        for key, text in getattr(silo, group).items():
            value = expressions.text(expressions.rename(key, expressions.parse(text)))
            mapped.append(_Mapped(f"{PREFIXES[group]}__{key}", value, None, ""))
    return mapped


def _typed(expressions: Expressions, prefix: str, column: Column, value: exp.Expr) -> _Mapped:
    """Return the column cast to its contract; a value that is there but cannot be cast fails the row."""
    text = expressions.text(value)
    if column.sql_type == "VARCHAR":
        typed = text
    elif column.sql_type == "TIMESTAMP":
        typed = expressions.time(value)
    elif column.sql_type.endswith("[]"):
        typed = exp.TryCast(this=exp.cast(value, "VARCHAR"), to=exp.DataType.build(column.sql_type, DIALECT))
    else:
        number = expressions.number(value)
        scaled = exp.Mul(this=exp.paren(number), expression=exp.Literal.number(100))
        whole = exp.func("ROUND", scaled if column.unit == "cents" else number)
        finite = exp.If(this=exp.func("ISFINITE", number), true=whole if "INT" in column.sql_type else number)
        typed = exp.TryCast(this=exp.Case(ifs=[finite]), to=exp.DataType.build(column.sql_type, DIALECT))
    name = f"{prefix}__{column.name}"
    failed = f"{text.sql(DIALECT)} IS NOT NULL AND ({typed.sql(DIALECT)}) IS NULL"
    return _Mapped(
        name, typed, None if column.sql_type == "VARCHAR" else failed, f"{column.name} not understood"
    )


def _mapping_sql(name: str, silo: SiloConfig, raw: RawSilo, mapped: list[_Mapped], bounds: DateBounds) -> str:
    expressions = Expressions(name, silo, raw.types)
    occurred = expressions.time(expressions.parse(silo.occurred_at)).sql(DIALECT)
    known = (
        "NULL" if silo.known_at is None else expressions.time(expressions.parse(silo.known_at)).sql(DIALECT)
    )
    arrived = "GREATEST(_occurred_at, _known_at)" if silo.known_at else "_occurred_at"
    values = "".join(f', {item.value.sql(DIALECT)} AS "{item.name}"' for item in mapped)
    failures = " ".join(f"WHEN {item.failed} THEN '{item.reason}'" for item in mapped if item.failed)
    failed = f"CASE {failures} END" if failures else "NULL"
    until = f"occurred_at <= TIMESTAMP '{bounds.until}'" if bounds.until else "true"
    kept = "".join(f', "{item.name}"' for item in mapped)
    return f"""CREATE OR REPLACE TABLE mapped_{name} AS
        WITH timed AS (
            SELECT *, {occurred} AS _occurred_at, {known} AS _known_at FROM {raw.view} WHERE {_where(expressions)}),
        typed AS (
            SELECT _file, _row, _readable, _occurred_at AS occurred_at, _known_at AS known_at,
                   {arrived} AS arrived_at, {failed} AS _failed, {_packed(raw)} AS raw{values}
            FROM timed),
        judged AS (SELECT *, {_reason(silo, mapped, bounds)} AS _reason, COALESCE({until}, true) AS _read FROM typed),
        marked AS (SELECT *, {_duplicate(mapped)} AS reason FROM judged)
        SELECT _file, _row, _read, {_keys(silo)} AS _keys, occurred_at, arrived_at, reason,
               CASE WHEN reason IS NOT NULL THEN CAST(TO_JSON(raw) AS VARCHAR) END AS raw{kept}
        FROM marked"""


def _where(expressions: Expressions) -> str:
    """Return which rows of the files are the silo's; those that cannot be read are, to be rejected."""
    where = expressions.silo.where
    return "true" if where is None else f"NOT _readable OR ({expressions.parse(where).sql(DIALECT)})"


def _keys(silo: SiloConfig) -> str:
    """Return the row's identifiers as a list of `type:value`, the ones it has, in the mapping's order."""
    keys = ", ".join(f"'{kind}:' || \"id__{kind}\"" for kind in silo.identifiers)
    return f"LIST_FILTER([{keys}], LAMBDA key: key IS NOT NULL)"


def _packed(raw: RawSilo) -> str:
    columns = ", ".join(exp.to_identifier(column, quoted=True).sql(DIALECT) for column in raw.types)
    return f"STRUCT_PACK({columns})"


def _reason(silo: SiloConfig, mapped: list[_Mapped], bounds: DateBounds) -> str:
    names = {item.name for item in mapped}
    identifiers = ", ".join(f'"id__{kind}"' for kind in silo.identifiers)
    # A clock a day ahead is a time zone; more than that is a broken clock.
    future = bounds.today + timedelta(days=1)
    rules = [
        ("NOT _readable", "'line not readable'"),
        (f"COALESCE({identifiers}) IS NULL", "'no identifier'"),
        ("occurred_at IS NULL", "'time missing or not understood'"),
        (f"occurred_at > TIMESTAMP '{future}'", "'time in the far future'"),
        ("_failed IS NOT NULL", "_failed"),
    ]
    if silo.known_at is not None:
        rules.insert(4, ("known_at IS NULL", "'arrival time missing or not understood'"))
    if silo.interactions:
        for column, choices in (("kind", KINDS), ("channel", CHANNELS)):
            if f"i__{column}" not in names:
                raise ConfigError(
                    f"The silo at '{silo.path}' maps no {column}; give it as a column or a constant."
                )
            listed = ", ".join(f"'{choice}'" for choice in choices)
            rules.append((f"i__{column} IS NULL", f"'no {column}'"))
            rules.append((f"i__{column} NOT IN ({listed})", f"'unknown {column} ' || i__{column}"))
        if "i__sentiment" in names:
            rules.append(("i__sentiment NOT BETWEEN -1 AND 1", "'sentiment outside -1 to 1'"))
    return "CASE " + " ".join(f"WHEN {condition} THEN {reason}" for condition, reason in rules) + " END"


def _duplicate(mapped: list[_Mapped]) -> str:
    """Return the final reason: of rows that share an id, the first to arrive stays."""
    ids = [item.name for item in mapped if item.name in ("i__interaction_id", "d__decision_id")]
    if not ids:
        return "_reason"
    key = ids[0]
    first = f"ROW_NUMBER() OVER (PARTITION BY {key}, _reason IS NULL, _read ORDER BY arrived_at, _row)"
    return f"CASE WHEN _reason IS NOT NULL THEN _reason WHEN {key} IS NOT NULL AND {first} > 1 THEN 'duplicate' END"


def _add_unreadable_lines(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    lines = """SELECT ANY_VALUE(scans.file_path) AS _file, errors.line AS _row, 'line not readable' AS reason,
                      ANY_VALUE(errors.csv_line) AS raw, true AS _read
               FROM reject_errors AS errors JOIN reject_scans AS scans USING (scan_id, file_id)
               GROUP BY errors.scan_id, errors.file_id, errors.line"""
    connection.execute(f"INSERT INTO mapped_{name} BY NAME {lines}")
    connection.execute("DROP TABLE reject_errors")
    connection.execute("DROP TABLE reject_scans")


def _report(
    connection: duckdb.DuckDBPyConnection, name: str, silo: SiloConfig, bounds: DateBounds
) -> SiloReport:
    kept = f"FROM mapped_{name} WHERE _read AND reason IS NULL"
    rows, after_until = fetch_row(
        connection,
        f"SELECT COUNT(*) FILTER (WHERE _read), COUNT(*) FILTER (WHERE NOT _read) FROM mapped_{name}",
    )
    stored, newest = fetch_row(connection, f"SELECT COUNT(*), MAX(occurred_at) {kept}")
    reasons = connection.execute(
        f"SELECT reason, COUNT(*) FROM mapped_{name} WHERE _read AND reason IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1"
    ).fetchall()
    kinds = f"SELECT DISTINCT i__kind {kept} ORDER BY 1"
    return SiloReport(
        name=name,
        rows=rows,
        stored=stored,
        rejected=rows - stored,
        after_until=after_until,
        reasons=dict(reasons),
        data_until=_data_until(silo, newest, bounds.until),
        kinds=tuple(kind for (kind,) in connection.execute(kinds).fetchall()) if silo.interactions else (),
        own_known_at=silo.known_at is not None,
    )


def _data_until(silo: SiloConfig, newest: datetime | None, until: datetime | None) -> datetime | None:
    """Return until when the silo is complete: declared, else `until` if the data reach its last day, else the end."""
    if silo.data_until is not None:
        declared = iso_time("data_until", silo.data_until)
        return min(declared, until) if until else declared
    if newest is not None and until is not None and until - newest <= timedelta(days=1):
        return until
    return newest
