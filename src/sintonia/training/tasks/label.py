"""Eligibility and labels of customers at as-of dates, from whole customers' interactions."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sintonia.core.arrays import Ints
from sintonia.core.config import TaskConfig
from sintonia.core.errors import ConfigError, unknown
from sintonia.core.timeline import label_span
from sintonia.data.store import Store
from sintonia.training.tasks.task import Task, find_task

NEVER = np.iinfo(np.int64).max

SHOWN_VALUES = 5
"""Values of a label that an error lists; of a label there are few, and each is many customers'."""


def label_rows(
    interactions: pa.Table,
    as_ofs: Sequence[datetime],
    config: TaskConfig,
    merges: pa.Table | None = None,
    task: Task | None = None,
    attributes: pa.Table | None = None,
) -> pa.Table:
    """Return who is eligible when, with the label: one row per eligible (customer_id, as_of).

    Columns: `customer_id`, `as_of` and `label` (int8, 1 = it happens; or int64 cents). A task by category has a row
    per (customer_id, as_of, category) and the column `category` (int16), the place in `config.categories`.
    Eligibility sees what is visible at as_of, an interaction in (as_of - active_days, as_of]; the label sees all of
    (as_of + gap, as_of + gap + horizon], whenever it became known, for it is the truth and not a feature: of a row with
    several versions the newest, and nothing of a deleted one. Where the horizon is not over yet the label tells only of
    what has happened so far.

    Parameters
    ----------
    interactions
        Whole customers in the order of the contract.
    merges
        Customers that became part of others, in the contract's columns. Until its merge such a customer is one of
        its own, and what its person does counts for it; from then on it is no customer any more.
    task
        Another question about the configuration's dates and days, as `spending` makes it.
    attributes
        The customers' attributes, from which a task `from_attribute` takes its label: -1 where none is known.
    """
    task = task or find_task(config)
    inputs = _label_inputs(interactions, config, merges, task)
    tables = []
    for as_of in as_ofs:
        now, since = _to_microseconds(as_of), _to_microseconds(as_of - timedelta(days=config.active_days))
        start, end = (
            _to_microseconds(as_of + timedelta(days=config.gap_days)),
            _to_microseconds(as_of + label_span(config)),
        )
        rows = np.flatnonzero(inputs.eligible(since, now) & (now < inputs.merged_at))
        if task.from_attribute:
            label = _attribute_labels(inputs.customers, attributes, config, now)[rows]
        else:
            label = inputs.label(task, start, end)[inputs.person[rows]]
        tables.append(_snapshot_rows(inputs.customers, rows, now, label))
    keys = [("customer_id", "ascending"), ("as_of", "ascending")]
    # Categories stay in their order: the sort is stable.
    return pa.concat_tables(tables).sort_by(keys + [("category", "ascending")] * task.by_category)


def newest_data(store: Store, config: TaskConfig) -> datetime:
    """Return until when the data tell of a task's label: of an attribute, the newest row of any silo."""
    task = find_task(config)
    return store.data_end() if task.from_attribute else store.data_until(task.label_kinds)


def choose_positive(config: TaskConfig, attributes: Iterable[pa.Table]) -> TaskConfig:
    """Return the configuration with those of its positive values that the label has, as they are written there.

    A task whose label is no attribute stays as it is.

    Raises
    ------
    ConfigError
        When the store has no such attribute, or none of its values is positive, or all are.
    """
    if not find_task(config).from_attribute:
        return config
    counts: Counter[str] = Counter()
    names: set[str] = set()
    for table in attributes:
        name = table["name"].cast(pa.string())
        names |= set(pc.unique(name).to_pylist())
        counts.update(table.filter(pc.equal(name, config.attribute))["value"].to_pylist())
    if not counts:
        raise unknown("task.attribute", config.attribute, names)
    accepted = {value.casefold() for value in config.positive}
    positive = sorted(value for value in counts if value.casefold() in accepted)
    if not positive or len(positive) == len(counts):
        shown = ", ".join(f"'{value}' ({count:,})" for value, count in counts.most_common(SHOWN_VALUES))
        raise ConfigError(
            f"task.positive={config.positive}: {'all' if positive else 'none'} of {counts.total():,} values of the "
            f"attribute '{config.attribute}' {'are' if positive else 'is'} positive; it has {shown}. "
            f"Give task.positive=[...] with some of them."
        )
    return replace(config, positive=positive)


