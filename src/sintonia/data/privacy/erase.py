"""A person taken out of the files of the workspace, one by one, among them those of earlier decisions on identities."""

import secrets
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sintonia.core.arrays import Bools
from sintonia.core.config import SourceConfig
from sintonia.core.errors import InputError
from sintonia.core.paths import IDENTITY, REJECTED, REVIEW, STORE, WorkspacePaths, scratch_database
from sintonia.data.identity.previous_build import NOBODY, hard_link, standing
from sintonia.data.privacy.person import DataSubject, TraceSearch, field_values, files_of, led_by, structure
from sintonia.data.privacy.tombstones import ERASED, entomb
from sintonia.data.privacy.traces import Traces, compact, copy_parquet, count_traces, remove_rows
from sintonia.data.sources.silos import SiloReport, locate_root
from sintonia.data.store import Store
from sintonia.data.store.write import rewrite_store


@dataclass(frozen=True)
class IdentityTraces:
    """A person in the tables of the folder: identifiers, records, and the (field, value) pairs nobody else has.

    `roots` are the customers, by the number of their first identifier, about whom the next build decides without the
    person: whoever shared an identifier, or was kept from one.
    """

    person: DataSubject
    records: frozenset[str] = frozenset()
    values: frozenset[tuple[str, str]] = frozenset()
    roots: frozenset[int] = frozenset()


def read_decided(folder: Path, person: DataSubject) -> IdentityTraces:
    """Return the person's records, the values of fields that are in no other record, and who is decided anew."""
    path, roots = folder / "records.parquet", _roots(folder, person)
    if not path.is_file():
        return IdentityTraces(person, roots=roots)
    table = _read_active(path)
    theirs = led_by(table, person)
    mine, rest = table.filter(pa.array(theirs)), table.filter(pa.array(~theirs))
    said = field_values(mine)
    others = {
        (name, value)
        for name in {name for name, _ in said}
        for value in rest[name].filter(pc.is_in(rest[name], mine[name].combine_chunks())).to_pylist()
    }
    return IdentityTraces(
        person, frozenset(mine["record_id"].cast(pa.string()).to_pylist()), said - others, roots
    )


def _roots(folder: Path, person: DataSubject) -> frozenset[int]:
    if not (folder / "sightings.parquet").is_file():
        return frozenset()
    ties, nodes = (_read_active(folder / f"{name}.parquet") for name in ("ties", "nodes"))
    refused = ties.filter(pc.invert(ties["holds"]))
    apart = refused.filter(pa.array(_with(refused, _own_or_shared(person), "left", "right")))
    ends = {key.lower() for side in ("left", "right") for key in apart[side].to_pylist()}
    theirs = nodes.filter(pa.array(_with(nodes, frozenset(ends) | _own_or_shared(person), "key")))
    return frozenset(root for root in theirs["root"].to_pylist() if root != NOBODY)


def _with(table: pa.Table, keys: frozenset[str], *columns: str) -> Bools:
    return Traces(columns=dict.fromkeys(columns, keys)).rows(table)


def _own_or_shared(person: DataSubject) -> frozenset[str]:
    """Return the person's identifiers in lower case, shared ones too."""
    return frozenset(
        key.lower() for key in (*person.keys, *(f"{kind}:{value}" for kind, value in person.shared))
    )


def _records(table: pa.Table, decided: IdentityTraces) -> Bools:
    return led_by(table, decided.person)


def _pairs(table: pa.Table, decided: IdentityTraces) -> Bools:
    return Traces(columns={"left": decided.records, "right": decided.records}).rows(table)


def _frequencies(table: pa.Table, decided: IdentityTraces) -> Bools:
    found = np.zeros(table.num_rows, bool)
    for name, value in decided.values:
        same = pc.and_(pc.equal(table["field"], name), pc.equal(table["value"], value))
        found |= same.to_numpy(zero_copy_only=False)
    return found


def _ties(table: pa.Table, decided: IdentityTraces) -> Bools:
    """Return the ties of the person's identifiers, and those it kept others from: they are judged anew."""
    own = frozenset(map(str.lower, decided.person.keys))
    shared = frozenset(f"{kind}:{value}".lower() for kind, value in decided.person.shared)
    holds = np.asarray(table["holds"].to_numpy(), bool)
    refused = Traces(columns={"left": shared, "right": shared}).rows(table) & ~holds
    theirs = Traces(columns={"left": own, "right": own}).rows(table)
    found: Bools = theirs | refused
    return found


