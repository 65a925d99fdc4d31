"""The gate before the champion: what a candidate must show, and the figures that say whether it does."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from sintonia.approval import decisions, last_on, objection
from sintonia.config import PromoteSettings, ReviewSettings, TaskConfig
from sintonia.errors import NotBuiltError
from sintonia.estimates import TOLERANCE, TOTAL_OFF, Evaluation
from sintonia.interactions import open_store
from sintonia.model import Model
from sintonia.predictions import PREDICTIONS_FILE, covers, judge_together, predictions_of
from sintonia.pseudonyms import workspace_key
from sintonia.registry import Registered, Tracking, load
from sintonia.review import ReviewData
from sintonia.run_files import REVIEW, read_document, read_table
from sintonia.tasks import find_task
from sintonia.training_set import assemble

NAIVE = ("naive rule", "recency rule", "spend so far")
"""Which baselines are rules that anybody could follow without a model."""

SUFFICIENCY = ("history_horizons", "class_rows", "missing_share", "force")
"""What of a task's settings changes neither who is asked about nor the answer."""


@dataclass(frozen=True)
class Requirement:
    """One thing a candidate must show, whether it does, and the figures that say so."""

    name: str
    passed: bool
    told: str


def requirements(
    place: Tracking,
    settings: PromoteSettings | ReviewSettings,
    candidate: Registered,
    champion: Registered | None,
) -> list[Requirement]:
    """Return everything the candidate's figures must show, in the order in which it is told."""
    tags = place.client.get_run(candidate.run_id).data.tags
    judged = ReviewData.from_plain(read_document(place, candidate.run_id, REVIEW)).evaluation
    gate = [beats_naive(judged)]
    if champion is not None:
        gate.append(_against_champion(place, settings, candidate, champion))
    return [*gate, is_calibrated(judged), *is_clean(tags)]


def is_approved(place: Tracking, candidate: Registered) -> Requirement:
    """Return whether a reviewer approved the candidate, and its model and page are still what was approved."""
    decision = last_on(decisions(place, candidate.name), candidate.version)
    if decision is None:
        told = "nobody has read its page and signed: run `sintonia review`, then `sintonia approve`"
        return Requirement("approval", False, told)
    against = objection(place, candidate, decision)
    told = against or f"by {decision.reviewer} on {decision.at[:10]}, page {decision.page_digest[:12]}"
    return Requirement("approval", against is None, told)


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
    model, now = load(place, champion), load(place, candidate)
    if (other := _other_question(model.task, now.task)) is not None:
        return Requirement("champion", False, f"{named} answers another question: its {other}")
    amount = find_task(now.task).label == "amount"
    try:
        said = _said_by(place, settings, (champion, model), rows)
    except NotBuiltError as error:
        return Requirement("champion", False, str(error))
    return beats_champion(rows, said, named, amount=amount, seed=settings.seed)


def _other_question(one: TaskConfig, other: TaskConfig) -> str | None:
    """Return which setting makes two tasks ask different things; None when they ask the same."""
    for name in (field.name for field in fields(one) if field.name not in SUFFICIENCY):
        if getattr(one, name) != getattr(other, name):
            return f"task.{name} is {getattr(one, name)}, the candidate's {getattr(other, name)}"
    return None


def _said_by(
    place: Tracking,
    settings: PromoteSettings | ReviewSettings,
    champion: tuple[Registered, Model],
    rows: pa.Table,
) -> pa.Table:
    """Return the champion's predictions of the candidate's test rows: kept ones, else made now from the store.

    Raises
    ------
    NotBuiltError
        When it has learnt from labels that reach beyond the first of these rows: it would be judged on what it knows.
    """
    registered, model = champion
    try:
        kept = read_table(place, registered.run_id, PREDICTIONS_FILE)
    except NotBuiltError:
        kept = None
    if kept is not None and covers(kept, rows):
        return kept
    dates = sorted(set(rows["as_of"].to_pylist()))
    learnt = place.client.get_run(registered.run_id).data.tags.get("sintonia.labels_until")
    if learnt is None or datetime.fromisoformat(learnt) > dates[0]:
        raise NotBuiltError(
            f"the champion, version {registered.version}, has learnt from labels until {learnt or 'an unknown day'}, "
            f"the candidate is judged from {dates[0]:%Y-%m-%d}: train it with a later split.test_as_of"
        )
    workspace = Path(settings.workspace)
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
        told = f"{named} has no prediction for {len(candidate) - judged.rows:,} of the candidate's test rows"
        return Requirement("champion", False, told)
    return _against("champion", f"{named} on the same {judged.rows:,} rows", judged, "champion")


def _against(name: str, whom: str, judged: Evaluation, other: str) -> Requirement:
    verdict, gap = judged.verdict(other), judged.differences[other][judged.headline]
    title = judged.metrics[0].title
    return Requirement(name, verdict == "better than", f"{verdict} {whom}: {title} difference {gap.text()}")


def is_calibrated(judged: Evaluation) -> Requirement:
    """Return whether propensities (or the total of amounts) can be read as they stand; at fault only surely."""
    of = judged.estimates[judged.model]
    if (error := of.get("calibration_error")) is not None:
        told = f"error {error.text()}, at fault with its lower end above {TOLERANCE}"
        return Requirement("calibration", error.low <= TOLERANCE, told)
    total = of["total_ratio"]
    told = f"total expected over true {total.text()}, at fault when surely {TOTAL_OFF:.0%} off"
    return Requirement("calibration", total.low <= 1 + TOTAL_OFF and total.high >= 1 - TOTAL_OFF, told)


def is_clean(tags: Mapping[str, str]) -> tuple[Requirement, Requirement]:
    """Return whether the leak check of the training found nothing, and whether there was enough to learn from."""
    leaks, forced = tags.get("sintonia.may_leak", "not checked"), tags.get("forced")
    return (
        Requirement(
            "leak check", leaks == "none", "nothing may leak" if leaks == "none" else f"may leak: {leaks}"
        ),
        Requirement("enough data", forced is None, forced or "enough to learn from"),
    )
