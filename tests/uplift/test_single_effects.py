"""Single effects of planted slopes: what is left of rewards moves with an action by 0.4 of one feature."""

import numpy as np
import pytest

from sintonia.uplift.slopes import MAX_EFFECTS, MIN_SLOPE, SingleEffectSlopes

RNG = np.random.default_rng(3)
N = 4000
APART = RNG.normal(size=(N, 12)).astype(np.float32)
TOLD = np.eye(3)[RNG.integers(0, 3, N)][:, 1:] - 1 / 3  # two actions and none, each for a third
NOISE = RNG.normal(size=N) / 3
ALONE = np.eye(2)


def learned(shares, standardized=APART, assigned=TOLD, patterns=ALONE):
    return SingleEffectSlopes(
        standardized, assigned, (assigned * shares).sum(axis=1) + NOISE, patterns
    ).learn()


def test_a_planted_slope_is_found_on_its_feature_and_for_its_action_and_the_mean_beside_it():
    slopes = learned(np.column_stack([0.2 + 0.4 * APART[:, 5], np.zeros(N)]))
    assert slopes.shape == (2, 13)
    assert slopes[0, [0, 6]] == pytest.approx([0.2, 0.4], abs=0.06)
    assert np.abs(np.delete(slopes[0, 1:], 5)).max() < 0.02
    assert np.abs(slopes[1]).max() < 0.1


def test_of_noise_alone_next_to_nothing_is_claimed():
    assert np.abs(learned(np.zeros((N, 2)))[:, 1:]).max() < 0.005  # one error of a slope is 0.011


def test_actions_in_one_pattern_share_one_slope():
    both = np.repeat(0.3 * APART[:, [2]], 2, axis=1)
    slopes = learned(both, patterns=np.ones((1, 2)))
    assert slopes[0, 1:] == pytest.approx(slopes[1, 1:])
    assert slopes[0, 3] == pytest.approx(0.3, abs=0.05)


def test_twins_share_what_they_explain_for_nothing_tells_which_of_them_it_is():
    twins = APART.copy()
    twins[:, 7] = twins[:, 5]
    slopes = learned(np.column_stack([0.4 * APART[:, 5], np.zeros(N)]), standardized=twins)
    assert slopes[0, 6] == pytest.approx(slopes[0, 8])
    assert slopes[0, 6] + slopes[0, 8] == pytest.approx(0.4, abs=0.06)


def test_there_are_at_most_so_many_single_effects_and_no_slope_too_faint_to_matter():
    slopes = learned(np.column_stack([0.3 * APART.sum(axis=1), np.zeros(N)]))
    assert slopes[0, 1:].sum() == pytest.approx(0.3 * MAX_EFFECTS, abs=0.15)  # of twelve
    assert np.abs(slopes[:, 1:][slopes[:, 1:] != 0]).min() >= MIN_SLOPE


def test_an_action_nobody_could_get_learns_nothing_from_the_others():
    told = TOLD.copy()
    told[:, 1] = 0
    slopes = learned(np.repeat(0.3 * APART[:, [2]], 2, axis=1), assigned=told, patterns=np.ones((1, 2)))
    assert slopes[0].any()
    assert not slopes[1].any()
