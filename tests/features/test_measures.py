"""Names of features and ratios over nothing."""

import numpy as np

from sintonia.features.measures import Feature, Filter, Total, ratio


def test_a_name_is_family_measure_and_window_if_there_is_one():
    term = (Total(Filter()),)
    assert Feature("rfm", "orders", "Orders", "orders", term, window_days=30).name == "rfm__orders__30d"
    assert Feature("rfm", "days_since_purchase", "Days", "days", term).name == "rfm__days_since_purchase"


def test_a_ratio_over_nothing_is_missing_and_over_missing_is_missing():
    found = ratio(np.array([3.0, 0.0, 2.0, np.nan]), np.array([-2.0, 0.0, np.nan, 1.0]))
    np.testing.assert_array_equal(found, [-1.5, np.nan, np.nan, np.nan])


def test_a_ratio_leaves_its_inputs_as_they_are():
    value, base = np.array([1, 2]), np.array([0, 4])
    ratio(value, base)
    assert (value.tolist(), base.tolist()) == ([1, 2], [0, 4])
