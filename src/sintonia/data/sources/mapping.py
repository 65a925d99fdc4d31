"""One silo mapped to the table schemas: typed columns for the rows that satisfy them, a reason for other rows.

The SQL expressions of a mapping are checked against the silo's own columns.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from sintonia.core.config import SiloConfig, iso_time
from sintonia.core.engine import DIALECT, fetch_row
from sintonia.core.errors import ConfigError, InputError, hint, unknown
from sintonia.core.schema import CHANNELS, CONTACT_FIELDS, DECISIONS, INTERACTIONS, KINDS, Column
from sintonia.data.sources import identifiers, values
from sintonia.data.sources.judge import judge_silo
from sintonia.data.sources.money import load_rates
from sintonia.data.sources.reader import FILE, LINE, READABLE, ROW, drop_rejects, lost_its_way, quoted
from sintonia.data.sources.silos import RawSilo, SiloReport, read_raw
from sintonia.data.sources.versions import (
    VERSION_COLUMNS,
    count_versions,
    drop_version_columns,
    same_rows,
    settle_versions,
    version_id,
)

# One row in, one value out: anything that reads another table or another row has no place in a mapping.
FORBIDDEN = (exp.Query, exp.Subquery, exp.Window, exp.AggFunc, exp.Command, exp.Star, exp.Placeholder)

NUMERIC = (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.Neg, exp.Var)
"""Expressions that give a number whatever the silo writes; a `Var` is a `number(x)` spelt out."""


@dataclass(frozen=True)
class Expressions:
    """The expressions of one silo over its raw columns, and over `_row`, the row's number, if no column is called so.

    `names` says what a column is called in SQL where that is not its own name, `decimals` with which decimal sign the
    texts of an expression are written (its SQL is the key; a point when it is not there). `numbers` collects the
    expressions whose texts were read as numbers; when `layered`, these texts are columns `_text_0`, `_text_1`, ... of a
    query below, for DuckDB would compute them anew wherever they are used. `placeholders` are the source's own.

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
    names: Mapping[str, str] = field(default_factory=dict)
    decimals: Mapping[str, str] = field(default_factory=dict)
    numbers: dict[str, str] = field(default_factory=dict)
    layered: bool = False
    placeholders: tuple[str, ...] = ()

    def parse(self, text: str) -> exp.Expr:
        """Return the expression with its columns quoted and `number(x)` spelt out.

        Raises
        ------
        ConfigError
            When it is not one SQL expression over the silo's own columns.
        """
        if text in self.types:
            return exp.column(self._sql_name(text), quoted=True)
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
        """Return a double from a value, null when there is none and NaN when it is not understood.

        A text is read with the decimal sign of its column; what is a number already, as `number(x)` is and sums of it,
        has none.
        """
        sql = value.sql(DIALECT)
        double = f"TRY_CAST(CAST({sql} AS VARCHAR) AS DOUBLE)"
        kind = self._type(value)
        if isinstance(value.unnest(), NUMERIC) or kind not in ("VARCHAR", ""):
            return exp.var(double)
        self.numbers.setdefault(sql, values.trimmed(sql))
        text = f"_text_{list(self.numbers).index(sql)}" if self.layered else self.numbers[sql]
        decimal = self.silo.csv.decimal or self.decimals.get(sql, ".")
        read = values.number(text, decimal)
        return exp.var(
            f"({read})" if kind else f"CASE WHEN TYPEOF({sql}) = 'VARCHAR' THEN {read} ELSE {double} END"
        )

    def text(self, value: exp.Expr) -> exp.Expr:
        """Return trimmed text, null when empty."""
        return sqlglot.parse_one(f"NULLIF(TRIM(CAST({value.sql(DIALECT)} AS VARCHAR)), '')", dialect=DIALECT)

    def cell(self, value: exp.Expr) -> exp.Expr:
        """Return trimmed text, null when empty; whole numbers have no point."""
        kind, sql = self._type(value), value.sql(DIALECT)
        if kind in identifiers.EXACT_IN_FLOATS or kind.startswith("DECIMAL"):
            whole = f"TRY_CAST({sql} AS HUGEINT)"
            number = (
                f"CASE WHEN {whole} = {sql} THEN CAST({whole} AS VARCHAR) ELSE CAST({sql} AS VARCHAR) END"
            )
            return exp.var(f"NULLIF({number}, 'nan')")
        return self.text(value)

    def time(self, value: exp.Expr, text: str | None = None) -> exp.Expr:
        """Return the UTC time of a value: its own offset wins, else it is local time of the silo's zone.

        `text` is a column with the value as trimmed text, where there is one.
        """
        return exp.var(self.utc(self.local_time(value, text), self.zoned_time(value, text)))

    def utc(self, local: str, zoned: str) -> str:
        """Return the SQL of the UTC time of a value from its time with a zone, and without."""
        zone = exp.Literal.string(self.silo.time_zone).sql(DIALECT)
        here = f"TIMEZONE('UTC', TIMEZONE({zone}, {local}))"
        ways = [zoned, here] if values.has_zone(self.silo.time_format) else [here, zoned]
        return f"COALESCE({', '.join(ways)})"

    def local_time(self, value: exp.Expr, text: str | None = None) -> str:
        """Return the SQL of a value's time on the silo's clock, null when it has a zone of its own.

        `text` is a column with the value as trimmed text, where there is one.
        """
        kind, sql = self._type(value), value.sql(DIALECT)
        if kind.startswith("TIMESTAMP"):
            return "CAST(NULL AS TIMESTAMP)" if _is_zoned(kind) else f"CAST({sql} AS TIMESTAMP)"
        return values.local_time(text or values.trimmed(sql), self.silo.time_format)

    def zoned_time(self, value: exp.Expr, text: str | None = None) -> str:
        """Return the SQL of the UTC time of a value that has a zone or offset of its own, else null."""
        kind, sql = self._type(value), value.sql(DIALECT)
        if kind.startswith("TIMESTAMP"):
            zoned = f"TIMEZONE('UTC', CAST({sql} AS TIMESTAMPTZ))"
            return zoned if _is_zoned(kind) else "CAST(NULL AS TIMESTAMP)"
        return values.zoned_time(text or values.trimmed(sql), self.silo.time_format)

    def _type(self, value: exp.Expr) -> str:
        """Return the type of a column or literal text, "" of any other expression."""
        if isinstance(value, exp.Column):
            columns = {self._sql_name(column): kind for column, kind in self.types.items()}
            return "BIGINT" if value.name == ROW else columns.get(value.name, "")
        return "VARCHAR" if isinstance(value, exp.Literal) and value.is_string else ""

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

    def _sql_name(self, column: str) -> str:
        return self.names.get(column, column)

    def _column(self, name: str) -> str:
        if name in self.types:
            return self._sql_name(name)
        if name == ROW:
            return ROW
        for column in self.types:
            if column.strip().lower() == name.strip().lower():
                return self._sql_name(column)
        # A name may have line ends, and a message has one line.
        columns = [" ".join(column.splitlines()) for column in self.types]
        raise ConfigError(f"Silo '{self.silo_name}' has no column '{name}'; {hint(name, columns)}")


