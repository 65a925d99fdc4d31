"""Pareto/NBD: purchases come at a customer's own rate until the customer leaves at a moment nobody sees.

Schmittlein, Morrison, Colombo (1987), Counting Your Customers, Management Science 33(1): purchase rates are
Gamma(r, alpha), rates of leaving Gamma(s, beta) over customers. The likelihood is written as by Fader and Hardie
(brucehardie.com/notes/009), its integral over the unseen moment taken numerically: where they use differences of
hypergeometric functions, all terms here are positive, so nothing cancels, and the gradient costs no more.
"""

from dataclasses import dataclass
from typing import NamedTuple

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

NAME = "Pareto/NBD"
BOUNDS = {"r": (1e-3, 1e3), "alpha_days": (1e-2, 1e6), "s": (1e-3, 1e3), "beta_days": (1e-2, 1e6)}
_CHUNK_ROWS = 20_000  # rows whose nodes are laid out together: some megabytes an array
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(24)


@dataclass(frozen=True)
class ParetoNbdModel:
    """The fitted model; `alpha_days` and `beta_days` have a unit.

    Examples
    --------
    >>> cdnow = ParetoNbdModel(r=0.553, alpha_days=7 * 10.578, s=0.606, beta_days=7 * 11.669)
    >>> customer = Repeats(*np.array([[2.0], [213.0], [272.0], [2235.0]]))  # CDNOW's first
    >>> [f"{cdnow.probability_alive(customer)[0]:.3f}", f"{cdnow.expected_purchases(customer, 273)[0]:.3f}"]
    ['0.869', '1.455']
    """

    r: float
    alpha_days: float
    s: float
    beta_days: float
    fit: Fit | None = None

    def probability_alive(self, repeats: Repeats) -> Floats:
        """Return the probability of not having left by as_of."""
        from scipy.special import expit

        rate = self.r + repeats.frequency
        last = self.alpha_days + repeats.recency_days, self.beta_days + repeats.recency_days
        days_since = repeats.age_days - repeats.recency_days
        log_gone = (
            np.log(self.s / last[1]) + integral((rate, last[0]), (self.s + 1, last[1]), days_since).log_total
        )
        log_alive = -rate * np.log1p(days_since / last[0]) - self.s * np.log1p(days_since / last[1])
        return np.asarray(expit(log_alive - log_gone), np.float64)

    def expected_purchases(self, repeats: Repeats, horizon_days: float) -> Floats:
        """Return the expected purchase days in (as_of, as_of + horizon_days]."""
        alpha, beta = self.alpha_days + repeats.age_days, self.beta_days + repeats.age_days
        longer = np.log1p(horizon_days / beta)
        less = self.s - 1
        lifetime = beta * (longer if less == 0 else -np.expm1(-less * longer) / less)
        return np.asarray(self.probability_alive(repeats) * (self.r + repeats.frequency) / alpha * lifetime)

    def probability_purchase(self, repeats: Repeats, horizon_days: float) -> Floats:
        """Return the probability of at least one purchase day in (as_of, as_of + horizon_days].

        The first purchase falls at some moment of the horizon until which the customer has not left.
        """
        alpha, beta = self.alpha_days + repeats.age_days, self.beta_days + repeats.age_days
        rate = self.r + repeats.frequency
        log_some = integral((rate + 1, alpha), (self.s, beta), horizon_days).log_total
        return np.asarray(self.probability_alive(repeats) * rate / alpha * np.exp(log_some))


class Integral(NamedTuple):
    """The integral's logarithm, and means under its integrand: of log(1 + t / A), 1 / (1 + t / A), and so for B."""

    log_total: Floats
    log_a: Floats
    inverse_a: Floats
    log_b: Floats
    inverse_b: Floats


def integral(a: tuple[Floats, Floats], b: tuple[float, Floats], length: Floats | float) -> Integral:
    """Return the integral of (1 + t / A)^-k (1 + t / B)^-m over t in (0, length], with (k, A) = a and (m, B) = b.

    Gauss-Legendre in log(1 + t / min(A, B)), where the integrand is smooth, cut where it has fallen by e^-40:
    to twelve digits where customers are found, to five in the corners of the bounds.
    """
    arrays = np.broadcast_arrays(*a, *b, length)
    flat = [values.ravel() for values in arrays]
    parts = [
        _integral(*(values[first : first + _CHUNK_ROWS] for values in flat))
        for first in range(0, max(flat[0].size, 1), _CHUNK_ROWS)
    ]
    return Integral(*(np.concatenate(values).reshape(arrays[0].shape) for values in zip(*parts, strict=True)))


