"""The evidence on a model that predicts an outcome: what its page shows, and what its MLflow run records."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sintonia.core.config import ReasonsConfig
from sintonia.core.hashes import short_hash
from sintonia.core.timeline import label_span
from sintonia.evaluation.drift_report import feature_shifts, label_rates
from sintonia.evaluation.groups import (
    ExplainedRows,
    GroupResult,
    ScoredTestRows,
    attribute_names,
    evaluate_fairness,
    evaluate_groups,
    segment_names,
)
from sintonia.evaluation.leakage import leak_figures
from sintonia.evaluation.stability import (
    DateStability,
    FamilyStability,
    date_stability,
    family_stability,
    family_sums,
    family_weights,
    feature_dependences,
)
from sintonia.explain.contributions import Contributions, contributions, feature_swarms, model_contributions
from sintonia.explain.reasons import ReasonWriter
from sintonia.explain.sample import CONTRIBUTIONS_FILE, sample_table
from sintonia.explain.what_if import what_ifs
from sintonia.registry.names import metric_keys
from sintonia.registry.runs import CUSTOMERS, REVIEW, ChildRun, LoggedData, RunRecord
from sintonia.review import (
    DataPart,
    FoldFigures,
    LeakColumn,
    ModelEvidence,
    ReviewData,
    drawings,
    feature_weights,
)
from sintonia.review.customers import Customer, CustomerContext, choose_rows, explained_customers, histories
from sintonia.review.data import CatalogueEntry
from sintonia.review.evidence.training_result import TrainingResult, model_run
from sintonia.training.dataset import Dataset
from sintonia.training.models import ExplainFold, FoldResult
from sintonia.training.tasks import define_label, describe, find_task
from sintonia.training.tuning import ChosenSettings, TuningTrial

CENTS = 100
REASONS, LANGUAGE = 4, "en"
"""Reasons that a page lists per customer, and their language."""
THIS_MODEL = "this model"
UNEXPLAINED = (
    "The model gives no contributions: this page explains no score, and lists scored by it carry no reasons."
)
ROWS_A_DATE = 500
"""Rows by which a date's importance is measured: enough for the order of the features that count."""


def review_data(training: TrainingResult) -> ReviewData:
    """Return what the review page shows of a training; the registry's name and version are added when it is read."""
    task, sample = training.settings.task, training.sample
    population, outcome = describe(task)
    meanings = {feature.name: feature for feature in training.model.catalogue}
    synthetic, moved = training.store.source == "synthetic", sample.contributions
    return ReviewData(
        task=task.name,
        population=population,
        outcome=outcome,
        label=define_label(task),
        limits=_limits(synthetic, training),
        parts=tuple(
            data_part(name, training.rows.of(training.split, name), dates)
            for name, dates in _parts(training).items()
        ),
        evaluation=training.evaluation,
        weights=() if moved is None else feature_weights(moved, meanings),
        swarms=()
        if moved is None
        else tuple(feature_swarms(moved, sample.rows.values, seed=training.settings.seed)),
        fingerprint=training.store.fingerprint,
        source=training.store.source,
        synthetic=synthetic,
        currency=training.store.currency,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        evidence=model_evidence(training),
        out_of_time=training.split.out_of_time,
    )


