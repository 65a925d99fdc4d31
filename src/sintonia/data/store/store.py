"""Reading the store: the current version's tables, bucket by bucket."""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sintonia.core.errors import NotBuiltError, NotEnoughDataError
from sintonia.core.formats import STORE_FORMAT, check_format, workspace_format
from sintonia.core.paths import StorePaths, WorkspacePaths
from sintonia.core.schema import INTERACTIONS, KINDS
from sintonia.data.sources.silos import SiloReport

CODED = ("customer_id", "channel", "kind", "item_id", "category", "action_id", "source")
"""Columns of texts that come again and again: as numbers of a dictionary they are read without spelling each out."""


KNOWN_UNTIL = "known_until"


@dataclass(frozen=True)
class Store:
    """One whole version of the store.

    `fingerprint` is a hash of the stored bytes: equal data, equal fingerprint. `kinds_from` is when each kind
    of interaction starts, `currency` that of all amounts.
    """

    folder: Path
    source: str
    fingerprint: str
    kinds_from: Mapping[str, datetime]
    customers: int
    interactions: int
    silos: tuple[SiloReport, ...]
    currency: str = "EUR"

    @property
    def paths(self) -> StorePaths:
        """The files of this version."""
        return StorePaths(self.folder)

    @property
    def workspace(self) -> WorkspacePaths:
        """The workspace whose store this is."""
        return WorkspacePaths(self.folder.parents[1])

    @property
    def features(self) -> Path:
        """The folder of the features computed from the workspace's stores."""
        return self.workspace.features

    @property
    def rounds(self) -> Path:
        """The folder of the rounds of decisions that were planned in the workspace."""
        return self.workspace.rounds

    @property
    def buckets(self) -> list[Path]:
        """The bucket files, in order; each holds whole customers."""
        return sorted(self.folder.glob("interactions/bucket-*.parquet"))

    def read_bucket(
        self, path: Path, customers: Collection[str] | None = None, columns: Iterable[str] | None = None
    ) -> pa.Table:
        """Return a bucket's interactions in their total order.

        Of these customers only, and with these columns only (`customer_id` among them) when they are given:
        a column that is not read costs neither time nor memory.
        """
        return _read(path, customers, None if columns is None else list(columns))

    def read_customers(self, path: Path, customers: Collection[str], columns: Iterable[str]) -> pa.Table:
        """Return what `read_bucket` does of these customers, texts that come again as numbers of a dictionary."""
        return _read_coded(path, customers, list(columns))

    def holding(self, customers: Collection[str]) -> list[Path]:
        """Return the bucket files that can hold some of the customers (today's), in order."""
        buckets, numbers = self.buckets, set[int]()
        for customer in customers:
            if len(numbers) == len(buckets):
                break
            numbers.add(bucket_of(customer, len(buckets)))
        return [buckets[number] for number in sorted(numbers)]

    def read_beside(self, name: str, path: Path, customers: Collection[str] | None = None) -> pa.Table:
        """Return the rows of `attributes` or `links` of the customers of a bucket file of interactions.

        Of these customers only when they are given.
        """
        return _read(self.folder / name / path.name, customers)

    def read_crosswalk(self, source: str) -> pa.Table:
        """Return which identifier of one type belongs to whom now: one row per source_key."""
        now = (pc.field("source") == source) & pc.field("unlinked_at").is_null()
        columns = ["source_key", "customer_id"]
        return pq.read_table(self.paths.crosswalk, columns=columns, filters=now)

    def read_merges(self) -> pa.Table:
        """Return which customer became part of which, and when: `customer_id`, `merged_into`, `merged_at`."""
        return pq.read_table(self.paths.merges)

    def customer_ids(self) -> set[str]:
        """Return the ids of today's customers."""
        now = pc.field("unlinked_at").is_null()
        path = self.paths.crosswalk
        return set(
            pc.unique(pq.read_table(path, columns=["customer_id"], filters=now)["customer_id"]).to_pylist()
        )

    def key_types(self) -> list[str]:
        """Return the types of identifiers the crosswalk knows."""
        sources = pq.read_table(self.paths.crosswalk, columns=["source"])["source"]
        return sorted(pc.unique(sources).to_pylist())

    def data_from(self, kinds: Iterable[str]) -> datetime:
        """Return when the history of these kinds starts.

        Raises
        ------
        NotEnoughDataError
            When there is none.
        """
        starts = [self.kinds_from[kind] for kind in kinds if kind in self.kinds_from]
        if not starts:
            raise self._nothing_of(kinds)
        return min(starts)

    def data_until(self, kinds: Iterable[str]) -> datetime:
        """Return until when every silo with interactions of these kinds is complete: the earliest of their ends.

        Raises
        ------
        NotEnoughDataError
            When no silo has any.
        """
        kinds = set(kinds)
        ends = [
            silo.data_until for silo in self.silos if silo.data_until is not None and kinds & set(silo.kinds)
        ]
        if not ends:
            raise self._nothing_of(kinds)
        return min(ends)

    def data_end(self) -> datetime:
        """Return when the newest row of any silo happened, or until when the last of them is complete.

        Raises
        ------
        NotEnoughDataError
            When no silo has any.
        """
        ends = [silo.data_until for silo in self.silos if silo.data_until is not None]
        if not ends:
            raise self._nothing_of(KINDS)
        return max(ends)

    def _nothing_of(self, kinds: Iterable[str]) -> NotEnoughDataError:
        listed = ", ".join(sorted(kinds))
        return NotEnoughDataError(
            f"The store of '{self.source}' holds no interaction of kind {listed}; check the mapping of its silos."
        )


