"""What is looked for where: a person's traces by file, and the search of a whole workspace for them."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from sintonia.core.config import SiloConfig, SourceConfig
from sintonia.core.engine import DIALECT
from sintonia.core.errors import ErasureError
from sintonia.core.paths import WorkspacePaths
from sintonia.core.pseudonyms import COLUMN, known_as
from sintonia.data.privacy.files import count_traces
from sintonia.data.privacy.person import NAMING, SHORTEST, TELLING, DataSubject
from sintonia.data.privacy.traces import Traces
from sintonia.data.sources.expressions import Expressions
from sintonia.data.sources.read import read_raw


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
    columns = {kind: kind for kind, _ in person.own}
    names = {name: name for name in NAMING}
    for silo in source.silos.values():
        columns |= {column: kind for kind, column in silo.identifiers.items()}
        names |= _columns_of(silo)
    words = {value.lower() for _, value in person.own} | {customer.lower() for customer in person.ids}
    words |= {value for name, value in person.contacts if name in TELLING}
    return Traces(
        words=frozenset(word for word in words if len(word) >= SHORTEST) - person.common,
        columns={**_valued(columns, person.own), **structural.columns},
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
    return Traces(traces.words, {**_valued(identifiers, person.own), **spelt}, names, referred)


def spellings(name: str, silo: SiloConfig, root: Path, person: DataSubject) -> dict[str, frozenset[str]]:
    """Return by column how a silo writes the person's identifiers where its mapping makes them of one: '@Anna' is anna.

    Of several columns none tells by itself whose a row is.
    """
    found: dict[str, frozenset[str]] = {}
    for kind, text in silo.identifiers.items():
        values = sorted(value for of, value in person.own if of == kind)
        columns = columns_in(text)
        if values and columns != {text} and len(columns) == 1:
            with duckdb.connect() as connection:
                raw = read_raw(connection, name, root, silo)
                expressions = Expressions(name, silo, raw.types)
                value = expressions.text(expressions.parse(text)).sql(DIALECT)
                connection.register("own", pa.table({"value": values}))
                (column,) = columns
                cells = connection.execute(
                    f"""SELECT DISTINCT CAST("{column}" AS VARCHAR) FROM {raw.view}
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


def _valued(columns: Mapping[str, str], told: frozenset[tuple[str, str]]) -> dict[str, frozenset[str]]:
    """Return by column, in lower case, the values told of what it holds."""
    found: dict[str, set[str]] = {}
    for column, kind in columns.items():
        found.setdefault(column.lower(), set()).update(v.lower() for k, v in told if k == kind)
    return {column: frozenset(values) for column, values in found.items() if values}