@dataclass(frozen=True)
class _LabelInputs:
    """Interactions as arrays: whose, when, whether they make or end eligibility and whether they count.

    Rows are visible from `visible` up to and without `gone`, and `counts` only those that hold to this day.
    `category` is the place among the categories asked about, -1 for another, and `n_categories` is 0 where no
    category is asked about; `cents` is empty unless amounts are.
    """

    customers: pa.Array
    codes: Ints
    person: Ints
    merged_at: Ints
    occurred: Ints
    visible: Ints
    gone: Ints | None  # when each row ended; None if none did
    starts: NDArray[np.bool_]
    ends: NDArray[np.bool_]
    counts: NDArray[np.bool_]
    cents: Ints
    category: Ints
    n_categories: int

    def eligible(self, since: int, now: int) -> NDArray[np.bool_]:
        """Return who has a start in (since, now] and no later end, as visible now.  # (n_customers,)"""
        shown = self.visible <= now
        if self.gone is not None:
            shown &= self.gone > now
        started = _any_by_code(self.codes, self.starts & shown & (self.occurred > since), len(self.customers))
        if not self.ends.any():
            return started
        last = np.full((2, len(self.customers)), np.iinfo(np.int64).min)
        for row, which in enumerate((self.starts, self.ends)):
            chosen = which & shown
            np.maximum.at(last[row], self.codes[chosen], self.occurred[chosen])
        running: NDArray[np.bool_] = started & (last[0] > last[1])
        return running

    def label(self, task: Task, start: int, end: int) -> NDArray[Any]:
        """Return what happens to each person in (start, end].  # (n_customers,), or (n_customers, n_categories)"""
        rows = self.counts & (self.occurred > start) & (self.occurred <= end)
        whose, n_customers = self.person[self.codes], len(self.customers)
        if task.label == "amount":
            cents = np.zeros(n_customers, np.int64)
            np.add.at(cents, whose[rows], self.cents[rows])
            return np.maximum(cents, 0)
        if task.by_category:
            rows &= self.category >= 0
            cells = whose * self.n_categories + self.category
            happened = _any_by_code(cells, rows, n_customers * self.n_categories)
            return happened.reshape(n_customers, self.n_categories).astype(np.int8)
        return (_any_by_code(whose, rows, n_customers) ^ task.absence).astype(np.int8)


def _attribute_labels(
    customers: pa.Array, attributes: pa.Table | None, config: TaskConfig, now: int
) -> NDArray[np.int8]:
    """Return whether each customer's attribute, as visible now, is positive; -1 without one.  # (n_customers,)"""
    labels = np.full(len(customers), -1, np.int8)
    if attributes is None:
        return labels
    named = attributes.filter(pc.equal(attributes["name"].cast(pa.string()), config.attribute))
    named = named.sort_by([("occurred_at", "ascending"), ("known_at", "ascending")])
    whose = _index_in(named["customer_id"].cast(pa.string()), customers)
    visible = np.maximum(_microseconds(named, "occurred_at"), _microseconds(named, "known_at")) <= now
    accepted = {value.casefold() for value in config.positive}
    positive = np.array([value.casefold() in accepted for value in named["value"].to_pylist()], np.int8)
    counted = visible & (whose >= 0)
    # Of several values the last one stays: they lie in the order of their times.
    labels[whose[counted]] = positive[counted]
    return labels


