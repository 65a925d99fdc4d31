"""Rewards as SQL over the interactions in a decision's window, worked by hand."""

import duckdb
import pytest

from sintonia.core.config import RewardConfig
from sintonia.uplift.decision_log import reward_kinds, reward_sql, sql_literal

EVENTS = """
    SELECT {'kind': kind, 'amount': amount, 'discount': discount, 'action_id': action_id} AS event,
           {'action_id': 'mail'} AS point
    FROM (VALUES ('purchase', 4000, 0, NULL), ('purchase', 1000, 1000, NULL), ('return', -500, 0, NULL),
                 ('redeem', NULL, 300, 'mail'), ('redeem', NULL, 900, 'gift'), ('it''s new', NULL, 0, NULL))
         AS events(kind, amount, discount, action_id)"""


def paid(events=EVENTS, **reward):
    return duckdb.sql(f"SELECT {reward_sql(RewardConfig(**reward))} FROM ({events})").fetchall()[0][0]


@pytest.mark.parametrize(
    ("reward", "worth"),
    [
        ({"name": "spend"}, 45.0),
        ({"name": "spend", "cap": 20.0}, 20.0),
        ({"name": "spend", "own_discount": True}, 42.0),  # mail's own 3.00; the gift's is another's
        ({"name": "margin", "margin_share": 0.4}, 12.0),  # 45.00 less 0.6 of the undiscounted 55.00
        ({"name": "converted", "kinds": ["visit"]}, 0),
        ({"name": "converted", "kinds": ["it's new"]}, 1),
    ],
)
def test_a_reward_is_worked_by_hand(reward, worth):
    assert paid(**reward) == pytest.approx(worth)


def test_who_did_nothing_brought_nothing():
    nobody = f"{EVENTS} WHERE kind = 'nothing'"
    assert paid(nobody, name="spend", own_discount=True) == 0
    assert paid(nobody, name="converted", kinds=["purchase"]) == 0


def test_money_looks_at_purchases_and_returns_and_a_conversion_at_what_it_names():
    assert reward_kinds(RewardConfig("margin")) == ("purchase", "return")
    assert reward_kinds(RewardConfig("converted", kinds=["visit"])) == ("visit",)


def test_a_text_keeps_its_quotes():
    assert sql_literal("it's") == "'it''s'"
    assert duckdb.sql("SELECT " + sql_literal("it's")).fetchall() == [("it's",)]
