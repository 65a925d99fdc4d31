"""Features joined to labels, one row per eligible (customer_id, as_of), in the order of the store."""

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sintonia import features
from sintonia.core.config import EngineConfig, FeaturesConfig, TaskConfig
from sintonia.core.progress import track
from sintonia.data.store import Store
from sintonia.features import Feature, Fitted, History, Plan
from sintonia.features.cache import kept, prune, table_folder, tell
from sintonia.features.families.context import column_names
from sintonia.features.families.row_category import PLACE, in_category, of_row_category, row_category_features
from sintonia.training import tasks
from sintonia.training.in_memory_store import Held, Shared

ROW_KEYS = ("customer_id", "as_of")
BESIDE_CATEGORY = ("rfm", "prior")
ALONE = EngineConfig(threads=1, feature_cache_gib=0)


@dataclass(frozen=True)
class Dataset:
    """Eligible customers at as-of dates: keys, features and labels, row by row.

    `customer_id` (n_rows,) text, `as_of` (n_rows,) datetime64[us], `values` (n_rows, n_features) float32,
    `label` (n_rows,) int8, or int64 cents, and `names` (n_features,). `category` (n_rows,) is the place of the row's
    category among the task's, where a customer has a row for each; else None.
    """

    customer_id: NDArray[np.object_]
    as_of: NDArray[np.datetime64]
    values: NDArray[np.float32]
    label: NDArray[Any]
    names: tuple[str, ...]
    category: NDArray[np.int16] | None = None

    def at(self, dates: Collection[datetime]) -> "Dataset":
        """Return the rows of these as-of dates."""
        return self.take(np.isin(self.as_of, np.array(sorted(dates), "datetime64[us]")))

    def take(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> "Dataset":
        """Return the rows where the mask holds, or those of these places."""
        category = None if self.category is None else self.category[rows]
        return Dataset(
            self.customer_id[rows],
            self.as_of[rows],
            self.values[rows],
            self.label[rows],
            self.names,
            category,
        )

    def select(self, names: Sequence[str]) -> "Dataset":
        """Return the rows with these features only, in this order."""
        places = [self.names.index(name) for name in names]
        return replace(self, values=self.values[:, places], names=tuple(names))

    def __len__(self) -> int:
        return len(self.label)


def catalogue_of(task: TaskConfig, config: FeaturesConfig, fitted: Fitted) -> list[Feature]:
    """Return the features a task's model reads: the configuration's, or those of a row's category.

    With these go, of the customer's own, only the families that tell how much and how lately somebody buys: they
    are the same for all categories, and a row a category repeats them.
    """
    made = features.catalogue(config, fitted)
    if not tasks.find_task(task).by_category:
        return made
    return [*(one for one in made if one.family in BESIDE_CATEGORY), *row_category_features(config)]


def assemble(
    store: Store,
    as_ofs: Sequence[datetime],
    catalogue: Sequence[Feature],
    task: TaskConfig,
    engine: EngineConfig = ALONE,
    customers: Collection[str] | None = None,
    names: Collection[str] | None = None,
) -> Dataset:
    """Return the eligible rows of the store with the features of a catalogue at these as-of dates.

    Of these customers only, when they are given; and of these features only, the other columns being NaN, which is
    enough for a model that reads no others.

    Buckets are worked off by the engine's threads; the rows come in bucket order, whatever thread was first. The
    features of everybody are kept on disk within the engine's `feature_cache_gib`.
    """
    if isinstance(store, Held) and (ready := store.features_of(catalogue, as_ofs[0])) is not None:
        labelled = tasks.label_rows(store.read_bucket(store.buckets[0]), as_ofs, task, store.read_merges())
        return label_features(ready, labelled, catalogue, task)
    wide = _wide(_named(catalogue, names), task)
    made, merges = features.plan(wide), store.read_merges()
    keep = customers is None and engine.feature_cache_gib > 0
    folder = table_folder(store.features, store.fingerprint, wide, as_ofs) if keep else None

    def one(path: Path) -> Dataset:
        file = None if folder is None else folder / path.name
        there = file is not None and file.is_file()
        columns = dict.fromkeys([*(() if there else made.reads), *tasks.columns_read(task)])
        interactions = store.read_bucket(path, customers, columns)
        beside = {} if there else {name: store.read_beside(name, path, customers) for name in made.others}
        history = History(interactions, **beside) if beside else interactions
        computed = kept(file, lambda: features.compute_features(history, as_ofs, made))
        return label_features(computed, tasks.label_rows(interactions, as_ofs, task, merges), catalogue, task)

    with ThreadPoolExecutor(engine.threads) as pool:
        parts = list(track(pool.map(one, store.buckets), "Computing features", total=len(store.buckets)))
    if folder is not None:
        prune(store.features, store.fingerprint, engine.feature_cache_gib, folder)
    return concatenate(parts)


def spend_after(store: Store, as_ofs: Sequence[datetime], task: TaskConfig) -> NDArray[np.int64]:
    """Return what was spent in the horizon of each row that `assemble` makes at these dates, in cents.  # (n_rows,)"""
    asked, merges = tasks.spending(task), store.read_merges()
    tables = (store.read_bucket(path, columns=asked.columns_read) for path in store.buckets)
    parts = [tasks.label_rows(table, as_ofs, task, merges, asked)["label"].to_numpy() for table in tables]
    return np.concatenate(parts)


def plan_for(catalogue: Sequence[Feature], task: TaskConfig, names: Collection[str] | None = None) -> Plan:
    """Return the plan of a catalogue's features, or of those with these names, as they are computed for a task."""
    return features.plan(_wide(_named(catalogue, names), task))


def history_rows(
    history: History,
    as_of: datetime,
    catalogue: Sequence[Feature],
    task: TaskConfig,
    plan: Plan | None = None,
) -> Dataset:
    """Return the eligible rows of whole customers at hand, as `assemble` makes those of a store's customers.

    Whoever asks often makes the `plan_for` the catalogue once and passes it; columns it leaves out are NaN.
    """
    computed = features.compute_features(history, [as_of], plan or plan_for(catalogue, task))
    interactions = pa.table(history.interactions)
    return label_features(computed, tasks.label_rows(interactions, [as_of], task), catalogue, task)


def share(
    requests: Sequence[tuple[datetime, Sequence[Feature], TaskConfig, Collection[str] | None]],
) -> list[Shared]:
    """Return the features of several catalogues, each at its date and for its task, as few times as can be.

    Of each catalogue those with these names, or all.

    Catalogues at one date share what they have in common, unless two mean different things by one name.
    """
    groups: list[tuple[datetime, dict[str, tuple[str, Feature]], list[Sequence[Feature]]]] = []
    for as_of, catalogue, task, names in requests:
        wide = {feature.name: (tell(feature), feature) for feature in _wide(_named(catalogue, names), task)}
        for moment, there, catalogues in groups:
            if moment == as_of and all(there.get(name, one)[0] == one[0] for name, one in wide.items()):
                there |= wide
                catalogues.append(catalogue)
                break
        else:
            groups.append((as_of, wide, [catalogue]))
    return [
        Shared(as_of, features.plan([feature for _, feature in there.values()]), tuple(catalogues))
        for as_of, there, catalogues in groups
    ]


def label_features(
    computed: pa.Table, labelled: pa.Table, catalogue: Sequence[Feature], task: TaskConfig
) -> Dataset:
    """Return features and label of who is eligible, ordered by (customer_id, as_of) and the task's categories.

    Features of the catalogue that were not computed are NaN.
    """
    by_category = tasks.find_task(task).by_category
    per_key = len(task.categories) if by_category else 1
    asked = labelled.filter(pc.equal(labelled["category"], 0)) if by_category else labelled
    table = _beside(asked.select(ROW_KEYS), computed)
    # Who is eligible has something visible, and so features: the labels lie as the joined rows do.
    assert len(table) * per_key == len(labelled)
    values = np.empty((len(labelled), len(catalogue)), np.float32)
    computed_names = set(computed.column_names)
    for at, feature in enumerate(catalogue):
        there = computed_names.issuperset(one.name for one in _wide([feature], task))
        values[:, at] = _column(table, feature, task) if there else np.nan
    return Dataset(
        customer_id=np.repeat(np.asarray(table["customer_id"].to_pylist(), object), per_key),
        as_of=np.repeat(table["as_of"].to_numpy().astype("datetime64[us]"), per_key),
        values=values,
        label=labelled["label"].to_numpy(),
        names=tuple(feature.name for feature in catalogue),
        category=labelled["category"].to_numpy() if by_category else None,
    )


def _beside(asked: pa.Table, computed: pa.Table) -> pa.Table:
    """Return the computed rows of the keys that are asked for, in their order."""
    if len(pc.unique(computed["as_of"])) == 1:
        there = computed["customer_id"].combine_chunks()
        return computed.take(pc.index_in(asked["customer_id"].combine_chunks(), there))
    joined = asked.join(computed, list(ROW_KEYS), join_type="inner")
    return joined.sort_by([(key, "ascending") for key in ROW_KEYS])


def _named(catalogue: Sequence[Feature], names: Collection[str] | None) -> Sequence[Feature]:
    """Return the features with these names, or all."""
    return catalogue if names is None else [feature for feature in catalogue if feature.name in {*names}]


def _wide(catalogue: Sequence[Feature], task: TaskConfig) -> list[Feature]:
    """Return the features as they are computed: once a customer, and once a customer and category."""
    made = [feature for feature in catalogue if not of_row_category(feature)]
    for feature in catalogue:
        if of_row_category(feature) and feature.name != PLACE:
            made += _spread(feature, task)
    return made


def _spread(feature: Feature, task: TaskConfig) -> list[Feature]:
    """Return a feature of the row's category as one a category, each under a name of its own."""
    return [
        replace(in_category(feature, category), measure=f"{feature.measure}_of_{name}")
        for category, name in zip(task.categories, column_names(task.categories), strict=True)
    ]


def _column(table: pa.Table, feature: Feature, task: TaskConfig) -> NDArray[Any]:
    """Return a feature's values, laid out by customer and then by category where the task has categories."""
    if not tasks.find_task(task).by_category:
        return np.asarray(table[feature.name].to_numpy())
    if feature.name == PLACE:
        return np.tile(np.arange(len(task.categories)), len(table))
    if not of_row_category(feature):
        return np.repeat(table[feature.name].to_numpy(), len(task.categories))
    columns = [table[one.name].to_numpy() for one in _spread(feature, task)]
    return np.stack(columns, axis=1).ravel()


def concatenate(parts: Sequence[Dataset]) -> Dataset:
    """Return the rows of several parts with the same features, one after another."""
    first = parts[0]
    return Dataset(
        customer_id=np.concatenate([part.customer_id for part in parts]),
        as_of=np.concatenate([part.as_of for part in parts]),
        values=np.concatenate([part.values for part in parts]),
        label=np.concatenate([part.label for part in parts]),
        names=first.names,
        category=None if first.category is None else np.concatenate([part.category for part in parts]),
    )
