"""The card of a promoted model: the essentials, one line each, and nothing that breaks its Markdown."""

import re
from dataclasses import replace

from review.example_review import HOSTILE, review
from review.test_policy_page import policy
from sintonia.core.html import number
from sintonia.review import PromotionCheck
from sintonia.review.card import model_card, policy_card

SIGNED = ["2026-06-02T09:00 approve by risk: fine (model `abc`, page `def`)", "2026-06-02T09:05 promote"]


def test_the_card_has_label_limits_verdict_metrics_and_decisions():
    card = model_card(review(), SIGNED)
    assert card.startswith("# shop-churn, version 3\n")
    for line in (review().label, *review().limits, *SIGNED):
        assert f"- {line}" in card or f"- Label: {line}" in card
    own = review().evaluation.estimates["model"]
    for metric in review().evaluation.metrics:
        assert f"| {metric.title} | {number(own[metric.name].value)} |" in card
    assert "**Does not pass the gate.**" in card


def test_every_table_row_has_the_cells_of_its_head():
    for card in (model_card(review(), SIGNED), policy_card(policy(), (), SIGNED)):
        tables = [block for block in card.split("\n\n") if block.startswith("|")]
        assert tables
        for table in tables:
            assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


def test_text_from_outside_stays_text():
    hostile = replace(review(), limits=(f"{HOSTILE}\n\n# Approved", "a | b"))
    card = model_card(hostile, SIGNED)
    assert "<" not in card
    assert "\n# Approved" not in card
    assert "a \\| b" in card


def test_a_policys_card_says_what_it_is_worth_and_why_it_was_let_through():
    card = policy_card(policy(), (PromotionCheck("value", True, "better"),), SIGNED)
    assert "| personalised | 60% | 0.300 (0.250 to 0.350) |" in card
    assert "- value: passed, better" in card
