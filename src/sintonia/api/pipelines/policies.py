"""The steps of the task that estimates what actions change: a policy from logged decisions, its check and its page."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from sintonia.api.pipelines.run_figures import policy_figures
from sintonia.api.pipelines.task_steps import Suspects, TaskSteps, Trained
from sintonia.core.config import LIGHTGBM, CheckSettings, FeaturesConfig, ReviewSettings, TrainSettings
from sintonia.core.config.earlier import effects_settings, round_report
from sintonia.core.engine import connect
from sintonia.core.errors import ConfigError, NotBuiltError
from sintonia.core.progress import log, step
from sintonia.core.pseudonyms import workspace_key
from sintonia.data.store import Store, open_store
from sintonia.evaluation.leakage import InvarianceQuestion, choose_dates
from sintonia.features import Feature, catalogue, fit
from sintonia.registry import runs
from sintonia.registry.models import load_registered
from sintonia.registry.policy_promotion_checks import (
    LOGGED_PROPENSITIES,
    OBSERVATIONAL_DATA,
    decisions_table,
    difference_to_nothing,
    policy_checks,
)
from sintonia.registry.tracking import Registered, Tracking
from sintonia.review import PromotionCheck, own_sections, read
from sintonia.review.card import policy_card
from sintonia.review.evidence import ReportedDecisions, policy_evidence, policy_run
from sintonia.review.policy_examples import EffectDrivers, ExplainedDecision
from sintonia.review.policy_page import PolicyReview, render_policy
from sintonia.training.dataset import Dataset
from sintonia.uplift.dataset import (
    days_of_history,
    decision_features,
    feature_moments,
    split_decisions,
    to_logged_decisions,
    usable_features,
)
from sintonia.uplift.decision_log import DecisionLog, most_recent_decisions, read_decision_log, reward_kinds
from sintonia.uplift.effects_table import effects_table
from sintonia.uplift.model import PolicyModel
from sintonia.uplift.study import study
from sintonia.uplift.texts import study_figures, study_lines


def train_policy(store: Store, settings: TrainSettings) -> Trained:
    """Return a policy learned from logged decisions, with its value and those of simpler policies.

    Everybody's effects are written to effects.parquet, for `sintonia decide` to choose by.
    """
    import pyarrow.parquet as pq

    workspace, config = settings.paths.root, settings.effects
    if settings.model.name != LIGHTGBM:
        raise ConfigError(
            f"Effects of actions are only learned by LightGBM; found model.name={settings.model.name}, "
            f"give model.name={LIGHTGBM}."
        )
    points = newest_decisions(store, settings)
    past, judged = split_decisions(points, config.judge_from)
    features = features_at_decisions(store, points.take(past), settings)
    with step("Fitting features to the past"):
        fitted = fit(features, store, feature_moments(points)[judged].min().item())
    feature_list = catalogue(features, fitted)
    values = decision_features(store, points, feature_list, settings.engine)
    with step("Preparing the logged decisions"):
        logged, logging_policy = to_logged_decisions(points, values, config, settings.actions, settings.seed)
    past_decisions = logged.take(past)
    judged_decisions = past_decisions if (past == judged).all() else logged.take(judged)
    result = study(past_decisions, judged_decisions, settings.model, config, settings.seed)
    model = PolicyModel(
        effects=result.effects,
        passed=result.gate.passed,
        constant_action=result.constant_action,
        config=config,
        features=features,
        fitted=fitted,
        names=tuple(feature.name for feature in feature_list),
        source=store.source,
        fingerprint=store.fingerprint,
        observational=not logging_policy.logged,
        task=settings.task,
    )
    figures = study_figures(result, logging_policy, points, model.names)
    data_until = store.data_until(reward_kinds(config.reward))
    table = effects_table(store, model, data_until, settings.engine)
    pq.write_table(table, settings.paths.effects, compression="zstd")
    with step("Explaining decisions"):
        rows = result.report.rows
        reported = ReportedDecisions(
            points.take(judged).take(rows),
            feature_moments(points)[judged][rows],
            judged_decisions.take(rows),
            logged.customer[past | judged],
        )
        evidence = policy_evidence(model, store, reported, settings.seed)
    decisions = decisions_table(result, points.take(judged), workspace_key(workspace))
    run = policy_run(
        settings,
        model,
        figures,
        decisions=decisions,
        against_nothing=difference_to_nothing(decisions),
        labels_until=points.until.max().item(),
        data=OBSERVATIONAL_DATA if model.observational else LOGGED_PROPENSITIES,
        evidence=evidence,
    )
    report = partial(
        policy_figures, figures, study_lines(result, logging_policy, points), settings.paths.effects
    )
    return Trained(run, evidence.decided.rows, report)


def newest_decisions(store: Store, settings: TrainSettings | CheckSettings) -> DecisionLog:
    """Return the newest decision points of the store, as many as the policy looks at."""
    config = settings.effects
    with step("Reading the action log"), connect(settings.engine, store.rounds.parent) as connection:
        points = read_decision_log(connection, store, config)
    newest_points = most_recent_decisions(points, config.most_decisions)
    if len(newest_points) < len(points):
        log.info(
            "Using the newest %s of %s decisions (effects.most_decisions)",
            f"{len(newest_points):,}",
            f"{len(points):,}",
        )
    return newest_points


def features_at_decisions(
    store: Store, past_points: DecisionLog, settings: TrainSettings | CheckSettings
) -> FeaturesConfig:
    """Return the features of a policy, without windows that are longer than the history; the log names those."""
    days = days_of_history(store, past_points)
    features = usable_features(settings.features, settings.effects, days)
    missing = sorted(set(settings.features.windows_days) - set(features.windows_days))
    if missing:
        log.info(
            "Leaving out windows of %s days: there are %s days of history before the newest training decision",
            ", ".join(map(str, missing)),
            days,
        )
    return features


def suspects_of_decisions(store: Store, settings: CheckSettings) -> Suspects:
    """Return what the leakage check examines: decisions, their features, and whether a reward followed."""
    points = newest_decisions(store, settings)
    moments = feature_moments(points)
    decisions = pa.table(
        {
            "customer_id": pa.array(points.customer_id, pa.string()),
            "as_of": pa.array(moments, pa.timestamp("us")),
            "label": (points.reward > 0).astype(np.int8),
        }
    )

    def dataset_of(some: Store, as_ofs: Sequence[datetime], made: Sequence[Feature]) -> Dataset:
        there = np.isin(points.customer_id.astype(str), sorted(some.customer_ids()))
        rows = points.take(there & np.isin(moments, np.array(as_ofs, "datetime64[us]")))
        values = decision_features(some, rows, made, settings.engine)
        names = tuple(feature.name for feature in made)
        return Dataset(
            rows.customer_id, feature_moments(rows), values, (rows.reward > 0).astype(np.int8), names
        )

    past, judged = split_decisions(points, settings.effects.judge_from)
    features = features_at_decisions(store, points.take(past), settings)
    dates = choose_dates(decisions, settings.dates)
    question = InvarianceQuestion(
        features, settings.task, dates, settings.customers, settings.seed, dataset_of
    )
    return Suspects(settings, question, decisions, decisions.filter(pa.array(judged)))


def policy_page(
    tracking: Tracking, registered: Registered, settings: ReviewSettings, checks: tuple[PromotionCheck, ...]
) -> str:
    """Return the page of what the run recorded, of the checks, and of the last round of the workspace."""
    model = load_registered(tracking, registered)
    try:
        store = open_store(settings.paths.root)
    except NotBuiltError:
        store = None
    own_store = None if store is None or store.source != model.source else store
    customers = runs.read_document(tracking, registered.run_id, runs.CUSTOMERS)
    review = replace(
        _recorded(tracking, registered),
        catalogue=runs.read_document(tracking, registered.run_id, runs.CATALOGUE),
        round=None if own_store is None else _last_round(own_store),
        story=read(EffectDrivers, runs.read_document(tracking, registered.run_id, runs.REVIEW)),
        customers=tuple(read(ExplainedDecision, document) for document in customers),
        source=model.source,
        fingerprint=model.fingerprint,
        gate=checks,
    )
    return render_policy(review, own_sections(settings.sections, review))


def card_of_policy(
    tracking: Tracking, registered: Registered, checks: tuple[PromotionCheck, ...], history: Sequence[str]
) -> str:
    """Return the model card from the run's documents and the promotion checks."""
    return policy_card(_recorded(tracking, registered), checks, history)


def _recorded(tracking: Tracking, registered: Registered) -> PolicyReview:
    config = runs.read_document(tracking, registered.run_id, "config.json")
    return PolicyReview(
        study=runs.read_document(tracking, registered.run_id, "study.json"),
        policy=effects_settings(config),
        catalogue=(),
        round=None,
        source=config["source"]["name"],
        currency=config["source"].get("currency", "EUR"),  # runs of earlier versions recorded none
        fingerprint=tracking.client.get_run(registered.run_id).data.tags["sintonia.data_fingerprint"],
        model_name=registered.name,
        model_version=registered.version,
        run_id=registered.run_id,
    )


def _last_round(store: Store) -> dict[str, Any] | None:
    """Return the report of the latest round; None without one."""
    reports = sorted(store.rounds.glob("*.json"), key=lambda path: (path.stat().st_mtime_ns, path.name))
    return round_report(json.loads(reports[-1].read_text(encoding="utf-8"))) if reports else None


STEPS = TaskSteps(
    train=train_policy,
    suspects=suspects_of_decisions,
    promotion_checks=policy_checks,
    page=policy_page,
    card=card_of_policy,
)
