"""The settings of each verb, a dataclass each, and the groups `layout`, `drift` and `reasons` of scored lists."""

from dataclasses import dataclass, field
from pathlib import Path

from sintonia.core.config.actions import NEXT_BEST_ACTION, ActionConfig, check_actions
from sintonia.core.config.checks import at_least, iso_time, one_of
from sintonia.core.config.data import EngineConfig, IdentityConfig, SourceConfig
from sintonia.core.config.effects import EffectsConfig
from sintonia.core.config.engagement import EngagementConfig, check_engagement
from sintonia.core.config.features import FeaturesConfig
from sintonia.core.config.learning import (
    ModelConfig,
    ProfitConfig,
    SplitConfig,
    TaskConfig,
    TrackingConfig,
    TuneConfig,
)
from sintonia.core.errors import ConfigError
from sintonia.core.paths import WorkspacePaths, in_home

Names = list[str]
"""A list of names; spelt apart because `ScoreSettings` has a field called list."""

PATH_SETTINGS = ("workspace", "list", "out", "suppress", "records", "truth", "cards", "effects_table")
"""Settings of verbs that are paths: a shell leaves the `~` of `list=~/customers.csv` as it is."""

PRIORITY = "priority"
"""The name in a send file of the column that orders its rows."""


@dataclass(frozen=True)
class Settings:
    """What every verb has: where its files are, how it speaks, which silos and engine it works on."""

    workspace: str = "workspace"
    output: str = "text"
    engine: EngineConfig = field(default_factory=EngineConfig)
    source: SourceConfig = field(default_factory=SourceConfig)

    def __post_init__(self) -> None:
        """Refuse an unknown output, and put the home folder in the place of a path's `~`."""
        one_of("output", self.output, ("text", "json"))
        for name in PATH_SETTINGS:
            path = getattr(self, name, None)
            if isinstance(path, str) and path != in_home(path):
                object.__setattr__(self, name, in_home(path))

    @property
    def paths(self) -> WorkspacePaths:
        """Where everything of the workspace lies."""
        return WorkspacePaths(Path(self.workspace))


@dataclass(frozen=True)
class LayoutConfig:
    """Send files of a scored list: `columns` of it with their names there, in this order; none without columns.

    `statuses` are those of the rows that are sent, `by` the column of which every value has a file of its own. The
    highest values of the column `sort_by` come first, in the order of the list where they are equal; without it, those
    of the column that is sent as `priority`; without either, rows are in the order of the list.
    """

    name: str = "none"
    columns: dict[str, str] = field(default_factory=dict)
    statuses: list[str] = field(default_factory=lambda: ["scored"])
    by: str | None = None
    sort_by: str | None = None
    ending: str = "csv"

    def __post_init__(self) -> None:
        """Refuse an unknown format."""
        one_of("layout.ending", self.ending, ("csv", "tsv", "xlsx", "parquet", "jsonl"))

    @property
    def priority(self) -> str | None:
        """The column of the scored list whose highest values come first; None for the order of the list."""
        sent_as = {sent: name for name, sent in self.columns.items()}
        return self.sort_by or sent_as.get(PRIORITY)


@dataclass(frozen=True)
class SimulateSettings(Settings):
    """`sintonia simulate`: the synthetic brand's size, seed and dates."""

    customers: int = 5000
    seed: int = 7
    start: str = "2024-07-01"
    end: str = "2026-07-01"

    def __post_init__(self) -> None:
        """Refuse an empty brand and invalid dates."""
        super().__post_init__()
        at_least("customers", self.customers, 1)
        if iso_time("end", self.end) <= iso_time("start", self.start):
            raise ConfigError(f"end={self.end} is not after start={self.start}.")


@dataclass(frozen=True)
class BuildSettings(Settings):
    """`sintonia build`: silos to store."""

    identity: IdentityConfig = field(default_factory=IdentityConfig)


@dataclass(frozen=True)
class IdentitySettings(Settings):
    """`sintonia identity`: the report of the workspace's customers, of one of them, or of a table of person records."""

    identity: IdentityConfig = field(default_factory=IdentityConfig)
    records: str | None = None
    truth: str | None = None
    fields: dict[str, str] = field(default_factory=dict)
    customer: str | None = None
    examples: int = 5
    out: str | None = None

    def __post_init__(self) -> None:
        """Refuse a negative number of examples, and `customer` together with `records`."""
        super().__post_init__()
        at_least("examples", self.examples, 0)
        if self.customer is not None and self.records is not None:
            raise ConfigError(
                "customer= explains a customer of the workspace, records= matches a file by itself; give one of them."
            )


@dataclass(frozen=True)
class ForgetSettings(Settings):
    """`sintonia forget`: the customer to remove from the workspace, by customer id or `type:value`."""

    customer: str = ""

    def __post_init__(self) -> None:
        """Refuse an empty customer."""
        super().__post_init__()
        if not self.customer.strip():
            raise ConfigError("forget needs a customer; write customer=ID or customer=email:ADDRESS.")


@dataclass(frozen=True)
class UpgradeSettings(Settings):
    """`sintonia upgrade`: a workspace to today's format."""


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
    """`sintonia check`: whether features read the future, and which columns may leak."""

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
        """Refuse empty samples and an AUC out of range."""
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
        """Refuse an action with the reserved name of doing nothing."""
        super().__post_init__()
        check_actions(self.actions)


@dataclass(frozen=True)
class CompareSettings(Settings):
    """`sintonia compare`: versions of a task's model (the last ones when none is named) compared with one of them."""

    seed: int = 7
    versions: list[str] = field(default_factory=list)
    to: str | None = None
    metric: str | None = None
    last: int = 10
    task: TaskConfig = field(default_factory=TaskConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)

    def __post_init__(self) -> None:
        """Refuse to compare fewer than one run."""
        super().__post_init__()
        at_least("last", self.last, 1)


