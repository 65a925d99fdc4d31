"""The verbs, and the dataclass of settings each takes."""

from dataclasses import dataclass, field

from sintonia.config.base import Settings
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
