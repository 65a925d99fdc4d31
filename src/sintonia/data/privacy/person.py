"""Who is to be forgotten: all ids and identifiers, which of them are that person's alone, and the search for them."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sintonia.core.arrays import Bools
from sintonia.core.config import SiloConfig, SourceConfig
from sintonia.core.engine import DIALECT
from sintonia.core.errors import ErasureError, InputError, unknown
from sintonia.core.paths import WorkspacePaths
from sintonia.core.pseudonyms import COLUMN, known_as
from sintonia.core.schema import CONTACTS, CROSSWALK, MERGES
from sintonia.data.identity.explanation import find_customer
from sintonia.data.identity.previous_build import standing
from sintonia.data.identity.standardise import PATTERNS
from sintonia.data.privacy.tombstones import Tombstones
from sintonia.data.privacy.traces import Traces, count_traces
from sintonia.data.sources.identifiers import earlier_spelling, identifier, written_forms
from sintonia.data.sources.mapping import Expressions
from sintonia.data.sources.silos import read_raw
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
    for form in written_forms(kind, value) if kind else ():
        if tombstones.since(f"{kind}:{form}"):
            return DataSubject(frozenset(), frozenset({(kind, form)}))
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
    return kind, colon, identifier(kind, value) or earlier_spelling(kind, value)


def _read_person(store: Store, workspace: Path, customer: str) -> DataSubject:
    with duckdb.connect() as connection:
        connection.read_parquet(str(store.paths.crosswalk)).create_view(CROSSWALK.name)
        connection.read_parquet(str(store.paths.merges)).create_view(MERGES.name)
        connection.read_parquet(str(store.paths.contacts)).create_view(CONTACTS.name)
        merged = connection.execute(
            f"SELECT customer_id FROM {MERGES} WHERE merged_into = ?", [customer]
        ).fetchall()
        ids = frozenset({customer, *(row[0] for row in merged)})
        connection.register("ids", pa.table({"customer_id": sorted(ids)}))
        now = connection.execute(f"""
            SELECT DISTINCT source, source_key FROM {CROSSWALK} SEMI JOIN ids USING (customer_id)
            WHERE unlinked_at IS NULL""").fetchall()
        stated = connection.execute(
            f"SELECT DISTINCT field, value FROM {CONTACTS} SEMI JOIN ids USING (customer_id)"
        )
        contacts: frozenset[tuple[str, str]] = frozenset(stated.fetchall())
        used_elsewhere = connection.execute(f"""
            SELECT source, source_key FROM {CROSSWALK} SEMI JOIN ids USING (customer_id)
            WHERE LOWER(source_key) IN (SELECT LOWER(value) FROM {CONTACTS} ANTI JOIN ids USING (customer_id))""")
        shared = frozenset(used_elsewhere.fetchall()) | _refused(workspace)
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


@dataclass(frozen=True)
class TraceSearch:
    """What is looked for in which file: `by_file` where rows are known by columns of their own, else `everywhere`."""

    workspace: Path
    everywhere: Traces
    by_file: Mapping[Path, Traces] = field(default_factory=dict)

    def of(self, path: Path) -> Traces:
        """Return what to look for in a file."""
        return self.by_file.get(path.resolve(), self.everywhere)


def plan_search(workspace: Path, source: SourceConfig, person: DataSubject) -> TraceSearch:
    """Return what to look for in the workspace's files once the person is gone."""
    everywhere = traces_of(person, source, structure(person, workspace))
    root = Path(source.root).expanduser() if source.root else None
    by_file: dict[Path, Traces] = {}
    for name, silo in source.silos.items():
        patterns = [silo.path, *(join.path for join in silo.join.values())]
        paths = [path.resolve() for pattern in patterns for path in (root.glob(pattern) if root else ())]
        inside = root if any(path.is_relative_to(workspace.resolve()) for path in paths) else None
        own = in_silo(everywhere, person, silo, spellings(name, silo, inside, person) if inside else {})
        # A rejected row is our copy: whatever of the person stands in it is enough.
        by_file[(WorkspacePaths(workspace).rejected_rows(name)).resolve()] = replace(own, unless=frozenset())
        for path in paths:
            by_file[path] = _either_trace(by_file[path], own) if path in by_file else own
    return TraceSearch(workspace, everywhere, by_file)


def _either_trace(one: Traces, other: Traces) -> Traces:
    """Return what to look for in a file that two silos read."""
    columns, names = ({**getattr(one, part), **getattr(other, part)} for part in ("columns", "names"))
    return Traces(one.words, columns, names, one.unless | other.unless)


def search_workspace(search: TraceSearch) -> int:
    """Return how many files were decoded and searched, none of which holds a trace of the person.

    Raises
    ------
    ErasureError
        When some do; the message names them and no value.
    """
    files = list(files_of(search.workspace))
    found = [path for path in files if count_traces(path, search.of(path))]
    if found:
        named = ", ".join(str(path.relative_to(search.workspace)) for path in found[:20])
        more = f" and {len(found) - 20} more" if len(found) > 20 else ""
        raise ErasureError(
            f"{len(found)} of {len(files)} files in '{search.workspace}' still tell of this customer: {named}{more}; "
            "remove what they say, or the files, by hand. All else is done, and the tombstone stands."
        )
    return len(files)


