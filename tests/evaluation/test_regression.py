"""Metrics of expected spend against SciPy, scikit-learn and sums done by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sintonia.evaluation.regression import Ranks, WeightedAmounts, tweedie_deviance


def measure(amounts, expected, weights=None, median=None):
    """Metrics of rows that are each their own customer, by name."""
    amounts, expected = np.asarray(amounts, float), np.asarray(expected, float)
    median = None if median is None else np.asarray(median, float)
    weights = np.ones(len(amounts)) if weights is None else np.asarray(weights, float)
    rows = WeightedAmounts.prepare(amounts, expected, np.arange(len(amounts)), median)
    figures = rows.measure(weights[None, :])[:, 0]
    return {metric.name: figure for metric, figure in zip(rows.metrics, figures, strict=True)}


@st.composite
def spent(draw):
    n = draw(st.integers(3, 20))
    whole = st.lists(st.integers(0, 5), min_size=n, max_size=n)
    amounts = draw(whole.filter(lambda x: len(set(x)) > 1))
    expected = draw(whole.filter(lambda x: len(set(x)) > 1))
    return amounts, expected, draw(st.lists(st.integers(1, 3), min_size=n, max_size=n))


@given(spent())
@settings(max_examples=50, deadline=None)
def test_weighted_ranks_and_deviance_equal_those_of_the_rows_copied(rows):
    from scipy.stats import spearmanr
    from sklearn.metrics import mean_tweedie_deviance

    amounts, expected, weights = rows
    mine = measure(amounts, expected, weights)
    y, m = np.repeat(amounts, weights), np.repeat(expected, weights)
    assert mine["rank_correlation"] == pytest.approx(spearmanr(y, m).statistic, abs=1e-9)
    floor = np.maximum(m, 1e-3 * np.mean(amounts))
    assert mine["tweedie_deviance"] == pytest.approx(mean_tweedie_deviance(y, floor, power=1.5))
    assert mine["total_ratio"] == pytest.approx(m.sum() / y.sum())


def test_the_highest_fifth_by_expectation_is_what_captures():
    assert measure([10, 5, 5, 0, 0], [9, 1, 2, 3, 4])["capture_top20"] == pytest.approx(0.5)
    assert measure([10, 5, 5, 0, 0], [1, 1, 1, 1, 1])["capture_top20"] == pytest.approx(0.2)


def test_a_constant_ranks_nothing():
    assert measure([1, 2, 3], [2, 2, 2])["rank_correlation"] == 0.0


def test_the_distance_of_a_median_is_measured_only_when_one_is_given():
    assert "median_error" not in measure([0, 4], [1, 2])
    assert measure([0, 4], [1, 2], median=[0, 1])["median_error"] == 1.5
    assert measure([0, 4], [1, 2], weights=[1, 3], median=[0, 1])["median_error"] == 2.25


def test_expecting_nothing_where_something_is_spent_is_finite_but_dear():
    amounts = np.array([0.0, 10.0])
    dear, near = tweedie_deviance(amounts, np.zeros(2)), tweedie_deviance(amounts, np.array([0.0, 9.0]))
    assert np.isfinite(dear).all()
    assert dear[1] > 100 * near[1]


def test_ranks_of_ties_are_their_mean():
    assert Ranks.of(np.array([5.0, 1.0, 5.0])).mid(np.ones((1, 3))).tolist() == [[2.5, 1.0, 2.5]]
