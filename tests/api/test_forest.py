"""The door's explainer agrees with LightGBM's own contributions, and refuses what it cannot explain in one line."""

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest

import sintonia as sn

OPTIONS = {"objective": "binary", "num_leaves": 5, "num_threads": 1, "verbose": -1, "min_data_in_leaf": 5}


@pytest.fixture(scope="module")
def rows():
    return np.random.default_rng(3).normal(size=(300, 4))


@pytest.fixture(scope="module")
def booster(rows):
    return lgb.train(OPTIONS, lgb.Dataset(rows, (rows[:, 0] * rows[:, 1] > 0).astype(int)), 8)


def test_contributions_are_those_of_lightgbm(booster, rows):
    expected = booster.predict(rows, pred_contrib=True)
    explainer = sn.ForestExplainer(booster, n_threads=1)
    np.testing.assert_allclose(explainer.shap_values(rows), expected[:, :-1], atol=1e-9)
    assert explainer.expected_value == pytest.approx(expected[0, -1])


def test_a_frame_has_the_contributions_of_its_numbers(booster, rows):
    rows = rows.astype(np.float32).astype(np.float64)
    explainer = sn.ForestExplainer(booster, n_threads=1)
    frame = pd.DataFrame(rows, columns=list("abcd"))
    np.testing.assert_array_equal(explainer.shap_values(frame), explainer.shap_values(rows))


@pytest.mark.parametrize("wrong", ["a model", 7])
def test_what_is_no_booster_is_refused(wrong):
    with pytest.raises(sn.SintoniaError, match="give a LightGBM Booster"):
        sn.ForestExplainer(wrong)


def test_rows_with_another_number_of_features_are_refused(booster, rows):
    with pytest.raises(sn.SintoniaError, match="the model reads 4 features"):
        sn.ForestExplainer(booster).shap_values(rows[:, :3])
