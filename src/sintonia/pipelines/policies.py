"""Logged decisions to a policy that earned its place."""

import logging
from pathlib import Path

from sintonia import registry
from sintonia.config import CheckSettings, FeaturesConfig, TrainSettings
from sintonia.engine import connect
from sintonia.evidence import Reported, policy_evidence, policy_run
from sintonia.features import catalogue, fit
from sintonia.interactions import Store, open_store
from sintonia.policy_gate import kept_decisions
from sintonia.progress import step
from sintonia.pseudonyms import workspace_key
from sintonia.review.sample import key_path, write_key
from sintonia.summaries.figures import Figures
from sintonia.summaries.runs import policy_figures
from sintonia.uplift.assembled import (
    days_of_history,
    features_for,
    features_of,
    logged_of,
    moments,
    split_points,
)
from sintonia.uplift.points import Points, newest, read_points
from sintonia.uplift.rewards import reward_kinds
from sintonia.uplift.saved import PolicyModel
from sintonia.uplift.study import study
from sintonia.uplift.table import effects_table
from sintonia.uplift.words import study_figures, study_lines

log = logging.getLogger("sintonia")


def train_policy(settings: TrainSettings) -> Figures:
    """Return what a policy learned from logged decisions is worth beside simpler ones; it is registered.

    Everybody's effects are written to effects.parquet, for `sintonia decide` to choose by.
    """
    import pyarrow.parquet as pq

    workspace, config = Path(settings.workspace), settings.effects
    store = open_store(workspace)
    points = newest_decisions(store, settings)
    past, judged = split_points(points, config.judge_from)
    chosen = features_at_decisions(store, points.take(past), settings)
    with step("Fitting features to the past"):
        fitted = fit(chosen, store, moments(points)[judged].min().item())
    made = catalogue(chosen, fitted)
    values = features_of(store, points, made, settings.engine)
    with step("Looking at who got what"):
        logged, logging_policy = logged_of(points, values, config, settings.actions, settings.seed)
    before = logged.take(past)
    later = before if (past == judged).all() else logged.take(judged)
    found = study(before, later, settings.model, config, settings.seed)
    model = PolicyModel(
        effects=found.effects,
        passed=found.gate.passed,
        place=found.place,
        config=config,
        features=chosen,
        fitted=fitted,
        names=tuple(feature.name for feature in made),
        source=store.source,
        fingerprint=store.fingerprint,
        observational=not logging_policy.logged,
    )
    figures = study_figures(found, logging_policy, points, model.names)
    newest = store.data_until(reward_kinds(config.reward))
    table = effects_table(store, model, newest, settings.engine)
    pq.write_table(table, workspace / "effects.parquet", compression="zstd")
    with step("Explaining decisions"):
        rows = found.report.rows
        reported = Reported(
            points.take(judged).take(rows),
            moments(points)[judged][rows],
            later.take(rows),
            logged.customer[past | judged],
        )
        evidence = policy_evidence(model, store, reported, settings.seed)
    with step("Registering the policy"):
        place = registry.tracking(settings.tracking, workspace)
        kept = kept_decisions(found, points.take(judged), workspace_key(workspace))
        run = policy_run(settings, model, figures, (kept, points.until.max().item()), evidence)
        registered = registry.register(place, run)
        write_key(evidence.decided.rows, key_path(workspace, registered.run_id))
    lines = study_lines(found, logging_policy, points)
    return policy_figures(figures, lines, workspace / "effects.parquet", registered)


def newest_decisions(store: Store, settings: TrainSettings | CheckSettings) -> Points:
    """Return the newest decision points of the store, as many as the policy looks at."""
    config = settings.effects
    with step("Reading the action log"), connect(settings.engine, store.rounds.parent) as connection:
        points = read_points(connection, store, config)
    found = newest(points, config.most_decisions)
    if len(found) < len(points):
        log.info(
            "Looking at the newest %s of %s decisions (effects.most_decisions)",
            f"{len(found):,}",
            f"{len(points):,}",
        )
    return found


def features_at_decisions(
    store: Store, taught: Points, settings: TrainSettings | CheckSettings
) -> FeaturesConfig:
    """Return the features a policy learns from; said is which windows history is too short for."""
    days = days_of_history(store, taught)
    found = features_for(settings.features, settings.effects, days)
    missing = sorted(set(settings.features.windows_days) - set(found.windows_days))
    if missing:
        log.info(
            "Leaving out windows of %s days: there are %s days of history before the newest decision that teaches",
            ", ".join(map(str, missing)),
            days,
        )
    return found
