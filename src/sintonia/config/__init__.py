"""Settings: YAML under `conf/` holds values, frozen dataclasses hold names, types and rules.

`groups` has one dataclass a configuration group, `verbs` one a verb; `settings` is the single road from Hydra
to dataclasses (OmegaConf stops there), and `convert` checks every name and type on it.
"""

import os
from pathlib import Path

from sintonia.config.engagement import (
    NONE,
    CapacityConfig,
    ContactLimitConfig,
    EngagementActionConfig,
    EngagementConfig,
    HoursConfig,
    PauseConfig,
    RuleConfig,
    SendConfig,
)
from sintonia.config.groups import (
    ActionConfig,
    CsvConfig,
    EngineConfig,
    FeaturesConfig,
    IdentityConfig,
    JoinConfig,
    MeasureConfig,
    ModelConfig,
    PolicyConfig,
    ProfitConfig,
    RangeConfig,
    RewardConfig,
    SiloConfig,
    SourceConfig,
    SplitConfig,
    TaskConfig,
    TrackingConfig,
    TuneConfig,
    iso_time,
)
from sintonia.config.verbs import (
    VERBS,
    BuildSettings,
    CheckSettings,
    CompareSettings,
    DecideSettings,
    DemoSettings,
    FeaturesSettings,
    ForgetSettings,
    IdentitySettings,
    PromoteSettings,
    ReviewSettings,
    ScoreSettings,
    Settings,
    SimulateSettings,
    TrainSettings,
    settings,
)
from sintonia.errors import ConfigError

__all__ = [
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
    "EngagementActionConfig",
    "EngagementConfig",
    "EngineConfig",
    "FeaturesConfig",
    "FeaturesSettings",
    "ForgetSettings",
    "HoursConfig",
    "IdentityConfig",
    "IdentitySettings",
    "JoinConfig",
    "MeasureConfig",
    "ModelConfig",
    "PauseConfig",
    "PolicyConfig",
    "ProfitConfig",
    "PromoteSettings",
    "RangeConfig",
    "ReviewSettings",
    "RewardConfig",
    "RuleConfig",
    "ScoreSettings",
    "SendConfig",
    "Settings",
    "SiloConfig",
    "SimulateSettings",
    "SourceConfig",
    "SplitConfig",
    "TaskConfig",
    "TrackingConfig",
    "TrainSettings",
    "TuneConfig",
    "conf_dir",
    "data_dir",
    "iso_time",
    "settings",
]


def conf_dir() -> Path:
    """Return the folder of the YAML files: beside the package in a wheel, at the project's top in a checkout.

    Raises
    ------
    ConfigError
        When neither is there.
    """
    package = Path(__file__).resolve().parents[1]
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
