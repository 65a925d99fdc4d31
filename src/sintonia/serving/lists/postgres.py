"""A table of PostgreSQL as a list, through Arrow; it is copied first, for a table has no order to be read in twice."""

from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

import pyarrow as pa
import pyarrow.parquet as pq

from sintonia.core.errors import InputError
from sintonia.serving.lists.read import CustomerList, read_list

SCHEMES = ("postgresql", "postgres")


def is_table(asked: str) -> bool:
    """Return whether a list is asked for as `postgresql://[user[:password]@]host[:port]/database/[schema.]table`."""
    return asked.partition("://")[0] in SCHEMES


def table_name(asked: str) -> str:
    """Return the name of the table, without its schema.

    Examples
    --------
    >>> table_name("postgresql://ann:secret@db.shop.it:5432/crm/marketing.customers")
    'customers'
    """
    return _parted(asked)[1][-1]


def copy_table(asked: str, folder: Path) -> CustomerList:
    """Return a list of the table's rows, in the order in which the server has them, copied into the folder.

    Raises
    ------
    InputError
        When the server, the database or the table cannot be read; the message has no password.
    """
    import adbc_driver_manager
    import adbc_driver_postgresql.dbapi as adbc

    uri, names = _parted(asked)
    quoted = ".".join('"' + name.replace('"', '""') + '"' for name in names)
    path = folder / f"{names[-1]}.parquet".replace("/", "_")
    try:
        with adbc.connect(uri) as connection, connection.cursor() as cursor:
            # A scan that joins one at work begins in the middle of the table.
            cursor.execute("SET synchronize_seqscans = off")
            cursor.execute(f"SELECT * FROM {quoted}")
            _write_parquet(cursor.fetch_record_batch(), path)
    except adbc_driver_manager.Error as error:
        password = urlsplit(asked).password or ""
        said = " ".join(str(error).split())
        said = said.replace(password, "***").replace(unquote(password), "***") if password else said
        raise InputError(f"The table '{'.'.join(names)}' cannot be read: {said[:300]}") from None
    return read_list(path)


def _parted(asked: str) -> tuple[str, list[str]]:
    """Return the address of the database, and the names of schema (if it is given) and table."""
    parts: SplitResult = urlsplit(asked)
    database, _, table = parts.path.rpartition("/")
    if not database.strip("/") or not table:
        raise InputError(
            "A list in PostgreSQL is written list=postgresql://USER@HOST/DATABASE/TABLE; database or table is missing."
        )
    return urlunsplit(parts._replace(path=database)), unquote(table).split(".", 1)


def _write_parquet(reader: pa.RecordBatchReader, path: Path) -> None:
    """Write the rows with types that Parquet and everybody else knows: numerics of any length as text."""
    with pq.ParquetWriter(path, _plain_types(pa.table(reader.schema.empty_table())).schema) as file:
        for batch in reader:
            file.write_table(_plain_types(pa.Table.from_batches([batch])))


def _plain_types(table: pa.Table) -> pa.Table:
    for at, one in enumerate(table.schema):
        if isinstance(one.type, pa.BaseExtensionType):
            stored = pa.chunked_array(
                [chunk.storage for chunk in table.column(at).chunks], one.type.storage_type
            )
            table = table.set_column(at, one.name, stored)
    return table
