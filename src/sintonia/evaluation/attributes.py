"""What the silos said of customers as of a date: regions, generations and whatever else groups are judged by."""

from collections.abc import Sequence

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sintonia.data.store import Store
from sintonia.features.history import BIRTH_YEAR, GENERATIONS
from sintonia.training.dataset import Dataset

GENERATION = "generation"


def attribute_names(store: Store, rows: Dataset, names: Sequence[str]) -> dict[str, NDArray[np.str_]]:
    """Return by attribute each row's latest value known at its as_of, "" where nothing was; none nobody tells of.

    `generation` is told by the birth year. Of customers who are now one, the values of the one they are now.
    """
    path = store.paths.attributes
    if not names or not path.is_file():
        return {}
    read = {BIRTH_YEAR if name == GENERATION else name: name for name in names}
    found = {name: np.full(len(rows), "", object) for name in names}
    for row, name, value in _latest(str(path), rows, [*read]):
        found[read[name]][row] = generation(value) if read[name] == GENERATION else value
    return {name: values.astype(str) for name, values in found.items() if (values != "").any()}


def _latest(path: str, rows: Dataset, names: Sequence[str]) -> list[tuple[int, str, str]]:
    keys = pa.table(
        {
            "row": np.arange(len(rows)),
            "customer_id": pa.array(rows.customer_id.tolist(), pa.string()),
            "as_of": pa.array(rows.as_of, pa.timestamp("us")),
        }
    )
    with duckdb.connect() as connection:
        connection.register("keys", keys)
        found: list[tuple[int, str, str]] = connection.execute(
            """SELECT row, name, ARG_MAX(value, (told.occurred_at, told.known_at, told.value))
               FROM keys JOIN read_parquet($path) AS told USING (customer_id)
               WHERE list_contains($names, name) AND value IS NOT NULL
                   AND told.occurred_at <= as_of AND told.known_at <= as_of
               GROUP BY row, name""",
            {"path": path, "names": list(names)},
        ).fetchall()
    return found


def generation(birth_year: str) -> str:
    """Return the name of the generation of a birth year, "" for a year of none.

    Examples
    --------
    >>> generation("1979"), generation("once")
    ('x', '')
    """
    try:
        year = int(float(birth_year))
    except ValueError:
        return ""
    return next((name for name, (first, last) in GENERATIONS.items() if first <= year <= last), "")
