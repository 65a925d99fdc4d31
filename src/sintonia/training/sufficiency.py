"""Whether there are enough data to train: length of history, rows of each outcome, and the fields a task needs.

Counted before features are computed, so that too little data is reported within seconds. A figure below its minimum
raises an error that says what is missing and what to do; with `task.force=true` training goes on and the run is marked.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sintonia.core.config import TaskConfig
from sintonia.core.errors import NotEnoughDataError
from sintonia.core.timeline import Split
from sintonia.data.store import Store
from sintonia.training import tasks

COLUMNS_READ = ("customer_id", "occurred_at", "known_at", "known_until", "kind", "amount", "category")


@dataclass(frozen=True)
class Sufficiency:
    """The amount of training data, and what of it is too little.

    Attributes
    ----------
    history_days
        From the first interaction of the label's kinds to where the last silo that tells of them ends.
    rows
        Training and validation rows by outcome: 'yes' and 'no'.
    missing
        Key field to the share of the purchases that lack it.
    lacks
        What is too little, one sentence each, with what to do; none when there is enough.
    """

    history_days: float
    rows: Mapping[str, int]
    missing: Mapping[str, float]
    lacks: tuple[str, ...]

    def figures(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def measure_sufficiency(store: Store, split: Split, task: TaskConfig) -> Sufficiency:
    """Return how much data the store has for a task at the training and validation dates.

    Raises
    ------
    NotEnoughDataError
        When there is too little data and the task does not set `force`.
    """
    kinds = tasks.label_kinds(task)
    history_days = (store.data_until(kinds) - store.data_from(kinds)).total_seconds() / 86400
    rows, missing = _count(store, split, task)
    lacks = (
        *_history_shortfall(history_days, task),
        *_outcome_shortfalls(rows, task),
        *_field_shortfalls(missing, task),
    )
    if lacks and not task.force:
        raise NotEnoughDataError(
            f"Too little data for task '{task.name}': {'; '.join(lacks)}. "
            f"Or override with task.force=true, which is recorded."
        )
    return Sufficiency(round(history_days, 2), rows, missing, lacks)


def _count(store: Store, split: Split, task: TaskConfig) -> tuple[dict[str, int], dict[str, float]]:
    """Return training and validation rows by outcome, and by key field the share of the purchases without it."""
    merges, from_attribute = store.read_merges(), tasks.find_task(task).from_attribute
    dates = sorted({*split.train, *split.valid})
    fields = tasks.find_task(task).key_fields
    rows, purchases, without_value = {"yes": 0, "no": 0}, 0, dict.fromkeys(fields, 0)
    for path in store.buckets:
        interactions = store.read_bucket(path, columns=COLUMNS_READ)
        attributes = store.read_beside("attributes", path) if from_attribute else None
        labelled = tasks.label_rows(interactions, dates, task, merges, attributes=attributes)
        label = np.asarray(labelled["label"].to_numpy())
        if split.shares is not None:
            part = [split.shares.part(customer) for customer in labelled["customer_id"].to_pylist()]
            label = label[(np.array(part, object) != "test") & (label >= 0)]
        rows["yes"] += int((label > 0).sum())
        rows["no"] += int((label <= 0).sum())
        is_purchase = pc.equal(interactions["kind"].cast(pa.string()), "purchase")
        counted = interactions.filter(pc.and_(is_purchase, interactions["known_until"].is_null()))
        purchases += len(counted)
        for name in fields:
            without_value[name] += counted[name].null_count
    return rows, {name: round(count / max(purchases, 1), 6) for name, count in without_value.items()}


def _history_shortfall(days: float, task: TaskConfig) -> list[str]:
    need = task.history_horizons * task.horizon_days
    if days >= need:
        return []
    return [
        f"{days:.0f} days of history where {need:.0f} are needed, {task.history_horizons:g} times the horizon "
        "(bring older data, or shorten task.horizon_days)"
    ]


def _outcome_shortfalls(rows: Mapping[str, int], task: TaskConfig) -> list[str]:
    phrases = {"yes": "with the outcome", "no": "without the outcome"}
    return [
        f"{count:,} training rows {phrases[name]} where {task.class_rows:,} are needed "
        f"(bring more customers, or {'lower split.test_share' if task.attribute else 'raise split.snapshots'})"
        for name, count in rows.items()
        if count < task.class_rows
    ]


def _field_shortfalls(missing: Mapping[str, float], task: TaskConfig) -> list[str]:
    return [
        f"{share:.0%} of the purchases have no {name} where {task.missing_share:.0%} may lack it "
        f"(map {name} in the source)"
        for name, share in missing.items()
        if share > task.missing_share
    ]
