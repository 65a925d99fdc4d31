"""The verbs, and the single road from Hydra to their settings."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sintonia.config.base import Settings
from sintonia.config.convert import convert
from sintonia.config.data import IdentityConfig
from sintonia.config.features import FeaturesConfig
from sintonia.config.learning import ModelConfig, SplitConfig, TaskConfig, TrackingConfig
from sintonia.config.listing import DecideSettings, ScoreSettings
from sintonia.config.making import BuildSettings, ForgetSettings, IdentitySettings, SimulateSettings
from sintonia.config.modelling import (
    CheckSettings,
    CompareSettings,
    FeaturesSettings,
    PromoteSettings,
    ReviewSettings,
    SignSettings,
    TrainSettings,
)
from sintonia.errors import ConfigError

if TYPE_CHECKING:
    from omegaconf import DictConfig


@dataclass(frozen=True)
class DemoSettings(SimulateSettings):
    """`sintonia demo`: all of the road on the synthetic brand, for every task listed."""

    identity: IdentityConfig = field(default_factory=IdentityConfig)
    features: FeaturesConfig = field(default_factory=FeaturesConfig)
    tasks: dict[str, TaskConfig] = field(default_factory=dict)
    model: ModelConfig = field(default_factory=ModelConfig)
    split: SplitConfig = field(default_factory=SplitConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)
    bands: dict[str, int] = field(default_factory=dict)


VERBS: dict[str, type[Settings]] = {
    "simulate": SimulateSettings,
    "build": BuildSettings,
    "identity": IdentitySettings,
    "check": CheckSettings,
    "features": FeaturesSettings,
    "train": TrainSettings,
    "compare": CompareSettings,
    "approve": SignSettings,
    "reject": SignSettings,
    "promote": PromoteSettings,
    "score": ScoreSettings,
    "decide": DecideSettings,
    "review": ReviewSettings,
    "forget": ForgetSettings,
    "demo": DemoSettings,
}
"""The verbs that take settings, in the order of the road; each has a primary config of its own name."""


def settings(verb: str, composed: "DictConfig", partial: bool = False) -> Settings:
    """Return the verb's settings from a composed Hydra configuration.

    With `partial`, texts that must be given may be missing and show as '???': for reading, not for running.

    Raises
    ------
    ConfigError
        For a key nobody knows, a value of the wrong type or not given, or one the dataclass refuses.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        plain = OmegaConf.to_container(composed, resolve=True)
    except OmegaConfBaseException as error:
        reason = " ".join(str(error).splitlines()[0].split())
        raise ConfigError(f"Cannot resolve {error.full_key or 'the configuration'}: {reason}.") from None
    found: Settings = convert(VERBS[verb], plain, "", partial)
    return found
