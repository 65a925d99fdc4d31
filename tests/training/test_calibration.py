"""Score to probability: monotone, exact through JSON, never 0 or 1."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sintonia.core.errors import ConfigError, NotEnoughDataError, UnsupportedModelError
from sintonia.training.calibration import KINDS, Calibrator, choose_calibrator, fit_amounts, fit_calibrator

RNG = np.random.default_rng(0)
RAW = RNG.normal(size=3000) * 2
LABELS = (RNG.random(3000) < 1 / (1 + np.exp(-(0.5 * RAW - 1)))).astype(int)

pairs = st.lists(st.tuples(st.floats(-30, 30), st.integers(0, 1)), min_size=2, max_size=40).filter(
    lambda rows: len({label for _, label in rows}) == 2
)
kinds = st.sampled_from(KINDS)


@given(pairs, kinds, st.lists(st.floats(-60, 60), min_size=2, max_size=20))
@settings(max_examples=150, deadline=None)
def test_a_higher_score_never_means_a_lower_propensity(rows, kind, scores):
    fitted = fit_calibrator(*zip(*rows, strict=True), kind)
    propensities = fitted.apply(np.sort(scores))
    assert np.all(np.diff(propensities) >= -1e-15)
    assert np.all((propensities >= 0) & (propensities <= 1))


@given(pairs, kinds, st.lists(st.floats(-60, 60), min_size=1, max_size=20))
@settings(max_examples=60, deadline=None)
def test_json_keeps_every_bit(rows, kind, scores):
    fitted = fit_calibrator(*zip(*rows, strict=True), kind)
    again = Calibrator.from_json(fitted.to_json())
    assert again == fitted
    assert again.apply(scores).tobytes() == fitted.apply(scores).tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_chunks_give_the_same_bytes_as_the_whole(kind):
    fitted = fit_calibrator(RAW, LABELS, kind)
    parts = [fitted.apply(part) for part in np.array_split(RAW, 157)]
    assert np.concatenate(parts).tobytes() == fitted.apply(RAW).tobytes()


def test_sigmoid_finds_the_slope_and_intercept_the_labels_came_from():
    fitted = fit_calibrator(RAW, LABELS, "sigmoid")
    assert fitted.slope == pytest.approx(0.5, abs=0.06)
    assert fitted.intercept == pytest.approx(-1, abs=0.15)


def test_sigmoid_is_where_the_log_loss_on_platts_targets_is_flat():
    ones = LABELS.sum()
    targets = np.where(LABELS == 1, (ones + 1) / (ones + 2), 1 / (len(LABELS) - ones + 2))
    error = fit_calibrator(RAW, LABELS, "sigmoid").apply(RAW) - targets
    assert abs(error.mean()) < 1e-7
    assert abs((error * RAW).mean()) < 1e-7


@pytest.mark.parametrize("kind", KINDS)
def test_propensities_average_to_the_label_rate(kind):
    fitted = fit_calibrator(RAW, LABELS, kind)
    assert fitted.apply(RAW).mean() == pytest.approx(LABELS.mean(), abs=0.001)


@pytest.mark.parametrize("kind", KINDS)
def test_separable_scores_never_reach_0_or_1(kind):
    propensities = fit_calibrator([-3, -2, 2, 3], [0, 0, 1, 1], kind).apply([-3, 3])
    assert 0 < propensities[0] < 0.3 < 0.7 < propensities[1] < 1


@pytest.mark.parametrize("kind", KINDS)
def test_scores_that_run_against_the_labels_give_a_flat_map(kind):
    propensities = fit_calibrator([-2, -1, 1, 2], [1, 1, 0, 0], kind).apply([-2, 0, 2])
    assert np.ptp(propensities) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_equal_scores_give_the_label_rate_pulled_towards_the_middle(kind):
    assert fit_calibrator([1, 1, 1, 1], [1, 0, 0, 0], kind).apply([0.0])[0] == pytest.approx(0.3167, abs=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_score_stays_missing(kind):
    assert np.isnan(fit_calibrator(RAW, LABELS, kind).apply([np.nan]))[0]


def test_beta_is_the_sigmoid_where_the_truth_is_and_bends_where_it_is_not():
    sigmoid, beta = (fit_calibrator(RAW, LABELS, kind) for kind in ("sigmoid", "beta"))
    np.testing.assert_allclose(beta.apply([-3.0, 0.0, 3.0]), sigmoid.apply([-3.0, 0.0, 3.0]), atol=0.03)
    # Log-odds that are right below 0 and worth half above: the sigmoid must be wrong on one side.
    bent = np.where(RAW > 0, RAW / 2, RAW)
    labels = (np.random.default_rng(1).random(len(RAW)) < 1 / (1 + np.exp(-bent))).astype(int)
    there = 1 / (1 + np.exp(-np.array([-3.0, 1.5])))
    errors = [
        np.abs(fit_calibrator(RAW, labels, kind).apply([-3.0, 3.0]) - there).max()
        for kind in ("sigmoid", "beta")
    ]
    assert errors[1] < errors[0]


def test_the_kind_is_chosen_that_serves_customers_it_was_not_fitted_on():
    customers = np.arange(len(RAW)) // 2
    assert choose_calibrator(RAW, LABELS, customers, seed=1).kind != "isotonic"  # the truth is a sigmoid
    steps = np.where(RAW > 1, 0.6, np.where(RAW > 0.5, 0.1, np.where(RAW > -2, 0.09, 0.08)))
    stepped = (np.random.default_rng(2).random(len(RAW)) < steps).astype(int)
    assert choose_calibrator(RAW, stepped, customers, seed=1).kind == "isotonic"
    again = choose_calibrator(RAW, stepped, customers, seed=1)
    assert again == choose_calibrator(RAW, stepped, customers, seed=1)
    assert choose_calibrator([0.0, 1.0, 2.0], [0, 1, 0], ["a", "a", "a"], seed=1).kind == "sigmoid"


def test_amounts_add_up_to_the_truth_and_rise_with_the_score():
    amounts = np.random.default_rng(3).gamma(0.3, np.exp(0.7 * RAW + 5) / 0.3)
    fitted = fit_amounts(RAW, amounts)
    assert fitted.apply(RAW).sum() == pytest.approx(amounts.sum(), rel=1e-4)
    assert fitted.slope == pytest.approx(0.7, abs=0.1)
    assert Calibrator.from_json(fitted.to_json()) == fitted
    assert fit_amounts(RAW, amounts[np.argsort(-RAW).argsort()] * 0 + 9).slope == pytest.approx(0, abs=1e-6)
    with pytest.raises(NotEnoughDataError, match="The 2 validation rows have no spend"):
        fit_amounts([0.0, 1.0], [0, 0])


def test_the_json_is_strict():
    def refuse(constant):
        raise AssertionError(constant)

    for kind in KINDS:
        json.loads(fit_calibrator(RAW, LABELS, kind).to_json(), parse_constant=refuse)


def test_unknown_kinds_and_one_outcome_are_refused():
    with pytest.raises(ConfigError, match="did you mean 'isotonic'"):
        fit_calibrator([0, 1], [0, 1], "isotonc")
    with pytest.raises(NotEnoughDataError, match="2 validation rows have 0 of label 1"):
        fit_calibrator([0, 1], [0, 0])


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"kind": "gamma", "scores": [], "propensities": []}'])
def test_a_calibration_nobody_wrote_is_refused(text):
    with pytest.raises(UnsupportedModelError):
        Calibrator.from_json(text)
