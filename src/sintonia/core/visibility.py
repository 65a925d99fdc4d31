"""Which interactions are visible at a moment, in SQL and in Arrow, and the interactions of stores of any format.

A row is visible at as_of iff occurred_at <= as_of, known_at <= as_of, and known_until is null or later than as_of.
Strictly before a decision, what became known at that very moment was not known yet: neither a row nor its end.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

CURRENT = "known_until IS NULL"
"""The SQL of rows that hold to this day: the newest version of each, and none that was deleted."""


def visible_at(moment: str, strictly_before: bool = False) -> str:
    """Return the SQL of rows visible at a moment, itself SQL; or strictly before it.

    Examples
    --------
    >>> visible_at("as_of")
    '(occurred_at <= as_of AND known_at <= as_of AND (known_until IS NULL OR known_until > as_of))'
    """
    by, after = ("<", ">=") if strictly_before else ("<=", ">")
    return (
        f"(occurred_at {by} {moment} AND known_at {by} {moment} "
        f"AND (known_until IS NULL OR known_until {after} {moment}))"
    )


def interactions_query(paths: Sequence[Path]) -> str:
    """Return the SQL of the interactions in parquet files; `known_until` is null in files of older stores.

    Examples
    --------
    >>> interactions_query([Path("it's.parquet")])
    "FROM read_parquet(['it''s.parquet']) UNION ALL BY NAME SELECT CAST(NULL AS TIMESTAMP) AS known_until WHERE false"
    """
    listed = ", ".join("'" + str(path).replace("'", "''") + "'" for path in paths)
    return (
        f"FROM read_parquet([{listed}]) "
        "UNION ALL BY NAME SELECT CAST(NULL AS TIMESTAMP) AS known_until WHERE false"
    )


def visible_rows(table: "pa.Table", moment: datetime, strictly_before: bool = False) -> Any:  # noqa: ANN401  Arrow
    """Return which rows of interactions are visible at a moment, or strictly before it, as an Arrow mask.

    Examples
    --------
    >>> import pyarrow as pa
    >>> day = [datetime(2026, 1, number) for number in (1, 2, 3)]
    >>> times = {"occurred_at": day, "known_at": day, "known_until": [day[1], None, None]}
    >>> visible_rows(pa.table(times), day[1]).to_pylist()
    [False, True, False]
    >>> visible_rows(pa.table(times), day[1], strictly_before=True).to_pylist()
    [True, False, False]
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    limit = pa.scalar(moment, pa.timestamp("us"))
    by = pc.less if strictly_before else pc.less_equal
    known = pc.and_(by(table["occurred_at"], limit), by(table["known_at"], limit))
    if "known_until" not in table.column_names or table["known_until"].null_count == len(table):
        return known
    later = pc.greater_equal if strictly_before else pc.greater
    return pc.and_(known, pc.fill_null(later(table["known_until"], limit), True))
