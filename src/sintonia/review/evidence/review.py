"""A training as the review page tells it: figures, the evidence behind them, and the customers that teach."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from sintonia.core.config import ReasonsConfig
from sintonia.evaluation.attributes import attribute_names
from sintonia.evaluation.drift_report import feature_shifts, label_rates
from sintonia.evaluation.groups import (
    ExplainedRows,
    GroupResult,
    ScoredTestRows,
    judge_fairness,
    judge_groups,
    segment_names,
)
from sintonia.evaluation.stability import (
    DateStability,
    FamilyStability,
    date_stability,
    family_stability,
    family_sums,
    family_weights,
    feature_dependences,
)
from sintonia.explain.contributions import Contributions, contributions, explained, swarms
from sintonia.explain.reasons import Speaker
from sintonia.explain.what_if import what_ifs
from sintonia.review import DataPart, FoldFigures, LeakColumn, ModelEvidence, ReviewData, feature_weights
from sintonia.review.customers import Beside, Customer, choose, tell
from sintonia.review.data import CatalogueEntry
from sintonia.review.evidence.whole import TrainingResult
from sintonia.review.history import histories
from sintonia.training.dataset import Dataset
from sintonia.training.models import Explain
from sintonia.training.tasks import define_label, describe, find_task

CENTS = 100
REASONS, LANGUAGE = 4, "en"
"""What the page tells of a customer, in the language of the page."""
THIS = "this model"
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
    synthetic, moved = training.store.source == "synthetic", sample.found
    return ReviewData(
        task=task.name,
        population=population,
        outcome=outcome,
        label=define_label(task),
        limits=_limits(synthetic, training),
        parts=tuple(part(name, training.rows, dates) for name, dates in _parts(training).items()),
        evaluation=training.judged,
        weights=() if moved is None else feature_weights(moved, meanings),
        swarms=() if moved is None else tuple(swarms(moved, sample.rows.values, seed=training.settings.seed)),
        fingerprint=training.store.fingerprint,
        source=training.store.source,
        synthetic=synthetic,
        currency=training.store.currency,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        evidence=evidence(training),
    )


def evidence(training: TrainingResult) -> ModelEvidence:
    """Return what stands behind the figures: what moves scores, for whom, whether it stays so, and the data."""
    sample, seed = training.sample, training.settings.seed
    families = {feature.name: feature.family for feature in training.model.catalogue}
    scored = scored_test_rows(training)
    named = group_names(training, training.model.outcomes(training.test.values))
    groups = {by: of for by, of in named.items() if by not in ("decile", "category")}
    moved = sample.found
    sums = {} if moved is None else family_sums(moved, families)
    return ModelEvidence(
        families=() if moved is None else family_weights(moved, families),
        dependences=() if moved is None else feature_dependences(moved, sample.rows.values, seed),
        stability=DateStability((), (), {}) if moved is None else date_stability(_by_date(training)),
        retold=FamilyStability((), (), {})
        if moved is None
        else family_stability(_by_model(training, families)),
        folds=tuple(FoldFigures(fold.as_of, dict(fold.figures)) for fold in training.validated.folds),
        groups=judge_groups(scored, groups, ExplainedRows(sample.place, sums)),
        fairness=() if scored.amount else judge_fairness(scored, named, training.settings.sensitive),
        labels=label_rates(training.rows, _parts(training)),
        profiles=()
        if training.model.reference is None
        else feature_shifts(
            training.model.reference, training.test, training.model.outcomes(training.test.values), seed
        ),
        leaks=tuple(
            LeakColumn(one.name, one.source, one.strength, one.may_leak, one.why) for one in training.leaks
        ),
        catalogue=tuple(
            CatalogueEntry(one.name, one.family, one.definition, one.unit, one.missing, one.why)
            for one in training.model.catalogue
        ),
    )


def customers(training: TrainingResult) -> tuple[Customer, ...]:
    """Return the explained rows that were chosen to teach, with history, reasons and what-if.

    There are none of a model that gives no contributions.
    """
    sample, model = training.sample, training.model
    if sample.found is None:
        return ()
    chosen = choose(sample, find_task(training.settings.task).label == "amount")
    dates = sample.rows.as_of.astype("datetime64[us]").tolist()
    asked = [(str(sample.rows.customer_id[at]), dates[at]) for at in chosen]
    named = group_names(training, model.outcomes(training.test.values))
    groups = {by: of[sample.place] for by, of in named.items() if by not in ("decile", "category")}
    grids = what_ifs(model, sample, [*chosen], [feature.family for feature in model.catalogue])
    meanings = {feature.name: feature for feature in model.catalogue}
    beside = zip(
        _categories(training, [*chosen]),
        _reasons(training, [*chosen]),
        histories(training.store, asked),
        grids,
        strict=True,
    )
    return tell(sample, chosen, meanings, groups, [Beside(*told) for told in beside])


def _categories(training: TrainingResult, places: Sequence[int]) -> list[str]:
    """Return the category of each of these rows of the sample, "" where the task asks about none."""
    of = training.sample.rows.category
    return ["" if of is None else training.settings.task.categories[of[at]] for at in places]


def _reasons(training: TrainingResult, places: Sequence[int]) -> list[tuple[str, ...]]:
    """Return the reasons of each of these rows of the sample in sentences, the strongest first."""
    values = training.sample.rows.values[list(places)]
    categories = None if training.sample.rows.category is None else _categories(training, places)
    said = Speaker(training.model, ReasonsConfig(count=REASONS), LANGUAGE).tell(values, categories).sentences
    return [tuple(text for text in row if text) for row in zip(*said, strict=True)]


def group_names(training: TrainingResult, said: NDArray[np.float64]) -> dict[str, NDArray[np.str_]]:
    """Return by attribute each test row's group, "" for none: channel, tenure, what the settings name.

    # (n_rows,) each
    """
    settings, test = training.settings, training.test
    asked = dict.fromkeys([*settings.groups, *settings.sensitive])
    named = segment_names(test, said, settings.task.categories)
    return {**named, **attribute_names(training.store, test, [*asked])}


def _by_date(training: TrainingResult) -> dict[str, Contributions]:
    """Return the contributions of some rows of each as-of date, oldest first."""
    found, rng = {}, np.random.default_rng(training.settings.seed)
    for as_of in training.split.all:
        rows = training.rows.at((as_of,))
        if len(rows):
            some = rows.take(rng.permutation(len(rows))[:ROWS_A_DATE])
            moved = explained(training.model, some.values)
            assert moved is not None, "a model gives contributions to every row or to none"
            found[f"{as_of:%Y-%m-%d}"] = moved
    return found


def family_sizes_of(rows: Dataset, families: Mapping[str, str], seed: int) -> Explain:
    """Return what says of any trees how far each family moves the scores of the same rows, on average."""
    some = _some(rows, seed)
    return lambda trees: _family_sizes(contributions(trees, some.values), families)


def _some(rows: Dataset, seed: int) -> Dataset:
    return rows.take(np.random.default_rng(seed).permutation(len(rows))[:ROWS_A_DATE])


def _family_sizes(moved: Contributions, families: Mapping[str, str]) -> dict[str, float]:
    return {one.family: one.mean_absolute for one in family_weights(moved, families)}


def _by_model(training: TrainingResult, families: Mapping[str, str]) -> dict[str, Mapping[str, float]]:
    """Return the story of each fold's model and of this one, all of the same test rows."""
    moved = explained(training.model, _some(training.test, training.settings.seed).values)
    assert moved is not None, "a model gives contributions to every row or to none"
    folds = {fold.as_of: fold.sizes for fold in training.validated.folds if fold.sizes}
    return {**folds, THIS: _family_sizes(moved, families)}


