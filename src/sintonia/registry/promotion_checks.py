"""What a model must show before it is promoted to champion, and the figures that decide whether it does.

They are read from the `evaluation.json` that its training wrote, and from no page.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import pyarrow as pa

from sintonia.core.config import PromoteSettings, ReviewSettings, TaskConfig
from sintonia.core.errors import NotBuiltError
from sintonia.core.pseudonyms import workspace_key
from sintonia.data.store import open_store
from sintonia.evaluation.evaluate import TOLERANCE, TOTAL_OFF, Evaluation
from sintonia.registry.approval import latest_decision, objection, review_decisions
from sintonia.registry.models import load_registered, require_class
from sintonia.registry.predictions import PREDICTIONS_FILE, covers, evaluate_together, predictions_of
from sintonia.registry.runs import EVALUATION, read_document, read_table
from sintonia.registry.tracking import Registered, Tracking
from sintonia.training.dataset import assemble
from sintonia.training.models import OutcomeModel
from sintonia.training.tasks import find_task

NAIVE_RULES = ("naive rule", "recency rule", "spend so far")
"""Which baselines are rules that anybody could follow without a model."""

SUFFICIENCY_SETTINGS = ("history_horizons", "class_rows", "missing_share", "force")
"""What of a task's settings changes neither who is asked about nor the answer."""


@dataclass(frozen=True)
class Requirement:
    """One requirement of a promotion, whether the candidate meets it, and the figures that explain why."""

    name: str
    passed: bool
    explanation: str


def outcome_checks(
    tracking: Tracking,
    settings: PromoteSettings | ReviewSettings,
    candidate: Registered,
    champion: Registered | None,
) -> list[Requirement]:
    """Return whether a model of outcomes meets each requirement of a promotion, in the order of the report."""
    recorded = read_evaluation(tracking, candidate)
    evaluation = Evaluation.from_plain(recorded)
    checks = [beats_naive(evaluation)]
    if champion is not None:
        checks.append(_against_champion(tracking, settings, candidate, champion))
    return [*checks, is_calibrated(evaluation), *is_clean(recorded["may_leak"], recorded["lacks"])]


def read_evaluation(tracking: Tracking, registered: Registered) -> dict[str, Any]:
    """Return a run's `evaluation.json`; what runs before it was whole had in their tags comes from these.

    `may_leak` are the columns that the leak check named, None where none was made; `lacks` is what there was too
    little of to learn from; `labels_until` the ISO date of the last label it learnt from, "" where unknown; `evidence`
    what the figures rest on.

    Raises
    ------
    NotBuiltError
        When the run has none: an earlier version of sintonia made it.
    """
    return {**evaluation_tags(tracking, registered), **read_document(tracking, registered.run_id, EVALUATION)}


def evaluation_tags(tracking: Tracking, registered: Registered) -> dict[str, Any]:
    """Return what the tags of a run before `evaluation.json` was complete say, by the keys of that file."""
    tags = tracking.client.get_run(registered.run_id).data.tags
    leaks = tags.get("sintonia.may_leak")
    return {
        "may_leak": None if leaks is None else [] if leaks == "none" else leaks.split(", "),
        "lacks": tags["forced"].split("; ") if "forced" in tags else [],
        "labels_until": tags.get("sintonia.labels_until", ""),
        "evidence": tags.get("sintonia.evidence", "unknown"),
    }


def is_approved(tracking: Tracking, candidate: Registered) -> Requirement:
    """Return whether a reviewer approved the candidate, and its model and page are still what was approved."""
    decision = latest_decision(review_decisions(tracking, candidate.name), candidate.version)
    if decision is None:
        explanation = "nobody has read its page and signed: run `sintonia review`, then `sintonia approve`"
        return Requirement("approval", False, explanation)
    problem = objection(tracking, candidate, decision)
    explanation = problem or f"by {decision.reviewer} on {decision.at[:10]}, page {decision.page_digest[:12]}"
    return Requirement("approval", problem is None, explanation)


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
    model, task = (
        require_class(load_registered(tracking, champion), OutcomeModel),
        load_registered(tracking, candidate).task,
    )
    if (difference := differing_setting(model.task, task)) is not None:
        return Requirement("champion", False, f"{champion_name} answers another question: its {difference}")
    amount = find_task(task).label == "amount"
    try:
        predictions = _champion_predictions(tracking, settings, champion, model, rows)
    except NotBuiltError as error:
        return Requirement("champion", False, str(error))
    return beats_champion(rows, predictions, champion_name, amount=amount, seed=settings.seed)


