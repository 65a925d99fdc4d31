"""Data frames of any library in, checked and as Arrow; Arrow out, in the library that came in."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from sintonia.core.errors import InputError, hint
from sintonia.core.schema import ATTRIBUTES, CHANNELS, INTERACTIONS, KINDS, LINKS
from sintonia.features import History
from sintonia.features.from_frames import with_openings

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

REQUIRED = ("customer_id", "occurred_at", "kind")
"""The columns that a frame of interactions cannot do without."""


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


def to_native(table: "pa.Table", like: Any) -> Any:  # noqa: ANN401  the library of `like`
    """Return an Arrow table as a frame of the library that `like` is of."""
    import narwhals as nw

    library = nw.from_native(like, eager_only=True).implementation
    if library is nw.Implementation.PYARROW:
        return table
    if library is nw.Implementation.PANDAS:
        return table.to_pandas()
    return nw.from_arrow(table, backend=library).to_native()


def to_matrix(x: Any, argument: str = "X") -> "tuple[NDArray[np.float32], list[str] | None]":  # noqa: ANN401
    """Return a frame or an array as a matrix of float32, and the frame's column names.  # (n_rows, n_features)

    Raises
    ------
    InputError
        When a column is not numeric, or an array has not two dimensions.
    """
    import numpy as np

    names = None
    if hasattr(x, "columns") or hasattr(x, "column_names"):
        table = to_arrow(x, argument)
        names = table.column_names
        columns = []
        for name in names:
            try:
                columns.append(table[name].cast("float32", safe=False).to_numpy())
            except (ValueError, TypeError, NotImplementedError):
                raise InputError(
                    f"The column '{name}' of `{argument}` is {table[name].type}; give numbers, or leave it out."
                ) from None
        return np.column_stack(columns) if columns else np.zeros((len(table), 0), np.float32), names
    matrix = np.asarray(x, np.float32)
    if matrix.ndim != 2:
        raise InputError(
            f"`{argument}` has shape {matrix.shape}; give one row per decision, one column per feature."
        )
    return matrix, names


def to_dates(as_of: "str | date | Sequence[str | date]") -> list[datetime]:
    """Return as-of dates, sorted, each once; a date is its first moment, in UTC.

    Examples
    --------
    >>> to_dates(["2026-06-30", "2026-03-31"])
    [datetime.datetime(2026, 3, 31, 0, 0), datetime.datetime(2026, 6, 30, 0, 0)]
    >>> to_dates("yesterday")
    Traceback (most recent call last):
    ...
    sintonia.core.errors.InputError: as_of='yesterday' is not a date; write it as 2026-06-30.
    """
    from datetime import UTC

    values = [as_of] if isinstance(as_of, str | date) else list(as_of)
    moments = set()
    for value in values:
        if isinstance(value, str):
            try:
                value = datetime.fromisoformat(value)
            except ValueError:
                raise InputError(f"as_of='{value}' is not a date; write it as 2026-06-30.") from None
        elif not isinstance(value, datetime):
            value = datetime(value.year, value.month, value.day)
        moments.add(value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None))
    if not moments:
        raise InputError("as_of is empty; give at least one date, as 2026-06-30.")
    return sorted(moments)


def interactions_history(frame: Any) -> History:  # noqa: ANN401  any data frame
    """Return a frame of interactions as a history, every column in the type of its contract.

    Columns that the contract does not have are ignored; those the frame does not have are unknown. Without `known_at`
    an interaction is known when it occurs, without `interaction_id` rows count in their order.

    Raises
    ------
    InputError
        When a column is missing, a value has the wrong type, or an interaction_id appears twice for a customer.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    table = to_arrow(frame, "interactions")
    for name in REQUIRED:
        if name not in table.column_names:
            raise InputError(f"The interactions have no column '{name}'; {hint(name, table.column_names)}")
    schema, columns = INTERACTIONS.arrow(), {}
    for column in INTERACTIONS.columns:
        arrow_type = schema.field(column.name).type
        if column.name in table.column_names:
            columns[column.name] = _cast(table[column.name].combine_chunks(), column.name, arrow_type)
        elif column.name == "interaction_id":
            columns[column.name] = pa.array([f"{row:012d}" for row in range(len(table))], pa.string())
        else:
            columns[column.name] = pa.nulls(len(table), arrow_type)
    columns["known_at"] = pc.coalesce(columns["known_at"], columns["occurred_at"])
    for name in (*REQUIRED, "interaction_id"):
        if columns[name].null_count:
            raise InputError(
                f"{columns[name].null_count} interactions have no '{name}'; every row needs one."
            )
    _refuse_unknown(columns["kind"], "kind", KINDS)
    _refuse_unknown(columns["channel"], "channel", CHANNELS)
    interactions = pa.table(columns, schema=schema)
    counts = interactions.group_by(list(INTERACTIONS.key)).aggregate([([], "count_all")])
    duplicates = counts.filter(pc.greater(counts["count_all"], 1))
    if len(duplicates):
        customer, interaction = duplicates["customer_id"][0].as_py(), duplicates["interaction_id"][0].as_py()
        raise InputError(
            f"{len(duplicates):,} interaction_id appear more than once, first '{interaction}' of customer "
            f"'{customer}'; "
            'drop the duplicates: df.drop_duplicates(["customer_id", "interaction_id"]).'
        )
    ordered = with_openings(interactions).sort_by([(name, "ascending") for name in INTERACTIONS.order])
    empty = ATTRIBUTES.arrow().empty_table(), LINKS.arrow().empty_table()
    return History(ordered, *empty)


