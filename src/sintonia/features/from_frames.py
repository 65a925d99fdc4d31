"""Histories of customers from a data frame of rows, for callers without a store: a notebook or a served model."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sintonia.core.errors import InputError, hint
from sintonia.core.progress import log
from sintonia.core.schema import ATTRIBUTES, CHANNELS, INTERACTIONS, KINDS, LINKS, NOT_BEFORE, Table
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

EPOCH_UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
"""Units in which a time may be a number: how many of each are a second."""

CREDIBLE_SECONDS = (NOT_BEFORE.replace(tzinfo=UTC).timestamp(), datetime(2100, 1, 1, tzinfo=UTC).timestamp())
"""Seconds since 1970 within which numbers are taken for times: no number is credible in two units."""

MISSING_TEXTS = ("", "NaT", "nan", "NaN", "None", "null", "<NA>")
"""How frames that were turned into texts write a missing time."""

EXACT_INTEGERS = 2**53
"""From here on a float no longer holds every whole number."""


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


def to_arrow(frame: Any, argument: str = "frame", *, keep_zones: bool = False) -> "pa.Table":  # noqa: ANN401
    """Return a pandas, Polars or Arrow frame as an Arrow table; a pandas index is left out.

    Times with a zone are in UTC, without a zone unless `keep_zones`.

    Raises
    ------
    InputError
        When the argument is no data frame, has a column twice, or values of several types in one column.
    """
    import narwhals as nw
    import pyarrow as pa

    try:
        wrapped = nw.from_native(frame, eager_only=True)
        columns = wrapped.schema
    except TypeError:
        raise InputError(
            f"`{argument}` is a {type(frame).__name__}; give a pandas, Polars or Arrow data frame."
        ) from None
    except (nw.exceptions.DuplicateError, ValueError):
        raise InputError(
            f"`{argument}` has two columns of one name; give each column a name of its own."
        ) from None
    try:
        # Arrow's reading of pandas columns with a zone warns of pandas 3.1; in UTC without a zone they mean the same.
        zoned = [
            name
            for name, kind in columns.items()
            if isinstance(kind, nw.Datetime) and kind.time_zone is not None
        ]
        utc = (nw.col(name).dt.convert_time_zone("UTC").dt.replace_time_zone(None) for name in zoned)
        table: pa.Table = wrapped.with_columns(*utc).to_arrow()
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        raise _mixed_types_error(frame, argument) from None
    if keep_zones:
        for name in zoned:
            index = table.column_names.index(name)
            table = table.set_column(index, name, table[name].cast(pa.timestamp("us", "UTC"), safe=False))
    names = [name for name in table.column_names if not name.startswith("__index_level_")]
    return table.select(names).replace_schema_metadata(None)


def _mixed_types_error(frame: Any, argument: str) -> InputError:  # noqa: ANN401  any data frame
    """Return the error for a frame that Arrow cannot hold, with the column at fault and its types but no value."""
    dtypes = getattr(frame, "dtypes", None)
    for name in [] if dtypes is None or not hasattr(dtypes, "items") else list(frame.columns):
        if frame[name].dtype != object:
            continue
        types = sorted({type(value).__name__ for value in frame[name].dropna()})
        if len(types) > 1:
            return InputError(
                f"The column '{name}' of `{argument}` has values of several types ({', '.join(types)}); give it one: "
                f'df["{name}"] = df["{name}"].astype("string").'
            )
    return InputError(
        f"`{argument}` has a column of several types or of a type without a table; give each one type."
    )


def history_from_frame(frame: Any) -> History:  # noqa: ANN401  any data frame
    """Return the history in a frame, its tables in the types and the order of the store.

    Each row belongs to the table that its column `table` names, or to the interactions where it names none. Columns
    that a table does not have are ignored; those the frame does not have are unknown. Without `known_at` a row is
    known when it occurs, without `known_until` it never ends, without `interaction_id` interactions are numbered in
    their order, and without `opens_thread` it is worked out. Times are ISO 8601 texts, datetimes (without a zone, UTC)
    or numbers since 1970, whose unit (seconds, milliseconds, microseconds, nanoseconds) follows from their size. Of
    rows with one `interaction_id` that are equal in all columns one counts; the log says how many were left out. Rows
    with one `interaction_id` that differ are its versions, and each must end before the next is known.

    Raises
    ------
    InputError
        When a column or a key is missing, a value has the wrong type, a time is before `NOT_BEFORE`, a table, kind or
        channel does not exist, or rows of a customer with one `interaction_id` differ.
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
    _check_names(tables["interactions"])
    interactions = _count_once(tables["interactions"])
    if "interaction_id" not in rows.column_names:
        _report_equal_rows(interactions)
    tables["interactions"] = _fill_opens_thread(interactions)
    tables["attributes"] = _distinct(tables["attributes"])  # a value said twice is one value
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
    if "customer_id" in columns:
        columns["customer_id"] = _spelt(columns["customer_id"])
    if "known_at" in columns:
        columns["known_at"] = pc.coalesce(columns["known_at"], columns["occurred_at"])
    for name in ("customer_id", "occurred_at", "kind", "interaction_id", "linked_at"):
        if name in columns and columns[name].null_count:
            raise InputError(
                f"{columns[name].null_count} {contract.name} have no '{name}'; every row needs one."
            )
    for name in ("occurred_at", "known_at", "linked_at"):
        if name in columns:
            _check_credible(columns[name], name, contract.name)
    return pa.table(columns, schema=schema)


