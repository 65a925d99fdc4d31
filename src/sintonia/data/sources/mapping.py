"""One silo mapped to the table schemas: typed columns for the rows that satisfy them, a reason for other rows.

The SQL expressions of a mapping are checked against the silo's own columns.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from sintonia.core.config import SiloConfig, iso_time
from sintonia.core.engine import DIALECT, fetch_row
from sintonia.core.errors import ConfigError, hint, unknown
from sintonia.core.schema import CHANNELS, CONTACT_FIELDS, DECISIONS, INTERACTIONS, KINDS, Column
from sintonia.data.sources.silos import RawSilo, SiloReport, read_raw
from sintonia.data.sources.versions import (
    VERSION_COLUMNS,
    SameRows,
    count_versions,
    drop_version_columns,
    same_rows,
    settle_versions,
    version_id,
)

# One row in, one value out: anything that reads another table or another row has no place in a mapping.
FORBIDDEN = (exp.Query, exp.Subquery, exp.Window, exp.AggFunc, exp.Command, exp.Star, exp.Placeholder)


ROW = "_row"
"""A row's number in its silo, from 1: the only key of a table that has none, as long as the table never changes."""


@dataclass(frozen=True)
class Expressions:
    """The expressions of one silo over its raw columns, and over `_row`, the row's number.

    Examples
    --------
    >>> silo = SiloConfig(path="t.csv", identifiers={"card": "Tessera"})
    >>> Expressions("store", silo, {"Tessera": "VARCHAR", "Importo": "VARCHAR"}).parse("Importo").sql()
    '"Importo"'
    >>> Expressions("store", silo, {"Tessera": "VARCHAR", "Importo": "VARCHAR"}).parse("Imporo")
    Traceback (most recent call last):
    ...
    sintonia.core.errors.ConfigError: Silo 'store' has no column 'Imporo'; did you mean 'Importo'? Choose Importo, Tessera.
    """  # noqa: E501

    silo_name: str
    silo: SiloConfig
    types: Mapping[str, str]

    def parse(self, text: str) -> exp.Expr:
        """Return the expression with its columns quoted and `number(x)` spelt out.

        Raises
        ------
        ConfigError
            When it is not one SQL expression over the silo's own columns.
        """
        if text in self.types:
            return exp.column(text, quoted=True)
        try:
            parsed = sqlglot.parse_one(text, dialect=DIALECT)
        except SqlglotError:
            raise ConfigError(
                f"Silo '{self.silo_name}': cannot read the expression {text!r} as SQL."
            ) from None
        if not isinstance(parsed, exp.Condition) or parsed.find(*FORBIDDEN) is not None:
            raise ConfigError(
                f"Silo '{self.silo_name}': {text!r} looks beyond its own row; use plain expressions."
            )
        return parsed.transform(self._resolve)

    def number(self, value: exp.Expr) -> exp.Expr:
        """Return a double from a value written with the silo's decimal sign; null when it is none.

        What is a number already, as `number(x)` is and sums of it, has no decimal sign of the silo's any more.
        """
        text = f"CAST({value.sql(DIALECT)} AS VARCHAR)"
        if self.silo.format == "csv":
            thousands = "." if self.silo.csv.decimal == "," else ","
            plain = f"replace(replace({text}, '{thousands}', ''), '{self.silo.csv.decimal}', '.')"
            text = f"CASE WHEN TYPEOF({value.sql(DIALECT)}) = 'VARCHAR' THEN {plain} ELSE {text} END"
        return sqlglot.parse_one(f"TRY_CAST({text} AS DOUBLE)", dialect=DIALECT)

    def text(self, value: exp.Expr) -> exp.Expr:
        """Return trimmed text, null when empty."""
        return sqlglot.parse_one(f"NULLIF(TRIM(CAST({value.sql(DIALECT)} AS VARCHAR)), '')", dialect=DIALECT)

    def time(self, value: exp.Expr) -> exp.Expr:
        """Return the UTC time of a value: its own offset wins, else it is local time of the silo's zone."""
        typed = self.types.get(value.name, "") if isinstance(value, exp.Column) else ""
        zone = exp.Literal.string(self.silo.time_zone).sql(DIALECT)
        if typed.startswith("TIMESTAMP WITH"):
            return sqlglot.parse_one(f"TIMEZONE('UTC', {value.sql(DIALECT)})", dialect=DIALECT)
        if typed.startswith("TIMESTAMP"):
            utc = f"TIMEZONE('UTC', TIMEZONE({zone}, CAST({value.sql(DIALECT)} AS TIMESTAMP)))"
            return sqlglot.parse_one(utc, dialect=DIALECT)
        text = self.text(value).sql(DIALECT)
        # DuckDB also reads 'inf' and 'epoch' as times; a time that somebody wrote has a digit.
        local = f"CASE WHEN REGEXP_MATCHES({text}, '\\d') THEN TRY_CAST({text} AS TIMESTAMP) END"
        if self.silo.time_format is not None:
            form = exp.Literal.string(self.silo.time_format).sql(DIALECT)
            local = f"COALESCE(TRY_STRPTIME({text}, {form}), {local})"
        own = rf"REGEXP_MATCHES({text}, '\d(Z|[+-]\d\d(:?\d\d)?)$') AND REGEXP_MATCHES({text}, ':')"
        sql = f"""CASE WHEN {own} THEN TIMEZONE('UTC', TRY_CAST({text} AS TIMESTAMPTZ))
                  ELSE TIMEZONE('UTC', TIMEZONE({zone}, {local})) END"""
        return sqlglot.parse_one(sql, dialect=DIALECT)

    def rename(self, column: str, value: exp.Expr) -> exp.Expr:
        """Return the value with the mapping's `values` for this column applied; others pass through."""
        names = self.silo.values.get(column, {})
        if not names:
            return value
        case = exp.Case(this=value.copy())
        for raw, ours in names.items():
            case = case.when(exp.Literal.string(raw), exp.Literal.string(ours))
        return case.else_(value.copy())

    def _resolve(self, node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Anonymous) and node.name.lower() == "number":
            if len(node.expressions) != 1:
                raise ConfigError(f"Silo '{self.silo_name}': number() takes one value.")
            return self.number(node.expressions[0].transform(self._resolve))
        if isinstance(node, exp.Column):
            return exp.column(self._column(node.name), quoted=True)
        return node

    def _column(self, name: str) -> str:
        if name == ROW:
            return ROW
        for column in self.types:
            if column.lower() == name.lower():
                return column
        raise ConfigError(f"Silo '{self.silo_name}' has no column '{name}'; {hint(name, self.types)}")


