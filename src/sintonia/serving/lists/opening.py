"""Lists that do not come as a file: a PostgreSQL table, a segment of the golden record, a sample.

A table is copied through Arrow first, because a table has no order in which it could be read twice.
"""

import re
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sintonia.core.config import ScoreSettings
from sintonia.core.engine import connect
from sintonia.core.errors import ConfigError, InputError, hint
from sintonia.core.visibility import CURRENT, interactions_query
from sintonia.data.consent import PREFIX
from sintonia.data.store import Store, open_store
from sintonia.features.history import SCALE, thousandths
from sintonia.features.sql import Cells, column_names_of, evaluate, present_mask
from sintonia.serving.lists.checkpoint import temporary_folder
from sintonia.serving.lists.read import CustomerList, read_list
from sintonia.serving.lists.rows import CUSTOMER, quoted

if TYPE_CHECKING:
    import duckdb


SCHEMES = ("postgresql", "postgres")


def is_table(address: str) -> bool:
    """Return whether a list is given as `postgresql://[user[:password]@]host[:port]/database/[schema.]table`."""
    return address.partition("://")[0] in SCHEMES


def table_name(address: str) -> str:
    """Return the name of the table, without its schema.

    Examples
    --------
    >>> table_name("postgresql://ann:secret@db.shop.it:5432/crm/marketing.customers")
    'customers'
    """
    return _split_address(address)[1][-1]


def copy_table(address: str, folder: Path) -> CustomerList:
    """Return a list of the table's rows in the server's order, copied into the folder.

    Raises
    ------
    InputError
        When the server, the database or the table cannot be read; the message has no password.
    """
    import adbc_driver_manager
    import adbc_driver_postgresql.dbapi as adbc

    uri, table_names = _split_address(address)
    quoted = ".".join('"' + name.replace('"', '""') + '"' for name in table_names)
    path = folder / f"{table_names[-1]}.parquet".replace("/", "_")
    try:
        with adbc.connect(uri) as connection, connection.cursor() as cursor:
            # A synchronised scan would join a running one in the middle of the table.
            cursor.execute("SET synchronize_seqscans = off")
            cursor.execute(f"SELECT * FROM {quoted}")
            _write_parquet(cursor.fetch_record_batch(), path)
    except adbc_driver_manager.Error as error:
        password = urlsplit(address).password or ""
        message = " ".join(str(error).split())
        message = message.replace(password, "***").replace(unquote(password), "***") if password else message
        raise InputError(f"The table '{'.'.join(table_names)}' cannot be read: {message[:300]}") from None
    return read_list(path)


def _split_address(address: str) -> tuple[str, list[str]]:
    """Return the address of the database, and the names of the schema (if given) and the table."""
    parts: SplitResult = urlsplit(address)
    database, _, table = parts.path.rpartition("/")
    if not database.strip("/") or not table:
        raise InputError(
            "A list in PostgreSQL is written list=postgresql://USER@HOST/DATABASE/TABLE; database or table is missing."
        )
    return urlunsplit(parts._replace(path=database)), unquote(table).split(".", 1)


def _write_parquet(reader: pa.RecordBatchReader, path: Path) -> None:
    """Write the rows with types that any reader of Parquet supports: numerics of any precision as text."""
    with pq.ParquetWriter(path, _plain_types(pa.table(reader.schema.empty_table())).schema) as file:
        for batch in reader:
            file.write_table(_plain_types(pa.Table.from_batches([batch])))


def _plain_types(table: pa.Table) -> pa.Table:
    """Return the table with extension types replaced by their storage types."""
    for index, column in enumerate(table.schema):
        if isinstance(column.type, pa.BaseExtensionType):
            stored = pa.chunked_array(
                [chunk.storage for chunk in table.column(index).chunks], column.type.storage_type
            )
            table = table.set_column(index, column.name, stored)
    return table


TENURE = "tenure_days"
IDENTIFYING_FIELDS = ("first_name", "last_name", "email", "phone", "street", "birth_date")
"""Fields that identify a person, which a segment must not use."""


def segment_list(
    connection: "duckdb.DuckDBPyConnection", store: Store, condition: str, as_of: str | None, folder: Path
) -> CustomerList:
    """Return the list of customers for whom the condition is true (null is not true), ordered by id.

    It may ask for the golden record's fields (`consent_email`, which is true or false; `city`, `tier`, ...) and for
    `tenure_days`, the days from the first interaction to `as_of` (or to where the data end).

    Raises
    ------
    ConfigError
        When it cannot be read, or uses an unknown field or one that identifies a person.
    InputError
        When it is true for no customer.
    """
    golden_record = store.workspace.golden_records
    crosswalk = quoted(store.paths.crosswalk)
    ids = connection.sql(
        f"SELECT DISTINCT customer_id FROM read_parquet({crosswalk}) WHERE unlinked_at IS NULL ORDER BY 1"
    ).to_arrow_table()
    fields = _golden_fields(connection, golden_record)
    fields_used = column_names_of(condition, "segment")
    for name in fields_used:
        if name in IDENTIFYING_FIELDS or name not in fields:
            raise ConfigError(
                f"The segment asks for '{name}'; {hint(name, set(fields) - {*IDENTIFYING_FIELDS})}"
            )
    connection.register("ids", ids)
    cells = {
        name: _read_tenure(connection, store, as_of)
        if name == TENURE
        else _read_field(connection, golden_record, name)
        for name in fields_used
    }
    connection.unregister("ids")
    result = evaluate(condition, cells.__getitem__, "segment")
    if result.labels is not None:
        raise ConfigError(
            f"The segment {condition!r} gives a text; write a condition, as {condition} = '...'."
        )
    is_true = np.broadcast_to((result.values != 0) & present_mask(result.missing), ids.num_rows)
    if not is_true.any():
        raise InputError(f"The segment {condition!r} is true of none of {ids.num_rows:,} customers.")
    path = folder / "segment.parquet"
    pq.write_table(ids.filter(pa.array(is_true)).rename_columns([CUSTOMER]), path)
    return read_list(path)


