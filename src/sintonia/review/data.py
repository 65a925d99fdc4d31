"""What a review page shows, as plain data that survives JSON: figures and definitions, no customer."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol, TypeVar

from sintonia.core.config.convert import from_plain
from sintonia.core.intervals import Estimate
from sintonia.evaluation.drift_report import CurrentShift, FeatureShift, LabelRate
from sintonia.evaluation.evaluate import Evaluation
from sintonia.evaluation.groups import Fairness, GroupResult
from sintonia.evaluation.stability import DateStability, Dependence, FamilyStability, FamilyWeight
from sintonia.explain.contributions import Contributions, Swarm, importance
from sintonia.review.customers import Customer

T = TypeVar("T")


class Described(Protocol):
    """What a page shows of a feature; entries of the feature catalogue have these properties."""

    @property
    def definition(self) -> str:
        """What is measured, in words."""

    @property
    def family(self) -> str:
        """Which family it belongs to."""


@dataclass(frozen=True)
class DataPart:
    """One part of the data: 'train', 'valid' or 'test', its as-of dates (ISO), sizes and label rate."""

    name: str
    as_of: tuple[str, ...]
    rows: int
    customers: int
    label_rate: float


@dataclass(frozen=True)
class FeatureWeight:
    """A feature with its mean absolute contribution to the raw score, in log-odds."""

    feature: str
    definition: str
    family: str
    mean_absolute: float


@dataclass(frozen=True)
class FoldFigures:
    """How the settings did on one rolling fold before the test, by LightGBM's metrics."""

    as_of: str
    figures: dict[str, float]


@dataclass(frozen=True)
class LeakColumn:
    """The leak check's verdict on a column: its AUC alone, whether it may leak, and why or why not."""

    name: str
    source: str
    strength: Estimate | None
    may_leak: bool
    why: str


@dataclass(frozen=True)
class CatalogueEntry:
    """A feature as the catalogue has it."""

    name: str
    family: str
    definition: str
    unit: str
    missing: str
    why: str


@dataclass(frozen=True)
class ModelEvidence:
    """The evidence behind a page's figures: what moves scores, for whom, how stable that is, and the data."""

    families: tuple[FamilyWeight, ...]
    dependences: tuple[Dependence, ...]
    stability: DateStability
    retold: FamilyStability
    folds: tuple[FoldFigures, ...]
    groups: tuple[GroupResult, ...]
    fairness: tuple[Fairness, ...]
    labels: tuple[LabelRate, ...]
    profiles: tuple[FeatureShift, ...]
    leaks: tuple[LeakColumn, ...]
    catalogue: tuple[CatalogueEntry, ...]


@dataclass(frozen=True)
class PromotionCheck:
    """One requirement of a promotion, whether it is met, and the figures that explain why."""

    name: str
    passed: bool
    explanation: str


@dataclass(frozen=True)
class ReviewData:
    """All that a page needs. Name, version and run are known only once the model is registered, and the customers
    are stored in a file of their own.

    Attributes
    ----------
    task, population, outcome
        What is predicted for whom: 'churn', 'customers who bought in the last 56 days', 'buys nothing in the
        28 days after the as-of date'.
    label
        The label's exact definition, with its brackets.
    limits
        What the model must not be used for or cannot know, one sentence each.
    parts
        Training, validation and test.
    evaluation
        On the test rows; its first model is the one under review.
    weights
        Features by importance, largest first.
    swarms
        Contributions of a sample of test rows, for the most important features.
    fingerprint, source, synthetic
        The data, and whether they are simulated.
    currency
        Of amounts; evidence of earlier versions names none.
    created_at
        When the model was trained, ISO.
    evidence, customers
        The evidence behind the figures, and explained example rows.
    gate, now
        The requirements of `promote`, and how far today's customers are from training; both are computed
        when the page is written.
    out_of_time
        Whether the test lies later than what was learned from; else it is other customers of the same moment.
    """

    task: str
    population: str
    outcome: str
    label: str
    limits: tuple[str, ...]
    parts: tuple[DataPart, ...]
    evaluation: Evaluation
    weights: tuple[FeatureWeight, ...]
    swarms: tuple[Swarm, ...]
    fingerprint: str
    source: str
    synthetic: bool
    created_at: str
    currency: str = "EUR"
    model_name: str = ""
    model_version: str = ""
    run_id: str = ""
    evidence: ModelEvidence | None = None
    customers: tuple[Customer, ...] = ()
    gate: tuple[PromotionCheck, ...] = ()
    now: CurrentShift | None = None
    out_of_time: bool = True

    def named(self, name: str, version: str, run_id: str) -> "ReviewData":
        """Return the data with the registry's names of the model."""
        return replace(self, model_name=name, model_version=version, run_id=run_id)

    def to_plain(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "ReviewData":
        """Return the data that `to_plain` gave, also after a journey through JSON.

        Raises
        ------
        InputError
            When a figure is missing or has another shape: another version wrote it.
        """
        return read(cls, plain)


def read(kind: type[T], plain: object) -> T:
    """Return a JSON value as a dataclass of this kind.

    Raises
    ------
    InputError
        When a figure is missing or has another shape: another version wrote it.
    """
    document: T = from_plain(kind, plain, "the review's figures", remedy="train the model again")
    return document


def feature_weights(found: Contributions, catalogue: Mapping[str, Described]) -> tuple[FeatureWeight, ...]:
    """Return the features that move the score, largest first, with their catalogue entries."""
    return tuple(
        FeatureWeight(
            feature=name,
            definition=catalogue[name].definition if name in catalogue else name,
            family=catalogue[name].family if name in catalogue else "",
            mean_absolute=round(size, 6),
        )
        for name, size in importance(found)
        if size > 0
    )