BUILT = ("customer_id", "known_at", "known_until", "occurred_at", "source", "opens_thread")
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

    The table holds one row per raw row: `_file`, `_row`, `occurred_at`, `arrived_at`, `known_until` (null unless a
    newer version or a deletion ends the row), `reason` (null when the row keeps the contract), `raw` (the row as JSON
    when it does not), and the mapped columns as `id__<type>`, `i__<column>`, `a__<attribute>`, `c__<field>` and
    `d__<column>`.
    """
    raw = read_raw(connection, name, root, silo)
    mapped = _mapped_columns(name, silo, raw)
    same = same_rows(silo, root, version_id([item.name for item in mapped]))
    connection.execute(_mapping_sql(name, silo, raw, mapped, bounds, same))
    settle_versions(connection, name, silo)
    older_versions, identical = count_versions(connection, name)
    drop_version_columns(connection, name)
    if silo.format == "csv":
        _add_unreadable_lines(connection, name)
    report = _report(connection, name, silo, bounds)
    return replace(report, older_versions=older_versions, identical=identical)


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


def _mapping_sql(
    name: str, silo: SiloConfig, raw: RawSilo, mapped: list[_Mapped], bounds: DateBounds, same: SameRows
) -> str:
    expressions = Expressions(name, silo, raw.types)
    versions = ", ".join(VERSION_COLUMNS)
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
                   {arrived} AS arrived_at, {failed} AS _failed, {_packed(raw)} AS raw{values}, {_changes(expressions)}
            FROM timed),
        judged AS (
            SELECT *, {_reason(silo, mapped, bounds)} AS _reason, COALESCE({until}, true) AS _read, {same.same} AS _same
            FROM typed),
        marked AS (SELECT *, _reason AS reason, {same.repeated} AS _repeated FROM judged)
        SELECT _file, _row, _read, {_keys(silo)} AS _keys, occurred_at, arrived_at, reason, {versions},
               CASE WHEN reason IS NOT NULL OR _repeated THEN CAST(TO_JSON(raw) AS VARCHAR) END AS raw{kept}
        FROM marked"""


def _changes(expressions: Expressions) -> str:
    """Return the SQL of when a version of a row was written, and whether it says that the row is deleted.

    `_changed` is true where one of the two is there and not understood.
    """
    silo, typed, failed = expressions.silo, [], ["false"]
    for text, name, kind in (
        (silo.updated_at, "_updated_at", "TIMESTAMP"),
        (silo.deleted, "_deleted", "BOOLEAN"),
    ):
        if text is None:
            typed.append(f"CAST({'false' if kind == 'BOOLEAN' else 'NULL'} AS {kind}) AS {name}")
            continue
        value = expressions.parse(text)
        cast = exp.TryCast(this=value, to=exp.DataType.build(kind, DIALECT))
        sql = (expressions.time(value) if kind == "TIMESTAMP" else cast).sql(DIALECT)
        failed.append(f"({expressions.text(value).sql(DIALECT)} IS NOT NULL AND ({sql}) IS NULL)")
        typed.append(f"COALESCE({sql}, false) AS {name}" if kind == "BOOLEAN" else f"{sql} AS {name}")
    return ", ".join([*typed, f"{' OR '.join(failed)} AS _changed"])


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
        *_change_rules(silo, names, future),
        (f"COALESCE({identifiers}) IS NULL", "'no identifier'"),
        ("occurred_at IS NULL", "'time missing or not understood'"),
        (f"occurred_at > TIMESTAMP '{future}'", "'time in the far future'"),
        ("_failed IS NOT NULL", "_failed"),
    ]
    if silo.known_at is not None:
        place = rules.index(("_failed IS NOT NULL", "_failed"))
        rules.insert(place, ("known_at IS NULL", "'arrival time missing or not understood'"))
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


def _change_rules(silo: SiloConfig, names: set[str], future: datetime) -> list[tuple[str, str]]:
    """Return the rules of versions and deletions; of a row that is deleted only the id and a time are asked."""
    if silo.updated_at is None and silo.deleted is None:
        return []
    rules = [
        ("_changed", "'updated_at or deleted not understood'"),
        (f"_updated_at > TIMESTAMP '{future}'", "'time in the far future'"),
    ]
    if silo.deleted is None:
        return rules
    return [
        *rules,
        (f"_deleted AND {version_id(sorted(names, reverse=True))} IS NULL", "'deletion without an id'"),
        ("_deleted AND COALESCE(arrived_at, _updated_at) IS NULL", "'time missing or not understood'"),
        ("_deleted", "NULL"),
    ]


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