def _is_zoned(kind: str) -> bool:
    """Return whether a type of DuckDB's is a time with a zone, whatever its precision."""
    return "TZ" in kind or "TIME ZONE" in kind


BUILT = ("customer_id", "known_at", "known_until", "occurred_at", "source", "opens_thread")
"""Columns the build fills by itself; a mapping cannot name them under `interactions` or `decisions`."""

PREFIXES = {"identifiers": "id", "interactions": "i", "attributes": "a", "contacts": "c", "decisions": "d"}


@dataclass(frozen=True)
class DateBounds:
    """Dates between which a row is believed and read."""

    until: datetime | None
    today: datetime
    not_before: datetime = datetime(1990, 1, 2)


PLACEHOLDERS = ("0001-01-01", "1753-01-01", "1899-12-30", "1899-12-31", "1900-01-01", "1970-01-01")
"""Days that programs write for no date: .NET, SQL Server, spreadsheets, Unix; never credible."""


@dataclass(frozen=True)
class Money:
    """The brand's currency, and the file with the dated rates of others into it."""

    currency: str = "EUR"
    rates: Path | None = None


def map_silo(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    silo: SiloConfig,
    root: Path,
    bounds: DateBounds,
    money: Money | None = None,
    placeholders: tuple[str, ...] = (),
) -> SiloReport:
    """Return what became of the silo's rows, now in the engine's table `mapped_<name>`.

    The table holds one row per raw row: `_file`, `_row`, `occurred_at`, `arrived_at`, `known_until` (null unless a
    newer version or a deletion ends the row), `reason` (null when the row keeps the contract), `raw` (the row as JSON
    when it does not, or the line that could not be read), and the mapped columns as `id__<type>`, `i__<column>`,
    `a__<attribute>`, `c__<field>` and `d__<column>`. What was written for an identifier and
    is none, as a placeholder, is `_none__<type>`.

    Files are read by DuckDB, and again row by row if that loses its way in them. The decimal sign of a column is found
    from its first rows, and again from all if values of it are not understood.

    Raises
    ------
    ConfigError
        When an expression cannot be read, or amounts are in a currency without a rate.
    InputError
        When the files cannot be read as their format says, or identifiers are floats that were rounded.
    """
    money = money or Money()
    identifiers.register(connection, placeholders)
    raw = read_raw(connection, name, root, silo)
    try:
        expressions = _map(connection, name, silo, raw, bounds, money, placeholders)
        lost = lost_its_way(connection, name) or any(
            lost_its_way(connection, f"{name}_{join}") for join in silo.join
        )
    except duckdb.Error:
        lost = True
    if lost:
        raw = read_raw(connection, name, root, silo, careful=True)
        try:
            expressions = _map(connection, name, silo, raw, bounds, money, placeholders)
        except duckdb.Error as error:
            raise InputError(f"Silo '{name}': {str(error).splitlines()[0]}") from None
    settle_versions(connection, name, silo)
    older_versions, identical = count_versions(connection, name)
    drop_version_columns(connection, name)
    _add_unreadable_lines(connection, name)
    report = _report(connection, name, silo, bounds)
    report = replace(report, older_versions=older_versions, identical=identical)
    return judge_silo(connection, report, silo, raw, expressions, money.currency)


