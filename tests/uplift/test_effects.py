from dataclasses import replace

import numpy as np
import pytest

from sintonia.core.config import ModelConfig
from sintonia.core.errors import InputError, NotEnoughDataError
from sintonia.uplift.learning import learn_effects
from sintonia.uplift.logged import Actions
from uplift.planted import NAMES, effects_of, planted

LESS = {"min_data_in_leaf": 50, "bagging_fraction": 0.8, "lambda_l2": 5.0}
MODEL = ModelConfig(
    num_leaves=7, max_trees=120, early_stopping_rounds=15, feature_fraction=1.0, **LESS, threads=1
)


def learn(seed):
    log, _ = planted(4000, heterogeneity=0.8, seed=seed)
    return learn_effects(log, MODEL, folds=5)


@pytest.fixture(scope="module")
def learned():
    return learn(2)


@pytest.fixture(scope="module")
def others():
    log, _ = planted(3000, heterogeneity=0.8, seed=3)
    return log.values, effects_of(log.values, 0.8)


def test_planted_effects_are_found_for_customers_never_seen(learned, others):
    values, truth = others
    found = learned.predict(values)
    assert not found[:, 0].any()
    for place in (1, 2, 3):
        assert np.corrcoef(found[:, place], truth[:, place])[0, 1] > 0.8
    # The mean of one log has a standard error of 0.08 for the last action, that of three logs 0.05.
    means = np.mean([found, *(learn(seed).predict(values) for seed in (20, 21))], axis=(0, 1))
    assert means == pytest.approx(truth.mean(axis=0), abs=0.1)


def test_intervals_of_the_effects_hold_most_of_the_truth(learned, others):
    values, truth = others
    low, high = learned.intervals(values)
    held = ((low <= truth) & (truth <= high))[:, 1:]
    assert held.mean() > 0.85  # of intervals said to be of 95 %: leaves cannot follow a slope to its ends
    assert (high - low)[:, 1:].mean() < 2.5  # the effects themselves reach over more than 6
    assert not low[:, 0].any()


def test_expected_rewards_tell_who_brings_more(learned, others):
    values, _ = others
    assert np.corrcoef(learned.expected(values)[:, 0], values[:, 2])[0, 1] > 0.9


def test_without_planted_differences_hardly_any_are_claimed():
    log, _ = planted(3000, heterogeneity=0.0, seed=5)
    found = learn_effects(log, MODEL, folds=3).predict(log.values)
    assert found[:, 1:].std(axis=0).max() < 0.1
    assert found[:, 1:].mean(axis=0) == pytest.approx([0.4, 0.3, 0.2], abs=0.15)


def test_an_action_nobody_had_yet_starts_from_the_mean_of_its_likes(learned, others):
    values, _ = others
    wider = learned.with_actions(Actions.of([*NAMES, "letter"], [*learned.actions.costs, 0.1]))
    found = wider.predict(values)
    assert found[:, :4] == pytest.approx(learned.predict(values))
    weights = 1 / learned.errors[1:] ** 2
    assert found[:, 4] == pytest.approx(found[:, 1:4] @ (weights / weights.sum()))
    assert np.isinf(wider.errors[4])


def test_other_actions_than_those_learned_are_refused(learned):
    with pytest.raises(InputError, match="list these first"):
        learned.with_actions(Actions.of(["none", "letter"]))


def test_learning_twice_gives_the_same_trees():
    log, _ = planted(600, heterogeneity=0.5, seed=6)
    one, other = (learn_effects(log, MODEL, folds=2) for _ in range(2))
    assert one.full.outcome.trees == other.full.outcome.trees
    assert one.predict(log.values).tobytes() == other.predict(log.values).tobytes()


def test_a_log_that_left_hardly_anybody_alone_is_refused():
    log, _ = planted(600, heterogeneity=0.5, seed=6)
    with pytest.raises(NotEnoughDataError, match="to do nothing"):
        learn_effects(log.take(log.action > 0), MODEL)


def test_costs_change_no_effect():
    log, _ = planted(600, heterogeneity=0.5, seed=6)
    dear = replace(log, actions=replace(log.actions, costs=log.actions.costs + np.array([0, 5, 5, 5])))
    one, other = (learn_effects(each, MODEL, folds=2).predict(log.values) for each in (log, dear))
    assert one.tolist() == other.tolist()