def differing_setting(task: TaskConfig, candidate_task: TaskConfig) -> str | None:
    """Return which setting makes two tasks ask different things; None when they ask the same."""
    for name in (field.name for field in fields(task) if field.name not in SUFFICIENCY_SETTINGS):
        if getattr(task, name) != getattr(candidate_task, name):
            return f"task.{name} is {getattr(task, name)}, the candidate's {getattr(candidate_task, name)}"
    return None


def _champion_predictions(
    tracking: Tracking,
    settings: PromoteSettings | ReviewSettings,
    champion: Registered,
    model: OutcomeModel,
    rows: pa.Table,
) -> pa.Table:
    """Return the champion's predictions of the candidate's test rows: stored ones, else made now from the store.

    Raises
    ------
    NotBuiltError
        When it has learnt from labels that reach beyond the first of these rows: it would be judged on what it knows.
    """
    try:
        stored = read_table(tracking, champion.run_id, PREDICTIONS_FILE)
    except NotBuiltError:
        stored = None
    if stored is not None and covers(stored, rows):
        return stored
    dates = sorted(set(rows["as_of"].to_pylist()))
    if find_task(model.task).from_attribute:
        raise NotBuiltError(
            f"the champion, version {champion.version}, has learnt from customers that the candidate is judged on: "
            "train it again on this store with the same split"
        )
    labels_until = tracking.client.get_run(champion.run_id).data.tags.get("sintonia.labels_until")
    if labels_until is None or datetime.fromisoformat(labels_until) > dates[0]:
        raise NotBuiltError(
            f"the champion, version {champion.version}, has learnt from labels until "
            f"{labels_until or 'an unknown day'}, the candidate is judged from {dates[0]:%Y-%m-%d}: "
            "train it with a later split.test_as_of"
        )
    workspace = settings.paths.root
    dataset = assemble(open_store(workspace), dates, model.catalogue, model.task, settings.engine)
    return predictions_of(dataset, {"model": model.outcomes(dataset.values)}, workspace_key(workspace))


def beats_naive(evaluation: Evaluation) -> Requirement:
    """Return whether the candidate is surely better than every rule anybody could follow, out of time."""
    rules = [name for name in evaluation.baselines if name in NAIVE_RULES]
    if not rules:
        return Requirement("naive rule", False, "the run judged no naive rule; train it again")
    requirements = [_against("naive rule", f"the {rule}", evaluation, rule) for rule in rules]
    return next((requirement for requirement in requirements if not requirement.passed), requirements[0])


def beats_champion(
    candidate: pa.Table, champion: pa.Table, champion_name: str, *, amount: bool, seed: int
) -> Requirement:
    """Return whether the candidate is surely better than the champion on all of the candidate's test rows."""
    evaluation = evaluate_together({"candidate": candidate, "champion": champion}, amount=amount, seed=seed)
    if evaluation.rows < len(candidate):
        missing = (
            f"{champion_name} has no prediction for "
            f"{len(candidate) - evaluation.rows:,} of the candidate's test rows"
        )
        return Requirement("champion", False, missing)
    return _against(
        "champion", f"{champion_name} on the same {evaluation.rows:,} rows", evaluation, "champion"
    )


def _against(name: str, opponent_name: str, evaluation: Evaluation, opponent: str) -> Requirement:
    verdict, gap = evaluation.verdict(opponent), evaluation.differences[opponent][evaluation.headline]
    title = evaluation.metrics[0].title
    return Requirement(
        name, verdict == "better than", f"{verdict} {opponent_name}: {title} difference {gap.text()}"
    )


def is_calibrated(evaluation: Evaluation) -> Requirement:
    """Return whether propensities (or the total of amounts) can be read as they stand; at fault only surely."""
    estimates = evaluation.estimates[evaluation.model]
    if (error := estimates.get("calibration_error")) is not None:
        explanation = f"error {error.text()}, at fault with its lower end above {TOLERANCE}"
        return Requirement("calibration", error.low <= TOLERANCE, explanation)
    total = estimates["total_ratio"]
    explanation = f"total expected over true {total.text()}, at fault when surely {TOTAL_OFF:.0%} off"
    return Requirement("calibration", total.low <= 1 + TOTAL_OFF and total.high >= 1 - TOTAL_OFF, explanation)


def is_clean(may_leak: Sequence[str] | None, lacks: Sequence[str]) -> tuple[Requirement, Requirement]:
    """Return whether the leak check of the training found nothing, and whether there was enough to learn from.

    `may_leak` is None of a training without a leak check.
    """
    leaks = "not checked" if may_leak is None else ", ".join(may_leak)
    return (
        Requirement("leak check", not leaks, f"may leak: {leaks}" if leaks else "nothing may leak"),
        Requirement("enough data", not lacks, "; ".join(lacks) or "enough to learn from"),
    )
