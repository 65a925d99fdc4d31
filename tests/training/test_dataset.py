"""Features joined to labels: the right rows, in one order, whatever the threads and buckets."""

from dataclasses import replace
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from brand import CATALOGUE, FEATURES, FITTED, SILO, SPLIT, TASK, build_brand
from builder import build_store
from sintonia import features
from sintonia.core.config import EngineConfig, FeaturesConfig, SplitConfig, TaskConfig
from sintonia.core.timeline import split_customers, split_snapshots
from sintonia.data.store import Store
from sintonia.features import History
from sintonia.training import tasks
from sintonia.training.dataset import Dataset, assemble, catalogue_of, history_rows, plan_for, spend_after


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return build_brand(tmp_path_factory.mktemp("brand"))


@pytest.fixture(scope="module")
def as_ofs(store: Store) -> tuple:
    split = split_snapshots(SPLIT, TASK, store.data_from(["purchase"]), store.data_until(["purchase"]))
    return split.all


def by_key(rows: Dataset) -> dict:
    keys = zip(rows.customer_id.tolist(), rows.as_of.tolist(), strict=True)
    values = [(row.tobytes(), int(label)) for row, label in zip(rows.values, rows.label, strict=True)]
    return dict(zip(keys, values, strict=True))


def test_rows_are_the_eligible_ones_with_their_own_features(store, as_ofs):
    rows = assemble(store, as_ofs, CATALOGUE, TASK)
    eligible, computed = {}, {}
    for path in store.buckets:
        interactions = store.read_bucket(path)
        for row in tasks.label_rows(interactions, as_ofs, TASK).to_pylist():
            eligible[row["customer_id"], row["as_of"]] = row["label"]
        for row in features.compute(interactions, as_ofs, FEATURES, FITTED).to_pylist():
            computed[row["customer_id"], row["as_of"]] = row
    found = list(zip(rows.customer_id.tolist(), rows.as_of.tolist(), strict=True))
    assert sorted(found) == sorted(eligible)
    assert rows.label.tolist() == [eligible[key] for key in found]
    recency = rows.names.index("rfm__days_since_purchase")
    np.testing.assert_array_equal(
        rows.values[:, recency], np.float32([computed[key]["rfm__days_since_purchase"] for key in found])
    )


def test_threads_buckets_and_the_company_of_others_change_nothing(store, as_ofs, tmp_path):
    """Law 4, for what a model reads."""
    whole = assemble(store, as_ofs, CATALOGUE, TASK)
    threaded = assemble(store, as_ofs, CATALOGUE, TASK, EngineConfig(threads=4, feature_cache_gib=0))
    assert whole.values.tobytes() == threaded.values.tobytes()
    assert whole.customer_id.tolist() == threaded.customer_id.tolist()
    some = set(whole.customer_id[::7].tolist())
    alone = by_key(assemble(store, as_ofs, CATALOGUE, TASK, customers=some))
    assert alone == {key: value for key, value in by_key(whole).items() if key[0] in some}
    (tmp_path / "events.csv").write_bytes((store.folder.parents[2] / "events.csv").read_bytes())

    rebucketed = build_store(tmp_path, {"events": SILO}, buckets=7)
    assert by_key(assemble(rebucketed, as_ofs, CATALOGUE, TASK)) == by_key(whole)


def test_kept_features_are_those_computed_and_serve_another_task(store, as_ofs):
    keep = EngineConfig(threads=2, feature_cache_gib=1)
    whole = assemble(store, as_ofs, CATALOGUE, TASK)
    first, second = (assemble(store, as_ofs, CATALOGUE, TASK, keep) for _ in range(2))
    assert whole.values.tobytes() == first.values.tobytes() == second.values.tobytes()
    assert whole.customer_id.tolist() == second.customer_id.tolist()
    (folder,) = store.features.iterdir()
    assert sorted(file.name for file in folder.iterdir()) == [path.name for path in store.buckets]
    other = replace(TASK, active_days=14)
    for file in folder.iterdir():  # whoever asks for the same features gets what lies there
        kept = pq.read_table(file)
        pq.write_table(kept.set_column(2, kept.column_names[2], pa.array(np.full(len(kept), 9, "f4"))), file)
    assert set(assemble(store, as_ofs, CATALOGUE, other, keep).values[:, 0].tolist()) == {9.0}
    assert list(store.features.iterdir()) == [folder]
    some = assemble(store, as_ofs, CATALOGUE, TASK, keep, set(whole.customer_id[:3].tolist()))
    assert set(some.values[:, 0].tolist()) != {9.0}  # of a list's customers nothing is kept or read


def test_dates_pick_their_rows(store, as_ofs):
    rows = assemble(store, as_ofs, CATALOGUE, TASK)
    parts = [rows.at([as_of]) for as_of in as_ofs]
    assert sum(len(part) for part in parts) == len(rows)
    assert all(len(set(part.as_of.tolist())) == 1 for part in parts)


