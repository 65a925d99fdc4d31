"""Histories of customers from a data frame of rows, for callers without a store: a notebook or a served model."""

from typing import TYPE_CHECKING, Any

from sintonia.core.errors import InputError, hint
from sintonia.core.schema import ATTRIBUTES, CHANNELS, INTERACTIONS, KINDS, LINKS, Table
from sintonia.features import History

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

TABLE = "table"
"""The column that names each row's table: `attributes` or `links`; without it, or empty, `interactions`."""

TABLES: dict[str, Table] = {"interactions": INTERACTIONS, "attributes": ATTRIBUTES, "links": LINKS}
REQUIRED = ("customer_id", "occurred_at", "kind")
"""The columns that a frame of interactions must have."""

OPENS_THREAD = "opens_thread"
ID = ["customer_id", "interaction_id"]
"""What names an interaction; rows that share it are its versions."""


def history_columns() -> dict[str, str]:
    """Return the columns that a frame of histories may have, each with its SQL type.

    Tables that share a column agree on its type.

    Examples
    --------
    >>> history_columns()["customer_id"], history_columns()["table"]
    ('VARCHAR', 'VARCHAR')
    """
    contracts = {column.name: column.sql_type for table in TABLES.values() for column in table.columns}
    return {TABLE: "VARCHAR", **contracts}


def is_history(columns: "Iterable[str]") -> bool:
    """Return whether a frame with these columns holds interactions: who did something, when and of which kind."""
    return set(REQUIRED) <= set(columns)


def to_arrow(frame: Any, argument: str = "frame") -> "pa.Table":  # noqa: ANN401  any data frame
    """Return a pandas, Polars or Arrow frame as an Arrow table; a pandas index is left out.

    Raises
    ------
    InputError
        When the argument is no data frame.
    """
    import narwhals as nw
    import pyarrow as pa

    try:
        wrapped = nw.from_native(frame, eager_only=True)
    except TypeError:
        raise InputError(
            f"`{argument}` is a {type(frame).__name__}; give a pandas, Polars or Arrow data frame."
        ) from None
    try:
        # Arrow's reading of pandas columns with a zone warns of pandas 3.1; in UTC without a zone they mean the same.
        zoned = [
            name
            for name, kind in wrapped.schema.items()
            if isinstance(kind, nw.Datetime) and kind.time_zone is not None
        ]
        utc = (nw.col(name).dt.convert_time_zone("UTC").dt.replace_time_zone(None) for name in zoned)
        table: pa.Table = wrapped.with_columns(*utc).to_arrow()
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"`{argument}` has a column of several types: {reason}; give each column one type."
        ) from None
    names = [name for name in table.column_names if not name.startswith("__index_level_")]
    return table.select(names).replace_schema_metadata(None)


def history_from_frame(frame: Any) -> History:  # noqa: ANN401  any data frame
    """Return the history in a frame, its tables in the types and the order of the store.

    Each row belongs to the table that its column `table` names, or to the interactions where it names none. Columns
    that a table does not have are ignored; those the frame does not have are unknown. Without `known_at` a row is
    known when it occurs, without `known_until` it never ends, without `interaction_id` interactions are numbered in
    their order, and without `opens_thread` it is worked out.

    Raises
    ------
    InputError
        When a column or a key is missing, a value has the wrong type, a table, kind or channel does not exist, or an
        `interaction_id` appears twice for a customer.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    rows = to_arrow(frame, "interactions")
    for name in REQUIRED:
        if name not in rows.column_names:
            raise InputError(f"The interactions have no column '{name}'; {hint(name, rows.column_names)}")
    parts = {name: rows if name == "interactions" else rows.slice(0, 0) for name in TABLES}
    if TABLE in rows.column_names:
        table_names = pc.fill_null(rows[TABLE].cast(pa.string()), "interactions")
        for name in sorted(set(table_names.to_pylist()) - {*TABLES}):
            raise InputError(f"A row is of table '{name}'; {hint(name, TABLES)}")
        parts = {name: rows.filter(pc.equal(table_names, name)) for name in TABLES}
    tables = {name: _typed_table(part, TABLES[name]) for name, part in parts.items()}
    _check_interactions(tables["interactions"])
    tables["interactions"] = _fill_opens_thread(tables["interactions"])
    return History(
        **{
            name: table.sort_by([(key, "ascending") for key in TABLES[name].order])
            for name, table in tables.items()
        }
    )


def _typed_table(rows: "pa.Table", contract: Table) -> "pa.Table":
    """Return the rows with the columns of the contract, in its types; times and keys are never missing."""
    import pyarrow as pa
    import pyarrow.compute as pc

    schema, columns = contract.arrow(), {}
    for column in contract.columns:
        kind = schema.field(column.name).type
        if column.name in rows.column_names:
            columns[column.name] = _cast(rows[column.name].combine_chunks(), column.name, kind)
        elif column.name == "interaction_id":
            columns[column.name] = pa.array([f"{row:012d}" for row in range(len(rows))], pa.string())
        else:
            columns[column.name] = pa.nulls(len(rows), kind)
    if "known_at" in columns:
        columns["known_at"] = pc.coalesce(columns["known_at"], columns["occurred_at"])
    for name in ("customer_id", "occurred_at", "kind", "interaction_id", "linked_at"):
        if name in columns and columns[name].null_count:
            raise InputError(
                f"{columns[name].null_count} {contract.name} have no '{name}'; every row needs one."
            )
    return pa.table(columns, schema=schema)


def _cast(values: Any, name: str, kind: "pa.DataType") -> Any:  # noqa: ANN401  Arrow arrays
    """Return a column in its contract's type: categories as texts, zoned times in UTC, whole numbers checked."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    try:
        if pa.types.is_timestamp(kind):
            if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
                values = _times(values)
            if pa.types.is_timestamp(values.type) and values.type.tz is not None:
                values = values.cast(pa.timestamp(values.type.unit, "UTC")).cast(
                    pa.timestamp(values.type.unit)
                )
            return values.cast(kind, safe=False)
        if pa.types.is_floating(values.type):
            values = pc.if_else(pc.is_nan(values), None, values)
            if pa.types.is_integer(kind) or pa.types.is_string(kind):
                are_integers = pc.all(pc.equal(values, pc.round(values))).as_py()
                if are_integers is False and name == "amount":
                    raise InputError(
                        "The column 'amount' has fractions, but amounts are whole minor units (cents); convert them: "
                        'df["amount"] = (df["amount"] * 100).round().astype("int64").'
                    )
                values = values.cast("int64") if are_integers is not False else values
        return values.cast(kind)
    except (ValueError, TypeError, NotImplementedError) as error:
        reason = " ".join(str(error).split()).partition(". ")[0].rstrip(".")
        raise InputError(f"The column '{name}' cannot be read as {kind}: {reason}.") from None