def _nodes(table: pa.Table, decided: IdentityTraces) -> Bools:
    return Traces(columns={"key": frozenset(map(str.lower, decided.person.keys))}).rows(table)


def _sightings(table: pa.Table, decided: IdentityTraces) -> Bools:
    """Return the person's sightings, and those of customers who are decided anew: the next build finds them new."""
    ids = frozenset(map(str.lower, decided.person.ids))
    found: Bools = np.isin(table["root"].to_numpy(), list(decided.roots))
    return found | _with(table, ids, "customer_id", "person_id")


def _log(table: pa.Table, decided: IdentityTraces) -> Bools:
    ids = frozenset(map(str.lower, decided.person.ids))
    return Traces(columns={"customer_id": ids, "other_customer_id": ids}).rows(table)


THEIRS: dict[str, Callable[[pa.Table, IdentityTraces], Bools]] = {
    "records": _records,
    "pairs": _pairs,
    "frequencies": _frequencies,
    "ties": _ties,
    "nodes": _nodes,
    "sightings": _sightings,
    "log": _log,
}
"""Which rows of which table are the person's; the other tables (weights, rules) tell of nobody."""


def without(path: Path, decided: IdentityTraces) -> tuple[pa.Table, int]:
    """Return a table of the folder without the person's rows, and how many these are."""
    table = _read_active(path)
    gone = THEIRS[path.stem](table, decided) if path.stem in THEIRS else np.zeros(table.num_rows, bool)
    kept = table.filter(pa.array(~gone))
    return _unnamed(kept, decided.person) if path.stem == "nodes" else kept, int(gone.sum())


def _read_active(path: Path) -> pa.Table:
    """Return a table of the folder as it stands, with what later builds added."""
    with duckdb.connect() as connection:
        return connection.sql(f"FROM {standing(path)}").to_arrow_table()


def _unnamed(nodes: pa.Table, person: DataSubject) -> pa.Table:
    """Return the identifiers left: those that others share belong to nobody, assign no id of the person's, and go
    behind all others.

    The first identifier of a customer assigns its id: an identifier that goes on for somebody else must not become
    the first of theirs, or their id would change.
    """
    shared = pa.array([f"{kind}:{value}" for kind, value in person.shared], pa.string())
    behind = pc.is_in(nodes["key"], shared)
    last = pc.max(nodes["node"]).as_py() or 0
    moved = nodes.filter(behind).sort_by("node")
    places = pa.array(range(last + 1, last + 1 + moved.num_rows), pa.int64())
    moved = moved.set_column(nodes.column_names.index("node"), "node", places)
    if "root" in nodes.column_names:
        nobody = pa.array([NOBODY] * moved.num_rows, pa.int64())
        moved = moved.set_column(nodes.column_names.index("root"), "root", nobody)
    stay = nodes.filter(pc.invert(behind)).sort_by("node")
    whole = pa.concat_tables([stay, moved], promote_options="default")
    theirs = pc.is_in(whole["confers"], pa.array(sorted(person.ids), pa.string()))
    fresh = pa.array(
        [f"C{secrets.token_hex(8).upper()}" for _ in range(pc.sum(theirs).as_py() or 0)], pa.string()
    )
    ids = pc.replace_with_mask(whole["confers"].combine_chunks(), theirs.combine_chunks(), fresh)
    return whole.set_column(whole.column_names.index("confers"), "confers", ids)


PAGES = (IDENTITY, REVIEW)
"""Folders of the workspace whose pages and documents a verb writes anew: one that names the person goes whole."""


@dataclass(frozen=True)
class Erased:
    """Rows removed by file (a page counts as one), the tombstones' file, the store now, and what lies outside."""

    removed: Mapping[str, int]
    tombstones: Path
    store: Store
    outside: tuple[Path, ...]


