"""The allocation keeps every limit, and is worth what an exact programme says it can be worth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from scipy.sparse import csr_matrix

from sintonia.core.errors import ConfigError
from sintonia.serving.decisions.allocation import Limit, allocate

CHANNEL = np.array([-1, 0, 0, 1, 2])
COST = np.array([0.0, 2, 3, 7, 350])


def _worth(n: int, seed: int, alike: bool = False) -> np.ndarray:
    rng = np.random.default_rng(seed)
    worth = np.zeros((n, 5), np.float32)
    worth[:, 1:] = (
        rng.normal(30, 60, (1 if alike else n, 4)) * rng.gamma(2, 1, (1 if alike else n, 1)) - COST[1:]
    )
    worth[:, 1:][rng.random((n, 4)) < 0.3] = -np.inf
    return worth


def _limits(n: int) -> list[Limit]:
    return [
        Limit("email", (CHANNEL == 0) * 1.0, n // 4),
        Limit("sms", (CHANNEL == 1) * 1.0, n // 10),
        Limit("phone", (CHANNEL == 2) * 1.0, n // 20, at_least=n // 50),
        Limit("budget", COST, float(12 * n)),
    ]


def _exact(worth: np.ndarray, limits: list[Limit]) -> float:
    """The best that fractions of customers could be worth, by the simplex method of HiGHS."""
    n, options = worth.shape
    cells = np.flatnonzero(np.isfinite(worth).ravel())
    row, option = cells // options, cells % options
    once = csr_matrix((np.ones(len(cells)), (row, np.arange(len(cells)))), (n, len(cells)))
    bounds = [(limit.weight, limit.at_most) for limit in limits]
    bounds += [(-limit.weight, -limit.at_least) for limit in limits if limit.at_least]
    found = linprog(
        -worth.ravel()[cells].astype(float),
        A_ub=csr_matrix(np.array([weight[option] for weight, _ in bounds])),
        b_ub=[bound for _, bound in bounds],
        A_eq=once,
        b_eq=np.ones(n),
        method="highs",
    )
    return -float(found.fun)


def _taken(choice: np.ndarray, limits: list[Limit]) -> list[float]:
    return [float(limit.weight[choice].sum()) for limit in limits]


@pytest.mark.parametrize("alike", [False, True])
def test_the_allocation_is_within_half_a_percent_of_the_exact_programme(alike):
    worth, limits = _worth(1500, 5, alike), _limits(1500)
    exact = _exact(worth, limits)
    found = allocate(worth, limits)
    assert exact * 0.995 <= found.value <= exact * (1 + 1e-6)
    assert exact * (1 - 1e-6) <= found.bound <= exact * 1.002
    assert found.gap == pytest.approx((found.bound - found.value) / found.bound)


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 60),
    seed=st.integers(0, 10**6),
    alike=st.booleans(),
    capacity=st.lists(st.integers(0, 20), min_size=3, max_size=3),
    least=st.integers(0, 5),
    budget=st.integers(0, 4000),
)
def test_no_choice_is_disallowed_and_no_maximum_is_exceeded(n, seed, alike, capacity, least, budget):
    worth = _worth(n, seed, alike)
    limits = [
        Limit(str(at), (at == CHANNEL) * 1.0, most, min(least, most)) for at, most in enumerate(capacity)
    ]
    limits.append(Limit("budget", COST, float(budget)))
    found = allocate(worth, limits)
    assert np.isfinite(worth[np.arange(n), found.choice]).all()
    assert found.used.tolist() == _taken(found.choice, limits)
    assert all(used <= limit.at_most for used, limit in zip(found.used, limits, strict=True))
    assert found.value <= found.bound + 1e-3 * (1 + abs(found.bound))


def test_without_limits_everybody_gets_the_best():
    worth = _worth(200, 1)
    found = allocate(worth, [])
    assert found.choice.tolist() == worth.argmax(axis=1).tolist()
    assert found.gap < 1e-6


def test_a_minimum_is_met_by_those_who_lose_the_least():
    worth = np.array([[0, -5], [0, -1], [0, -3], [0, -np.inf]], np.float32)
    found = allocate(worth, [Limit("calls", np.array([0.0, 1]), at_least=2)])
    assert found.choice.tolist() == [0, 1, 1, 0]
    assert found.shadow_price[0] < 0


def test_a_minimum_nobody_can_meet_is_met_as_far_as_it_goes():
    worth = np.array([[0, -5], [0, -np.inf]], np.float32)
    found = allocate(worth, [Limit("calls", np.array([0.0, 1]), at_least=2)])
    assert found.choice.tolist() == [1, 0]
    assert found.used.tolist() == [1]


def test_the_shadow_price_is_what_one_more_would_add():
    worth = np.zeros((1000, 2), np.float32)
    worth[:, 1] = np.arange(1000)
    found = allocate(worth, [Limit("calls", np.array([0.0, 1]), 100)])
    assert sorted(np.flatnonzero(found.choice)) == list(range(900, 1000))
    assert found.shadow_price[0] == pytest.approx(899.5, abs=1.5)


def test_a_limit_with_room_to_spare_has_no_price():
    worth = _worth(300, 2)
    found = allocate(
        worth, [Limit("email", (CHANNEL == 0) * 1.0, 300), Limit("sms", (CHANNEL == 1) * 1.0, 10)]
    )
    assert found.shadow_price[0] == pytest.approx(0, abs=1e-6)
    assert found.shadow_price[1] > 0


def test_threads_change_nothing():
    worth, limits = _worth(70_000, 3), _limits(70_000)
    one, two = allocate(worth, limits, threads=1), allocate(worth, limits, threads=2)
    assert one.choice.tolist() == two.choice.tolist()
    assert one.bound == two.bound


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Limit("calls", np.array([0.0, 1]), 3, 4), "asks for at least 4 and at most 3"),
        (lambda: Limit("calls", np.array([1.0, 1]), 3), "a weight for doing nothing"),
    ],
)
def test_a_limit_that_nothing_can_keep_is_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()