def _times(texts: Any) -> Any:  # noqa: ANN401  Arrow arrays
    """Return ISO 8601 texts as times, in UTC where they name a zone."""
    import pandas as pd
    import pyarrow as pa

    moments = pd.to_datetime(pd.Series(texts.to_pylist(), dtype=object), utc=True, format="ISO8601")
    return pa.array(moments.dt.tz_localize(None).astype("datetime64[us]"), pa.timestamp("us"))


def _check_interactions(interactions: "pa.Table") -> None:
    """Refuse unknown kinds and channels, and an interaction_id that a customer has twice at one time."""
    import pyarrow.compute as pc

    for name, known in (("kind", KINDS), ("channel", CHANNELS)):
        for value in sorted(
            value for value in pc.unique(interactions[name]).to_pylist() if value is not None
        ):
            if value not in known:
                raise InputError(f"Unknown {name} '{value}' in the interactions; {hint(value, known)}")
    counts = interactions.group_by(ID).aggregate([([], "count_all")])
    duplicates = counts.filter(pc.greater(counts["count_all"], 1))
    if len(duplicates) and interactions["known_until"].null_count < len(interactions):
        duplicates = _overlapping(interactions)
    if len(duplicates):
        customer, interaction = (duplicates[key][0].as_py() for key in ID)
        raise InputError(
            f"{len(duplicates):,} interaction_id appear more than once, first '{interaction}' of customer "
            f'\'{customer}\'; drop the duplicates: df.drop_duplicates(["customer_id", "interaction_id"]).'
        )


def _overlapping(interactions: "pa.Table") -> "pa.Table":
    """Return the ids of which two versions hold at one time: one does not end before the next is known."""
    import duckdb

    query = f"""
        SELECT DISTINCT {", ".join(ID)} FROM (
            SELECT {", ".join(ID)}, known_until, LEAD(known_at) OVER (
                PARTITION BY {", ".join(ID)} ORDER BY known_at) AS next_known_at FROM interactions)
        WHERE next_known_at IS NOT NULL AND (known_until IS NULL OR known_until > next_known_at)
        ORDER BY ALL"""
    with duckdb.connect() as connection:
        connection.register("interactions", interactions)
        return connection.sql(query).to_arrow_table()


def _fill_opens_thread(interactions: "pa.Table") -> "pa.Table":
    """Return the interactions with `opens_thread` worked out where no row has it."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if interactions[OPENS_THREAD].null_count < len(interactions) or not len(interactions):
        return interactions
    if interactions["known_until"].null_count < len(interactions):
        return _opened_versions(interactions)
    visible = pc.max_element_wise(interactions["occurred_at"], interactions["known_at"])
    keyed = interactions.append_column("visible", visible)
    keyed = keyed.append_column("row", pa.array(np.arange(len(interactions))))
    thread = pc.coalesce(interactions["thread_id"], interactions["interaction_id"])
    keyed = keyed.set_column(keyed.column_names.index("thread_id"), "thread_id", thread)
    order = [(name, "ascending") for name in ("visible", "occurred_at", "interaction_id")]
    threads = keyed.sort_by(order).group_by(["customer_id", "thread_id", "kind"], use_threads=False)
    opens = np.zeros(len(interactions), bool)
    opens[threads.aggregate([("row", "first")])["row_first"].to_numpy()] = True
    column = interactions.column_names.index(OPENS_THREAD)
    return interactions.set_column(column, OPENS_THREAD, pa.array(opens))


def _opened_versions(interactions: "pa.Table") -> "pa.Table":
    """Return the interactions of which some end, with `opens_thread`: a row that takes it over is cut in two."""
    import duckdb

    from sintonia.data.store.threads import threads_query

    with duckdb.connect() as connection:
        connection.register("interactions", interactions)
        opened = connection.sql(threads_query("interactions", versions=True)).to_arrow_table()
    return opened.cast(interactions.schema)
