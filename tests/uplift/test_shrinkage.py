import numpy as np
import pytest

from sintonia.uplift.log import Actions
from sintonia.uplift.shrinkage import constants, earned, likes, unexplained

RNG = np.random.default_rng(4)
N = 4000
TRUTH = np.column_stack([np.zeros(N), RNG.normal(size=N), RNG.normal(size=N)])
NOISE = np.column_stack([np.zeros(N), *RNG.normal(size=(2, N))])
ALL, CUSTOMER = np.ones((N, 3), bool), np.arange(N)


def test_differences_that_come_true_count_in_full_and_noise_for_nothing():
    left = TRUTH[:, 1] + 3 * RNG.normal(size=N)
    found = earned(left, np.column_stack([TRUTH[:, 1], NOISE[:, 1]]), CUSTOMER)
    assert found[0] == pytest.approx(1, abs=0.1)
    assert found[1] < 0.1
    assert earned(left, NOISE[:, [1]], CUSTOMER)[0] < 0.1


def test_differences_claimed_too_large_are_scaled_down_to_what_comes_true():
    assert earned(TRUTH[:, 1], 4 * TRUTH[:, [1]], CUSTOMER) == pytest.approx([0.25])


def test_two_opinions_that_are_each_half_of_it_count_both():
    assert earned(TRUTH[:, 1:].sum(axis=1), TRUTH[:, 1:], CUSTOMER) == pytest.approx([1, 1])


def test_differences_the_wrong_way_round_or_none_at_all_count_for_nothing():
    assert earned(TRUTH[:, 1], -TRUTH[:, [1]], CUSTOMER).tolist() == [0.0]
    assert earned(TRUTH[:, 1], np.zeros((N, 1)), CUSTOMER).tolist() == [0.0]


def test_a_slope_within_one_error_of_0_counts_for_nothing():
    # One customer made all the rows: nothing is confirmed by anybody else.
    assert earned(TRUTH[:, 1], (TRUTH + NOISE)[:, [1]], np.zeros(N, int)).tolist() == [0.0]


def test_what_effects_miss_is_told_apart_from_noise():
    raw = TRUTH + 3 * RNG.normal(size=TRUTH.shape)
    assert unexplained(raw, TRUTH, ALL, CUSTOMER)[1:].max() < 0.3
    halved = unexplained(raw, 0.5 * TRUTH, ALL, CUSTOMER)
    assert halved[0] == 0
    assert halved[1:] == pytest.approx([0.5, 0.5], abs=0.15)  # half of a standard normal is missing


def test_mean_effects_are_of_those_who_could_have_had_the_action():
    raw = np.array([[0, 1.0, 5.0], [0, 3.0, 7.0]])
    found, errors = constants(raw, np.array([[True, True, False], [True, True, False]]), np.array([1, 2]))
    assert found.tolist() == [0.0, 2.0, 0.0]
    assert errors[1] == pytest.approx(np.sqrt(2) * np.sqrt(2) / 2)
    assert np.isinf(errors[2])


def test_an_action_without_a_history_starts_from_its_likes():
    actions = Actions(
        ("none", "gift_5", "gift_6", "letter", "gift_7"),
        np.zeros(5),
        np.array([[0, 0, 0], [5, 1, 1], [6, 1, 1], [0, 0, 1], [7, 1, 1.0]]),
        ("worth", "is_gift", "by_mail"),
    )
    errors = np.array([0, 1, 1, 1.0])
    found = likes(actions, 4, errors)
    assert found.sum() == pytest.approx(1)
    assert found[2] > found[1] > found[3] > 0 == found[0]
    assert likes(actions, 4, np.array([0, 1, 9, 1]))[1] > found[1]  # less is believed of what is hardly known


def test_without_attributes_all_known_actions_are_alike():
    actions = Actions.of(["none", "a", "b", "c"])
    assert likes(actions, 3, np.array([0, 1.0, 1.0])).tolist() == [0, 0.5, 0.5]
    assert likes(actions, 3, np.array([0, np.inf, np.inf])).tolist() == [1, 0, 0]
