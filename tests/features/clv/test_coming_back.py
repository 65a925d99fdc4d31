"""Both models of coming back: parameters found again, exact gradients, predictions that come true."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import roots_genlaguerre, roots_jacobi
from scipy.stats import beta

from features.clv.cohort import BG_NBD, HORIZON_DAYS, PARETO_NBD, cohort, repeats
from sintonia.core.errors import NotEnoughDataError
from sintonia.features.clv import (
    BgNbdModel,
    ParetoNbdModel,
    Repeats,
    bg_nbd,
    fit_bg_nbd,
    fit_pareto_nbd,
    pareto_nbd,
)
from sintonia.features.clv.maximum_likelihood import (
    SEARCH_SAMPLE,
    MeanLikelihood,
    distinct_customers,
    maximise,
)

MODELS = {
    "bg_nbd": (fit_bg_nbd, BG_NBD, BgNbdModel, bg_nbd.bg_nbd_likelihood),
    "pareto_nbd": (fit_pareto_nbd, PARETO_NBD, ParetoNbdModel, pareto_nbd.pareto_nbd_likelihood),
}
HISTORIES = st.tuples(st.integers(0, 60), st.integers(1, 700), st.integers(0, 700)).map(
    lambda one: (one[0], one[1] if one[0] else 0, one[1] + one[2])
)
positive = st.floats(0.05, 20)


@pytest.fixture(scope="module", params=MODELS)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def world(name):
    return cohort(4_000, name, seed=5)


@pytest.fixture(scope="module")
def fitted(name, world):
    return MODELS[name][0](world[0])


def test_true_parameters_lie_within_three_standard_errors(name, fitted):
    for parameter, true in MODELS[name][1].items():
        error = fitted.fit.standard_errors[parameter]
        assert abs(getattr(fitted, parameter) - true) < 3 * error, (parameter, fitted)
        assert error < 0.6 * true


def test_predictions_come_true_overall_and_by_history(name, world, fitted):
    known, future = world
    expected = fitted.expected_purchases(known, HORIZON_DAYS)
    some = fitted.probability_purchase(known, HORIZON_DAYS)
    assert expected.sum() == pytest.approx(future.sum(), rel=0.08)
    for rows in (known.frequency == 0, known.frequency == 1, known.frequency > 3):
        deviation = np.sqrt((some[rows] * (1 - some[rows])).sum())
        assert abs(some[rows].sum() - (future[rows] > 0).sum()) < 4 * deviation
    assert fitted.probability_alive(known)[future > 0].mean() > 0.7


@settings(max_examples=25, deadline=None)
@given(st.tuples(*[positive] * 4), st.lists(HISTORIES, min_size=60, max_size=60))
def test_gradient_is_the_slope_of_the_likelihood(name, parameters, customers):
    rows = distinct_customers(name, repeats(*customers, *[(2, 30, 90)] * 50))
    likelihood = MODELS[name][3](rows)
    at = np.array(parameters)
    gradient = likelihood(at)[1]
    for place, step in enumerate(1e-5 * at):
        move = np.zeros(4)
        move[place] = step
        slope = (likelihood(at + move)[0] - likelihood(at - move)[0]) / (2 * step)
        assert gradient[place] == pytest.approx(
            slope, rel=1e-4, abs=1e-4 * abs(gradient * at).max() / at[place]
        )


@settings(max_examples=40, deadline=None)
@given(st.tuples(*[positive] * 4), st.lists(HISTORIES, min_size=1, max_size=5), st.floats(1, 1000))
def test_probabilities_and_expectations_are_in_their_order(name, parameters, customers, horizon_days):
    model, known = MODELS[name][2](*parameters), repeats(*customers)
    alive = model.probability_alive(known)
    some = model.probability_purchase(known, horizon_days)
    expected = model.expected_purchases(known, horizon_days)
    assert ((alive >= 0) & (alive <= 1)).all()
    assert ((some >= 0) & (some <= alive * (1 + 1e-9))).all()
    assert (some <= expected * (1 + 1e-6) + 1e-12).all()
    assert (expected <= model.expected_purchases(known, 1.5 * horizon_days) * (1 + 1e-6) + 1e-12).all()
    # One day at a time, what is expected of somebody alive is at most the rate now.
    rate = (model.r + known.frequency) / (model.alpha_days + known.age_days)
    assert (expected <= alive * rate * horizon_days * (1 + 1e-6) + 1e-12).all()


def test_equal_customers_weigh_as_often_as_they_stand_there(name, world, fitted):
    known = world[0]
    doubled = Repeats(*(np.concatenate([getattr(known, f)] * 2) for f in vars(known)))
    twice = MODELS[name][0](doubled)
    assert twice.r == pytest.approx(fitted.r, rel=1e-3)
    assert twice.fit.log_likelihood == pytest.approx(2 * fitted.fit.log_likelihood, rel=1e-7)
    assert twice.fit.standard_errors["r"] == pytest.approx(
        fitted.fit.standard_errors["r"] / np.sqrt(2), rel=0.01
    )


def test_search_on_some_customers_ends_where_one_on_all_does(name, world, fitted, monkeypatch):
    monkeypatch.setattr("sintonia.features.clv.maximum_likelihood.SEARCH_SAMPLE", 500)
    searched = MODELS[name][0](world[0])
    assert fitted.fit.customers < SEARCH_SAMPLE
    assert searched.fit.log_likelihood == pytest.approx(fitted.fit.log_likelihood, abs=1e-3)
    for parameter, error in fitted.fit.standard_errors.items():
        assert getattr(searched, parameter) == pytest.approx(getattr(fitted, parameter), abs=0.02 * error)


def test_who_never_bought_has_no_prediction_and_shapes_are_kept(name, fitted):
    known = Repeats(*(np.array([[0.0, np.nan], [5.0, 3.0]]) for _ in range(4)))
    known = replace(known, age_days=known.age_days + 30)
    for values in (
        fitted.probability_alive(known),
        fitted.expected_purchases(known, 28),
        fitted.probability_purchase(known, 28),
    ):
        assert np.isnan(values).tolist() == [[False, True], [False, False]]


def test_ten_thousand_purchases_are_a_customer_like_others(name, fitted):
    regular = repeats((10_000, 700, 700))
    assert fitted.probability_alive(regular)[0] > 0.9
    per_day = fitted.expected_purchases(regular, 1)[0]
    assert per_day == pytest.approx(10_000 / 730, rel=0.2)
    assert fitted.probability_purchase(regular, 28)[0] == pytest.approx(1, abs=0.1)


def test_too_few_who_came_back_are_refused_in_words(name):
    with pytest.raises(
        NotEnoughDataError, match=r"needs 50 customers who bought on at least two days .* found 2"
    ):
        MODELS[name][0](repeats((0, 0, 50), (1, 20, 50), (2, 30, 50)))


def test_customers_all_alike_still_get_a_model(name):
    # Everybody buys every ten days and nobody leaves: no inner maximum, and no standard errors.
    fitted = MODELS[name][0](repeats(*[(30, 300, 300 + late) for late in range(60)]))
    assert fitted.fit.standard_errors == {}
    assert fitted.expected_purchases(repeats((30, 300, 305)), 100)[0] == pytest.approx(10, rel=0.1)


def test_likelihood_without_a_maximum_is_refused_in_words():
    def broken(parameters):
        return np.nan, parameters * np.nan

    with pytest.raises(NotEnoughDataError, match="Toy found no maximum of its likelihood on 70 customers"):
        maximise("Toy", lambda _: MeanLikelihood(broken, 70), 70, [{"r": 1.0}], {"r": (0.1, 10.0)})


def test_bg_nbd_is_bayes_rule_over_rates_and_chances_to_leave():
    model = BgNbdModel(r=0.8, alpha_days=20.0, a=0.7, b=2.0)
    x, last, age, horizon = 3, 40.0, 70.0, 60.0
    nodes, node_weights = roots_genlaguerre(120, 0.8 - 1)
    rate, p_nodes, p_weights = nodes / 20.0, *roots_jacobi(60, 2.0 - 1, 0.7 - 1)
    rate, p = rate[:, None], (1 + p_nodes) / 2
    here = (1 - p) ** x * rate**x * np.exp(-rate * age)
    gone = p * (1 - p) ** (x - 1) * rate**x * np.exp(-rate * last)
    buys = here * (1 - np.exp(-rate * horizon))
    days = here * (1 - np.exp(-rate * p * horizon)) / p
    both = [node_weights @ values @ p_weights for values in (here, gone, buys, days)]
    known, whole = repeats((x, last, age)), both[0] + both[1]
    assert model.probability_alive(known)[0] == pytest.approx(both[0] / whole, rel=1e-8)
    assert model.probability_purchase(known, horizon)[0] == pytest.approx(both[2] / whole, rel=1e-8)
    assert model.expected_purchases(known, horizon)[0] == pytest.approx(both[3] / whole, rel=1e-8)


def test_bg_nbd_is_smooth_where_its_formula_is_not():
    known = repeats((3, 40, 70), (0, 0, 70))
    for b, near in ((2.0, (0.999, 1.0, 1.001)), (0.3, (0.699, 0.7, 0.701))):
        beside = [BgNbdModel(0.8, 20.0, a, b).expected_purchases(known, 60) for a in near]
        assert beside[1] == pytest.approx((beside[0] + beside[2]) / 2, rel=1e-4)


def purchases_by_quadrature(model, x, age_days, horizon_days):
    """Expected purchases of a customer who is there: the mean of (1 - (1 + p t / A)^-k) / p over p ~ Beta(a, b + x)."""
    chance, pace = beta(model.a, model.b + x), horizon_days / (model.alpha_days + age_days)

    def integrand(p):
        return chance.pdf(p) * -np.expm1(-(model.r + x) * np.log1p(p * pace)) / p

    edges = np.unique(np.clip(chance.ppf([1e-16, 1e-4, 0.1, 0.5, 0.9, 0.9999, 1 - 1e-13]), 1e-300, 1 - 1e-15))
    return sum(quad(integrand, *edge, epsabs=0, epsrel=1e-12, limit=200)[0] for edge in pairwise(edges))


@pytest.mark.parametrize("horizon_days", [365, 730, 3650])
@pytest.mark.parametrize(
    "parameters",
    [
        (0.11, 41.5, 267.9, 1000.0),  # one-time buyers: b at its bound
        (0.4, 30.0, 1000.0, 1000.0),
        (1000.0, 50.0, 1000.0, 5.0),
        (3.0, 333.0, 977.7, 26.7),
        (0.2, 1.0, 950.0, 1000.0),
        (1000.0, 1e6, 1000.0, 1000.0),
    ],
)
@pytest.mark.parametrize("x", [0, 2, 400])
def test_bg_nbd_is_finite_and_right_with_a_parameter_at_its_bound(parameters, x, horizon_days):
    model, known = BgNbdModel(*parameters), repeats((x, 4 if x else 0, 5))
    want = model.probability_alive(known)[0] * purchases_by_quadrature(model, x, 5, horizon_days)
    assert model.expected_purchases(known, horizon_days)[0] == pytest.approx(want, rel=1e-8)


def test_new_customers_of_a_shop_of_one_time_buyers_are_expected_to_buy_more_in_two_years_than_in_one():
    model, known = BgNbdModel(0.11, 41.5, 267.9, 1000.0), repeats((0, 0, 1), (0, 0, 5))
    expected = np.array([model.expected_purchases(known, days) for days in (0, 1, 365, 500, 729, 730, 3650)])
    assert np.isfinite(expected).all()
    assert (np.diff(expected, axis=0) > 0).all()
    assert expected[-2].round(4).tolist() == [0.7349, 0.704]


def test_expected_purchases_of_a_day_keep_their_digits_where_the_series_is_nearly_one():
    # 1e-6 purchases a day: the hypergeometric series differs from 1 by 1e-9 and is right to 1e-11.
    model, known = BgNbdModel(0.001, 1000.0, 1.0, 1000.0), repeats((0, 0, 1))
    assert model.expected_purchases(known, 1)[0] == pytest.approx(
        purchases_by_quadrature(model, 0, 1, 1), rel=1e-8
    )


bounded = st.one_of(st.sampled_from([1e-3, 1e3]), st.floats(-3, 3).map(lambda power: 10.0**power))


@settings(max_examples=150, deadline=None)
@given(
    st.tuples(bounded, st.floats(-2, 6).map(lambda power: 10.0**power), bounded, bounded), st.lists(HISTORIES)
)
def test_bg_nbd_is_finite_and_rises_with_the_horizon_all_over_its_bounds(parameters, customers):
    model, known = BgNbdModel(*parameters), repeats((0, 0, 1), *customers)
    rate = (model.r + known.frequency) / (model.alpha_days + known.age_days)
    before = np.zeros(len(rate))
    for days in (1, 28, 365, 730, 3650):
        expected = model.expected_purchases(known, days)
        # SciPy's series is subtracted from 1: with rates of 1e-9 a day it keeps few digits.
        assert (expected >= before * (1 - 1e-6) - 1e-9).all()
        assert (expected <= model.probability_alive(known) * rate * days * (1 + 1e-6) + 1e-9).all()
        before = expected


def test_customer_without_a_repeat_has_the_likelihood_of_waiting():
    # BG/NBD: nobody leaves before a second purchase, so it is E[exp(-rate * 90)] = (20 / 110) ** 0.8 each.
    rows = distinct_customers("toy", repeats(*[(1, 10, 90)] * 50, (0, 0, 90)))
    alone = replace(rows, customers=np.where(rows.frequency == 0, 1.0, 0.0))
    found = bg_nbd.bg_nbd_likelihood(alone)(np.array([0.8, 20.0, 0.7, 2.0]))[0]
    assert found == pytest.approx(0.8 * np.log(20 / 110))


@settings(max_examples=60, deadline=None)
@given(st.tuples(*[st.floats(0.05, 60)] * 2), st.tuples(*[st.floats(0.5, 2000)] * 2), st.floats(0.1, 1000))
def test_integral_of_pareto_nbd_is_the_integral(powers, scales, length):
    k, m = powers
    a, b = scales
    found = pareto_nbd.integral((np.array([k]), np.array([a])), (m, np.array([b])), length)
    edges = np.concatenate([[0], length * 10.0 ** np.arange(-5, 1)])
    f = lambda t: np.exp(-k * np.log1p(t / a) - m * np.log1p(t / b))  # noqa: E731
    want = sum(quad(f, *edge, epsrel=1e-10)[0] for edge in pairwise(edges))
    assert np.exp(found.log_total[0]) == pytest.approx(want, rel=1e-6)
