"""What every column of the store said at moments of decision: as it was known then, and as its table has it now.

A column is an attribute, a silo's count of a kind of interaction, or the mean of a measure over a silo's
interactions. Personal data (`contacts`) is not looked at.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray
from sqlglot import exp

from sintonia.core.engine import DIALECT, fetch_row
from sintonia.evaluation.leakage.strength import Values

MEASURES = ("amount", "quantity", "discount", "sentiment")
NUMERIC_SHARE = 0.95
DAY_US = 86_400_000_000


@dataclass(frozen=True)
class ColumnAtMoments:
    """A column at the moments: `then` is what was known of it, `now` what its table holds by today.

    `after_days` is how long after the moment its first value became visible, NaN without a value; `lag_days` the
    median and the 95th percentile of known_at - occurred_at; `rows_each` how many rows a customer has; `day` the
    commonest day on which its values became visible, and `day_share` the share of its values that did so then.
    """

    what: str
    source: str
    column: str
    then: Values  # (n_moments,)
    now: Values
    after_days: NDArray[np.float64]
    lag_days: tuple[float, float]
    rows_each: float
    day: str
    day_share: float


def columns_at(
    connection: duckdb.DuckDBPyConnection, attributes_file: Path, buckets: list[Path], active_days: int
) -> Iterator[ColumnAtMoments]:
    """Yield every column that says anything at the moments of the engine's table `moments` (row, customer_id, as_of).

    An attribute says now what a plain join to its table would give, whatever its time. Counts and means are over
    (as_of - active_days, as_of]; now they include what was not yet known.
    """
    attributes = f"{parquet([attributes_file])} SEMI JOIN moments USING (customer_id)"
    (n_moments,) = fetch_row(connection, "SELECT COUNT(*) FROM moments")
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE seen AS
        SELECT row, customer_id, source, kind, {", ".join(MEASURES)}, occurred_at, known_at,
               GREATEST(occurred_at, known_at) AS visible_at, as_of, visible_at <= as_of AS known
        FROM {parquet(buckets)} JOIN moments USING (customer_id)
        WHERE occurred_at <= as_of AND occurred_at > as_of - INTERVAL {active_days} DAY""")
    times = _times(connection, "attribute", "name", attributes)
    times |= _times(connection, "count", "kind", "seen")
    times |= _times(connection, "mean", "'any'", "seen")
    for what, query in (
        ("attribute", _ATTRIBUTES.format(parquet([attributes_file]))),
        ("count", _COUNTS),
        *_means(),
    ):
        for found in _by_column(connection, query, n_moments):
            yield ColumnAtMoments(what, *found, *times[what, found[0], "any" if what == "mean" else found[1]])


_ATTRIBUTES = """
    WITH told AS (
        SELECT row, source, name, as_of, GREATEST(occurred_at, known_at) AS visible_at,
               {{'at': occurred_at, 'known': known_at, 'value': value}} AS told
        FROM {} JOIN moments USING (customer_id)),
    latest AS (
        SELECT source, name AS "column", row, STRUCT_EXTRACT(MAX(told) FILTER (visible_at <= as_of), 'value') AS then_,
               STRUCT_EXTRACT(MAX(told), 'value') AS now_,
               EPOCH_US(MIN(visible_at)) - EPOCH_US(ANY_VALUE(as_of)) AS after
        FROM told GROUP BY source, name, row)
    SELECT *, COALESCE(TRY_CAST(then_ AS DOUBLE), EPOCH(TRY_CAST(then_ AS TIMESTAMP))) AS then_number,
           COALESCE(TRY_CAST(now_ AS DOUBLE), EPOCH(TRY_CAST(now_ AS TIMESTAMP))) AS now_number
    FROM latest ORDER BY source, "column", row"""

_COUNTS = """
    SELECT source, kind AS "column", row, CAST(NULLIF(COUNT(*) FILTER (known), 0) AS DOUBLE) AS then_number,
           CAST(COUNT(*) AS DOUBLE) AS now_number,
           EPOCH_US(MIN(visible_at)) - EPOCH_US(ANY_VALUE(as_of)) AS after
    FROM seen GROUP BY source, kind, row ORDER BY source, kind, row"""