def _spelt(ids: "pa.Array") -> "pa.Array":
    """Return ids as silos' are spelt: without blanks of any kind around them, whole numbers without a point."""
    import pyarrow as pa

    from sintonia.data.sources.identifiers import trimmed, without_point

    coded = ids.dictionary_encode()
    spelt = [None if text is None else without_point(trimmed(text)) for text in coded.dictionary.to_pylist()]
    return pa.array(spelt, pa.string()).take(coded.indices)


def _check_credible(times: Any, name: str, table: str) -> None:  # noqa: ANN401  Arrow arrays
    """Refuse times before `NOT_BEFORE`: sentinels, and numbers that somebody read in the wrong unit."""
    import pyarrow as pa
    import pyarrow.compute as pc

    early = pc.sum(pc.less(times, pa.scalar(NOT_BEFORE, pa.timestamp("us")))).as_py()
    if early:
        raise InputError(
            f"{early:,} {table} have their '{name}' before {NOT_BEFORE:%Y-%m-%d}, which is not credible; leave these "
            "rows out, or give times in ISO 8601, as 2026-06-01T18:30:00Z."
        )


def _cast(values: Any, name: str, kind: "pa.DataType") -> Any:  # noqa: ANN401  Arrow arrays
    """Return a column in its contract's type: categories as texts, zoned times in UTC, whole numbers checked."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if isinstance(values.type, pa.BaseExtensionType):
        values = pa.array(
            [None if value is None else str(value) for value in values.to_pylist()], pa.string()
        )
    try:
        if pa.types.is_string_view(values.type) or pa.types.is_large_string(values.type):
            values = values.cast(pa.string())
        if pa.types.is_timestamp(kind):
            return _times(values, name).cast(kind, safe=False)
        if pa.types.is_boolean(values.type) and not pa.types.is_boolean(kind):
            raise TypeError("true and false are no values of it")
        if pa.types.is_floating(values.type):
            values = pc.if_else(pc.is_nan(values), None, values)
            if pa.types.is_integer(kind) or pa.types.is_string(kind):
                are_integers = pc.all(pc.equal(values, pc.round(values))).as_py()
                if are_integers is False and name == "amount":
                    raise InputError(
                        "The column 'amount' has fractions, but amounts are whole minor units (cents); convert them: "
                        'df["amount"] = (df["amount"] * 100).round().astype("int64").'
                    )
                if (
                    pa.types.is_string(kind)
                    and pc.any(pc.greater_equal(pc.abs(values), EXACT_INTEGERS)).as_py()
                ):
                    raise InputError(
                        f"The column '{name}' has whole numbers above 2^53 as floats, which are rounded; read them as "
                        "texts."
                    )
                values = values.cast("int64") if are_integers is not False else values
        return values.cast(kind)
    except (ValueError, TypeError, NotImplementedError) as error:
        reason = " ".join(str(error).split()).partition(". ")[0].rstrip(".")
        if pa.types.is_string(values.type):  # Arrow names the value, which is a customer's
            reason = "it has texts"
        raise InputError(f"The column '{name}' cannot be read as {kind}: {reason}.") from None


def _times(values: Any, name: str) -> Any:  # noqa: ANN401  Arrow arrays
    """Return times as timestamps without a zone, in UTC where they had one."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_decimal(values.type):
        values = values.cast(pa.float64())
    if pa.types.is_string(values.type):
        trimmed = pc.utf8_trim_whitespace(values)
        trimmed = pc.if_else(pc.is_in(trimmed, pa.array(MISSING_TEXTS)), None, trimmed)
        digits = pc.all(pc.match_substring_regex(trimmed, r"^\d{9,19}$")).as_py()
        values = pc.cast(trimmed, pa.int64()) if digits else _iso_times(trimmed, name)
    if pa.types.is_integer(values.type) or pa.types.is_floating(values.type):
        return _epoch_times(values, name)
    if pa.types.is_timestamp(values.type) and values.type.tz is not None:
        unit = values.type.unit
        return values.cast(pa.timestamp(unit, "UTC")).cast(pa.timestamp(unit))
    return values


