"""Distributions against training: an index worked by hand, and what it must not react to."""

from datetime import datetime

import numpy as np
import pytest

from sintonia.review.drift import index, label_rates, now_against, profiles
from sintonia.training_set import Rows

RNG = np.random.default_rng(5)
BEFORE, AFTER = datetime(2026, 1, 1), datetime(2026, 2, 1)


def rows(values, as_of=BEFORE, label=None):
    values = np.asarray(values, np.float32).reshape(len(values), -1)
    n = len(values)
    ids = np.array([f"C{at}" for at in range(n)], object)
    names = tuple(f"f{at}" for at in range(values.shape[1]))
    label = np.zeros(n, np.int8) if label is None else np.asarray(label, np.int8)
    return Rows(ids, np.full(n, as_of, "datetime64[us]"), values, label, names)


def test_the_index_of_three_quarters_against_a_half_is_worked_by_hand():
    # (0.75 - 0.5) ln(0.75 / 0.5) + (0.25 - 0.5) ln(0.25 / 0.5)
    assert index(np.array([0.5, 0.5]), np.array([0.75, 0.25]), 10**9) == pytest.approx(0.2746531, abs=1e-6)


def test_an_empty_bin_counts_and_not_without_end():
    found = index(np.array([0.5, 0.5]), np.array([1.0, 0.0]), 1000)
    assert 1 < found < 10


def test_the_same_distribution_has_none_and_a_shifted_one_much():
    before = RNG.normal(size=(4000, 2))
    same, shifted = profiles(rows(before), rows(RNG.normal((0, 1.5), size=(4000, 2))), seed=1)
    assert same.psi < 0.02
    assert shifted.psi > 0.5


def test_missing_values_are_a_bin_of_their_own():
    before = np.arange(1000.0)
    after = np.where(np.arange(1000) < 500, np.nan, before)
    (one,) = profiles(rows(before), rows(after), seed=1)
    assert one.missing == (0.0, 0.5)
    assert one.psi > 1
    assert sum(one.shares) == pytest.approx(1.0)
    assert one.shares[-1] == 0.0


def test_now_is_measured_by_the_edges_of_training():
    before = RNG.normal(size=(3000, 1))
    told = profiles(rows(before), rows(before), seed=1)
    same, other = now_against(told, rows(before, AFTER), 1), now_against(told, rows(before + 3, AFTER), 1)
    assert (same.as_of, same.rows) == ("2026-02-01", 3000)
    assert same.psi["f0"] == pytest.approx(0.0, abs=1e-3)
    assert other.psi["f0"] > 1


def test_a_feature_that_is_never_there_has_a_profile():
    (one,) = profiles(rows([[np.nan]] * 5), rows([[np.nan]] * 5), seed=1)
    assert (one.edges, one.psi, one.missing) == ((), 0.0, (1.0, 1.0))


def test_label_rates_are_told_by_date_and_part():
    some = rows(np.zeros(4), label=[1, 0, 0, 0])
    (one,) = label_rates(some, {"train": [BEFORE], "test": [AFTER]})
    assert (one.as_of, one.part, one.rows, one.rate.value) == ("2026-01-01", "train", 4, 0.25)
    assert one.rate.low < 0.25 < one.rate.high
