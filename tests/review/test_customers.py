"""The customers that teach: who is chosen, and that their numbers add up."""

from collections import Counter

import numpy as np
import pytest

from review.example_review import BASE, NAMES, customers, review, sample
from sintonia.review import Customer, read
from sintonia.review.customers import LISTED, QUOTA, choose_rows

CHOSEN = choose_rows(sample(), amount=False)


def test_each_kind_has_its_quota_and_nobody_is_chosen_twice():
    assert Counter(CHOSEN.values()) == QUOTA
    ids = [sample().rows.customer_id[at] for at in CHOSEN]
    assert len(set(ids)) == len(ids) == 200


def test_the_kinds_are_what_they_say():
    outcome, label = sample().outcome, sample().rows.label
    by = {kind: np.array([at for at, of in CHOSEN.items() if of == kind]) for kind in QUOTA}
    others = np.setdiff1d(np.arange(len(sample())), by["highest"])
    assert outcome[by["highest"]].min() >= outcome[others].max()
    error = np.abs(label - outcome)
    assert error[by["confident and wrong"]].min() > error[by["confident and right"]].max()
    assert np.abs(outcome[by["typical"]] - np.median(outcome)).max() < 0.2


def test_contributions_base_and_rest_add_up_to_the_raw_score():
    for one in customers():
        total = one.base + sum(part.contribution for part in one.parts) + sum(one.rest.values())
        assert total == pytest.approx(one.raw, abs=1e-6)
        assert one.raw == pytest.approx(sample().raw[one.sample - 1], abs=1e-12)
        assert one.base == BASE
        assert len(one.parts) <= LISTED


def test_what_did_not_move_the_score_is_no_part():
    assert "motives__idle" not in {part.feature for one in customers() for part in one.parts}
    assert {part.feature for one in customers() for part in one.parts} == set(NAMES[:3])


def test_no_customer_is_named():
    assert "customer-" not in str(customers())


def test_customers_survive_a_journey_through_json():
    from dataclasses import asdict
    from json import dumps, loads

    told = tuple(read(Customer, loads(dumps(asdict(one)))) for one in review().customers)
    assert told == review().customers
