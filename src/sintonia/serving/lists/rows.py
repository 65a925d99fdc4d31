"""Rows matched to customers: the key column, the customer of each key, the status of each row.

A key is a customer id (a former one too), an identifier of any silo, an e-mail address or a telephone number. E-mail
addresses and numbers are also compared in the golden record's standard form: Ann.Rossi+shop@gmail.com is
annrossi@gmail.com, and 333 123 4567 is +39 333 123 4567. A key that several customers share identifies none of them.

A row is looked up by everything it has: by the key column, and where that identifies nobody by the other columns that
are named like keys, and by e-mail addresses and numbers that stand in a column of other keys.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sintonia.core.config import SourceConfig
from sintonia.core.errors import InputError, hint
from sintonia.core.progress import log
from sintonia.data.identity.standardise import by_value, email, phone_reader
from sintonia.data.privacy.tombstones import Tombstones
from sintonia.data.sources.identifiers import SHORTENED, email_address, without_point
from sintonia.data.store import Store
from sintonia.data.store.write import BUCKET
from sintonia.serving.lists.cells import key_text
from sintonia.serving.lists.checkpoint import Checkpoint
from sintonia.serving.lists.read import CustomerList

if TYPE_CHECKING:
    import duckdb


CUSTOMER, EMAIL, PHONE = "customer_id", "email", "phone"
SAMPLE_ROWS, SAMPLE_CELLS = 1000, 200_000
MIN_KNOWN_SHARE = 0.2
"""Share of known keys among a column's cells that makes it the key column without a matching name."""

COMMON_NAMES = {
    EMAIL: ("email", "emailaddress", "mail", "indirizzoemail", "posta"),
    PHONE: ("phone", "phonenumber", "telephone", "mobile", "tel", "telefono", "cellulare", "cell"),
    CUSTOMER: ("customerid",),
}
"""Common names of key columns, without case, spaces and punctuation."""


MIN_PHONE_SHARE = 0.05
"""Share of known telephone numbers in a column of other keys from which its cells are looked up as numbers too."""

ALL, WITH_AT, NUMBERS, WITH_POINT = "all", "with @", "telephone numbers", "whole numbers with a point"
"""Which cells of a column are looked up."""


@dataclass(frozen=True)
class Lookup:
    """One way to look rows up: these cells of a column, as keys of a type."""

    column: str
    index: int
    key_type: str
    cells: str = ALL


@dataclass(frozen=True)
class KeyColumn:
    """The column that identifies the rows, its index, the type of key it holds, and how it was detected.

    `further` are the ways to look up rows that the column itself does not identify, in this order.
    """

    column: str
    index: int
    key_type: str
    how: str
    further: tuple[Lookup, ...] = ()

    @property
    def lookups(self) -> tuple[Lookup, ...]:
        """All ways to look rows up, the column's own first."""
        return (Lookup(self.column, self.index, self.key_type), *self.further)

    @property
    def columns(self) -> list[str]:
        """The columns that identify rows, the key column first."""
        return list(dict.fromkeys(lookup.column for lookup in self.lookups))


