"""The behavioural prior: will a customer come back, how often, and what is it worth, from the purchase days alone."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sintonia.core.arrays import Floats
from sintonia.core.config.convert import from_plain
from sintonia.core.errors import InputError, unknown
from sintonia.features.clv.bg_nbd import BgNbdModel, fit_bg_nbd
from sintonia.features.clv.gamma_gamma import GammaGammaModel, fit_gamma_gamma
from sintonia.features.clv.pareto_nbd import ParetoNbdModel, fit_pareto_nbd
from sintonia.features.clv.repeats import Repeats

FITS: Mapping[str, Callable[[Repeats], BgNbdModel | ParetoNbdModel]] = {
    "bg_nbd": fit_bg_nbd,
    "pareto_nbd": fit_pareto_nbd,
}
"""The models of coming back, by name."""


@dataclass(frozen=True)
class PriorForecast:
    """What is expected in (as_of, as_of + horizon], shaped as the repeats were; NaN for who never bought.

    `value_cents` is purchases times spend. Where no amounts were there to learn from, it and
    `spend_per_purchase_cents` are None.
    """

    probability_alive: Floats
    purchases: Floats
    probability_purchase: Floats
    spend_per_purchase_cents: Floats | None
    value_cents: Floats | None


@dataclass(frozen=True)
class BehaviouralPrior:
    """A model of coming back and one of spend, fitted on the same customers at one as_of."""

    name: str
    coming_back: BgNbdModel | ParetoNbdModel
    spend: GammaGammaModel | None

    def expect(self, repeats: Repeats, horizon_days: float) -> PriorForecast:
        """Return what these customers are expected to do in the horizon after their as_of."""
        purchases = self.coming_back.expected_purchases(repeats, horizon_days)
        spend = None if self.spend is None else self.spend.expected_spend_cents(repeats)
        return PriorForecast(
            probability_alive=self.coming_back.probability_alive(repeats),
            purchases=purchases,
            probability_purchase=self.coming_back.probability_purchase(repeats, horizon_days),
            spend_per_purchase_cents=spend,
            value_cents=None if spend is None else purchases * spend,
        )

    def as_json(self) -> dict[str, Any]:
        """Return the prior as JSON values, which `from_json` reads back to the last bit."""
        return asdict(self)

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> "BehaviouralPrior":
        """Return the prior of `as_json`.

        Raises
        ------
        InputError
            When these values are no prior.
        """
        stored = _STORED_AS.get(plain.get("name", ""))
        if stored is None:
            raise InputError(
                f"Cannot read the behavioural prior: it names none of {', '.join(_STORED_AS)}; train the model again."
            )
        prior = from_plain(stored, plain, "the behavioural prior", remedy="train the model again")
        return cls(prior.name, prior.coming_back, prior.spend)


@dataclass(frozen=True)
class _BgNbdPrior(BehaviouralPrior):
    coming_back: BgNbdModel


@dataclass(frozen=True)
class _ParetoNbdPrior(BehaviouralPrior):
    coming_back: ParetoNbdModel


_STORED_AS: Mapping[str, type[BehaviouralPrior]] = {"bg_nbd": _BgNbdPrior, "pareto_nbd": _ParetoNbdPrior}
"""What a stored prior is read as: the two models of coming back have keys of their own."""


def fit_prior(repeats: Repeats, name: str = "bg_nbd") -> BehaviouralPrior:
    """Return the prior fitted on customers at one as_of; without spend where no repeat day has an amount.

    Raises
    ------
    ConfigError
        For a model nobody knows.
    NotEnoughDataError
        When too few customers came back, or brought in money when they did.
    """
    if name not in FITS:
        raise unknown("behavioural prior", name, FITS)
    paid = bool((repeats.mean_spend_cents > 0).any())
    return BehaviouralPrior(name, FITS[name](repeats), fit_gamma_gamma(repeats) if paid else None)
