"""The verbs' work, about ten lines each: settings in, figures out.

Every function returns `Figures`, plain JSON values, with the lines for people under the key `say`.
"""

import logging
from contextlib import nullcontext
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from sintonia import promotion, registry, timeline
from sintonia.baselines import fit_baselines, with_baselines
from sintonia.check import LeakRules, Question, ask, at, choose_dates, find_leaks, moments_of, prove
from sintonia.check.words import check_figures
from sintonia.comparison import compare_runs
from sintonia.config import (
    BuildSettings,
    CheckSettings,
    CompareSettings,
    DecideSettings,
    DemoSettings,
    FeaturesSettings,
    ForgetSettings,
    IdentitySettings,
    PromoteSettings,
    ReviewSettings,
    ScoreSettings,
    Settings,
    SimulateSettings,
    TrainSettings,
    iso_time,
)
from sintonia.decision.decide import decide_round
from sintonia.decision.told import told_of
from sintonia.engine import connect
from sintonia.erasure.tombstones import read_tombstones, refuse_erased
from sintonia.estimates import Evaluation
from sintonia.evaluation import evaluate, evaluate_amounts
from sintonia.evidence import Training, policy_run, training_run
from sintonia.features import as_csv, catalogue, described, fit
from sintonia.features.cache import prune
from sintonia.gate import Requirement, requirements
from sintonia.identity.explaining import explain
from sintonia.identity.golden import write_customers
from sintonia.identity.page import render as render_identity
from sintonia.identity.report import Report, read_records, report_records, report_store
from sintonia.identity.tying import tie
from sintonia.interactions import Store, identity_folder, open_store
from sintonia.interactions.write import write_rejected, write_store
from sintonia.lists import locate, read_list, score_columns, write_list, write_sample
from sintonia.model import Model, fit_model
from sintonia.predictions import predictions_of
from sintonia.progress import step, track
from sintonia.propensity_metrics import Stakes
from sintonia.pseudonyms import FILE as KEY_FILE
from sintonia.pseudonyms import workspace_key
from sintonia.review import ReviewData, render
from sintonia.run_summaries import compare_figures, policy_figures, promote_figures, train_figures
from sintonia.scoring import score_customers, scoring_date
from sintonia.sources.locate import locate_root
from sintonia.sources.mapping import Bounds, map_silo
from sintonia.sources.report import require_interactions
from sintonia.sufficiency import measure_sufficiency
from sintonia.summaries import (
    Figures,
    build_figures,
    decide_figures,
    demo_figures,
    explanation_figures,
    features_figures,
    forget_figures,
    identity_figures,
    review_figures,
    score_figures,
    simulate_figures,
    told_figures,
    write_report,
)
from sintonia.tasks import NEXT_BEST_ACTION, choose_categories, find_task, label_kinds
from sintonia.tasks.categories import COLUMNS as CATEGORY_COLUMNS
from sintonia.training_set import Rows, assemble, catalogue_of
from sintonia.tuning import validated
from sintonia.uplift.assembled import features_of, logged_of, moments, split_points
from sintonia.uplift.points import read_points, reward_kinds
from sintonia.uplift.saved import PolicyModel
from sintonia.uplift.study import study
from sintonia.uplift.table import effects_table
from sintonia.uplift.words import study_figures, study_lines

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

S = TypeVar("S", bound=Settings)
T = TypeVar("T", TrainSettings, CheckSettings)

log = logging.getLogger("sintonia")


def simulate(settings: SimulateSettings) -> Figures:
    """Return what was written of the synthetic brand: silos under silos/, and apart from them truth/."""
    from sintonia.synthetic import simulate as write_silos

    return simulate_figures(write_silos(settings, Path(settings.workspace)))