def _integral(k: Floats, a: Floats, m: Floats, b: Floats, length: Floats) -> Integral:
    least = np.minimum(a, b)
    falls = k * least / a + m * least / b - 1  # at least so fast, by unit of the logarithm
    reach = np.minimum(np.log1p(length / least), 40 / np.maximum(falls, 1e-9))
    at = reach[:, None] * (_NODES + 1) / 2  # (n_rows, n_nodes)
    t = least[:, None] * np.expm1(at)
    grown_a, grown_b = 1 + t / a[:, None], 1 + t / b[:, None]
    log_a, log_b = np.log(grown_a), np.log(grown_b)
    log_f = at - k[:, None] * log_a - m[:, None] * log_b
    highest = log_f.max(axis=1)
    f = np.exp(log_f - highest[:, None]) * _WEIGHTS
    total = f.sum(axis=1)
    with np.errstate(divide="ignore"):  # of no length, the integral is 0
        log_total = np.log(least * reach / 2) + highest + np.log(total)
    means = (np.einsum("ij,ij->i", f, of) / total for of in (log_a, 1 / grown_a, log_b, 1 / grown_b))
    return Integral(log_total, *means)


def fit_pareto_nbd(repeats: Repeats) -> ParetoNbdModel:
    """Return the model of the highest likelihood; every entry of the repeats is a customer, so give one as_of.

    Raises
    ------
    NotEnoughDataError
        When too few customers came back, or the likelihood has no maximum.
    """
    rows = distinct_customers(NAME, repeats)
    pace = days_per_purchase(rows)
    starts = [
        {"r": r, "alpha_days": r * pace, "s": s, "beta_days": s * age}
        for r, s, age in ((0.5, 0.5, pace), (2.0, 1.0, 10 * pace))
    ]

    def likelihood_of(every: int) -> MeanLikelihood:
        sample = rows.every(every)
        return MeanLikelihood(pareto_nbd_likelihood(sample), float(sample.customers.sum()))

    values, fit = maximise(NAME, likelihood_of, int(rows.customers.sum()), starts, BOUNDS)
    return ParetoNbdModel(**values, fit=fit)


def pareto_nbd_likelihood(rows: DistinctCustomers) -> LogLikelihood:
    """Return the log likelihood of (r, alpha_days, s, beta_days), with its gradient."""
    from scipy.special import digamma, expit, gammaln

    x, weights = rows.frequency, rows.customers
    counts, index = np.unique(x, return_inverse=True)
    customers_of, everybody = np.bincount(index, weights), weights.sum()

    def value(parameters: Floats) -> tuple[float, Floats]:
        r, alpha, s, beta = parameters
        age_a, age_b = alpha + rows.age_days, beta + rows.age_days
        last_a, last_b = alpha + rows.recency_days, beta + rows.recency_days
        logs = np.log(age_a), np.log(age_b), np.log(last_a), np.log(last_b)
        unseen = integral((r + x, last_a), (s + 1, last_b), rows.age_days - rows.recency_days)
        log_alive = -(r + x) * logs[0] - s * logs[1]
        log_gone = np.log(s) - (r + x) * logs[2] - (s + 1) * logs[3] + unseen.log_total
        gone_weight = expit(log_gone - log_alive) * weights
        alive_weight = weights - gone_weight
        constant = gammaln(r + counts) - gammaln(r) + r * np.log(alpha) + s * np.log(beta)
        gradient = [
            customers_of @ (digamma(r + counts) - digamma(r) + np.log(alpha))
            - alive_weight @ logs[0]
            - gone_weight @ (logs[2] + unseen.log_a),
            everybody * r / alpha
            - (r + x) @ (alive_weight / age_a + gone_weight * unseen.inverse_a / last_a),
            everybody * np.log(beta)
            - alive_weight @ logs[1]
            + gone_weight @ (1 / s - logs[3] - unseen.log_b),
            everybody * s / beta
            - s * (alive_weight @ (1 / age_b))
            - (s + 1) * (gone_weight @ (unseen.inverse_b / last_b)),
        ]
        return float(customers_of @ constant + weights @ np.logaddexp(log_alive, log_gone)), np.array(
            gradient
        )

    return value