SAMPLED_ROWS = 10_000
"""Rows that tell a column's decimal sign, unless values of it are not understood."""


def _map(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    silo: SiloConfig,
    raw: RawSilo,
    bounds: DateBounds,
    money: Money,
    placeholders: tuple[str, ...],
) -> Expressions:
    """Fill `mapped_<name>`; return the expressions with the decimal signs it was read with."""
    if _is_foreign(silo, money):
        load_rates(connection, name, money.currency, money.rates)
    first_rows = Expressions(name, silo, raw.types, raw.names, placeholders=placeholders)
    _refuse_rounded(connection, raw, first_rows)
    _mapped_columns(name, silo, first_rows, money)
    _where(first_rows)
    decimals = _decimals(connection, silo, raw, first_rows.numbers, SAMPLED_ROWS)
    expressions = _execute(connection, first_rows, raw, bounds, money, decimals)
    unread = f"SELECT COUNT(*) FROM mapped_{name} WHERE _read AND reason LIKE '%not understood'"
    if decimals and fetch_row(connection, unread)[0]:
        of_all = _decimals(connection, silo, raw, first_rows.numbers, None)
        if of_all != decimals:
            expressions = _execute(connection, first_rows, raw, bounds, money, of_all)
    if _is_foreign(silo, money) and money.rates is None:
        _refuse_missing_rates(connection, name, silo, money)
    return expressions


def _execute(
    connection: duckdb.DuckDBPyConnection,
    of_silo: Expressions,
    raw: RawSilo,
    bounds: DateBounds,
    money: Money,
    decimals: Mapping[str, str],
) -> Expressions:
    """Fill `mapped_<name>`, with texts read by these decimal signs; return the expressions of the columns."""
    name, silo = of_silo.silo_name, of_silo.silo
    expressions = replace(of_silo, decimals=decimals, numbers={}, layered=True)
    mapped = _mapped_columns(name, silo, expressions, money)
    drop_rejects(connection, name)
    connection.execute(_mapping_sql(name, silo, raw, expressions, mapped, bounds, money))
    return expressions


