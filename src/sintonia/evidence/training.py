"""A training as the run MLflow keeps: parameters, metrics, data, documents, trials and folds."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import numpy as np

from sintonia import __version__
from sintonia.check import leak_figures
from sintonia.evidence.review import customers, part, review_data, segments
from sintonia.evidence.whole import TrainingResult, flat, metric_key
from sintonia.explained_sample import CONTRIBUTIONS_FILE, sample_table
from sintonia.features import as_csv, described
from sintonia.model import FoldResult
from sintonia.provenance import code_hash, config_hash, short_hash
from sintonia.review import drawings
from sintonia.run_files import CATALOGUE, CUSTOMERS, REVIEW
from sintonia.runs import ChildRun, Data, Run
from sintonia.segments import GroupResult
from sintonia.timeline import label_span
from sintonia.tuning import TuningTrial, Validated


def training_run(training: TrainingResult) -> Run:
    """Return the training as a run: parameters, metrics, the resolved configuration, features and figures."""
    settings = training.settings
    estimates = training.judged.estimates
    leaks = leak_figures(training.leaks)
    metrics = {"leaks.may_leak": float(len(leaks["may_leak"]))} | {
        f"{metric_key(name)}.{metric}": e.value for name, of in estimates.items() for metric, e in of.items()
    }
    resolved = asdict(settings)
    return Run(
        task=settings.task.name,
        parameters={"seed": settings.seed, "source": training.store.source, **flat(resolved)},
        metrics={**metrics, **fold_figures(training.validated.folds)},
        tags={
            "sintonia.version": __version__,
            "sintonia.code": code_hash(),
            "sintonia.config": config_hash(settings),
            "sintonia.labels_until": f"{_labels_until(training):%Y-%m-%d}",
            "sintonia.data_fingerprint": training.store.fingerprint,
            "sintonia.test_as_of": ", ".join(f"{as_of:%Y-%m-%d}" for as_of in training.split.test),
            "sintonia.may_leak": ", ".join(leaks["may_leak"]) or "none",
            "sintonia.grade": training.judged.grade or "none",
            **({"forced": "; ".join(training.enough.lacks)} if training.enough.lacks else {}),
        },
        documents={
            "leaks.json": leaks,
            "sufficiency.json": training.enough.figures(),
            "config.json": resolved,
            "folds.json": [asdict(fold) for fold in training.validated.folds],
            **({"tuning.json": asdict(found)} if (found := training.validated.search) else {}),
            "features.json": list(training.model.names),
            CATALOGUE: described(training.model.catalogue),
            "catalogue.csv": as_csv(described(training.model.catalogue)),
            "fitted.json": training.model.fitted.as_plain(),
            "evaluation.json": training.judged.figures(),
            "segments.json": [_segment(one) for one in segments(training)],
            REVIEW: json.loads(json.dumps(review_data(training).to_plain())),
            CUSTOMERS: json.loads(json.dumps([asdict(one) for one in customers(training)])),
            CONTRIBUTIONS_FILE: sample_table(training.sample),
            **{f"figures/{name}.svg": drawing for name, drawing in drawings(training.judged).items()},
        },
        model=training.model,
        predictions=training.predictions,
        data=_data(training),
        nested=_nested(training.validated),
    )


def _segment(one: GroupResult) -> dict[str, Any]:
    """Return a segment as the run keeps it."""
    kept = {"by": one.by, "name": one.name, "rows": one.rows, "predicted": one.predicted}
    return {**kept, "gap": asdict(one.gap), "fails": one.wrong}


def _nested(validated: Validated) -> tuple[ChildRun, ...]:
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
    told = {}
    for name in folds[0].figures if folds else ():
        values = [fold.figures[name] for fold in folds]
        told[f"folds.{name}"] = float(np.mean(values))
        if len(values) > 1:
            told[f"folds.{name}.sd"] = float(np.std(values, ddof=1))
    return told


def _data(training: TrainingResult) -> tuple[Data, ...]:
    """Return the parts as data sets: the digest is the store's fingerprint and a hash of dates and features."""
    store, split = training.store, training.split
    contexts = {"train": "training", "valid": "validation", "test": "testing"}
    parts = {"train": split.train, "valid": split.valid, "test": split.test}
    told = []
    for name, dates in parts.items():
        told_of = part(name, training.rows, dates)
        digest = short_hash([*told_of.as_of, *training.rows.names])
        told.append(
            Data(
                f"{store.source} {name}",
                contexts[name],
                f"{store.fingerprint}-{digest}",
                store.source,
                asdict(told_of),
            )
        )
    return tuple(told)


def _labels_until(training: TrainingResult) -> datetime:
    """Return when the last label ends that the model learnt from."""
    return max(*training.split.train, *training.split.valid) + label_span(training.settings.task)
