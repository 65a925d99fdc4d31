"""Families of features: each is one function from a `FamilyContext` to a list of features.

A new family is one more module with one such function, and one more line in `FAMILIES`.
"""

from collections import Counter
from collections.abc import Callable

from sintonia.core.config import FeaturesConfig
from sintonia.core.errors import ConfigError, unknown
from sintonia.features.families.affinity import affinity
from sintonia.features.families.channel_mix import channel_mix
from sintonia.features.families.clock import clock
from sintonia.features.families.context import FamilyContext
from sintonia.features.families.engagement import engagement
from sintonia.features.families.identity import identity
from sintonia.features.families.journeys import journeys
from sintonia.features.families.kinds import kinds
from sintonia.features.families.moments import moments
from sintonia.features.families.motives import motives
from sintonia.features.families.own_family import own_family
from sintonia.features.families.own_measures import own_measures
from sintonia.features.families.prior import prior
from sintonia.features.families.profile import profile
from sintonia.features.families.response import response
from sintonia.features.families.rfm import rfm
from sintonia.features.families.rhythm import rhythm
from sintonia.features.families.trust import trust
from sintonia.features.fitted import Fitted
from sintonia.features.measures import Feature

__all__ = ["FAMILIES", "FamilyContext", "catalogue"]

FAMILIES: dict[str, Callable[[FamilyContext], list[Feature]]] = {
    "rfm": rfm,
    "channel_mix": channel_mix,
    "kinds": kinds,
    "journeys": journeys,
    "moments": moments,
    "rhythm": rhythm,
    "clock": clock,
    "engagement": engagement,
    "trust": trust,
    "motives": motives,
    "affinity": affinity,
    "response": response,
    "profile": profile,
    "identity": identity,
    "prior": prior,
}
"""The families a configuration can name."""


def catalogue(config: FeaturesConfig, fitted: Fitted) -> list[Feature]:
    """Return every feature of a configuration, in the order of the feature table's columns.

    Raises
    ------
    ConfigError
        For an unknown family, and for a user-defined measure or family that cannot be computed.
    """
    for name in config.families:
        if name not in FAMILIES:
            raise unknown("features.families", name, FAMILIES)
    windows_days, half_lives_days = (
        tuple(sorted(set(days))) for days in (config.windows_days, config.half_lives_days)
    )
    context = FamilyContext(windows_days, half_lives_days, fitted)
    features = [feature for name in dict.fromkeys(config.families) for feature in FAMILIES[name](context)]
    for reference in config.families_from:
        features += own_family(reference, context)
    features += own_measures(config)
    twice = [name for name, times in Counter(feature.name for feature in features).items() if times > 1]
    if twice:
        raise ConfigError(f"Two features are called '{twice[0]}'; give one another family or measure.")
    return features