def _refuse_rounded(connection: duckdb.DuckDBPyConnection, raw: RawSilo, expressions: Expressions) -> None:
    """Refuse identifiers in floats that are too large for these to be exact."""
    by_sql_name = {raw.names.get(column, column): column for column in raw.types}
    for kind, text in expressions.silo.identifiers.items():
        for column in expressions.parse(text).find_all(exp.Column):
            name = by_sql_name.get(column.name, "")
            exact = identifiers.EXACT_IN_FLOATS.get(raw.types.get(name, ""))
            if exact is None:
                continue
            sql = column.sql(DIALECT)
            query = f"SELECT COUNT(*) FROM {raw.view} WHERE ISFINITE({sql}) AND ABS({sql}) > {exact}"
            (rounded,) = fetch_row(connection, query)
            if rounded:
                raise InputError(
                    f"Silo '{expressions.silo_name}': {rounded:,} values of the {kind} column '{name}' are floats "
                    f"above 2^{exact.bit_length() - 1}, which are rounded; export it as text or whole numbers."
                )


def _refuse_missing_rates(
    connection: duckdb.DuckDBPyConnection, name: str, silo: SiloConfig, money: Money
) -> None:
    missing = f"SELECT COUNT(*) FROM mapped_{name} WHERE _read AND reason = '{NO_RATE}'"
    (rows,) = fetch_row(connection, missing)
    if rows:
        raise ConfigError(
            f"Silo '{name}': amounts of {rows:,} rows are not in {money.currency} ({silo.currency}); give source.rates="
            "FILE with columns date, currency, rate, or the currency of all as source.currency."
        )


def _decimals(
    connection: duckdb.DuckDBPyConnection,
    silo: SiloConfig,
    raw: RawSilo,
    numbers: Mapping[str, str],
    rows: int | None,
) -> dict[str, str]:
    """Return the decimal sign of each text that is read as a number, from all of its values or those of the first rows.

    What a column does not tell, the silo's other columns do, and then the delimiter: cells are parted by semicolons
    where a comma is the decimal sign.
    """
    if not numbers or silo.csv.decimal:
        return {}
    counts = ", ".join(values.decimal_counts(text) for text in numbers.values())
    limit = f"LIMIT {rows}" if rows else ""
    row = fetch_row(connection, f"SELECT {counts} FROM (SELECT * FROM {raw.view} WHERE {READABLE} {limit})")
    evidence = {key: values.DecimalEvidence(*row[3 * at : 3 * at + 3]) for at, key in enumerate(numbers)}
    together = sum(evidence.values(), values.DecimalEvidence())
    usual = together.sign or ("," if raw.delimiter == ";" else ".")
    return {key: column.sign or usual for key, column in evidence.items()}


def _is_foreign(silo: SiloConfig, money: Money) -> bool:
    return silo.currency is not None and silo.currency != money.currency


@dataclass(frozen=True)
class _Mapped:
    """A mapped column: its name in `mapped_<silo>`, its typed value, and when and why that fails the row.

    `read` is what the value is made of, computed once as `_read_<name>`; `written` says whether there is anything.
    """

    name: str
    value: exp.Expr
    failed: str | None
    reason: str
    read: exp.Expr | None = None
    written: str | None = None


