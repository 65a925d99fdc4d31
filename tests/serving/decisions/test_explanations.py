"""What is said to turn a decision turns it, and what was refused is told with its reason."""

import numpy as np
import pytest

from serving.decisions.test_choosing import round_case
from sintonia.core.config import ActionConfig as Action
from sintonia.core.config import CapacityConfig, EngagementConfig
from sintonia.serving.decisions.choosing import choose
from sintonia.serving.decisions.eligibility import RefusalRule, Refusals
from sintonia.serving.decisions.explanations import reason_sentence, refused_texts, runner_up, why_table

ACTIONS = {
    "mail": Action("email", 0.5),
    "coupon": Action("email", 0.5),
    "text": Action("sms", 1.0),
    "call": Action("phone", 3.0, lever=0.5),
}
POLICY = EngagementConfig(holdout_share=0, explore_share=0)


def _why(effects, policy=POLICY):
    effect = np.array(effects, np.float32)
    allowed = np.isfinite(effect)
    case = round_case(len(effect), policy, allowed=allowed, effect=np.nan_to_num(effect), actions=ACTIONS)
    chosen = choose(case, ACTIONS, policy, "r1")
    refusals = Refusals.none(len(effect), 5)
    refusals.refuse(RefusalRule("no_effect", "arbitration", "unknown"), ~allowed, np.arange(5) > 0)
    return chosen, why_table(case, chosen, refusals).to_pylist()


def test_the_margin_is_the_difference_in_worth_and_what_would_turn_it_follows():
    # Worth: mail 2 x 4 - 0.5 = 7.5; text 2 x 3 - 1 = 5; call 2 x 5 x 0.5 - 3 = 2.
    _, (row,) = _why([[0, 4, 1, 3, 5]])
    assert row["action_id"] == "mail"
    assert [row[name] for name in ("worth", "value", "effect", "lever", "cost")] == [
        7.5,
        2,
        4,
        1,
        0.5,
    ]
    assert (row["runner_up"], row["margin"]) == ("text", pytest.approx(2.5))
    assert row["runner_up_effect_needed"] == pytest.approx(4.25)  # 2 x 4.25 - 1 = 7.5
    assert row["runner_up_cheaper_by"] == pytest.approx(2.5)
    assert (
        reason_sentence(row, "EUR") == "worth 7.50 EUR = 2.00 x 4.0000 x 1.00 - 0.50; text is 2.50 EUR behind"
    )


@pytest.mark.parametrize(("effect_of_text", "best"), [(4.26, "text"), (4.24, "mail")])
def test_an_effect_beyond_the_one_needed_turns_the_decision(effect_of_text, best):
    _, (row,) = _why([[0, 4, 1, effect_of_text, 5]])
    assert row["action_id"] == best


def test_the_runner_up_may_be_nothing_or_nobody():
    _, (only, nothing) = _why([[0, 4, np.nan, np.nan, np.nan], [0, -4, np.nan, np.nan, np.nan]])
    assert (only["runner_up"], only["margin"]) == ("none", pytest.approx(7.5))
    assert only["runner_up_effect_needed"] is None
    assert reason_sentence(only, "CHF").endswith("; doing nothing is 7.50 CHF behind")
    assert (nothing["action_id"], nothing["runner_up"]) == ("none", "mail")
    _, (alone,) = _why([[0, np.nan, np.nan, np.nan, np.nan]])
    assert (alone["runner_up"], alone["margin"]) == (None, None)


def test_what_is_scarce_costs_its_price_so_that_who_loses_it_loses_little():
    policy = EngagementConfig(
        capacities={"mails": CapacityConfig(at_most=100, action="mail")},
        holdout_share=0,
        explore_share=0,
    )
    effects = np.full((200, 5), np.nan)
    effects[:, 0], effects[:, 1] = 0, 1 + np.arange(200) / 100
    chosen, rows = _why(effects, policy)
    second = runner_up(chosen)
    assert chosen.action.tolist() == [0] * 100 + [1] * 100
    assert (second.margin > -1e-2).all()
    assert rows[199]["margin"] == pytest.approx(2 * 0.995, abs=0.02)
    assert rows[100]["price"] == pytest.approx(2 * 1.995 - 0.5, abs=0.02)


def test_refused_actions_are_named_with_every_check_they_failed():
    refusals = Refusals.none(2, 3)
    refusals.refuse(
        RefusalRule("consent_email", "consent", "no consent to email"),
        np.array([True, False]),
        np.array([0, 1, 0], bool),
    )
    refusals.refuse(
        RefusalRule("open", "contact policy", "a complaint is open"),
        np.array([True, False]),
        np.array([0, 1, 1], bool),
    )
    assert refused_texts(refusals, ("none", "mail", "text")).to_pylist() == [
        "mail: no consent to email, a complaint is open; text: a complaint is open",
        "",
    ]
