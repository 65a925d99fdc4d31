"""One training, whole, and how settings are written as parameters of a run."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa

from sintonia.check import LeakFinding
from sintonia.config import TrainSettings
from sintonia.estimates import Evaluation
from sintonia.explained_sample import Sample, draw_sample
from sintonia.interactions import Store
from sintonia.model import Model
from sintonia.sufficiency import Sufficiency
from sintonia.timeline import Split
from sintonia.training_set import Dataset
from sintonia.tuning import Validated


@dataclass(frozen=True)
class TrainingResult:
    """One training, whole: what was asked, on which data, split how, and what came out."""

    settings: TrainSettings
    store: Store
    split: Split
    rows: Dataset
    model: Model
    judged: Evaluation
    enough: Sufficiency
    predictions: pa.Table
    validated: Validated
    leaks: Sequence[LeakFinding] = ()

    @cached_property
    def test(self) -> Dataset:
        """The rows that judge."""
        return self.rows.at(self.split.test)

    @cached_property
    def sample(self) -> Sample:
        """Test rows with their contributions, numbered at random."""
        return draw_sample(self.model, self.test, self.settings.seed)


def flat(
    resolved: dict[str, Any], groups: Sequence[str] = ("features", "task", "model", "split")
) -> dict[str, Any]:
    """Return the parameters of the groups that a training depends on, as `group.key`."""
    return {f"{group}.{key}": value for group in groups for key, value in resolved[group].items()}


def metric_key(name: str) -> str:
    """Return a model's name as a metric's name may be spelt."""
    return name.replace(" ", "_")
