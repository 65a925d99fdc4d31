"""How often customers come back and what a purchase is worth, fitted on the past: a baseline and a feature."""

from sintonia.features.clv.bg_nbd import BgNbdModel, fit_bg_nbd
from sintonia.features.clv.gamma_gamma import GammaGammaModel, fit_gamma_gamma
from sintonia.features.clv.maximum_likelihood import Fit
from sintonia.features.clv.pareto_nbd import ParetoNbdModel, fit_pareto_nbd
from sintonia.features.clv.prior import BehaviouralPrior, PriorForecast, fit_prior
from sintonia.features.clv.repeats import Purchases, Repeats, concatenate, count_repeats, read_purchases

__all__ = [
    "BehaviouralPrior",
    "BgNbdModel",
    "Fit",
    "GammaGammaModel",
    "ParetoNbdModel",
    "PriorForecast",
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
