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
from sintonia.training.in_memory_store import InMemoryStore, SharedFeatures

ROW_KEYS = ("customer_id", "as_of")
BESIDE_CATEGORY = ("rfm", "prior")
ALONE = EngineConfig(threads=1, feature_cache_gib=0)


@dataclass(frozen=True)
class Dataset:
    """Eligible customers at as-of dates: keys, features and labels, row by row.

    `customer_id` (n_rows,) text, `as_of` (n_rows,) datetime64[us], `values` (n_rows, n_features) float32,
    `label` (n_rows,) int8, or int64 cents, and `names` (n_features,). `category` (n_rows,) is the index of the row's
    category among the task's if a customer has a row for each; else None.
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
        """Return the rows where a mask is true, or those with these indices."""
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
        columns = [self.names.index(name) for name in names]
        return replace(self, values=self.values[:, columns], names=tuple(names))

    def __len__(self) -> int:
        return len(self.label)


def catalogue_of(task: TaskConfig, config: FeaturesConfig, fitted: Fitted) -> list[Feature]:
    """Return the features a task's model reads: the configuration's, or those of a row's category.

    Of the customer's other features, a model by category reads only the families of how much and how recently a
    customer buys: they are the same for all categories, and each of the customer's rows repeats them.
    """
    every = features.catalogue(config, fitted)
    if not tasks.find_task(task).by_category:
        return every
    own = [feature for feature in every if feature.family in BESIDE_CATEGORY]
    return [*own, *row_category_features(config)]


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

    `customers` limits the rows to these customers, and `names` the features to these, the other columns being NaN,
    which is enough for a model that reads no others.

    The engine's threads share the buckets; rows are in bucket order, whichever thread finishes first. The features of
    all customers are cached on disk within the engine's `feature_cache_gib`.
    """
    if isinstance(store, InMemoryStore) and (computed := store.features_of(catalogue, as_ofs[0])) is not None:
        labelled = tasks.label_rows(store.read_bucket(store.buckets[0]), as_ofs, task, store.read_merges())
        return label_features(computed, labelled, catalogue, task)
    wide = _wide(_named(catalogue, names), task)
    plan, merges = features.plan(wide), store.read_merges()
    cached = customers is None and engine.feature_cache_gib > 0
    folder = table_folder(store.features, store.fingerprint, wide, as_ofs) if cached else None

    def of_bucket(path: Path) -> Dataset:
        file = None if folder is None else folder / path.name
        in_cache = file is not None and file.is_file()
        columns = dict.fromkeys([*(() if in_cache else plan.reads), *tasks.columns_read(task)])
        interactions = store.read_bucket(path, customers, columns)
        others = {} if in_cache else {name: store.read_beside(name, path, customers) for name in plan.others}
        history = History(interactions, **others) if others else interactions
        computed = kept(file, lambda: features.compute_features(history, as_ofs, plan))
        return label_features(computed, tasks.label_rows(interactions, as_ofs, task, merges), catalogue, task)

    with ThreadPoolExecutor(engine.threads) as pool:
        parts = list(
            track(pool.map(of_bucket, store.buckets), "Computing features", total=len(store.buckets))
        )
    if folder is not None:
        prune(store.features, store.fingerprint, engine.feature_cache_gib, folder)
    return concatenate(parts)


