"""Families of features: each is one function from a `Frame` to a list of features.

A new family is one more module with one such function, and one more line in `FAMILIES`.
"""

from collections.abc import Callable

from sintonia.config import FeaturesConfig
from sintonia.errors import unknown
from sintonia.features.families.channel_mix import channel_mix
from sintonia.features.families.clock import clock
from sintonia.features.families.engagement import engagement
from sintonia.features.families.frame import Frame
from sintonia.features.families.journeys import journeys
from sintonia.features.families.kinds import kinds
from sintonia.features.families.moments import moments
from sintonia.features.families.motives import motives
from sintonia.features.families.rfm import rfm
from sintonia.features.families.rhythm import rhythm
from sintonia.features.families.trust import trust
from sintonia.features.fitted import Fitted
from sintonia.features.measures import Feature

__all__ = ["FAMILIES", "Frame", "catalogue"]

FAMILIES: dict[str, Callable[[Frame], list[Feature]]] = {
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
}
"""The families a configuration can name."""


def catalogue(config: FeaturesConfig, fitted: Fitted) -> list[Feature]:
    """Return every feature of a configuration, in the order of the feature table's columns.

    Raises
    ------
    ConfigError
        For a family nobody knows.
    """
    for name in config.families:
        if name not in FAMILIES:
            raise unknown("features.families", name, FAMILIES)
    windows_days, half_lives_days = (
        tuple(sorted(set(days))) for days in (config.windows_days, config.half_lives_days)
    )
    frame = Frame(windows_days, half_lives_days, fitted)
    return [feature for name in dict.fromkeys(config.families) for feature in FAMILIES[name](frame)]
