"""The result of a training, and what the run of any model records."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa

from sintonia import __version__
from sintonia.core.config import TrainSettings
from sintonia.core.hashes import code_hash, config_hash
from sintonia.core.timeline import Split
from sintonia.data.store import Store
from sintonia.evaluation.evaluate import Evaluation
from sintonia.evaluation.leakage import LeakFinding
from sintonia.explain.sample import ExplainedSample, draw_sample
from sintonia.features import as_csv, feature_entries
from sintonia.registry.runs import CATALOGUE, EVALUATION, ChildRun, LoggedData, RunRecord
from sintonia.training.dataset import Dataset
from sintonia.training.models import Model, OutcomeModel
from sintonia.training.sufficiency import Sufficiency
from sintonia.training.tuning import ChosenSettings


@dataclass(frozen=True)
class TrainingResult:
    """A training of outcomes: its settings, data and split, and what came out."""

    settings: TrainSettings
    store: Store
    split: Split
    rows: Dataset
    model: OutcomeModel
    evaluation: Evaluation
    sufficiency: Sufficiency
    predictions: pa.Table
    validation: ChosenSettings
    leaks: Sequence[LeakFinding] = ()

    @cached_property
    def test(self) -> Dataset:
        """The test rows."""
        return self.rows.of(self.split, "test")

    @cached_property
    def sample(self) -> ExplainedSample:
        """Test rows with their contributions, numbered at random."""
        return draw_sample(self.model, self.test, self.settings.seed)


def model_run(
    settings: TrainSettings,
    model: Model,
    *,
    groups: Sequence[str],
    metrics: Mapping[str, float],
    tags: Mapping[str, str],
    evaluation: Mapping[str, Any],
    documents: Mapping[str, Any],
    predictions: pa.Table,
    data: Sequence[LoggedData] = (),
    nested: Sequence[ChildRun] = (),
) -> RunRecord:
    """Return the run of any model: what all of them record, and what is added for its kind.

    Parameters
    ----------
    groups
        The groups of settings that the training depended on; they are the run's parameters.
    evaluation
        What a promotion needs: figures with intervals, their evidence, and the end of the last label fitted on.
    """
    resolved = asdict(settings)
    entries = feature_entries(model.catalogue)
    return RunRecord(
        task=settings.task.name,
        parameters={"seed": settings.seed, "source": model.source, **run_parameters(resolved, groups)},
        metrics=metrics,
        tags={
            "sintonia.version": __version__,
            "sintonia.code": code_hash(model.own_code),
            "sintonia.config": config_hash(settings),
            "sintonia.data_fingerprint": model.fingerprint,
            **tags,
        },
        documents={
            "config.json": resolved,
            "features.json": list(model.names),
            CATALOGUE: entries,
            "catalogue.csv": as_csv(entries),
            "fitted.json": model.fitted.as_plain(),
            EVALUATION: evaluation,
            **documents,
        },
        model=model,
        predictions=predictions,
        data=data,
        nested=nested,
    )


def run_parameters(resolved: dict[str, Any], groups: Sequence[str]) -> dict[str, Any]:
    """Return the parameters of the groups that a training depends on, as `group.key`."""
    return {f"{group}.{key}": value for group in groups for key, value in resolved[group].items()}


def metric_key(name: str) -> str:
    """Return a model's name as a metric's name may be spelt."""
    return name.replace(" ", "_")
