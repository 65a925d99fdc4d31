"""Gamma-gamma: what a purchase day is worth, shrunk towards the brand's mean the less a customer has shown.

Fader, Hardie (2013), The Gamma-Gamma Model of Monetary Value (brucehardie.com/notes/025): a customer's purchases
scatter around the customer's own mean by a gamma of shape p, and the means over customers by an inverse gamma of
shape q and scale p * gamma. Spend and frequency are taken as independent.
"""

from dataclasses import dataclass

import numpy as np

from sintonia.core.arrays import Floats
from sintonia.features.clv.maximum_likelihood import (
    Fit,
    LogLikelihood,
    MeanLikelihood,
    maximise,
    require_repeaters,
)
from sintonia.features.clv.repeats import Repeats

NAME = "Gamma-gamma"
# With q at most 2 the spread of spend over customers is infinite and so is, at 1, the mean a newcomer gets.
BOUNDS = {"p": (1e-2, 1e3), "q": (2.0, 1e3), "gamma_cents": (1e-2, 1e9)}


@dataclass(frozen=True)
class GammaGammaModel:
    """The fitted model; only `gamma_cents` has a unit.

    Examples
    --------
    >>> cdnow = GammaGammaModel(p=6.25, q=3.74, gamma_cents=1544.0)
    >>> newcomer, regular = [0.0, 0.0, 9.0, 0.0], [2.0, 213.0, 272.0, 2235.0]
    >>> cdnow.expected_spend_cents(Repeats(*np.array([newcomer, regular]).T)).round().tolist()
    [3522.0, 2466.0]
    """

    p: float
    q: float
    gamma_cents: float
    fit: Fit | None = None

    def expected_spend_cents(self, repeats: Repeats) -> Floats:
        """Return the expected spend of a customer's next purchase day, in cents."""
        x, mean = repeats.frequency, np.maximum(repeats.mean_spend_cents, 0.0)
        return np.asarray(self.p * (self.gamma_cents + x * mean) / (self.p * x + self.q - 1))


def fit_gamma_gamma(repeats: Repeats) -> GammaGammaModel:
    """Return the model of the highest likelihood on the customers whose repeat days brought in money.

    Raises
    ------
    NotEnoughDataError
        When they are too few, or the likelihood has no maximum.
    """
    paid = repeats.bought & (repeats.mean_spend_cents > 0)
    require_repeaters(NAME, int(paid.sum()), "customers with an amount above 0 on a repeat day")
    x, mean = repeats.frequency[paid], repeats.mean_spend_cents[paid]
    middle = float(np.median(mean))
    starts = [{"p": p, "q": 3.0, "gamma_cents": middle * 2.0 / p} for p in (1.0, 8.0)]

    def likelihood_of(every: int) -> MeanLikelihood:
        sampled = slice(None, None, every)
        return MeanLikelihood(spend_likelihood(x[sampled], mean[sampled]), len(x[sampled]))

    values, fit = maximise(NAME, likelihood_of, len(x), starts, BOUNDS)
    return GammaGammaModel(**values, fit=fit)


def spend_likelihood(frequency: Floats, mean_spend_cents: Floats) -> LogLikelihood:
    """Return the log likelihood of (p, q, gamma_cents): equation 1a of the note, with its gradient."""
    from scipy.special import digamma, gammaln

    x, mean = frequency, mean_spend_cents
    counts, index = np.unique(x, return_inverse=True)
    customers_of = np.bincount(index).astype(np.float64)
    scaled, log_mean = x * mean, np.log(mean)
    log_scaled = np.log(scaled)

    def value(parameters: Floats) -> tuple[float, Floats]:
        p, q, gamma = parameters
        scale = gamma + scaled
        log_scale = np.log(scale)
        shape = p * counts
        constant = gammaln(shape + q) - gammaln(shape) - gammaln(q) + q * np.log(gamma)
        by_customer = p * x * log_scaled - log_mean - (p * x + q) * log_scale
        gradient = [
            customers_of @ (counts * (digamma(shape + q) - digamma(shape))) + x @ (log_scaled - log_scale),
            customers_of @ (digamma(shape + q) - digamma(q) + np.log(gamma)) - log_scale.sum(),
            len(x) * q / gamma - ((p * x + q) / scale).sum(),
        ]
        return float(customers_of @ constant + by_customer.sum()), np.array(gradient)

    return value
