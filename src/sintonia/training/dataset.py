"""Datasets: features joined to labels, one row per eligible (customer_id, as_of), in the order of the store."""

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
from sintonia.core.timeline import Split
from sintonia.data.store import Store
from sintonia.features import Feature, Fitted, History, Plan
from sintonia.features.cache import feature_text, prune, read_or_compute, table_folder
from sintonia.features.families.context import column_names
from sintonia.features.families.row_category import (
    CATEGORY_INDEX,
    bind_category,
    is_row_category,
    row_category_features,
)
from sintonia.training import tasks
from sintonia.training.in_memory_store import InMemoryStore, SharedFeatures

ROW_KEYS = ("customer_id", "as_of")
CUSTOMER_FAMILIES = ("rfm", "prior")
SINGLE_THREAD = EngineConfig(threads=1, feature_cache_gib=0)


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

    def of(self, split: Split, *parts: str) -> "Dataset":
        """Return the rows of parts of a split, 'train', 'valid' and 'test': by their dates, or by their customers."""
        if split.shares is None:
            return self.at({as_of for part in parts for as_of in getattr(split, part)})
        return self.take(
            np.array([split.shares.part(str(customer)) in parts for customer in self.customer_id], bool)
        )

    def labelled(self) -> "Dataset":
        """Return the rows whose label is known: all, unless it is an attribute that some customers lack."""
        return self if (self.label >= 0).all() else self.take(self.label >= 0)

    def select(self, names: Sequence[str]) -> "Dataset":
        """Return the rows with these features only, in this order."""
        columns = [self.names.index(name) for name in names]
        return replace(self, values=self.values[:, columns], names=tuple(names))

    def __len__(self) -> int:
        return len(self.label)


def catalogue_of(task: TaskConfig, config: FeaturesConfig, fitted: Fitted) -> list[Feature]:
    """Return the features a task's model reads: the configuration's, or those of a row's category.

    Of the customer's own features, a task by category reads only the families in `CUSTOMER_FAMILIES`: they are the
    same for all categories and repeated in each category's row. A label that is an attribute is no feature.
    """
    if tasks.find_task(task).from_attribute:
        fitted = fitted.without_attribute(task.attribute)
    catalogue = features.catalogue(config, fitted)
    if not tasks.find_task(task).by_category:
        return catalogue
    return [
        *(feature for feature in catalogue if feature.family in CUSTOMER_FAMILIES),
        *row_category_features(config),
    ]


def assemble(
    store: Store,
    as_ofs: Sequence[datetime],
    catalogue: Sequence[Feature],
    task: TaskConfig,
    engine: EngineConfig = SINGLE_THREAD,
    customers: Collection[str] | None = None,
    names: Collection[str] | None = None,
) -> Dataset:
    """Return the eligible rows of the store with the features of a catalogue at these as-of dates.

    `customers` restricts the rows. `names` restricts the features that are computed: the other columns are NaN, which
    is enough for a model that does not read them.

    The engine's threads process buckets in parallel; rows come in bucket order. Features of all customers are cached
    on disk within the engine's `feature_cache_gib`.
    """
    if isinstance(store, InMemoryStore) and (ready := store.features_of(catalogue, as_ofs[0])) is not None:
        labelled = tasks.label_rows(store.read_bucket(store.buckets[0]), as_ofs, task, store.read_merges())
        return label_features(ready, labelled, catalogue, task)
    wide = _computed_features(_select_features(catalogue, names), task)
    plan, merges = features.plan(wide), store.read_merges()
    from_attribute = tasks.find_task(task).from_attribute
    keep = customers is None and engine.feature_cache_gib > 0
    folder = table_folder(store.features, store.fingerprint, wide, as_ofs) if keep else None

    def assemble_bucket(path: Path) -> Dataset:
        file = None if folder is None else folder / path.name
        is_cached = file is not None and file.is_file()
        columns = dict.fromkeys([*(() if is_cached else plan.reads), *tasks.columns_read(task)])
        interactions = store.read_bucket(path, customers, columns)
        tables = {} if is_cached else {name: store.read_beside(name, path, customers) for name in plan.others}
        history = History(interactions, **tables) if tables else interactions
        computed = read_or_compute(file, lambda: features.compute_features(history, as_ofs, plan))
        label_source = store.read_beside("attributes", path, customers) if from_attribute else None
        labelled = tasks.label_rows(interactions, as_ofs, task, merges, attributes=label_source)
        return label_features(computed, labelled, catalogue, task)

    with ThreadPoolExecutor(engine.threads) as pool:
        parts = list(
            track(pool.map(assemble_bucket, store.buckets), "Computing features", total=len(store.buckets))
        )
    if folder is not None:
        prune(store.features, store.fingerprint, engine.feature_cache_gib, folder)
    return concatenate_datasets(parts)


def spend_after(store: Store, as_ofs: Sequence[datetime], task: TaskConfig) -> NDArray[np.int64]:
    """Return what was spent in the horizon of each row that `assemble` makes at these dates, in cents.  # (n_rows,)"""
    spend, merges = tasks.spend_task(task), store.read_merges()
    tables = (store.read_bucket(path, columns=spend.columns_read) for path in store.buckets)
    parts = [tasks.label_rows(table, as_ofs, task, merges, spend)["label"].to_numpy() for table in tables]
    return np.concatenate(parts)