def files_of(workspace: Path) -> Iterator[Path]:
    """Yield the workspace's own files, sorted; a link is not one: it leads to another of them or outside."""
    for folder, folders, names in os.walk(workspace):
        folders.sort()
        for path in (Path(folder, name) for name in sorted(names)):
            if path.is_file() and not path.is_symlink():
                yield path


def structure(person: DataSubject, workspace: Path) -> Traces:
    """Return the columns of our own tables that say whose a row is, and the person's values in them."""
    ids, keys = frozenset(map(str.lower, person.ids)), frozenset(map(str.lower, person.keys))
    columns = {"customer_id": ids, "merged_into": ids, "key": keys, "left": keys, "right": keys}
    columns[COLUMN] = known_as(workspace, person.ids)
    truth = WorkspacePaths(workspace).true_records
    if truth.is_file():
        known = pq.read_table(truth)
        persons = known.filter(pa.array(Traces(columns={"key": keys}).rows(known)))["person_id"]
        columns["person_id"] = frozenset(str(name).lower() for name in persons.to_pylist())
    return Traces(columns=columns)


def traces_of(person: DataSubject, source: SourceConfig, structural: Traces) -> Traces:
    """Return what the person leaves anywhere in the workspace.

    Beside the columns of our own tables, columns named like a type of identifier, a contact field, or a silo's own
    column of one (a list's) are looked into.
    """
    own = _written(person.own)
    columns = {kind: kind for kind, _ in person.own}
    names = {name: name for name in NAMING}
    for silo in source.silos.values():
        columns |= {column: kind for kind, column in silo.identifiers.items()}
        names |= _columns_of(silo)
    words = {value.lower() for _, value in own} | {customer.lower() for customer in person.ids}
    words |= {value for name, value in person.contacts if name in TELLING}
    return Traces(
        words=frozenset(word for word in words if len(word) >= SHORTEST) - person.common,
        columns={**_valued(columns, own), **structural.columns},
        names=_valued(names, person.contacts),
    )


def in_silo(
    traces: Traces, person: DataSubject, silo: SiloConfig, spelt: Mapping[str, frozenset[str]]
) -> Traces:
    """Return what the person leaves in a raw silo, whose columns have meanings of their own; `spelt` as `spellings`.

    A name makes a row theirs only where no identifier says whose it is: it may be of somebody no build has read yet.
    """
    identifiers = {column: kind for kind, column in silo.identifiers.items()}
    referred = frozenset(name.lower() for text in silo.identifiers.values() for name in columns_in(text))
    names = _valued(_columns_of(silo), person.contacts)
    return Traces(traces.words, {**_valued(identifiers, _written(person.own)), **spelt}, names, referred)


def spellings(name: str, silo: SiloConfig, root: Path, person: DataSubject) -> dict[str, frozenset[str]]:
    """Return by column how a silo writes the person's identifiers where its mapping makes them of one: '@Anna' is anna.

    Of several columns none tells by itself whose a row is.
    """
    found: dict[str, frozenset[str]] = {}
    for kind, text in silo.identifiers.items():
        values = sorted(value for of, value in _written(person.own) if of == kind)
        columns = columns_in(text)
        if values and columns != {text} and len(columns) == 1:
            with duckdb.connect() as connection:
                raw = read_raw(connection, name, root, silo, careful=silo.format == "csv")
                expressions = Expressions(name, silo, raw.types, raw.names)
                value = expressions.text(expressions.parse(text)).sql(DIALECT)
                connection.register("own", pa.table({"value": values}))
                (column,) = columns
                cells = connection.execute(
                    f"""SELECT DISTINCT CAST({expressions.parse(column).sql(DIALECT)} AS VARCHAR) FROM {raw.view}
                        SEMI JOIN own ON own.value = IF('{kind}' = 'email', LOWER({value}), {value})"""
                ).fetchall()
            found[column.lower()] = frozenset(cell.strip().lower() for (cell,) in cells)
    return found


def columns_in(expression: str) -> frozenset[str]:
    """Return the columns a mapping's expression refers to, or that it is the name of.

    Examples
    --------
    >>> sorted(columns_in("lower(ltrim(handle, '@'))")), sorted(columns_in("Codice cliente"))
    (['handle'], ['Codice cliente'])
    """
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    try:
        parsed = sqlglot.parse_one(expression, dialect=DIALECT)
    except SqlglotError:
        return frozenset({expression})
    # Two words are read as a column and its alias: `Codice cliente` is a name.
    if isinstance(parsed, exp.Alias):
        return frozenset({expression})
    return frozenset(column.name for column in parsed.find_all(exp.Column))


def _columns_of(silo: SiloConfig) -> dict[str, str]:
    """Return the silo's columns that hold a contact field by which people are named, with the field."""
    return {
        column: name
        for name, expression in silo.contacts.items()
        if name in NAMING
        for column in columns_in(expression) - set(silo.identifiers.values())
    }


def _written(own: frozenset[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    """Return the identifiers in every form that files may write them in."""
    return frozenset((kind, form) for kind, value in own for form in written_forms(kind, value))


def _valued(columns: Mapping[str, str], told: frozenset[tuple[str, str]]) -> dict[str, frozenset[str]]:
    """Return by column, in lower case, the values told of what it holds."""
    found: dict[str, set[str]] = {}
    for column, kind in columns.items():
        found.setdefault(column.lower(), set()).update(v.lower() for k, v in told if k == kind)
    return {column: frozenset(values) for column, values in found.items() if values}
