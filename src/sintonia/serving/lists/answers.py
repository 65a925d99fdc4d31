"""What is said of every row, in columns of our own: status and reason, then what each task says."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sintonia.core.arrays import Bools, Floats
from sintonia.core.errors import InputError
from sintonia.serving.lists.chunks import CATEGORY, MEDIAN, OUTCOME, REASON, TaskModel, percentile_of
from sintonia.serving.lists.read import CustomerList
from sintonia.serving.scoring import band
from sintonia.training.tasks import describe

STATUS, WHY = "list_status", "list_reason"


@dataclass(frozen=True)
class OutputColumn:
    """One of our columns: its name, and what its values are: text, a whole number, a share, an amount."""

    name: str
    kind: str = "text"

    @property
    def arrow(self) -> pa.DataType:
        """Its type where columns have types."""
        return {"text": pa.string(), "count": pa.int64()}.get(self.kind, pa.float64())

    @property
    def decimals(self) -> int | None:
        """How many decimals its values have as text, None where they are no fractions."""
        return {"share": 6, "amount": 2, "effect": 4}.get(self.kind)


ACTIONS = {
    "next_best_action": OutputColumn("next_best_action"),
    "channel": OutputColumn("channel"),
    "send_at": OutputColumn("send_at"),
    "effect": OutputColumn("effect", "effect"),
    "runner_up": OutputColumn("runner_up"),
    "arm": OutputColumn("arm"),
    "assignment_probability": OutputColumn("assignment_probability", "effect"),
    "next_best_action_reason": OutputColumn("next_best_action_reason"),
}
"""What would be done ('none': nothing), where, when by the customer's clock, and why; empty for who was reached."""


@dataclass
class Totals:
    """What is counted while rows are told: statuses, and by task its own statuses, bands and outcomes."""

    statuses: Counter[str] = field(default_factory=Counter)
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    tasks: dict[str, Counter[str]] = field(default_factory=dict)
    bands: dict[str, Counter[str]] = field(default_factory=dict)
    actions: Counter[tuple[str, str]] = field(default_factory=Counter)
    sums: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    @property
    def rows(self) -> int:
        """All rows: every one has one status."""
        return self.statuses.total()


