"""Every check refuses what it should, the first one is counted, and the counts add up."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sintonia.core.config import ActionConfig as Action
from sintonia.core.config import RuleConfig
from sintonia.core.errors import ConfigError
from sintonia.features.sql import Cells
from sintonia.serving.decisions.eligibility import (
    RefusalRule,
    Refusals,
    condition_holds,
    names_in_rules,
    refuse_by_rules,
    refuse_without_consent,
)

FACTS = {
    "age": Cells(np.array([30, 17, 0]), np.array([False, False, True])),
    "tier": Cells(np.array([0, 1, 2]), None, ("gold", "blue")),
    "open_complaint": Cells(np.array([True, False, False])),
}
STAGES = ("eligibility", "applicability", "suitability")


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("age >= 18", [True, False, False]),
        ("age < 18", [False, True, False]),  # unknown is not true, whichever way it is asked
        ("NOT age >= 18", [False, True, False]),
        ("age IS NULL OR age >= 18", [True, False, True]),
        ("tier IN ('gold', 'silver')", [True, False, False]),
        ("tier = 'gold' AND NOT open_complaint", [False, False, False]),
        ("open_complaint", [True, False, False]),
        ("CASE WHEN tier = 'blue' THEN age < 18 ELSE age > 90 END", [False, True, False]),
        ("1 = 1", [True, True, True]),
    ],
)
def test_a_rule_holds_where_it_is_known_to_be_true(where, expected):
    assert condition_holds(where, FACTS, 3).tolist() == expected


@pytest.mark.parametrize(
    "where",
    [
        "(SELECT 1)",
        "age IN (SELECT 1)",
        "count(*) > 1",
        "__import__('os')",
        "age; DROP TABLE customers",
        "read_csv('/etc/passwd')",
        "getenv('HOME') = 'x'",
        "tier",
        "tier > 3",
        "tier = 3",
        "age >",
    ],
)
def test_what_is_no_condition_over_one_customer_is_refused_in_words(where):
    with pytest.raises(ConfigError, match="rule"):
        condition_holds(where, FACTS, 3)


def test_rules_are_asked_stage_by_stage_and_of_their_actions_only():
    rules = {
        "waiting": RuleConfig("applicability", "open_complaint", ["call"], "only who waits"),
        "adults": RuleConfig("eligibility", "age >= 18"),
    }
    refusals = Refusals.none(3, 3)
    refuse_by_rules(refusals, rules, STAGES, ["none", "mail", "call"], FACTS)
    assert refusals.allowed.tolist() == [[True, True, True], [True, False, False], [True, False, False]]
    assert [check.name for check in refusals.checks] == ["adults", "waiting"]
    assert refusals.counts() == {"adults": 4, "waiting": 0}
    assert [check.because for check in refusals.reasons(int(refusals.failed[1, 2]))] == [
        "only where age >= 18",
        "only who waits",
    ]


def test_rules_and_the_value_name_what_must_be_read():
    rules = {
        "a": RuleConfig("eligibility", "age > 3 AND tier = 'x'"),
        "b": RuleConfig("suitability", "age < 9"),
    }
    assert names_in_rules(rules, "rfm__spend__90d * 2", "1") == ["age", "tier", "rfm__spend__90d"]


def test_silence_is_no_consent_and_what_needs_none_is_free():
    actions = [
        None,
        Action("email"),
        Action("sms"),
        Action("web", needs_consent=False),
    ]
    refusals = Refusals.none(2, 4)
    yes, no = np.array([True, False]), np.array([False, False])
    refuse_without_consent(refusals, actions, {"email": yes, "sms": no, "web": no})
    assert refusals.allowed.tolist() == [[True, True, False, True], [True, False, False, True]]


@settings(max_examples=50, deadline=None)
@given(
    n=st.integers(0, 20),
    checks=st.integers(0, 8),
    seed=st.integers(0, 10**6),
)
def test_allowed_and_each_first_refusal_add_up_to_all_pairs(n, checks, seed):
    rng = np.random.default_rng(seed)
    refusals = Refusals.none(n, 5)
    wanted = np.zeros((n, 5), bool)
    for at in range(checks):
        fails, meant = rng.random(n) < 0.4, rng.random(5) < 0.5
        refusals.refuse(RefusalRule(str(at), "eligibility", ""), fails, meant)
        wanted |= fails[:, None] & meant & (np.arange(5) > 0)
    assert refusals.allowed.tolist() == (~wanted).tolist()
    assert refusals.allowed[:, 1:].sum() + sum(refusals.counts().values()) == n * 4


def test_more_checks_than_can_be_told_apart_are_refused():
    refusals, mail = Refusals.none(1, 2), np.array([False, True])
    for at in range(64):
        refusals.refuse(RefusalRule(str(at), "eligibility", ""), np.array([True]), mail)
    with pytest.raises(ConfigError, match="more than 64 checks"):
        refusals.refuse(RefusalRule("one more", "eligibility", ""), np.array([True]), mail)
