"""Who is to be forgotten: every id and identifier of a person, and what of it is that person's alone."""

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sintonia.core.arrays import Bools
from sintonia.core.errors import InputError, unknown
from sintonia.core.paths import WorkspacePaths
from sintonia.data.identity.explaining import find_customer
from sintonia.data.identity.fields import PATTERNS
from sintonia.data.identity.files import standing
from sintonia.data.privacy.tombstones import Tombstones
from sintonia.data.privacy.traces import Traces
from sintonia.data.store import Store

TELLING = ("email", "phone", "street")
"""Contact fields whose values are looked for anywhere."""

NAMING = ("first_name", "last_name", "birth_date")
"""Contact fields whose values are looked for in columns of their own: elsewhere they may mean something else."""

SHORTEST = 8
"""Letters of a value that is looked for anywhere; shorter ones are looked for where identifiers stand."""


@dataclass(frozen=True)
class DataSubject:
    """A customer with all it was: ids, identifiers (`type`, `value`), and what contacts say (`field`, `value`).

    `ids` are today's and those of customers that became part of it. `shared` are identifiers that others use too: they
    go on for the others. `contacts` are in lower case and have only what no other customer has; `common` are ids and
    identifiers that also stand for something of somebody else.
    """

    ids: frozenset[str]
    own: frozenset[tuple[str, str]]
    shared: frozenset[tuple[str, str]] = frozenset()
    contacts: frozenset[tuple[str, str]] = frozenset()
    common: frozenset[str] = frozenset()

    @property
    def keys(self) -> frozenset[str]:
        """The person's own identifiers as `type:value`."""
        return frozenset(f"{kind}:{value}" for kind, value in self.own)

    @property
    def entombed(self) -> frozenset[str]:
        """What a tombstone is made of: the person's own identifiers, ids, and names and streets nobody else has."""
        said = {contact_key(name, value) for name, value in self.contacts if name in (*NAMING, "street")}
        return self.keys | {f"customer_id:{customer}" for customer in self.ids} | said

    def kinds(self) -> dict[str, int]:
        """Return how many identifiers of each type the person has, shared ones too."""
        return dict(sorted(Counter(kind for kind, _ in self.own | self.shared).items()))


def find_person(store: Store, workspace: Path, tombstones: Tombstones, asked: str) -> DataSubject:
    """Return the person known by a customer id, an id it had before a merge, or an identifier `type:value`.

    Of who was forgotten before, what is asked for is all that is known; it is looked for again.

    Raises
    ------
    InputError
        When nobody is known by it; the message repeats no identifier and names no customer.
    """
    with duckdb.connect() as connection:
        for name in ("crosswalk", "merges"):
            connection.read_parquet(str(store.paths.table(name))).create_view(name)
        customer = find_customer(connection, asked)
    if customer is not None:
        return _read_person(store, workspace, customer)
    kind, _, value = _parted(asked)
    if tombstones.since(f"customer_id:{asked}"):
        return DataSubject(frozenset({asked}), frozenset())
    if tombstones.since(f"{kind}:{value}"):
        return DataSubject(frozenset(), frozenset({(kind, value)}))
    types = ", ".join(store.key_types())
    if kind and kind not in store.key_types() and "@" not in kind:
        raise unknown("type of identifier", kind, store.key_types())
    what = f"the {kind} given" if kind else "the customer id given"
    raise InputError(
        f"Nobody in '{workspace}' is known by {what}; give customer=ID with a customer id, or an identifier with its "
        f"type, customer=TYPE:VALUE, of the types {types}."
    )


def _parted(asked: str) -> tuple[str, str, str]:
    kind, colon, value = asked.partition(":")
    if not colon:
        return "", "", asked
    return kind, colon, value.strip().lower() if kind == "email" else value.strip()


