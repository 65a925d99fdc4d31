"""The configuration groups as frozen dataclasses, with the rules their values obey.

One group is one dataclass is one function argument; the YAML files under `conf/<group>/` hold the values.
"""

from dataclasses import dataclass, field
from datetime import datetime

from sintonia.errors import ConfigError, unknown


def one_of(what: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise ConfigError with the nearest right name unless the value is one of the choices."""
    if value not in choices:
        raise unknown(what, value, choices)


def at_least(what: str, value: float, least: float) -> None:
    """Raise ConfigError for a value below the least that can work."""
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
    """How work runs: threads, memory, into how many buckets the store is cut, and what computed features may take.

    `feature_cache_gib` of disk keep computed features for the next training; 0 keeps none.
    """

    name: str = "duckdb"
    threads: int = 2
    memory_gib: float = 2.0
    buckets: int = 16
    feature_cache_gib: float = 4.0

    def __post_init__(self) -> None:
        """Refuse an engine that does not exist and sizes that cannot work."""
        one_of("engine", self.name, ("duckdb",))
        at_least("engine.threads", self.threads, 1)
        at_least("engine.memory_gib", self.memory_gib, 0.25)
        at_least("engine.buckets", self.buckets, 1)
        at_least("engine.feature_cache_gib", self.feature_cache_gib, 0)


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
    `decisions` are SQL expressions over the silo's own columns (a plain column name is one); `number(x)`
    reads a number as the silo writes it. `constants` are literal values, `values` renames what an expression
    gave. `where`, a condition in the same language, says which rows of the files are the silo's, so that two silos
    can read one file. Silos that name the same `threads` share their thread ids: a case opened in one may be closed
    in another.
    """

    path: str = ""
    format: str = "csv"
    csv: CsvConfig = field(default_factory=CsvConfig)
    time_zone: str = "UTC"
    time_format: str | None = None
    data_until: str | None = None
    where: str | None = None
    threads: str | None = None
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
        one_of("format", self.format, ("csv", "jsonl", "parquet"))
        if not self.identifiers:
            raise ConfigError(f"The silo at '{self.path}' names no identifiers; give at least one.")


@dataclass(frozen=True)
class SourceConfig:
    """A set of silos. Rows that occurred at or after `until` are not read; `today` bounds credible dates."""

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


SURVIVORSHIP = ("most_recent", "most_frequent", "source_priority", "most_complete")
"""Which of several values of one attribute the golden record takes."""


@dataclass(frozen=True)
class IdentityConfig:
    """How records become customers.

    `deterministic` ties what shares an identifier; `probabilistic` also what names, dates and addresses say.
    `survivorship` says by attribute which value survives (`default` for the others), `value_groups` which
    attributes survive as a unit, `source_priority` which silos go first. What an earlier build decided stands
    unless `relearn`; `weights` is the folder of another build's weights to match with.
    """

    name: str = "deterministic"
    match_probability: float = 0.5
    region: str = "IT"
    shareable: list[str] = field(default_factory=list)
    persons_per_identifier: int = 1
    hold_implausible: bool = True
    overrides: str | None = None
    weights: str | None = None
    relearn: bool = False
    survivorship: dict[str, str] = field(default_factory=dict)
    value_groups: dict[str, list[str]] = field(default_factory=dict)
    source_priority: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Refuse a way of matching, a probability and a rule of survivorship that do not exist."""
        one_of("identity", self.name, ("deterministic", "probabilistic"))
        if not 0 < self.match_probability < 1:
            raise ConfigError(
                f"identity.match_probability={self.match_probability} is no probability; give 0 < p < 1."
            )
        at_least("identity.persons_per_identifier", self.persons_per_identifier, 1)
        for rule in self.survivorship.values():
            one_of("rule under identity.survivorship:", rule, SURVIVORSHIP)


AGGREGATIONS = ("sum", "count", "share", "mean", "max", "min", "last", "days_since")
"""How a measure of one's own is gathered."""


@dataclass(frozen=True)
class MeasureConfig:
    """A measure of one's own: an SQL expression over one interaction, and how it is gathered.

    Over the interactions `where` is true for: `sum`, `mean`, `max` and `min` of the expression, `count` and `share`
    of those it is true for, its `last` value, and `days_since` it was last true. `definition`, `unit` and `why`
    are for the reader; no windows of its own means the configuration's.
    """

    expression: str = ""
    where: str | None = None
    aggregations: list[str] = field(default_factory=lambda: ["sum"])
    windows_days: list[int] = field(default_factory=list)
    unit: str = "units"
    definition: str = ""
    why: str = "A measure of this brand's own"

    def __post_init__(self) -> None:
        """Refuse a measure of nothing, and a way of gathering that does not exist."""
        if not self.expression:
            raise ConfigError("A measure under features.measures has no expression; give one, as amount.")
        for aggregation in self.aggregations:
            one_of("aggregation of a measure", aggregation, AGGREGATIONS)
        for window_days in self.windows_days:
            at_least("features.measures windows_days", window_days, 1)


@dataclass(frozen=True)
class FeaturesConfig:
    """Which families of features, over which windows and with which half-lives, and measures of one's own.

    Of categories and actions, the `top_k` most frequent get columns of their own. `families_from` names Python
    functions that give families: `folder/file.py:function` or `module:function`.
    """

    families: list[str] = field(default_factory=list)
    windows_days: list[int] = field(default_factory=list)
    half_lives_days: list[int] = field(default_factory=lambda: [30, 180])
    top_k: int = 10
    measures: dict[str, MeasureConfig] = field(default_factory=dict)
    families_from: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Refuse windows and half-lives that hold nothing."""
        for window_days in self.windows_days:
            at_least("features.windows_days", window_days, 1)
        for half_life_days in self.half_lives_days:
            at_least("features.half_lives_days", half_life_days, 1)
        at_least("features.top_k", self.top_k, 1)


ENDS = ("silence", "cancel")
"""What ends a relation: nothing bought for a while, or an interaction that says so."""


@dataclass(frozen=True)
class TaskConfig:
    """What is predicted, for whom: label in (as_of + gap, as_of + gap + horizon].

    `ends_by` is churn's own: `silence` (a lapse) or `cancel` (a contract's end). `top_k` and `without` are the
    category task's own: it asks about the categories most customers bought, or about those of `categories`.

    Enough to learn from is a history of `history_horizons` horizons, `class_rows` training rows of each outcome, and
    key fields that at most `missing_share` of the purchases lack; `force` goes on with less.
    """

    name: str = "churn"
    active_days: int = 90
    gap_days: int = 0
    horizon_days: int = 60
    ends_by: str = "silence"
    top_k: int = 20
    without: list[str] = field(default_factory=list)
    categories: list[str] = field(default_factory=list)
    history_horizons: float = 2.0
    class_rows: int = 500
    missing_share: float = 0.2
    force: bool = False

    def __post_init__(self) -> None:
        """Refuse a label window that holds nothing, and an end that does not exist."""
        at_least("task.active_days", self.active_days, 1)
        at_least("task.gap_days", self.gap_days, 0)
        at_least("task.horizon_days", self.horizon_days, 1)
        at_least("task.top_k", self.top_k, 1)
        one_of("end under task.ends_by:", self.ends_by, ENDS)


CALIBRATIONS = ("best", "sigmoid", "beta", "isotonic")
"""How scores become probabilities; best is whichever serves customers it was not fitted on."""


@dataclass(frozen=True)
class ModelConfig:
    """LightGBM's settings, under LightGBM's own names where it has one.

    `monotone` says of features, by name or pattern, that the score may only rise (1) or only fall (-1) with them.
    """

    name: str = "lightgbm"
    num_leaves: int = 4
    learning_rate: float = 0.05
    max_trees: int = 2000
    early_stopping_rounds: int = 50
    min_data_in_leaf: int = 200
    feature_fraction: float = 0.2
    bagging_fraction: float = 0.5
    lambda_l2: float = 20.0
    max_bin: int = 63
    monotone: dict[str, int] = field(default_factory=dict)
    calibration: str = "best"
    threads: int = 2

    def __post_init__(self) -> None:
        """Refuse a model that does not exist or cannot split, and a constraint that is none."""
        one_of("model", self.name, ("lightgbm",))
        one_of("calibration", self.calibration, CALIBRATIONS)
        at_least("model.num_leaves", self.num_leaves, 2)
        at_least("model.max_trees", self.max_trees, 1)
        at_least("model.max_bin", self.max_bin, 2)
        at_least("model.threads", self.threads, 1)
        for pattern, way in self.monotone.items():
            if way not in (-1, 0, 1):
                raise ConfigError(
                    f"model.monotone.{pattern}={way} is no way to go; give 1 (rises), -1 (falls) or 0."
                )


@dataclass(frozen=True)
class RangeConfig:
    """Between which values a setting is searched, on a scale of logarithms or an even one."""

    low: float = 0.0
    high: float = 1.0
    log: bool = False

    def __post_init__(self) -> None:
        """Refuse a range that holds nothing, or whose logarithm does not exist."""
        if not self.low < self.high or (self.log and self.low <= 0):
            raise ConfigError(
                f"A range of tune.space goes from {self.low} to {self.high}{', log' if self.log else ''}; "
                "give low < high, and low > 0 with log."
            )


@dataclass(frozen=True)
class TuneConfig:
    """How many settings of the model are tried over the rolling folds, and which.

    The first `startup_trials` run to their end; later ones are given up when, after every `report_trees` trees or a
    fold, they are worse than half of those before. `space` holds model settings by name.
    """

    trials: int = 0
    startup_trials: int = 4
    report_trees: int = 50
    space: dict[str, RangeConfig] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a search that tries nothing, and sizes that cannot work."""
        at_least("tune.trials", self.trials, 0)
        at_least("tune.startup_trials", self.startup_trials, 1)
        at_least("tune.report_trees", self.report_trees, 1)
        if self.trials and not self.space:
            raise ConfigError(
                "tune.trials needs a space to search; give tune=optuna, or ranges in tune.space."
            )


