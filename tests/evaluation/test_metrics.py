"""What all metrics share, against sums done by hand."""

import numpy as np
import pytest

from sintonia.evaluation.metrics import bootstrap_weights, captured_shares, equal_mass_bins, find_metric


def test_bins_hold_equal_mass_and_keep_ties_together():
    spread = equal_mass_bins(np.linspace(0, 1, 50))
    assert np.bincount(spread).tolist() == [5] * 10
    assert equal_mass_bins(np.full(50, 0.3)).tolist() == [0] * 50


def test_captured_reaches_everything_at_full_depth_and_splits_ties_evenly():
    found, reached = np.array([[2.0, 4.0]]), np.array([[2.0, 10.0]])
    assert captured_shares(found, reached, np.array([0.0, 0.1, 0.6, 1.0])).tolist() == [
        [0.0, 0.25, 0.75, 1.0]
    ]


def test_draws_are_counts_of_customers_with_replacement():
    weights = np.concatenate(list(bootstrap_weights(30, 40, seed=1)))
    assert weights.shape == (40, 30)
    assert np.all(weights.sum(axis=1) == 30)
    assert weights.max() > 1


def test_a_metric_with_a_target_compares_distances_from_it():
    assert find_metric("total_ratio").gain(np.array([0.8, 1.3])) == pytest.approx([0.2, 0.3])
    assert find_metric("auc").gain(np.array([0.8])).tolist() == [0.8]
