"""Customer lifetime value from purchase days: BG/NBD, Pareto/NBD and gamma-gamma as estimators on frames.

A frame has one row per customer: `frequency` (purchase days after the first), `recency` (time from the first to the
last of them), `T` (time from the first to the end of observation) and, for gamma-gamma, `monetary_value` (mean spend
of the repeat days). Times are in `time_unit`, money in minor units such as cents.
"""

from typing import Any, Self

import numpy as np

from sintonia.core.arrays import Floats
from sintonia.core.errors import InputError, NotBuiltError, hint, unknown
from sintonia.features.clv.bg_nbd import BgNbdModel, fit_bg_nbd
from sintonia.features.clv.gamma_gamma import GammaGammaModel as SpendModel
from sintonia.features.clv.gamma_gamma import fit_gamma_gamma
from sintonia.features.clv.maximum_likelihood import Fit
from sintonia.features.clv.pareto_nbd import ParetoNbdModel, fit_pareto_nbd
from sintonia.features.clv.repeats import Repeats
from sintonia.features.from_frames import to_arrow

__all__ = ["BGNBD", "GammaGamma", "ParetoNBD"]

DAYS = {"days": 1.0, "weeks": 7.0}
"""The units of time, each in days."""


class _PurchaseModel:
    """What BG/NBD and Pareto/NBD share: a unit of time, and forecasts from the fitted model."""

    def __init__(self, *, time_unit: str = "days") -> None:
        if time_unit not in DAYS:
            raise unknown("time_unit", time_unit, DAYS)
        self.time_unit = time_unit

    model_: BgNbdModel | ParetoNbdModel
    log_likelihood_: float
    standard_errors_: dict[str, float]

    def predict(self, customers: Any, *, horizon: float) -> Floats:  # noqa: ANN401  any data frame
        """Return each customer's expected purchase days within the horizon after T.  # (n_customers,)"""
        repeats = self._repeats(customers)
        return self._fitted().expected_purchases(repeats, horizon * DAYS[self.time_unit])

    def probability_alive(self, customers: Any) -> Floats:  # noqa: ANN401
        """Return each customer's probability of not having left by T.  # (n_customers,)"""
        return self._fitted().probability_alive(self._repeats(customers))

    def probability_purchase(self, customers: Any, *, horizon: float) -> Floats:  # noqa: ANN401
        """Return each customer's probability of a purchase within the horizon after T.  # (n_customers,)"""
        repeats = self._repeats(customers)
        return self._fitted().probability_purchase(repeats, horizon * DAYS[self.time_unit])

    def _fitted(self) -> BgNbdModel | ParetoNbdModel:
        if not hasattr(self, "model_"):
            raise NotBuiltError(f"This {type(self).__name__} is not fitted; call fit(customers) first.")
        return self.model_

    def _repeats(self, customers: Any) -> Repeats:  # noqa: ANN401
        frequency, recency, age = _columns(customers, "frequency", "recency", "T")
        if (recency > age).any():
            raise InputError(
                f"{int((recency > age).sum())} customers have recency > T; recency runs from the first purchase."
            )
        days = DAYS[self.time_unit]
        return Repeats(frequency, recency * days, age * days, np.zeros(len(age)))

    def _keep_fit(self, fit: Fit | None) -> None:
        assert fit is not None
        days = DAYS[self.time_unit]
        self.log_likelihood_ = fit.log_likelihood
        self.standard_errors_ = {
            name.removesuffix("_days"): error / (days if name.endswith("_days") else 1.0)
            for name, error in fit.standard_errors.items()
        }


class BGNBD(_PurchaseModel):
    """BG/NBD (Fader, Hardie and Lee 2005): customers may leave after any purchase.

    After `fit`: `r_`, `alpha_` (in `time_unit`), `a_`, `b_`, `log_likelihood_` (times in days) and `standard_errors_`.

    Examples
    --------
    >>> import pandas as pd
    >>> customers = pd.DataFrame({"frequency": [2, 0, 5, 1, 0, 3] * 50, "recency": [30, 0, 37, 5, 0, 20] * 50, "T": 39})
    >>> model = BGNBD(time_unit="weeks").fit(customers)
    >>> model.predict(customers, horizon=39).shape, model.alpha_ > 0
    ((300,), True)
    """

    r_: float
    alpha_: float
    a_: float
    b_: float

    def fit(self, customers: Any) -> Self:  # noqa: ANN401  any data frame
        """Return the estimator, fitted by maximum likelihood on `frequency`, `recency` and `T`.

        Raises
        ------
        NotEnoughDataError
            When too few customers came back, or the likelihood has no maximum.
        """
        model = fit_bg_nbd(self._repeats(customers))
        self.model_ = model
        self.r_, self.a_, self.b_ = model.r, model.a, model.b
        self.alpha_ = model.alpha_days / DAYS[self.time_unit]
        self._keep_fit(model.fit)
        return self