def _mapped_columns(name: str, silo: SiloConfig, expressions: Expressions, money: Money) -> list[_Mapped]:
    mapped = []
    for kind, text in silo.identifiers.items():
        id_column = f"id__{kind}"
        spelling = identifiers.spelling_sql(kind, quoted(f"_read_{id_column}"), expressions.placeholders)
        written = expressions.cell(expressions.parse(text))
        mapped.append(_Mapped(id_column, exp.var(spelling), None, "", written))
    for group, table in (("interactions", INTERACTIONS), ("decisions", DECISIONS)):
        given: Mapping[str, str] = getattr(silo, group)
        allowed = {column.name: column for column in table.columns if column.name not in BUILT}
        constants = {key: text for key, text in silo.constants.items() if key in allowed} if given else {}
        for key in [*given, *constants]:
            if key not in allowed:
                raise unknown(f"column under {group} of silo '{name}':", key, allowed)
            literal = exp.Literal.string(constants[key]) if key in constants else None
            source = expressions.rename(key, literal or expressions.parse(given[key]))
            mapped.append(
                _typed(expressions, PREFIXES[group], allowed[key], source, _is_foreign(silo, money))
            )
    for contact in silo.contacts:
        if contact not in CONTACT_FIELDS:
            raise unknown(f"contact field of silo '{name}':", contact, CONTACT_FIELDS)
    for group in ("attributes", "contacts"):
        for key, text in getattr(silo, group).items():
            parsed = expressions.rename(key, expressions.parse(text))
            value = expressions.cell(parsed) if group == "contacts" else expressions.text(parsed)
            # A number that was not understood is NaN, and so is what is computed of it.
            name_there = f"{PREFIXES[group]}__{key}"
            failed = f"{quoted(name_there)} = 'nan'" if parsed.find(exp.Var) is not None else None
            mapped.append(_Mapped(name_there, value, failed, f"{key} not understood"))
    return mapped


def _typed(expressions: Expressions, prefix: str, column: Column, value: exp.Expr, foreign: bool) -> _Mapped:
    """Return the column cast to its contract; a value that is there but cannot be cast fails the row."""
    name = f"{prefix}__{column.name}"
    reason = f"{column.name} not understood"
    text = expressions.text(value)
    if column.sql_type == "VARCHAR":
        return _Mapped(name, text, None, reason)
    read = exp.column(f"_read_{name}", quoted=True)
    number: exp.Expr
    typed: exp.Expr
    if column.sql_type == "TIMESTAMP":
        number = expressions.time(value)
        # Python's calendar begins with the year 1; no row of a brand is as old as this bound.
        typed = exp.var(
            f"CASE WHEN {read.sql(DIALECT)} >= TIMESTAMP '{EARLIEST}' THEN {read.sql(DIALECT)} END"
        )
    elif column.sql_type.endswith("[]"):
        number = exp.TryCast(this=exp.cast(value, "VARCHAR"), to=exp.DataType.build(column.sql_type, DIALECT))
        typed = read
    else:
        number = expressions.number(value)
        measured: exp.Expr = read
        if foreign and column.unit == "cents":
            measured = exp.var(f"({measured.sql(DIALECT)} * _rate)")
        if column.name in ("amount", "quantity") and expressions.silo.returns == "positive":
            sql, kind = measured.sql(DIALECT), _kind(expressions)
            measured = exp.var(f"CASE WHEN {kind} = 'return' THEN -ABS({sql}) ELSE {sql} END")
        scaled = exp.Mul(this=exp.paren(measured), expression=exp.Literal.number(100))
        whole = exp.func("ROUND", scaled if column.unit == "cents" else measured)
        finite = exp.If(
            this=exp.func("ISFINITE", measured), true=whole if "INT" in column.sql_type else measured
        )
        typed = exp.TryCast(this=exp.Case(ifs=[finite]), to=exp.DataType.build(column.sql_type, DIALECT))
    failed = f'"_written_{name}" AND "{name}" IS NULL'
    return _Mapped(name, typed, failed, reason, number, f"{text.sql(DIALECT)} IS NOT NULL")


EARLIEST = "1900-01-02"


def _kind(expressions: Expressions) -> str:
    """Return the SQL of a row's kind, null when the silo maps none."""
    silo = expressions.silo
    if "kind" not in silo.interactions:
        return exp.Literal.string(silo.constants.get("kind", "")).sql(DIALECT)
    renamed = expressions.rename("kind", expressions.parse(silo.interactions["kind"]))
    return expressions.text(renamed).sql(DIALECT)