@dataclass(frozen=True)
class KeyIndex:
    """The keys of a store: their standard forms, and a table in the engine for each type, filled when first needed."""

    connection: "duckdb.DuckDBPyConnection"
    store: Store
    source: SourceConfig
    region: str
    filled: set[str] = field(default_factory=set)

    @cached_property
    def types(self) -> list[str]:
        """The types of key: customer ids, identifiers, contact data."""
        return list(dict.fromkeys([CUSTOMER, *self.store.key_types(), EMAIL, PHONE]))

    def standard(self, key_type: str, cells: pa.Array) -> pa.Array:
        """Return cells in the golden record's standard form, null where the type has none or they are not valid."""
        if key_type == EMAIL:
            return email(cells)
        return (
            by_value(cells, phone_reader(self.region))
            if key_type == PHONE
            else pa.nulls(len(cells), pa.string())
        )

    def exact(self, key_type: str, cells: pa.Array) -> pa.Array:
        """Return cells as identifiers are stored: e-mail addresses, which alone ignore case, in lower case and bare."""
        return by_value(cells, email_address) if key_type == EMAIL else cells

    def fill(self, key_type: str) -> str:
        """Return the engine's table of a type's keys: `standard` (or as stored), `value`, `customer_id`, `owners`."""
        name = f"keys_{self.types.index(key_type)}"
        if name in self.filled:
            return name
        self.connection.execute(f"""
            CREATE OR REPLACE TABLE {name} AS
            SELECT false AS standard, {"LOWER(value)" if key_type == EMAIL else "value"} AS value,
                   MIN(customer_id) AS customer_id, COUNT(DISTINCT customer_id) AS owners
            FROM ({self._identifier_query(key_type)}) WHERE value <> '' GROUP BY 2""")
        if key_type in (EMAIL, PHONE):
            self._fill_standard(name, key_type)
        self.filled.add(name)
        return name

    def _identifier_query(self, key_type: str) -> str:
        """Return the query of the identifiers of a type with their customers of today: `value`, `customer_id`."""
        crosswalk = f"read_parquet({quoted(self.store.paths.crosswalk)}) WHERE unlinked_at IS NULL"
        if key_type != CUSTOMER:
            return f"SELECT source_key AS value, customer_id FROM {crosswalk} AND source = {quoted(key_type)}"
        merges = f"read_parquet({quoted(self.store.paths.merges)})"
        return f"""SELECT DISTINCT customer_id AS value, customer_id FROM {crosswalk}
                   UNION ALL SELECT customer_id, merged_into FROM {merges}"""

    def _fill_standard(self, name: str, key_type: str) -> None:
        """Add the keys in standard form, and those that silos gave as contact data."""
        identifiers = self.connection.sql(f"""
            {self._identifier_query(key_type)} UNION
            SELECT value, customer_id FROM read_parquet({quoted(self.store.paths.contacts)})
            WHERE field = {quoted(key_type)}""").to_arrow_table()
        standard = self.standard(key_type, identifiers["value"].combine_chunks().cast(pa.string()))
        self.connection.register(
            "identifiers", pa.table({"value": standard, "customer_id": identifiers["customer_id"]})
        )
        self.connection.execute(f"""
            INSERT INTO {name} SELECT true, value, MIN(customer_id), COUNT(DISTINCT customer_id)
            FROM identifiers WHERE value IS NOT NULL GROUP BY value""")
        self.connection.unregister("identifiers")


def quoted(text: object) -> str:
    """Return a text as an SQL literal."""
    return "'" + str(text).replace("'", "''") + "'"


def with_header(customers: CustomerList, keys: KeyIndex, column: str | None) -> CustomerList:
    """Return the list, with numbered columns where its first row is a customer's and not a header.

    It is, if no column is named like a key, and in one of them the first cell is a key or looks like one, as other
    cells are.
    """
    if column is not None or customers.format not in ("csv", "excel"):
        return customers
    if _columns_named_like_keys(customers.header, keys):
        return customers
    firsts = {at: [text] if (text := key_text(cell)) else [] for at, cell in enumerate(customers.header)}
    indices = list(firsts)
    candidates = []
    for key_type in keys.types:
        known = _known_shares_of_type(firsts, indices, keys, key_type)
        candidates += [
            (at, key_type) for at in indices if known.get(at) or _looks_like_key(customers.header[at])
        ]
    if not candidates or max(_known_shares(customers, keys, candidates).values()) < MIN_KNOWN_SHARE:
        return customers
    return customers.without_header()