def spend_after(store: Store, as_ofs: Sequence[datetime], task: TaskConfig) -> NDArray[np.int64]:
    """Return what was spent in the horizon of each row that `assemble` makes at these dates, in cents.  # (n_rows,)"""
    spending, merges = tasks.spending(task), store.read_merges()
    tables = (store.read_bucket(path, columns=spending.columns_read) for path in store.buckets)
    parts = [tasks.label_rows(table, as_ofs, task, merges, spending)["label"].to_numpy() for table in tables]
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

    Callers that score often make the `plan_for` the catalogue once and pass it; columns it leaves out are NaN.
    """
    plan = plan or plan_for(catalogue, task)
    labelled = tasks.label_rows(pa.table(history.interactions), [as_of], task)
    if tasks.find_task(task).by_category:
        return label_features(features.compute_features(history, [as_of], plan), labelled, catalogue, task)
    ids, computed = features.feature_values(history, as_of, plan)
    eligible = labelled["customer_id"].combine_chunks()
    names = tuple(feature.name for feature in catalogue)
    columns = {name: column for column, name in enumerate(names)}
    values = np.full((len(labelled), len(names)), np.nan, np.float32)
    values[:, [columns[name] for name in plan.names]] = computed[:, pc.index_in(eligible, ids).to_numpy()].T
    return Dataset(
        customer_id=np.asarray(eligible.to_pylist(), object),
        as_of=labelled["as_of"].to_numpy().astype("datetime64[us]"),
        values=values,
        label=labelled["label"].to_numpy(),
        names=names,
    )


def share_features(
    requests: Sequence[tuple[datetime, Sequence[Feature], TaskConfig, Collection[str] | None]],
) -> list[SharedFeatures]:
    """Return the features of several catalogues, each at its date and for its task, as few times as can be.

    A request is an as-of date, a catalogue, its task, and the names of the features needed (None: all).

    Catalogues at one date share what they have in common, unless two mean different things by one name.
    """
    groups: list[tuple[datetime, dict[str, tuple[str, Feature]], list[Sequence[Feature]]]] = []
    for as_of, catalogue, task, names in requests:
        computed = {
            feature.name: (tell(feature), feature) for feature in _wide(_named(catalogue, names), task)
        }
        for group_as_of, group, catalogues in groups:
            same = (group.get(name, feature)[0] == feature[0] for name, feature in computed.items())
            if group_as_of == as_of and all(same):
                group |= computed
                catalogues.append(catalogue)
                break
        else:
            groups.append((as_of, computed, [catalogue]))
    return [
        SharedFeatures(as_of, features.plan([feature for _, feature in group.values()]), tuple(catalogues))
        for as_of, group, catalogues in groups
    ]


def label_features(
    computed: pa.Table, labelled: pa.Table, catalogue: Sequence[Feature], task: TaskConfig
) -> Dataset:
    """Return features and labels of eligible customers, ordered by (customer_id, as_of) and the task's categories.

    Features of the catalogue that were not computed are NaN.
    """
    by_category = tasks.find_task(task).by_category
    per_key = len(task.categories) if by_category else 1
    eligible = labelled.filter(pc.equal(labelled["category"], 0)) if by_category else labelled
    table = _join(eligible.select(ROW_KEYS), computed)
    # Eligible customers have a visible interaction, and so features: labels are in the order of the joined rows.
    assert len(table) * per_key == len(labelled)
    values = np.full((len(labelled), len(catalogue)), np.nan, np.float32)
    names = {*computed.column_names}
    for column, feature in enumerate(catalogue):
        parts = _wide([feature], task) if by_category else [feature]
        if names.issuperset(part.name for part in parts):
            values[:, column] = _column(table, feature, task.categories if by_category else ())
    return Dataset(
        customer_id=np.repeat(np.asarray(table["customer_id"].to_pylist(), object), per_key),
        as_of=np.repeat(table["as_of"].to_numpy().astype("datetime64[us]"), per_key),
        values=values,
        label=labelled["label"].to_numpy(),
        names=tuple(feature.name for feature in catalogue),
        category=labelled["category"].to_numpy() if by_category else None,
    )


def _join(keys: pa.Table, computed: pa.Table) -> pa.Table:
    """Return the computed rows of these keys, in their order."""
    if len(pc.unique(computed["as_of"])) == 1:
        ids = computed["customer_id"].combine_chunks()
        return computed.take(pc.index_in(keys["customer_id"].combine_chunks(), ids))
    joined = keys.join(computed, list(ROW_KEYS), join_type="inner")
    return joined.sort_by([(key, "ascending") for key in ROW_KEYS])


def _named(catalogue: Sequence[Feature], names: Collection[str] | None) -> Sequence[Feature]:
    """Return the features with these names, or all."""
    return catalogue if names is None else [feature for feature in catalogue if feature.name in {*names}]


def _wide(catalogue: Sequence[Feature], task: TaskConfig) -> list[Feature]:
    """Return the features as they are computed: once per customer, and once per customer and category."""
    wide = [feature for feature in catalogue if not of_row_category(feature)]
    for feature in catalogue:
        if of_row_category(feature) and feature.name != PLACE:
            wide += _spread(feature, task.categories)
    return wide


def _spread(feature: Feature, categories: Sequence[str]) -> list[Feature]:
    """Return a feature of the row's category as one feature per category, each under its own name."""
    return [
        replace(in_category(feature, category), measure=f"{feature.measure}_of_{name}")
        for category, name in zip(categories, column_names(categories), strict=True)
    ]


def _column(table: pa.Table, feature: Feature, categories: Sequence[str]) -> NDArray[Any]:
    """Return a feature's values by customer, and by category within a customer if there are categories."""
    if not categories:
        return np.asarray(table[feature.name].to_numpy())
    if feature.name == PLACE:
        return np.tile(np.arange(len(categories)), len(table))
    if not of_row_category(feature):
        return np.repeat(table[feature.name].to_numpy(), len(categories))
    columns = [table[part.name].to_numpy() for part in _spread(feature, categories)]
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
