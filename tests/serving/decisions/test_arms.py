"""The holdout stays, explorers draw with the probabilities that are logged, and never more than there is."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sintonia.serving.decisions.allocation import Limit
from sintonia.serving.decisions.arms import EXPLORE, HOLDOUT, draw_arms, draw_exploration, hashed_uniforms


def test_the_holdout_is_the_same_in_every_round_and_of_its_size():
    customers = pa.array([f"C{at}" for at in range(4000)])
    sticky = hashed_uniforms("salt", customers)[:, 0]
    rounds = [
        draw_arms(sticky, hashed_uniforms(f"round {at}", customers)[:, 0], 0.05, 0.1) for at in range(2)
    ]
    held, again = (arm == HOLDOUT for arm in rounds)
    assert held.tolist() == again.tolist()
    assert held.mean() == pytest.approx(0.05, abs=0.015)
    assert (rounds[0] == EXPLORE).mean() == pytest.approx(0.095, abs=0.02)
    assert (rounds[0] != rounds[1]).any()


def test_a_customer_s_numbers_depend_on_salt_and_id_alone():
    ids = pa.array(["A", "B"])
    both = hashed_uniforms("s", ids, 2)
    assert both[1].tolist() == hashed_uniforms("s", ids.slice(1), 2)[0].tolist()
    assert both[0].tolist() != hashed_uniforms("t", ids.slice(0, 1), 2)[0].tolist()
    assert ((both >= 0) & (both < 1)).all()


def test_without_limits_every_allowed_option_is_as_likely_as_the_other():
    allowed = np.array([[True, True, False], [True, True, True]])
    found = draw_exploration(allowed, [], 0.2, np.array([0.6, 0.6]), np.zeros(2))
    assert np.allclose(found.propensities, [[0.5, 0.5, 0], [1 / 3, 1 / 3, 1 / 3]])
    assert found.choice.tolist() == [1, 1]


def test_what_is_scarce_is_drawn_as_often_as_its_propensity_says_and_within_its_share():
    n = 40_000
    rng = np.random.default_rng(2)
    allowed = np.ones((n, 3), bool)
    allowed[:, 2] = rng.random(n) < 0.5
    calls = Limit("calls", np.array([0.0, 0, 1]), 5000)
    found = draw_exploration(allowed, [calls], 0.2, rng.random(n), rng.random(n))
    assert found.propensities.sum(axis=1) == pytest.approx(1)
    assert found.propensities[:, 2].sum() == pytest.approx(1000)
    assert np.bincount(found.choice, minlength=3) == pytest.approx(found.propensities.sum(axis=0), rel=0.1)
    assert found.turned_away == 0
    assert (found.propensities[~allowed] == 0).all()


@settings(max_examples=60, deadline=None)
@given(n=st.integers(0, 200), most=st.integers(0, 30), cents=st.integers(0, 900), seed=st.integers(0, 10**6))
def test_explorers_never_draw_what_is_not_allowed_or_more_than_there_is(n, most, cents, seed):
    rng = np.random.default_rng(seed)
    allowed = rng.random((n, 4)) < 0.6
    allowed[:, 0] = True
    limits = [
        Limit("calls", np.array([0.0, 0, 0, 1]), most),
        Limit("budget", np.array([0.0, 2, 7, 350]), cents),
    ]
    found = draw_exploration(allowed, limits, 1.0, rng.random(n), rng.random(n))
    assert allowed[np.arange(n), found.choice].all()
    assert all(limit.weight[found.choice].sum() <= limit.at_most for limit in limits)
    assert (found.propensities[~allowed] == 0).all()
    drawn = found.propensities[np.arange(n), found.choice]
    assert (drawn > 0).all()
    assert found.propensities.sum(axis=1) == pytest.approx(np.ones(n))