def erase(
    connection: duckdb.DuckDBPyConnection,
    store: Store,
    source: SourceConfig,
    person: DataSubject,
    search: TraceSearch,
) -> Erased:
    """Return what was removed of a person from the workspace, whose tombstone now stands and stays.

    The tombstone comes first and the store last: an erasure that was killed can be begun again with the same id.
    """
    workspace = search.workspace
    tombstones = entomb(workspace, person.entombed)
    removed: dict[str, int] = {}
    reasons: dict[str, Counter[str]] = {}
    for path in files_of(workspace):
        name = path.relative_to(workspace)
        if name.parts[0] == STORE:
            continue
        if name.parts[0] == REJECTED and path.suffix == ".parquet":
            reasons[path.stem] = _blank(path, search.of(path))
            removed[str(name)] = reasons[path.stem].total()
        else:
            removed[str(name)] = _clean(path, search.of(path), name.parts[0] in PAGES)
    silos = tuple(_with_erased(silo, reasons.get(silo.name, Counter())) for silo in store.silos)
    decided = read_decided(store.paths.identity, person)
    structural = structure(person, workspace)

    def copy(path: Path, target: Path) -> None:
        removed[f"{STORE}/{path.relative_to(store.folder)}"] = _copy(path, target, structural, decided)

    now = rewrite_store(connection, workspace, replace(store, silos=silos), copy)
    some = {name: rows for name, rows in removed.items() if rows}
    return Erased(some, tombstones, now, _outside(workspace, source))


def sweep(workspace: Path) -> None:
    """Remove what killed runs left behind: scratch databases, what a list's scoring had finished, files half written.

    Raises
    ------
    InputError
        When a scratch database is in use: a run that is at work would bring back who is being forgotten.
    """
    paths = WorkspacePaths(workspace)
    for scratch in paths.scratch_folders():
        if _in_use(scratch_database(scratch)):
            raise InputError(f"A run is at work in '{workspace}'; forget when it has ended.")
        shutil.rmtree(scratch, ignore_errors=True)
    for checkpoint in paths.checkpoints():
        shutil.rmtree(checkpoint, ignore_errors=True)
    for part in workspace.rglob(".*.part"):
        part.unlink(missing_ok=True)


def _in_use(database: Path) -> bool:
    if not database.is_file():
        return False
    try:
        duckdb.connect(str(database)).close()
    except duckdb.Error as error:  # a lock, or a file that a killed run left broken
        return "lock" in str(error).lower()
    return False


def _clean(path: Path, traces: Traces, page: bool) -> int:
    """Return how many rows were removed from a file, or 1 for a page that went whole."""
    removed = remove_rows(path, traces)
    if removed is not None or not count_traces(path, traces):
        return removed or 0
    if page:
        path.unlink()
        return 1
    # A database in use elsewhere, or no database at all: what is left will be found in the end.
    with suppress(sqlite3.Error):
        compact(path)
    return 0


def _blank(path: Path, traces: Traces) -> Counter[str]:
    """Return the reasons of the rejected rows that were the person's; they stay, as 'erased', without their text."""
    table = pq.read_table(path)
    gone = traces.rows(table)
    if not gone.any():
        return Counter()
    before, raw = table["reason"].to_pylist(), table["raw"].to_pylist()
    reasons = [ERASED if mark else reason for reason, mark in zip(before, gone, strict=True)]
    texts = [None if mark else text for text, mark in zip(raw, gone, strict=True)]
    for name, values in (("reason", reasons), ("raw", texts)):
        table = table.set_column(table.column_names.index(name), name, pa.array(values, pa.string()))
    part = path.with_name(f".{path.name}.part")
    pq.write_table(table, part)
    part.replace(path)
    return Counter(reason for reason, mark in zip(before, gone, strict=True) if mark)


def _with_erased(silo: SiloReport, moved: Counter[str]) -> SiloReport:
    """Return the report of a build with rejected rows counted under the reason they have now."""
    if not moved:
        return silo
    reasons = Counter(silo.reasons) - moved + Counter({ERASED: moved.total()})
    return replace(silo, reasons=dict(reasons.most_common()))


def _copy(path: Path, target: Path, structural: Traces, decided: IdentityTraces) -> int:
    """Return how many rows of a file of the store were the person's; the target has the others."""
    if path.suffix != ".parquet":
        return hard_link(path, target)
    if path.parent.name != IDENTITY:
        return copy_parquet(path, target, structural)
    if "." in path.stem:  # a later build's rows of a table that is written whole now
        return 0
    table, removed = without(path, decided)
    pq.write_table(table, target, compression="zstd")
    return removed


def _outside(workspace: Path, source: SourceConfig) -> tuple[Path, ...]:
    """Return where the source's files are when that is outside the workspace: they are the brand's, and left alone."""
    links = [path for path in workspace.rglob("*") if path.is_symlink()]
    places = {path.resolve() for path in links}
    with suppress(InputError):
        places.add(locate_root(source).resolve())
    return tuple(sorted(place for place in places if not place.is_relative_to(workspace.resolve())))
