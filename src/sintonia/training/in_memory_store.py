"""Some customers of a store, read once, with the features that several models ask for computed once."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from sintonia.data.store import Store
from sintonia.features import Feature, History, Plan, compute_features

INTERACTIONS = "interactions"


@dataclass(frozen=True)
class Shared:
    """Features at a date that the catalogues of some models, as they are computed, all are part of."""

    as_of: datetime
    plan: Plan
    catalogues: tuple[Sequence[Feature], ...]


@dataclass(frozen=True)
class Held(Store):
    """A store of some customers that lies in memory: one bucket, and tables of features that are ready."""

    tables: Mapping[str, pa.Table] = field(default_factory=dict)
    ready: tuple[tuple[Shared, pa.Table], ...] = ()

    @property
    def buckets(self) -> list[Path]:
        """The only bucket; it has no file."""
        return [Path(INTERACTIONS)]

    def read_bucket(
        self, path: Path, customers: Collection[str] | None = None, columns: Iterable[str] | None = None
    ) -> pa.Table:
        """Return the interactions that are held, with these columns."""
        table = self.tables[INTERACTIONS]
        return table if columns is None else table.select(list(columns))

    def read_beside(self, name: str, path: Path, customers: Collection[str] | None = None) -> pa.Table:
        """Return the rows of `attributes` or `links` that are held."""
        return self.tables[name]

    def features_of(self, catalogue: Sequence[Feature], as_of: datetime) -> pa.Table | None:
        """Return a table that has a catalogue's features at a date, and perhaps others; None when none is ready."""
        for shared, table in self.ready:
            if shared.as_of == as_of and any(catalogue is one for one in shared.catalogues):
                return table
        return None


def hold(store: Store, customers: Collection[str], shared: Sequence[Shared], columns: Iterable[str]) -> Held:
    """Return these customers of the store, their features ready; the interactions keep these columns, keys included."""
    wanted = dict.fromkeys([*(name for one in shared for name in one.plan.reads), *columns])
    paths = store.holding(customers)
    others = list(dict.fromkeys(name for one in shared for name in one.plan.others))
    parts: list[list[pa.Table]] = [[] for _ in shared]
    kept = []
    for path in paths:
        # One bucket after the other: its rows lie in order, those of several do not.
        interactions = store.read_customers(path, customers, wanted)
        beside = {name: store.read_beside(name, path, customers) for name in others}
        for one, part in zip(shared, parts, strict=True):
            asked = {name: beside[name] for name in one.plan.others}
            history = History(interactions, **asked) if asked else interactions
            part.append(compute_features(history, [one.as_of], one.plan))
        kept.append((interactions.select(list(columns)), *beside.values()))
    names = (INTERACTIONS, *others)
    tables = {
        name: pa.concat_tables(some).unify_dictionaries()
        for name, some in zip(names, zip(*kept, strict=True), strict=True)
    }
    ready = tuple(
        (one, pa.concat_tables(part).combine_chunks()) for one, part in zip(shared, parts, strict=True)
    )
    own = {one.name: getattr(store, one.name) for one in fields(Store)}
    return Held(**own, tables=tables, ready=ready)
