"""Distributions against training, by the index that lists are measured by, and what it must not react to."""

from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest

from sintonia.evaluation.drift import SCORE, count_bins, drift_from
from sintonia.evaluation.drift_report import LARGE_SHIFT, current_shift, feature_shifts, label_rates
from sintonia.training.dataset import Dataset
from sintonia.training.profile import deciles, fit_training_profile

RNG = np.random.default_rng(5)
BEFORE, AFTER = datetime(2026, 1, 1), datetime(2026, 2, 1)


def rows(values, as_of=BEFORE, label=None):
    values = np.asarray(values, np.float32).reshape(len(values), -1)
    n = len(values)
    ids = np.array([f"C{at}" for at in range(n)], object)
    names = tuple(f"f{at}" for at in range(values.shape[1]))
    label = np.zeros(n, np.int8) if label is None else np.asarray(label, np.int8)
    return Dataset(ids, np.full(n, as_of, "datetime64[us]"), values, label, names)


def told(before, after, as_of=BEFORE):
    """The profiles of a test against a training, by feature; nothing is said of anybody."""
    reference, test = fit_training_profile(rows(before), seed=1), rows(after, as_of)
    return {one.moved.name: one for one in feature_shifts(reference, test, np.zeros(len(after)), seed=1)}


def test_the_same_distribution_has_no_distance_and_a_shifted_one_much():
    found = told(RNG.normal(size=(4000, 2)), RNG.normal((0, 1.5), size=(4000, 2)))
    assert [*found] == ["f1", "f0"]
    assert found["f0"].moved.psi < 0.02
    assert found["f1"].moved.beyond(LARGE_SHIFT)


def test_a_feature_that_few_rows_tell_of_moves_only_beyond_chance():
    few = told(np.arange(2000.0), [50, 60, 250, 260, 450, 460])["f0"].moved
    assert few.psi > 0.25
    assert not few.beyond(LARGE_SHIFT)


def test_missing_values_are_a_part_of_their_own():
    before = np.arange(1000.0)
    one = told(before, np.where(np.arange(1000) < 500, np.nan, before))["f0"]
    assert one.missing == (0.0, 0.5)
    assert one.moved.beyond(1)


def test_the_page_and_a_list_measure_by_the_same_index():
    before, after = RNG.normal(size=(3000, 2)), RNG.normal(0.4, 1, size=(2000, 2))
    reference = fit_training_profile(rows(before), seed=1)
    counts = count_bins(reference, rows(after).values, np.zeros(2000))
    for one in drift_from(reference, ("f0", "f1"), [counts]).moved:
        assert told(before, after)[one.name].moved.psi == pytest.approx(one.psi, abs=1e-4)


def test_now_is_measured_by_training_and_its_score_by_what_was_said_of_the_test():
    before = RNG.normal(size=(3000, 1))
    reference = replace(fit_training_profile(rows(before), seed=1), prediction_deciles=deciles(before[:, 0]))
    found = current_shift(reference, rows(before + 3, AFTER), before[:, 0])
    assert (found.as_of, found.rows) == ("2026-02-01", 3000)
    psi = {one.name: one.psi for one in found.moved}
    assert psi["f0"] > 1
    assert psi[SCORE] == pytest.approx(0.0, abs=1e-3)


def test_a_feature_that_is_never_there_has_a_profile():
    one = told([[np.nan]] * 5, [[np.nan]] * 5)["f0"]
    assert (one.moved.psi, one.missing) == (0.0, (1.0, 1.0))


def test_label_rates_are_told_by_date_and_part():
    some = rows(np.zeros(4), label=[1, 0, 0, 0])
    (one,) = label_rates(some, {"train": [BEFORE], "test": [AFTER]})
    assert (one.as_of, one.part, one.rows, one.rate.value) == ("2026-01-01", "train", 4, 0.25)
    assert one.rate.low < 0.25 < one.rate.high
