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
from sintonia.evaluation.estimates import TOLERANCE, TOTAL_OFF, Evaluation
from sintonia.registry.approval import decisions, last_on, objection
from sintonia.registry.artifacts import EVALUATION, read_document, read_table
from sintonia.registry.models import Registered, Tracking, expect, load
from sintonia.registry.predictions import PREDICTIONS_FILE, covers, judge_together, predictions_of
from sintonia.training.dataset import assemble
from sintonia.training.models import OutcomeModel
from sintonia.training.tasks import find_task

NAIVE = ("naive rule", "recency rule", "spend so far")
"""Which baselines are rules that anybody could follow without a model."""

SUFFICIENCY = ("history_horizons", "class_rows", "missing_share", "force")
"""What of a task's settings changes neither who is asked about nor the answer."""


@dataclass(frozen=True)
class Requirement:
    """One requirement of a promotion, whether the candidate meets it, and the figures that explain why."""

    name: str
    passed: bool
    explanation: str


def outcome_checks(
    place: Tracking,
    settings: PromoteSettings | ReviewSettings,
    candidate: Registered,
    champion: Registered | None,
) -> list[Requirement]:
    """Return whether a model of outcomes meets each requirement of a promotion, in the order of the report."""
    recorded = read_evaluation(place, candidate)
    evaluation = Evaluation.from_plain(recorded)
    checks = [beats_naive(evaluation)]
    if champion is not None:
        checks.append(_against_champion(place, settings, candidate, champion))
    return [*checks, is_calibrated(evaluation), *is_clean(recorded["may_leak"], recorded["lacks"])]


def read_evaluation(place: Tracking, registered: Registered) -> dict[str, Any]:
    """Return a run's `evaluation.json`; what runs before it was whole had in their tags comes from these.

    `may_leak` are the columns that the leak check named, None where none was made; `lacks` is what there was too
    little of to learn from; `labels_until` the ISO date of the last label it learnt from, "" where unknown; `evidence`
    what the figures rest on.

    Raises
    ------
    NotBuiltError
        When the run has none: an earlier version of sintonia made it.
    """
    return {**evaluation_tags(place, registered), **read_document(place, registered.run_id, EVALUATION)}


def evaluation_tags(place: Tracking, registered: Registered) -> dict[str, Any]:
    """Return what the tags of a run before `evaluation.json` was complete say, by the keys of that file."""
    tags = place.client.get_run(registered.run_id).data.tags
    leaks = tags.get("sintonia.may_leak")
    return {
        "may_leak": None if leaks is None else [] if leaks == "none" else leaks.split(", "),
        "lacks": tags["forced"].split("; ") if "forced" in tags else [],
        "labels_until": tags.get("sintonia.labels_until", ""),
        "evidence": tags.get("sintonia.evidence", "unknown"),
    }


def is_approved(place: Tracking, candidate: Registered) -> Requirement:
    """Return whether a reviewer approved the candidate, and its model and page are still what was approved."""
    decision = last_on(decisions(place, candidate.name), candidate.version)
    if decision is None:
        why = "nobody has read its page and signed: run `sintonia review`, then `sintonia approve`"
        return Requirement("approval", False, why)
    against = objection(place, candidate, decision)
    why = against or f"by {decision.reviewer} on {decision.at[:10]}, page {decision.page_digest[:12]}"
    return Requirement("approval", against is None, why)


def _against_champion(
    place: Tracking,
    settings: PromoteSettings | ReviewSettings,
    candidate: Registered,
    champion: Registered,
) -> Requirement:
    named = f"the champion, version {champion.version}"
    if champion.version == candidate.version:
        return Requirement("champion", False, f"version {candidate.version} is the champion already")
    rows = read_table(place, candidate.run_id, PREDICTIONS_FILE)
    model, task = expect(load(place, champion), OutcomeModel), load(place, candidate).task
    if (difference := other_question(model.task, task)) is not None:
        return Requirement("champion", False, f"{named} answers another question: its {difference}")
    amount = find_task(task).label == "amount"
    try:
        predictions = _champion_predictions(place, settings, champion, model, rows)
    except NotBuiltError as error:
        return Requirement("champion", False, str(error))
    return beats_champion(rows, predictions, named, amount=amount, seed=settings.seed)