def build(settings: BuildSettings) -> Figures:
    """Return what became of every silo's rows, now in the store."""
    workspace, source = Path(settings.workspace), settings.source
    root = locate_root(source)
    bounds = Bounds(
        until=iso_time("source.until", source.until) if source.until else None,
        today=iso_time("source.today", source.today)
        if source.today
        else datetime.now(UTC).replace(tzinfo=None),
    )
    erased = read_tombstones(workspace)
    with connect(settings.engine, workspace) as connection:
        silos = [
            refuse_erased(
                connection,
                map_silo(connection, name, silo, root, bounds),
                silo,
                erased,
                settings.identity.shareable,
            )
            for name, silo in track(source.silos.items(), "Reading silos", len(source.silos))
        ]
        rejected = write_rejected(connection, workspace, list(source.silos))
        require_interactions(source.name, silos)
        with step("Tying identifiers to customers"):
            earlier = identity_folder(workspace, source.name)
            findings = tie(connection, workspace, source, settings.identity, earlier)
        store = write_store(connection, workspace, source, silos, settings.engine.buckets)
        findings += write_customers(connection, workspace, settings.identity)
    prune(store.features, store.fingerprint, settings.engine.feature_cache_gib)
    return build_figures(store, [*rejected, *findings])


def identity(settings: IdentitySettings) -> Figures:
    """Return how well records became customers, with a page on it; or, with `customer`, why one is a customer."""
    if settings.customer is not None:
        return explanation_figures(explain(open_store(Path(settings.workspace)).folder, settings.customer))
    report, beside = _records_report(settings) if settings.records is not None else _store_report(settings)
    page = Path(settings.out) if settings.out else beside
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(render_identity(report), encoding="utf-8")
    return identity_figures(report, settings.examples, page)


def _records_report(settings: IdentitySettings) -> tuple[Report, Path]:
    """Return the report of a table of person records, and where its page goes: beside the table."""
    path = Path(str(settings.records))
    table = read_records(path)
    with step("Matching person records"):
        report = report_records(table, settings.fields, settings.truth, settings.identity, path.name)
    return report, path.with_name(f"{path.stem}-identity.html")


def _store_report(settings: IdentitySettings) -> tuple[Report, Path]:
    """Return the report of the workspace's store, and where its page goes: beside what its build found."""
    workspace = Path(settings.workspace)
    store, truth = open_store(workspace), Path(settings.truth) if settings.truth else None
    report = report_store(store.folder, workspace, truth, f"{store.source}, store {store.fingerprint}")
    return report, workspace / "identity" / "report.html"


def check(settings: CheckSettings) -> Figures:
    """Return whether a feature moves with what was not yet known, and which columns may tell of the future."""
    workspace = Path(settings.workspace)
    store = open_store(workspace)
    settings, split = _asked(settings, store)
    task, seed = settings.task, settings.seed
    with step("Looking up who is asked about"):
        moments = ask(store, split, task, settings.rows)
    question = Question(
        settings.features, task, choose_dates(moments, settings.dates), settings.customers, seed
    )
    with connect(settings.engine, workspace) as connection:
        trials = prove(connection, store, moments, question, workspace)
        with step("Looking for columns that may leak"):
            rules = LeakRules(settings.rows, settings.strong_auc, seed)
            findings = find_leaks(connection, store, at(moments, split.test), task, rules)
    return check_figures(trials, findings)


def features(settings: FeaturesSettings) -> Figures:
    """Return every feature of a configuration on the workspace's store, or of a task's registered model."""
    workspace = Path(settings.workspace)
    if settings.registered is None:
        store = open_store(workspace)
        with step("Looking at what the brand has"):
            fitted = fit(settings.features, store, datetime.max)  # all that is stored
        of, entries = store.source, described(catalogue(settings.features, fitted))
    else:
        place = registry.tracking(settings.tracking, workspace)
        _, registered = registry.find_models(place, [settings.registered])[0]
        of = f"{registered.name} version {registered.version}"
        entries = registry.read_document(place, registered.run_id, registry.CATALOGUE)
    if settings.out is not None:
        Path(settings.out).write_text(as_csv(entries), encoding="utf-8")
    return features_figures(of, entries, settings.out)