def plan_for(catalogue: Sequence[Feature], task: TaskConfig, names: Collection[str] | None = None) -> Plan:
    """Return the plan of a catalogue's features, or of those with these names, as they are computed for a task."""
    return features.plan(_computed_features(_select_features(catalogue, names), task))


def history_rows(
    history: History,
    as_of: datetime,
    catalogue: Sequence[Feature],
    task: TaskConfig,
    plan: Plan | None = None,
) -> Dataset:
    """Return the eligible rows of a history, as `assemble` returns those of a store.

    For repeated calls, compute `plan_for` the catalogue once and pass it; features it leaves out are NaN.
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
    """Return groups of requests (as_of, catalogue, task, names) whose features are computed together.

    `names` selects features of a catalogue; None selects all. Catalogues at one date share a group, unless two of
    their features differ but have the same name.
    """
    groups: list[tuple[datetime, dict[str, tuple[str, Feature]], list[Sequence[Feature]]]] = []
    for as_of, catalogue, task, names in requests:
        computed = {
            feature.name: (feature_text(feature), feature)
            for feature in _computed_features(_select_features(catalogue, names), task)
        }
        for moment, shared, catalogues in groups:
            if moment == as_of and all(
                shared.get(name, entry)[0] == entry[0] for name, entry in computed.items()
            ):
                shared |= computed
                catalogues.append(catalogue)
                break
        else:
            groups.append((as_of, computed, [catalogue]))
    return [
        SharedFeatures(as_of, features.plan([feature for _, feature in shared.values()]), tuple(catalogues))
        for as_of, shared, catalogues in groups
    ]


def label_features(
    computed: pa.Table, labelled: pa.Table, catalogue: Sequence[Feature], task: TaskConfig
) -> Dataset:
    """Return features and label of eligible customers, ordered by (customer_id, as_of) and the task's categories.

    Features of the catalogue that were not computed are NaN.
    """
    by_category = tasks.find_task(task).by_category
    per_key = len(task.categories) if by_category else 1
    keys = labelled.filter(pc.equal(labelled["category"], 0)) if by_category else labelled
    table = _align_to_keys(keys.select(ROW_KEYS), computed)
    # Eligible customers have a visible interaction, and so features: labels are in the order of the joined rows.
    assert len(table) * per_key == len(labelled)
    values = np.full((len(labelled), len(catalogue)), np.nan, np.float32)
    computed_names = set(computed.column_names)
    for column, feature in enumerate(catalogue):
        parts = _computed_features([feature], task) if by_category else [feature]
        if computed_names.issuperset(part.name for part in parts):
            values[:, column] = _feature_values(table, feature, task)
    return Dataset(
        customer_id=np.repeat(np.asarray(table["customer_id"].to_pylist(), object), per_key),
        as_of=np.repeat(table["as_of"].to_numpy().astype("datetime64[us]"), per_key),
        values=values,
        label=labelled["label"].to_numpy(),
        names=tuple(feature.name for feature in catalogue),
        category=labelled["category"].to_numpy() if by_category else None,
    )


def _align_to_keys(keys: pa.Table, computed: pa.Table) -> pa.Table:
    """Return the computed rows of these keys, in the order of the keys."""
    if len(pc.unique(computed["as_of"])) == 1:
        customer_ids = computed["customer_id"].combine_chunks()
        return computed.take(pc.index_in(keys["customer_id"].combine_chunks(), customer_ids))
    joined = keys.join(computed, list(ROW_KEYS), join_type="inner")
    return joined.sort_by([(key, "ascending") for key in ROW_KEYS])


def _select_features(catalogue: Sequence[Feature], names: Collection[str] | None) -> Sequence[Feature]:
    """Return the features with these names, or all."""
    return catalogue if names is None else [feature for feature in catalogue if feature.name in {*names}]


def _computed_features(catalogue: Sequence[Feature], task: TaskConfig) -> list[Feature]:
    """Return the features as they are computed: once a customer, and once a customer and category."""
    computed = [feature for feature in catalogue if not is_row_category(feature)]
    for feature in catalogue:
        if is_row_category(feature) and feature.name != CATEGORY_INDEX:
            computed += _per_category(feature, task)
    return computed


def _per_category(feature: Feature, task: TaskConfig) -> list[Feature]:
    """Return a feature of the row's category as one a category, each under a name of its own."""
    return [
        replace(bind_category(feature, category), measure=f"{feature.measure}_of_{name}")
        for category, name in zip(task.categories, column_names(task.categories), strict=True)
    ]


def _feature_values(table: pa.Table, feature: Feature, task: TaskConfig) -> NDArray[Any]:
    """Return a feature's values, laid out by customer and then by category where the task has categories."""
    if not tasks.find_task(task).by_category:
        return np.asarray(table[feature.name].to_numpy())
    if feature.name == CATEGORY_INDEX:
        return np.tile(np.arange(len(task.categories)), len(table))
    if not is_row_category(feature):
        return np.repeat(table[feature.name].to_numpy(), len(task.categories))
    columns = [table[computed.name].to_numpy() for computed in _per_category(feature, task)]
    return np.stack(columns, axis=1).ravel()


def concatenate_datasets(parts: Sequence[Dataset]) -> Dataset:
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
