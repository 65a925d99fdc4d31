"""Customers of a store, read once into memory, with the features of several models computed once."""

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
    """The plan of all features, at one date, that several catalogues read."""

    as_of: datetime
    plan: Plan
    catalogues: tuple[Sequence[Feature], ...]


@dataclass(frozen=True)
class InMemoryStore(Store):
    """A store of a few customers in memory: one bucket, and tables of features that are computed already."""

    tables: Mapping[str, pa.Table] = field(default_factory=dict)
    computed: tuple[tuple[SharedFeatures, pa.Table], ...] = ()

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
        """Return a table that has a catalogue's features at a date, and maybe others; None if none is computed."""
        for shared, table in self.computed:
            if shared.as_of == as_of and any(catalogue is known for known in shared.catalogues):
                return table
        return None


def load_customers(
    store: Store, customers: Collection[str], shared: Sequence[SharedFeatures], columns: Iterable[str]
) -> InMemoryStore:
    """Return these customers of a store with their features; interactions have these columns, keys included."""
    columns_read = dict.fromkeys([*(name for group in shared for name in group.plan.reads), *columns])
    other_tables = list(dict.fromkeys(name for group in shared for name in group.plan.others))
    features: list[list[pa.Table]] = [[] for _ in shared]
    loaded = []
    for path in store.holding(customers):
        # Bucket by bucket: the rows of one are in order, those of several are not.
        interactions = store.read_customers(path, customers, columns_read)
        others = {name: store.read_beside(name, path, customers) for name in other_tables}
        for group, parts in zip(shared, features, strict=True):
            needed = {name: others[name] for name in group.plan.others}
            history = History(interactions, **needed) if needed else interactions
            parts.append(compute_features(history, [group.as_of], group.plan))
        loaded.append((interactions.select(list(columns)), *others.values()))
    tables = {
        name: pa.concat_tables(parts).unify_dictionaries()
        for name, parts in zip((INTERACTIONS, *other_tables), zip(*loaded, strict=True), strict=True)
    }
    computed = tuple(
        (group, pa.concat_tables(parts).combine_chunks())
        for group, parts in zip(shared, features, strict=True)
    )
    attributes = {own.name: getattr(store, own.name) for own in fields(Store)}
    return InMemoryStore(**attributes, tables=tables, computed=computed)