def test_parts_of_a_split_by_customers_share_the_date_and_no_customer(store, as_ofs):
    rows = assemble(store, as_ofs[-1:], CATALOGUE, TASK)
    split = split_customers(SplitConfig(name="customers"), as_ofs[-1])
    parts = {name: set(rows.of(split, name).customer_id) for name in ("train", "valid", "test")}
    assert not parts["train"] & parts["test"]
    assert not parts["valid"] & (parts["train"] | parts["test"])
    assert set().union(*parts.values()) == set(rows.customer_id)
    assert set(rows.of(split, "train", "valid").customer_id) == parts["train"] | parts["valid"]
    assert all(split.shares.part(customer) == "test" for customer in parts["test"])


def test_rows_without_a_label_are_left_out(store, as_ofs):
    rows = assemble(store, as_ofs[-1:], CATALOGUE, TASK)
    assert rows.labelled() is rows
    some = replace(rows, label=np.where(np.arange(len(rows)) < 3, -1, rows.label))
    assert some.labelled().customer_id.tolist() == rows.customer_id[3:].tolist()


def test_a_row_a_category_has_the_customers_own_features_and_those_of_the_category(tmp_path):
    (tmp_path / "tickets.csv").write_text(
        "card,at,ticket,what,price\n"
        "1,2025-01-02,t1,milk,1.00\n1,2025-01-02,t1,milk,2.00\n1,2025-01-06,t2,bread,4.00\n"
        "1,2025-01-10,t3,milk,8.00\n2,2025-01-09,t4,bread,16.00\n1,2025-01-14,t5,bread,1.00\n"
    )
    reads = {"thread_id": "ticket", "amount": "price", "category": "what"}
    silo = replace(SILO, path="tickets.csv", known_at=None, interactions=reads)
    store = build_store(
        tmp_path, {"tickets": replace(silo, constants={"kind": "purchase", "channel": "store"})}
    )
    task = TaskConfig(name="category", active_days=30, horizon_days=7, categories=["milk", "bread"])
    made = catalogue_of(
        task, FeaturesConfig(families=["rfm"], windows_days=[7, 30], half_lives_days=[]), FITTED
    )
    rows = assemble(store, [datetime(2025, 1, 11)], made, task)
    one = np.lexsort((rows.category, rows.values[:, rows.names.index("rfm__orders__30d")]))[2:]
    table = {name: rows.values[one, at].tolist() for at, name in enumerate(rows.names)}
    assert rows.category[one].tolist() == table["category__which"] == [0, 1]
    assert rows.label[one].tolist() == [0, 1]
    assert table["rfm__orders__30d"] == [3, 3]
    assert table["category__visits__30d"] == [2, 1]  # two lines of one ticket are one visit
    assert table["category__amount__30d"] == [1100, 400]
    assert table["category__share__7d"] == [0.5, 0.5]
    assert table["category__days_since"] == [1, 5]
    assert table["category__mean_gap"][0] == 8
    assert np.isnan(table["category__mean_gap"][1])


def test_spend_after_is_that_of_the_same_rows_in_the_same_order(tmp_path):
    (tmp_path / "tickets.csv").write_text(
        "card,at,price\n1,2025-01-09,1.00\n1,2025-01-12,2.50\n1,2025-01-20,9.00\n"
        "2,2025-01-10,4.00\n3,2025-01-11,1.00\n3,2025-01-13,3.00\n3,2025-01-14,2.00\n"
    )
    silo = replace(SILO, path="tickets.csv", known_at=None, interactions={"amount": "price"})
    store = build_store(
        tmp_path, {"tickets": replace(silo, constants={"kind": "purchase", "channel": "store"})}, buckets=2
    )
    task, dates = TaskConfig(name="purchase", active_days=7, horizon_days=5), [datetime(2025, 1, 11)]
    made = catalogue_of(task, FeaturesConfig(families=["rfm"], windows_days=[7]), FITTED)
    rows, spent = assemble(store, dates, made, task), spend_after(store, dates, task)
    by_last_price = dict(
        zip(rows.values[:, rows.names.index("rfm__amount__7d")].tolist(), spent, strict=True)
    )
    assert len(rows) == 3
    assert sorted(spent.tolist()) == [0, 250, 500]
    assert by_last_price[400.0] == 0
    assert (rows.label == (spent > 0)).all()


def test_one_history_has_the_row_of_the_store_and_nan_where_its_plan_leaves_a_feature_out(store, as_ofs):
    rows = assemble(store, as_ofs[-1:], CATALOGUE, TASK)
    customer = rows.customer_id[7]
    [path] = store.holding([customer])
    history = History(store.read_bucket(path, [customer]))
    names = [CATALOGUE[0].name, CATALOGUE[-1].name]
    every = history_rows(history, as_ofs[-1], CATALOGUE, TASK)
    part = history_rows(history, as_ofs[-1], CATALOGUE, TASK, plan_for(CATALOGUE, TASK, names))
    assert every.values.tobytes() == rows.values[7].tobytes()
    assert every.customer_id.tolist() == part.customer_id.tolist() == [customer]
    assert part.select(names).values.tobytes() == every.select(names).values.tobytes()
    left_out = [name not in names for name in part.names]
    assert np.isnan(part.values[:, left_out]).all()
