"""Histories to judged models, their comparison and promotion."""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from sintonia import promotion, registry, timeline
from sintonia.baselines import fit_baselines, with_baselines
from sintonia.check import LeakRules, find_leaks, moments_of
from sintonia.comparison import compare_runs
from sintonia.config import (
    CheckSettings,
    CompareSettings,
    PromoteSettings,
    TrainSettings,
)
from sintonia.engine import connect
from sintonia.estimates import Evaluation
from sintonia.evaluation import evaluate, evaluate_amounts
from sintonia.evidence import TrainingResult, family_sizes_of, training_run
from sintonia.explained_sample import key_path, write_key
from sintonia.features import fit
from sintonia.gate import Requirement, is_approved, requirements
from sintonia.interactions import Store, open_store
from sintonia.model import Model, fit_model
from sintonia.pipelines.cards import write_card
from sintonia.pipelines.policies import train_policy
from sintonia.policy_gate import policy_requirements
from sintonia.predictions import predictions_of
from sintonia.progress import log, step
from sintonia.propensity_metrics import Stakes
from sintonia.pseudonyms import workspace_key
from sintonia.reference import TrainingProfile, deciles, fit_training_profile, outcome_ratio
from sintonia.scoring import best_rows
from sintonia.sufficiency import measure_sufficiency
from sintonia.summaries.figures import Figures
from sintonia.summaries.runs import compare_figures, promote_figures, train_figures
from sintonia.tasks import NEXT_BEST_ACTION, choose_categories, find_task, label_kinds
from sintonia.tasks.categories import CATEGORY_COLUMNS as CATEGORY_COLUMNS
from sintonia.training_set import Dataset, assemble, catalogue_of, spend_after
from sintonia.tuning import validated

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


T = TypeVar("T", TrainSettings, CheckSettings)


def train(settings: TrainSettings) -> Figures:
    """Return how good a task's model is out of time beside its baselines; the model is registered."""
    if settings.task.name == NEXT_BEST_ACTION:
        return train_policy(settings)
    workspace = Path(settings.workspace)
    store = open_store(workspace)
    settings, split = asked_of(settings, store)
    task = settings.task
    log.info("Training '%s' on %d, judging on %d as-of dates", task.name, len(split.train), len(split.test))
    with step("Counting what there is to learn from"):
        enough = measure_sufficiency(store, split, task)
    with step("Fitting features to the past"):
        fitted = fit(settings.features, store, split.train[0])
    made = catalogue_of(task, settings.features, fitted)
    everything = assemble(store, split.all, with_baselines(made, task, fitted), task, settings.engine)
    rows = everything.select([feature.name for feature in made])
    with step("Validating on rolling folds") if not settings.tune.trials else nullcontext():
        story = family_sizes_of(rows.at(split.test), {one.name: one.family for one in made}, settings.seed)
        chosen = validated(rows, split, settings, (workspace, store.fingerprint), story)
    settings = chosen.settings
    with step("Growing trees"):
        model = fit_model(rows.at(split.train), rows.at(split.valid), settings, fitted, store)
        until = store.data_until(label_kinds(task))
        learnt = fit_training_profile(rows.at((*split.train, *split.valid)), settings.seed, until)
        baselines = fit_baselines(everything.at((*split.train, *split.valid)), task)
    with step("Judging out of time"):
        test = rows.at(split.test)
        outcomes = {
            "model": model.outcomes(test.values),
            **baselines.outcomes(everything.at(split.test)),
        }
        judged = _judged(model, test, outcomes, settings, _stakes(settings, store, split))
        reference = _with_outcomes(learnt, test, outcomes["model"], len(task.categories))
        model = replace(model, reference=reference)
    with step("Looking for columns that may leak"), connect(settings.engine, workspace) as connection:
        leaks = find_leaks(connection, store, moments_of(test), task, LeakRules(seed=settings.seed))
    kept = predictions_of(test, outcomes, workspace_key(workspace))
    training = TrainingResult(settings, store, split, rows, model, judged, enough, kept, chosen, leaks)
    with step("Registering the model"):
        place = registry.tracking(settings.tracking, workspace)
        registered = registry.register(place, training_run(training))
        write_key(training.sample.rows, key_path(workspace, registered.run_id))
    return train_figures(training, registered)


def _with_outcomes(
    learnt: TrainingProfile, test: Dataset, said: "NDArray[np.float64]", n_categories: int
) -> TrainingProfile:
    """Return the reference with what the model said of the test rows and what came of it.

    A list has of each customer the category with the highest propensity only: it is those that are judged.
    """
    outcome = deciles(said)
    if test.category is not None:
        best = best_rows(said, n_categories)
        test, said = test.take(best), said[best]
    return replace(learnt, outcome=outcome, judged=outcome_ratio(said, test.label, test.customer_id))


def _judged(
    model: Model,
    test: Dataset,
    outcomes: "dict[str, NDArray[np.float64]]",
    settings: TrainSettings,
    stakes: Stakes,
) -> Evaluation:
    """Return how the model and its baselines did on the test rows: probabilities, or amounts in euros."""
    if find_task(settings.task).label == "amount":
        euros = {name: cents / 100 for name, cents in outcomes.items()}
        medians = {"model": model.median_cents(test.values) / 100}
        return evaluate_amounts(
            test.label / 100, euros, test.customer_id, medians=medians, seed=settings.seed
        )
    return evaluate(test.label, outcomes, test.customer_id, stakes=stakes, seed=settings.seed)


def _stakes(settings: TrainSettings, store: Store, split: timeline.Split) -> Stakes:
    """Return what hangs on the test rows: the spend of purchases, and the campaign against churn."""
    if settings.task.name == "purchase":
        spent = spend_after(store, split.test, settings.task)
        return Stakes(amounts=spent / 100 if spent.any() else None)
    return Stakes(campaign=settings.profit if settings.task.name == "churn" else None)


def asked_of(settings: T, store: Store) -> tuple[T, timeline.Split]:
    """Return the settings with the categories a task asks about, and the split of its as-of dates.

    The categories are those of the training dates: which ones sell later is not known then.
    """
    task, kinds = settings.task, label_kinds(settings.task)
    split = timeline.split_snapshots(settings.split, task, store.data_from(kinds), store.data_until(kinds))
    tables = (store.read_bucket(path, columns=CATEGORY_COLUMNS) for path in store.buckets)
    chosen = choose_categories(task, tables, split.train[-1])
    return replace(settings, task=chosen), split


def compare(settings: CompareSettings) -> Figures:
    """Return a task's runs side by side, with paired differences to one of them."""
    place = registry.tracking(settings.tracking, Path(settings.workspace))
    return compare_figures(compare_runs(place, settings))


def promote(settings: PromoteSettings) -> Figures:
    """Return what the gate says of the task's candidate, now champion; or who is champion again."""
    place = registry.tracking(settings.tracking, Path(settings.workspace))
    champion = registry.find_alias(place, settings.task.name, registry.CHAMPION)
    name = place.name(settings.task.name)
    gate: list[Requirement] = []
    card: Path | None = None
    if settings.rollback:
        entry = promotion.roll_back(place, name, champion)
    else:
        candidate = registry.find_candidate(place, settings.task.name, settings.version)
        shown = policy_requirements if settings.task.name == NEXT_BEST_ACTION else requirements
        gate = [*shown(place, settings, candidate, champion), is_approved(place, candidate)]
        entry = promotion.promote(place, candidate, champion, gate, force=settings.force)
        card = write_card(place, candidate, settings, gate)
    return promote_figures(name, entry, gate, promotion.history(place, name), card)
