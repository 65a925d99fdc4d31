"""The steps in which the tasks of one kind differ from those of another."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from sintonia.api.pipelines.figures import Figures
from sintonia.core.config import CheckSettings, PromoteSettings, ReviewSettings, TrainSettings
from sintonia.data.store import Store
from sintonia.evaluation.leakage import InvarianceQuestion
from sintonia.registry.promotion_checks import Requirement
from sintonia.registry.runs import RunRecord
from sintonia.registry.tracking import Registered, Tracking
from sintonia.review import PromotionCheck
from sintonia.training.dataset import Dataset


@dataclass(frozen=True)
class Trained:
    """A training that is not registered yet: its run, the rows it explains, and how it is reported once it is."""

    run: RunRecord
    explained: Dataset
    figures: Callable[[Registered], Figures]


@dataclass(frozen=True)
class Suspects:
    """What the leakage check examines: a question to repeat on changed data, its moments, and those that are tested.

    `moments` and `judged` have `customer_id, as_of, label`.
    """

    settings: CheckSettings
    question: InvarianceQuestion
    moments: pa.Table
    judged: pa.Table


@dataclass(frozen=True)
class TaskSteps:
    """How tasks of one kind are trained, checked for leaks, checked for promotion, and shown to people.

    Attributes
    ----------
    train
        Store and settings to a training.
    suspects
        Store and settings to what the leakage check examines.
    promotion_checks
        Registry, settings, candidate and champion (None without) to the requirements in the order of the report.
    page
        Registry, model, settings and requirements to the review page, HTML.
    card
        Registry, model, requirements and history to the model card, Markdown.
    """

    train: Callable[[Store, TrainSettings], Trained]
    suspects: Callable[[Store, CheckSettings], Suspects]
    promotion_checks: Callable[
        [Tracking, PromoteSettings | ReviewSettings, Registered, Registered | None], list[Requirement]
    ]
    page: Callable[[Tracking, Registered, ReviewSettings, tuple[PromotionCheck, ...]], str]
    card: Callable[[Tracking, Registered, tuple[PromotionCheck, ...], Sequence[str]], str]
