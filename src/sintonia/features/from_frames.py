"""Customers' histories as one frame of rows, for who has no store at hand: a notebook, a served model."""

from typing import TYPE_CHECKING, Any

import numpy as np

from sintonia.core.errors import InputError, hint
from sintonia.core.schema import ATTRIBUTES, INTERACTIONS, LINKS, Table
from sintonia.features import History

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

TABLE = "table"
"""The column that says whose row it is: interactions where there is no such column, attributes or links."""

TABLES: dict[str, Table] = {"interactions": INTERACTIONS, "attributes": ATTRIBUTES, "links": LINKS}
OPENS = "opens_thread"
WHOLE = ("BIGINT", "SMALLINT")


def history_columns() -> dict[str, str]:
    """Return the columns a history may have, each with its SQL type; of two contracts with one column they agree.

    Examples
    --------
    >>> history_columns()["customer_id"], history_columns()["table"]
    ('VARCHAR', 'VARCHAR')
    """
    contracts = {column.name: column.sql_type for one in TABLES.values() for column in one.columns}
    return {TABLE: "VARCHAR", **contracts}


def is_history(columns: "pd.Index[str]") -> bool:
    """Return whether a frame holds interactions: who did something when, of which kind."""
    return {"customer_id", "occurred_at", "kind"} <= set(columns)


def history_of(frame: "pd.DataFrame") -> History:
    """Return the history that a frame tells, its tables in the order of the contracts.

    A row is of the table its column `table` names, of the interactions without one; columns are the contracts'. What a
    frame leaves out is not known: `known_at` is then `occurred_at`, `interaction_id` the row's place, and
    `opens_thread` is found.

    Raises
    ------
    InputError
        For a table that is none, a row without its key or time, and a number that should be whole and is not.
    """
    whose = frame[TABLE].fillna("interactions") if TABLE in frame else None
    if whose is not None and (wrong := sorted(set(whose) - {*TABLES})):
        raise InputError(f"A row is of table '{wrong[0]}'; {hint(wrong[0], TABLES)}")
    parts = dict.fromkeys(TABLES, frame[:0]) | {"interactions": frame}
    if whose is not None:
        parts = {name: frame[whose == name] for name in TABLES}
    tables = {name: _table(parts[name], contract) for name, contract in TABLES.items()}
    tables["interactions"] = with_openings(tables["interactions"])
    sorted_ = {
        name: made.sort_by([(key, "ascending") for key in TABLES[name].order])
        for name, made in tables.items()
    }
    return History(**sorted_)


def _table(frame: "pd.DataFrame", contract: Table) -> "pa.Table":
    import pyarrow as pa

    frame = frame.reset_index(drop=True)
    schema = contract.arrow()
    columns = {}
    for column in contract.columns:
        if column.name in frame:
            columns[column.name] = _array(frame[column.name], schema.field(column.name).type, column.sql_type)
        elif column.name == "interaction_id":
            columns[column.name] = pa.array([f"{at:012d}" for at in range(len(frame))], pa.string())
        else:
            columns[column.name] = pa.nulls(len(frame), schema.field(column.name).type)
    if "known_at" in columns:
        columns["known_at"] = columns["known_at"].fill_null(columns["occurred_at"])
    made = pa.table(columns, schema=schema)
    for key in {"customer_id", "occurred_at", "linked_at"} & {*made.column_names}:
        if made[key].null_count:
            raise InputError(
                f"{made[key].null_count} rows of the {contract.name} have no '{key}'; every row needs one."
            )
    return made


def _array(column: "pd.Series[Any]", kind: "pa.DataType", sql_type: str) -> "pa.Array":
    """Return a column in its contract's type: times in UTC, numbers that should be whole checked to be.

    Raises
    ------
    InputError
        When a value has no place in it.
    """
    import pandas as pd
    import pyarrow as pa

    try:
        if sql_type == "TIMESTAMP":
            moments = pd.to_datetime(column, utc=True, format="ISO8601" if column.dtype == object else None)
            return pa.array(moments.dt.tz_localize(None).astype("datetime64[us]"), kind)
        if sql_type in WHOLE:
            numbers = pd.to_numeric(column).astype(np.float64)
            return pa.array(numbers, pa.float64(), from_pandas=True).cast(kind)
        if sql_type == "VARCHAR":
            return pa.array([None if pd.isna(value) else str(value) for value in column], kind)
        return pa.array(column, from_pandas=True).cast(kind)
    except (ValueError, TypeError, pa.ArrowInvalid, pa.ArrowTypeError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"The column '{column.name}' cannot be read as {kind}: {reason}.") from None


def with_openings(interactions: "pa.Table") -> "pa.Table":
    """Return the interactions with `opens_thread` found where a frame did not say it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if interactions[OPENS].null_count < len(interactions) or not len(interactions):
        return interactions
    visible = pc.max_element_wise(interactions["occurred_at"], interactions["known_at"])
    place = pa.array(np.arange(len(interactions)))
    keyed = interactions.append_column("visible", visible).append_column("place", place)
    thread = pc.coalesce(interactions["thread_id"], interactions["interaction_id"])
    keyed = keyed.set_column(keyed.column_names.index("thread_id"), "thread_id", thread)
    order = [(name, "ascending") for name in ("visible", "occurred_at", "interaction_id")]
    first = keyed.sort_by(order).group_by(["customer_id", "thread_id", "kind"], use_threads=False)
    opens = np.zeros(len(interactions), bool)
    opens[first.aggregate([("place", "first")])["place_first"].to_numpy()] = True
    return interactions.set_column(interactions.column_names.index(OPENS), OPENS, pa.array(opens))
