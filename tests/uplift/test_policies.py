import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sintonia.uplift.logged import Actions
from sintonia.uplift.policies import (
    action_shares,
    best_gain,
    constant_policy,
    draw_actions,
    gains,
    softmax,
    thompson,
    top_share,
    uniform_policy,
    with_floor,
)


@st.composite
def choices(draw_):
    n, k = draw_(st.integers(1, 8)), draw_(st.integers(2, 5))
    rng = np.random.default_rng(draw_(st.integers(0, 2**32 - 1)))
    eligible = rng.random((n, k)) < 0.6
    eligible[:, 0] = True
    found = rng.normal(size=(n, k))
    found[:, 0] = 0
    return found, eligible


@given(choices(), st.floats(0, 0.5))
def test_every_policy_is_a_probability_and_never_of_what_is_not_eligible(made, floor):
    found, eligible = made
    last = eligible.shape[1] - 1
    policies = [
        constant_policy(eligible, last),
        uniform_policy(eligible),
        best_gain(found, eligible, 0.3),
        softmax(found, eligible, 0.5, floor),
        thompson(found, np.abs(found), eligible, floor, draws=20),
        top_share(found[:, last], eligible, last, 0.5),
        with_floor(best_gain(found, eligible), eligible, floor),
    ]
    for policy in policies:
        assert policy.sum(axis=1) == pytest.approx(1)
        assert policy.min() >= 0
        assert not policy[~eligible].any()
    for explores in (softmax(found, eligible, 0.5, floor), policies[-1]):
        least = np.minimum(floor, 1 / eligible.sum(axis=1, keepdims=True)) * eligible
        assert (explores >= least - 1e-12).all()


def test_a_gain_is_effect_times_value_less_cost_and_nothing_costs_nothing():
    found = gains(np.array([[0.0, 0.1]]), Actions.of(["none", "mail"], [0, 0.5]), value=20)
    assert found.tolist() == [[0.0, 1.5]]


def test_where_the_constant_action_is_not_eligible_nothing_is_done():
    assert constant_policy(np.array([[True, True], [True, False]]), 1).tolist() == [[0, 1], [1, 0]]


def test_softmax_prefers_e_times_as_much_for_each_temperature_of_gain():
    found = softmax(np.array([[0.0, 2.0]]), np.ones((1, 2), bool), temperature=2.0)
    assert found[0, 1] / found[0, 0] == pytest.approx(np.e)


def test_thompson_takes_an_action_as_often_as_it_is_best_given_its_error():
    # A gain of one standard error above nothing is positive in 84.1 % of the draws.
    found = thompson(np.array([[0.0, 1.0]]), np.array([[0.0, 1.0]]), np.ones((1, 2), bool), draws=4000)
    assert found[0, 1] == pytest.approx(0.841, abs=0.02)


def test_a_response_score_treats_the_highest_scores_with_one_action():
    score = np.array([0.1, 0.9, 0.5, 0.7])
    assert top_share(score, np.ones((4, 3), bool), 2, 0.5)[:, 2].tolist() == [0, 1, 0, 1]


def test_actions_are_drawn_as_often_as_the_policy_says_and_the_same_for_the_same_customer():
    policy = np.tile([0.2, 0.5, 0.3], (30_000, 1))
    customers = np.arange(30_000)
    drawn = draw_actions(policy, customers, salt=5)
    assert np.bincount(drawn) / 30_000 == pytest.approx([0.2, 0.5, 0.3], abs=0.01)
    assert draw_actions(policy[::-1], customers[::-1], salt=5)[::-1].tolist() == drawn.tolist()
    assert action_shares(np.eye(3)[drawn], ("none", "a", "b"))["a"] == pytest.approx(0.5, abs=0.01)