def _means() -> Iterator[tuple[str, str]]:
    # A mean and no sum: a sum grows with the count, whose events carry their own times.
    for name in MEASURES:
        # Whole thousandths, so that no order of rows moves the last bit.
        value = f"AVG(CAST(ROUND({name} * 1000) AS BIGINT))"
        yield (
            "mean",
            f"""SELECT source, '{name}' AS "column", row, {value} FILTER (known) AS then_number, {value} AS now_number,
                       EPOCH_US(MIN(visible_at)) - EPOCH_US(ANY_VALUE(as_of)) AS after
                FROM seen WHERE {name} IS NOT NULL GROUP BY source, row ORDER BY source, row""",
        )


def _by_column(
    connection: duckdb.DuckDBPyConnection, query: str, n_moments: int
) -> Iterator[tuple[str, str, Values, Values, NDArray[np.float64]]]:
    """Yield (source, column, then, now, after_days) of a query whose rows come ordered by source and column."""
    table = connection.execute(query).df()
    for (source, column), rows in table.groupby(["source", "column"], sort=True):
        place = rows["row"].to_numpy()
        numbers = [
            _spread(rows[f"{side}_number"].to_numpy(np.float64), place, n_moments) for side in ("then", "now")
        ]
        after = _spread(rows["after"].to_numpy(np.float64) / DAY_US, place, n_moments)
        for values in numbers:
            values[~np.isfinite(values)] = np.nan
        then, now = numbers
        if "now_" in rows and np.isfinite(now[place]).mean() < NUMERIC_SHARE:
            then, now = (_texts(rows[f"{side}_"], place, n_moments) for side in ("then", "now"))
        yield str(source), str(column), then, now, after


def _spread(values: NDArray[np.float64], place: NDArray[np.int64], n_moments: int) -> NDArray[np.float64]:
    spread = np.full(n_moments, np.nan)
    spread[place] = values
    return spread


def _texts(values: Any, place: NDArray[np.int64], n_moments: int) -> Values:  # noqa: ANN401  a pandas column
    spread = np.full(n_moments, None, object)
    spread[place] = values.astype(object).where(values.notna(), None)
    return spread


def _times(
    connection: duckdb.DuckDBPyConnection, what: str, column: str, relation: str
) -> dict[tuple[str, str, str], tuple[tuple[float, float], float, str, float]]:
    """Return ((median lag, 95th percentile), rows a customer, commonest day, its share) by (what, source, column)."""
    found = connection.execute(f"""
        WITH dated AS (
            SELECT source, {column} AS "column", customer_id, EPOCH_US(known_at) - EPOCH_US(occurred_at) AS lag,
                   CAST(GREATEST(occurred_at, known_at) AS DATE) AS day
            FROM {relation}),
        days AS (SELECT source, "column", day, COUNT(*) AS n FROM dated GROUP BY ALL),
        common AS (SELECT source, "column", MAX({{'n': n, 'day': day}}) AS most, SUM(n) AS n FROM days GROUP BY ALL)
        SELECT source, "column", QUANTILE_DISC(lag, [0.5, 0.95]), COUNT(*) / COUNT(DISTINCT customer_id),
               ANY_VALUE(most.day), ANY_VALUE(most.n / common.n)
        FROM dated JOIN common USING (source, "column") GROUP BY source, "column" """).fetchall()
    return {
        (what, source, name): ((lags[0] / DAY_US, lags[1] / DAY_US), each, f"{day:%Y-%m-%d}", share)
        for source, name, lags, each, day, share in found
    }


def parquet(paths: list[Path]) -> str:
    """Return the SQL that reads these files."""
    listed = exp.array(*(exp.Literal.string(str(path)) for path in paths)).sql(dialect=DIALECT)
    return f"read_parquet({listed})"
