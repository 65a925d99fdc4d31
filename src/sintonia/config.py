"""Settings as frozen dataclasses: one configuration group is one dataclass is one function argument.

YAML under `conf/` holds values; the classes here hold names, types and rules. `settings` is the single road
from Hydra to dataclasses: OmegaConf stops here.
"""

import os
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sintonia.errors import ConfigError, unknown

if TYPE_CHECKING:
    from omegaconf import DictConfig


def _one_of(what: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise unknown(what, value, choices)


def _at_least(what: str, value: float, least: float) -> None:
    if value < least:
        raise ConfigError(f"{what}={value} is too small; give at least {least}.")


def iso_time(what: str, text: str) -> datetime:
    """Return an ISO date or time as a datetime without a zone, read as UTC.

    Examples
    --------
    >>> iso_time("source.until", "2017-10-22")
    datetime.datetime(2017, 10, 22, 0, 0)
    >>> iso_time("source.until", "22/10/2017")
    Traceback (most recent call last):
    ...
    sintonia.errors.ConfigError: source.until='22/10/2017' is not a date; write it as 2026-01-31.
    """
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        raise ConfigError(f"{what}='{text}' is not a date; write it as 2026-01-31.") from None


@dataclass(frozen=True)
class EngineConfig:
    """How relational work runs: threads, memory, and into how many buckets the store is cut."""

    name: str = "duckdb"
    threads: int = 2
    memory_gib: float = 2.0
    buckets: int = 16

    def __post_init__(self) -> None:
        """Refuse an engine that does not exist and sizes that cannot work."""
        _one_of("engine", self.name, ("duckdb",))
        _at_least("engine.threads", self.threads, 1)
        _at_least("engine.memory_gib", self.memory_gib, 0.25)
        _at_least("engine.buckets", self.buckets, 1)


@dataclass(frozen=True)
class CsvConfig:
    """How a silo writes its CSV files."""

    delimiter: str = ","
    decimal: str = "."
    encoding: str = "utf-8"


@dataclass(frozen=True)
class JoinConfig:
    """A second file of the silo, joined to the first by columns both have; unmatched rows stay."""

    path: str = ""
    columns: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class SiloConfig:
    """One silo: where its files are, how to read them, and what each column means in our contracts.

    The values of `identifiers`, `occurred_at`, `known_at`, `interactions`, `attributes`, `contacts` and
    `decisions` are SQL expressions over the silo's own columns (a plain column name is one); `number(x)` reads a
    number as the silo writes it. `constants` are literal values and `values` renames what an expression gave.
    """

    path: str = ""
    format: str = "csv"
    csv: CsvConfig = field(default_factory=CsvConfig)
    time_zone: str = "UTC"
    time_format: str | None = None
    data_until: str | None = None
    join: dict[str, JoinConfig] = field(default_factory=dict)
    identifiers: dict[str, str] = field(default_factory=dict)
    occurred_at: str = "occurred_at"
    known_at: str | None = None
    interactions: dict[str, str] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)
    values: dict[str, dict[str, str]] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)
    contacts: dict[str, str] = field(default_factory=dict)
    decisions: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a format nobody reads and a silo that could never be tied to a customer."""
        _one_of("format", self.format, ("csv", "jsonl", "parquet"))
        if not self.identifiers:
            raise ConfigError(f"The silo at '{self.path}' names no identifiers; give at least one.")


@dataclass(frozen=True)
class SourceConfig:
    """A set of silos. Rows that occurred at or after `until` are not read; `today` bounds believable dates."""

    name: str = ""
    root: str | None = None
    until: str | None = None
    today: str | None = None
    silos: dict[str, SiloConfig] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse dates that are none."""
        for key in ("until", "today"):
            if (text := getattr(self, key)) is not None:
                iso_time(f"source.{key}", text)


@dataclass(frozen=True)
class IdentityConfig:
    """How records become customers."""

    name: str = "deterministic"

    def __post_init__(self) -> None:
        """Refuse a way of matching that does not exist."""
        _one_of("identity", self.name, ("deterministic",))


@dataclass(frozen=True)
class FeaturesConfig:
    """Which families of features, over which windows."""

    families: list[str] = field(default_factory=list)
    windows_days: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Refuse windows that hold nothing."""
        for window_days in self.windows_days:
            _at_least("features.windows_days", window_days, 1)


@dataclass(frozen=True)
class TaskConfig:
    """What is predicted, for whom: label in (as_of + gap, as_of + gap + horizon]."""

    name: str = "churn"
    active_days: int = 90
    gap_days: int = 0
    horizon_days: int = 60

    def __post_init__(self) -> None:
        """Refuse a label window that holds nothing."""
        _at_least("task.active_days", self.active_days, 1)
        _at_least("task.gap_days", self.gap_days, 0)
        _at_least("task.horizon_days", self.horizon_days, 1)


@dataclass(frozen=True)
class ModelConfig:
    """LightGBM's settings, under LightGBM's own names where it has one."""

    name: str = "lightgbm"
    num_leaves: int = 15
    learning_rate: float = 0.05
    max_trees: int = 600
    early_stopping_rounds: int = 50
    min_data_in_leaf: int = 50
    feature_fraction: float = 0.5
    bagging_fraction: float = 0.8
    lambda_l2: float = 5.0
    threads: int = 2

    def __post_init__(self) -> None:
        """Refuse a model that does not exist or cannot split."""
        _one_of("model", self.name, ("lightgbm",))
        _at_least("model.num_leaves", self.num_leaves, 2)
        _at_least("model.max_trees", self.max_trees, 1)
        _at_least("model.threads", self.threads, 1)


@dataclass(frozen=True)
class SplitConfig:
    """Which as-of dates train, validate and test; dates given by hand win over counted ones."""

    every_days: int = 28
    snapshots: int = 12
    valid_snapshots: int = 2
    test_snapshots: int = 2
    history_days: int = 90
    train_as_of: list[str] = field(default_factory=list)
    valid_as_of: list[str] = field(default_factory=list)
    test_as_of: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Refuse a split without a test and dates that are none."""
        for key in ("every_days", "snapshots", "valid_snapshots", "test_snapshots"):
            _at_least(f"split.{key}", getattr(self, key), 1)
        for key in ("train_as_of", "valid_as_of", "test_as_of"):
            for text in getattr(self, key):
                iso_time(f"split.{key}", text)