def find_key(customers: CustomerList, keys: KeyIndex, column: str | None) -> KeyColumn:
    """Return the column that identifies the rows: the requested one, one named like a key, or one that holds keys.

    Of several, the one with the highest share of known keys among the first thousand rows.

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

    def key_of(index: int, key_type: str, how: str) -> KeyColumn:
        own = Lookup(customers.header[index], index, key_type)
        phones = shares.get((index, PHONE), 0.0) >= MIN_PHONE_SHARE and index not in named_columns
        further = _lookups_within(own, phones)
        named = _numbered_contacts(customers.header) | named_columns
        others = () if column is not None else _by_share(named, shares, index)
        for other, its_type in others:
            lookup = Lookup(customers.header[other], other, its_type)
            further += [lookup, *_lookups_within(lookup, phones=False)]
        return KeyColumn(own.column, index, key_type, how, tuple(further))

    if column is None and named_columns:
        # A name is better evidence than content: numbers may equal somebody's card number by chance.
        shares = _known_shares(customers, keys, named_columns.items())
        index, key_type = _most_known(shares, keys)
        if shares[index, key_type]:
            return key_of(index, key_type, "by its name")
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
        return key_of(index, key_type, "as asked")
    if shares[index, key_type] >= MIN_KNOWN_SHARE:
        return key_of(index, key_type, f"{shares[index, key_type]:.0%} of its first cells are known")
    if named_columns:
        index, key_type = min(named_columns.items())
        return key_of(index, key_type, "by its name")
    raise _no_key_error(customers, keys)


def _lookups_within(lookup: Lookup, phones: bool) -> list[Lookup]:
    """Return how else cells of the same column are looked up: what no key of its type looks like."""
    if lookup.key_type == EMAIL:
        return [replace(lookup, key_type=PHONE, cells=NUMBERS)]
    ids = [] if lookup.key_type == PHONE else [replace(lookup, cells=WITH_POINT)]
    numbers = [replace(lookup, key_type=PHONE, cells=NUMBERS)] if phones and ids else []
    return [*ids, replace(lookup, key_type=EMAIL, cells=WITH_AT), *numbers]


def _by_share(
    named_columns: Mapping[int, str], shares: Mapping[tuple[int, str], float], index: int
) -> list[tuple[int, str]]:
    """Return the other columns that are named like keys, those with the most known keys first."""
    others = [(other, key_type) for other, key_type in named_columns.items() if other != index]
    return sorted(others, key=lambda pair: (-shares.get(pair, 0.0), pair[0]))


def _most_known(shares: Mapping[tuple[int, str], float], keys: KeyIndex) -> tuple[int, str]:
    """Return the column and type of key with the highest share of known keys; of ties the first."""
    return max(shares, key=lambda pair: (shares[pair], -pair[0], -keys.types.index(pair[1])))


def _no_key_error(customers: CustomerList, keys: KeyIndex) -> InputError:
    """Return the error for a list without a key column."""
    columns = ", ".join(repr(name)[1:-1][:40] for name in customers.header[:8])
    choices = ", ".join(sorted(_key_names(keys))[:12])
    if any(_looks_like_key(cell) for cell in customers.header):
        return InputError(
            f"'{customers.path.name}' begins with a row of data; put a header before it with the names of the columns, "
            f"such as {choices}."
        )
    return InputError(
        f"No column of '{customers.path.name}' identifies customers; it has {columns}. "
        f"Name one {choices}, or give key=COLUMN."
    )


def _looks_like_key(cell: str) -> bool:
    """Return whether a cell of the header looks like an e-mail address or a number, so that the header is missing."""
    return bool(re.fullmatch(r"\s*[^@\s]+@[^@\s]+\.\w+\s*|\s*\+?\d[\d\s./-]{7,}\s*", cell))


def _key_names(keys: KeyIndex) -> dict[str, str]:
    """Return the names of key columns, in lower case, with their type of key."""
    known = keys.store.key_types()
    names = {key_type.lower(): key_type for key_type in keys.types}
    for silo in keys.source.silos.values():
        names |= {
            column.lower(): key_type
            for key_type, column in silo.identifiers.items()
            if key_type in known and column.isidentifier()
        }
    return names


def _columns_named_like_keys(header: Sequence[str], keys: KeyIndex) -> dict[int, str]:
    """Return the indices of columns that are named like a key, with the type of key."""
    names = _key_names(keys) | {word: key_type for key_type, words in COMMON_NAMES.items() for word in words}
    by_letters = {re.sub(r"[\W_]", "", name.lower()): key_type for name, key_type in names.items()} | names
    key_types = {}
    for index, name in enumerate(header):
        spelling = name.strip().strip("\ufeff").lower()
        key_type = names.get(spelling) or by_letters.get(re.sub(r"[\W_]", "", spelling))
        if key_type is not None:
            key_types[index] = key_type
    return key_types


def _numbered_contacts(header: Sequence[str]) -> dict[int, str]:
    """Return the indices of further columns of contact data, with the type of key: Email 2, telefono_2."""
    types = {word: key_type for key_type in (EMAIL, PHONE) for word in COMMON_NAMES[key_type]}
    letters = [re.sub(r"[\W_]|\d+\W*$", "", name.lower()) for name in header]
    return {at: types[word] for at, word in enumerate(letters) if word in types}


def _known_shares(
    customers: CustomerList, keys: KeyIndex, pairs: Iterable[tuple[int, str]]
) -> dict[tuple[int, str], float]:
    """Return by column and type of key the share of distinct cells, in the first rows, that are known keys."""
    shares = dict.fromkeys(pairs, 0.0)
    indices = sorted({index for index, _ in shares})
    # With thousands of columns fewer rows are read, so that detection takes about a second.
    chunk = next(customers.chunks(max(20, min(SAMPLE_ROWS, SAMPLE_CELLS // len(indices)))))
    cells = {
        index: sorted({text for row in chunk.rows if (text := key_text(row[index]))}) for index in indices
    }
    for key_type in dict.fromkeys(key_type for _, key_type in shares):
        columns = [index for index, key_type_of in shares if key_type_of == key_type]
        shares |= {
            (index, key_type): share
            for index, share in _known_shares_of_type(cells, columns, keys, key_type).items()
        }
    return shares


def _known_shares_of_type(
    cells: Mapping[int, Sequence[str]], indices: Sequence[int], keys: KeyIndex, key_type: str
) -> dict[int, float]:
    """Return by column the share of its cells that are keys of the type."""
    texts = pa.array([text for index in indices for text in cells[index]], pa.string())
    column_index = pa.array([index for index in indices for _ in cells[index]], pa.int32())
    if not len(texts):
        return {}
    table = keys.fill(key_type)
    lookups = pa.table(
        {
            "column_index": column_index,
            "exact": keys.exact(key_type, texts),
            "standard": keys.standard(key_type, texts),
        }
    )
    keys.connection.register("lookups", lookups)
    rows = keys.connection.execute(f"""
        SELECT column_index, AVG(CAST(exact IN (SELECT value FROM {table} WHERE NOT standard)
            OR COALESCE(standard IN (SELECT value FROM {table} WHERE standard), false) AS INT))
        FROM lookups GROUP BY column_index""").fetchall()
    keys.connection.unregister("lookups")
    return dict(rows)


def key_columns(cells: Iterable[object], keys: KeyIndex, key: KeyColumn | Lookup) -> dict[str, pa.Array]:
    """Return a chunk's keys to look up: `exact` and `standard`."""
    texts = pa.array([key_text(cell) for cell in cells], pa.string())
    return _key_columns(texts, keys, key.key_type)


