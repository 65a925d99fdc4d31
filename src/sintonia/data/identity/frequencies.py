"""How frequent each value of a field is: two Rossi say less than two of a rare name."""

from typing import TYPE_CHECKING

from sintonia.data.identity.comparisons import FieldComparison

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

_UNKNOWN = 1e-3


def write_frequencies(
    connection: "DuckDBPyConnection", compared: tuple[FieldComparison, ...], learned: "pa.Table | None"
) -> None:
    """Make a table `tf_<field>` of the frequencies of the values of `persons`, as Splink reads them.

    Those `learned` earlier stand (`field`, `value`, `frequency`), and a value that is new since counts as one seen
    once, so that what comes later never changes what a pair weighs.
    """
    if learned is not None:
        connection.register("learned", learned)
    for field in (one.field for one in compared if one.by_frequency):
        rows = f"""select {field}, count(*) / (select count({field}) from persons)::double as tf_{field}
                   from persons where {field} is not null group by {field}"""
        if learned is not None:
            once = f"(select coalesce(min(frequency), {_UNKNOWN}) from learned where field = '{field}')"
            rows = f"""
                with old as (select value, frequency from learned where field = '{field}')
                select distinct {field}, coalesce(frequency, {once}) as tf_{field}
                from persons left join old on value = {field} where {field} is not null"""
        connection.execute(f"create or replace temp table tf_{field} as {rows}")
    if learned is not None:
        connection.unregister("learned")


def frequencies(connection: "DuckDBPyConnection", compared: tuple[FieldComparison, ...]) -> "pa.Table":
    """Return the frequencies in use: one row per (field, value), `frequency` in (0, 1]."""
    parts = [
        f"select '{one.field}' as field, {one.field} as value, tf_{one.field} as frequency from tf_{one.field}"
        for one in compared
        if one.by_frequency
    ]
    nothing = "select '' as field, '' as value, 1e0 as frequency where false"
    return connection.sql(" union all ".join([nothing, *parts]) + " order by 1, 2").to_arrow_table()