@dataclass(frozen=True)
class TrackingConfig:
    """Where MLflow keeps runs and models; no uri means a SQLite file in the workspace."""

    uri: str | None = None
    prefix: str = "sintonia"


@dataclass(frozen=True)
class Settings:
    """What every verb has: where its files are, how it speaks, which silos and engine it works on."""

    workspace: str = "workspace"
    output: str = "text"
    engine: EngineConfig = field(default_factory=EngineConfig)
    source: SourceConfig = field(default_factory=SourceConfig)

    def __post_init__(self) -> None:
        """Refuse an output nobody prints."""
        _one_of("output", self.output, ("text", "json"))


@dataclass(frozen=True)
class SimulateSettings(Settings):
    """`sintonia simulate`: the synthetic brand's size, seed and dates."""

    customers: int = 5000
    seed: int = 7
    start: str = "2024-07-01"
    end: str = "2026-07-01"

    def __post_init__(self) -> None:
        """Refuse an empty brand and dates that are none."""
        super().__post_init__()
        _at_least("customers", self.customers, 1)
        if iso_time("end", self.end) <= iso_time("start", self.start):
            raise ConfigError(f"end={self.end} is not after start={self.start}.")


@dataclass(frozen=True)
class BuildSettings(Settings):
    """`sintonia build`: silos to store."""

    identity: IdentityConfig = field(default_factory=IdentityConfig)


@dataclass(frozen=True)
class TrainSettings(Settings):
    """`sintonia train`: store to registered model."""

    seed: int = 7
    features: FeaturesConfig = field(default_factory=FeaturesConfig)
    task: TaskConfig = field(default_factory=TaskConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    split: SplitConfig = field(default_factory=SplitConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)


@dataclass(frozen=True)
class ScoreSettings(Settings):
    """`sintonia score`: a list in, the same rows out. `bands` gives each band's lowest percentile."""

    list: str = ""
    out: str | None = None
    key: str | None = None
    as_of: str | None = None
    tasks: "list[str]" = field(default_factory=lambda: [])
    reasons: int = 3
    bands: dict[str, int] = field(default_factory=dict)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)

    def __post_init__(self) -> None:
        """Refuse a missing list and bands that leave somebody out."""
        super().__post_init__()
        if self.as_of is not None:
            iso_time("as_of", self.as_of)
        _at_least("reasons", self.reasons, 0)
        if min(self.bands.values(), default=0) > 1:
            raise ConfigError(f"bands={self.bands} leaves the lowest percentiles without a band; start one at 1.")


@dataclass(frozen=True)
class ReviewSettings(Settings):
    """`sintonia review`: one page for one task's model."""

    out: str | None = None
    task: TaskConfig = field(default_factory=TaskConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)


@dataclass(frozen=True)
class DemoSettings(TrainSettings, SimulateSettings):
    """`sintonia demo`: all of the road on the synthetic brand."""

    identity: IdentityConfig = field(default_factory=IdentityConfig)
    bands: dict[str, int] = field(default_factory=dict)


VERBS: dict[str, type[Settings]] = {
    "simulate": SimulateSettings,
    "build": BuildSettings,
    "train": TrainSettings,
    "score": ScoreSettings,
    "review": ReviewSettings,
    "demo": DemoSettings,
}
"""The verbs that take settings, in the order of the road; each has a primary config of its own name."""


def conf_dir() -> Path:
    """Return the folder of the YAML files: beside the package in a wheel, at the project's top in a checkout.

    Raises
    ------
    ConfigError
        When neither is there.
    """
    package = Path(__file__).resolve().parent
    places = (package / "conf", package.parents[1] / "conf")
    for place in places:
        if (place / "train.yaml").is_file():
            return place
    raise ConfigError(f"No configuration found; looked in {places[0]} and {places[1]}. Install sintonia again.")


def data_dir() -> Path | None:
    """Return the folder of public data sets named by the environment variable SINTONIA_DATA, if it is set."""
    folder = os.environ.get("SINTONIA_DATA")
    return Path(folder).expanduser() if folder else None


def settings(verb: str, composed: "DictConfig") -> Settings:
    """Return the verb's settings from a composed Hydra configuration.

    Raises
    ------
    ConfigError
        For a key nobody knows, a value of the wrong type, or a value the dataclass refuses.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        merged = OmegaConf.merge(OmegaConf.structured(VERBS[verb]), composed)
        found: Any = OmegaConf.to_object(merged)
    except OmegaConfBaseException as error:
        raise ConfigError(" ".join(str(error.msg or error).split())) from None
    if not isinstance(found, Settings):
        raise ConfigError(f"The configuration of '{verb}' is not a mapping.")
    return found
