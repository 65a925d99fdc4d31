"""Effects taken apart by feature: the parts add up, and belong to the features that make the difference."""

from dataclasses import replace

import numpy as np
import pytest

from sintonia.core.config import ModelConfig
from sintonia.uplift.effect_contributions import effect_contributions
from sintonia.uplift.learning import learn_effects
from sintonia.uplift.logged import Actions, LoggedDecisions

MODEL = ModelConfig(
    num_leaves=8,
    learning_rate=0.2,
    feature_fraction=1.0,
    max_trees=40,
    min_data_in_leaf=20,
    early_stopping_rounds=5,
    threads=1,
)


@pytest.fixture(scope="module")
def learned():
    """The mail brings 4 to those whose first feature is high, and takes 1 from the others; the call brings 1."""
    rng = np.random.default_rng(3)
    values = rng.normal(size=(3000, 4)).astype(np.float32)
    values[rng.random(values.shape) < 0.05] = np.nan
    action = rng.integers(3, size=3000)
    effect = np.where(action == 1, np.where(np.nan_to_num(values[:, 0]) > 0, 4, -1), action == 2)
    reward = 5 + np.nan_to_num(values[:, 1]) + effect + rng.normal(size=3000)
    log = LoggedDecisions(
        values=values,
        action=action,
        reward=reward,
        logging_propensities=np.full((3000, 3), 1 / 3),
        customer=np.arange(3000),
        actions=Actions(("none", "mail", "call"), np.zeros(3), np.eye(3)[:, 1:], ("by_mail", "by_phone")),
    )
    return learn_effects(log, MODEL, folds=3, seed=1), values[:400]


@pytest.mark.parametrize(
    "weights", [None, (1.0, 0.0, 0.0), (0.0, 0.7, 0.0), (0.0, 0.0, 0.5), (0.3, 0.4, 0.2)]
)
def test_mean_own_and_features_add_up_to_the_effect_whatever_opinion_counts(learned, weights):
    effects, values = learned
    if weights is not None:
        effects = replace(effects, full=replace(effects.full, weights=np.array(weights)))
    action = np.arange(len(values)) % 2 + 1
    found = effect_contributions(effects, values, action)
    said = effects.predict(values)[np.arange(len(values)), action]
    assert found.effect == pytest.approx(said, abs=1e-6)
    assert np.ptp(found.values) > 0.1


def test_what_makes_the_difference_is_said_to(learned):
    effects, values = learned
    sizes = np.abs(effect_contributions(effects, values, np.ones(len(values), np.int64)).values).mean(axis=0)
    assert sizes.argmax() == 0
    assert sizes[0] > 3 * sizes[1:].max()


def test_an_effect_that_is_the_same_for_everybody_has_no_parts(learned):
    effects, values = learned
    alike = replace(effects, full=replace(effects.full, weights=np.zeros(3)))
    found = effect_contributions(alike, values, np.ones(len(values), np.int64))
    assert not found.values.any()
    assert found.effect == pytest.approx(np.full(len(values), alike.constants[1]), abs=1e-12)
