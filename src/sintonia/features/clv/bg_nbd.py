"""BG/NBD: purchases come at a customer's own rate until, after one of them, the customer leaves for good.

Fader, Hardie, Lee (2005), "Counting Your Customers" the Easy Way, Marketing Science 24(2): rates are
Gamma(r, alpha) over customers, the chance to leave after a purchase is Beta(a, b). The probability of any
purchase in a horizon follows from the same: before leaving comes a purchase, so only being alive and the rate count.
"""

from dataclasses import dataclass

import numpy as np

from sintonia.core.arrays import Floats
from sintonia.features.clv.maximum_likelihood import (
    DistinctCustomers,
    Fit,
    LogLikelihood,
    MeanLikelihood,
    days_per_purchase,
    distinct_customers,
    maximise,
)
from sintonia.features.clv.repeats import Repeats

NAME = "BG/NBD"
BOUNDS = {"r": (1e-3, 1e3), "alpha_days": (1e-2, 1e6), "a": (1e-3, 1e3), "b": (1e-3, 1e3)}


@dataclass(frozen=True)
class BgNbdModel:
    """The fitted model; only `alpha_days` has a unit.

    Examples
    --------
    >>> cdnow = BgNbdModel(r=0.243, alpha_days=7 * 4.414, a=0.793, b=2.426)
    >>> customer = Repeats(*np.array([[2.0], [213.0], [272.0], [2235.0]]))  # CDNOW's first
    >>> [f"{cdnow.probability_alive(customer)[0]:.3f}", f"{cdnow.expected_purchases(customer, 273)[0]:.3f}"]
    ['0.727', '1.226']
    """

    r: float
    alpha_days: float
    a: float
    b: float
    fit: Fit | None = None

    def probability_alive(self, repeats: Repeats) -> Floats:
        """Return the probability of not having left by as_of; who never came back cannot have left."""
        from scipy.special import expit

        x = repeats.frequency
        before = np.log(self.alpha_days + repeats.age_days) - np.log(self.alpha_days + repeats.recency_days)
        # Without a repeat the odds are never used; the 1 keeps their logarithm quiet.
        odds = np.log(self.a) - np.log(self.b + np.maximum(x, 1) - 1) + (self.r + x) * before
        return np.where(x > 0, expit(-odds), np.where(np.isnan(x), np.nan, 1.0))

    def expected_purchases(self, repeats: Repeats, horizon_days: float) -> Floats:
        """Return the expected purchase days in (as_of, as_of + horizon_days].

        Equation 10 of the paper, with its hypergeometric function after Euler's transformation, which stays finite
        for customers with thousands of purchases. Where SciPy has no finite value of it (a parameter at its bound), or
        where the subtraction from 1 leaves few digits, the expectation is integrated over the chance to leave.
        """
        from scipy.special import hyp2f1

        x = repeats.frequency
        # At a = 1, and without a repeat at a + b = 1, the formula is 0 / 0; beside it, it is as good as continuous.
        a = self.a if abs(self.a - 1) > 1e-5 else 1 + 1e-5
        b = self.b if abs(a + self.b - 1) > 1e-5 else self.b + 3e-5
        total_days = self.alpha_days + repeats.age_days + horizon_days
        z = horizon_days / total_days
        series = hyp2f1(a + b - 1 - self.r, a - 1, a + b + x - 1, z)
        with np.errstate(invalid="ignore"):
            gone = np.exp((a - 1) * np.log1p(-z)) * series
            if_alive = np.asarray((a + b + x - 1) / (a - 1) * (1 - gone))
            # SciPy's series is right to about 1e-11 of itself: 7 digits of the difference are left at 1e-4.
            imprecise = np.abs(1 - gone) < 1e-4
        lost = (~np.isfinite(if_alive) | imprecise) & np.isfinite(x)
        if lost.any():
            if_alive[lost] = self._integrated_purchases(x[lost], repeats.age_days[lost], horizon_days)
        return np.asarray(self.probability_alive(repeats) * if_alive)

    def _integrated_purchases(self, frequency: Floats, age_days: Floats, horizon_days: float) -> Floats:
        """Return the expected purchase days of customers who are still there, one integral a distinct frequency."""
        purchases = np.empty(len(frequency))
        for x in np.unique(frequency):
            rows = np.flatnonzero(frequency == x)
            for first in range(0, len(rows), _CHUNK_ROWS):
                part = rows[first : first + _CHUNK_ROWS]
                pace = horizon_days / (self.alpha_days + age_days[part])
                purchases[part] = _mean_over_leaving(self.a, self.b + x, self.r + x, pace)
        return purchases

    def probability_purchase(self, repeats: Repeats, horizon_days: float) -> Floats:
        """Return the probability of at least one purchase day in (as_of, as_of + horizon_days]."""
        longer = np.log1p(horizon_days / (self.alpha_days + repeats.age_days))
        any_purchase = -np.expm1(-(self.r + repeats.frequency) * longer)
        return np.asarray(self.probability_alive(repeats) * any_purchase)


_CHUNK_ROWS = 4096
_DEPTH = 40.0
"""Integrands are cut where they have fallen by e^-40."""


