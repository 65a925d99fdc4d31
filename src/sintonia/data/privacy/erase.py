"""A person taken out of the workspace's files, one by one, and looked for in all of them afterwards."""

import shutil
import sqlite3
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from sintonia.core.config import SourceConfig
from sintonia.core.errors import InputError
from sintonia.core.paths import IDENTITY, REJECTED, REVIEW, STORE, WorkspacePaths, scratch_database
from sintonia.data.identity.files import hard_link
from sintonia.data.privacy.files import compact, copy_parquet, count_traces, remove_rows
from sintonia.data.privacy.identity_files import IdentityTraces, read_decided, without
from sintonia.data.privacy.person import DataSubject
from sintonia.data.privacy.search import TraceSearch, files_of, structure
from sintonia.data.privacy.tombstones import ERASED, entomb
from sintonia.data.privacy.traces import Traces
from sintonia.data.sources.locate import locate_root
from sintonia.data.sources.report import SiloReport
from sintonia.data.store import Store
from sintonia.data.store.write import rewrite_store

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