def _mapping_sql(
    name: str,
    silo: SiloConfig,
    raw: RawSilo,
    expressions: Expressions,
    mapped: list[_Mapped],
    bounds: DateBounds,
    money: Money,
) -> str:
    same = same_rows(silo, raw.n_files, version_id([item.name for item in mapped]))
    occurred = expressions.parse(silo.occurred_at)
    # Times as texts are columns of a query below: what reads them names them dozens of times.
    times = {"_moment": silo.occurred_at, "_arrival": silo.known_at, "_update": silo.updated_at}
    time_texts = ", ".join(
        f"{values.trimmed(expressions.parse(text).sql(DIALECT))} AS {column}"
        for column, text in times.items()
        if text is not None
    )
    local, zoned = expressions.local_time(occurred, "_moment"), expressions.zoned_time(occurred, "_moment")
    if not values.has_zone(silo.time_format):
        zoned = (
            f"CASE WHEN _local IS NULL THEN {zoned} END"  # few times have a zone: most need no second look
        )
    known = (
        "NULL"
        if silo.known_at is None
        else expressions.time(expressions.parse(silo.known_at), "_arrival").sql(DIALECT)
    )
    arrived = "GREATEST(_occurred_at, _known_at)" if silo.known_at else "_occurred_at"
    foreign = _is_foreign(silo, money)
    rate = "_rate" if foreign else "CAST(1 AS DOUBLE)"
    columns = "".join(f', {item.value.sql(DIALECT)} AS "{item.name}"' for item in mapped)
    failures = " ".join(f"WHEN {item.failed} THEN '{item.reason}'" for item in mapped if item.failed)
    written = "".join(f', {item.written} AS "_written_{item.name}"' for item in mapped if item.written)
    read = "".join(f', {item.read.sql(DIALECT)} AS "_read_{item.name}"' for item in mapped if item.read)
    marks = "".join(f', "_written_{item.name}"' for item in mapped if item.written)
    marks += "".join(f', "_read_id__{kind}", "_plain_{kind}"' for kind in silo.identifiers)
    plain = "".join(
        f""", {"LOWER" if kind == identifiers.EMAIL else ""}(TRIM(CAST(
            {expressions.parse(text).sql(DIALECT)} AS VARCHAR))) AS "_plain_{kind}\""""
        for kind, text in silo.identifiers.items()
    )
    none = "".join(
        f', CASE WHEN "id__{kind}" IS NULL THEN "_read_id__{kind}" END AS "_none__{kind}"'
        f', CASE WHEN "_plain_{kind}" <> "id__{kind}" THEN "_plain_{kind}" END AS "_earlier__{kind}"'
        for kind in silo.identifiers
    )
    where = _where(expressions)
    currency = _written_currency(silo, expressions)
    texts = "".join(f", {text} AS _text_{at}" for at, text in enumerate(expressions.numbers.values()))
    failed = f"CASE {failures} END" if failures else "NULL"
    until = f"occurred_at <= TIMESTAMP '{bounds.until}'" if bounds.until else "true"
    kept = "".join(f', "{item.name}"' for item in mapped)
    return f"""CREATE OR REPLACE TABLE mapped_{name} AS
        WITH texts AS (SELECT *{texts} FROM {raw.view}),
        written AS (SELECT *, {time_texts} FROM texts),
        locals AS (SELECT *, {local} AS _local FROM written WHERE {where}),
        clocks AS (SELECT *, {zoned} AS _zoned FROM locals),
        moments AS (
            SELECT *, {expressions.utc("_local", "_zoned")} AS _occurred_at, {known} AS _known_at FROM clocks),
        timed AS ({_rated(name, silo, expressions, money)}),
        measured AS (SELECT *{read}{written}{plain} FROM timed),
        typed AS (
            SELECT {FILE}, {ROW}, {READABLE}, {LINE}, _occurred_at AS occurred_at, _known_at AS known_at, _local,
                   {arrived} AS arrived_at, {_packed(raw)} AS raw,
                   {currency} AS _currency, {rate} AS _rate{columns}{marks},
                   {_changes(expressions)}
            FROM measured),
        checked AS (SELECT *, {failed} AS _failed FROM typed),
        judged AS (SELECT *, {_reason(silo, mapped, bounds, foreign)} AS _reason, COALESCE({until}, true) AS _read,
                          {same.same} AS _same
                   FROM checked),
        marked AS (SELECT *, _reason AS reason, {same.repeated} AS _repeated FROM judged)
        SELECT {FILE}, {ROW}, _read,
               CASE WHEN {READABLE} THEN {_keys(silo)} END AS _keys, occurred_at, arrived_at, reason, _local, _currency,
               known_at AS _known_at, {", ".join(VERSION_COLUMNS)},
               CASE WHEN NOT {READABLE} THEN {LINE}
                    WHEN reason IS NOT NULL OR _repeated THEN {_as_json(raw)} END AS raw{kept}{none}
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
        sql = (expressions.time(value, "_update") if kind == "TIMESTAMP" else cast).sql(DIALECT)
        failed.append(f"({expressions.text(value).sql(DIALECT)} IS NOT NULL AND ({sql}) IS NULL)")
        typed.append(f"COALESCE({sql}, false) AS {name}" if kind == "BOOLEAN" else f"{sql} AS {name}")
    return ", ".join([*typed, f"{' OR '.join(failed)} AS _changed"])


def _rated(name: str, silo: SiloConfig, expressions: Expressions, money: Money) -> str:
    """Return the query of the rows with the rate of their currency on their day, null when there is none."""
    if not _is_foreign(silo, money):
        return "SELECT * FROM moments"
    return f"""SELECT moments.*, CASE WHEN _code = '{money.currency}' THEN 1 ELSE rates.rate END AS _rate
        FROM (SELECT *, {_currency(silo, expressions)} AS _code FROM moments) AS moments
        ASOF LEFT JOIN rates_{name} AS rates
        ON moments._code = rates.currency AND moments._occurred_at >= rates.since"""


def _currency(silo: SiloConfig, expressions: Expressions) -> str:
    """Return the SQL of the code of a row's currency."""
    if re.fullmatch("[A-Z]{3}", str(silo.currency)) and silo.currency not in expressions.types:
        return exp.Literal.string(str(silo.currency)).sql(DIALECT)
    return f"UPPER({values.trimmed(expressions.parse(str(silo.currency)).sql(DIALECT))})"


