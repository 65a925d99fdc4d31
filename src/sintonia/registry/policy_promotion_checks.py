"""Promotion checks of a policy: its value on held-out customers, and compared with the champion.

Every policy run keeps the decisions its study was reported on: under pseudonyms, the doubly robust score of each
action, and with which probability the policy that was chosen takes it. So two policies are compared on the same rows.
"""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from sintonia.core.arrays import Floats
from sintonia.core.config import PromoteSettings, ReviewSettings
from sintonia.core.engine import connect
from sintonia.core.errors import NotBuiltError
from sintonia.core.intervals import Estimate, clustered_mean
from sintonia.core.pseudonyms import COLUMN, pseudonyms
from sintonia.data.store import open_store
from sintonia.features import catalogue
from sintonia.registry.models import load_registered, require_class
from sintonia.registry.predictions import PREDICTIONS_FILE
from sintonia.registry.promotion_checks import Requirement, evaluation_tags, read_evaluation
from sintonia.registry.runs import read_document, read_table
from sintonia.registry.tracking import Registered, Tracking
from sintonia.uplift.dataset import customer_codes, decision_features, split_decisions
from sintonia.uplift.decision_log import DecisionLog, most_recent_decisions, read_decision_log
from sintonia.uplift.folds import part_of
from sintonia.uplift.model import PolicyModel
from sintonia.uplift.study import REPORT, Study

DR_SCORES, POLICY_PROBABILITIES = "dr_scores", "policy_probabilities"
FORMER_NAMES = {DR_SCORES: "brings", POLICY_PROBABILITIES: "chosen"}
"""What earlier versions called these columns of a policy run's predictions."""

DECISION_KEYS = (COLUMN, "as_of")
LOGGED_PROPENSITIES, OBSERVATIONAL_DATA = "logged propensities", "observational"
"""Kinds of evidence: randomised decisions with logged propensities, or observational data."""


def decisions_table(study: Study, judged: DecisionLog, key: bytes) -> pa.Table:
    """Return one row per reported decision: pseudonym, as_of, `dr_scores` and `policy_probabilities`, lists by action.

    `as_of` is when the decision was taken.
    """
    reported = study.report
    rows = judged.take(reported.rows)
    return pa.table(
        {
            COLUMN: pa.array(pseudonyms(key, rows.customer_id.tolist()), pa.string()),
            "as_of": pa.array(rows.decided_at, pa.timestamp("us")),
            DR_SCORES: pa.array(list(reported.dr_scores), pa.list_(pa.float64())),
            POLICY_PROBABILITIES: pa.array(list(reported.policy_probabilities), pa.list_(pa.float64())),
        }
    )


def difference_to_nothing(rows: pa.Table) -> Estimate:
    """Return what the policy is worth a decision less what doing nothing is, on the decisions of the report."""
    policy = _matrix(rows, POLICY_PROBABILITIES)
    return _difference(rows, policy, np.eye(policy.shape[1])[np.zeros(len(policy), int)])


def policy_checks(
    tracking: Tracking,
    settings: PromoteSettings | ReviewSettings,
    candidate: Registered,
    champion: Registered | None,
) -> list[Requirement]:
    """Return whether a policy meets each requirement of a promotion, in the order of the report."""
    evaluation = _read_policy_evaluation(tracking, candidate)
    checks = [beats_nothing(Estimate(**evaluation["against_nothing"]), evaluation["judged_decisions"])]
    if champion is not None:
        checks.append(_against_champion(tracking, settings, candidate, champion))
    return [*checks, is_randomised(evaluation["evidence"])]


def _read_policy_evaluation(tracking: Tracking, registered: Registered) -> dict[str, Any]:
    """Return a policy run's `evaluation.json`; of a run from before it had one, the same from the decisions it kept."""
    try:
        return read_evaluation(tracking, registered)
    except NotBuiltError:
        rows = read_table(tracking, registered.run_id, PREDICTIONS_FILE)
    figures = {"against_nothing": asdict(difference_to_nothing(rows)), "judged_decisions": len(rows)}
    return {**evaluation_tags(tracking, registered), **figures}


def beats_nothing(gap: Estimate, decisions: int) -> Requirement:
    """Return whether the policy is significantly better than doing nothing."""
    explanation = f"{gap.text()} per decision against doing nothing, on {decisions:,} decisions"
    return Requirement("doing nothing", gap.low > 0, explanation)


def is_randomised(evidence: str) -> Requirement:
    """Return whether the log was randomised, so that values are not confounded."""
    return Requirement("randomised log", evidence == LOGGED_PROPENSITIES, evidence)


