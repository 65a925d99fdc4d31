"""Families, interactions and stability, on contributions typed or planted here."""

import numpy as np
import pytest

from sintonia.evaluation.stability import (
    date_stability,
    family_stability,
    family_sums,
    family_weights,
    feature_dependences,
    interaction_shares,
)
from sintonia.explain.contributions import Contributions

RNG = np.random.default_rng(8)
FAMILIES = {"a1": "a", "a2": "a", "b1": "b"}


def test_a_family_moves_a_score_by_the_sum_of_its_features():
    found = Contributions(("a1", "a2", "b1"), np.array([[1.0, -1.0, 0.5], [2.0, 1.0, -0.5]]), 0.0)
    sums = family_sums(found, FAMILIES)
    assert {name: values.tolist() for name, values in sums.items()} == {"a": [0.0, 3.0], "b": [0.5, -0.5]}
    weights = family_weights(found, FAMILIES)
    assert [(one.family, one.features, one.mean_absolute) for one in weights] == [
        ("a", 2, 1.5),
        ("b", 1, 0.5),
    ]


def test_the_planted_interaction_is_found_and_a_feature_alone_has_none():
    values = RNG.normal(size=(1500, 4))
    moved = np.column_stack(
        [values[:, 0] * (1 + values[:, 2]), 2 * values[:, 1], 0.3 * values[:, 2], 0 * values[:, 3]]
    )
    first, second = feature_dependences(Contributions(("x", "y", "z", "idle"), moved, 0.0), values, seed=1)[
        :2
    ]
    by = {one.feature: one for one in (first, second)}
    assert by["x"].other == "z"
    assert by["x"].share > 0.5
    assert by["y"].other is None
    assert set(by["y"].ranks) == {None}


def test_shares_lie_between_nothing_and_everything():
    own, other = RNG.normal(size=800), RNG.normal(size=(800, 2))
    exact = interaction_shares(np.round(own), np.round(own) + other[:, 0], other)
    assert exact[0] > 0.9
    assert exact[1] < 0.1
    assert interaction_shares(own, np.zeros(800), other).tolist() == [0.0, 0.0]


def test_points_without_a_value_stand_apart():
    values = np.array([[np.nan, 1.0], [2.0, 1.0], [1.0, 3.0]])
    found = Contributions(("x", "y"), np.array([[0.3, 0.0], [0.2, 0.0], [-0.1, 0.0]]), 0.0)
    (one,) = feature_dependences(found, values, seed=1)
    assert (one.values, one.contributions, one.missing) == ((1.0, 2.0), (-0.1, 0.2), (0.3,))


@pytest.mark.parametrize(("last", "agreement"), [([3.0, 2.0, 1.0], 1.0), ([1.0, 2.0, 3.0], -1.0)])
def test_stability_is_the_rank_correlation_with_the_last_date(last, agreement):
    names = ("a1", "a2", "b1")
    dates = {"2026-01-01": [[3.0, -2.0, 1.0]], "2026-02-01": [last]}
    found = date_stability({date: Contributions(names, np.array(rows), 0.0) for date, rows in dates.items()})
    assert found.as_of == ("2026-01-01", "2026-02-01")
    assert found.rank_correlation == pytest.approx((agreement, 1.0))
    assert found.sizes["a1"] == (3.0, last[0])


def test_a_family_that_only_an_older_fold_tells_of_is_not_in_common():
    found = family_stability(
        {"2026-01-01": {"old": 1.0, "rfm": 1.0}, "2026-02-01": {}, "this model": {"rfm": 5.0}}
    )
    assert found.common == (0.5, 0.0, 1.0)
    assert found.shares == {"rfm": (0.5, 0.0, 1.0), "old": (0.5, 0.0, 0.0)}
    assert family_stability({"a": {"rfm": 1.0}, "this model": {}}).common == (
        1.0,
        1.0,
    )  # it moves nothing: nothing to tell
