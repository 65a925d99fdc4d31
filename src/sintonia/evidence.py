"""What a training leaves behind for others to judge: the review's figures, and the run MLflow keeps."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from sintonia import __version__
from sintonia.check import Finding, leak_figures
from sintonia.config import TrainSettings
from sintonia.estimates import Evaluation
from sintonia.explain import contributions, swarms
from sintonia.features import as_csv, catalogue, described
from sintonia.interactions import Store
from sintonia.model import FoldResult, Model
from sintonia.provenance import code_hash, config_hash, short_hash
from sintonia.registry import CATALOGUE, REVIEW
from sintonia.review import Part, ReviewData, drawings, feature_weights
from sintonia.runs import Data, Nested, Run
from sintonia.segments import Segment, judge_segments
from sintonia.sufficiency import Sufficiency
from sintonia.tasks import define_label, describe, find_task
from sintonia.timeline import Split, label_span
from sintonia.training_set import Rows
from sintonia.tuning import Trial, Validated
from sintonia.uplift.saved import PolicyModel

EXPLAINED_ROWS = 2000


@dataclass(frozen=True)
class Training:
    """One training, whole: what was asked, on which data, split how, and what came out."""

    settings: TrainSettings
    store: Store
    split: Split
    rows: Rows
    model: Model
    judged: Evaluation
    enough: Sufficiency
    predictions: pa.Table
    validated: Validated
    leaks: Sequence[Finding] = ()


def review_data(training: Training) -> ReviewData:
    """Return what the review page shows of a training; the registry's name and version are added when it is read."""
    task = training.settings.task
    population, outcome = describe(task)
    sample = _sample(training.rows.at(training.split.test), training.settings.seed)
    found = contributions(training.model.booster, sample.values)
    meanings = {feature.name: feature for feature in training.model.catalogue}
    parts = {"train": training.split.train, "valid": training.split.valid, "test": training.split.test}
    synthetic = training.store.source == "synthetic"
    return ReviewData(
        task=task.name,
        population=population,
        outcome=outcome,
        label=define_label(task),
        limits=_limits(synthetic, training),
        parts=tuple(_part(name, training.rows, dates) for name, dates in parts.items()),
        evaluation=training.judged,
        weights=feature_weights(found, meanings),
        swarms=tuple(swarms(found, sample.values, seed=training.settings.seed)),
        fingerprint=training.store.fingerprint,
        source=training.store.source,
        synthetic=synthetic,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def training_run(training: Training) -> Run:
    """Return the training as a run: parameters, metrics, the resolved configuration, features and figures."""
    settings = training.settings
    estimates = training.judged.estimates
    leaks = leak_figures(training.leaks)
    metrics = {"leaks.may_leak": float(len(leaks["may_leak"]))} | {
        f"{_plain(name)}.{metric}": e.value for name, of in estimates.items() for metric, e in of.items()
    }
    resolved = asdict(settings)
    return Run(
        task=settings.task.name,
        parameters={"seed": settings.seed, "source": training.store.source, **_flat(resolved)},
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
            "segments.json": [asdict(segment) for segment in _segments(training)],
            REVIEW: json.loads(json.dumps(review_data(training).to_plain())),
            **{f"figures/{name}.svg": drawing for name, drawing in drawings(training.judged).items()},
        },
        model=training.model,
        predictions=training.predictions,
        data=_data(training),
        nested=_nested(training.validated),
    )


def _nested(validated: Validated) -> tuple[Nested, ...]:
    """Return the trials of a search with their folds, else the folds themselves, as runs inside the run."""
    if validated.search is None:
        return tuple(map(_nested_fold, validated.folds))
    return tuple(map(_nested_trial, validated.search.trials))


def _nested_trial(trial: Trial) -> Nested:
    ended = {} if trial.loss is None else {"relative_loss": trial.loss}
    return Nested(
        name=f"trial {trial.number}",
        metrics=ended,
        parameters={f"model.{name}": value for name, value in trial.settings.items()},
        tags={"sintonia.trial": "given up" if trial.loss is None else "complete"},
        seconds=trial.seconds,
        nested=tuple(map(_nested_fold, trial.folds)),
    )


