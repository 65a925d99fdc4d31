"""The steps of tasks that predict an outcome of a customer: training, leakage check, page and model card."""

import logging
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from sintonia.api.pipelines.run_figures import train_figures
from sintonia.api.pipelines.task_steps import Suspects, TaskSteps, Trained
from sintonia.core import timeline
from sintonia.core.config import LIGHTGBM, CheckSettings, ReviewSettings, TrainSettings
from sintonia.core.engine import connect
from sintonia.core.errors import ConfigError, NotBuiltError
from sintonia.core.progress import step
from sintonia.core.pseudonyms import workspace_key
from sintonia.data.store import Store, open_store
from sintonia.evaluation.classification import Stakes
from sintonia.evaluation.drift_report import CurrentShift, current_shift
from sintonia.evaluation.evaluate import Evaluation, evaluate, evaluate_amounts
from sintonia.evaluation.leakage import (
    InvarianceQuestion,
    LeakRules,
    choose_dates,
    dataset_moments,
    find_leaks,
    label_moments,
    moments_at,
)
from sintonia.features import fit
from sintonia.registry import runs
from sintonia.registry.models import load_registered, require_class
from sintonia.registry.predictions import predictions_of
from sintonia.registry.promotion_checks import outcome_checks
from sintonia.registry.tracking import Registered, Tracking
from sintonia.review import Customer, PromotionCheck, ReviewData, own_sections, read, render_review
from sintonia.review.card import model_card
from sintonia.review.evidence import TrainingResult, family_sizes_of, training_run
from sintonia.serving.scoring import best_rows, scoring_date
from sintonia.training.baselines import add_baseline_features, fit_baselines
from sintonia.training.dataset import Dataset, assemble, catalogue_of, spend_after
from sintonia.training.models import OutcomeModel, fit_model
from sintonia.training.profile import TrainingProfile, deciles, fit_training_profile, outcome_ratio
from sintonia.training.sufficiency import measure_sufficiency
from sintonia.training.tasks import choose_categories, choose_positive, find_task, label_kinds, newest_data
from sintonia.training.tasks.categories import CATEGORY_COLUMNS as CATEGORY_COLUMNS
from sintonia.training.tuning import choose_settings

if TYPE_CHECKING:
    from numpy.typing import NDArray

T = TypeVar("T", TrainSettings, CheckSettings)
CUSTOMERS_NOW = 5000
"""Customers on whom current drift is measured: enough for an index of ten bins."""
log = logging.getLogger("sintonia")


def train_outcomes(store: Store, settings: TrainSettings) -> Trained:
    """Return a task's model with its out-of-time evaluation and that of its baselines."""
    workspace = settings.paths.root
    settings, split = resolve_task(settings, store)
    task = settings.task
    if split.out_of_time:
        log.info(
            "Training '%s' on %d, judging on %d as-of dates", task.name, len(split.train), len(split.test)
        )
    with step("Counting what there is to learn from"):
        sufficiency = measure_sufficiency(store, split, task)
    with step("Fitting features to the past"):
        fitted = fit(settings.features, store, split.train[0])
    features = catalogue_of(task, settings.features, fitted)
    with_baselines = add_baseline_features(features, task, fitted)
    all_rows = assemble(store, split.all, with_baselines, task, settings.engine).labelled()
    rows = all_rows.select([feature.name for feature in features])
    with step("Validating on rolling folds") if not settings.tune.trials else nullcontext():
        families = {feature.name: feature.family for feature in features}
        family_sizes = family_sizes_of(rows.of(split, "test"), families, settings.seed)
        validation = choose_settings(rows, split, settings, (workspace, store.fingerprint), family_sizes)
    settings = validation.settings
    with step("Growing trees" if settings.model.name == LIGHTGBM else "Fitting the model"):
        model = fit_model(rows.of(split, "train"), rows.of(split, "valid"), settings, fitted, store)
        data_until = newest_data(store, task)
        profile = fit_training_profile(rows.of(split, "train", "valid"), settings.seed, data_until)
        baselines = fit_baselines(all_rows.of(split, "train", "valid"), task)
    with step("Judging out of time" if split.out_of_time else "Judging on other customers"):
        test = rows.of(split, "test")
        outcomes = {
            "model": model.outcomes(test.values),
            **baselines.outcomes(all_rows.of(split, "test")),
        }
        evaluation = _evaluation(model, test, outcomes, settings, _stakes(settings, store, split))
        profile = _with_outcomes(profile, test, outcomes["model"], len(task.categories))
        model = replace(model, profile=profile)
    with step("Looking for columns that may leak"), connect(settings.engine, workspace) as connection:
        # A small table's test rows alone have too few outcomes; columns are looked at, and no model.
        moments = dataset_moments(test if split.out_of_time else rows)
        leaks = find_leaks(connection, store, moments, task, LeakRules(seed=settings.seed))
    training = TrainingResult(
        settings=settings,
        store=store,
        split=split,
        rows=rows,
        model=model,
        evaluation=evaluation,
        sufficiency=sufficiency,
        predictions=predictions_of(test, outcomes, workspace_key(workspace)),
        validation=validation,
        leaks=leaks,
    )
    return Trained(training_run(training), training.sample.rows, partial(train_figures, training))