def _key_columns(texts: pa.Array, keys: KeyIndex, key_type: str) -> dict[str, pa.Array]:
    if key_type == PHONE:
        texts = _without_point(texts)
    return {"exact": keys.exact(key_type, texts), "standard": keys.standard(key_type, texts)}


def _without_point(texts: pa.Array) -> pa.Array:
    """Return whole numbers as they are written without a point: 123.0 is 123."""
    return by_value(texts, without_point)


def _looked_up(texts: pa.Array, keys: KeyIndex, lookup: Lookup) -> tuple[pa.Array, dict[str, pa.Array]]:
    """Return which cells are looked up this way, and the keys of these."""
    if lookup.cells == ALL:
        return pa.array([True] * len(texts)), _key_columns(texts, keys, lookup.key_type)
    with_at = pc.match_substring(texts, "@")
    if lookup.cells == WITH_AT:
        rows = with_at
    elif lookup.cells == WITH_POINT:
        texts, given = _without_point(texts), texts
        rows = pc.not_equal(texts, given)
    else:
        rows = pc.and_not(pc.match_substring_regex(texts, r"\d{5}|\d[^\d]+\d"), with_at)
    columns = _key_columns(texts.filter(rows), keys, lookup.key_type)
    if lookup.cells != NUMBERS:
        return rows, columns
    valid = columns["standard"].is_valid()
    return (
        pc.replace_with_mask(rows, rows, valid),
        {name: column.filter(valid) for name, column in columns.items()},
    )


ROWS_FILE, CUSTOMERS_FILE, LOCATED_FILE = "rows.parquet", "customers.parquet", "located.json"
STATUSES = ("scored", "duplicate", "not eligible", "suppressed", "erased", "unknown", "broken")
"""The statuses of rows, best first. A duplicate has its customer's scores too."""