def open_store(workspace: Path) -> Store:
    """Return the workspace's current store, of this format or an older one.

    Raises
    ------
    NotBuiltError
        When nothing was built there yet.
    UnsupportedFormatError
        When a newer version of sintonia wrote the store or the workspace.
    """
    workspace_format(workspace)
    paths = WorkspacePaths(workspace)
    if not paths.store_pointer.is_file():
        raise NotBuiltError(f"No store in '{workspace}'; run `sintonia build workspace={workspace}` first.")
    return _store(workspace, _read_metadata(workspace))


def check_version(workspace: Path, metadata: Mapping[str, Any]) -> None:
    """Open and read a version of the store as `open_store` will, before it is made the current one.

    What cannot be read again raises here, where the store of before is still the current one.
    """
    store = _store(workspace, json.loads(_document(metadata)))
    for path in sorted(store.folder.rglob("*.parquet")):
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=1):
                batch.to_pylist()
                break


def _store(workspace: Path, metadata: Mapping[str, Any]) -> Store:
    paths = WorkspacePaths(workspace)
    silos = tuple(_silo(silo) for silo in metadata["silos"])
    return Store(
        folder=paths.store_version(metadata["version"]).folder,
        source=metadata["source"],
        fingerprint=metadata["fingerprint"],
        kinds_from={kind: datetime.fromisoformat(first) for kind, first in metadata["kinds_from"].items()},
        customers=metadata["customers"],
        interactions=metadata["interactions"],
        silos=silos,
        currency=metadata.get("currency", "EUR"),  # stores of earlier versions name none
    )


def _read_metadata(workspace: Path) -> dict[str, Any]:
    """Return what `store/current.json` holds, its format checked; 1 where it has none."""
    pointer = WorkspacePaths(workspace).store_pointer
    metadata: dict[str, Any] = json.loads(pointer.read_text(encoding="utf-8"))
    number = check_format(f"The store in '{workspace}'", metadata.get("format", 1), STORE_FORMAT)
    return {**metadata, "format": number}


def write_metadata(workspace: Path, metadata: Mapping[str, Any]) -> None:
    """Make the store's version that the metadata names the current one, in one step for the file system."""
    pointer = WorkspacePaths(workspace).store_pointer
    part = pointer.with_name(f".{metadata['version']}.json")
    part.write_text(_document(metadata), encoding="utf-8")
    part.replace(pointer)


def _document(metadata: Mapping[str, Any]) -> str:
    return json.dumps({**metadata, "format": STORE_FORMAT}, indent=1, default=str)