@dataclass(frozen=True)
class SplitConfig:
    """Which as-of dates train, validate and test; dates given by hand win over counted ones.

    `folds` is how many dates before the test judge, each a model of its own, what older dates taught.
    """

    every_days: int = 28
    snapshots: int = 12
    valid_snapshots: int = 2
    test_snapshots: int = 2
    history_days: int = 90
    folds: int = 5
    train_as_of: list[str] = field(default_factory=list)
    valid_as_of: list[str] = field(default_factory=list)
    test_as_of: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Refuse a split without a test and dates that are none."""
        for key in ("every_days", "snapshots", "valid_snapshots", "test_snapshots"):
            at_least(f"split.{key}", getattr(self, key), 1)
        at_least("split.folds", self.folds, 0)
        for key in ("train_as_of", "valid_as_of", "test_as_of"):
            for text in getattr(self, key):
                iso_time(f"split.{key}", text)


@dataclass(frozen=True)
class ProfitConfig:
    """What keeping a customer is worth and costs, in euros, and who accepts: a share that is Beta distributed.

    A contacted customer who would leave stays with probability gamma, Beta(accepts_alpha, accepts_beta), and then
    takes the incentive; one who would have stayed anyway always takes it. The defaults are those of Verbraken et
    al. (2013).
    """

    customer_value_eur: float = 200.0
    incentive_eur: float = 10.0
    contact_eur: float = 1.0
    accepts_alpha: float = 6.0
    accepts_beta: float = 14.0

    def __post_init__(self) -> None:
        """Refuse what is worth nothing, costs less than nothing, or costs all that it may bring."""
        for key in ("incentive_eur", "contact_eur"):
            at_least(f"profit.{key}", getattr(self, key), 0)
        for key in ("accepts_alpha", "accepts_beta"):
            if getattr(self, key) <= 0:
                raise ConfigError(
                    f"profit.{key}={getattr(self, key)} is no shape of a Beta; give more than 0."
                )
        if self.customer_value_eur <= self.incentive_eur:
            raise ConfigError(
                f"profit.customer_value_eur={self.customer_value_eur} is not above "
                f"profit.incentive_eur={self.incentive_eur}: keeping a customer would never pay."
            )


@dataclass(frozen=True)
class TrackingConfig:
    """Where MLflow keeps runs and models; no uri means a SQLite file in the workspace."""

    uri: str | None = None
    prefix: str = "sintonia"


REWARDS = ("converted", "spend", "margin")
"""What may count as the reward of a decision."""


@dataclass(frozen=True)
class RewardConfig:
    """What counts as the reward of a decision, in [decided_at, decided_at + horizon), whether or not it was sent.

    `converted` is 1 when an interaction of `kinds` follows, `spend` the money of purchases less returns, `margin` what
    is left of it when the goods cost all but `margin_share` of the list price. `cap_eur` bounds it; with
    `own_discount` what was paid out for the decision's own action (redemptions that name it) is taken off. Without a
    horizon the log's own `reward_until` counts.
    """

    name: str = "spend"
    kinds: list[str] = field(default_factory=lambda: ["purchase"])
    margin_share: float = 0.5
    cap_eur: float | None = None
    own_discount: bool = False
    horizon_days: int = 0
    horizon_hours: int = 0

    def __post_init__(self) -> None:
        """Refuse a reward that does not exist, and a horizon before the decision."""
        one_of("reward", self.name, REWARDS)
        at_least("policy.reward.horizon_days", self.horizon_days, 0)
        at_least("policy.reward.horizon_hours", self.horizon_hours, 0)


@dataclass(frozen=True)
class ActionConfig:
    """What an action costs (else what the log says it cost on average) and what it is like, in numbers."""

    cost_eur: float | None = None
    attributes: dict[str, float] = field(default_factory=dict)


POLICIES = ("best_gain", "softmax", "thompson")
"""How a personalised policy turns gains into actions."""


@dataclass(frozen=True)
class PolicyConfig:
    """How effects become a policy: what a unit of reward is worth, what is not worth doing, how much is tried out.

    `threshold` is the gain an action must exceed, `temperature` the gain that makes softmax e times likelier,
    `floor` the least probability of every eligible action. Of the customers, `teach_share` teach, `gate_share`
    decide whether the personalised policy passes, and the others report, on decisions from `judge_from` on, or on the
    newest fifth of the rounds. With `none_for_others`, who was known and is not in a round's log had `none`. A log
    without propensities needs every action at least `overlap` likely for nine decisions in ten.
    """

    name: str = "best_gain"
    reward: RewardConfig = field(default_factory=RewardConfig)
    actions: dict[str, ActionConfig] = field(default_factory=dict)
    none_for_others: bool = False
    judge_from: str | None = None
    overlap: float = 0.01
    value: float = 1.0
    threshold: float = 0.0
    temperature: float = 1.0
    floor: float = 0.0
    folds: int = 5
    teach_share: float = 0.5
    gate_share: float = 0.25

    def __post_init__(self) -> None:
        """Refuse a policy that does not exist, and parts that leave nobody to report on."""
        one_of("policy", self.name, POLICIES)
        if self.judge_from is not None:
            iso_time("policy.judge_from", self.judge_from)
        at_least("policy.folds", self.folds, 2)
        if self.temperature <= 0 or not 0 <= self.floor < 1:
            raise ConfigError(
                f"policy.temperature={self.temperature} or policy.floor={self.floor} cannot work; "
                "give a temperature above 0 and a floor from 0 to below 1."
            )
        if min(self.teach_share, self.gate_share) <= 0 or self.teach_share + self.gate_share >= 1:
            raise ConfigError(
                f"policy.teach_share={self.teach_share} and policy.gate_share={self.gate_share} leave nobody to teach, "
                "judge or report on; give shares above 0 that sum to less than 1."
            )