@dataclass(frozen=True)
class ReviewSettings(Settings):
    """`sintonia review`: one page for one task's model, the candidate or the version named.

    `sections` are functions of the user's own, `folder/file.py:name`, each from the page's data to a last section.
    """

    seed: int = 7
    out: str | None = None
    version: str | None = None
    sections: list[str] = field(default_factory=list)
    task: TaskConfig = field(default_factory=TaskConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)


@dataclass(frozen=True)
class SignSettings(Settings):
    """`sintonia approve` and `sintonia reject`: the reviewer, the model and the remark."""

    reviewer: str = ""
    remark: str = ""
    version: str | None = None
    task: TaskConfig = field(default_factory=TaskConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)

    def __post_init__(self) -> None:
        """Refuse a decision without a reviewer, and a remark that is too long for the registry."""
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
        """Refuse a promotion and a rollback at once."""
        super().__post_init__()
        if self.rollback and (self.version is not None or self.force):
            raise ConfigError(
                "rollback=true returns to the champion before; give it without version= and force=."
            )


LANGUAGES = ("en", "it")
"""Languages of reasons."""


@dataclass(frozen=True)
class DriftConfig:
    """When a list is warned about, and when it is refused: stability indices and days; null never refuses.

    Days are counted to `today`, the clock's when null.
    """

    warn_above: float = 0.25
    refuse_above: float | None = None
    refuse_older_days: int | None = None
    today: str | None = None

    def __post_init__(self) -> None:
        """Refuse negative bounds and an invalid day."""
        at_least("drift.warn_above", self.warn_above, 0)
        at_least("drift.refuse_above", 0 if self.refuse_above is None else self.refuse_above, 0)
        at_least(
            "drift.refuse_older_days", 0 if self.refuse_older_days is None else self.refuse_older_days, 0
        )
        if self.today is not None:
            iso_time("drift.today", self.today)


@dataclass(frozen=True)
class ReasonsConfig:
    """How many reasons a row gets, and which personal attributes they may mention.

    What somebody did, and what they agreed to, may always be told; what they are (age, sex, where they live and
    whatever else a silo says of them) only where it is named here, as `region` or `age`.
    """

    count: int = 3
    allow_sensitive: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Refuse a negative number of reasons."""
        at_least("reasons.count", self.count, 0)


@dataclass(frozen=True)
class ScoreSettings(Settings):
    """`sintonia score`: a list in, the same rows out. `bands` gives each band's lowest percentile.

    With next_best_action among the tasks, each customer's action by the engagement policy; `features` are its rules'.
    With `segment` the list is every customer for whom that condition is true. `limit` previews the first rows.
    `suppress` is a list of customers to leave out. `chunk_rows` rows, or customers, are in memory at a time: this
    bounds memory and changes nothing else.
    """

    list: str = ""
    out: str | None = None
    key: str | None = None
    limit: int | None = None
    suppress: str | None = None
    chunk_rows: int = 20_000
    as_of: str | None = None
    segment: str | None = None
    tasks: Names = field(default_factory=Names)
    language: str = "en"
    reasons: ReasonsConfig = field(default_factory=ReasonsConfig)
    drift: DriftConfig = field(default_factory=DriftConfig)
    force: bool = False
    bands: dict[str, int] = field(default_factory=dict)
    features: FeaturesConfig = field(default_factory=FeaturesConfig)
    actions: dict[str, ActionConfig] = field(default_factory=dict)
    engagement: EngagementConfig = field(default_factory=EngagementConfig)
    identity: IdentityConfig = field(default_factory=IdentityConfig)
    layout: LayoutConfig = field(default_factory=LayoutConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)

    def __post_init__(self) -> None:
        """Refuse two lists, bands that leave customers out, and an engagement policy that the actions do not fit."""
        super().__post_init__()
        if self.list and self.segment:
            raise ConfigError("list= and segment= each say who is scored; give one of them.")
        if self.as_of is not None:
            iso_time("as_of", self.as_of)
        one_of("language", self.language, LANGUAGES)
        at_least("chunk_rows", self.chunk_rows, 1)
        if self.limit is not None:
            at_least("limit", self.limit, 1)
        if min(self.bands.values(), default=0) > 1:
            raise ConfigError(
                f"bands={self.bands} leaves the lowest percentiles without a band; start one at 1."
            )
        if NEXT_BEST_ACTION in self.tasks:
            check_engagement(self.engagement, self.actions)


@dataclass(frozen=True)
class DecideSettings(Settings):
    """`sintonia decide`: one action for each customer, with its hour and reasons; or, with `customer`, why it got it.

    `effects_table` is a table of customer_id, action_id and effect, what an action changes against doing nothing;
    without one the registered policy of the task next_best_action predicts it. Deciding a round again replaces what was
    planned for it; what was sent stays.
    """

    effects_table: str | None = None
    round: str | None = None
    customer: str | None = None
    decided_at: str | None = None
    as_of: str | None = None
    key: str | None = None
    out: str | None = None
    features: FeaturesConfig = field(default_factory=FeaturesConfig)
    actions: dict[str, ActionConfig] = field(default_factory=dict)
    engagement: EngagementConfig = field(default_factory=EngagementConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)

    def __post_init__(self) -> None:
        """Refuse invalid times, and settings without an action."""
        super().__post_init__()
        for key in ("decided_at", "as_of"):
            if (text := getattr(self, key)) is not None:
                iso_time(key, text)
        check_engagement(self.engagement, self.actions)


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
    "upgrade": UpgradeSettings,
    "demo": DemoSettings,
}
"""The verbs that take settings, in the order of the road; each has a primary config of its own name."""