def _label_inputs(
    interactions: pa.Table, config: TaskConfig, merges: pa.Table | None, task: Task
) -> _LabelInputs:
    customers, codes = _customer_codes(interactions)
    person, merged_at = _persons(customers, merges)
    occurred, gone = _microseconds(interactions, "occurred_at"), _ends(interactions)
    none, kind = np.empty(0, np.int64), interactions["kind"].cast(pa.string())
    counts = _is_kind(kind, task.label_kinds)
    return _LabelInputs(
        customers=customers,
        codes=codes,
        person=person,
        merged_at=merged_at,
        occurred=occurred,
        visible=np.maximum(occurred, _microseconds(interactions, "known_at")),
        gone=gone,
        starts=_is_kind(kind, task.eligible_kinds),
        ends=_is_kind(kind, task.ending_kinds),
        counts=counts if gone is None else counts & (gone == NEVER),
        cents=pc.fill_null(interactions["amount"], 0).to_numpy() if task.label == "amount" else none,
        category=_index_in(
            interactions["category"].cast(pa.string()), pa.array(config.categories, pa.string())
        )
        if task.by_category
        else none,
        n_categories=len(config.categories) if task.by_category else 0,
    )


def _snapshot_rows(customers: pa.Array, rows: Ints, now: int, label: NDArray[Any]) -> pa.Table:
    """Return one as-of date's rows; labels of several categories are laid out one row each."""
    per_row = label.shape[1] if label.ndim == 2 else 1
    at = pa.array(np.full(len(rows) * per_row, now), pa.int64()).cast(pa.timestamp("us"))
    columns = {"customer_id": customers.take(pa.array(np.repeat(rows, per_row))), "as_of": at}
    if label.ndim == 2:
        columns["category"] = pa.array(np.tile(np.arange(per_row, dtype=np.int16), len(rows)))
    return pa.table({**columns, "label": label.ravel()})


def _customer_codes(interactions: pa.Table) -> tuple[pa.Array, Ints]:
    """Return the customers in order of appearance and each row's number among them."""
    encoded = interactions["customer_id"].combine_chunks().cast(pa.string()).dictionary_encode()
    return encoded.dictionary, encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)


def _persons(customers: pa.Array, merges: pa.Table | None) -> tuple[Ints, Ints]:
    """Return for each customer the number of the one it belongs to now, and when it stopped being one."""
    person = np.arange(len(customers))
    merged_at = np.full(len(customers), np.iinfo(np.int64).max)
    if merges is None or not merges.num_rows:
        return person, merged_at
    rows = _index_in(customers, merges["customer_id"])
    gone = np.flatnonzero(rows >= 0)
    merged_at[gone] = _microseconds(merges, "merged_at")[rows[gone]]
    into = _index_in(merges["merged_into"].take(pa.array(rows[gone])), customers)
    # A successor that is not among these customers has done nothing that could count here.
    person[gone] = np.where(into >= 0, into, gone)
    return person, merged_at


def _index_in(values: Any, among: Any) -> Ints:  # noqa: ANN401  Arrow has no types of its own
    """Return the place of each value among others, -1 for none."""
    indices = pc.fill_null(pc.index_in(values, among, skip_nulls=True), -1)
    return np.asarray(indices, np.int64)


def _microseconds(interactions: pa.Table, column: str) -> Ints:
    values: Ints = interactions[column].cast(pa.int64()).to_numpy()
    return values


def _ends(interactions: pa.Table) -> Ints | None:
    """Return when each row ended, NEVER where it did not; None if none did."""
    if "known_until" not in interactions.column_names:
        return None
    column = interactions["known_until"]
    if column.null_count == len(column):
        return None
    ends: Ints = column.cast(pa.int64()).fill_null(NEVER).to_numpy()
    return ends


def _to_microseconds(moment: datetime) -> int:
    return int(np.datetime64(moment, "us").astype(np.int64))


def _is_kind(kind: pa.ChunkedArray, kinds: Sequence[str]) -> NDArray[np.bool_]:
    if not kinds:
        return np.zeros(len(kind), np.bool_)
    matches: NDArray[np.bool_] = pc.is_in(kind, pa.array(kinds, pa.string())).to_numpy(zero_copy_only=False)
    return matches


def _any_by_code(codes: Ints, rows: NDArray[np.bool_], n_codes: int) -> NDArray[np.bool_]:
    happened: NDArray[np.bool_] = np.bincount(codes[rows], minlength=n_codes) > 0
    return happened
