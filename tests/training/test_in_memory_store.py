"""Customers loaded into memory have the rows that the store has, and their features are computed once."""

from datetime import datetime

import numpy as np
import pytest

from brand import CATALOGUE, TASK, build_brand
from sintonia.training import tasks
from sintonia.training.dataset import assemble, share_features
from sintonia.training.in_memory_store import load_customers

AS_OF = datetime(2025, 7, 1)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return build_brand(tmp_path_factory.mktemp("brand"), customers=30)


def test_loaded_customers_have_the_rows_of_the_store(store):
    customers = sorted(store.customer_ids())[:7]
    shared = share_features([(AS_OF, CATALOGUE, TASK, None)])
    loaded = load_customers(store, customers, shared, tasks.columns_read(TASK))
    expected = assemble(store, [AS_OF], CATALOGUE, TASK, customers=customers)
    rows = assemble(loaded, [AS_OF], CATALOGUE, TASK)
    assert len(rows) > 0
    order, expected_order = np.argsort(rows.customer_id), np.argsort(expected.customer_id)
    assert rows.customer_id[order].tolist() == expected.customer_id[expected_order].tolist()
    np.testing.assert_array_equal(rows.values[order], expected.values[expected_order])
    np.testing.assert_array_equal(rows.label[order], expected.label[expected_order])


def test_catalogues_at_one_date_share_their_features_and_others_have_none_ready(store):
    shorter = CATALOGUE[:3]
    shared = share_features([(AS_OF, CATALOGUE, TASK, None), (AS_OF, shorter, TASK, None)])
    assert len(shared) == 1
    loaded = load_customers(store, sorted(store.customer_ids())[:5], shared, tasks.columns_read(TASK))
    assert loaded.features_of(shorter, AS_OF) is loaded.features_of(CATALOGUE, AS_OF)
    assert loaded.features_of(list(CATALOGUE), AS_OF) is None
    assert loaded.features_of(CATALOGUE, datetime(2025, 6, 1)) is None
