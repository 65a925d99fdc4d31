"""A mapping's SQL expressions, checked against the silo's own columns and turned into typed columns."""

from collections.abc import Mapping
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from sintonia.core.config import SiloConfig
from sintonia.core.engine import DIALECT
from sintonia.core.errors import ConfigError, hint

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