def _parts(training: TrainingResult) -> dict[str, Sequence[datetime]]:
    split = training.split
    return {"train": split.train, "valid": split.valid, "test": split.test}


def _limits(synthetic: bool, training: TrainingResult) -> tuple[str, ...]:
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
            for found in segments(training)
            if found.wrong
        ),
        *(() if training.sample.found is not None else (UNEXPLAINED,)),
        "A propensity says what will happen, not what an action would change: it is no uplift.",
        "It was judged on the dates shown; behaviour that changes afterwards is not in these figures.",
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
    named = segment_names(training.test, scored.said, training.settings.task.categories)
    order = list(named)
    return sorted(judge_groups(scored, named, most=None), key=lambda one: (order.index(one.by), one.name))


def scored_test_rows(training: TrainingResult) -> ScoredTestRows:
    """Return the test rows as groups are judged by: labels, what was predicted, customers; amounts in euros."""
    amount = find_task(training.settings.task).label == "amount"
    unit = CENTS if amount else 1
    return ScoredTestRows(
        label=training.test.label.astype(np.float64) / unit,
        said=training.model.outcomes(training.test.values) / unit,
        customer=np.unique(training.test.customer_id.astype(str), return_inverse=True)[1].astype(np.int64),
        amount=amount,
    )


def part(name: str, rows: Dataset, dates: Sequence[datetime]) -> DataPart:
    """Return the size of the rows of these dates, and their label rate."""
    mine = rows.at(dates)
    return DataPart(
        name=name,
        as_of=tuple(f"{as_of:%Y-%m-%d}" for as_of in dates),
        rows=len(mine),
        customers=len(np.unique(mine.customer_id.astype(str))),
        label_rate=float((mine.label > 0).mean()),
    )