def _nested_fold(fold: FoldResult) -> Nested:
    sizes = {"train_rows": fold.train_rows, "valid_rows": fold.valid_rows, "trees": fold.trees}
    return Nested(
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


def _data(training: Training) -> tuple[Data, ...]:
    """Return the parts as data sets: the digest is the store's fingerprint and a hash of dates and features."""
    store, split = training.store, training.split
    contexts = {"train": "training", "valid": "validation", "test": "testing"}
    parts = {"train": split.train, "valid": split.valid, "test": split.test}
    told = []
    for name, dates in parts.items():
        part = _part(name, training.rows, dates)
        digest = short_hash([*part.as_of, *training.rows.names])
        told.append(
            Data(
                f"{store.source} {name}",
                contexts[name],
                f"{store.fingerprint}-{digest}",
                store.source,
                asdict(part),
            )
        )
    return tuple(told)


def _labels_until(training: Training) -> datetime:
    """Return when the last label ends that the model learnt from."""
    return max(*training.split.train, *training.split.valid) + label_span(training.settings.task)


def policy_run(settings: TrainSettings, model: PolicyModel, figures: Mapping[str, Any]) -> Run:
    """Return a learned policy as a run: parameters, values, the resolved configuration, features and figures."""
    values = {
        f"{_plain(name)}.doubly_robust": of["doubly_robust"][0] for name, of in figures["policies"].items()
    }
    difference, low, high = figures["gate"]["difference"]
    gate = {"gate.difference": difference, "gate.low": low, "gate.high": high}
    resolved = asdict(settings)
    entries = described(catalogue(model.features, model.fitted))
    return Run(
        task=settings.task.name,
        parameters={
            "seed": settings.seed,
            "source": model.source,
            **_flat(resolved, ("features", "model", "policy")),
        },
        metrics={name: value for name, value in {**values, **gate}.items() if value is not None},
        tags={
            "sintonia.version": __version__,
            "sintonia.code": code_hash(),
            "sintonia.config": config_hash(settings),
            "sintonia.data_fingerprint": model.fingerprint,
            "sintonia.gate": "personalised" if model.passed else f"constant: {figures['gate']['constant']}",
            "sintonia.evidence": "observational" if model.observational else "logged propensities",
        },
        documents={
            "study.json": dict(figures),
            "config.json": resolved,
            "features.json": list(model.names),
            CATALOGUE: entries,
            "catalogue.csv": as_csv(entries),
            "fitted.json": model.fitted.as_plain(),
        },
        model=model,
    )


def _limits(synthetic: bool, training: Training) -> tuple[str, ...]:
    limits = (
        *(f"It was forced on too little data: {lack}." for lack in training.enough.lacks),
        *(
            f"Column {found.name} of silo '{found.source}' may leak: {found.why}."
            for found in training.leaks
            if found.may_leak
        ),
        *(
            f"Propensities are wrong for {found.by} '{found.name}': {found.gap.value:+.1%} came true "
            f"[{found.gap.low:+.1%}, {found.gap.high:+.1%}]."
            for found in _segments(training)
            if found.fails
        ),
        "A propensity says what will happen, not what an action would change: it is no uplift.",
        "It was judged on the dates shown; behaviour that changes afterwards is not in these figures.",
        "Customers outside the population get no score.",
    )
    return (
        (*limits, "The data are synthetic: no figure here says anything about real people.")
        if synthetic
        else limits
    )


def _segments(training: Training) -> list[Segment]:
    """Return how calibrated the model is in each segment of the test rows; an amount has no calibration."""
    if find_task(training.settings.task).label == "amount":
        return []
    test = training.rows.at(training.split.test)
    said = training.model.outcomes(test.values)
    return judge_segments(test, said, training.settings.task.categories)


def _part(name: str, rows: Rows, dates: Sequence[datetime]) -> Part:
    part = rows.at(dates)
    return Part(
        name=name,
        as_of=tuple(f"{as_of:%Y-%m-%d}" for as_of in dates),
        rows=len(part),
        customers=len(np.unique(part.customer_id.astype(str))),
        label_rate=float((part.label > 0).mean()),
    )


def _sample(rows: Rows, seed: int) -> Rows:
    """Return at most EXPLAINED_ROWS rows, drawn at random: plenty for a page, and quick without the forest engine."""
    if len(rows) <= EXPLAINED_ROWS:
        return rows
    chosen = np.zeros(len(rows), bool)
    chosen[np.random.default_rng(seed).choice(len(rows), EXPLAINED_ROWS, replace=False)] = True
    return rows.take(chosen)


def _flat(
    resolved: dict[str, Any], groups: Sequence[str] = ("features", "task", "model", "split")
) -> dict[str, Any]:
    """Return the parameters of the groups that a training depends on, as `group.key`."""
    return {f"{group}.{key}": value for group in groups for key, value in resolved[group].items()}


def _plain(name: str) -> str:
    return name.replace(" ", "_")
