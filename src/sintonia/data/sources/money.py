"""The dated table of rates that brings a silo's amounts into the brand's currency."""

from pathlib import Path

import duckdb

from sintonia.core.config import CsvConfig
from sintonia.core.engine import fetch_row
from sintonia.core.errors import ConfigError, InputError, hint
from sintonia.data.sources import values
from sintonia.data.sources.reader import read_files

COLUMNS = ("date", "currency", "rate")


def load_rates(connection: duckdb.DuckDBPyConnection, name: str, currency: str, path: Path | None) -> None:
    """Fill the engine's table `rates_<name>`: `currency`, `since` and `rate`, the worth of one unit in the brand's own.

    It is empty without a file.

    Raises
    ------
    InputError
        When the file is missing or has a row that is no rate.
    ConfigError
        When it has not the columns date, currency and rate.
    """
    table = f"rates_{name}"
    connection.execute(f"CREATE OR REPLACE TABLE {table} (currency VARCHAR, since TIMESTAMP, rate DOUBLE)")
    if path is None:
        return
    if not path.is_file():
        raise InputError(
            f"No table of rates '{path}'; give source.rates=FILE with columns date, currency, rate."
        )
    read = read_files(connection, table, [path], "csv", CsvConfig(), careful=True)
    for column in COLUMNS:
        if column not in read.types:
            raise ConfigError(
                f"The rates '{path.name}' have no column '{column}'; {hint(column, read.types)}"
            )
    date, code, rate = (values.trimmed(read.sql_name(column)) for column in COLUMNS)
    decimal = values.DecimalEvidence(
        *fetch_row(connection, f"SELECT {values.decimal_counts(rate)} FROM ({read.sql})")
    ).sign
    connection.execute(f"""
        INSERT INTO {table} SELECT UPPER({code}), {values.local_time(date, None)}, {values.number(rate, decimal or ".")}
        FROM ({read.sql})""")
    wrong = f"""SELECT COUNT(*) FROM {table}
                WHERE currency IS NULL OR since IS NULL OR rate IS NULL OR NOT ISFINITE(rate) OR rate <= 0"""
    (broken,) = fetch_row(connection, wrong)
    if broken:
        raise InputError(
            f"The rates '{path.name}': {broken:,} rows are no rates; write them as 2026-01-31,USD,0.92."
        )
    (known,) = fetch_row(connection, f"SELECT COUNT(*) FROM {table} WHERE currency <> '{currency}'")
    if not known:
        raise InputError(f"The rates '{path.name}' have no currency but {currency}; give those of the silos.")
