"""Features joined to labels, one row per eligible (customer_id, as_of), in the order of the store."""

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sintonia import features, tasks
from sintonia.config import EngineConfig, TaskConfig
from sintonia.features import Feature, History
from sintonia.features.cache import kept, prune, table_folder
from sintonia.interactions import Store
from sintonia.progress import track

KEYS = ("customer_id", "as_of")
ALONE = EngineConfig(threads=1, feature_cache_gib=0)


@dataclass(frozen=True)
class Rows:
    """Eligible customers at as-of dates: keys, features and labels, row by row.

    `customer_id` (n_rows,) text, `as_of` (n_rows,) datetime64[us], `values` (n_rows, n_features) float32,
    `label` (n_rows,) int8, and `names` (n_features,).
    """

    customer_id: NDArray[np.object_]
    as_of: NDArray[np.datetime64]
    values: NDArray[np.float32]
    label: NDArray[np.int8]
    names: tuple[str, ...]

    def at(self, dates: Collection[datetime]) -> "Rows":
        """Return the rows of these as-of dates."""
        return self.take(np.isin(self.as_of, np.array(sorted(dates), "datetime64[us]")))

    def take(self, rows: NDArray[np.bool_]) -> "Rows":
        """Return the rows where the mask holds."""
        return Rows(self.customer_id[rows], self.as_of[rows], self.values[rows], self.label[rows], self.names)

    def select(self, names: Sequence[str]) -> "Rows":
        """Return the rows with these features only, in this order."""
        places = [self.names.index(name) for name in names]
        return Rows(self.customer_id, self.as_of, self.values[:, places], self.label, tuple(names))

    def __len__(self) -> int:
        return len(self.label)


def assemble(
    store: Store,
    as_ofs: Sequence[datetime],
    catalogue: Sequence[Feature],
    task: TaskConfig,
    engine: EngineConfig = ALONE,
    customers: Collection[str] | None = None,
) -> Rows:
    """Return the eligible rows of the store with the features of a catalogue at these as-of dates.

    Of these customers only, when they are given.

    Buckets are worked off by the engine's threads; the rows come in bucket order, whatever thread was first. The
    features of everybody are kept on disk within the engine's `feature_cache_gib`.
    """
    made, merges = features.plan(catalogue), store.read_merges()
    keep = customers is None and engine.feature_cache_gib > 0
    folder = table_folder(store.features, store.fingerprint, catalogue, as_ofs) if keep else None

    def one(path: Path) -> pa.Table:
        file = None if folder is None else folder / path.name
        there = file is not None and file.is_file()
        columns = dict.fromkeys([*(() if there else made.reads), *tasks.columns_read()])
        interactions = store.read_bucket(path, customers, columns)
        beside = {} if there else {name: store.read_beside(name, path, customers) for name in made.others}
        history = History(interactions, **beside) if beside else interactions
        computed = kept(file, lambda: features.compute_features(history, as_ofs, made))
        return label_features(computed, tasks.label_rows(interactions, as_ofs, task, merges))

    with ThreadPoolExecutor(engine.threads) as pool:
        tables = list(track(pool.map(one, store.buckets), "Computing features", total=len(store.buckets)))
    if folder is not None:
        prune(store.features, store.fingerprint, engine.feature_cache_gib, folder)
    return to_rows(pa.concat_tables(tables), made.names)


def label_features(computed: pa.Table, labelled: pa.Table) -> pa.Table:
    """Return features and label of who is eligible: one row per (customer_id, as_of), ordered by them."""
    joined = labelled.join(computed, list(KEYS), join_type="inner")
    return joined.sort_by([(key, "ascending") for key in KEYS])


def to_rows(table: pa.Table, names: Sequence[str]) -> Rows:
    """Return a table with keys, label and features as arrays."""
    values = np.empty((table.num_rows, len(names)), np.float32)
    for position, name in enumerate(names):
        values[:, position] = table[name].to_numpy()
    return Rows(
        customer_id=np.asarray(table["customer_id"].to_pylist(), object),
        as_of=table["as_of"].to_numpy().astype("datetime64[us]"),
        values=values,
        label=table["label"].to_numpy(),
        names=tuple(names),
    )