@dataclass(frozen=True)
class Answers:
    """How rows are told: by which models, with which bands and reasons; `starts` as `percentile_starts` gives them."""

    models: Sequence[TaskModel]
    bands: Mapping[str, int]
    reasons: int
    starts: Mapping[str, Floats]
    acts: bool = False
    totals: Totals = field(default_factory=Totals)

    @property
    def columns(self) -> list[OutputColumn]:
        """Our columns, in their order."""
        told = [column for one in self.models for column in self._of_task(one)]
        return [OutputColumn(STATUS), OutputColumn(WHY), *told, *(ACTIONS.values() if self.acts else [])]

    def _of_task(self, one: TaskModel) -> list[OutputColumn]:
        task = one.task
        if one.model.predicts_amounts:
            said = [OutputColumn("expected_value", "amount"), OutputColumn("median_value", "amount")]
        else:
            said = [OutputColumn(f"{task}_propensity", "share")]
            said = [OutputColumn("next_category"), *said] if one.model.task.categories else said
        reasons = [OutputColumn(f"{task}_reason_{at + 1}") for at in range(self.reasons)]
        more = [OutputColumn(f"{task}_{name}") for name in ("status", "as_of", "model")]
        return [
            *said,
            OutputColumn(f"{task}_percentile", "count"),
            OutputColumn(f"{task}_band"),
            *reasons,
            *more,
        ]

    def check(self, customers: CustomerList) -> None:
        """Refuse a list that has one of our columns already.

        Raises
        ------
        InputError
            When it has.
        """
        taken = [column.name for column in self.columns if column.name in customers.header]
        if taken:
            raise InputError(
                f"'{customers.path.name}' has a column '{taken[0]}' already; rename or remove it first."
            )

    def of(self, rows: pa.Table) -> dict[str, pa.Array]:
        """Return our columns for rows with their status, reason and scores (null where there are none)."""
        status, why = (_whole(rows, name) for name in ("status", "reason"))
        told: dict[str, pa.Array] = {}
        scored = np.zeros(len(rows), bool)
        for one in self.models:
            there = _there(_whole(rows, f"{one.task}__{OUTCOME}"))
            told |= self._task(one, rows, there, status)
            scored |= there
        if self.acts:
            acted = {name: _whole(rows, f"action__{name}") for name in ACTIONS}
            told |= acted
            scored |= _there(acted["next_best_action"])
            self._count_actions(acted, status)
        only = "; ".join(f"{one.task}: only {describe(one.model.task)[0]}" for one in self.models)
        refused = pc.and_(pc.equal(status, "scored"), pa.array(~scored))
        status, why = pc.if_else(refused, "not eligible", status), pc.if_else(refused, only, why)
        self.totals.statuses.update(_counts(status))
        unmet = pc.is_in(status, pa.array(["unknown", "broken", "erased"]))
        self.totals.reasons.update(_pairs(status.filter(unmet), why.filter(unmet)))
        return {STATUS: status, WHY: _said(why), **told}

    def _task(self, one: TaskModel, rows: pa.Table, there: Bools, status: pa.Array) -> dict[str, pa.Array]:
        task, n = one.task, len(status)
        outcome = np.nan_to_num(rows[f"{task}__{OUTCOME}"].to_numpy(zero_copy_only=False).astype(float))
        percentile = pa.array(percentile_of(outcome, self.starts[task]), mask=~there)
        told = self._values(one, rows, outcome, there)
        told[f"{task}_percentile"] = percentile
        told[f"{task}_band"] = pa.array([band(at, self.bands) for at in range(101)]).take(percentile)
        for at in range(1, self.reasons + 1):
            told[f"{task}_{REASON}_{at}"] = _said(_whole(rows, f"{task}__{REASON}_{at}"))
        refused = f"not eligible: only {describe(one.model.task)[0]}"
        known = pc.is_in(status, pa.array(["scored", "duplicate"]))
        told[f"{task}_status"] = pc.if_else(pa.array(there), "scored", pc.if_else(known, refused, status))
        place = pa.array(np.zeros(n, np.int64), mask=~there)
        told[f"{task}_as_of"] = pa.array([f"{one.as_of:%Y-%m-%d}"]).take(place)
        told[f"{task}_model"] = pa.array([f"{one.registered.name} v{one.registered.version}"]).take(place)
        first = there & pc.equal(status, "scored").to_numpy(zero_copy_only=False)
        self._count(one, told, first, outcome)
        return told

    def _values(self, one: TaskModel, rows: pa.Table, outcome: Floats, there: Bools) -> dict[str, pa.Array]:
        task = one.task
        if one.model.predicts_amounts:
            expected = {"expected_value": pa.array(outcome / 100, mask=~there)}
            if f"{task}__{MEDIAN}" not in rows.column_names:
                return {**expected, "median_value": pa.nulls(len(rows), pa.float64())}
            median = np.nan_to_num(rows[f"{task}__{MEDIAN}"].to_numpy(zero_copy_only=False).astype(float))
            return {**expected, "median_value": pa.array(median / 100, mask=~there)}
        found = {f"{task}_propensity": pa.array(outcome, mask=~there)}
        if not one.model.task.categories:
            return found
        return {"next_category": _whole(rows, f"{task}__{CATEGORY}"), **found}

    def _count(self, one: TaskModel, told: Mapping[str, pa.Array], first: Bools, outcome: Floats) -> None:
        """Count a task's rows by status, and its customers, each once, by band."""
        statuses = self.totals.tasks.setdefault(one.task, Counter())
        for word, rows in _counts(told[f"{one.task}_status"]).items():
            statuses["not eligible" if word.startswith("not eligible") else word] += rows
        bands = told[f"{one.task}_band"].filter(pa.array(first))
        self.totals.bands.setdefault(one.task, Counter()).update(_counts(bands))
        self.totals.sums[one.task] += outcome[first].sum()
        if not one.model.predicts_amounts:
            self.totals.sums[f"{one.task} variance"] += (outcome[first] * (1 - outcome[first])).sum()
        self.totals.sums[f"{one.task} customers"] += int(first.sum())

    def _count_actions(self, acted: Mapping[str, pa.Array], status: pa.Array) -> None:
        """Count customers, each once, by what would be done and where."""
        first = pc.and_(pc.equal(status, "scored"), acted["next_best_action"].is_valid())
        action, channel = (acted[name].filter(first) for name in ("next_best_action", "channel"))
        self.totals.actions.update(_pairs(action, channel.fill_null("")))


def _whole(rows: pa.Table, name: str) -> pa.Array:
    return rows[name].combine_chunks()


def _there(column: pa.Array) -> Bools:
    found: Bools = column.is_valid().to_numpy(zero_copy_only=False)
    return found


def _said(texts: pa.Array) -> pa.Array:
    """Return the texts, null where one says nothing."""
    return pc.if_else(pc.not_equal(texts, ""), texts, pa.scalar(None, pa.string()))


def _counts(column: pa.Array) -> dict[Any, int]:
    """Return how often each value comes, in the order in which they first do."""
    return {row["values"]: row["counts"] for row in pc.value_counts(column).to_pylist()}


def _pairs(one: pa.Array, other: pa.Array) -> dict[tuple[Any, Any], int]:
    """Return how often each pair of values comes, in the order in which they first do."""
    table = pa.table({"one": one, "other": other})
    found = table.group_by(["one", "other"], use_threads=False).aggregate([([], "count_all")])
    return {(row["one"], row["other"]): row["count_all"] for row in found.to_pylist()}
