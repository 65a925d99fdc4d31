"""The settings of the verbs that score a list and decide for customers."""

from dataclasses import dataclass, field

from sintonia.config.actions import ActionConfig
from sintonia.config.base import Names, Settings
from sintonia.config.data import IdentityConfig
from sintonia.config.engagement import EngagementConfig, check_engagement
from sintonia.config.features import FeaturesConfig
from sintonia.config.layout import LayoutConfig
from sintonia.config.learning import TrackingConfig
from sintonia.config.rules import at_least, iso_time, one_of
from sintonia.errors import ConfigError

LANGUAGES = ("en", "it")
"""Of reasons."""


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
        """Refuse bounds below nothing, and a day that is none."""
        at_least("drift.warn_above", self.warn_above, 0)
        at_least("drift.refuse_above", 0 if self.refuse_above is None else self.refuse_above, 0)
        at_least(
            "drift.refuse_older_days", 0 if self.refuse_older_days is None else self.refuse_older_days, 0
        )
        if self.today is not None:
            iso_time("drift.today", self.today)


@dataclass(frozen=True)
class ReasonsConfig:
    """How many reasons a row gets, and which attributes of a person they may tell.

    What somebody did, and what they agreed to, may always be told; what they are (age, sex, where they live and
    whatever else a silo says of them) only where it is named here, as `region` or `age`.
    """

    count: int = 3
    allow_sensitive: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Refuse fewer reasons than none."""
        at_least("reasons.count", self.count, 0)


@dataclass(frozen=True)
class ScoreSettings(Settings):
    """`sintonia score`: a list in, the same rows out. `bands` gives each band's lowest percentile.

    With next_best_action among the tasks, what the engagement policy would do for whom; `features` are its rules'.
    With `segment` the list is everybody of whom that condition is true. With `limit` the first rows only, a preview.
    `suppress` is a list of customers who are left out. `chunk_rows` rows, or customers, are held at a time: memory and
    nothing else.
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
        """Refuse two lists, and bands that leave somebody out."""
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


@dataclass(frozen=True)
class DecideSettings(Settings):
    """`sintonia decide`: one action for each customer, with its hour and reasons; or, with `customer`, why it got it.

    `effects_table` is a table of customer_id, action_id and effect, what an action changes against doing nothing;
    without one the registered policy of the task next_best_action says it. A round that is decided again replaces what
    was planned for it; what was sent stays.
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
        """Refuse times that are none, and a policy that can do nothing."""
        super().__post_init__()
        for key in ("decided_at", "as_of"):
            if (text := getattr(self, key)) is not None:
                iso_time(key, text)
        if not self.actions:
            raise ConfigError(
                "The group actions names no action; give actions=synthetic, or one of your own."
            )
        check_engagement(self.engagement, self.actions)
