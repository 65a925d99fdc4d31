"""Explanations: law 6, ties, missing values and words."""

from typing import NamedTuple

import lightgbm
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sintonia.core.errors import InputError, UnsupportedModelError
from sintonia.explain.contributions import (
    Contributions,
    contributions,
    feature_swarms,
    format_value,
    importance,
    shap_explanation,
)
from sintonia.training import forest


class Words(NamedTuple):
    definition: str
    unit: str
    missing: str


CATALOGUE = {
    "rfm__days_since_purchase": Words("Days since the last order", "days", "no order yet"),
    "rfm__amount__90d": Words("Money spent in the last 90 days", "cents", ""),
}
LEVELS = ["web", "store", "phone", "app"]


def frame(rows=400, seed=0):
    """Numbers with missing values, a category with one too, and a column that says nothing."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "recency": np.where(rng.random(rows) < 0.2, np.nan, rng.integers(0, 90, rows)),
            "orders": rng.integers(0, 9, rows).astype(np.float32),
            "channel": pd.Categorical(rng.choice([*LEVELS, None], rows), categories=LEVELS),
            "constant": np.ones(rows),
        }
    )
    odds = (
        -1 + 0.02 * table["recency"].fillna(120) - 0.3 * table["orders"] + 1.0 * (table["channel"] == "phone")
    )
    return table, (rng.random(rows) < 1 / (1 + np.exp(-odds))).astype(int)


FEATURES, LABELS = frame()


def train(**params):
    settled = {"objective": "binary", "verbose": -1, "num_leaves": 7, "num_threads": 1, "min_data_in_leaf": 5}
    return lightgbm.train(settled | params, lightgbm.Dataset(FEATURES, LABELS), num_boost_round=20)


BOOSTER = train(min_data_per_group=5, cat_smooth=1)
FOUND = contributions(BOOSTER, FEATURES)


@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.floats(-1e6, 1e6)),
            st.floats(0, 1e6, width=32),
            st.sampled_from([*LEVELS, None]),
        ),
        min_size=1,
        max_size=12,
    )
)
@settings(max_examples=60, deadline=None)
def test_contributions_and_base_sum_to_the_raw_score_for_any_values(rows):
    table = pd.DataFrame(rows, columns=["recency", "orders", "channel"]).assign(constant=1.0)
    table["channel"] = pd.Categorical(table["channel"], categories=LEVELS)
    table["recency"] = table["recency"].astype(float)
    found = contributions(BOOSTER, table)
    raw = BOOSTER.predict(table, raw_score=True)
    assert np.allclose(found.base + found.values.sum(axis=1), raw, rtol=0, atol=1e-9)


def test_the_base_is_the_mean_raw_score_over_the_training_rows():
    assert BOOSTER.predict(FEATURES, raw_score=True).mean() == pytest.approx(FOUND.base, abs=1e-6)


def test_a_model_that_learnt_nothing_has_no_contributions():
    nothing = train(min_data_in_leaf=1000)
    found = contributions(nothing, FEATURES)
    assert not found.values.any()
    assert feature_swarms(found, FEATURES) == []


def test_a_long_array_is_explained_alike_by_the_forest_engine():
    rng = np.random.default_rng(5)
    values = rng.normal(size=(forest.ROWS_TO_EXPLAIN, 3))
    booster = lightgbm.train(
        {"objective": "binary", "verbosity": -1, "num_threads": 1},
        lightgbm.Dataset(values, (values[:, 0] + values[:, 1] > 0).astype(int)),
        num_boost_round=3,
    )
    whole, part = contributions(booster, values), contributions(booster, values[:50])
    np.testing.assert_allclose(whole.values[:50], part.values, rtol=0, atol=1e-12)
    assert whole.base == pytest.approx(part.base, abs=1e-12)


def test_neither_contributions_nor_features_are_changed():
    values, table = FOUND.values.copy(), FEATURES.copy()
    feature_swarms(FOUND, FEATURES)
    assert np.array_equal(values, FOUND.values)
    pd.testing.assert_frame_equal(table, FEATURES)


def test_numbers_are_shown_in_few_digits():
    assert [format_value(x, "days") for x in (0.0, 3.0, 3.14159, 31.4, 314.15, 31415.0)] == [
        "0",
        "3",
        "3.1",
        "31",
        "314",
        "31,415",
    ]
    assert format_value(-250.0, "cents") == "-2.50"


def test_importance_is_the_mean_size_largest_first():
    two = Contributions(("a", "b"), np.array([[0.1, -0.4], [-0.1, 0.2]]), 0.0)
    assert importance(two) == [("b", pytest.approx(0.3)), ("a", pytest.approx(0.1))]


def test_a_swarm_ranks_values_from_0_to_1_and_leaves_missing_ones_and_categories_without():
    found = feature_swarms(FOUND, FEATURES, rows=100)
    by_name = {swarm.feature: swarm for swarm in found}
    assert {len(s.contributions) for s in found} == {100}
    recency = [rank for rank in by_name["recency"].ranks if rank is not None]
    assert (min(recency), max(recency)) == (0.0, 1.0)
    assert None in by_name["recency"].ranks
    assert set(by_name["channel"].ranks) == {None}
    assert "constant" not in by_name


def test_a_swarm_is_sorted_so_that_nobody_can_be_followed_and_repeats_with_its_seed():
    found = feature_swarms(FOUND, FEATURES, rows=50)
    assert all(list(s.contributions) == sorted(s.contributions) for s in found)
    assert found == feature_swarms(FOUND, FEATURES, rows=50)
    assert found != feature_swarms(FOUND, FEATURES, rows=50, seed=8)


@pytest.mark.filterwarnings("ignore")
def test_shap_gets_the_same_numbers():
    matrix = FEATURES[["recency", "orders"]].to_numpy()
    explanation = shap_explanation(Contributions(("r", "o"), FOUND.values[:, :2], FOUND.base), matrix)
    assert explanation.values.shape == (400, 2)
    assert explanation.base_values[0] == FOUND.base
    assert explanation.feature_names == ["r", "o"]


def test_columns_that_are_not_the_models_and_empty_tables_are_refused():
    with pytest.raises(InputError, match=r"4 features \(recency, orders, channel, \.\.\.\); the table has 3"):
        contributions(BOOSTER, FEATURES.drop(columns="constant"))
    with pytest.raises(InputError, match="no rows to explain"):
        contributions(BOOSTER, FEATURES.iloc[:0])


def test_a_model_with_several_outputs_is_refused():
    data = lightgbm.Dataset(FEATURES[["orders"]].to_numpy(), np.arange(400) % 3)
    many = lightgbm.train({"objective": "multiclass", "num_class": 3, "verbose": -1}, data, num_boost_round=2)
    with pytest.raises(UnsupportedModelError, match="3 outputs"):
        contributions(many, FEATURES[["orders"]].to_numpy())