def _mean_over_leaving(a: float, b: float, shape: float, pace: Floats) -> Floats:
    """Return the mean of (1 - (1 + p * pace)^-shape) / p over p, the chance to leave, which is Beta(a, b).

    The quotient is the expected number of purchases of a rate Gamma(shape, 1 / pace) until the first after which the
    customer leaves. It falls smoothly from shape * pace at p = 0 to its value at p = 1; over log(p / (1 - p)) the
    density is analytic and log-concave, so equal steps converge exponentially (Trefethen, Weideman 2014, "The
    Exponentially Convergent Trapezoidal Rule", SIAM Review 56(3)). A straight line between the ends, whose mean is
    known, is taken off first, so that what is summed fades at both ends however small a and b are.
    """
    from scipy.special import betaln, expit

    at_zero, at_one = shape * pace, -np.expm1(-shape * np.log1p(pace))
    mode, width = np.log(a / b), np.sqrt((a + b) / (a * b))

    def log_density(logit: Floats) -> Floats:
        return np.asarray(-a * np.logaddexp(0, -logit) - b * np.logaddexp(0, logit))

    highest = float(log_density(np.array(mode)))
    depth = _DEPTH + float(np.log1p(at_zero.max()))
    offsets = width * 2.0 ** np.arange(-2, 24)
    low, high = (
        offsets[np.argmax(log_density(ends) - fading < highest - depth - abs(mode))]
        for ends, fading in ((mode - offsets, offsets if a < 1 else 0), (mode + offsets, offsets))
    )
    step = min(0.25, width / 1.5)
    logit = np.arange(mode - low, mode + high + step, step)
    p, not_p = expit(logit), expit(-logit)
    weights = step * np.exp(log_density(logit) - betaln(a, b))
    quotient = -np.expm1(-shape * np.log1p(pace[:, None] * p)) / p  # (n_rows, n_nodes)
    slope = np.asarray(at_zero - at_one) if a < 1 else np.zeros(len(pace))
    rest = quotient - at_one[:, None] - slope[:, None] * not_p
    return np.asarray(at_one + slope * b / (a + b) + rest @ weights)


def fit_bg_nbd(repeats: Repeats) -> BgNbdModel:
    """Return the model of the highest likelihood; every entry of the repeats is a customer, so give one as_of.

    Raises
    ------
    NotEnoughDataError
        When too few customers came back, or the likelihood has no maximum.
    """
    rows = distinct_customers(NAME, repeats)
    starts = [
        {"r": r, "alpha_days": r * days_per_purchase(rows), "a": a, "b": b}
        for r, a, b in ((0.5, 0.5, 2.0), (2.0, 0.1, 2.0))
    ]

    def likelihood_of(every: int) -> MeanLikelihood:
        sample = rows.every(every)
        return MeanLikelihood(bg_nbd_likelihood(sample), float(sample.customers.sum()))

    values, fit = maximise(NAME, likelihood_of, int(rows.customers.sum()), starts, BOUNDS)
    return BgNbdModel(**values, fit=fit)


def bg_nbd_likelihood(rows: DistinctCustomers) -> LogLikelihood:
    """Return the log likelihood of (r, alpha_days, a, b) on these rows: equation 6 of the paper, with its gradient."""
    from scipy.special import digamma, gammaln

    x, weights = rows.frequency, rows.customers
    again = x > 0
    # Gamma functions are dear and depend on x alone, so they are taken once a distinct x.
    counts, index = np.unique(x, return_inverse=True)
    customers_of = np.bincount(index, weights)

    def value(parameters: Floats) -> tuple[float, Floats]:
        r, alpha, a, b = parameters
        log_age, log_recency = np.log(alpha + rows.age_days), np.log(alpha + rows.recency_days)
        log_alive = -(r + x) * log_age
        log_gone = np.where(
            again, np.log(a) - np.log(b + np.maximum(x, 1) - 1) - (r + x) * log_recency, -np.inf
        )
        log_total = np.logaddexp(log_alive, log_gone)
        gone_weight = np.exp(log_gone - log_total) * weights
        alive_weight = weights - gone_weight
        rates = gammaln(r + counts) - gammaln(r) + r * np.log(alpha)
        leaving = gammaln(a + b) + gammaln(b + counts) - gammaln(b) - gammaln(a + b + counts)
        by_a = digamma(a + b) - digamma(a + b + counts)
        by_b = by_a + digamma(b + counts) - digamma(b)
        gradient = [
            customers_of @ (digamma(r + counts) - digamma(r) + np.log(alpha))
            - alive_weight @ log_age
            - gone_weight @ log_recency,
            weights.sum() * r / alpha
            - (r + x) @ (alive_weight / (alpha + rows.age_days) + gone_weight / (alpha + rows.recency_days)),
            customers_of @ by_a + gone_weight.sum() / a,
            customers_of @ by_b - gone_weight @ (1 / (b + np.maximum(x, 1) - 1)),
        ]
        return float(customers_of @ (rates + leaving) + weights @ log_total), np.array(gradient)

    return value