MIN_CHUNKS = 4
"""Least number of chunks, if the customers are in as many buckets."""


@dataclass(frozen=True)
class LocatedRows:
    """A list's rows matched: its key, the number of rows, and the number of customers to score.

    `columns` are all that identify rows, the key column first; `further` says how many rows the others identified.
    """

    column: str
    key_type: str
    how: str
    rows: int
    customers: int
    columns: Sequence[str]
    further: str = ""

    @property
    def description(self) -> str:
        """The key of the rows, as a sentence for the log and the page."""
        return (
            f"Rows are identified by the column '{self.column}' ({self.key_type}, {self.how}){self.further}"
        )


def fill_listed(
    connection: "duckdb.DuckDBPyConnection",
    customers: CustomerList,
    keys: KeyIndex,
    key: KeyColumn,
    rows: int,
) -> int:
    """Return the number of rows of a list, and fill the engine's table `listed`: the keys to look up of each row.

    `lookup` is the index among the key's lookups; every row is there with the first, and with its `problem`.
    """
    connection.execute(
        "CREATE OR REPLACE TABLE listed (row BIGINT, lookup INT, exact VARCHAR, standard VARCHAR, problem VARCHAR)"
    )
    count = 0
    for chunk in customers.chunks(rows):
        problems = pa.array([chunk.problems.get(at, "") for at in range(len(chunk))], pa.string())
        row_numbers = pa.array(range(chunk.first, chunk.first + len(chunk)), pa.int64())
        texts = {
            index: pa.array([key_text(row[index]) for row in chunk.rows], pa.string())
            for index in dict.fromkeys(lookup.index for lookup in key.lookups)
        }
        for number, lookup in enumerate(key.lookups):
            used, looked_up = _looked_up(texts[lookup.index], keys, lookup)
            if number and lookup.cells == ALL:
                given = pc.not_equal(looked_up["exact"], "")
                used, looked_up = given, {name: column.filter(given) for name, column in looked_up.items()}
            n_used = len(looked_up["exact"])
            if number and not n_used:
                continue
            table = pa.table(
                {
                    "row": row_numbers.filter(used),
                    "lookup": pa.array([number] * n_used, pa.int32()),
                    **looked_up,
                    "problem": problems if not number else pa.array([""] * n_used, pa.string()),
                }
            )
            connection.register("chunk", table)
            connection.execute("INSERT INTO listed SELECT row, lookup, exact, standard, problem FROM chunk")
            connection.unregister("chunk")
        count += len(chunk)
    return count


def match_keys(connection: "duckdb.DuckDBPyConnection", keys: KeyIndex, key: KeyColumn) -> None:
    """Fill the engine's tables `looked_up` and `matched` from `listed`.

    `looked_up` has a row for each key of a row: `row`, `lookup`, `key_type`, `exact`, `problem`, `customer_id` and the
    number of `owners`. `matched` has each row once, with the first key that identifies a customer; where none does,
    with one that several share; else its `key_type` names all that were tried.
    """
    used = connection.execute("SELECT DISTINCT lookup FROM listed ORDER BY 1").fetchall()
    parts = [_lookup_query(number, keys.fill(key.lookups[number].key_type), key) for (number,) in used]
    connection.execute(f"CREATE OR REPLACE TABLE looked_up AS {' UNION ALL '.join(parts)}")
    if len(parts) <= 1:
        connection.execute("CREATE OR REPLACE VIEW matched AS FROM looked_up")
        return
    own_types = dict.fromkeys(lookup.key_type for lookup in key.lookups if lookup.cells == ALL)
    connection.execute(f"""
        CREATE OR REPLACE TABLE identified AS
        SELECT row, lookup, exact, problems.problem, owners, customer_id,
               CASE WHEN owners > 0 THEN key_type WHEN tried = '' THEN {quoted(" or ".join(sorted(own_types)))}
                    ELSE tried END AS key_type
        FROM (SELECT * FROM looked_up QUALIFY ROW_NUMBER() OVER (
                  PARTITION BY row ORDER BY owners = 1 DESC, owners > 1 DESC, exact <> '' DESC, lookup) = 1)
        JOIN (SELECT row, MAX(problem) AS problem,
                     COALESCE(ARRAY_TO_STRING(LIST_SORT(LIST_DISTINCT(
                         LIST(key_type) FILTER (exact <> ''))), ' or '), '') AS tried
              FROM looked_up GROUP BY row) AS problems USING (row)""")
    connection.execute("CREATE OR REPLACE VIEW matched AS FROM identified")
    several = "FROM looked_up WHERE owners = 1 GROUP BY row HAVING COUNT(DISTINCT customer_id) > 1"
    ((n_several,),) = connection.execute(f"SELECT COUNT(*) FROM (SELECT row {several})").fetchall()
    if n_several:
        log.warning(
            "%s rows have keys of several customers; each is the customer of its key in the first of %s",
            f"{n_several:,}",
            ", ".join(f"'{column}'" for column in key.columns),
        )