def train(settings: TrainSettings) -> Figures:
    """Return how good a task's model is out of time beside its baselines; the model is registered."""
    if settings.task.name == NEXT_BEST_ACTION:
        return _train_policy(settings)
    workspace = Path(settings.workspace)
    store = open_store(workspace)
    settings, split = _asked(settings, store)
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
        chosen = validated(rows, split, settings, workspace, store.fingerprint)
    settings = chosen.settings
    with step("Growing trees"):
        model = fit_model(rows.at(split.train), rows.at(split.valid), settings, fitted, store)
        baselines = fit_baselines(everything.at((*split.train, *split.valid)), task)
    with step("Judging out of time"):
        test = rows.at(split.test)
        outcomes = {
            "model": model.outcomes(test.values),
            **baselines.outcomes(everything.at(split.test)),
        }
        judged = _judged(model, test, outcomes, settings)
    with step("Looking for columns that may leak"), connect(settings.engine, workspace) as connection:
        leaks = find_leaks(connection, store, moments_of(test), task, LeakRules(seed=settings.seed))
    kept = predictions_of(test, outcomes, workspace_key(workspace))
    training = Training(settings, store, split, rows, model, judged, enough, kept, chosen, leaks)
    with step("Registering the model"):
        place = registry.tracking(settings.tracking, workspace)
        registered = registry.register(place, training_run(training))
    return train_figures(training, registered)


def _judged(
    model: Model, test: Rows, outcomes: "dict[str, NDArray[np.float64]]", settings: TrainSettings
) -> Evaluation:
    """Return how the model and its baselines did on the test rows: probabilities, or amounts in euros."""
    if find_task(settings.task).label == "amount":
        euros = {name: cents / 100 for name, cents in outcomes.items()}
        medians = {"model": model.median_cents(test.values) / 100}
        return evaluate_amounts(
            test.label / 100, euros, test.customer_id, medians=medians, seed=settings.seed
        )
    stakes = Stakes(campaign=settings.profit if settings.task.name == "churn" else None)
    return evaluate(test.label, outcomes, test.customer_id, stakes=stakes, seed=settings.seed)


def _train_policy(settings: TrainSettings) -> Figures:
    """Return what a policy learned from logged decisions is worth beside simpler ones; it is registered.

    Everybody's effects are written to effects.parquet, for `sintonia decide` to choose by.
    """
    import pyarrow.parquet as pq

    workspace, config = Path(settings.workspace), settings.policy
    store = open_store(workspace)
    with step("Reading the action log"), connect(settings.engine, workspace) as connection:
        points = read_points(connection, store, config)
    past, judged = split_points(points, config.judge_from)
    with step("Fitting features to the past"):
        fitted = fit(settings.features, store, moments(points)[judged].min().item())
    made = catalogue(settings.features, fitted)
    values = features_of(store, points, made, settings.engine)
    with step("Looking at who got what"):
        logged, logging_policy = logged_of(points, values, config, settings.seed)
    with step("Learning effects"):
        same = bool((past == judged).all())
        before = logged.take(past)
        found = study(before, before if same else logged.take(judged), settings.model, config, settings.seed)
    model = PolicyModel(
        effects=found.effects,
        passed=found.gate.passed,
        place=found.place,
        config=config,
        features=settings.features,
        fitted=fitted,
        names=tuple(feature.name for feature in made),
        source=store.source,
        fingerprint=store.fingerprint,
        observational=not logging_policy.logged,
    )
    figures = study_figures(found, logging_policy, points)
    newest = store.data_until(reward_kinds(config.reward))
    table = effects_table(store, model, newest, settings.engine)
    pq.write_table(table, workspace / "effects.parquet", compression="zstd")
    with step("Registering the policy"):
        place = registry.tracking(settings.tracking, workspace)
        registered = registry.register(place, policy_run(settings, model, figures))
    lines = study_lines(found, logging_policy, points)
    return policy_figures(figures, lines, workspace / "effects.parquet", registered)


def _asked(settings: T, store: Store) -> tuple[T, timeline.Split]:
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
    if settings.rollback:
        entry = promotion.roll_back(place, name, champion)
    else:
        candidate = registry.find_candidate(place, settings.task.name, settings.version)
        gate = requirements(place, settings, candidate, champion)
        entry = promotion.promote(place, candidate, champion, gate, force=settings.force)
    return promote_figures(name, entry, gate, promotion.history(place, name))