def model_evidence(training: TrainingResult) -> ModelEvidence:
    """Return the evidence behind the figures: what moves scores, for whom, how stable that is, and the data."""
    sample, seed = training.sample, training.settings.seed
    families = {feature.name: feature.family for feature in training.model.catalogue}
    scored = scored_test_rows(training)
    named = group_names(training, training.model.outcomes(training.test.values))
    groups = {
        attribute: values for attribute, values in named.items() if attribute not in ("decile", "category")
    }
    shap_values = sample.contributions
    sums = {} if shap_values is None else family_sums(shap_values, families)
    return ModelEvidence(
        families=() if shap_values is None else family_weights(shap_values, families),
        dependences=() if shap_values is None else feature_dependences(shap_values, sample.rows.values, seed),
        stability=DateStability((), (), {}) if shap_values is None else date_stability(_by_date(training)),
        retold=FamilyStability((), (), {})
        if shap_values is None
        else family_stability(_by_model(training, families)),
        folds=tuple(FoldFigures(fold.as_of, dict(fold.figures)) for fold in training.validation.folds),
        groups=evaluate_groups(scored, groups, ExplainedRows(sample.index, sums)),
        fairness=() if scored.amount else evaluate_fairness(scored, named, training.settings.sensitive),
        labels=tuple(
            rate
            for name, dates in _parts(training).items()
            for rate in label_rates(training.rows.of(training.split, name), {name: dates})
        ),
        profiles=()
        if training.model.profile is None
        else feature_shifts(
            training.model.profile, training.test, training.model.outcomes(training.test.values), seed
        ),
        leaks=tuple(
            LeakColumn(entry.name, entry.source, entry.strength, entry.may_leak, entry.why)
            for entry in training.leaks
        ),
        catalogue=tuple(
            CatalogueEntry(entry.name, entry.family, entry.definition, entry.unit, entry.missing, entry.why)
            for entry in training.model.catalogue
        ),
    )


def example_customers(training: TrainingResult) -> tuple[Customer, ...]:
    """Return the chosen example rows, explained, with history, reasons and what-if.

    There are none of a model that gives no contributions.
    """
    sample, model = training.sample, training.model
    if sample.contributions is None:
        return ()
    chosen = choose_rows(sample, find_task(training.settings.task).label == "amount")
    dates = sample.rows.as_of.astype("datetime64[us]").tolist()
    keys = [(str(sample.rows.customer_id[at]), dates[at]) for at in chosen]
    groups_by_attribute = group_names(training, model.outcomes(training.test.values))
    groups = {
        attribute: values[sample.index]
        for attribute, values in groups_by_attribute.items()
        if attribute not in ("decile", "category")
    }
    grids = what_ifs(model, sample, [*chosen], [feature.family for feature in model.catalogue])
    meanings = {feature.name: feature for feature in model.catalogue}
    contexts = zip(
        _categories(training, [*chosen]),
        _reasons(training, [*chosen]),
        histories(training.store, keys),
        grids,
        strict=True,
    )
    return explained_customers(
        sample, chosen, meanings, groups, [CustomerContext(*context) for context in contexts]
    )


def _categories(training: TrainingResult, indices: Sequence[int]) -> list[str]:
    """Return the category of each of these rows of the sample, "" where the task has no categories."""
    category = training.sample.rows.category
    return [
        "" if category is None else training.settings.task.categories[category[index]] for index in indices
    ]


def _reasons(training: TrainingResult, indices: Sequence[int]) -> list[tuple[str, ...]]:
    """Return the reasons of each of these rows of the sample in sentences, the strongest first."""
    values = training.sample.rows.values[list(indices)]
    categories = None if training.sample.rows.category is None else _categories(training, indices)
    sentences = (
        ReasonWriter(training.model, ReasonsConfig(count=REASONS), LANGUAGE)
        .write(values, categories)
        .sentences
    )
    return [tuple(text for text in row if text) for row in zip(*sentences, strict=True)]


def group_names(training: TrainingResult, predictions: NDArray[np.float64]) -> dict[str, NDArray[np.str_]]:
    """Return by attribute each test row's group, "" for none: channel, tenure, what the settings name.

    # (n_rows,) each
    """
    settings, test = training.settings, training.test
    attributes = dict.fromkeys([*settings.groups, *settings.sensitive])
    groups = segment_names(test, predictions, settings.task.categories)
    return {**groups, **attribute_names(training.store, test, [*attributes])}


def _by_date(training: TrainingResult) -> dict[str, Contributions]:
    """Return the contributions of some rows of each as-of date, oldest first."""
    by_date, rng = {}, np.random.default_rng(training.settings.seed)
    for as_of in training.split.all:
        rows = training.rows.at((as_of,))
        if len(rows):
            sample = rows.take(rng.permutation(len(rows))[:ROWS_A_DATE])
            shap_values = model_contributions(training.model, sample.values)
            assert shap_values is not None, "a model gives contributions to every row or to none"
            by_date[f"{as_of:%Y-%m-%d}"] = shap_values
    return by_date


