"""What becomes of every row: whose it is, and its status; the customers to be scored, chunk by chunk."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from sintonia.core.errors import InputError
from sintonia.data.privacy.tombstones import Tombstones
from sintonia.data.store.write import BUCKET
from sintonia.serving.lists.keys import Key, Keys, find_key, key_columns, quoted
from sintonia.serving.lists.read import CustomerList
from sintonia.serving.lists.spool import Spool

if TYPE_CHECKING:
    import duckdb

ROWS, CUSTOMERS, LOCATED = "rows.parquet", "customers.parquet", "located.json"
STATUSES = ("scored", "duplicate", "not eligible", "suppressed", "erased", "unknown", "broken")
"""What becomes of a row, best first. A duplicate has its customer's scores too."""

PARTS = 4
"""How many chunks a list has at least, as long as its customers lie in so many buckets."""


@dataclass(frozen=True)
class Located:
    """What was found out of a list's rows: the key, how many rows there are, and how many customers to score."""

    column: str
    key_type: str
    how: str
    rows: int
    customers: int

    @property
    def told(self) -> str:
        """What the rows are known by, in words."""
        return f"Rows are known by their column '{self.column}' ({self.key_type}, {self.how})"


def fill_listed(
    connection: "duckdb.DuckDBPyConnection", customers: CustomerList, keys: Keys, key: Key, rows: int
) -> int:
    """Return how many rows a list has, now in the engine's table `listed`: row, key as looked up, what is wrong."""
    connection.execute(
        "CREATE OR REPLACE TABLE listed (row BIGINT, exact VARCHAR, standard VARCHAR, wrong VARCHAR)"
    )
    count = 0
    for chunk in customers.chunks(rows):
        wrong = pa.array([chunk.wrong.get(at, "") for at in range(len(chunk))], pa.string())
        places = pa.array(range(chunk.first, chunk.first + len(chunk)), pa.int64())
        looked_up = key_columns((row[key.place] for row in chunk.rows), keys, key)
        connection.register("chunk", pa.table({"row": places, **looked_up, "wrong": wrong}))
        connection.execute("INSERT INTO listed SELECT row, exact, standard, wrong FROM chunk")
        connection.unregister("chunk")
        count += len(chunk)
    return count


def match(connection: "duckdb.DuckDBPyConnection", keys: Keys, key_type: str) -> None:
    """Fill the engine's table `matched` from `listed`: `row`, `exact`, `wrong`, `customer_id` and how many `owners`."""
    table = keys.fill(key_type)
    connection.execute(f"""
        CREATE OR REPLACE TABLE matched AS
        SELECT row, exact, wrong, COALESCE(own.owners, like_it.owners, 0) AS owners,
               CASE COALESCE(own.owners, like_it.owners)
                   WHEN 1 THEN COALESCE(own.customer_id, like_it.customer_id) END AS customer_id
        FROM listed
        LEFT JOIN {table} AS own ON NOT own.standard AND own.value = listed.exact
        LEFT JOIN {table} AS like_it ON like_it.standard AND like_it.value = listed.standard""")


def suppress(
    connection: "duckdb.DuckDBPyConnection", keys: Keys, listed: CustomerList | None, rows: int
) -> int:
    """Return how many customers a suppression list names, now in the engine's table `suppressed`."""
    connection.execute("CREATE OR REPLACE TABLE suppressed (customer_id VARCHAR)")
    if listed is None:
        return 0
    key = find_key(listed, keys, None)
    fill_listed(connection, listed, keys, key, rows)
    match(connection, keys, key.key_type)
    connection.execute("INSERT INTO suppressed SELECT DISTINCT customer_id FROM matched WHERE owners = 1")
    return int(connection.execute("SELECT COUNT(*) FROM suppressed").fetchall()[0][0])


def locate(
    connection: "duckdb.DuckDBPyConnection",
    customers: CustomerList,
    keys: Keys,
    key: Key,
    tombstones: Tombstones,
    spool: Spool,
    chunk_rows: int,
) -> Located:
    """Return what was found out of the rows, of which the spool now has `rows.parquet` and `customers.parquet`.

    The table `suppressed` says whom to leave out. Customers lie as in the store, a row group for each chunk.

    Raises
    ------
    InputError
        When no row is anybody's: the column is surely the wrong one.
    """
    count = fill_listed(connection, customers, keys, key, chunk_rows)
    match(connection, keys, key.key_type)
    _place(connection, key, tombstones, customers.first_number)
    ((found,),) = connection.execute(
        "SELECT COUNT(*) FROM placed WHERE status NOT IN ('unknown', 'broken')"
    ).fetchall()
    if not found:
        raise InputError(
            f"Nobody is known by the column '{key.column}' of '{customers.path.name}' ({key.key_type}): 0 of {count:,} "
            f"rows. Give the right one as key=COLUMN; it has {', '.join(customers.header[:8])}."
        )
    with spool.writing(ROWS) as part:
        connection.execute(f"""
            COPY (SELECT row, IF(status = 'suppressed', NULL, first_row) AS first_row, status, reason
                  FROM placed ORDER BY row) TO {quoted(part)} (FORMAT parquet)""")
    scored = _write_customers(connection, len(keys.store.buckets), spool, chunk_rows)
    located = Located(key.column, key.key_type, key.how, count, scored)
    spool.keep(LOCATED, vars(located))
    return located


