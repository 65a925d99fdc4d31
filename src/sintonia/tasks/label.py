"""Eligibility and labels of customers at as-of dates, from whole customers' interactions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sintonia.config import TaskConfig
from sintonia.errors import unknown
from sintonia.schema import KINDS
from sintonia.timeline import label_span


@dataclass(frozen=True)
class Task:
    """One question about a customer: who is asked about, and what happens or fails to happen to whom.

    A customer is eligible with a visible interaction of an `eligible_kinds` in the last `active_days`, and the
    label says whether an interaction of a `label_kinds` falls into the horizon, or, with `absence`, that none does.
    """

    name: str
    eligible_kinds: tuple[str, ...]
    label_kinds: tuple[str, ...]
    absence: bool
    population: str
    outcome: str


TASKS = {
    "churn": Task(
        name="churn",
        eligible_kinds=("purchase",),
        label_kinds=("purchase",),
        absence=True,
        population="customers who bought in the last {active_days} days",
        outcome="buys nothing",
    ),
    "purchase": Task(
        name="purchase",
        eligible_kinds=tuple(kind for kind in KINDS if kind != "send"),
        label_kinds=("purchase",),
        absence=False,
        population="customers who did anything in the last {active_days} days",
        outcome="buys",
    ),
}
"""The tasks by name. Being sent something is the brand's doing, so it makes nobody active."""


def find_task(config: TaskConfig) -> Task:
    """Return the task of a configuration.

    Raises
    ------
    ConfigError
        For a task nobody knows.
    """
    if config.name not in TASKS:
        raise unknown("task", config.name, TASKS)
    return TASKS[config.name]


def describe(config: TaskConfig) -> tuple[str, str]:
    """Return in words who is asked about and what is predicted.

    Examples
    --------
    >>> describe(TaskConfig(name="churn", active_days=56, horizon_days=28))
    ('customers who bought in the last 56 days', 'buys nothing in the 28 days after the as-of date')
    """
    task = find_task(config)
    after = f" that start {config.gap_days} days after" if config.gap_days else " after"
    outcome = f"{task.outcome} in the {config.horizon_days} days{after} the as-of date"
    return task.population.format(active_days=config.active_days), outcome


def define_label(config: TaskConfig) -> str:
    """Return the label's exact definition.

    Examples
    --------
    >>> print(define_label(TaskConfig(name="churn", active_days=56, gap_days=7, horizon_days=28)))
    1 when no interaction of kind purchase falls into (as_of + 7 days, as_of + 35 days], else 0.
    """
    task = find_task(config)
    start = f"as_of + {config.gap_days} days" if config.gap_days else "as_of"
    end = f"as_of + {config.gap_days + config.horizon_days} days"
    which = "no" if task.absence else "an"
    return f"1 when {which} interaction of kind {' or '.join(task.label_kinds)} falls into ({start}, {end}], else 0."


def label_kinds(config: TaskConfig) -> tuple[str, ...]:
    """Return the kinds of interaction the label looks at."""
    return find_task(config).label_kinds


def columns_read() -> tuple[str, ...]:
    """Return the columns of the interactions that eligibility and label read; no other need be loaded."""
    return ("customer_id", "occurred_at", "known_at", "kind")


def label_rows(
    interactions: pa.Table, as_ofs: Sequence[datetime], config: TaskConfig, merges: pa.Table | None = None
) -> pa.Table:
    """Return who is eligible when, with the label: one row per eligible (customer_id, as_of).

    Columns: `customer_id`, `as_of` and `label` (int8, 1 = it happens). Eligibility sees what is visible at as_of,
    an interaction in (as_of - active_days, as_of]; the label sees all of (as_of + gap, as_of + gap + horizon],
    whenever it became known, for it is the truth and not a feature. Where the horizon is not over yet the label
    tells only of what has happened so far.

    Parameters
    ----------
    interactions
        Whole customers in the order of the contract.
    merges
        Customers that became part of others, in the contract's columns. Until its merge such a customer is one of
        its own, and what its person does counts for it; from then on it is no customer any more.
    """
    task = find_task(config)
    customers, codes = _codes(interactions)
    person, merged_at = _persons(customers, merges)
    occurred, known = _micros(interactions, "occurred_at"), _micros(interactions, "known_at")
    active, counted = _is_kind(interactions, task.eligible_kinds), _is_kind(interactions, task.label_kinds)
    visible = np.maximum(occurred, known)
    tables = []
    for as_of in as_ofs:
        now, since = _micro(as_of), _micro(as_of - timedelta(days=config.active_days))
        start, end = _micro(as_of + timedelta(days=config.gap_days)), _micro(as_of + label_span(config))
        eligible = _any(codes, active & (occurred > since) & (visible <= now), len(customers))
        happened = _any(person[codes], counted & (occurred > start) & (occurred <= end), len(customers))
        rows = np.flatnonzero(eligible & (now < merged_at))
        label = (happened[person[rows]] ^ task.absence).astype(np.int8)
        at = pa.array(np.full(len(rows), now), pa.int64()).cast(pa.timestamp("us"))
        tables.append(pa.table({"customer_id": customers.take(pa.array(rows)), "as_of": at, "label": label}))
    return pa.concat_tables(tables).sort_by([("customer_id", "ascending"), ("as_of", "ascending")])


def _codes(interactions: pa.Table) -> tuple[pa.Array, NDArray[np.int64]]:
    """Return the customers in order of appearance and each row's number among them."""
    encoded = interactions["customer_id"].combine_chunks().cast(pa.string()).dictionary_encode()
    return encoded.dictionary, encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)


def _persons(customers: pa.Array, merges: pa.Table | None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return for each customer the number of the one it belongs to now, and when it stopped being one."""
    person = np.arange(len(customers))
    merged_at = np.full(len(customers), np.iinfo(np.int64).max)
    if merges is None or not merges.num_rows:
        return person, merged_at
    rows = _places(customers, merges["customer_id"])
    gone = np.flatnonzero(rows >= 0)
    merged_at[gone] = _micros(merges, "merged_at")[rows[gone]]
    into = _places(merges["merged_into"].take(pa.array(rows[gone])), customers)
    # A successor that is not among these customers has done nothing that could count here.
    person[gone] = np.where(into >= 0, into, gone)
    return person, merged_at


def _places(values: Any, among: Any) -> NDArray[np.int64]:  # noqa: ANN401  Arrow has no types of its own
    """Return the place of each value among others, -1 for none."""
    found = pc.fill_null(pc.index_in(values, among), -1)
    return np.asarray(found, np.int64)


def _micros(interactions: pa.Table, column: str) -> NDArray[np.int64]:
    found: NDArray[np.int64] = interactions[column].cast(pa.int64()).to_numpy()
    return found


def _micro(moment: datetime) -> int:
    return int(np.datetime64(moment, "us").astype(np.int64))


def _is_kind(interactions: pa.Table, kinds: Sequence[str]) -> NDArray[np.bool_]:
    column: Any = interactions["kind"].cast(pa.string())
    found: NDArray[np.bool_] = pc.is_in(column, pa.array(kinds)).to_numpy(zero_copy_only=False)
    return found


def _any(codes: NDArray[np.int64], rows: NDArray[np.bool_], n_customers: int) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = np.bincount(codes[rows], minlength=n_customers) > 0
    return found
