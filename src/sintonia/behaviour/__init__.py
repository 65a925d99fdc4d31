"""How often customers come back and what a purchase is worth, fitted on the past: a baseline and a feature."""

from sintonia.behaviour.bg_nbd import BgNbd, fit_bg_nbd
from sintonia.behaviour.fitting import Fit
from sintonia.behaviour.pareto_nbd import ParetoNbd, fit_pareto_nbd
from sintonia.behaviour.prior import BehaviouralPrior, Expected, fit_prior
from sintonia.behaviour.repeats import Purchases, Repeats, concatenate, count_repeats, read_purchases
from sintonia.behaviour.spend import GammaGamma, fit_gamma_gamma

__all__ = [
    "BehaviouralPrior",
    "BgNbd",
    "Expected",
    "Fit",
    "GammaGamma",
    "ParetoNbd",
    "Purchases",
    "Repeats",
    "concatenate",
    "count_repeats",
    "fit_bg_nbd",
    "fit_gamma_gamma",
    "fit_pareto_nbd",
    "fit_prior",
    "read_purchases",
]