def _written_currency(silo: SiloConfig, expressions: Expressions) -> str:
    """Return the SQL of the sign or code a row's amount is written with, null when that is a number."""
    amount = silo.interactions.get("amount")
    if amount is None:
        return "CAST(NULL AS VARCHAR)"
    parsed = expressions.parse(re.sub(r"^number\(([^()]*)\)$", r"\1", amount.strip()))
    for at, key in enumerate(expressions.numbers):
        if key == parsed.sql(DIALECT):
            return values.currency(f"_text_{at}")
    return "CAST(NULL AS VARCHAR)"


def _where(expressions: Expressions) -> str:
    """Return which rows of the files are the silo's; those that cannot be read are, to be rejected."""
    where = expressions.silo.where
    return "true" if where is None else f"NOT {READABLE} OR ({expressions.parse(where).sql(DIALECT)})"


def _keys(silo: SiloConfig) -> str:
    """Return the row's identifiers as a list of `type:value`, the ones it has, in the mapping's order."""
    keys = ", ".join(f"'{kind}:' || \"id__{kind}\"" for kind in silo.identifiers)
    return f"LIST_FILTER([{keys}], LAMBDA key: key IS NOT NULL)"


def _packed(raw: RawSilo) -> str:
    columns = [quoted(raw.names[column]) for column in raw.types]
    packed = ", ".join(f"c{at} := {column}" for at, column in enumerate(columns))
    return f"STRUCT_PACK({packed})" if columns else "NULL"


def _as_json(raw: RawSilo) -> str:
    """Return the SQL of a packed row as JSON under the columns' own names."""
    members = ", ".join(
        f"{exp.Literal.string(column).sql(DIALECT)}, raw.c{at}" for at, column in enumerate(raw.types)
    )
    return f"CAST(JSON_OBJECT({members}) AS VARCHAR)"


