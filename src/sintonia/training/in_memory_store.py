"""Some customers of a store in memory: read once, with the features that several models share computed once."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from sintonia.data.store import Store
from sintonia.features import Feature, History, Plan, compute_features

INTERACTIONS = "interactions"


@dataclass(frozen=True)
class SharedFeatures:
    """Features computed together at one date for the catalogues of several models."""

    as_of: datetime
    plan: Plan
    catalogues: tuple[Sequence[Feature], ...]


@dataclass(frozen=True)
class InMemoryStore(Store):
    """A store of some customers in memory: one bucket, and tables of features computed in advance."""

    tables: Mapping[str, pa.Table] = field(default_factory=dict)
    ready: tuple[tuple[SharedFeatures, pa.Table], ...] = ()

    @property
    def buckets(self) -> list[Path]:
        """The only bucket; it has no file."""
        return [Path(INTERACTIONS)]

    def read_bucket(
        self, path: Path, customers: Collection[str] | None = None, columns: Iterable[str] | None = None
    ) -> pa.Table:
        """Return the interactions in memory, with these columns."""
        table = self.tables[INTERACTIONS]
        return table if columns is None else table.select(list(columns))

    def read_beside(self, name: str, path: Path, customers: Collection[str] | None = None) -> pa.Table:
        """Return the rows of `attributes` or `links` in memory."""
        return self.tables[name]

    def features_of(self, catalogue: Sequence[Feature], as_of: datetime) -> pa.Table | None:
        """Return a table with a catalogue's features at a date, possibly among others; None without one."""
        for shared, table in self.ready:
            if shared.as_of == as_of and any(
                catalogue is shared_catalogue for shared_catalogue in shared.catalogues
            ):
                return table
        return None


def load_customers(
    store: Store, customers: Collection[str], shared: Sequence[SharedFeatures], columns: Iterable[str]
) -> InMemoryStore:
    """Return these customers of the store with their features computed; interactions have `columns`, keys included."""
    columns_read = dict.fromkeys([*(name for request in shared for name in request.plan.reads), *columns])
    paths = store.holding(customers)
    other_tables = list(dict.fromkeys(name for request in shared for name in request.plan.others))
    parts: list[list[pa.Table]] = [[] for _ in shared]
    tables_read = []
    for path in paths:
        # One bucket after the other: its rows lie in order, those of several do not.
        interactions = store.read_customers(path, customers, columns_read)
        bucket_tables = {name: store.read_beside(name, path, customers) for name in other_tables}
        for request, part in zip(shared, parts, strict=True):
            tables_needed = {name: bucket_tables[name] for name in request.plan.others}
            history = History(interactions, **tables_needed) if tables_needed else interactions
            part.append(compute_features(history, [request.as_of], request.plan))
        tables_read.append((interactions.select(list(columns)), *bucket_tables.values()))
    names = (INTERACTIONS, *other_tables)
    tables = {
        name: pa.concat_tables(pieces).unify_dictionaries()
        for name, pieces in zip(names, zip(*tables_read, strict=True), strict=True)
    }
    ready = tuple(
        (request, pa.concat_tables(part).combine_chunks())
        for request, part in zip(shared, parts, strict=True)
    )
    own = {request.name: getattr(store, request.name) for request in fields(Store)}
    return InMemoryStore(**own, tables=tables, ready=ready)
