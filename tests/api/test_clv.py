"""Lifetime value estimators do not depend on the unit of time, and refuse what is no customer."""

import numpy as np
import pandas as pd
import pytest

import sintonia as sn


def customers(n=400):
    rng = np.random.default_rng(5)
    rates, age = rng.gamma(0.6, 1 / 30, n), rng.integers(100, 400, n)
    frequency = rng.poisson(rates * age * 0.7)
    recency = np.where(frequency > 0, age * rng.uniform(0.3, 1, n), 0.0)
    return pd.DataFrame({"frequency": frequency, "recency": recency, "T": age})


@pytest.mark.parametrize("estimator", [sn.clv.ParetoNBD, sn.clv.BGNBD])
def test_weeks_and_days_give_the_same_forecast(estimator):
    days = customers()
    weeks = days.assign(recency=days["recency"] / 7, T=days["T"] / 7)
    by_day, by_week = estimator().fit(days), estimator(time_unit="weeks").fit(weeks)
    assert by_week.alpha_ == pytest.approx(by_day.alpha_ / 7, rel=1e-3)
    np.testing.assert_allclose(by_week.predict(weeks, horizon=4), by_day.predict(days, horizon=28), rtol=1e-3)
    assert ((by_day.probability_alive(days) >= 0) & (by_day.probability_alive(days) <= 1)).all()


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (customers().drop(columns="T"), "no column 'T'"),
        (customers().assign(recency=1000.0), "recency > T"),
        (customers().assign(frequency=-1), "missing or negative"),
    ],
)
def test_wrong_customers_are_refused(frame, message):
    with pytest.raises(sn.SintoniaError, match=message):
        sn.clv.ParetoNBD().fit(frame)


def test_an_estimator_that_is_not_fitted_says_so():
    with pytest.raises(sn.SintoniaError, match=r"not fitted; call fit\(customers\)"):
        sn.clv.GammaGamma().predict(customers().assign(monetary_value=1.0))