def _with_outcomes(
    profile: TrainingProfile, test: Dataset, outcomes: "NDArray[np.float64]", n_categories: int
) -> TrainingProfile:
    """Return the profile of the training rows with the predictions for the test rows and their outcome ratio.

    A list shows only each customer's category with the highest propensity: the ratio is of those.
    """
    prediction_deciles = deciles(outcomes)
    if test.category is not None:
        best = best_rows(outcomes, n_categories)
        test, outcomes = test.take(best), outcomes[best]
    return replace(
        profile,
        prediction_deciles=prediction_deciles,
        outcome_ratio=outcome_ratio(outcomes, test.label, test.customer_id),
    )


def _evaluation(
    model: OutcomeModel,
    test: Dataset,
    outcomes: "dict[str, NDArray[np.float64]]",
    settings: TrainSettings,
    stakes: Stakes,
) -> Evaluation:
    """Return how the model and its baselines did on the test rows: probabilities, or amounts in euros."""
    if find_task(settings.task).label == "amount":
        amounts = {name: cents / 100 for name, cents in outcomes.items()}
        median = model.median_cents(test.values)
        medians = {} if median is None else {"model": median / 100}
        return evaluate_amounts(
            test.label / 100, amounts, test.customer_id, medians=medians, seed=settings.seed
        )
    return evaluate(test.label, outcomes, test.customer_id, stakes=stakes, seed=settings.seed)


def _stakes(settings: TrainSettings, store: Store, split: timeline.Split) -> Stakes:
    """Return the amounts at stake on the test rows: the spend that follows, or a campaign against the outcome."""
    stakes = find_task(settings.task).stakes
    if stakes == "spend":
        spend = spend_after(store, split.test, settings.task)
        return Stakes(amounts=spend / 100 if spend.any() else None)
    return Stakes(campaign=settings.profit if stakes == "campaign" else None)


def resolve_task(settings: T, store: Store) -> tuple[T, timeline.Split]:
    """Return the settings with the task's categories resolved, and the split of its as-of dates.

    The categories are those known at the last training date. A label that is an attribute has no dates to split by.

    Raises
    ------
    ConfigError
        When the task reads a table without dates and the split wants dates, or the other way round.
    """
    task, kinds = settings.task, label_kinds(settings.task)
    by_customer = settings.split.name == "customers"
    if find_task(task).from_attribute != by_customer:
        raise ConfigError(
            f"task={task.name} has dates, and split=customers would judge it on none; give split=auto."
            if by_customer
            else f"task={task.name} reads a table without dates, and split={settings.split.name} needs some; "
            "give split=customers."
        )
    if by_customer:
        attributes = (store.read_beside("attributes", path) for path in store.buckets)
        resolved = replace(settings, task=choose_positive(task, attributes))
        return resolved, timeline.split_customers(settings.split, store.data_end())
    split = timeline.split_snapshots(settings.split, task, store.data_from(kinds), store.data_until(kinds))
    tables = (store.read_bucket(path, columns=CATEGORY_COLUMNS) for path in store.buckets)
    with_categories = choose_categories(task, tables, split.train[-1])
    return replace(settings, task=with_categories), split


def suspects_of_outcomes(store: Store, settings: CheckSettings) -> Suspects:
    """Return what the leakage check examines: customers at as-of dates, and those of the test dates."""
    settings, split = resolve_task(settings, store)
    with step("Looking up who is asked about"):
        moments = label_moments(store, split, settings.task, settings.rows)
    dates = choose_dates(moments, settings.dates)
    question = InvarianceQuestion(settings.features, settings.task, dates, settings.customers, settings.seed)
    return Suspects(settings, question, moments, moments_at(moments, split.test))


def review_page(
    tracking: Tracking, registered: Registered, settings: ReviewSettings, checks: tuple[PromotionCheck, ...]
) -> str:
    """Return the page of what the run recorded, of the checks, and of how far today's customers are from training."""
    customers = runs.read_document(tracking, registered.run_id, runs.CUSTOMERS)
    review = replace(
        _recorded(tracking, registered),
        customers=tuple(read(Customer, document) for document in customers),
        gate=checks,
        now=_now(require_class(load_registered(tracking, registered), OutcomeModel), settings),
    )
    return render_review(review, own_sections(settings.sections, review))


def outcome_card(
    tracking: Tracking, registered: Registered, checks: tuple[PromotionCheck, ...], history: Sequence[str]
) -> str:
    """Return the model card from the run's documents and the promotion checks."""
    return model_card(replace(_recorded(tracking, registered), gate=checks), history)


def _recorded(tracking: Tracking, registered: Registered) -> ReviewData:
    review = ReviewData.from_plain(runs.read_document(tracking, registered.run_id, runs.REVIEW))
    return review.named(registered.name, registered.version, registered.run_id)


def _now(model: OutcomeModel, settings: ReviewSettings) -> CurrentShift | None:
    """Return how far the features of today's customers are from training; None without the model's own store."""
    try:
        store = open_store(settings.paths.root)
    except NotBuiltError:
        return None
    if store.source != model.source or model.profile is None:
        return None
    as_of = scoring_date(None, store, model)
    customers = sorted(store.customer_ids())
    drawn = np.random.default_rng(settings.seed).permutation(len(customers))[:CUSTOMERS_NOW]
    sample = {customers[index] for index in drawn.tolist()}
    rows = assemble(store, [as_of], model.catalogue, model.task, settings.engine, sample)
    return current_shift(model.profile, rows, model.outcomes(rows.values)) if len(rows) else None


STEPS = TaskSteps(
    train=train_outcomes,
    suspects=suspects_of_outcomes,
    promotion_checks=outcome_checks,
    page=review_page,
    card=outcome_card,
)
