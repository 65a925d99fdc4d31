"""Arrow tables as frames of the caller's library, frames as matrices, and as-of dates."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from sintonia.core.errors import InputError
from sintonia.features.from_frames import to_arrow

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray


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
