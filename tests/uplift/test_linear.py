import numpy as np
import pytest

from sintonia.uplift.linear import MOST, fit_linear

RNG = np.random.default_rng(8)
N = 6000
VALUES = RNG.normal(size=(N, 4)).astype(np.float32)
VALUES[:, 3] = 5  # tells nobody apart
MEASURE = RNG.uniform(1, 9, N)
FOLD, ALL = np.arange(N) % 3, np.ones((N, 3), bool)
SCALED = np.sign(VALUES[:, 0]) * np.log1p(np.abs(VALUES[:, 0]))
SHARES = np.column_stack([np.zeros(N), 0.3 + 0.5 * SCALED, np.full(N, -0.2)])
RAW = SHARES * MEASURE[:, None] + np.array([0, 1, 1]) * RNG.normal(size=(N, 3)) * np.sqrt(MEASURE)[:, None]


def test_slopes_and_means_that_were_planted_are_found_for_customers_in_left_out_folds():
    found = fit_linear(VALUES, RAW, MEASURE, ALL, FOLD)
    assert not found.unseen[:, 0].any()
    assert found.unseen[:, 1].mean() == pytest.approx(0.3, abs=0.03)
    assert np.corrcoef(found.unseen[:, 1], SHARES[:, 1])[0, 1] > 0.97
    assert found.unseen[:, 2] == pytest.approx(np.full(N, -0.2), abs=0.15)
    assert found.whole.columns.tolist() == [0, 1, 2]


def test_where_nothing_differs_slopes_are_shrunk_to_hardly_anything():
    noise = RNG.normal(size=(N, 3))
    found = fit_linear(VALUES, noise, np.ones(N), ALL, FOLD)
    assert found.whole.predict(VALUES)[:, 1:].std(axis=0).max() < 0.02


def test_values_nobody_has_seen_count_as_the_farthest_seen_and_missing_ones_as_the_mean():
    whole = fit_linear(VALUES, RAW, MEASURE, ALL, FOLD).whole
    strange = np.array([[1e9, 0, 0, 5], [1e12, 0, 0, 5], [np.nan, 0, 0, 5]], np.float32)
    far, farther, unknown = whole.predict(strange)[:, 1]
    assert far == farther
    middle = np.array([[np.expm1(abs(whole.center[0])) * np.sign(whole.center[0]), 0, 0, 5]], np.float32)
    assert unknown == pytest.approx(whole.predict(middle)[0, 1], abs=1e-6)


def test_an_action_that_was_never_eligible_has_no_effect_and_of_many_features_the_telling_ones_are_kept():
    many = np.column_stack([RNG.normal(size=(N, MOST + 20)), VALUES[:, 0]]).astype(np.float32)
    eligible = ALL & (np.arange(3) < 2)
    whole = fit_linear(many, RAW, MEASURE, eligible, FOLD).whole
    assert len(whole.columns) == MOST
    assert whole.columns[-1] == MOST + 20
    assert not whole.predict(many)[:, 2].any()