def upgrade_store(workspace: Path) -> int | None:
    """Return which format the workspace's store had before it was upgraded to the newest; None without a store.

    Raises
    ------
    UnsupportedFormatError
        When a newer version of sintonia wrote it.
    """
    if not WorkspacePaths(workspace).store_pointer.is_file():
        return None
    metadata = _read_metadata(workspace)
    before: int = metadata["format"]
    if before != STORE_FORMAT:
        write_metadata(workspace, metadata)
    return before


def identity_folder(workspace: Path, source: str) -> Path | None:
    """Return where the current store keeps what was decided about identities; None without a store of the source."""
    if not WorkspacePaths(workspace).store_pointer.is_file():
        return None
    store = open_store(workspace)
    return store.paths.identity if store.source == source else None


def fingerprint(paths: Sequence[Path]) -> str:
    """Return a short hash of the files' bytes, in the order given."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


def bucket_of(customer: str, buckets: int) -> int:
    """Return a customer's bucket: the first 32 bits of the MD5 of the id, modulo the number of buckets.

    Examples
    --------
    >>> bucket_of("C0001", 16)
    4
    """
    return int(hashlib.md5(customer.encode(), usedforsecurity=False).hexdigest()[:8], 16) % buckets


def _read(path: Path, customers: Collection[str] | None, columns: list[str] | None = None) -> pa.Table:
    """Return a bucket file's rows, of these customers only when they are given.

    Files lie in the order of the ids: a part of a large one is found by its first and last.
    """
    if not customers:
        table = pq.read_table(path, columns=columns).slice(0, None if customers is None else 0)
        return with_known_until(table, path, columns)
    ids = pa.array(sorted(customers), pa.string())
    customer_id = pc.field("customer_id")
    within = (customer_id >= ids[0]) & (customer_id <= ids[-1])
    stored = columns
    if columns is not None and KNOWN_UNTIL in columns:
        names = pq.read_schema(path).names  # with a filter, Arrow refuses columns that are not there
        stored = [name for name in columns if name in names or name != KNOWN_UNTIL]
    table = with_known_until(pq.read_table(path, columns=stored, filters=within), path, columns)
    return table.filter(pc.is_in(table["customer_id"].cast(pa.string()), ids))


def with_known_until(table: pa.Table, path: Path, columns: list[str] | None = None) -> pa.Table:
    """Return rows of a bucket with the column `known_until`, null where a store of an older format has none."""
    wanted = path.parent.name == INTERACTIONS.name and (columns is None or KNOWN_UNTIL in columns)
    if not wanted or KNOWN_UNTIL in table.column_names:
        return table
    nulls = pa.nulls(len(table), pa.timestamp("us"))
    return table.append_column(KNOWN_UNTIL, nulls).select(columns or INTERACTIONS.names)


def _read_coded(path: Path, customers: Collection[str], columns: list[str]) -> pa.Table:
    """Return the rows of customers, found by the numbers of their ids; whoever wants all of a file gets it as read."""
    coded = [name for name in CODED if name in columns]
    with pq.ParquetFile(path, read_dictionary=coded) as file:
        table = file.read_row_groups(_groups(file.metadata, min(customers), max(customers)), columns)
    table = with_known_until(table.unify_dictionaries(), path, columns)
    if not table.num_rows:
        return table
    ids = table["customer_id"].combine_chunks()
    requested = pc.is_in(ids.dictionary, pa.array(customers, pa.string()))
    if not pc.all(requested).as_py():
        table = table.filter(requested.take(ids.indices))
    return table


def _groups(metadata: pq.FileMetaData, first: str, last: str) -> list[int]:
    """Return the row groups that may have customers from the first to the last, in their order."""
    column = metadata.schema.names.index("customer_id")
    groups = []
    for group in range(metadata.num_row_groups):
        statistics = metadata.row_group(group).column(column).statistics
        if (
            statistics is None
            or not statistics.has_min_max
            or (statistics.min <= last and statistics.max >= first)
        ):
            groups.append(group)
    return groups


def _silo(document: dict[str, Any]) -> SiloReport:
    until = document["data_until"]
    return SiloReport(
        **{
            **document,
            "data_until": datetime.fromisoformat(until) if until else None,
            "kinds": tuple(document["kinds"]),
            "reading": tuple(document.get("reading", ())),
            "warnings": tuple(document.get("warnings", ())),
        }
    )
