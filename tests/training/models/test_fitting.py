"""Fitted amounts and categories, from the store to a scored list."""

from dataclasses import replace

import numpy as np
import pytest

from brand import FEATURES, FITTED, MODEL, SILO, SPLIT, TASK, build_brand
from builder import build_store
from sintonia.core.config import ScoreSettings, TrainSettings
from sintonia.core.errors import NotEnoughDataError
from sintonia.core.timeline import split_snapshots
from sintonia.data.store import Store
from sintonia.registry.models import load_model
from sintonia.serving.scoring import score_customers
from sintonia.training.baselines import add_baseline_features, fit_baselines
from sintonia.training.dataset import assemble, catalogue_of
from sintonia.training.models import fit_model

VALUE = replace(TASK, name="value")
CATEGORY = replace(TASK, name="category", categories=["milk", "bread"])
WHAT = "CASE WHEN kind <> 'purchase' THEN NULL WHEN CAST(card AS INT) % 3 > 0 THEN 'milk' ELSE 'bread' END"


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    """The brand, of whose customers one in three buys bread and the others milk."""
    folder = tmp_path_factory.mktemp("brand")
    build_brand(folder)
    silo = replace(SILO, interactions={**SILO.interactions, "category": WHAT})
    return build_store(folder, {"events": silo})


def trained(store: Store, task):
    """The split, all rows with what baselines need, and the model."""
    split = split_snapshots(SPLIT, task, store.data_from(["purchase"]), store.data_until(["purchase"]))
    made = catalogue_of(task, FEATURES, FITTED)
    everything = assemble(store, split.all, add_baseline_features(made, task, FITTED), task)
    rows = everything.select([feature.name for feature in made])
    settings = TrainSettings(features=FEATURES, task=task, model=MODEL, split=SPLIT)
    return split, everything, fit_model(rows.at(split.train), rows.at(split.valid), settings, FITTED, store)


@pytest.fixture(scope="module")
def value(store):
    return trained(store, VALUE)


@pytest.fixture(scope="module")
def category(store):
    return trained(store, CATEGORY)


def test_expected_amounts_add_up_where_they_were_calibrated_and_a_median_errs_less(value):
    split, everything, model = value
    test = everything.at(split.valid)
    values = test.select(model.names).values
    expected, median = model.outcomes(values), model.median_cents(values)
    assert expected.sum() == pytest.approx(test.label.sum(), rel=0.1)
    assert np.abs(median - test.label).sum() < np.abs(expected - test.label).sum()
    assert np.corrcoef(np.argsort(np.argsort(expected)), np.argsort(np.argsort(test.label)))[0, 1] > 0.3


def test_an_amounts_model_comes_back_from_disk_with_its_median(value, tmp_path):
    _, everything, model = value
    model.save(tmp_path)
    again = load_model(tmp_path)
    values = everything.select(model.names).values[:50]
    assert again == model
    assert again.median_cents(values).tobytes() == model.median_cents(values).tobytes()
    assert again.outcome == "expected_cents"


def test_baselines_of_amounts_add_up_on_what_they_were_fitted_to(value):
    split, everything, _ = value
    train = everything.at(split.train)
    found = fit_baselines(train, VALUE).outcomes(train)
    assert set(found) == {"spend so far", "RFM Tweedie"}
    for expected in found.values():
        assert expected.sum() == pytest.approx(train.label.sum(), rel=1e-6)


def test_a_customer_is_told_the_category_they_buy(store, category):
    split, everything, model = category
    scores = score_customers(
        store, model, split.test[-1], ScoreSettings(list="unused.csv"), store.customer_ids()
    )
    bought = everything.at([split.test[-1]])
    buys = bought.values[:, bought.names.index("category__visits")].reshape(-1, 2)
    assert len(scores.rows) == len(buys) == len(scores.category)
    assert [("milk", "bread")[at] for at in buys.argmax(axis=1)] == list(scores.category)
    assert np.all((scores.outcome > 0) & (scores.outcome < 1))


def test_baselines_by_category_know_what_was_bought_in_it(category):
    split, everything, _ = category
    train = everything.at(split.train)
    found = fit_baselines(train, CATEGORY).outcomes(train)
    assert set(found) == {"naive rule", "recency rule", "RFM logistic"}
    never = train.values[:, train.names.index("category__visits")] == 0
    assert all(said[never].max() < said[~never].mean() for said in found.values())


def test_nothing_spent_is_refused(store, value):
    split, everything, model = value
    rows = everything.select(model.names)
    poor = replace(rows, label=np.zeros_like(rows.label))
    settings = TrainSettings(features=FEATURES, task=VALUE, model=MODEL, split=SPLIT)
    with pytest.raises(NotEnoughDataError, match=r"The .* training rows have no spend"):
        fit_model(poor.at(split.train), poor.at(split.valid), settings, FITTED, store)
