"""The model: repeatable to the byte, plain files on disk, honest about thin data."""

import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from brand import CATALOGUE, FEATURES, FITTED, MODEL, SPLIT, TASK, build_brand
from sintonia.core.config import FeaturesConfig, TrainSettings
from sintonia.core.errors import InputError, NotEnoughDataError, UnsupportedModelError
from sintonia.core.timeline import Split, split_snapshots
from sintonia.data.store import Store
from sintonia.explain.contributions import contributions
from sintonia.features import catalogue
from sintonia.registry.models import load_model
from sintonia.training.baselines import add_baseline_features, fit_baselines
from sintonia.training.dataset import Dataset, assemble
from sintonia.training.models import OutcomeModel, fit_model

SETTINGS = TrainSettings(features=FEATURES, task=TASK, model=MODEL, split=SPLIT)
Prepared = tuple[Store, Split, Dataset]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    store = build_brand(tmp_path_factory.mktemp("brand"))
    split = split_snapshots(SPLIT, TASK, store.data_from(["purchase"]), store.data_until(["purchase"]))
    return store, split, assemble(store, split.all, add_baseline_features(CATALOGUE, TASK, FITTED), TASK)


def trained(prepared: Prepared, settings: TrainSettings = SETTINGS) -> OutcomeModel:
    store, split, rows = prepared
    mine = rows.select([feature.name for feature in CATALOGUE])
    return fit_model(mine.at(split.train), mine.at(split.valid), settings, FITTED, store)


def test_same_seed_config_and_data_give_the_same_text(prepared):
    """Law 8."""
    first, second = trained(prepared), trained(prepared)
    assert first.trees == second.trees
    assert first.calibrator == second.calibrator
    assert trained(prepared, replace(SETTINGS, seed=8)).trees != first.trees


def test_model_comes_back_from_disk_bit_for_bit(prepared, tmp_path):
    model = trained(prepared)
    model.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.json", "model.txt"]
    loaded = load_model(tmp_path)
    assert loaded == model
    values = prepared[2].select(model.names).values
    assert loaded.propensities(values).tobytes() == model.propensities(values).tobytes()


def test_rows_are_scored_each_by_itself(prepared):
    """Law 4, for scores: any chunk size gives the same bytes."""
    model = trained(prepared)
    values = prepared[2].select(model.names).values[:200]
    whole = model.propensities(values)
    for size in (1, 7, 64):
        chunks = [model.propensities(values[at : at + size]) for at in range(0, len(values), size)]
        assert np.concatenate(chunks).tobytes() == whole.tobytes()
    assert model.propensities(values[:0]).shape == (0,)


def test_contributions_sum_to_the_raw_score(prepared):
    """Law 6."""
    model = trained(prepared)
    values = prepared[2].select(model.names).values
    found = contributions(model.booster, values)
    np.testing.assert_allclose(
        found.base + found.values.sum(axis=1), model.raw_scores(values), rtol=1e-9, atol=1e-9
    )


def test_propensities_are_calibrated_and_rank_better_than_chance_out_of_time(prepared):
    _, split, rows = prepared
    model = trained(prepared)
    test = rows.at(split.test)
    propensity = model.propensities(test.select(model.names).values)
    assert abs(propensity.mean() - test.label.mean()) < 0.06
    assert roc_auc_score(test.label, propensity) > 0.57


def test_baselines_know_that_silence_is_a_bad_sign(prepared):
    _, split, rows = prepared
    train = rows.at(split.train)
    rule = fit_baselines(train, TASK).outcomes(train)
    recency = train.values[:, train.names.index("rfm__days_since_purchase")]
    order = np.argsort(recency)
    assert (np.diff(rule["recency rule"][order]) >= 0).all()
    assert set(rule) == {"naive rule", "recency rule", "RFM logistic"}
    assert all(((values > 0) & (values < 1)).all() for values in rule.values())


def test_one_outcome_only_is_refused(prepared):
    store, split, rows = prepared
    mine = rows.select([feature.name for feature in CATALOGUE])
    lapsed = mine.take(mine.label == 1)
    with pytest.raises(NotEnoughDataError, match="training rows have only one outcome"):
        fit_model(lapsed.at(split.train), mine.at(split.valid), SETTINGS, FITTED, store)


def test_baselines_get_their_features_whatever_the_model_reads():
    mine = catalogue(FeaturesConfig(families=["kinds", "rfm"], windows_days=[7, 400]), FITTED)
    names = [feature.name for feature in add_baseline_features(mine, TASK, FITTED)]
    assert names[: len(mine)] == [feature.name for feature in mine]
    assert names[len(mine) :] == ["rfm__orders__365d", "rfm__amount__365d"]


def test_a_model_knows_its_features_and_refuses_others(prepared):
    model = trained(prepared)
    assert [feature.name for feature in model.catalogue] == list(model.names)
    with pytest.raises(UnsupportedModelError, match=r"have changed since .* \(kinds__days_since_view"):
        _ = replace(model, fitted=replace(FITTED, levels={})).catalogue


def test_a_folder_of_the_format_before_is_read_as_it_was(prepared, tmp_path):
    model = trained(prepared)
    model.save(tmp_path)
    document = json.loads((tmp_path / "model.json").read_text())
    assert (document.pop("format"), document.pop("kind")) == (4, "lightgbm")
    (tmp_path / "model.json").write_text(json.dumps({**document, "format": 3}))
    assert load_model(tmp_path) == model


def test_features_that_no_tree_splits_on_change_no_answer(prepared):
    model = trained(prepared)
    unused = [place for place, name in enumerate(model.names) if name not in model.names_used]
    values = prepared[2].select(model.names).values[:100]
    other = values.copy()
    other[:, unused] = np.random.default_rng(1).normal(size=(100, len(unused)))
    assert model.names_used
    assert model.predict(other).tobytes() == model.predict(values).tobytes()
    used = model.names.index(model.names_used[0])
    assert model.booster.feature_importance("split")[used] > 0


def test_folder_without_a_model_and_model_of_another_version_are_refused(prepared, tmp_path):
    with pytest.raises(InputError, match="No model in"):
        load_model(tmp_path)
    trained(prepared).save(tmp_path)
    told = (tmp_path / "model.json").read_text()
    (tmp_path / "model.json").write_text(told.replace('"format": 4', '"format": 99'))
    with pytest.raises(UnsupportedModelError, match="has format 99; this version reads 4 and 3"):
        load_model(tmp_path)