def _reason(silo: SiloConfig, mapped: list[_Mapped], bounds: DateBounds, foreign: bool) -> str:
    names = {item.name for item in mapped}
    identifiers = ", ".join(f'"id__{kind}"' for kind in silo.identifiers)
    # A clock a day ahead is a time zone; more than that is a broken clock.
    future = bounds.today + timedelta(days=1)
    rules = [
        (f"NOT {READABLE}", "'line not readable'"),
        *_change_rules(silo, names, bounds, future),
        (f"COALESCE({identifiers}) IS NULL", "'no identifier'"),
        ("occurred_at IS NULL", "'time missing or not understood'"),
        (_is_incredible("occurred_at", bounds), "'time not credible'"),
        (f"occurred_at > TIMESTAMP '{future}'", "'time in the far future'"),
        ("_failed IS NOT NULL", "_failed"),
    ]
    if silo.known_at is not None:
        place = rules.index(("_failed IS NOT NULL", "_failed"))
        rules[place:place] = [
            ("known_at IS NULL", "'arrival time missing or not understood'"),
            (_is_incredible("known_at", bounds), "'arrival time not credible'"),
            (f"known_at > TIMESTAMP '{future}'", "'arrival time in the far future'"),
        ]
    if foreign:
        rules.insert(-1, ("_failed IS NOT NULL AND _rate IS NULL", f"'{NO_RATE}'"))
    if silo.interactions:
        for column, choices in (("kind", KINDS), ("channel", CHANNELS)):
            if f"i__{column}" not in names:
                raise ConfigError(
                    f"The silo at '{silo.path}' maps no {column}; give it as a column or a constant."
                )
            listed = ", ".join(f"'{choice}'" for choice in choices)
            rules.append((f"i__{column} IS NULL", f"'no {column}'"))
            rules.append((f"i__{column} NOT IN ({listed})", f"'unknown {column} ' || i__{column}"))
        if "i__amount" in names and silo.returns == "negative":
            rules.append(("i__kind = 'return' AND i__amount > 0", f"'{POSITIVE_RETURN}'"))
        if "i__sentiment" in names:
            rules.append(("i__sentiment NOT BETWEEN -1 AND 1", "'sentiment outside -1 to 1'"))
    return "CASE " + " ".join(f"WHEN {condition} THEN {reason}" for condition, reason in rules) + " END"


NO_RATE = "no rate of its currency"
POSITIVE_RETURN = "positive amount of a return"


def _is_incredible(column: str, bounds: DateBounds) -> str:
    """Return the SQL of whether a time lies before the brand's time, or is a day that stands for none."""
    days = ", ".join(f"DATE '{day}'" for day in PLACEHOLDERS)
    local = f" OR CAST(_local AS DATE) IN ({days})" if column == "occurred_at" else ""
    return f"{column} < TIMESTAMP '{bounds.not_before}' OR CAST({column} AS DATE) IN ({days}){local}"


def _change_rules(
    silo: SiloConfig, names: set[str], bounds: DateBounds, future: datetime
) -> list[tuple[str, str]]:
    """Return the rules of versions and deletions; of a row that is deleted only the id and a time are asked."""
    if silo.updated_at is None and silo.deleted is None:
        return []
    rules = [
        ("_changed", "'updated_at or deleted not understood'"),
        (f"_updated_at > TIMESTAMP '{future}'", "'time in the far future'"),
        (f"_updated_at < TIMESTAMP '{bounds.not_before}'", "'time not credible'"),
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
    """Add the lines that DuckDB's reader rejected; those of `text.py` are rows of the table already."""
    there = "SELECT COUNT(*) FROM duckdb_tables() WHERE table_name = ?"
    (rejects,) = connection.execute(there, [f"rejects_{name}"]).fetchall()[0]
    if rejects:
        lines = f"""SELECT ANY_VALUE(scans.file_path) AS {FILE}, errors.line AS {ROW}, 'line not readable' AS reason,
                           ANY_VALUE(errors.csv_line) AS raw, true AS _read
                    FROM rejects_{name} AS errors JOIN scans_{name} AS scans USING (scan_id, file_id)
                    GROUP BY errors.scan_id, errors.file_id, errors.line"""
        connection.execute(f"INSERT INTO mapped_{name} BY NAME {lines}")
    drop_rejects(connection, name)


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
