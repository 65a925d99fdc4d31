"""Gamma-gamma: shrinkage by hand, parameters found again, the published fit."""

import numpy as np
import pytest

from features.clv.cohort import GAMMA_GAMMA, cohort, repeats
from sintonia.core.errors import NotEnoughDataError
from sintonia.features.clv import GammaGammaModel, fit_gamma_gamma
from sintonia.features.clv.gamma_gamma import spend_likelihood


def test_spend_is_shrunk_the_less_the_more_often_somebody_came_back():
    model = GammaGammaModel(p=2.0, q=4.0, gamma_cents=1500.0)  # a newcomer: 2 * 1500 / 3
    found = model.expected_spend_cents(repeats((0, 0, 9, 0), (1, 5, 9, 4000), (1000, 900, 901, 4000)))
    assert found[:2] == pytest.approx([1000, 2 * 5500 / 5])
    assert found[2] == pytest.approx(4000, rel=0.01)


def test_true_parameters_lie_within_three_standard_errors():
    fitted = fit_gamma_gamma(cohort(4_000, "bg_nbd", seed=8)[0])
    for name, true in GAMMA_GAMMA.items():
        error = fitted.fit.standard_errors[name]
        assert abs(getattr(fitted, name) - true) < 3 * error < true, (name, fitted)


def test_gradient_is_the_slope_of_the_likelihood():
    rng = np.random.default_rng(1)
    likelihood = spend_likelihood(rng.integers(1, 9, 40).astype(float), rng.gamma(4, 500, 40))
    at = np.array([3.0, 2.5, 900.0])
    for place, step in enumerate(1e-5 * at):
        move = np.zeros(3)
        move[place] = step
        slope = (likelihood(at + move)[0] - likelihood(at - move)[0]) / (2 * step)
        assert likelihood(at)[1][place] == pytest.approx(slope, rel=1e-5)


def test_free_goods_do_not_teach_what_a_purchase_is_worth():
    known = repeats(*[(2, 30, 90, 0.0)] * 500, *[(2, 30, 90, 100.0)] * 49)
    with pytest.raises(
        NotEnoughDataError, match=r"50 customers with an amount above 0 on a repeat day .* found 49"
    ):
        fit_gamma_gamma(known)
