"""What is said of every row, in columns of our own: status and reason, then what each task says."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from sintonia.errors import InputError
from sintonia.lists.chunks import CATEGORY, MEDIAN, OUTCOME, REASON, Floats, TaskModel, percentile_of
from sintonia.lists.read import CustomerList
from sintonia.scoring import band
from sintonia.tasks import describe

STATUS, WHY = "list_status", "list_reason"
Values = list[Any]


@dataclass(frozen=True)
class Column:
    """One of our columns: its name, and what its values are: text, a whole number, a share, euros."""

    name: str
    kind: str = "text"

    @property
    def arrow(self) -> pa.DataType:
        """Its type where columns have types."""
        return {"text": pa.string(), "count": pa.int64()}.get(self.kind, pa.float64())

    @property
    def decimals(self) -> int | None:
        """How many decimals its values have as text, None where they are no fractions."""
        return {"share": 6, "euros": 2, "effect": 4}.get(self.kind)


ACTIONS = {
    "next_best_action": Column("next_best_action"),
    "channel": Column("channel"),
    "send_at": Column("send_at"),
    "effect": Column("effect", "effect"),
    "runner_up": Column("runner_up"),
    "arm": Column("arm"),
    "assignment_probability": Column("assignment_probability", "effect"),
    "next_best_action_reason": Column("next_best_action_reason"),
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
    def columns(self) -> list[Column]:
        """Our columns, in their order."""
        told = [column for one in self.models for column in self._of_task(one)]
        return [Column(STATUS), Column(WHY), *told, *(ACTIONS.values() if self.acts else [])]

    def _of_task(self, one: TaskModel) -> list[Column]:
        task = one.task
        if one.model.median_trees:
            said = [Column("expected_value", "euros"), Column("median_value", "euros")]
        else:
            said = [Column(f"{task}_propensity", "share")]
            said = [Column("next_category"), *said] if one.model.task.categories else said
        reasons = [Column(f"{task}_reason_{at + 1}") for at in range(self.reasons)]
        more = [Column(f"{task}_{name}") for name in ("status", "as_of", "model")]
        return [*said, Column(f"{task}_percentile", "count"), Column(f"{task}_band"), *reasons, *more]

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

    def of(self, rows: pa.Table) -> dict[str, Values]:
        """Return our columns for rows with their status, reason and scores (null where there are none)."""
        status, why = rows["status"].to_pylist(), rows["reason"].to_pylist()
        told: dict[str, Values] = {}
        scored = np.zeros(len(status), bool)
        for one in self.models:
            outcome = rows[f"{one.task}__{OUTCOME}"]
            there = outcome.is_valid().to_numpy(zero_copy_only=False)
            told |= self._task(one, rows, there, status)
            scored |= there
        if self.acts:
            told |= {name: rows[f"action__{name}"].to_pylist() for name in ACTIONS}
            scored |= np.array([action is not None for action in told["next_best_action"]], bool)
            self.totals.actions.update(
                (action, channel or "")
                for action, channel, word in zip(
                    told["next_best_action"], told["channel"], status, strict=True
                )
                if action is not None and word == "scored"
            )
        only = "; ".join(f"{one.task}: only {describe(one.model.task)[0]}" for one in self.models)
        for at in np.flatnonzero(~scored).tolist():
            if status[at] == "scored":
                status[at], why[at] = "not eligible", only
        self.totals.statuses.update(status)
        self.totals.reasons.update(
            (word, reason)
            for word, reason in zip(status, why, strict=True)
            if word in ("unknown", "broken", "erased")
        )
        return {STATUS: status, WHY: [reason or None for reason in why], **told}

    def _task(self, one: TaskModel, rows: pa.Table, there: Any, status: Values) -> dict[str, Values]:  # noqa: ANN401
        task, n = one.task, len(status)
        outcome = np.nan_to_num(rows[f"{task}__{OUTCOME}"].to_numpy(zero_copy_only=False).astype(float))
        percentile = percentile_of(outcome, self.starts[task])
        names = np.array([band(at, self.bands) for at in range(101)], object)[percentile]
        told = self._said(one, rows, outcome, there)
        told[f"{task}_percentile"] = only(percentile.tolist(), there)
        told[f"{task}_band"] = only(names.tolist(), there)
        for at in range(1, self.reasons + 1):
            told[f"{task}_{REASON}_{at}"] = [
                text or None for text in rows[f"{task}__{REASON}_{at}"].to_pylist()
            ]
        refused = f"not eligible: only {describe(one.model.task)[0]}"
        told[f"{task}_status"] = [
            "scored" if yes else refused if word in ("scored", "duplicate") else word
            for yes, word in zip(there.tolist(), status, strict=True)
        ]
        told[f"{task}_as_of"] = only([f"{one.as_of:%Y-%m-%d}"] * n, there)
        told[f"{task}_model"] = only([f"{one.registered.name} v{one.registered.version}"] * n, there)
        self._count(one, told, there & np.array([word == "scored" for word in status]), outcome)
        return told

    def _said(self, one: TaskModel, rows: pa.Table, outcome: Floats, there: Any) -> dict[str, Values]:  # noqa: ANN401
        task = one.task
        if one.model.median_trees:
            median = np.nan_to_num(rows[f"{task}__{MEDIAN}"].to_numpy(zero_copy_only=False).astype(float))
            cents = {"expected_value": outcome, "median_value": median}
            return {name: only((values / 100).tolist(), there) for name, values in cents.items()}
        found = {f"{task}_propensity": only(outcome.tolist(), there)}
        if not one.model.task.categories:
            return found
        return {"next_category": rows[f"{task}__{CATEGORY}"].to_pylist(), **found}

    def _count(self, one: TaskModel, told: Mapping[str, Values], first: Any, outcome: Floats) -> None:  # noqa: ANN401
        """Count a task's rows by status, and its customers, each once, by band."""
        self.totals.tasks.setdefault(one.task, Counter()).update(
            "not eligible" if word.startswith("not eligible") else word for word in told[f"{one.task}_status"]
        )
        bands = told[f"{one.task}_band"]
        self.totals.bands.setdefault(one.task, Counter()).update(
            bands[at] for at in np.flatnonzero(first).tolist()
        )
        self.totals.sums[one.task] += outcome[first].sum()
        if not one.model.median_trees:
            self.totals.sums[f"{one.task} variance"] += (outcome[first] * (1 - outcome[first])).sum()
        self.totals.sums[f"{one.task} customers"] += int(first.sum())


def only(values: Values, there: Any) -> Values:  # noqa: ANN401
    """Return the values where they are there, else None."""
    return [value if yes else None for value, yes in zip(values, there.tolist(), strict=True)]
