"""The settings of the verbs that make models, judge them and let them serve."""

from dataclasses import dataclass, field

from sintonia.config.actions import ActionConfig, check_actions
from sintonia.config.base import Names, Settings
from sintonia.config.effects import EffectsConfig
from sintonia.config.features import FeaturesConfig
from sintonia.config.learning import (
    ModelConfig,
    ProfitConfig,
    SplitConfig,
    TaskConfig,
    TrackingConfig,
    TuneConfig,
)
from sintonia.config.rules import at_least
from sintonia.errors import ConfigError

REMARK = 2000
"""Letters of a reviewer's name and remark: a tag of the registry holds 5,000 bytes."""


@dataclass(frozen=True)
class FeaturesSettings(Settings):
    """`sintonia features`: the catalogue of a configuration on the workspace's store, or of a task's model."""

    registered: str | None = None
    out: str | None = None
    features: FeaturesConfig = field(default_factory=FeaturesConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)


@dataclass(frozen=True)
class CheckSettings(Settings):
    """`sintonia check`: does a feature peek, does a column tell of the future?"""

    seed: int = 7
    customers: int = 500
    dates: int = 3
    rows: int = 20_000
    strong_auc: float = 0.7
    features: FeaturesConfig = field(default_factory=FeaturesConfig)
    task: TaskConfig = field(default_factory=TaskConfig)
    split: SplitConfig = field(default_factory=SplitConfig)
    effects: EffectsConfig = field(default_factory=EffectsConfig)

    def __post_init__(self) -> None:
        """Refuse samples that hold nothing and an AUC that none can reach."""
        super().__post_init__()
        for key in ("customers", "dates", "rows"):
            at_least(key, getattr(self, key), 1)
        if not 0.5 <= self.strong_auc < 1:
            raise ConfigError(f"strong_auc={self.strong_auc} is no such AUC; give 0.5 <= strong_auc < 1.")


@dataclass(frozen=True)
class TrainSettings(Settings):
    """`sintonia train`: store to registered model."""

    seed: int = 7
    features: FeaturesConfig = field(default_factory=FeaturesConfig)
    task: TaskConfig = field(default_factory=TaskConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    split: SplitConfig = field(default_factory=SplitConfig)
    tune: TuneConfig = field(default_factory=TuneConfig)
    profit: ProfitConfig = field(default_factory=ProfitConfig)
    actions: dict[str, ActionConfig] = field(default_factory=dict)
    effects: EffectsConfig = field(default_factory=EffectsConfig)
    groups: Names = field(default_factory=lambda: ["region", "generation"])
    sensitive: Names = field(default_factory=Names)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)

    def __post_init__(self) -> None:
        """Refuse an action named like doing nothing."""
        super().__post_init__()
        check_actions(self.actions)


@dataclass(frozen=True)
class CompareSettings(Settings):
    """`sintonia compare`: versions of a task's model (the last ones when none is named) beside one of them."""

    seed: int = 7
    versions: list[str] = field(default_factory=list)
    to: str | None = None
    metric: str | None = None
    last: int = 10
    task: TaskConfig = field(default_factory=TaskConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)

    def __post_init__(self) -> None:
        """Refuse to compare no run."""
        super().__post_init__()
        at_least("last", self.last, 1)


@dataclass(frozen=True)
class ReviewSettings(Settings):
    """`sintonia review`: one page for one task's model, the candidate or the version named."""

    seed: int = 7
    out: str | None = None
    version: str | None = None
    task: TaskConfig = field(default_factory=TaskConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)


@dataclass(frozen=True)
class SignSettings(Settings):
    """`sintonia approve` and `sintonia reject`: who says it of which model, and why."""

    reviewer: str = ""
    remark: str = ""
    version: str | None = None
    task: TaskConfig = field(default_factory=TaskConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)

    def __post_init__(self) -> None:
        """Refuse a decision that nobody took, and a remark the registry cannot hold."""
        super().__post_init__()
        if not self.reviewer.strip():
            raise ConfigError("A decision needs a name; write reviewer=NAME.")
        if len(self.reviewer) + len(self.remark) > REMARK:
            raise ConfigError(
                f"remark has {len(self.remark):,} letters; with the name {REMARK:,} is the most."
            )


@dataclass(frozen=True)
class PromoteSettings(Settings):
    """`sintonia promote`: a candidate through the gate to champion, or the champion before the present one again."""

    seed: int = 7
    version: str | None = None
    force: bool = False
    rollback: bool = False
    cards: str | None = None
    task: TaskConfig = field(default_factory=TaskConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)

    def __post_init__(self) -> None:
        """Refuse to go forward and back at once."""
        super().__post_init__()
        if self.rollback and (self.version is not None or self.force):
            raise ConfigError(
                "rollback=true returns to the champion before; give it without version= and force=."
            )