def family_sizes_of(rows: Dataset, families: Mapping[str, str], seed: int) -> ExplainFold:
    """Return a function from trees to how far each family moves the scores of the same rows, on average."""
    sample = _sample_rows(rows, seed)
    return lambda trees: _family_sizes(contributions(trees, sample.values), families)


def _sample_rows(rows: Dataset, seed: int) -> Dataset:
    return rows.take(np.random.default_rng(seed).permutation(len(rows))[:ROWS_A_DATE])


def _family_sizes(contributions: Contributions, families: Mapping[str, str]) -> dict[str, float]:
    return {weight.family: weight.mean_absolute for weight in family_weights(contributions, families)}


def _by_model(training: TrainingResult, families: Mapping[str, str]) -> dict[str, Mapping[str, float]]:
    """Return the mean contributions by family of each fold's model and of this one, all on the same test rows."""
    shap_values = model_contributions(
        training.model, _sample_rows(training.test, training.settings.seed).values
    )
    assert shap_values is not None, "a model gives contributions to every row or to none"
    folds = {fold.as_of: fold.sizes for fold in training.validation.folds if fold.sizes}
    return {**folds, THIS_MODEL: _family_sizes(shap_values, families)}


def _parts(training: TrainingResult) -> dict[str, Sequence[datetime]]:
    split = training.split
    return {"train": split.train, "valid": split.valid, "test": split.test}


def _limits(synthetic: bool, training: TrainingResult) -> tuple[str, ...]:
    limits = (
        *training.split.marks,
        *(f"It was forced on too little data: {lack}." for lack in training.sufficiency.lacks),
        *(
            f"Column {finding.name} of silo '{finding.source}' may leak: {finding.why}."
            for finding in training.leaks
            if finding.may_leak
        ),
        *(
            f"Propensities are wrong for {finding.by} '{finding.name}': {finding.gap.value:+.1%} came true "
            f"[{finding.gap.low:+.1%}, {finding.gap.high:+.1%}]."
            for finding in segments(training)
            if finding.wrong
        ),
        *(() if training.sample.contributions is not None else (UNEXPLAINED,)),
        "A propensity says what will happen, not what an action would change: it is no uplift.",
        *(
            ("It was judged on the dates shown; behaviour that changes afterwards is not in these figures.",)
            if training.split.out_of_time
            else ()
        ),
        "Customers outside the population get no score.",
    )
    return (
        (*limits, "The data are synthetic: no figure here says anything about real people.")
        if synthetic
        else limits
    )


def segments(training: TrainingResult) -> list[GroupResult]:
    """Return how calibrated the model is in each segment of the test rows; an amount has no calibration."""
    scored = scored_test_rows(training)
    if scored.amount:
        return []
    groups = segment_names(training.test, scored.predicted, training.settings.task.categories)
    order = list(groups)
    return sorted(
        evaluate_groups(scored, groups, most=None), key=lambda group: (order.index(group.by), group.name)
    )


def scored_test_rows(training: TrainingResult) -> ScoredTestRows:
    """Return the test rows by which groups are evaluated: labels, what was predicted, customers; amounts in euros."""
    amount = find_task(training.settings.task).label == "amount"
    unit = CENTS if amount else 1
    return ScoredTestRows(
        label=training.test.label.astype(np.float64) / unit,
        predicted=training.model.outcomes(training.test.values) / unit,
        customer=np.unique(training.test.customer_id.astype(str), return_inverse=True)[1].astype(np.int64),
        amount=amount,
    )


def data_part(name: str, rows: Dataset, dates: Sequence[datetime]) -> DataPart:
    """Return the size of the rows of a part and its dates, and their label rate."""
    return DataPart(
        name=name,
        as_of=tuple(f"{as_of:%Y-%m-%d}" for as_of in dates),
        rows=len(rows),
        customers=len(np.unique(rows.customer_id.astype(str))),
        label_rate=float((rows.label > 0).mean()),
    )