def _golden_fields(connection: "duckdb.DuckDBPyConnection", golden_record: Path) -> Sequence[str]:
    """Return the fields a segment may use: those of the golden record, and the tenure."""
    if not golden_record.is_file():
        return [TENURE]
    rows = connection.execute(
        f"SELECT DISTINCT field FROM read_parquet({quoted(golden_record)}) ORDER BY 1"
    ).fetchall()
    return [*(field for (field,) in rows), TENURE]


def _read_field(connection: "duckdb.DuckDBPyConnection", golden_record: Path, name: str) -> Cells:
    """Return a field of the golden record by customer: consents as booleans, numbers if all are, else texts."""
    rows = connection.sql(f"""
        SELECT TRIM(value) AS value FROM ids LEFT JOIN
        (SELECT customer_id, value FROM read_parquet({quoted(golden_record)}) WHERE field = {quoted(name)})
        USING (customer_id) ORDER BY customer_id""").to_arrow_table()
    texts = rows["value"].to_pylist()
    missing = np.array([text is None for text in texts], bool)
    if name.startswith(PREFIX):
        return Cells(np.array([text == "yes" for text in texts], bool), missing)
    numbers = {text: thousandths(text) / SCALE for text in {*texts} - {None}}
    if numbers and not any(number != number for number in numbers.values()):
        return Cells(np.array([numbers.get(text, 0.0) for text in texts]), missing)
    labels = sorted(numbers)
    code = {label: at for at, label in enumerate(labels)}
    return Cells(np.array([code.get(text, len(labels)) for text in texts], np.int64), None, tuple(labels))


def _read_tenure(connection: "duckdb.DuckDBPyConnection", store: Store, as_of: str | None) -> Cells:
    """Return the days from each customer's first interaction to `as_of`."""
    ends = [silo.data_until for silo in store.silos if silo.data_until is not None]
    now = datetime.fromisoformat(as_of) if as_of else max(ends)
    tenures = connection.sql(f"""
        WITH visible AS (
            SELECT COALESCE(merged_into, interactions.customer_id) AS customer_id, occurred_at
            FROM ({interactions_query([store.paths.interactions / "*.parquet"])}) AS interactions
            LEFT JOIN read_parquet({quoted(store.paths.merges)}) AS merges USING (customer_id)
            WHERE occurred_at <= TIMESTAMP '{now}' AND {CURRENT})
        SELECT DATE_DIFF('day', MIN(occurred_at), TIMESTAMP '{now}') AS days
        FROM ids LEFT JOIN visible USING (customer_id)
        GROUP BY customer_id ORDER BY customer_id""").to_arrow_table()
    days = tenures["days"]
    missing = days.is_null().to_numpy()
    return Cells(days.fill_null(0).to_numpy().astype(np.int64), missing)


def slug(text: str) -> str:
    """Return a text as a file name.

    Examples
    --------
    >>> slug("consent_email and tenure_days > 90")
    'consent_email-and-tenure_days-90'
    """
    return re.sub(r"[^\w]+", "-", text).strip("-")[:60]


def open_list(stack: ExitStack, settings: ScoreSettings) -> tuple[CustomerList, ScoreSettings]:
    """Return the list to score, and the settings with an output path; temporary copies are removed with the stack.

    Raises
    ------
    InputError
        When it cannot be read, or has no rows.
    ConfigError
        When neither a list nor a segment is given, or the segment is not a condition over the golden record.
    """
    workspace = settings.paths.root
    if not settings.list and not settings.segment:
        raise ConfigError(
            "score needs a list of customers; write list=customers.csv, or segment='tenure_days > 90'."
        )
    if settings.segment is None and not is_table(settings.list):
        return read_list(Path(settings.list), settings.limit), settings
    if settings.segment is None:
        customers = copy_table(settings.list, stack.enter_context(temporary_folder(workspace)))
        name = table_name(settings.list)
    else:
        store = open_store(workspace)
        with connect(settings.engine, workspace) as connection:
            folder = stack.enter_context(temporary_folder(workspace))
            customers = segment_list(connection, store, settings.segment, settings.as_of, folder)
        name = f"segment-{slug(settings.segment)}"
    suffix = "scored" if settings.limit is None else "preview"
    listed = replace(
        customers,
        limit=settings.limit,
        path=customers.path.rename(customers.path.with_name(f"{name}.parquet")),
    )
    return listed, replace(settings, out=settings.out or str(settings.paths.scored_list(f"{name}-{suffix}")))


def write_sample(store: Store, key_type: str, path: Path, rows: int = 500) -> None:
    """Write an example list with the columns `<key_type>;note`: keys of the store, and one unknown key."""
    known = sorted(store.read_crosswalk(key_type)["source_key"].to_pylist())
    keys = [*known[:: max(len(known) // rows, 1)][:rows], "nobody"]
    lines = [f"{key_type};note", *(f"{key};row {at}" for at, key in enumerate(keys, start=1))]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