def _lookup_query(number: int, table: str, key: KeyColumn) -> str:
    """Return the query of one lookup's keys with their customers."""
    return f"""
        SELECT row, lookup, {quoted(key.lookups[number].key_type)} AS key_type, exact, problem,
               COALESCE(by_exact.owners, by_standard.owners, 0) AS owners,
               CASE COALESCE(by_exact.owners, by_standard.owners)
                   WHEN 1 THEN COALESCE(by_exact.customer_id, by_standard.customer_id) END AS customer_id
        FROM (FROM listed WHERE lookup = {number}) AS listed
        LEFT JOIN {table} AS by_exact ON NOT by_exact.standard AND by_exact.value = listed.exact
        LEFT JOIN {table} AS by_standard ON by_standard.standard AND by_standard.value = listed.standard"""


def fill_suppressed(
    connection: "duckdb.DuckDBPyConnection", keys: KeyIndex, listed: CustomerList | None, rows: int
) -> int:
    """Return the number of customers on a suppression list, and fill the engine's table `suppressed`."""
    connection.execute("CREATE OR REPLACE TABLE suppressed (customer_id VARCHAR)")
    if listed is None:
        return 0
    key = find_key(listed, keys, None)
    fill_listed(connection, listed, keys, key, rows)
    match_keys(connection, keys, key)
    connection.execute("INSERT INTO suppressed SELECT DISTINCT customer_id FROM looked_up WHERE owners = 1")
    return int(connection.execute("SELECT COUNT(*) FROM suppressed").fetchall()[0][0])


def locate_rows(
    connection: "duckdb.DuckDBPyConnection",
    customers: CustomerList,
    keys: KeyIndex,
    key: KeyColumn,
    tombstones: Tombstones,
    checkpoint: Checkpoint,
    chunk_rows: int,
) -> LocatedRows:
    """Return the rows matched, and write `rows.parquet` and `customers.parquet` to the checkpoint.

    The table `suppressed` has the customers to leave out. Customers are in the order of the store, a row group a chunk.

    Raises
    ------
    InputError
        When no row has a customer, because then the column must be the wrong one.
    """
    count = fill_listed(connection, customers, keys, key, chunk_rows)
    match_keys(connection, keys, key)
    _assign_statuses(connection, tombstones, customers.first_number)
    ((n_known,),) = connection.execute(
        "SELECT COUNT(*) FROM statuses WHERE status NOT IN ('unknown', 'broken')"
    ).fetchall()
    if not n_known:
        columns = " or ".join(f"'{column}'" for column in key.columns)
        raise InputError(
            f"No customer has a key in the column {columns} of '{customers.path.name}' ({key.key_type}): "
            f"0 of {count:,} rows. Give the right one as key=COLUMN; it has {', '.join(customers.header[:8])}."
        )
    with checkpoint.writing(ROWS_FILE) as part:
        connection.execute(f"""
            COPY (SELECT row, IF(status = 'suppressed', NULL, first_row) AS first_row, status, reason
                  FROM statuses ORDER BY row) TO {quoted(part)} (FORMAT parquet)""")
    n_scored = _write_customers(connection, len(keys.store.buckets), checkpoint, chunk_rows)
    further = _identified_otherwise(connection, key)
    located = LocatedRows(key.column, key.key_type, key.how, count, n_scored, key.columns, further)
    checkpoint.write_json(LOCATED_FILE, vars(located))
    return located


