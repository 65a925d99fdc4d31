"""What a policy must show before it is promoted: its worth on customers who taught nothing, beside the champion.

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
from sintonia.registry.artifacts import read_document, read_table
from sintonia.registry.models import Registered, Tracking, expect, load
from sintonia.registry.predictions import PREDICTIONS_FILE
from sintonia.registry.promotion_checks import Requirement, evaluation_tags, read_evaluation
from sintonia.uplift.dataset import features_of, numbered, split_points
from sintonia.uplift.decision_points import Points, newest, read_points
from sintonia.uplift.folds import part_of
from sintonia.uplift.model import PolicyModel
from sintonia.uplift.study import REPORT, Study

DECISION_KEYS = (COLUMN, "as_of")
LOGGED, OBSERVATIONAL = "logged propensities", "observational"
"""What a policy's figures rest on: chance decided, with probabilities that were logged; or nobody knows who did."""


def kept_decisions(found: Study, judged: Points, key: bytes) -> pa.Table:
    """Return a row a decision of the report: pseudonym, as_of (when it was taken), `brings` and `chosen` by action."""
    told = found.report
    rows = judged.take(told.rows)
    return pa.table(
        {
            COLUMN: pa.array(pseudonyms(key, rows.customer_id.tolist()), pa.string()),
            "as_of": pa.array(rows.decided_at, pa.timestamp("us")),
            "brings": pa.array(list(told.brings), pa.list_(pa.float64())),
            "chosen": pa.array(list(told.chosen), pa.list_(pa.float64())),
        }
    )


def against_nothing(rows: pa.Table) -> Estimate:
    """Return what the policy is worth a decision less what doing nothing is, on the decisions of the report."""
    chosen = _matrix(rows, "chosen")
    return _difference(rows, chosen, np.eye(chosen.shape[1])[np.zeros(len(chosen), int)])


def policy_checks(
    place: Tracking,
    settings: PromoteSettings | ReviewSettings,
    candidate: Registered,
    champion: Registered | None,
) -> list[Requirement]:
    """Return whether a policy meets each requirement of a promotion, in the order of the report."""
    recorded = _read_policy_evaluation(place, candidate)
    checks = [beats_nothing(Estimate(**recorded["against_nothing"]), recorded["judged_decisions"])]
    if champion is not None:
        checks.append(_against_champion(place, settings, candidate, champion))
    return [*checks, is_randomised(recorded["evidence"])]


def _read_policy_evaluation(place: Tracking, registered: Registered) -> dict[str, Any]:
    """Return a policy run's `evaluation.json`; of a run from before it had one, the same from the decisions it kept."""
    try:
        return read_evaluation(place, registered)
    except NotBuiltError:
        rows = read_table(place, registered.run_id, PREDICTIONS_FILE)
    figures = {"against_nothing": asdict(against_nothing(rows)), "judged_decisions": len(rows)}
    return {**evaluation_tags(place, registered), **figures}


def beats_nothing(gap: Estimate, decisions: int) -> Requirement:
    """Return whether the policy is surely worth more than doing nothing."""
    why = f"{gap.text()} a decision against doing nothing, on {decisions:,} decisions"
    return Requirement("doing nothing", gap.low > 0, why)


def is_randomised(evidence: str) -> Requirement:
    """Return whether chance decided what was logged, so that values are of the policy and not of who got it."""
    return Requirement("randomised log", evidence == LOGGED, evidence)


def _against_champion(
    place: Tracking, settings: PromoteSettings | ReviewSettings, candidate: Registered, champion: Registered
) -> Requirement:
    named = f"the champion, version {champion.version}"
    if champion.version == candidate.version:
        return Requirement("champion", False, f"version {candidate.version} is the champion already")
    rows = read_table(place, candidate.run_id, PREDICTIONS_FILE)
    ours, theirs = (
        read_document(place, one.run_id, "study.json")["actions"] for one in (candidate, champion)
    )
    try:
        probabilities = _champion_probabilities(place, settings, candidate, champion, rows)
        other = aligned(probabilities, theirs, ours)
    except NotBuiltError as error:
        return Requirement("champion", False, str(error))
    gap = _difference(rows, _matrix(rows, "chosen"), other)
    why = f"{gap.text()} a decision against {named}, on the same {len(rows):,} decisions"
    return Requirement("champion", gap.low > 0, why)


def aligned(policy: Floats, theirs: Sequence[str], ours: Sequence[str]) -> Floats:
    """Return a policy's probabilities in our order of the actions.

    Examples
    --------
    >>> aligned(np.array([[0.2, 0.8]]), ["none", "mail"], ["none", "call", "mail"]).tolist()
    [[0.2, 0.0, 0.8]]

    Raises
    ------
    NotBuiltError
        When it takes an action that our log knows nothing of.
    """
    found = np.zeros((len(policy), len(ours)))
    for at, name in enumerate(theirs):
        if name in ours:
            found[:, list(ours).index(name)] = policy[:, at]
        elif policy[:, at].any():
            raise NotBuiltError(f"the champion takes '{name}', of which the candidate's log knows nothing")
    return found


def _champion_probabilities(
    place: Tracking,
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
    stored = read_table(place, champion.run_id, PREDICTIONS_FILE)
    index = {key: at for at, key in enumerate(_keys(stored))}
    if index.keys() >= set(_keys(rows)):
        return _matrix(stored, "chosen")[[index[key] for key in _keys(rows)]]
    learnt = place.client.get_run(champion.run_id).data.tags.get("sintonia.labels_until", "")
    first = min(rows["as_of"].to_pylist())
    if not learnt or datetime.fromisoformat(learnt) > first:
        raise NotBuiltError(
            f"the champion, version {champion.version}, has learnt from rewards until {learnt or 'an unknown day'}, "
            f"the candidate is judged from {first:%Y-%m-%d}: train it with a later effects.judge_from"
        )
    seed = int(place.client.get_run(candidate.run_id).data.params["seed"])
    ours, theirs = (expect(load(place, one), PolicyModel) for one in (candidate, champion))
    return _made_now(settings, ours, theirs, seed)


def _made_now(
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
        points = newest(read_points(connection, store, config), config.most_decisions)
    _, judged = split_points(points, config.judge_from)
    points = points.take(judged)
    parts = part_of(numbered(points.customer_id), [config.teach_share, config.gate_share], seed)
    points = points.take(parts == REPORT)
    values = features_of(store, points, catalogue(champion.features, champion.fitted), settings.engine)
    able = points.logging_propensities > 0 if points.logged.all() else np.ones((len(points), 1), bool)
    known = champion.effects.actions.names
    eligible = np.zeros((len(points), len(known)), bool)
    for at, name in enumerate(known):
        if name in points.names:
            eligible[:, at] = able[:, points.names.index(name) if able.shape[1] > 1 else 0]
    return champion.policy(values, eligible)


def _difference(rows: pa.Table, policy: Floats, other: Floats) -> Estimate:
    _, customer = np.unique(np.asarray(rows[COLUMN].to_pylist()), return_inverse=True)
    return clustered_mean(((policy - other) * _matrix(rows, "brings")).sum(axis=1), customer)


def _matrix(rows: pa.Table, name: str) -> Floats:
    return np.array(rows[name].to_pylist(), np.float64)


def _keys(rows: pa.Table) -> list[tuple[str, datetime]]:
    return list(zip(*(rows[name].to_pylist() for name in DECISION_KEYS), strict=True))
