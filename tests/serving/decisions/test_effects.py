"""Effects of the registered policy reach the decision: by customer where that was earned, else the same for all."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from serving.decisions.small import NOON, event, small_store
from sintonia.core.config import EffectsConfig, EngineConfig, FeaturesConfig, ModelConfig
from sintonia.features import Fitted, catalogue, compute_features
from sintonia.serving.decisions.effects import effect_intervals, effects_matrix
from sintonia.uplift.effects_table import effects_table
from sintonia.uplift.learning import learn_effects
from sintonia.uplift.model import PolicyModel
from uplift.planted import planted

FEATURES = FeaturesConfig(families=["rfm"], windows_days=[365])
FITTED = Fitted(NOON, {"kind": ("purchase",), "channel": ("web",)})
NAMES = tuple(feature.name for feature in catalogue(FEATURES, FITTED))


@pytest.fixture(scope="module")
def model():
    logged, _ = planted(400, heterogeneity=0.8, seed=4)
    quick = ModelConfig(num_leaves=7, max_trees=20, early_stopping_rounds=5, threads=1)
    values = np.random.default_rng(1).normal(size=(len(logged), len(NAMES))).astype(np.float32)
    values[:, :5] = logged.values
    effects = learn_effects(replace(logged, values=values), quick, folds=2)
    return PolicyModel(effects, True, 1, EffectsConfig(), FEATURES, FITTED, NAMES, "toy", "abc", False)


def _store(folder):
    rows = [
        event(who, days, "purchase", amount=1000 * days) for who, days in (("A", 3), ("A", 40), ("B", 200))
    ]
    return small_store(folder, rows, customers=["STRANGER"])


IDS = pa.array(["A", "B", "STRANGER"])


def _effects(store, model, actions):
    table = effects_table(store, model, NOON, EngineConfig(threads=1))
    return effects_matrix(table, IDS, actions, "it")


def test_each_customer_gets_the_effects_of_its_own_features(model, tmp_path):
    store = _store(tmp_path)
    found = _effects(store, model, ["none", "fax", "call", "mail"])
    table = compute_features(store.read_bucket(store.buckets[0]), [NOON], catalogue(FEATURES, FITTED))
    values = np.column_stack([table[name].to_numpy() for name in NAMES]).astype(np.float32)
    said = dict(zip(model.effects.actions.names, model.effects.predict(values).T, strict=True))
    assert found[:2, 0].tolist() == [0, 0]
    assert found[:2, 2] == pytest.approx(said["call"])
    assert found[:2, 3] == pytest.approx(said["mail"])
    assert np.isnan(found[:, 1]).all()  # the log had no fax
    assert np.isnan(found[2, 1:]).all()  # nothing is known of the stranger


def test_where_no_policy_of_its_own_was_earned_effects_are_the_same_for_all(model, tmp_path):
    refused = replace(model, passed=False)
    found = _effects(_store(tmp_path), refused, ["none", "call"])
    call = model.effects.full.constants[model.effects.actions.names.index("call")]
    assert found[:2].tolist() == [[0, pytest.approx(call)]] * 2


def test_what_a_customer_gets_is_told_with_the_interval_of_its_effect(model, tmp_path):
    table = effects_table(_store(tmp_path), model, NOON, EngineConfig(threads=1))
    told = {(row["customer_id"], row["action_id"]): row for row in table.to_pylist()}
    found = effect_intervals(table, IDS, np.array([1, 0, 1]), ["none", "call"])
    for who, action, low, high in zip(
        IDS.to_pylist(), ("call", "none", "call"), *map(pa.Array.to_pylist, found.values()), strict=True
    ):
        row = told.get((who, action))
        assert (low, high) == ((row["effect_low"], row["effect_high"]) if row else (None, None))
    assert found["effect_low"][0].as_py() < told["A", "call"]["effect"] < found["effect_high"][0].as_py()


def test_where_effects_are_the_same_for_all_so_are_their_intervals(model, tmp_path):
    table = effects_table(_store(tmp_path), replace(model, passed=False), NOON, EngineConfig(threads=1))
    calls = [row for row in table.to_pylist() if row["action_id"] == "call"]
    place = model.effects.actions.names.index("call")
    widths = [row["effect_high"] - row["effect_low"] for row in calls]
    assert widths == pytest.approx([2 * 1.959964 * model.effects.errors[place]] * 2)


def test_a_table_without_intervals_tells_none():
    table = pa.table({"customer_id": ["A"], "action_id": ["call"], "effect": [1.0]})
    assert [
        one.to_pylist() for one in effect_intervals(table, IDS, np.ones(3, int), ["none", "call"]).values()
    ] == [[None] * 3] * 2