def _identified_otherwise(connection: "duckdb.DuckDBPyConnection", key: KeyColumn) -> str:
    """Return how many rows each further lookup identified, as the end of a sentence; empty without any."""
    counts: dict[tuple[str, str], int] = {}
    for number, rows in connection.execute(
        "SELECT lookup, COUNT(*) FROM matched WHERE lookup > 0 AND owners = 1 GROUP BY 1 ORDER BY 1"
    ).fetchall():
        lookup = key.lookups[number]
        column = (lookup.column, lookup.key_type)
        counts[column] = counts.get(column, 0) + rows
    return "".join(
        f"; {rows:,} more by '{column}' ({key_type})" for (column, key_type), rows in counts.items()
    )


def _assign_statuses(
    connection: "duckdb.DuckDBPyConnection", tombstones: Tombstones, first_number: int
) -> None:
    """Fill the engine's table `statuses`: each row's customer, that customer's first row, status and reason."""
    connection.register("tombstones", pa.table({"hash": pa.array(list(tombstones.erased_at), pa.string())}))
    hashed = f"SHA256({quoted(tombstones.salt)} || key_type || ':' || exact)"
    erased_rows = f"SELECT row FROM looked_up WHERE {hashed} IN (SELECT hash FROM tombstones)"
    erased = f"row IN ({erased_rows})" if tombstones.erased_at else "false"
    connection.execute(f"""
        CREATE OR REPLACE TABLE statuses AS
        SELECT row, customer_id, first_row, status,
            CASE status WHEN 'suppressed' THEN 'on the suppression list'
                 WHEN 'duplicate' THEN 'of row ' || (first_row + {first_number})
                 WHEN 'erased' THEN 'the customer asked to be forgotten'
                 WHEN 'unknown' THEN
                     CASE WHEN exact = '' THEN 'no ' || key_type || ' given'
                          WHEN owners > 1 THEN owners || ' customers share this ' || key_type
                          WHEN REGEXP_FULL_MATCH(exact, {quoted(SHORTENED)})
                              THEN 'a spreadsheet has shortened this number; format its column as text'
                          ELSE 'nobody has this ' || key_type END
                 ELSE problem END AS reason
        FROM (SELECT *,
                CASE WHEN customer_id IN (SELECT customer_id FROM suppressed) THEN 'suppressed'
                     WHEN row > first_row THEN 'duplicate'
                     WHEN customer_id IS NOT NULL THEN 'scored'
                     WHEN {erased} THEN 'erased'
                     WHEN problem <> '' THEN 'broken'
                     ELSE 'unknown' END AS status
              FROM (SELECT *, IF(customer_id IS NULL, NULL, MIN(row) OVER (PARTITION BY customer_id)) AS first_row
                    FROM matched))""")
    connection.unregister("tombstones")


def _write_customers(
    connection: "duckdb.DuckDBPyConnection", buckets: int, checkpoint: Checkpoint, chunk_rows: int
) -> int:
    """Return the number of customers to score, written in the order of the store, a row group a chunk."""
    bucket = BUCKET.format(buckets=buckets).replace("person_id", "customer_id")
    connection.execute(f"""
        CREATE OR REPLACE TABLE to_score AS
        SELECT first_row AS row, customer_id, {bucket} AS bucket FROM statuses WHERE status = 'scored'""")
    sizes = dict(connection.execute("SELECT bucket, COUNT(*) FROM to_score GROUP BY 1 ORDER BY 1").fetchall())
    parts = iter(chunk_sizes(list(sizes.values()), chunk_rows))
    reader = connection.sql(
        "SELECT row, customer_id FROM to_score ORDER BY bucket, customer_id"
    ).to_arrow_reader(1 << 16)
    with checkpoint.writing(CUSTOMERS_FILE) as part, pq.ParquetWriter(part, reader.schema) as file:
        for table in regroup(reader, parts):
            file.write_table(table, row_group_size=max(table.num_rows, 1))
    return sum(sizes.values())


def chunk_sizes(buckets: list[int], max_rows: int) -> list[int]:
    """Return the number of customers of each chunk: small buckets are joined, large ones are split.

    They are joined up to a `MIN_CHUNKS`th of all, so that small lists too are divided among threads.

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
    """Yield the rows of the batches in tables of these sizes."""
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