def _place(
    connection: "duckdb.DuckDBPyConnection", key: Key, tombstones: Tombstones, first_number: int
) -> None:
    """Fill the engine's table `placed`: each row's customer, the first row of that customer, status and reason."""
    connection.register("tombstones", pa.table({"hash": pa.array(list(tombstones.erased_at), pa.string())}))
    kind = quoted(key.key_type)
    hashed = f"SHA256({quoted(tombstones.salt)} || {kind} || ':' || exact)"
    erased = f"{hashed} IN (SELECT hash FROM tombstones)" if tombstones.erased_at else "false"
    connection.execute(f"""
        CREATE OR REPLACE TABLE placed AS
        SELECT row, customer_id, first_row, status,
            CASE status WHEN 'suppressed' THEN 'on the suppression list'
                 WHEN 'duplicate' THEN 'of row ' || (first_row + {first_number})
                 WHEN 'erased' THEN 'the customer asked to be forgotten'
                 WHEN 'unknown' THEN
                     CASE WHEN exact = '' THEN 'no ' || {kind} || ' given'
                          WHEN owners > 1 THEN owners || ' customers share this ' || {kind}
                          WHEN REGEXP_FULL_MATCH(exact, '\\d[.,]?\\d*E\\+\\d+')
                              THEN 'a spreadsheet has shortened this number; format its column as text'
                          ELSE 'nobody has this ' || {kind} END
                 ELSE wrong END AS reason
        FROM (SELECT *,
                CASE WHEN customer_id IN (SELECT customer_id FROM suppressed) THEN 'suppressed'
                     WHEN row > first_row THEN 'duplicate'
                     WHEN customer_id IS NOT NULL THEN 'scored'
                     WHEN {erased} THEN 'erased'
                     WHEN wrong <> '' THEN 'broken'
                     ELSE 'unknown' END AS status
              FROM (SELECT *, IF(customer_id IS NULL, NULL, MIN(row) OVER (PARTITION BY customer_id)) AS first_row
                    FROM matched))""")
    connection.unregister("tombstones")


def _write_customers(
    connection: "duckdb.DuckDBPyConnection", buckets: int, spool: Spool, chunk_rows: int
) -> int:
    """Return how many customers are to be scored, written as they lie in the store, a row group a chunk."""
    bucket = BUCKET.format(buckets=buckets).replace("person_id", "customer_id")
    connection.execute(f"""
        CREATE OR REPLACE TABLE chosen AS
        SELECT first_row AS row, customer_id, {bucket} AS bucket FROM placed WHERE status = 'scored'""")
    sizes = dict(connection.execute("SELECT bucket, COUNT(*) FROM chosen GROUP BY 1 ORDER BY 1").fetchall())
    parts = iter(chunk_sizes(list(sizes.values()), chunk_rows))
    reader = connection.sql(
        "SELECT row, customer_id FROM chosen ORDER BY bucket, customer_id"
    ).to_arrow_reader(1 << 16)
    with spool.writing(CUSTOMERS) as part, pq.ParquetWriter(part, reader.schema) as file:
        for table in regrouped(reader, parts):
            file.write_table(table, row_group_size=max(table.num_rows, 1))
    return sum(sizes.values())


def chunk_sizes(buckets: list[int], most: int) -> list[int]:
    """Return how many customers each chunk has: small buckets are joined, large ones cut into equal parts of `most`.

    They are joined up to a `PARTS`th of all, so that threads share what is few as well.

    Examples
    --------
    >>> chunk_sizes([3, 4, 2, 25], 10)
    [9, 9, 8, 8]
    """
    joined = min(most, -(-sum(buckets) // PARTS))
    sizes: list[int] = []
    together = 0
    for size in buckets:
        if together and together + size > joined:
            sizes.append(together)
            together = 0
        if size > most:
            parts = -(-size // most)
            sizes += [size // parts + (at < size % parts) for at in range(parts)]
        else:
            together += size
    return [*sizes, together] if together else sizes


def regrouped(batches: "pa.RecordBatchReader", sizes: Iterator[int]) -> Iterator[pa.Table]:
    """Yield what the batches hold in tables of these sizes."""
    waiting: list[pa.Table] = []
    count = 0
    for size in sizes:
        while count < size:
            table = pa.Table.from_batches([batches.read_next_batch()])
            waiting.append(table)
            count += table.num_rows
        whole = pa.concat_tables(waiting)
        yield whole.slice(0, size)
        waiting, count = [whole.slice(size)], count - size
