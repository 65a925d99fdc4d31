import numpy as np
import pytest

from sintonia.uplift.logged import Actions
from sintonia.uplift.shrinkage import (
    james_stein_means,
    mean_effects,
    similar_action_weights,
    stacking_weights,
    unexplained_deviation,
)

RNG = np.random.default_rng(4)
N = 4000
TRUTH = np.column_stack([np.zeros(N), RNG.normal(size=N), RNG.normal(size=N)])
NOISE = np.column_stack([np.zeros(N), *RNG.normal(size=(2, N))])
ALL, CUSTOMER = np.ones((N, 3), bool), np.arange(N)


def test_differences_that_come_true_count_in_full_and_noise_for_nothing():
    left = TRUTH[:, 1] + 3 * RNG.normal(size=N)
    found = stacking_weights(left, np.column_stack([TRUTH[:, 1], NOISE[:, 1]]), CUSTOMER)
    assert found[0] == pytest.approx(1, abs=0.1)
    assert found[1] < 0.1
    assert stacking_weights(left, NOISE[:, [1]], CUSTOMER)[0] < 0.1


def test_differences_claimed_too_large_are_scaled_down_to_what_comes_true():
    assert stacking_weights(TRUTH[:, 1], 4 * TRUTH[:, [1]], CUSTOMER) == pytest.approx([0.25])


def test_two_opinions_that_are_each_half_of_it_count_both():
    assert stacking_weights(TRUTH[:, 1:].sum(axis=1), TRUTH[:, 1:], CUSTOMER) == pytest.approx([1, 1])


def test_differences_the_wrong_way_round_or_none_at_all_count_for_nothing():
    assert stacking_weights(TRUTH[:, 1], -TRUTH[:, [1]], CUSTOMER).tolist() == [0.0]
    assert stacking_weights(TRUTH[:, 1], np.zeros((N, 1)), CUSTOMER).tolist() == [0.0]


def test_a_slope_within_one_error_of_0_counts_for_nothing():
    # One customer made all the rows: nothing is confirmed by anybody else.
    assert stacking_weights(TRUTH[:, 1], (TRUTH + NOISE)[:, [1]], np.zeros(N, int)).tolist() == [0.0]


def test_what_effects_miss_is_told_apart_from_noise():
    raw = TRUTH + 3 * RNG.normal(size=TRUTH.shape)
    assert unexplained_deviation(raw, TRUTH, ALL, CUSTOMER)[1:].max() < 0.3
    halved = unexplained_deviation(raw, 0.5 * TRUTH, ALL, CUSTOMER)
    assert halved[0] == 0
    assert halved[1:] == pytest.approx([0.5, 0.5], abs=0.15)  # half of a standard normal is missing


def test_mean_effects_are_of_those_who_could_have_had_the_action():
    raw = np.array([[0, 1.0, 5.0], [0, 3.0, 7.0]])
    found, errors = mean_effects(raw, np.array([[True, True, False], [True, True, False]]), np.array([1, 2]))
    assert found.tolist() == [0.0, 2.0, 0.0]
    assert errors[1] == pytest.approx(np.sqrt(2) * np.sqrt(2) / 2)
    assert np.isinf(errors[2])


def four_customers(miss):
    """Scores of three actions and none, whose means have errors of 1 each and nothing in common."""
    apart = np.sqrt(3) * np.array([[0, 1, 1, 1], [0, 1, -1, -1], [0, -1, 1, -1], [0, -1, -1, 1.0]])
    said = np.tile([0.0, 4.0, 5.0, 6.0], (4, 1))
    return said + apart + [0, *miss], said


def test_scores_correct_what_was_said_as_far_as_chance_does_not_explain_it():
    everybody = np.ones((4, 4), bool)
    raw, said = four_customers([1, 1, 1])  # d' S^-1 d is 3, of three actions: 1 - 1 / 3 counts
    assert james_stein_means(raw, said, everybody, np.arange(4)) == pytest.approx(
        [0, 4 + 2 / 3, 5 + 2 / 3, 6 + 2 / 3]
    )
    raw, said = four_customers([0.5, 0.5, 0.5])  # 0.75: chance does more than that
    assert james_stein_means(raw, said, everybody, np.arange(4)) == pytest.approx([0, 4, 5, 6])
    raw, said = four_customers([30, 0, 0])
    assert james_stein_means(raw, said, everybody, np.arange(4)) == pytest.approx([0, 34, 5, 6], abs=0.04)


def test_one_or_two_actions_have_the_means_of_their_scores_and_one_nobody_could_have_0():
    raw, said = four_customers([0.1, 0.2, 0.3])
    two = np.tile([True, True, True, False], (4, 1))
    assert james_stein_means(raw, said, two, np.arange(4)) == pytest.approx([0, 4.1, 5.2, 0])
    assert james_stein_means(said, said, np.ones((4, 4), bool), np.arange(4)).tolist() == [0, 4, 5, 6]


def test_customers_with_many_decisions_count_once_in_what_chance_explains():
    raw, said = four_customers([1, 1, 1])
    again, everybody = np.repeat(np.arange(4), 5), np.ones((20, 4), bool)
    once = james_stein_means(raw, said, everybody[:4], np.arange(4))
    assert james_stein_means(raw[again], said[again], everybody, again) == pytest.approx(once)


def test_an_action_without_a_history_starts_from_its_likes():
    actions = Actions(
        ("none", "gift_5", "gift_6", "letter", "gift_7"),
        np.zeros(5),
        np.array([[0, 0, 0], [5, 1, 1], [6, 1, 1], [0, 0, 1], [7, 1, 1.0]]),
        ("worth", "is_gift", "by_mail"),
    )
    errors = np.array([0, 1, 1, 1.0])
    found = similar_action_weights(actions, 4, errors)
    assert found.sum() == pytest.approx(1)
    assert found[2] > found[1] > found[3] > 0 == found[0]
    assert (
        similar_action_weights(actions, 4, np.array([0, 1, 9, 1]))[1] > found[1]
    )  # less is believed of what is hardly known


def test_without_attributes_all_known_actions_are_alike():
    actions = Actions.of(["none", "a", "b", "c"])
    assert similar_action_weights(actions, 3, np.array([0, 1.0, 1.0])).tolist() == [0, 0.5, 0.5]
    assert similar_action_weights(actions, 3, np.array([0, np.inf, np.inf])).tolist() == [1, 0, 0]
