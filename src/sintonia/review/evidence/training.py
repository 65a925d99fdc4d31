"""A training as the run MLflow keeps: parameters, metrics, data, documents, trials and folds."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import numpy as np

from sintonia.core.hashes import short_hash
from sintonia.core.timeline import label_span
from sintonia.evaluation.groups import GroupResult
from sintonia.evaluation.leakage import leak_figures
from sintonia.explain.sample import CONTRIBUTIONS_FILE, sample_table
from sintonia.registry.artifacts import CUSTOMERS, REVIEW
from sintonia.registry.run_logging import ChildRun, Data, Run
from sintonia.review import drawings
from sintonia.review.evidence.review import customers, part, review_data, segments
from sintonia.review.evidence.whole import TrainingResult, metric_key, model_run
from sintonia.training.models import FoldResult
from sintonia.training.tuning import ChosenSettings, TuningTrial


def training_run(training: TrainingResult) -> Run:
    """Return the training as a run: parameters, metrics, the resolved configuration, features and figures."""
    estimates = training.judged.estimates
    leaks = leak_figures(training.leaks)
    lacks = list(training.enough.lacks)
    metrics = {"leaks.may_leak": float(len(leaks["may_leak"]))} | {
        f"{metric_key(name)}.{metric}": e.value for name, of in estimates.items() for metric, e in of.items()
    }
    labels_until = f"{_labels_until(training):%Y-%m-%d}"
    return model_run(
        training.settings,
        training.model,
        groups=("features", "task", "model", "split"),
        metrics={**metrics, **fold_figures(training.validated.folds)},
        tags={
            "sintonia.labels_until": labels_until,
            "sintonia.test_as_of": ", ".join(f"{as_of:%Y-%m-%d}" for as_of in training.split.test),
            "sintonia.may_leak": ", ".join(leaks["may_leak"]) or "none",
            "sintonia.grade": training.judged.grade or "none",
            **({"forced": "; ".join(lacks)} if lacks else {}),
        },
        evaluation={
            **asdict(training.judged),
            "grade": training.judged.grade,
            "evidence": "outcomes that came true",
            "may_leak": leaks["may_leak"],
            "lacks": lacks,
            "labels_until": labels_until,
        },
        documents={
            "leaks.json": leaks,
            "sufficiency.json": training.enough.figures(),
            "folds.json": [asdict(fold) for fold in training.validated.folds],
            **({"tuning.json": asdict(found)} if (found := training.validated.search) else {}),
            "segments.json": [_segment(one) for one in segments(training)],
            REVIEW: json.loads(json.dumps(review_data(training).to_plain())),
            CUSTOMERS: json.loads(json.dumps([asdict(one) for one in customers(training)])),
            CONTRIBUTIONS_FILE: sample_table(training.sample),
            **{f"figures/{name}.svg": drawing for name, drawing in drawings(training.judged).items()},
        },
        predictions=training.predictions,
        data=_data(training),
        nested=_nested(training.validated),
    )


def _segment(one: GroupResult) -> dict[str, Any]:
    """Return a segment as the run keeps it."""
    kept = {"by": one.by, "name": one.name, "rows": one.rows, "predicted": one.predicted}
    return {**kept, "gap": asdict(one.gap), "fails": one.wrong}


def _nested(validated: ChosenSettings) -> tuple[ChildRun, ...]:
    """Return the trials of a search with their folds, else the folds themselves, as runs inside the run."""
    if validated.search is None:
        return tuple(map(_nested_fold, validated.folds))
    return tuple(map(_nested_trial, validated.search.trials))


def _nested_trial(trial: TuningTrial) -> ChildRun:
    ended = {} if trial.loss is None else {"relative_loss": trial.loss}
    return ChildRun(
        name=f"trial {trial.number}",
        metrics=ended,
        parameters={f"model.{name}": value for name, value in trial.settings.items()},
        tags={"sintonia.trial": "given up" if trial.loss is None else "complete"},
        seconds=trial.seconds,
        nested=tuple(map(_nested_fold, trial.folds)),
    )


def _nested_fold(fold: FoldResult) -> ChildRun:
    sizes = {"train_rows": fold.train_rows, "valid_rows": fold.valid_rows, "trees": fold.trees}
    return ChildRun(
        f"fold {fold.as_of}",
        {**fold.figures, **sizes},
        tags={"sintonia.as_of": fold.as_of},
        seconds=fold.seconds,
    )


def fold_figures(folds: Sequence[FoldResult]) -> dict[str, float]:
    """Return the mean of each metric over the folds, and its spread where there are two."""
    figures = {}
    for name in folds[0].figures if folds else ():
        values = [fold.figures[name] for fold in folds]
        figures[f"folds.{name}"] = float(np.mean(values))
        if len(values) > 1:
            figures[f"folds.{name}.sd"] = float(np.std(values, ddof=1))
    return figures


def _data(training: TrainingResult) -> tuple[Data, ...]:
    """Return the parts as data sets: the digest is the store's fingerprint and a hash of dates and features."""
    store, split = training.store, training.split
    contexts = {"train": "training", "valid": "validation", "test": "testing"}
    parts = {"train": split.train, "valid": split.valid, "test": split.test}
    data = []
    for name, dates in parts.items():
        described = part(name, training.rows, dates)
        digest = short_hash([*described.as_of, *training.rows.names])
        data.append(
            Data(
                f"{store.source} {name}",
                contexts[name],
                f"{store.fingerprint}-{digest}",
                store.source,
                asdict(described),
            )
        )
    return tuple(data)


def _labels_until(training: TrainingResult) -> datetime:
    """Return when the last label ends that the model learnt from."""
    return max(*training.split.train, *training.split.valid) + label_span(training.settings.task)
