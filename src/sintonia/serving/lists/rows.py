"""Whose a row is: the column that says it, what kind of key it holds, and the customer each key belongs to now.

A key is a customer id (a former one too), an identifier of any silo, an e-mail or a telephone number. E-mails and
numbers are also compared as the golden record compares them: Ann.Rossi+shop@gmail.com is annrossi@gmail.com, and
333 123 4567 is +39 333 123 4567. What several customers share names none of them.

What becomes of every row: whose it is, and its status; the customers to be scored, chunk by chunk.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sintonia.core.config import SourceConfig
from sintonia.core.errors import InputError, hint
from sintonia.data.identity.contact_points import email, phone_reader
from sintonia.data.identity.spelling import by_value
from sintonia.data.privacy.tombstones import Tombstones
from sintonia.data.store import Store
from sintonia.data.store.gather import BUCKET
from sintonia.serving.lists.cells import key_text
from sintonia.serving.lists.checkpoint import Checkpoint
from sintonia.serving.lists.read import CustomerList

if TYPE_CHECKING:
    import duckdb


CUSTOMER, EMAIL, PHONE = "customer_id", "email", "phone"
SAMPLE_ROWS, SAMPLE_CELLS = 1000, 200_000
MIN_KNOWN_SHARE = 0.2
"""Share of a column's cells that must be somebody's keys for the column to be taken without being named."""

COMMON_NAMES = {
    EMAIL: ("email", "emailaddress", "mail", "indirizzoemail", "posta"),
    PHONE: ("phone", "phonenumber", "telephone", "mobile", "tel", "telefono", "cellulare", "cell"),
    CUSTOMER: ("customerid",),
}
"""What columns of keys are often called, without case, spaces and punctuation."""


@dataclass(frozen=True)
class KeyColumn:
    """The column that says who a row is, the type of key it holds, and how that was found out."""

    column: str
    place: int
    key_type: str
    how: str


@dataclass(frozen=True)
class KeyIndex:
    """The keys of a store: how they are spelt, and the engine's table of each type's, filled when it is asked for."""

    connection: "duckdb.DuckDBPyConnection"
    store: Store
    source: SourceConfig
    region: str
    filled: set[str] = field(default_factory=set)

    @cached_property
    def types(self) -> list[str]:
        """The types of key there are: customer ids, identifiers, contacts."""
        return list(dict.fromkeys([CUSTOMER, *self.store.key_types(), EMAIL, PHONE]))

    def standard(self, key_type: str, cells: pa.Array) -> pa.Array:
        """Return cells in the spelling of the golden record, null where the type of key has none or they do not fit."""
        if key_type == EMAIL:
            return email(cells)
        return (
            by_value(cells, phone_reader(self.region))
            if key_type == PHONE
            else pa.nulls(len(cells), pa.string())
        )

    def exact(self, key_type: str, cells: pa.Array) -> pa.Array:
        """Return cells as identifiers are stored: e-mails, for which alone case means nothing, in lower case."""
        return pc.utf8_lower(cells) if key_type == EMAIL else cells

    def fill(self, key_type: str) -> str:
        """Return the engine's table of a type's keys: `standard` or as stored, `value`, `customer_id`, `owners`."""
        name = f"keys_{self.types.index(key_type)}"
        if name in self.filled:
            return name
        self.connection.execute(f"""
            CREATE OR REPLACE TABLE {name} AS
            SELECT false AS standard, {"LOWER(value)" if key_type == EMAIL else "value"} AS value,
                   MIN(customer_id) AS customer_id, COUNT(DISTINCT customer_id) AS owners
            FROM ({self._own(key_type)}) WHERE value <> '' GROUP BY 2""")
        if key_type in (EMAIL, PHONE):
            self._fill_standard(name, key_type)
        self.filled.add(name)
        return name

    def _own(self, key_type: str) -> str:
        """Return the query of the identifiers of a type with whose they are now: `value`, `customer_id`."""
        crosswalk = f"read_parquet({quoted(self.store.paths.crosswalk)}) WHERE unlinked_at IS NULL"
        if key_type != CUSTOMER:
            return f"SELECT source_key AS value, customer_id FROM {crosswalk} AND source = {quoted(key_type)}"
        merges = f"read_parquet({quoted(self.store.paths.merges)})"
        return f"""SELECT DISTINCT customer_id AS value, customer_id FROM {crosswalk}
                   UNION ALL SELECT customer_id, merged_into FROM {merges}"""

    def _fill_standard(self, name: str, key_type: str) -> None:
        """Add the keys in the spelling of the golden record, and those that silos gave as contacts."""
        told = self.connection.sql(f"""
            {self._own(key_type)} UNION
            SELECT value, customer_id FROM read_parquet({quoted(self.store.paths.contacts)})
            WHERE field = {quoted(key_type)}""").to_arrow_table()
        standard = self.standard(key_type, told["value"].combine_chunks().cast(pa.string()))
        self.connection.register("told", pa.table({"value": standard, "customer_id": told["customer_id"]}))
        self.connection.execute(f"""
            INSERT INTO {name} SELECT true, value, MIN(customer_id), COUNT(DISTINCT customer_id)
            FROM told WHERE value IS NOT NULL GROUP BY value""")
        self.connection.unregister("told")


def quoted(text: object) -> str:
    """Return a text as SQL writes it."""
    return "'" + str(text).replace("'", "''") + "'"


def find_key(customers: CustomerList, keys: KeyIndex, column: str | None) -> KeyColumn:
    """Return the column that says who a row is: the one asked for, one named like a key, or one that holds keys.

    Of several the one whose cells are known the most often among the first thousand rows.

    Raises
    ------
    InputError
        When there is no such column, or no column's cells are keys of customers.
    """
    if column is not None and column not in customers.header:
        raise InputError(
            f"'{customers.path.name}' has no column '{column}'; {hint(column, customers.header)}"
        )
    named_columns = _columns_named_like_keys(customers.header, keys)
    if column is None and named_columns:
        # A name says more than chance: a column of numbers that happens to hold somebody's card is no column of cards.
        shares = _known_shares(customers, keys, named_columns.items())
        index, key_type = _most_known(shares, keys)
        if shares[index, key_type]:
            return KeyColumn(customers.header[index], index, key_type, "by its name")
    indices = range(len(customers.header)) if column is None else [customers.header.index(column)]
    candidates = [
        (at, key_type)
        for at in indices
        for key_type in keys.types
        if named_columns.get(at, key_type) == key_type
    ]
    shares = _known_shares(customers, keys, candidates)
    index, key_type = _most_known(shares, keys)
    if column is not None:
        return KeyColumn(column, index, key_type, "as asked")
    if shares[index, key_type] >= MIN_KNOWN_SHARE:
        return KeyColumn(
            customers.header[index],
            index,
            key_type,
            f"{shares[index, key_type]:.0%} of its first cells are known",
        )
    if named_columns:
        index, key_type = min(named_columns.items())
        return KeyColumn(customers.header[index], index, key_type, "by its name")
    raise _no_key_error(customers, keys)


def _most_known(shares: Mapping[tuple[int, str], float], keys: KeyIndex) -> tuple[int, str]:
    return max(shares, key=lambda pair: (shares[pair], -pair[0], -keys.types.index(pair[1])))


def _no_key_error(customers: CustomerList, keys: KeyIndex) -> InputError:
    columns = ", ".join(repr(name)[1:-1][:40] for name in customers.header[:8])
    choices = ", ".join(sorted(_key_names(keys))[:12])
    if any(_looks_like_key(cell) for cell in customers.header):
        return InputError(
            f"'{customers.path.name}' begins with a row of data; put a header before it that says what each column is, "
            f"such as {choices}."
        )
    return InputError(
        f"No column of '{customers.path.name}' says who a row is; it has {columns}. "
        f"Name one {choices}, or give key=COLUMN."
    )


def _looks_like_key(cell: str) -> bool:
    return bool(re.fullmatch(r"\s*[^@\s]+@[^@\s]+\.\w+\s*|\s*\+?\d[\d\s./-]{7,}\s*", cell))


def _key_names(keys: KeyIndex) -> dict[str, str]:
    """Return what a key column may be called, in lower case, and the type of key it then holds."""
    known = keys.store.key_types()
    names = {kind.lower(): kind for kind in keys.types}
    for silo in keys.source.silos.values():
        names |= {
            column.lower(): kind
            for kind, column in silo.identifiers.items()
            if kind in known and column.isidentifier()
        }
    return names


def _columns_named_like_keys(header: Sequence[str], keys: KeyIndex) -> dict[int, str]:
    """Return the places of columns that are named like a key, with the type of key."""
    names = _key_names(keys) | {word: kind for kind, words in COMMON_NAMES.items() for word in words}
    spelt = {re.sub(r"[\W_]", "", name.lower()): kind for name, kind in names.items()} | names
    key_types = {}
    for index, name in enumerate(header):
        spelling = name.strip().strip("\ufeff").lower()
        kind = names.get(spelling) or spelt.get(re.sub(r"[\W_]", "", spelling))
        if kind is not None:
            key_types[index] = kind
    return key_types


def _known_shares(
    customers: CustomerList, keys: KeyIndex, pairs: Iterable[tuple[int, str]]
) -> dict[tuple[int, str], float]:
    """Return by column and type of key the share of its different cells, among the first, that are somebody's keys."""
    shares = dict.fromkeys(pairs, 0.0)
    indices = sorted({index for index, _ in shares})
    # Of a list with thousands of columns fewer rows are looked at, so that guessing stays a matter of a second.
    chunk = next(customers.chunks(max(20, min(SAMPLE_ROWS, SAMPLE_CELLS // len(indices)))))
    cells = {
        index: sorted({text for row in chunk.rows if (text := key_text(row[index]))}) for index in indices
    }
    for kind in dict.fromkeys(kind for _, kind in shares):
        columns = [index for index, other in shares if other == kind]
        shares |= {
            (index, kind): share for index, share in _known_shares_of_type(cells, columns, keys, kind).items()
        }
    return shares


def _known_shares_of_type(
    cells: Mapping[int, Sequence[str]], indices: Sequence[int], keys: KeyIndex, kind: str
) -> dict[int, float]:
    """Return by column the share of its cells that are keys of the type."""
    texts = pa.array([text for index in indices for text in cells[index]], pa.string())
    column_index = pa.array([index for index in indices for _ in cells[index]], pa.int32())
    if not len(texts):
        return {}
    table = keys.fill(kind)
    lookups = pa.table(
        {"place": column_index, "exact": keys.exact(kind, texts), "standard": keys.standard(kind, texts)}
    )
    keys.connection.register("asked", lookups)
    rows = keys.connection.execute(f"""
        SELECT place, AVG(CAST(exact IN (SELECT value FROM {table} WHERE NOT standard)
            OR COALESCE(standard IN (SELECT value FROM {table} WHERE standard), false) AS INT))
        FROM asked GROUP BY place""").fetchall()
    keys.connection.unregister("asked")
    return dict(rows)


def key_columns(cells: Iterable[object], keys: KeyIndex, key: KeyColumn) -> dict[str, pa.Array]:
    """Return a chunk's keys as they are looked up: `exact` and `standard`."""
    texts = pa.array([key_text(cell) for cell in cells], pa.string())
    return {"exact": keys.exact(key.key_type, texts), "standard": keys.standard(key.key_type, texts)}


ROWS_FILE, CUSTOMERS_FILE, LOCATED_FILE = "rows.parquet", "customers.parquet", "located.json"
STATUSES = ("scored", "duplicate", "not eligible", "suppressed", "erased", "unknown", "broken")
"""What becomes of a row, best first. A duplicate has its customer's scores too."""

MIN_CHUNKS = 4
"""How many chunks a list has at least, as long as its customers lie in so many buckets."""


@dataclass(frozen=True)
class LocatedRows:
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
    connection: "duckdb.DuckDBPyConnection",
    customers: CustomerList,
    keys: KeyIndex,
    key: KeyColumn,
    rows: int,
) -> int:
    """Return how many rows a list has, now in the engine's table `listed`: row, key as looked up, what is wrong."""
    connection.execute(
        "CREATE OR REPLACE TABLE listed (row BIGINT, exact VARCHAR, standard VARCHAR, wrong VARCHAR)"
    )
    count = 0
    for chunk in customers.chunks(rows):
        problems = pa.array([chunk.wrong.get(at, "") for at in range(len(chunk))], pa.string())
        row_numbers = pa.array(range(chunk.first, chunk.first + len(chunk)), pa.int64())
        looked_up = key_columns((row[key.place] for row in chunk.rows), keys, key)
        connection.register("chunk", pa.table({"row": row_numbers, **looked_up, "wrong": problems}))
        connection.execute("INSERT INTO listed SELECT row, exact, standard, wrong FROM chunk")
        connection.unregister("chunk")
        count += len(chunk)
    return count


def match_keys(connection: "duckdb.DuckDBPyConnection", keys: KeyIndex, key_type: str) -> None:
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


def fill_suppressed(
    connection: "duckdb.DuckDBPyConnection", keys: KeyIndex, listed: CustomerList | None, rows: int
) -> int:
    """Return how many customers a suppression list names, now in the engine's table `suppressed`."""
    connection.execute("CREATE OR REPLACE TABLE suppressed (customer_id VARCHAR)")
    if listed is None:
        return 0
    key = find_key(listed, keys, None)
    fill_listed(connection, listed, keys, key, rows)
    match_keys(connection, keys, key.key_type)
    connection.execute("INSERT INTO suppressed SELECT DISTINCT customer_id FROM matched WHERE owners = 1")
    return int(connection.execute("SELECT COUNT(*) FROM suppressed").fetchall()[0][0])


def locate_rows(
    connection: "duckdb.DuckDBPyConnection",
    customers: CustomerList,
    keys: KeyIndex,
    key: KeyColumn,
    tombstones: Tombstones,
    spool: Checkpoint,
    chunk_rows: int,
) -> LocatedRows:
    """Return what was found out of the rows, of which the spool now has `rows.parquet` and `customers.parquet`.

    The table `suppressed` says whom to leave out. Customers lie as in the store, a row group for each chunk.

    Raises
    ------
    InputError
        When no row is anybody's: the column is surely the wrong one.
    """
    count = fill_listed(connection, customers, keys, key, chunk_rows)
    match_keys(connection, keys, key.key_type)
    _assign_statuses(connection, key, tombstones, customers.first_number)
    ((n_known,),) = connection.execute(
        "SELECT COUNT(*) FROM placed WHERE status NOT IN ('unknown', 'broken')"
    ).fetchall()
    if not n_known:
        raise InputError(
            f"Nobody is known by the column '{key.column}' of '{customers.path.name}' ({key.key_type}): 0 of {count:,} "
            f"rows. Give the right one as key=COLUMN; it has {', '.join(customers.header[:8])}."
        )
    with spool.writing(ROWS_FILE) as part:
        connection.execute(f"""
            COPY (SELECT row, IF(status = 'suppressed', NULL, first_row) AS first_row, status, reason
                  FROM placed ORDER BY row) TO {quoted(part)} (FORMAT parquet)""")
    n_scored = _write_customers(connection, len(keys.store.buckets), spool, chunk_rows)
    located = LocatedRows(key.column, key.key_type, key.how, count, n_scored)
    spool.keep(LOCATED_FILE, vars(located))
    return located


def _assign_statuses(
    connection: "duckdb.DuckDBPyConnection", key: KeyColumn, tombstones: Tombstones, first_number: int
) -> None:
    """Fill the engine's table `placed`: each row's customer, the first row of that customer, status and reason."""
    connection.register("tombstones", pa.table({"hash": pa.array(list(tombstones.erased_at), pa.string())}))
    key_type = quoted(key.key_type)
    hashed = f"SHA256({quoted(tombstones.salt)} || {key_type} || ':' || exact)"
    erased = f"{hashed} IN (SELECT hash FROM tombstones)" if tombstones.erased_at else "false"
    connection.execute(f"""
        CREATE OR REPLACE TABLE placed AS
        SELECT row, customer_id, first_row, status,
            CASE status WHEN 'suppressed' THEN 'on the suppression list'
                 WHEN 'duplicate' THEN 'of row ' || (first_row + {first_number})
                 WHEN 'erased' THEN 'the customer asked to be forgotten'
                 WHEN 'unknown' THEN
                     CASE WHEN exact = '' THEN 'no ' || {key_type} || ' given'
                          WHEN owners > 1 THEN owners || ' customers share this ' || {key_type}
                          WHEN REGEXP_FULL_MATCH(exact, '\\d[.,]?\\d*E\\+\\d+')
                              THEN 'a spreadsheet has shortened this number; format its column as text'
                          ELSE 'nobody has this ' || {key_type} END
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
    connection: "duckdb.DuckDBPyConnection", buckets: int, spool: Checkpoint, chunk_rows: int
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
    with spool.writing(CUSTOMERS_FILE) as part, pq.ParquetWriter(part, reader.schema) as file:
        for table in regroup(reader, parts):
            file.write_table(table, row_group_size=max(table.num_rows, 1))
    return sum(sizes.values())


def chunk_sizes(buckets: list[int], max_rows: int) -> list[int]:
    """Return the number of customers of each chunk: small buckets are joined, large ones are split.

    They are joined up to a `MIN_CHUNKS`th of all, so that threads share what is few as well.

    Examples
    --------
    >>> chunk_sizes([3, 4, 2, 25], 10)
    [9, 9, 8, 8]
    """
    target = min(max_rows, -(-sum(buckets) // MIN_CHUNKS))
    sizes: list[int] = []
    pending = 0
    for size in buckets:
        if pending and pending + size > target:
            sizes.append(pending)
            pending = 0
        if size > max_rows:
            parts = -(-size // max_rows)
            sizes += [size // parts + (at < size % parts) for at in range(parts)]
        else:
            pending += size
    return [*sizes, pending] if pending else sizes


def regroup(batches: "pa.RecordBatchReader", sizes: Iterator[int]) -> Iterator[pa.Table]:
    """Yield what the batches hold in tables of these sizes."""
    waiting: list[pa.Table] = []
    count = 0
    for size in sizes:
        while count < size:
            table = pa.Table.from_batches([batches.read_next_batch()])
            waiting.append(table)
            count += table.num_rows
        joined = pa.concat_tables(waiting)
        yield joined.slice(0, size)
        waiting, count = [joined.slice(size)], count - size
