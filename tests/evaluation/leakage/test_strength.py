"""The AUC of one column: its value, its interval, and what it does with gaps and texts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sintonia.evaluation.leakage.strength import auc, binned, strength

TEACH = np.array([True] * 6 + [False] * 2)


@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 4)), min_size=2, max_size=30).filter(
        lambda rows: len({label for label, _ in rows}) == 2
    )
)
def test_auc_is_the_share_of_pairs_in_the_right_order(rows):
    label, score = (np.array(column) for column in zip(*rows, strict=True))
    pairs = [(up > down) + (up == down) / 2 for up in score[label == 1] for down in score[label == 0]]
    found, variance = auc(label.astype(np.int8), score.astype(float))
    assert found == pytest.approx(np.mean(pairs))
    assert variance >= 0


def test_the_interval_covers_the_truth_nineteen_times_in_twenty():
    """Scores of the positives are shifted by one standard deviation, so the AUC is Phi(1 / sqrt(2)) = 0.7602."""
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(400):
        label = (rng.random(200) < 0.3).astype(np.int8)
        found, variance = auc(label, rng.normal(size=200) + label)
        covered += abs(found - 0.76025) <= 1.96 * variance**0.5
    assert 0.92 <= covered / 400 <= 0.98


def test_numbers_are_binned_by_the_quantiles_of_the_teaching_rows_and_none_is_a_bin_of_its_own():
    values = np.array([1.0, 2.0, 3.0, 4.0, 5.0, np.nan, np.nan, 99.0])
    bins = binned(values, TEACH)
    assert bins[5] == bins[6] == 0
    assert bins[7] == bins[4]
    assert sorted(bins[:5].tolist()) == bins[:5].tolist()
    assert 0 not in bins[:5]


def test_texts_are_binned_by_name_and_unheard_ones_together():
    values = np.array(["a", "a", "b", None, "b", "a", "new", None], object)
    bins = binned(values, TEACH)
    assert bins.tolist() == [1, 1, 2, 0, 2, 1, 3, 0]


def test_either_half_is_judged_by_what_the_other_taught():
    label = np.tile([0, 1], 100).astype(np.int8)
    half = np.arange(200) < 100
    turned = np.where(half, label == 0, label == 1).astype(float)
    assert strength(turned, label, half).value == 0
    missing = np.where(label == 1, np.nan, 1.0)
    assert strength(missing, label, half).value == 1


def test_a_value_that_names_its_customer_teaches_nothing_about_others():
    label = np.random.default_rng(1).integers(0, 2, 400).astype(np.int8)
    names = np.array([f"customer {number}" for number in range(400)], object)
    assert strength(names, label, np.arange(400) % 2 == 0).value == 0.5


def test_few_outcomes_say_nothing():
    label = np.array([0] * 50 + [1] * 9 + [0] * 50, np.int8)
    assert strength(np.arange(109.0), label, np.arange(109) % 2 == 0) is None
