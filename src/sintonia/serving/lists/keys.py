"""Whose a row is: the column that says it, what kind of key it holds, and the customer each key belongs to now.

A key is a customer id (a former one too), an identifier of any silo, an e-mail or a telephone number. E-mails and
numbers are also compared as the golden record compares them: Ann.Rossi+shop@gmail.com is annrossi@gmail.com, and
333 123 4567 is +39 333 123 4567. What several customers share names none of them.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from sintonia.core.config import SourceConfig
from sintonia.core.errors import InputError, hint
from sintonia.data.identity.standardise import by_value, email, phone_reader
from sintonia.data.store import Store
from sintonia.serving.lists.cells import key_text
from sintonia.serving.lists.read import CustomerList

if TYPE_CHECKING:
    import duckdb

CUSTOMER, EMAIL, PHONE = "customer_id", "email", "phone"
SAMPLE_ROWS, SAMPLE_CELLS = 1000, 200_000
FEWEST_FOUND = 0.2
"""Share of a column's cells that must be somebody's keys for the column to be taken without being named."""

CALLED = {
    EMAIL: ("email", "emailaddress", "mail", "indirizzoemail", "posta"),
    PHONE: ("phone", "phonenumber", "telephone", "mobile", "tel", "telefono", "cellulare", "cell"),
    CUSTOMER: ("customerid",),
}
"""What columns of keys are often called, without case, spaces and punctuation."""


@dataclass(frozen=True)
class Key:
    """The column that says who a row is, the type of key it holds, and how that was found out."""

    column: str
    place: int
    key_type: str
    how: str


@dataclass(frozen=True)
class Keys:
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


def find_key(customers: CustomerList, keys: Keys, asked: str | None) -> Key:
    """Return the column that says who a row is: the one asked for, one named like a key, or one that holds keys.

    Of several the one whose cells are known the most often among the first thousand rows.

    Raises
    ------
    InputError
        When there is no such column, or no column's cells are keys of customers.
    """
    if asked is not None and asked not in customers.header:
        raise InputError(f"'{customers.path.name}' has no column '{asked}'; {hint(asked, customers.header)}")
    named = _named(customers.header, keys)
    if asked is None and named:
        # A name says more than chance: a column of numbers that happens to hold somebody's card is no column of cards.
        shares = _shares(customers, keys, named.items())
        place, kind = _best(shares, keys)
        if shares[place, kind]:
            return Key(customers.header[place], place, kind, "by its name")
    places = range(len(customers.header)) if asked is None else [customers.header.index(asked)]
    pairs = [(at, kind) for at in places for kind in keys.types if named.get(at, kind) == kind]
    shares = _shares(customers, keys, pairs)
    place, kind = _best(shares, keys)
    if asked is not None:
        return Key(asked, place, kind, "as asked")
    if shares[place, kind] >= FEWEST_FOUND:
        return Key(
            customers.header[place], place, kind, f"{shares[place, kind]:.0%} of its first cells are known"
        )
    if named:
        place, kind = min(named.items())
        return Key(customers.header[place], place, kind, "by its name")
    raise _no_key(customers, keys)


def _best(shares: Mapping[tuple[int, str], float], keys: Keys) -> tuple[int, str]:
    return max(shares, key=lambda pair: (shares[pair], -pair[0], -keys.types.index(pair[1])))


def _no_key(customers: CustomerList, keys: Keys) -> InputError:
    some = ", ".join(repr(name)[1:-1][:40] for name in customers.header[:8])
    choices = ", ".join(sorted(_names(keys))[:12])
    if any(_is_key(cell) for cell in customers.header):
        return InputError(
            f"'{customers.path.name}' begins with a row of data; put a header before it that says what each column is, "
            f"such as {choices}."
        )
    return InputError(
        f"No column of '{customers.path.name}' says who a row is; it has {some}. "
        f"Name one {choices}, or give key=COLUMN."
    )


def _is_key(cell: str) -> bool:
    return bool(re.fullmatch(r"\s*[^@\s]+@[^@\s]+\.\w+\s*|\s*\+?\d[\d\s./-]{7,}\s*", cell))


def _names(keys: Keys) -> dict[str, str]:
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


def _named(header: Sequence[str], keys: Keys) -> dict[int, str]:
    """Return the places of columns that are named like a key, with the type of key."""
    names = _names(keys) | {word: kind for kind, words in CALLED.items() for word in words}
    spelt = {re.sub(r"[\W_]", "", name.lower()): kind for name, kind in names.items()} | names
    found = {}
    for place, name in enumerate(header):
        plain = name.strip().strip("\ufeff").lower()
        kind = names.get(plain) or spelt.get(re.sub(r"[\W_]", "", plain))
        if kind is not None:
            found[place] = kind
    return found


def _shares(
    customers: CustomerList, keys: Keys, pairs: Iterable[tuple[int, str]]
) -> dict[tuple[int, str], float]:
    """Return by column and type of key the share of its different cells, among the first, that are somebody's keys."""
    found = dict.fromkeys(pairs, 0.0)
    places = sorted({place for place, _ in found})
    # Of a list with thousands of columns fewer rows are looked at, so that guessing stays a matter of a second.
    chunk = next(customers.chunks(max(20, min(SAMPLE_ROWS, SAMPLE_CELLS // len(places)))))
    cells = {
        place: sorted({text for row in chunk.rows if (text := key_text(row[place]))}) for place in places
    }
    for kind in dict.fromkeys(kind for _, kind in found):
        mine = [place for place, other in found if other == kind]
        found |= {(place, kind): share for place, share in _known(cells, mine, keys, kind).items()}
    return found


def _known(
    cells: Mapping[int, Sequence[str]], places: Sequence[int], keys: Keys, kind: str
) -> dict[int, float]:
    """Return by column the share of its cells that are keys of the type."""
    texts = pa.array([text for place in places for text in cells[place]], pa.string())
    owners = pa.array([place for place in places for _ in cells[place]], pa.int32())
    if not len(texts):
        return {}
    table = keys.fill(kind)
    asked = pa.table(
        {"place": owners, "exact": keys.exact(kind, texts), "standard": keys.standard(kind, texts)}
    )
    keys.connection.register("asked", asked)
    rows = keys.connection.execute(f"""
        SELECT place, AVG(CAST(exact IN (SELECT value FROM {table} WHERE NOT standard)
            OR COALESCE(standard IN (SELECT value FROM {table} WHERE standard), false) AS INT))
        FROM asked GROUP BY place""").fetchall()
    keys.connection.unregister("asked")
    return dict(rows)


def key_columns(cells: Iterable[object], keys: Keys, key: Key) -> dict[str, pa.Array]:
    """Return a chunk's keys as they are looked up: `exact` and `standard`."""
    texts = pa.array([key_text(cell) for cell in cells], pa.string())
    return {"exact": keys.exact(key.key_type, texts), "standard": keys.standard(key.key_type, texts)}
