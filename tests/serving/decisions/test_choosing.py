"""A round on arrays: nothing that is not allowed, nobody held out is contacted, no limit is broken, and it repeats."""

from datetime import datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sintonia.core.config import ActionConfig as Action
from sintonia.core.config import CapacityConfig, EngagementConfig, HoursConfig, SendConfig
from sintonia.serving.decisions.arms import EXPLORE, HOLDOUT, POLICY
from sintonia.serving.decisions.choosing import DecisionCase, Factors, choose
from sintonia.serving.decisions.kernels import Visits
from sintonia.serving.decisions.timing import CustomerVisits, VisitBlock, find_send_hours

ACTIONS = {
    "mail": Action("email", 0.02),
    "coupon": Action("email", 0.02, lever=1.5),
    "text": Action("sms", 0.07),
    "call": Action("phone", 3.50),
}
MONDAY = datetime(2026, 6, 29)


def round_case(
    n: int, policy: EngagementConfig, seed: int = 0, allowed=None, effect=None, sent=None, actions=None
) -> DecisionCase:
    rng = np.random.default_rng(seed)
    if allowed is None:
        allowed = rng.random((n, 5)) < 0.7
    allowed[:, 0] = True
    if effect is None:
        effect = rng.normal(1, 3, (n, 5)).astype(np.float32)
        effect[:, 0] = 0
    visits = Visits(np.zeros(n + 1, np.int64), np.zeros(0, np.int64), np.zeros(0))
    hours = find_send_hours(
        CustomerVisits([VisitBlock(np.arange(n), visits)], np.zeros(n, np.int64)),
        np.zeros(n, np.int64),
        ["email", "sms", "phone"],
        policy.send,
        MONDAY,
    )
    factors = Factors.of(actions or ACTIONS, policy.factors, np.full(n, 2.0), effect)
    sent = np.zeros(5, np.int64) if sent is None else np.array(sent)
    return DecisionCase(
        pa.array([f"C{at:05d}" for at in range(n)], pa.string()), allowed, factors, hours, sent
    )


SHARES = {"holdout_share": 0.1, "explore_share": 0.2}
SEND = SendConfig(within_days=3, hours={"phone": HoursConfig(9, 17, [0, 2])})


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 80),
    seed=st.integers(0, 10**6),
    calls=st.integers(0, 6),
    daily=st.integers(0, 4),
    texts=st.integers(0, 20),
    least=st.integers(0, 3),
    budget=st.integers(0, 40),
    fallback=st.sampled_from(["none", "mail"]),
    sent=st.lists(st.integers(0, 4), min_size=4, max_size=4),
)
def test_no_decision_breaks_a_rule_a_capacity_a_day_or_the_budget(
    n, seed, calls, daily, texts, least, budget, fallback, sent
):
    policy = EngagementConfig(
        capacities={
            "calls": CapacityConfig(at_most=calls, channel="phone"),
            "calls a day": CapacityConfig(at_most=daily, channel="phone", per="day"),
            "texts": CapacityConfig(at_most=texts, at_least=min(least, texts), action="text"),
        },
        budget=budget,
        fallback=fallback,
        send=SEND,
        **SHARES,
    )
    case = round_case(n, policy, seed, sent=[0, *sent])
    found = choose(case, ACTIONS, policy, "r1")
    rows = np.arange(n)
    assert case.allowed[rows, found.action].all()
    assert (found.action[found.arm == HOLDOUT] == 0).all()
    called = found.action == 4
    day = found.options.day[found.option]
    assert called.sum() <= max(calls - sent[3], 0)
    assert all((called & (day == one)).sum() <= daily for one in range(3))
    assert not (called & (day == 1)).any()  # nobody is called on Tuesdays
    assert (found.action == 3).sum() <= max(texts - sent[2], 0)
    spent = np.array([0, 2, 2, 7, 350])
    assert spent[found.action].sum() <= max(budget * 100 - spent[1:] @ np.array(sent), 0) + 1e-6
    assert found.propensities.sum(axis=1) == pytest.approx(np.ones(n))
    assert (found.propensities[~case.allowed] == 0).all()
    assert (found.propensities[rows, found.action] > 0).all()


def test_a_policy_s_customers_get_the_best_when_nothing_is_scarce():
    policy = EngagementConfig(holdout_share=0, explore_share=0)
    case = round_case(300, policy)
    found = choose(case, ACTIONS, policy, "r1")
    worth = 2 * case.factors.effect * [0, 1, 1.5, 1, 1] - [0, 0.02, 0.02, 0.07, 3.5]
    assert found.action.tolist() == np.where(case.allowed, worth, -np.inf).argmax(axis=1).tolist()


@pytest.mark.parametrize(
    ("factors", "best"),
    [
        (
            ["value", "effect", "lever", "cost"],
            "coupon",
        ),  # 2 x 2 x 1.5 - 0.02 = 5.98; the call 2 x 4 - 3.5 = 4.5
        (["value", "effect", "cost"], "call"),  # 4.5 against 3.98
        (["value", "effect", "lever"], "call"),  # 8 against 6
        (["effect", "lever", "cost"], "coupon"),  # 2.98 against 0.5
        (["lever"], "coupon"),  # the lever alone
    ],
)
def test_each_factor_counts_unless_it_is_left_out(factors, best):
    policy = EngagementConfig(factors=factors, holdout_share=0, explore_share=0)
    effect = np.array([[0, 1, 2, 0, 4]], np.float32)
    found = choose(round_case(1, policy, allowed=np.ones((1, 5), bool), effect=effect), ACTIONS, policy, "r1")
    assert found.options.actions[found.action[0]] == best


def test_who_gets_nothing_falls_back_as_far_as_the_limits_let_them():
    policy = EngagementConfig(
        fallback="mail",
        capacities={"mails": CapacityConfig(at_most=3, channel="email")},
        holdout_share=0,
        explore_share=0,
    )
    effect = np.full((5, 5), -1, np.float32)
    effect[:, 1] = [-5, -1, -2, -3, -9]
    allowed = np.ones((5, 5), bool)
    allowed[1, 1] = False
    found = choose(round_case(5, policy, allowed=allowed, effect=effect), ACTIONS, policy, "r1")
    assert found.action.tolist() == [1, 0, 1, 1, 0]
    assert found.fallback.tolist() == [True, False, True, True, False]


def test_a_round_repeats_to_the_last_bit_and_another_one_explores_others():
    policy = EngagementConfig(budget=50, **SHARES)
    case = round_case(2000, policy)
    one, again, other = (
        choose(case, ACTIONS, policy, name, threads) for name, threads in (("r1", 1), ("r1", 2), ("r2", 1))
    )
    assert one.option.tolist() == again.option.tolist()
    assert one.propensities.tobytes() == again.propensities.tobytes()
    assert ((one.arm == EXPLORE) != (other.arm == EXPLORE)).any()
    assert ((one.arm == HOLDOUT) == (other.arm == HOLDOUT)).all()


def test_explorers_leave_their_probabilities_and_the_policy_is_certain():
    policy = EngagementConfig(**SHARES)
    found = choose(round_case(500, policy), ACTIONS, policy, "r1")
    certain = found.propensities.max(axis=1) == 1
    assert certain[found.arm == POLICY].all()
    assert certain[found.arm == HOLDOUT].all()
    assert not certain[found.arm == EXPLORE].all()