def _against_champion(
    tracking: Tracking,
    settings: PromoteSettings | ReviewSettings,
    candidate: Registered,
    champion: Registered,
) -> Requirement:
    champion_name = f"the champion, version {champion.version}"
    if champion.version == candidate.version:
        return Requirement("champion", False, f"version {candidate.version} is the champion already")
    rows = read_table(tracking, candidate.run_id, PREDICTIONS_FILE)
    ours, theirs = (
        read_document(tracking, registered.run_id, "study.json")["actions"]
        for registered in (candidate, champion)
    )
    try:
        probabilities = _champion_probabilities(tracking, settings, candidate, champion, rows)
        champion_policy = align_actions(probabilities, theirs, ours)
    except NotBuiltError as error:
        return Requirement("champion", False, str(error))
    gap = _difference(rows, _matrix(rows, POLICY_PROBABILITIES), champion_policy)
    why = f"{gap.text()} per decision against {champion_name}, on the same {len(rows):,} decisions"
    return Requirement("champion", gap.low > 0, why)


def align_actions(policy: Floats, theirs: Sequence[str], ours: Sequence[str]) -> Floats:
    """Return a policy's probabilities in our order of the actions.

    Examples
    --------
    >>> align_actions(np.array([[0.2, 0.8]]), ["none", "mail"], ["none", "call", "mail"]).tolist()
    [[0.2, 0.0, 0.8]]

    Raises
    ------
    NotBuiltError
        When it takes an action that our log knows nothing of.
    """
    aligned = np.zeros((len(policy), len(ours)))
    for column, name in enumerate(theirs):
        if name in ours:
            aligned[:, list(ours).index(name)] = policy[:, column]
        elif policy[:, column].any():
            raise NotBuiltError(f"the champion uses '{name}', which is not an action of the candidate's log")
    return aligned


def _champion_probabilities(
    tracking: Tracking,
    settings: PromoteSettings | ReviewSettings,
    candidate: Registered,
    champion: Registered,
    rows: pa.Table,
) -> Floats:
    """Return the champion's probabilities at the candidate's decisions: stored ones, else made now from the store.

    Raises
    ------
    NotBuiltError
        When it has learnt from these decisions, or the store is not the one the candidate learned from any more.
    """
    stored = read_table(tracking, champion.run_id, PREDICTIONS_FILE)
    index = {key: row for row, key in enumerate(_keys(stored))}
    if index.keys() >= set(_keys(rows)):
        return _matrix(stored, POLICY_PROBABILITIES)[[index[key] for key in _keys(rows)]]
    labels_until = tracking.client.get_run(champion.run_id).data.tags.get("sintonia.labels_until", "")
    first = min(rows["as_of"].to_pylist())
    if not labels_until or datetime.fromisoformat(labels_until) > first:
        raise NotBuiltError(
            f"the champion, version {champion.version}, was trained on rewards until "
            f"{labels_until or 'an unknown day'}, the candidate is evaluated from {first:%Y-%m-%d}: "
            "train it with a later effects.judge_from"
        )
    seed = int(tracking.client.get_run(candidate.run_id).data.params["seed"])
    ours, theirs = (
        require_class(load_registered(tracking, registered), PolicyModel)
        for registered in (candidate, champion)
    )
    return _recompute_probabilities(settings, ours, theirs, seed)


def _recompute_probabilities(
    settings: PromoteSettings | ReviewSettings, candidate: PolicyModel, champion: PolicyModel, seed: int
) -> Floats:
    workspace = settings.paths.root
    store, config = open_store(workspace), candidate.config
    if store.fingerprint != candidate.fingerprint:
        raise NotBuiltError(
            f"the candidate learned from data {candidate.fingerprint}, the store has {store.fingerprint} now: "
            "train it again"
        )
    with connect(settings.engine, workspace) as connection:
        decisions = most_recent_decisions(read_decision_log(connection, store, config), config.most_decisions)
    _, judged = split_decisions(decisions, config.judge_from)
    decisions = decisions.take(judged)
    parts = part_of(customer_codes(decisions.customer_id), [config.teach_share, config.gate_share], seed)
    decisions = decisions.take(parts == REPORT)
    values = decision_features(
        store, decisions, catalogue(champion.features, champion.fitted), settings.engine
    )
    eligible_logged = (
        decisions.logging_propensities > 0 if decisions.logged.all() else np.ones((len(decisions), 1), bool)
    )
    action_names = champion.effects.actions.names
    eligible = np.zeros((len(decisions), len(action_names)), bool)
    for index, name in enumerate(action_names):
        if name in decisions.names:
            eligible[:, index] = eligible_logged[
                :, decisions.names.index(name) if eligible_logged.shape[1] > 1 else 0
            ]
    return champion.policy(values, eligible)


def _difference(rows: pa.Table, policy: Floats, baseline: Floats) -> Estimate:
    _, customer = np.unique(np.asarray(rows[COLUMN].to_pylist()), return_inverse=True)
    return clustered_mean(((policy - baseline) * _matrix(rows, DR_SCORES)).sum(axis=1), customer)


def _matrix(rows: pa.Table, name: str) -> Floats:
    """Return a list column as a matrix, under its former name where an earlier version wrote the table."""
    column = name if name in rows.column_names else FORMER_NAMES[name]
    return np.array(rows[column].to_pylist(), np.float64)


def _keys(rows: pa.Table) -> list[tuple[str, datetime]]:
    return list(zip(*(rows[name].to_pylist() for name in DECISION_KEYS), strict=True))