def other_question(one: TaskConfig, other: TaskConfig) -> str | None:
    """Return which setting makes two tasks ask different things; None when they ask the same."""
    for name in (field.name for field in fields(one) if field.name not in SUFFICIENCY):
        if getattr(one, name) != getattr(other, name):
            return f"task.{name} is {getattr(one, name)}, the candidate's {getattr(other, name)}"
    return None


def _champion_predictions(
    place: Tracking,
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
        stored = read_table(place, champion.run_id, PREDICTIONS_FILE)
    except NotBuiltError:
        stored = None
    if stored is not None and covers(stored, rows):
        return stored
    dates = sorted(set(rows["as_of"].to_pylist()))
    learnt = place.client.get_run(champion.run_id).data.tags.get("sintonia.labels_until")
    if learnt is None or datetime.fromisoformat(learnt) > dates[0]:
        raise NotBuiltError(
            f"the champion, version {champion.version}, has learnt from labels until {learnt or 'an unknown day'}, "
            f"the candidate is judged from {dates[0]:%Y-%m-%d}: train it with a later split.test_as_of"
        )
    workspace = settings.paths.root
    asked = assemble(open_store(workspace), dates, model.catalogue, model.task, settings.engine)
    return predictions_of(asked, {"model": model.outcomes(asked.values)}, workspace_key(workspace))


def beats_naive(judged: Evaluation) -> Requirement:
    """Return whether the candidate is surely better than every rule anybody could follow, out of time."""
    rules = [name for name in judged.baselines if name in NAIVE]
    if not rules:
        return Requirement("naive rule", False, "the run judged no naive rule; train it again")
    each = [_against("naive rule", f"the {rule}", judged, rule) for rule in rules]
    return next((one for one in each if not one.passed), each[0])


def beats_champion(
    candidate: pa.Table, champion: pa.Table, named: str, *, amount: bool, seed: int
) -> Requirement:
    """Return whether the candidate is surely better than the champion on all of the candidate's test rows."""
    judged = judge_together({"candidate": candidate, "champion": champion}, amount=amount, seed=seed)
    if judged.rows < len(candidate):
        missing = (
            f"{named} has no prediction for {len(candidate) - judged.rows:,} of the candidate's test rows"
        )
        return Requirement("champion", False, missing)
    return _against("champion", f"{named} on the same {judged.rows:,} rows", judged, "champion")


def _against(name: str, whom: str, judged: Evaluation, other: str) -> Requirement:
    verdict, gap = judged.verdict(other), judged.differences[other][judged.headline]
    title = judged.metrics[0].title
    return Requirement(name, verdict == "better than", f"{verdict} {whom}: {title} difference {gap.text()}")


def is_calibrated(judged: Evaluation) -> Requirement:
    """Return whether propensities (or the total of amounts) can be read as they stand; at fault only surely."""
    of = judged.estimates[judged.model]
    if (error := of.get("calibration_error")) is not None:
        why = f"error {error.text()}, at fault with its lower end above {TOLERANCE}"
        return Requirement("calibration", error.low <= TOLERANCE, why)
    total = of["total_ratio"]
    why = f"total expected over true {total.text()}, at fault when surely {TOTAL_OFF:.0%} off"
    return Requirement("calibration", total.low <= 1 + TOTAL_OFF and total.high >= 1 - TOTAL_OFF, why)


def is_clean(may_leak: Sequence[str] | None, lacks: Sequence[str]) -> tuple[Requirement, Requirement]:
    """Return whether the leak check of the training found nothing, and whether there was enough to learn from.

    `may_leak` is None of a training without a leak check.
    """
    leaks = "not checked" if may_leak is None else ", ".join(may_leak)
    return (
        Requirement("leak check", not leaks, f"may leak: {leaks}" if leaks else "nothing may leak"),
        Requirement("enough data", not lacks, "; ".join(lacks) or "enough to learn from"),
    )