class ParetoNBD(_PurchaseModel):
    """Pareto/NBD (Schmittlein, Morrison and Colombo 1987): customers may leave at any moment.

    After `fit`: `r_`, `alpha_`, `s_`, `beta_` (`alpha_` and `beta_` in `time_unit`), `log_likelihood_` (times in days)
    and `standard_errors_`.

    Examples
    --------
    >>> import pandas as pd
    >>> customers = pd.DataFrame({"frequency": [2, 0, 5, 1, 0, 3] * 50, "recency": [30, 0, 37, 5, 0, 20] * 50, "T": 39})
    >>> model = ParetoNBD(time_unit="weeks").fit(customers)
    >>> bool((model.probability_alive(customers) <= 1).all())
    True
    >>> model.predict(customers.drop(columns="T"), horizon=39)
    Traceback (most recent call last):
    ...
    sintonia.core.errors.InputError: The customers have no column 'T'; choose frequency, recency.
    """

    r_: float
    alpha_: float
    s_: float
    beta_: float

    def fit(self, customers: Any) -> Self:  # noqa: ANN401  any data frame
        """Return the estimator, fitted by maximum likelihood on `frequency`, `recency` and `T`.

        Raises
        ------
        NotEnoughDataError
            When too few customers came back, or the likelihood has no maximum.
        """
        model = fit_pareto_nbd(self._repeats(customers))
        days = DAYS[self.time_unit]
        self.model_ = model
        self.r_, self.s_ = model.r, model.s
        self.alpha_, self.beta_ = model.alpha_days / days, model.beta_days / days
        self._keep_fit(model.fit)
        return self


class GammaGamma:
    """Gamma-gamma (Fader and Hardie 2013): what a purchase day is worth, independent of how often there is one.

    After `fit`: `p_`, `q_`, `gamma_` (in the unit of `monetary_value`), `log_likelihood_` and `standard_errors_`.

    Examples
    --------
    >>> import pandas as pd
    >>> rng = np.random.default_rng(7)
    >>> means = 2000 / rng.gamma(4, 1 / 3, 400)
    >>> customers = pd.DataFrame({"frequency": 4, "monetary_value": means * rng.gamma(24, 1 / 24, 400)})
    >>> GammaGamma().fit(customers).predict(customers).shape
    (400,)
    """

    model_: SpendModel
    p_: float
    q_: float
    gamma_: float
    log_likelihood_: float
    standard_errors_: dict[str, float]

    def fit(self, customers: Any) -> Self:  # noqa: ANN401  any data frame
        """Return the estimator, fitted on customers with a repeat day whose `monetary_value` is above 0.

        Raises
        ------
        NotEnoughDataError
            When they are too few, or the likelihood has no maximum.
        """
        self.model_ = fit_gamma_gamma(_spend(customers))
        fit = self.model_.fit
        assert fit is not None
        self.p_, self.q_, self.gamma_ = self.model_.p, self.model_.q, self.model_.gamma_cents
        self.log_likelihood_ = fit.log_likelihood
        self.standard_errors_ = {
            name.removesuffix("_cents"): error for name, error in fit.standard_errors.items()
        }
        return self

    def predict(self, customers: Any) -> Floats:  # noqa: ANN401
        """Return each customer's expected spend on the next purchase day.  # (n_customers,)"""
        if not hasattr(self, "model_"):
            raise NotBuiltError("This GammaGamma is not fitted; call fit(customers) first.")
        return self.model_.expected_spend_cents(_spend(customers))


def _spend(customers: Any) -> Repeats:  # noqa: ANN401
    frequency, value = _columns(customers, "frequency", "monetary_value")
    nothing = np.zeros(len(frequency))
    return Repeats(frequency, nothing, nothing, value)


def _columns(customers: Any, *names: str) -> list[Floats]:  # noqa: ANN401
    """Return columns as float64, none of them missing or below 0."""
    table = to_arrow(customers, "customers")
    columns = []
    for name in names:
        if name not in table.column_names:
            raise InputError(f"The customers have no column '{name}'; {hint(name, table.column_names)}")
        try:
            values = np.asarray(table[name].cast("float64").to_numpy(), np.float64)
        except (ValueError, TypeError, NotImplementedError):
            raise InputError(f"The column '{name}' is {table[name].type}; give numbers.") from None
        if not (values >= 0).all():
            raise InputError(
                f"The column '{name}' has missing or negative values; leave these customers out."
            )
        columns.append(values)
    return columns
