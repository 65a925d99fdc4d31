"""Customers in memory have the rows of the store they come from, and the features of several catalogues once."""

import numpy as np
import pytest

from brand import CATALOGUE, SPLIT, TASK, build_brand
from sintonia.core.timeline import split_snapshots
from sintonia.data.store import Store
from sintonia.features import History
from sintonia.training import tasks
from sintonia.training.dataset import assemble, history_rows, plan_for, share_features
from sintonia.training.in_memory_store import load_customers


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return build_brand(tmp_path_factory.mktemp("brand"))


@pytest.fixture(scope="module")
def as_of(store):
    return split_snapshots(SPLIT, TASK, store.data_from(["purchase"]), store.data_until(["purchase"])).all[-1]


def test_features_in_memory_are_those_of_the_store(store, as_of):
    rows = assemble(store, [as_of], CATALOGUE, TASK)
    customers = rows.customer_id[::3].tolist()
    shared = share_features([(as_of, CATALOGUE, TASK, None)])
    loaded = load_customers(store, customers, shared, tasks.columns_read(TASK))
    in_memory = assemble(loaded, [as_of], CATALOGUE, TASK)
    expected = rows.take(np.isin(rows.customer_id, customers))
    order, expected_order = np.argsort(in_memory.customer_id), np.argsort(expected.customer_id)
    assert in_memory.customer_id[order].tolist() == expected.customer_id[expected_order].tolist()
    assert in_memory.values[order].tobytes() == expected.values[expected_order].tobytes()
    assert in_memory.label[order].tolist() == expected.label[expected_order].tolist()


def test_catalogues_at_one_date_share_a_plan_and_another_date_has_its_own(as_of):
    few, others = CATALOGUE[:5], CATALOGUE[3:8]
    earlier = as_of.replace(year=as_of.year - 1)
    first, second = share_features(
        [(as_of, few, TASK, None), (as_of, others, TASK, None), (earlier, few, TASK, None)]
    )
    assert first.plan.names == tuple(feature.name for feature in CATALOGUE[:8])
    assert (first.catalogues, second.as_of) == ((few, others), earlier)


def test_one_history_has_the_row_of_the_store_with_columns_that_a_plan_leaves_out_as_nan(store, as_of):
    rows = assemble(store, [as_of], CATALOGUE, TASK)
    customer = rows.customer_id[7]
    [path] = store.holding([customer])
    history = History(store.read_bucket(path, [customer]))
    names = [CATALOGUE[0].name, CATALOGUE[-1].name]
    whole = history_rows(history, as_of, CATALOGUE, TASK)
    part = history_rows(history, as_of, CATALOGUE, TASK, plan_for(CATALOGUE, TASK, names))
    assert whole.values.tobytes() == rows.values[7].tobytes()
    assert whole.customer_id.tolist() == part.customer_id.tolist() == [customer]
    assert part.select(names).values.tobytes() == whole.select(names).values.tobytes()
    assert np.isnan(part.values).sum() == len(CATALOGUE) - 2 + np.isnan(part.select(names).values).sum()
