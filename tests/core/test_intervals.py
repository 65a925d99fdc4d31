"""Intervals: normal and Wilson's, and means over customers with several rows, against sums done by hand."""

import math

import numpy as np
import pytest

from sintonia.core.intervals import Estimate, cluster_variance, clustered_mean, normal_interval, wilson


def test_a_normal_interval_reaches_as_many_errors_to_either_side_and_stays_within_its_bounds():
    assert normal_interval(0.5, 0.1) == Estimate(0.5, 0.304004, 0.695996)
    assert normal_interval(0.95, 0.1, least=0.0, most=1.0) == Estimate(0.95, 0.754004, 1.0)


def test_an_estimate_is_written_with_its_interval_in_brackets():
    assert Estimate(0.76719, 0.74811, 0.78304).text() == "0.767 [0.748, 0.783]"
    assert Estimate(5.0, -3.25, 6.75).text(digits=1, signed=True) == "+5.0 [-3.2, +6.8]"


def test_wilson_agrees_with_the_worked_example_and_stays_within_0_and_1():
    # Newcombe 1998, Statistics in Medicine 17, table I, method 3: 81 of 263 and 0 of 20.
    assert wilson(81 / 263, 263).low == pytest.approx(0.2553, abs=5e-5)
    assert wilson(81 / 263, 263).high == pytest.approx(0.3662, abs=5e-5)
    assert wilson(0.0, 20).high == pytest.approx(0.1611, abs=5e-5)
    assert wilson(1.0, 20).high == 1.0


def test_cluster_variance_counts_customers_not_rows():
    values, once = np.array([0.0, 0.0, 1.0, 1.0]), np.zeros(4, dtype=np.int64)
    alone = cluster_variance(values, np.arange(4), once)
    pairs = cluster_variance(values, np.array([0, 0, 1, 1]), once)
    assert alone == pytest.approx([4 * 0.25 / 16 * 4 / 3])
    assert pairs == pytest.approx([(1 + 1) / 16 * 2])
    assert cluster_variance(values, np.zeros(4, dtype=np.int64), once).tolist() == [0.0]


def test_repeating_every_decision_of_a_customer_makes_no_interval_narrower():
    values, customers = np.array([1.0, 5.0, 2.0]), np.array([1, 2, 3])
    once = clustered_mean(values, customers)
    often = clustered_mean(np.tile(values, 9), np.tile(customers, 9))
    assert [often.value, often.low, often.high] == pytest.approx([once.value, once.low, once.high])


def test_one_customer_has_a_value_and_no_bounds_and_nobody_has_none():
    assert clustered_mean(np.array([1.0, 3.0]), np.array([4, 4])).low == -math.inf
    assert math.isnan(clustered_mean(np.empty(0), np.empty(0, np.int64)).value)
