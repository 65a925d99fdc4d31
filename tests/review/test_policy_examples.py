"""Decisions that teach: who is chosen, and what is kept of a sample of them."""

from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest

from sintonia.explain.sample import read_explanation
from sintonia.review.policy_examples import QUOTA, PolicyExamples, choose_decisions, decision_table
from sintonia.training.dataset import Dataset
from sintonia.uplift.effect_contributions import EffectContributions

N = 600
RNG = np.random.default_rng(4)


def decided(gains=None):
    """Decisions with two actions; what came is the expectation and noise."""
    gains = RNG.normal(0.2, 0.3, (N, 2)) if gains is None else gains
    gains = np.column_stack([np.zeros(len(gains)), gains])
    n = len(gains)
    expected = RNG.normal(5, 1, n)
    ids = np.array([f"C{at}" for at in range(n)], object)
    as_of = np.full(n, datetime(2026, 1, 1), "datetime64[us]")
    values = RNG.normal(size=(n, 2)).astype(np.float32)
    rows = Dataset(ids, as_of, values, expected + RNG.normal(0, 2, n), ("rfm__days", "rfm__orders"))
    return PolicyExamples(
        rows=rows,
        actions=("none", "mail", "call")[: gains.shape[1]],
        costs=np.zeros(gains.shape[1]),
        given=RNG.integers(gains.shape[1], size=n),
        recommended=gains[:, 1:].argmax(axis=1) + 1,
        eligible=np.ones(gains.shape, bool),
        gains=gains,
        low=gains - 0.1,
        high=gains + 0.1,
        expected=expected,
        moved=EffectContributions(values.astype(float), np.full(n, 0.2), np.full(n, 0.01)),
    )


def places(chosen, kind):
    return np.array([at for at, of in chosen.items() if of == kind])


def test_about_two_hundred_are_chosen_each_of_the_first_kind_it_fits():
    chosen = choose_decisions(decided(), 0.0)
    assert len(chosen) == sum(QUOTA.values()) == 200
    assert all((list(chosen.values()).count(kind)) == quota for kind, quota in QUOTA.items())


def test_the_kinds_are_what_they_say():
    told = decided()
    chosen, best = choose_decisions(told, 0.0), told.best
    dogs = places(chosen, "sleeping dogs")
    assert (best[dogs] < 0).all()
    assert best[dogs].max() <= np.sort(best)[len(dogs) - 1]
    wrong = places(chosen, "confident and wrong")
    less = told.expected - told.rows.label
    assert (told.given[wrong] == told.recommended[wrong]).all()
    assert (best[wrong] >= np.median(best)).all()
    assert less[wrong].min() > 0
    right = places(chosen, "confident and right")
    assert np.abs(less[right]).max() < less[wrong].min()
    assert np.abs(best[places(chosen, "borderline")]).max() < 0.1
    torn = places(chosen, "torn")
    assert (best - told.second)[torn].max() < np.median(best - told.second)
    assert choose_decisions(told, 0.0) == chosen


def test_a_threshold_moves_who_is_borderline():
    told = decided()
    edge = places(choose_decisions(told, 0.5), "borderline")
    assert np.abs(told.best[edge] - 0.5).max() < 0.1


def test_one_action_alone_leaves_nobody_torn():
    told = decided(np.linspace(-1, 1, 50)[:, None])
    assert "torn" not in choose_decisions(told, 0.0).values()


def test_an_action_that_was_not_possible_is_no_second():
    told = decided(np.array([[0.5, 0.4], [0.5, 0.4]]))
    told = replace(told, eligible=np.array([[True, True, False], [True, True, True]]))
    assert told.second.tolist() == [-np.inf, 0.4]


@pytest.mark.filterwarnings("ignore")  # those of shap's own imports
def test_the_table_adds_up_is_a_shap_explanation_and_names_nobody():
    told = decided()
    table = decision_table(told)
    found = read_explanation(table)
    assert found.base_values + found.values.sum(axis=1) == pytest.approx(
        table["raw_score"].to_numpy(), abs=1e-9
    )
    assert found.shape == (N, 2)
    assert "customer_id" not in table.column_names
    assert table["recommended"].to_pylist()[0] == told.actions[told.recommended[0]]
