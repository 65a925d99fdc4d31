import json
from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest

from sintonia.core.config import EffectsConfig, FeaturesConfig, ModelConfig, RewardConfig
from sintonia.core.errors import InputError, UnsupportedModelError
from sintonia.features import Fitted
from sintonia.registry.models import load_model
from sintonia.registry.pyfunc import _load_pyfunc
from sintonia.uplift.learning import learn_effects
from sintonia.uplift.logged import Actions
from sintonia.uplift.model import PolicyModel
from uplift.planted import NAMES, planted

LOG, _ = planted(800, heterogeneity=0.8, seed=4)
LESS = {"min_data_in_leaf": 50, "bagging_fraction": 0.8, "lambda_l2": 5.0}
MODEL = ModelConfig(
    num_leaves=7, max_trees=40, early_stopping_rounds=5, feature_fraction=1.0, **LESS, threads=1
)


@pytest.fixture(scope="module")
def policy():
    effects = learn_effects(LOG, MODEL, folds=2)
    return PolicyModel(
        effects=effects.with_actions(Actions.of([*NAMES, "letter"])),
        passed=True,
        constant_action=1,
        config=EffectsConfig(name="thompson", floor=0.01, reward=RewardConfig(horizon_days=7)),
        features=FeaturesConfig(families=["rfm"], windows_days=[7]),
        fitted=Fitted(datetime(2025, 1, 1), {}),
        names=("a", "b", "c", "d", "e"),
        source="toy",
        fingerprint="abc",
        observational=False,
    )


@pytest.mark.parametrize("passed", [True, False])
def test_a_policy_comes_back_from_disk_as_it_was(policy, tmp_path, passed):
    kept = replace(policy, passed=passed)
    kept.save(tmp_path)
    found = PolicyModel.load(tmp_path)
    assert (found.config, found.features, found.fitted, found.names) == (
        kept.config,
        kept.features,
        kept.fitted,
        kept.names,
    )
    eligible = np.ones((50, 5), bool)
    assert found.predict(LOG.values[:50]).tolist() == kept.predict(LOG.values[:50]).tolist()
    assert found.policy(LOG.values[:50], eligible).tolist() == kept.policy(LOG.values[:50], eligible).tolist()
    assert np.isinf(found.effects.errors[-1])
    assert not list(tmp_path.glob("*.pkl"))


def test_mlflows_users_get_a_gain_for_each_action(policy, tmp_path):
    import pandas as pd

    policy.save(tmp_path)
    found = _load_pyfunc(str(tmp_path)).predict(pd.DataFrame(LOG.values[:3], columns=list("abcde")))
    assert list(found.columns) == ["gain_none", "gain_mail", "gain_call", "gain_gift", "gain_letter"]
    assert found["gain_none"].tolist() == [0, 0, 0]
    assert found.to_numpy() == pytest.approx(policy.predict(LOG.values[:3]))


def test_a_policy_of_the_format_before_is_read_as_it_was(policy, tmp_path):
    policy.save(tmp_path)
    document = json.loads((tmp_path / "model.json").read_text())
    assert (document.pop("format"), document.pop("kind")) == (4, "policy")
    del document["task"]
    (tmp_path / "model.json").unlink()
    (tmp_path / "policy.json").write_text(json.dumps({**document, "format": 2}))
    found = load_model(tmp_path)
    assert found.task.name == "next_best_action"
    assert found.predict(LOG.values[:50]).tolist() == policy.predict(LOG.values[:50]).tolist()


def test_features_that_no_part_of_a_policy_looks_at_change_no_gain(policy):
    used = [policy.names.index(name) for name in policy.names_used]
    other = np.full_like(LOG.values[:50], 7.0)
    other[:, used] = LOG.values[:50, used]
    assert policy.predict(other).tolist() == policy.predict(LOG.values[:50]).tolist()
    assert policy.contributions(other) is None
    assert policy.predict(other[:0]).shape == (0, 5)


def test_a_folder_without_a_policy_and_one_of_another_format_are_refused(policy, tmp_path):
    with pytest.raises(InputError, match="No model in"):
        PolicyModel.load(tmp_path)
    policy.save(tmp_path)
    document = (tmp_path / "model.json").read_text().replace('"format": 4', '"format": 99')
    (tmp_path / "model.json").write_text(document)
    with pytest.raises(UnsupportedModelError, match="format 99"):
        PolicyModel.load(tmp_path)