def score(settings: ScoreSettings) -> Figures:
    """Return what became of a list's rows, written back with the scores of every task asked for."""
    workspace, path = Path(settings.workspace), Path(settings.list)
    customers = read_list(path)
    store = open_store(workspace)
    located = locate(customers, store, settings.source, settings.key)
    log.info("Rows are known by their column '%s' (%s)", located.column, located.key_type)
    place = registry.tracking(settings.tracking, workspace)
    columns: dict[str, list[str]] = {}
    found = []
    for model, registered in registry.find_models(place, settings.tasks):
        as_of = scoring_date(settings.as_of, store, model)
        scores = score_customers(store, model, as_of, settings, located.known())
        columns |= score_columns(located, scores, registered, settings.reasons)
        found.append(scores)
    out = Path(settings.out) if settings.out else path.with_name(f"{path.stem}-scored{path.suffix}")
    write_list(customers, columns, out)
    return score_figures(customers, located, found, out)


def decide(settings: DecideSettings) -> Figures:
    """Return one action for each customer, with its hour and reasons; or, with `customer`, why it got its own."""
    store = open_store(Path(settings.workspace))
    if settings.customer is not None:
        return told_figures(told_of(store, settings.customer, settings.round))
    decided = decide_round(store, settings)
    return write_report(decide_figures(decided), store.rounds / f"{decided.round.round_id}.json")


def review(settings: ReviewSettings) -> Figures:
    """Return where the page on a task's model is, written from what its training run recorded."""
    workspace = Path(settings.workspace)
    place = registry.tracking(settings.tracking, workspace)
    _, registered = registry.find_models(place, [settings.task.name])[0]
    told = ReviewData.from_plain(registry.read_document(place, registered.run_id, registry.REVIEW))
    named = replace(
        told, model_name=registered.name, model_version=registered.version, run_id=registered.run_id
    )
    out = Path(settings.out) if settings.out else workspace / "review" / f"{settings.task.name}.html"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(render(named), encoding="utf-8")
    registry.log_page(place, registered.run_id, out)
    return review_figures(registered, out)


def forget(settings: ForgetSettings) -> Figures:
    """Return what was removed of a customer, of whom no file of the workspace tells any more."""
    from sintonia.erasure.erase import erase, sweep
    from sintonia.erasure.person import find_person
    from sintonia.erasure.search import plan_search, search_workspace

    workspace = Path(settings.workspace)
    store = open_store(workspace)
    person = find_person(store, workspace, read_tombstones(workspace), settings.customer)
    sweep(workspace)
    search = plan_search(workspace, settings.source, person)
    with step("Removing the customer"), connect(settings.engine, workspace) as connection:
        erased = erase(connection, store, settings.source, person, search)
    with step("Searching every file"):
        searched = search_workspace(search)
    return forget_figures(person, erased, searched)


def demo(settings: DemoSettings) -> Figures:
    """Return what the whole road gave on a fresh synthetic brand: silos, store, models, a scored list, review pages."""
    workspace = Path(settings.workspace)
    steps = {
        "simulate": simulate(_as(SimulateSettings, settings)),
        "build": build(_as(BuildSettings, settings)),
    }
    for name, task in settings.tasks.items():
        steps[f"train task={name}"] = train(_as(TrainSettings, settings, task=task))
    path = workspace / "list.csv"
    write_sample(open_store(workspace), "crm", path)
    steps[f"score list={path}"] = score(
        _as(ScoreSettings, settings, list=str(path), tasks=list(settings.tasks))
    )
    for name, task in settings.tasks.items():
        steps[f"review task={name}"] = review(_as(ReviewSettings, settings, task=task))
    made = [path, workspace / "mlflow.db", workspace / "mlflow", workspace / KEY_FILE]
    made += [kept for kept in [workspace / "features"] if kept.is_dir()]
    return demo_figures(steps, made, registry.tracking(settings.tracking, workspace).uri)


def _as(kind: type[S], settings: Settings, **changes: object) -> S:
    """Return the settings of another verb: what both have, and the changes."""
    names = {field.name for field in fields(kind)}
    shared = {field.name: getattr(settings, field.name) for field in fields(settings) if field.name in names}
    return kind(**{**shared, **changes})