def _read_person(store: Store, workspace: Path, customer: str) -> DataSubject:
    with duckdb.connect() as connection:
        connection.read_parquet(str(store.paths.crosswalk)).create_view("crosswalk")
        connection.read_parquet(str(store.paths.merges)).create_view("merges")
        connection.read_parquet(str(store.paths.contacts)).create_view("contacts")
        merged = connection.execute(
            "SELECT customer_id FROM merges WHERE merged_into = ?", [customer]
        ).fetchall()
        ids = frozenset({customer, *(row[0] for row in merged)})
        connection.register("ids", pa.table({"customer_id": sorted(ids)}))
        now = connection.execute("""SELECT DISTINCT source, source_key FROM crosswalk SEMI JOIN ids USING (customer_id)
                                    WHERE unlinked_at IS NULL""").fetchall()
        told = connection.execute(
            "SELECT DISTINCT field, value FROM contacts SEMI JOIN ids USING (customer_id)"
        )
        contacts: frozenset[tuple[str, str]] = frozenset(told.fetchall())
        elsewhere = connection.execute("""
            SELECT source, source_key FROM crosswalk SEMI JOIN ids USING (customer_id)
            WHERE LOWER(source_key) IN (SELECT LOWER(value) FROM contacts ANTI JOIN ids USING (customer_id))""")
        shared = frozenset(elsewhere.fetchall()) | _refused(workspace)
    keys = frozenset(now)
    person = DataSubject(ids, keys - shared, keys & shared, contacts)
    records = read_records(store)
    contacts |= field_values(records.filter(pa.array(led_by(records, person))))
    plain = frozenset(
        (name, value.strip().lower()) for name, value in contacts if name in (*TELLING, *NAMING)
    )
    return _alone(replace(person, contacts=plain), store)


def _refused(workspace: Path) -> frozenset[tuple[str, str]]:
    """Return the identifiers that several people were seen to use, as the build found them."""
    path = WorkspacePaths(workspace).identity_finding("shared")
    if not path.is_file():
        return frozenset()
    found = pq.read_table(path, columns=["source", "source_key"])
    return frozenset(zip(*(found[name].to_pylist() for name in ("source", "source_key")), strict=True))


def read_records(store: Store) -> pa.Table:
    """Return the person records a build compared, in their standard spelling; no row when it compared none."""
    path = store.paths.identity / "records.parquet"
    if not path.is_file():
        return pa.table({"key": pa.array([], pa.string())})
    with duckdb.connect() as connection:
        return connection.sql(f"FROM {standing(path)}").to_arrow_table()


def led_by(records: pa.Table, person: DataSubject) -> Bools:
    """Return which records are led by one of the person's identifiers, those that others use too included."""
    keys = person.keys | {f"{kind}:{value}" for kind, value in person.shared}
    return Traces(columns={"key": frozenset(map(str.lower, keys))}).rows(records)


def field_values(records: pa.Table) -> frozenset[tuple[str, str]]:
    """Return the (field, value) pairs of person records."""
    fields = [name for name in records.column_names if name in PATTERNS and name != "record_id"]
    return frozenset(
        (f, value) for f in fields for value in pc.unique(records[f]).to_pylist() if value is not None
    )


def contact_key(name: str, value: str) -> str:
    """Return the key under which a contact field's value, in lower case, is entombed."""
    return f"contact.{name}:{value}"


def _alone(person: DataSubject, store: Store) -> DataSubject:
    """Return the person with the contacts nobody else has, and the words that others' contacts or identifiers hold."""
    own = {value.lower() for _, value in person.own} | {customer.lower() for customer in person.ids}
    said = {value for _, value in person.contacts}
    candidates = Traces(frozenset((own | said) - {""}))
    told: set[str] = set()
    for name, column in (("contacts", "value"), ("attributes", "value"), ("crosswalk", "source_key")):
        table = pq.read_table(store.paths.table(name), columns=["customer_id", column])
        theirs = Traces(columns={"customer_id": frozenset(map(str.lower, person.ids))}).rows(table)
        rest = table.filter(pa.array(~theirs)).select([column])
        told |= set(rest.filter(pa.array(candidates.rows(rest)))[column].to_pylist())
    records = read_records(store)
    rest = records.filter(pa.array(~led_by(records, person)))
    told |= {value for _, value in field_values(rest.filter(pa.array(candidates.rows(rest))))}
    held = {
        word for word in candidates.words if any(Traces(frozenset({word})).in_text(text) for text in told)
    }
    alone = frozenset((name, value) for name, value in person.contacts if value not in held | {""})
    return replace(person, contacts=alone, common=frozenset(held & own))