def _cast(values: Any, name: str, arrow_type: "pa.DataType") -> Any:  # noqa: ANN401  Arrow arrays
    """Return a column in its contract's type: categories as texts, zoned times in UTC, whole numbers checked."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    try:
        if pa.types.is_timestamp(arrow_type):
            if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
                values = _times(values)
            if pa.types.is_timestamp(values.type) and values.type.tz is not None:
                values = values.cast(pa.timestamp(values.type.unit, "UTC")).cast(
                    pa.timestamp(values.type.unit)
                )
            return values.cast(arrow_type, safe=False)
        if pa.types.is_floating(values.type):
            values = pc.if_else(pc.is_nan(values), None, values)
            if pa.types.is_integer(arrow_type) or pa.types.is_string(arrow_type):
                is_whole = pc.all(pc.equal(values, pc.round(values))).as_py()
                if is_whole is False and name == "amount":
                    raise InputError(
                        "The column 'amount' has fractions, but amounts are whole minor units (cents); convert them: "
                        'df["amount"] = (df["amount"] * 100).round().astype("int64").'
                    )
                values = values.cast("int64") if is_whole is not False else values
        return values.cast(arrow_type)
    except (ValueError, TypeError, NotImplementedError) as error:
        reason = " ".join(str(error).split()).partition(". ")[0].rstrip(".")
        raise InputError(f"The column '{name}' cannot be read as {arrow_type}: {reason}.") from None


def _times(texts: Any) -> Any:  # noqa: ANN401  Arrow arrays
    """Return ISO 8601 texts as times, in UTC where they name a zone."""
    import pandas as pd
    import pyarrow as pa

    moments = pd.to_datetime(pd.Series(texts.to_pylist(), dtype=object), utc=True, format="ISO8601")
    return pa.array(moments.dt.tz_localize(None).astype("datetime64[us]"), pa.timestamp("us"))


def _refuse_unknown(values: Any, name: str, known: tuple[str, ...]) -> None:  # noqa: ANN401
    import pyarrow.compute as pc

    for value in sorted(value for value in pc.unique(values).to_pylist() if value is not None):
        if value not in known:
            raise InputError(f"Unknown {name} '{value}' in the interactions; {hint(value, known)}")
