"""Effects of planted actions are found in the order of `actions_`."""

import numpy as np
import pytest
from sklearn.base import clone

import sintonia as sn


def log(n=600):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(n, 2))
    action = rng.choice(["hold", "call", "mail"], n)
    reward = 5 + 3.0 * (action == "mail") + rng.normal(size=n)
    return x, action, reward


def learner():
    return sn.EffectLearner(reference="hold", model={"max_trees": 20, "threads": 1})


def test_effects_are_in_the_order_of_the_actions_and_0_for_the_reference():
    x, action, reward = log()
    learned = learner().fit(x, action, reward, logging_propensity=np.full((600, 3), 1 / 3))
    effects = learned.effect(x)
    assert learned.actions_ == ["hold", "call", "mail"]
    assert effects.shape == (600, 3)
    assert (effects[:, 0] == 0).all()
    assert abs(effects[:, 2].mean() - 3) < 0.5
    assert abs(effects[:, 1].mean()) < 0.5
    again = learner().fit(x, action, reward, logging_propensity=np.full(600, 1 / 3))
    np.testing.assert_array_equal(again.effect(x), effects)


def test_propensities_that_are_not_given_are_estimated_with_a_warning(caplog):
    x, action, reward = log()
    learned = learner().fit(x, action, reward)
    assert "propensities were not logged" in caplog.text
    assert abs(learned.effect(x)[:, 2].mean() - 3) < 0.5


def test_parameters_are_those_of_an_estimator():
    assert clone(learner()).get_params()["reference"] == "hold"
    assert learner().set_params(folds=3).folds == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reference": "hodl"}, "did you mean 'hold'"),
        ({"model": {"num_leafs": 3}}, "did you mean 'num_leaves'"),
    ],
)
def test_wrong_parameters_are_refused(changes, message):
    with pytest.raises(sn.SintoniaError, match=message):
        learner().set_params(**changes).fit(*log(), logging_propensity=np.full(600, 1 / 3))
