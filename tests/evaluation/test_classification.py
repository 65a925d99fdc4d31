"""Metrics of propensities against scikit-learn and against sums done by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sintonia.core.config import ProfitConfig
from sintonia.evaluation.classification import Stakes, WeightedPropensities
from sintonia.evaluation.metrics import PROPENSITY_METRICS

NAMES = [metric.name for metric in PROPENSITY_METRICS]


def measure(labels, propensities, weights=None):
    """Metrics of rows that are each their own customer, by name."""
    labels, propensities = np.asarray(labels, float), np.asarray(propensities, float)
    weights = np.ones(len(labels)) if weights is None else np.asarray(weights, float)
    rows = WeightedPropensities.prepare(labels, propensities, np.arange(len(labels)))
    return dict(zip(NAMES, rows.measure(weights[None, :])[:, 0], strict=True))


@st.composite
def judged_rows(draw):
    n = draw(st.integers(4, 30))
    labels = draw(st.lists(st.integers(0, 1), min_size=n, max_size=n).filter(lambda y: 0 < sum(y) < n))
    coarse = st.integers(0, 8).map(lambda x: x / 8)
    propensities = draw(st.lists(coarse, min_size=n, max_size=n))
    weights = draw(st.lists(st.integers(0, 4), min_size=n, max_size=n))
    seen = {y for y, w in zip(labels, weights, strict=True) if w}
    return labels, propensities, weights if seen == {0, 1} else [1] * n


@given(judged_rows())
@settings(max_examples=60, deadline=None)
def test_weighted_metrics_with_ties_equal_those_of_sklearn(rows):
    from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

    labels, propensities, weights = rows
    mine = measure(labels, propensities, weights)
    keep = np.asarray(weights) > 0
    y, p, w = np.asarray(labels)[keep], np.asarray(propensities)[keep], np.asarray(weights)[keep]
    assert mine["auc"] == pytest.approx(roc_auc_score(y, p, sample_weight=w))
    assert mine["average_precision"] == pytest.approx(average_precision_score(y, p, sample_weight=w))
    assert mine["brier"] == pytest.approx(brier_score_loss(y, p, sample_weight=w))
    clipped = np.clip(p, 1e-15, 1 - 1e-15)
    assert mine["log_loss"] == pytest.approx(log_loss(y, clipped, sample_weight=w), rel=1e-6)


def test_lift_counts_the_highest_tenth_against_all():
    labels = [1, 1] + [0] * 16 + [1, 1]
    propensities = np.linspace(0.9, 0.1, 20)
    assert measure(labels, propensities)["lift_top10"] == pytest.approx(1.0 / 0.2)


def test_lift_of_a_constant_is_one_however_the_rows_lie():
    assert measure([1, 1, 0, 0, 0, 0, 0, 0, 0, 0], [0.2] * 10)["lift_top10"] == pytest.approx(1.0)


def test_weighting_a_customer_twice_equals_copying_the_rows():
    labels, propensities = [0, 1, 0, 1], [0.2, 0.6, 0.6, 0.9]
    twice = measure(labels, propensities, [1, 1, 2, 1])
    copied = measure([*labels, 0], [*propensities, 0.6])
    for name in ("auc", "average_precision", "lift_top10", "brier", "log_loss"):
        assert twice[name] == pytest.approx(copied[name])


def test_calibration_error_takes_the_noise_of_each_bin_off():
    # One bin, observed 0.5, said 0.6: squared gap 0.01, variance of the mean of four labels 0.25 / 4 * 4 / 3.
    rows = WeightedPropensities.prepare(np.array([0.0, 1.0] * 2), np.full(4, 0.6), np.arange(4))
    assert rows.noise == pytest.approx([0.25 / 3])
    assert rows.measure(np.ones((1, 4)))[-1, 0] == 0.0
    assert rows.measure(np.ones((1, 4)), noises=0)[-1, 0] == pytest.approx(0.1)


def test_calibration_error_finds_a_constant_offset():
    rng = np.random.default_rng(1)
    truth = rng.uniform(0.1, 0.7, 40_000)
    labels = (rng.random(40_000) < truth).astype(float)
    assert measure(labels, truth)["calibration_error"] < 0.005
    assert measure(labels, truth + 0.2)["calibration_error"] == pytest.approx(0.2, abs=0.01)


def test_capture_and_profit_are_measured_where_something_is_at_stake():
    labels, said = np.array([1.0, 1.0, 0.0, 0.0, 0.0]), np.array([0.9, 0.8, 0.1, 0.1, 0.1])
    amounts = np.array([30.0, 50.0, 10.0, 10.0, 0.0])
    both = WeightedPropensities.prepare(labels, said, np.arange(5), Stakes(amounts, ProfitConfig()))
    assert [metric.name for metric in both.metrics][-2:] == ["capture_top20", "expected_profit"]
    capture, profit = both.measure(np.ones((1, 5)))[-2:, 0]
    assert capture == 0.3
    # Asking the two leavers alone is best for nearly every gamma, 0.3 on average: 0.4 (200 * 0.95 * 0.3 - 1).
    assert profit == pytest.approx(0.4 * (190 * 0.3 - 1))
    alone = WeightedPropensities.prepare(labels, said, np.arange(5))
    assert [metric.name for metric in alone.metrics] == NAMES


def test_capture_counts_a_customer_as_often_as_drawn():
    labels, said, amounts = np.array([1.0, 0.0, 1.0]), np.array([0.9, 0.5, 0.1]), np.array([6.0, 2.0, 2.0])
    rows = WeightedPropensities.prepare(labels, said, np.arange(3), Stakes(amounts))
    drawn = rows.measure(np.array([[1.0, 3.0, 1.0]]))[-1, 0]
    # The highest of five rows, of 6 + 3 * 2 + 2 in all.
    assert drawn == pytest.approx(6 / 14)
