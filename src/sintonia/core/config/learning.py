"""The groups `task`, `model`, `tune`, `split`, `profit` and `tracking`: histories to a judged model."""

import re
from dataclasses import dataclass, field

from sintonia.core.config.checks import at_least, iso_time, one_of
from sintonia.core.errors import ConfigError
from sintonia.core.schema import KINDS

ENDS = ("silence", "cancel")
"""What ends a relation: no purchase for some time, or a cancellation."""


LABELS = ("binary", "amount")
"""The label of a task of the user's own: whether it happens, or an amount."""


@dataclass(frozen=True)
class QuestionConfig:
    """The population and the label of a task of the user's own, in kinds of interaction.

    A customer is eligible with one of the `eligible_kinds` in the last `active_days`, unless a later one of the
    `ending_kinds` ended the relation. The label is 1 when one of the `label_kinds` falls into the horizon (with
    `absence`: when none does), or, with `label=amount`, what those cost. `population` and `outcome` say both in
    words, for lists and pages; `{active_days}` in them stands for the days.
    """

    eligible_kinds: list[str] = field(default_factory=list)
    label_kinds: list[str] = field(default_factory=list)
    population: str = ""
    outcome: str = ""
    ending_kinds: list[str] = field(default_factory=list)
    label: str = "binary"
    absence: bool = False

    def __post_init__(self) -> None:
        """Refuse an empty population or label, and unknown kinds of interaction."""
        for key in ("eligible_kinds", "label_kinds", "population", "outcome"):
            if not getattr(self, key):
                raise ConfigError(f"task.question.{key} is empty; a task of your own needs it.")
        for key in ("eligible_kinds", "label_kinds", "ending_kinds"):
            for kind in getattr(self, key):
                one_of(f"kind under task.question.{key}:", kind, KINDS)
        one_of("label under task.question.label:", self.label, LABELS)
        if self.label == "amount" and self.absence:
            raise ConfigError("task.question: an amount has no absence; give label=binary or absence=false.")


@dataclass(frozen=True)
class TaskConfig:
    """What is predicted, for whom: label in (as_of + gap, as_of + gap + horizon].

    A task of the user's own has a new name and a `question`.

    `ends_by` is churn's own: `silence` (a lapse) or `cancel` (a contract's end). `top_k` and `without` are the
    category task's own: it asks about the categories most customers bought, or about those of `categories`.

    `attribute` is the label of a table without dates, and `positive` its values that count as 1, in any case; such a
    task needs `split=customers`, and its active days and horizon mean nothing.

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
    question: QuestionConfig | None = None
    attribute: str = ""
    positive: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Refuse an empty label window, an unknown end, and a name that no column can have."""
        if not re.fullmatch(r"[a-z][a-z0-9_]*", self.name):
            raise ConfigError(
                f"task.name='{self.name}' is no name; write it in small letters, as next_visit."
            )
        at_least("task.active_days", self.active_days, 1)
        at_least("task.gap_days", self.gap_days, 0)
        at_least("task.horizon_days", self.horizon_days, 1)
        at_least("task.top_k", self.top_k, 1)
        one_of("end under task.ends_by:", self.ends_by, ENDS)
        if self.attribute and not self.positive:
            raise ConfigError(
                f"task.positive is empty: no value of the attribute '{self.attribute}' would count as 1; "
                "give some, as task.positive=[yes]."
            )


CALIBRATIONS = ("best", "sigmoid", "beta", "isotonic")
"""How scores become probabilities; best is whichever serves customers it was not fitted on."""


LIGHTGBM = "lightgbm"


@dataclass(frozen=True)
class ModelConfig:
    """LightGBM's settings, under LightGBM's own names where it has one.

    `name` is `lightgbm`, or a user's own class, `folder/my_model.py`, `folder/my_model.py:MyModel` or
    `my_package.my_model:MyModel`: of the other settings it knows `calibration` alone.
    `monotone` says of features, by name or pattern, that the score may only rise (1) or only fall (-1) with them.
    """

    name: str = LIGHTGBM
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
        if not self.name.endswith(".py") and ":" not in self.name:
            one_of("model", self.name, (LIGHTGBM,))
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
    fold, they are not among the better third of those before. `space` holds model settings by name.
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


SPLITS = ("auto", "counted", "customers")
"""How rows are split: by dates chosen from the data, by dates counted as the settings say, or by customer."""


@dataclass(frozen=True)
class SplitConfig:
    """Which as-of dates train, validate and test; dates given by hand win over counted ones.

    With `name=auto`, the dates are those counted where they leave enough of them to train on; else they stand closer
    together, and at last only one validates and one tests. `folds` is the number of dates before the test that each
    evaluate a model fitted on older dates.

    With `name=customers`, for a table without dates, `test_share` of the customers test and `valid_share` validate,
    by a hash of customer and `seed`, and the other settings mean nothing.
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
    valid_share: float = 0.2
    test_share: float = 0.2
    seed: int = 7
    name: str = "counted"

    def __post_init__(self) -> None:
        """Refuse a split without a test and dates that are none."""
        one_of("split", self.name, SPLITS)
        if min(self.valid_share, self.test_share) <= 0 or self.valid_share + self.test_share >= 1:
            raise ConfigError(
                f"split.valid_share={self.valid_share} and split.test_share={self.test_share} leave a part empty; "
                "give shares above 0 that add up to less than 1."
            )
        for key in ("every_days", "snapshots", "valid_snapshots", "test_snapshots"):
            at_least(f"split.{key}", getattr(self, key), 1)
        at_least("split.folds", self.folds, 0)
        for key in ("train_as_of", "valid_as_of", "test_as_of"):
            for text in getattr(self, key):
                iso_time(f"split.{key}", text)


@dataclass(frozen=True)
class ProfitConfig:
    """What keeping a customer is worth and costs in currency, and who accepts: a share that is Beta distributed.

    A contacted customer who would leave stays with probability gamma, Beta(accepts_alpha, accepts_beta), and then
    takes the incentive; one who would have stayed anyway always takes it. The defaults are those of Verbraken et
    al. (2013).
    """

    customer_value: float = 200.0
    incentive: float = 10.0
    contact_cost: float = 1.0
    accepts_alpha: float = 6.0
    accepts_beta: float = 14.0

    def __post_init__(self) -> None:
        """Refuse what is worth nothing, costs less than nothing, or costs all that it may bring."""
        for key in ("incentive", "contact_cost"):
            at_least(f"profit.{key}", getattr(self, key), 0)
        for key in ("accepts_alpha", "accepts_beta"):
            if getattr(self, key) <= 0:
                raise ConfigError(
                    f"profit.{key}={getattr(self, key)} is no shape of a Beta; give more than 0."
                )
        if self.customer_value <= self.incentive:
            raise ConfigError(
                f"profit.customer_value={self.customer_value} is not above "
                f"profit.incentive={self.incentive}: keeping a customer would never pay."
            )


@dataclass(frozen=True)
class TrackingConfig:
    """Where MLflow keeps runs and models; no uri means a SQLite file in the workspace."""

    uri: str | None = None
    prefix: str = "sintonia"
