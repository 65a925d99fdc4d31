"""Settings: YAML under `conf/` holds values, frozen dataclasses hold names, types and rules.

Every configuration group is one dataclass, every verb one of `verbs`; `compose.compose` is the single road from words
or mappings to dataclasses (Hydra and OmegaConf stop there), and `convert` checks every name and type on it.
"""

import os
from pathlib import Path

from sintonia.core.config.actions import NONE, ActionConfig
from sintonia.core.config.checks import iso_time
from sintonia.core.config.data import (
    CsvConfig,
    EngineConfig,
    IdentityConfig,
    JoinConfig,
    SiloConfig,
    SourceConfig,
)
from sintonia.core.config.effects import EffectsConfig, RewardConfig
from sintonia.core.config.engagement import (
    CapacityConfig,
    ContactLimitConfig,
    EngagementConfig,
    HoursConfig,
    PauseConfig,
    RuleConfig,
    SendConfig,
)
from sintonia.core.config.features import FeaturesConfig, MeasureConfig
from sintonia.core.config.learning import (
    LIGHTGBM,
    ModelConfig,
    ProfitConfig,
    QuestionConfig,
    RangeConfig,
    SplitConfig,
    TaskConfig,
    TrackingConfig,
    TuneConfig,
)
from sintonia.core.config.verbs import (
    VERBS,
    BuildSettings,
    CheckSettings,
    CompareSettings,
    DecideSettings,
    DemoSettings,
    DriftConfig,
    FeaturesSettings,
    ForgetSettings,
    IdentitySettings,
    LayoutConfig,
    PromoteSettings,
    ReasonsConfig,
    ReviewSettings,
    ScoreSettings,
    Settings,
    SignSettings,
    SimulateSettings,
    TrainSettings,
    UpgradeSettings,
)
from sintonia.core.errors import ConfigError

__all__ = [
    "LIGHTGBM",
    "NONE",
    "VERBS",
    "ActionConfig",
    "BuildSettings",
    "CapacityConfig",
    "CheckSettings",
    "CompareSettings",
    "ContactLimitConfig",
    "CsvConfig",
    "DecideSettings",
    "DemoSettings",
    "DriftConfig",
    "EffectsConfig",
    "EngagementConfig",
    "EngineConfig",
    "FeaturesConfig",
    "FeaturesSettings",
    "ForgetSettings",
    "HoursConfig",
    "IdentityConfig",
    "IdentitySettings",
    "JoinConfig",
    "LayoutConfig",
    "MeasureConfig",
    "ModelConfig",
    "PauseConfig",
    "ProfitConfig",
    "PromoteSettings",
    "QuestionConfig",
    "RangeConfig",
    "ReasonsConfig",
    "ReviewSettings",
    "RewardConfig",
    "RuleConfig",
    "ScoreSettings",
    "SendConfig",
    "Settings",
    "SignSettings",
    "SiloConfig",
    "SimulateSettings",
    "SourceConfig",
    "SplitConfig",
    "TaskConfig",
    "TrackingConfig",
    "TrainSettings",
    "TuneConfig",
    "UpgradeSettings",
    "conf_dir",
    "data_dir",
    "iso_time",
]


def conf_dir() -> Path:
    """Return the folder of the YAML files: beside the package in a wheel, at the project's top in a checkout.

    Raises
    ------
    ConfigError
        When neither is there.
    """
    package = Path(__file__).resolve().parents[2]
    places = (package / "conf", package.parents[1] / "conf")
    for place in places:
        if (place / "train.yaml").is_file():
            return place
    raise ConfigError(
        f"No configuration found; looked in {places[0]} and {places[1]}. Install sintonia again."
    )


def data_dir() -> Path | None:
    """Return the folder of public data sets named by the environment variable SINTONIA_DATA, if it is set."""
    folder = os.environ.get("SINTONIA_DATA")
    return Path(folder).expanduser() if folder else None
