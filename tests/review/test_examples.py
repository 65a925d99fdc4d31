"""Explained rows as pages show them: amounts in euros, propensities in per cent, falls that end where scores do."""

from dataclasses import replace

import pytest

from review.example_review import BASE, customers
from review.test_policy_page import teaching
from sintonia.review.examples import decision_example, first_of_each_kind, scored_example, waterfall


def test_an_amount_is_said_in_euros_and_a_propensity_in_per_cent():
    one = replace(customers()[0], outcome=123_456.0, label=0.0, category="wine")
    assert (scored_example(one, amount=True).said, scored_example(one, amount=True).came) == (
        "1,234.56 EUR",
        "it was 0.00 EUR",
    )
    assert scored_example(one, amount=True).facts["Category"] == "wine"
    one = replace(one, outcome=0.25, label=1.0)
    assert (scored_example(one, amount=False).said, scored_example(one, amount=False).came) == (
        "25.0\u202f%",
        "it happened",
    )


@pytest.mark.parametrize(
    "person", [scored_example(customers()[3], amount=False), decision_example(teaching(7))]
)
def test_falls_begin_at_the_base_and_end_at_the_score(person):
    start, *steps, end = waterfall(person)
    assert (start.size, end.size) == (person.base, person.raw)
    assert start.size + sum(step.size for step in steps) == pytest.approx(end.size, abs=1e-6)
    assert {step.kind for step in steps} <= {"up", "down"}


def test_a_decision_is_told_with_what_was_done_and_what_came():
    told = decision_example(teaching(7))
    assert (told.said, told.came) == ("call \u22120.100", "got mail, reward 0.25 (expected 1.50)")
    assert told.rest == {"Other features of trust": 0.03, "The action itself": 0.05, "Cost": -2.0}
    assert told.base != BASE


def test_one_of_each_kind_is_shown_without_a_script():
    people = [
        decision_example(teaching(7)),
        decision_example(teaching(8)),
        decision_example(teaching(9, "torn")),
    ]
    assert [one.sample for one in first_of_each_kind(people)] == [7, 9]