def training_run(training: TrainingResult) -> RunRecord:
    """Return the training as a run: parameters, metrics, the resolved configuration, features and figures."""
    estimates = training.evaluation.estimates
    leaks = leak_figures(training.leaks)
    lacks = list(training.sufficiency.lacks)
    keys = metric_keys(estimates)
    metrics = {"leaks.may_leak": float(len(leaks["may_leak"]))} | {
        f"{keys[name]}.{metric}": estimate.value
        for name, of in estimates.items()
        for metric, estimate in of.items()
    }
    labels_until = f"{_labels_until(training):%Y-%m-%d}"
    return model_run(
        training.settings,
        training.model,
        groups=("features", "task", "model", "split"),
        metrics={**metrics, **fold_figures(training.validation.folds)},
        tags={
            "sintonia.labels_until": labels_until,
            "sintonia.test_as_of": ", ".join(f"{as_of:%Y-%m-%d}" for as_of in training.split.test),
            "sintonia.may_leak": ", ".join(leaks["may_leak"]) or "none",
            "sintonia.grade": training.evaluation.grade or "none",
            **({"forced": "; ".join(lacks)} if lacks else {}),
            **({"sintonia.marks": " ".join(marks)} if (marks := training.split.marks) else {}),
        },
        evaluation={
            **asdict(training.evaluation),
            "grade": training.evaluation.grade,
            "evidence": "outcomes that came true"
            if training.split.out_of_time
            else "labels of other customers",
            "may_leak": leaks["may_leak"],
            "lacks": lacks,
            "marks": list(training.split.marks),
            "out_of_time": training.split.out_of_time,
            "labels_until": labels_until,
        },
        documents={
            "leaks.json": leaks,
            "sufficiency.json": training.sufficiency.figures(),
            "folds.json": [asdict(fold) for fold in training.validation.folds],
            **({"tuning.json": asdict(search)} if (search := training.validation.search) else {}),
            "segments.json": [_segment(group) for group in segments(training)],
            REVIEW: json.loads(json.dumps(review_data(training).to_plain())),
            CUSTOMERS: json.loads(json.dumps([asdict(group) for group in example_customers(training)])),
            CONTRIBUTIONS_FILE: sample_table(training.sample),
            **{f"figures/{name}.svg": drawing for name, drawing in drawings(training.evaluation).items()},
        },
        predictions=training.predictions,
        data=_data(training),
        nested=_nested(training.validation),
    )


def _segment(group: GroupResult) -> dict[str, Any]:
    """Return a segment as the run stores it."""
    document = {"by": group.by, "name": group.name, "rows": group.rows, "predicted": group.predicted}
    return {**document, "gap": asdict(group.gap), "fails": group.wrong}


def _nested(validated: ChosenSettings) -> tuple[ChildRun, ...]:
    """Return the trials of a search with their folds, else the folds themselves, as runs inside the run."""
    if validated.search is None:
        return tuple(map(_nested_fold, validated.folds))
    return tuple(map(_nested_trial, validated.search.trials))


def _nested_trial(trial: TuningTrial) -> ChildRun:
    metrics = {} if trial.loss is None else {"relative_loss": trial.loss}
    return ChildRun(
        name=f"trial {trial.number}",
        metrics=metrics,
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


def _data(training: TrainingResult) -> tuple[LoggedData, ...]:
    """Return the parts as data sets: the digest is the store's fingerprint and a hash of dates and features."""
    store, split = training.store, training.split
    contexts = {"train": "training", "valid": "validation", "test": "testing"}
    parts = {"train": split.train, "valid": split.valid, "test": split.test}
    data = []
    for name, dates in parts.items():
        document = data_part(name, training.rows.of(split, name), dates)
        digest = short_hash([*document.as_of, *training.rows.names])
        data.append(
            LoggedData(
                f"{store.source} {name}",
                contexts[name],
                f"{store.fingerprint}-{digest}",
                store.source,
                asdict(document),
            )
        )
    return tuple(data)


def _labels_until(training: TrainingResult) -> datetime:
    """Return when the last label ends that the model was fitted on."""
    return max(*training.split.train, *training.split.valid) + label_span(training.settings.task)
