"""A list of all customers for whom a condition over the golden record holds."""

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sintonia.core.errors import ConfigError, InputError, hint
from sintonia.data.consent import PREFIX
from sintonia.data.store import Store
from sintonia.features.history import SCALE, thousandths
from sintonia.features.sql import Cells, column_names_of, evaluate, present_mask
from sintonia.serving.lists.keys import CUSTOMER, quoted
from sintonia.serving.lists.read import CustomerList, read_list

if TYPE_CHECKING:
    import duckdb

TENURE = "tenure_days"
NAMING = ("first_name", "last_name", "email", "phone", "street", "birth_date")
"""Fields that name a person: a segment is of people who have something in common."""


def segment_list(
    connection: "duckdb.DuckDBPyConnection", store: Store, asked: str, as_of: str | None, folder: Path
) -> CustomerList:
    """Return the list of customers for whom the condition is true, unknown being not true, in the order of their ids.

    It may ask for the golden record's fields (`consent_email`, which is true or false; `city`, `tier`, ...) and for
    `tenure_days`, the days from the first interaction to `as_of` (or to where the data end).

    Raises
    ------
    ConfigError
        When it cannot be read, or asks for something nobody knows or that names a person.
    InputError
        When it is true of nobody.
    """
    golden = store.workspace.golden_records
    crosswalk = quoted(store.paths.crosswalk)
    ids = connection.sql(
        f"SELECT DISTINCT customer_id FROM read_parquet({crosswalk}) WHERE unlinked_at IS NULL ORDER BY 1"
    ).to_arrow_table()
    fields = _fields(connection, golden)
    wanted = column_names_of(asked, "segment")
    for name in wanted:
        if name in NAMING or name not in fields:
            raise ConfigError(f"The segment asks for '{name}'; {hint(name, set(fields) - {*NAMING})}")
    connection.register("ids", ids)
    facts = {
        name: _tenure(connection, store, as_of) if name == TENURE else _field(connection, golden, name)
        for name in wanted
    }
    connection.unregister("ids")
    found = evaluate(asked, facts.__getitem__, "segment")
    if found.labels is not None:
        raise ConfigError(f"The segment {asked!r} gives a text; write a condition, as {asked} = '...'.")
    holds = np.broadcast_to((found.values != 0) & present_mask(found.missing), ids.num_rows)
    if not holds.any():
        raise InputError(f"The segment {asked!r} is true of none of {ids.num_rows:,} customers.")
    path = folder / "segment.parquet"
    pq.write_table(ids.filter(pa.array(holds)).rename_columns([CUSTOMER]), path)
    return read_list(path)


def _fields(connection: "duckdb.DuckDBPyConnection", golden: Path) -> Sequence[str]:
    if not golden.is_file():
        return [TENURE]
    rows = connection.execute(
        f"SELECT DISTINCT field FROM read_parquet({quoted(golden)}) ORDER BY 1"
    ).fetchall()
    return [*(field for (field,) in rows), TENURE]


def _field(connection: "duckdb.DuckDBPyConnection", golden: Path, name: str) -> Cells:
    """Return a field of the golden record by customer: consents true or false, numbers if all are, else texts."""
    told = connection.sql(f"""
        SELECT TRIM(value) AS value FROM ids LEFT JOIN
        (SELECT customer_id, value FROM read_parquet({quoted(golden)}) WHERE field = {quoted(name)})
        USING (customer_id) ORDER BY customer_id""").to_arrow_table()
    texts = told["value"].to_pylist()
    missing = np.array([text is None for text in texts], bool)
    if name.startswith(PREFIX):
        return Cells(np.array([text == "yes" for text in texts], bool), missing)
    numbers = {text: thousandths(text) / SCALE for text in {*texts} - {None}}
    if numbers and not any(number != number for number in numbers.values()):
        return Cells(np.array([numbers.get(text, 0.0) for text in texts]), missing)
    labels = sorted(numbers)
    place = {label: at for at, label in enumerate(labels)}
    return Cells(np.array([place.get(text, len(labels)) for text in texts], np.int64), None, tuple(labels))


def _tenure(connection: "duckdb.DuckDBPyConnection", store: Store, as_of: str | None) -> Cells:
    """Return the days from each customer's first interaction to the date."""
    ends = [silo.data_until for silo in store.silos if silo.data_until is not None]
    now = datetime.fromisoformat(as_of) if as_of else max(ends)
    told = connection.sql(f"""
        WITH seen AS (
            SELECT COALESCE(merged_into, told.customer_id) AS customer_id, occurred_at
            FROM read_parquet({quoted(store.paths.interactions / "*.parquet")}) AS told
            LEFT JOIN read_parquet({quoted(store.paths.merges)}) AS merges USING (customer_id)
            WHERE occurred_at <= TIMESTAMP '{now}')
        SELECT DATE_DIFF('day', MIN(occurred_at), TIMESTAMP '{now}') AS days
        FROM ids LEFT JOIN seen USING (customer_id)
        GROUP BY customer_id ORDER BY customer_id""").to_arrow_table()
    days = told["days"]
    missing = days.is_null().to_numpy()
    return Cells(days.fill_null(0).to_numpy().astype(np.int64), missing)


def slug(text: str) -> str:
    """Return a text as a file's name.

    Examples
    --------
    >>> slug("consent_email and tenure_days > 90")
    'consent_email-and-tenure_days-90'
    """
    return re.sub(r"[^\w]+", "-", text).strip("-")[:60]