def _epoch_times(values: Any, name: str) -> Any:  # noqa: ANN401  Arrow arrays
    """Return numbers since 1970 as times, in the one unit in which all of them are credible."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_floating(values.type):
        values = pc.if_else(pc.is_nan(values), None, values)
    ends = pc.min_max(values).as_py()
    if ends["min"] is None:
        return pa.nulls(len(values), pa.timestamp("us"))
    first, last = CREDIBLE_SECONDS
    for per_second in EPOCH_UNITS.values():
        if first * per_second <= ends["min"] and ends["max"] < last * per_second:
            numbers = pc.fill_null(values, ends["min"]).to_numpy(zero_copy_only=False)
            if np.issubdtype(numbers.dtype, np.floating):
                microseconds = np.round(numbers * (10**6 / per_second)).astype(np.int64)
            else:
                whole = numbers.astype(np.int64)
                microseconds = whole * (10**6 // per_second) if per_second <= 10**6 else whole // 1000
            missing = values.is_null().to_numpy(zero_copy_only=False)
            return pa.array(microseconds.astype("datetime64[us]"), pa.timestamp("us"), mask=missing)
    raise InputError(
        f"The column '{name}' has numbers that are no times since 1970: not all of them lie between "
        f"{NOT_BEFORE:%Y-%m-%d} and 2100 in one unit (seconds, milliseconds, microseconds, nanoseconds); give times in "
        "ISO 8601, as 2026-06-01T18:30:00Z."
    )


def _iso_times(texts: Any, name: str) -> Any:  # noqa: ANN401  Arrow arrays
    """Return ISO 8601 texts as times, in UTC where they name UTC or an offset, also behind a blank."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = pc.replace_substring_regex(texts, r"\s*(?:UTC|GMT|z)$", "Z")
    texts = pc.replace_substring_regex(texts, r"(:\d[\d.,]*)\s+(Z|[-+]\d)", r"\1\2")
    written = pd.Series(texts.to_pylist(), dtype=object)
    moments = pd.to_datetime(written, utc=True, format="ISO8601", errors="coerce")
    unread = int((moments.isna() & written.notna()).sum())
    if unread:
        raise InputError(
            f"The column '{name}' cannot be read as timestamp[us]: {unread:,} of {len(written):,} values are no times "
            "in ISO 8601, as 2026-06-01T18:30:00Z or 2026-06-01T20:30:00+02:00."
        )
    return pa.array(moments.dt.tz_localize(None).astype("datetime64[us]"), pa.timestamp("us"))


def _check_names(interactions: "pa.Table") -> None:
    """Refuse unknown kinds and channels."""
    import pyarrow.compute as pc

    for name, known in (("kind", KINDS), ("channel", CHANNELS)):
        for value in sorted(
            value for value in pc.unique(interactions[name]).to_pylist() if value is not None
        ):
            if value not in known:
                raise InputError(f"Unknown {name} '{value}' in the interactions; {hint(value, known)}")


def _count_once(interactions: "pa.Table") -> "pa.Table":
    """Return the interactions with equal rows of one id once; versions of an id that hold at one time are refused."""
    import pyarrow.compute as pc

    counts = interactions.group_by(ID).aggregate([([], "count_all")])
    if len(counts) == len(interactions):
        return interactions
    distinct = _distinct(interactions)
    versions = distinct.group_by(ID).aggregate([([], "count_all")])
    duplicates = versions.filter(pc.greater(versions["count_all"], 1))
    if len(duplicates) and interactions["known_until"].null_count < len(interactions):
        duplicates = _overlapping(distinct)
    if len(duplicates):
        customer, interaction = (duplicates[key][0].as_py() for key in ID)
        raise InputError(
            f"{len(duplicates):,} interaction_id appear more than once with different content, first '{interaction}' "
            f'of customer \'{customer}\'; drop the duplicates: df.drop_duplicates(["customer_id", "interaction_id"]).'
        )
    if len(distinct) < len(interactions):
        log.warning(
            "%s of %s interactions repeat another one in every column, interaction_id included; each counts once",
            f"{len(interactions) - len(distinct):,}",
            f"{len(interactions):,}",
        )
    return distinct


def _distinct(rows: "pa.Table") -> "pa.Table":
    """Return rows that are equal in every column once."""
    distinct: pa.Table = rows.group_by(rows.column_names, use_threads=False).aggregate([])
    return distinct.select(rows.column_names).cast(rows.schema)


def _report_equal_rows(interactions: "pa.Table") -> None:
    """Log how many rows without an id are equal to another one in every column."""
    names = [name for name in interactions.column_names if name != "interaction_id"]
    distinct = _distinct(interactions.select(names))
    if len(distinct) < len(interactions):
        log.warning(
            "%s of %s interactions are equal to another one in every column, and each counts; give interaction_id to "
            "have copies count once",
            f"{len(interactions) - len(distinct):,}",
            f"{len(interactions):,}",
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
