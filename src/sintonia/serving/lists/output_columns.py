"""The columns of a scored list: status and reason of each row, each task's predictions, actions; and their types."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sintonia.core.arrays import Bools, Floats
from sintonia.core.errors import InputError
from sintonia.data.sources.text import Dialect
from sintonia.serving.lists.cells import python_cells
from sintonia.serving.lists.chunks import CATEGORY, MEDIAN, OUTCOME, REASON, TaskModel, percentile_of
from sintonia.serving.lists.read import CustomerList
from sintonia.serving.scoring import band
from sintonia.training.tasks import describe

STATUS, STATUS_REASON = "list_status", "list_reason"


@dataclass(frozen=True)
class OutputColumn:
    """A column that is added to the list: its name and its kind: text, count, share, amount or effect."""

    name: str
    kind: str = "text"

    @property
    def arrow(self) -> pa.DataType:
        """Its Arrow type."""
        return {"text": pa.string(), "count": pa.int64()}.get(self.kind, pa.float64())

    @property
    def decimals(self) -> int | None:
        """Its number of decimals as text, None if the values are not fractions."""
        return {"share": 6, "amount": 2, "effect": 4}.get(self.kind)


ACTION_COLUMNS = {
    "next_best_action": OutputColumn("next_best_action"),
    "channel": OutputColumn("channel"),
    "send_at": OutputColumn("send_at"),
    "effect": OutputColumn("effect", "effect"),
    "runner_up": OutputColumn("runner_up"),
    "arm": OutputColumn("arm"),
    "assignment_probability": OutputColumn("assignment_probability", "effect"),
    "next_best_action_reason": OutputColumn("next_best_action_reason"),
}
"""The proposed action ('none': nothing), its channel, time by the customer's clock, and reason; null once contacted."""


@dataclass
class Totals:
    """Counts of the written rows: statuses, and by task its own statuses, bands and sums of outcomes."""

    statuses: Counter[str] = field(default_factory=Counter)
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    tasks: dict[str, Counter[str]] = field(default_factory=dict)
    bands: dict[str, Counter[str]] = field(default_factory=dict)
    actions: Counter[tuple[str, str]] = field(default_factory=Counter)
    sums: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    @property
    def rows(self) -> int:
        """The number of rows: every one has one status."""
        return self.statuses.total()

    @property
    def nobody(self) -> str | None:
        """That no row was scored, and why, as a sentence; None where one was."""
        if self.statuses["scored"] or not self.rows:
            return None
        counts = ", ".join(f"{rows:,} {status}" for status, rows in self.statuses.most_common())
        return f"Nobody on this list was scored: {counts}."


@dataclass(frozen=True)
class OutputColumns:
    """The added columns of a list: by these models, with these bands and number of reasons.

    `starts` are those of `percentile_starts`; `totals` is updated as rows are written.
    """

    models: Sequence[TaskModel]
    bands: Mapping[str, int]
    reasons: int
    starts: Mapping[str, Floats]
    with_actions: bool = False
    totals: Totals = field(default_factory=Totals)

    @property
    def columns(self) -> list[OutputColumn]:
        """The added columns in their order."""
        columns = [column for task_model in self.models for column in self._task_columns(task_model)]
        return [
            OutputColumn(STATUS),
            OutputColumn(STATUS_REASON),
            *columns,
            *(ACTION_COLUMNS.values() if self.with_actions else []),
        ]

    def _task_columns(self, task_model: TaskModel) -> list[OutputColumn]:
        """Return the columns of one task."""
        task = task_model.task
        if task_model.model.predicts_amounts:
            outcome_columns = [
                OutputColumn("expected_value", "amount"),
                OutputColumn("median_value", "amount"),
            ]
        else:
            outcome_columns = [OutputColumn(f"{task}_propensity", "share")]
            outcome_columns = (
                [OutputColumn("next_category"), *outcome_columns]
                if task_model.model.task.categories
                else outcome_columns
            )
        reasons = [OutputColumn(f"{task}_reason_{at + 1}") for at in range(self.reasons)]
        details = [OutputColumn(f"{task}_{name}") for name in ("status", "as_of", "model")]
        return [
            *outcome_columns,
            OutputColumn(f"{task}_percentile", "count"),
            OutputColumn(f"{task}_band"),
            *reasons,
            *details,
        ]

    def check_header(self, customers: CustomerList) -> None:
        """Refuse a list whose header contains one of the added columns.

        Raises
        ------
        InputError
            When it does.
        """
        clashes = [column.name for column in self.columns if column.name in customers.header]
        if clashes:
            raise InputError(
                f"'{customers.path.name}' has a column '{clashes[0]}' already; rename or remove it first."
            )

    def values_of(self, rows: pa.Table) -> dict[str, pa.Array]:
        """Return the values of the added columns for rows with status, reason and scores (null without scores)."""
        rows = self._with_scores(rows)
        status, reason = (_combined(rows, name) for name in ("status", "reason"))
        values: dict[str, pa.Array] = {}
        is_scored = np.zeros(len(rows), bool)
        for task_model in self.models:
            has_score = _known(_combined(rows, f"{task_model.task}__{OUTCOME}"))
            values |= self._task_values(task_model, rows, has_score, status)
            is_scored |= has_score
        if self.with_actions:
            actions = {name: _combined(rows, f"action__{name}") for name in ACTION_COLUMNS}
            values |= actions
            is_scored |= _known(actions["next_best_action"])
            self._count_actions(actions, status)
        not_eligible_reason = "; ".join(
            f"{task_model.task}: only {describe(task_model.model.task)[0]}" for task_model in self.models
        )
        is_not_eligible = pc.and_(pc.equal(status, "scored"), pa.array(~is_scored))
        status, reason = (
            pc.if_else(is_not_eligible, "not eligible", status),
            pc.if_else(is_not_eligible, not_eligible_reason, reason),
        )
        self.totals.statuses.update(_value_counts(status))
        unmatched = pc.is_in(status, pa.array(["unknown", "broken", "erased"]))
        self.totals.reasons.update(_pair_counts(status.filter(unmatched), reason.filter(unmatched)))
        return {STATUS: status, STATUS_REASON: _null_if_empty(reason), **values}

    def _with_scores(self, rows: pa.Table) -> pa.Table:
        """Return the rows with a null in every column of scores that is missing because nobody was to be scored."""
        needed: dict[str, pa.DataType] = {}
        for task_model in self.models:
            texts = [CATEGORY] if task_model.model.task.categories else []
            texts += [f"{REASON}_{at}" for at in range(1, self.reasons + 1)]
            needed[f"{task_model.task}__{OUTCOME}"] = pa.float64()
            needed |= {f"{task_model.task}__{name}": pa.string() for name in texts}
        if self.with_actions:
            needed |= {f"action__{name}": column.arrow for name, column in ACTION_COLUMNS.items()}
        for name, kind in needed.items():
            if name not in rows.column_names:
                rows = rows.append_column(name, pa.nulls(len(rows), kind))
        return rows

    def _task_values(
        self, task_model: TaskModel, rows: pa.Table, has_score: Bools, status: pa.Array
    ) -> dict[str, pa.Array]:
        """Return the values of a task's columns, and count them."""
        task, n = task_model.task, len(status)
        outcome = np.nan_to_num(rows[f"{task}__{OUTCOME}"].to_numpy(zero_copy_only=False).astype(float))
        percentile = pa.array(percentile_of(outcome, self.starts[task]), mask=~has_score)
        values = self._values(task_model, rows, outcome, has_score)
        values[f"{task}_percentile"] = percentile
        values[f"{task}_band"] = pa.array([band(at, self.bands) for at in range(101)]).take(percentile)
        for at in range(1, self.reasons + 1):
            values[f"{task}_{REASON}_{at}"] = _null_if_empty(_combined(rows, f"{task}__{REASON}_{at}"))
        not_eligible = f"not eligible: only {describe(task_model.model.task)[0]}"
        is_known = pc.is_in(status, pa.array(["scored", "duplicate"]))
        values[f"{task}_status"] = pc.if_else(
            pa.array(has_score), "scored", pc.if_else(is_known, not_eligible, status)
        )
        index = pa.array(np.zeros(n, np.int64), mask=~has_score)
        values[f"{task}_as_of"] = pa.array([f"{task_model.as_of:%Y-%m-%d}"]).take(index)
        values[f"{task}_model"] = pa.array(
            [f"{task_model.registered.name} v{task_model.registered.version}"]
        ).take(index)
        first = has_score & pc.equal(status, "scored").to_numpy(zero_copy_only=False)
        self._count(task_model, values, first, outcome)
        return values

    def _values(
        self, task_model: TaskModel, rows: pa.Table, outcome: Floats, has_score: Bools
    ) -> dict[str, pa.Array]:
        """Return a task's predictions in the units of the list: probabilities, or amounts in currency."""
        task = task_model.task
        if task_model.model.predicts_amounts:
            expected = {"expected_value": pa.array(outcome / 100, mask=~has_score)}
            if f"{task}__{MEDIAN}" not in rows.column_names:
                return {**expected, "median_value": pa.nulls(len(rows), pa.float64())}
            median = np.nan_to_num(rows[f"{task}__{MEDIAN}"].to_numpy(zero_copy_only=False).astype(float))
            return {**expected, "median_value": pa.array(median / 100, mask=~has_score)}
        values = {f"{task}_propensity": pa.array(outcome, mask=~has_score)}
        if not task_model.model.task.categories:
            return values
        return {"next_category": _combined(rows, f"{task}__{CATEGORY}"), **values}

    def _count(
        self, task_model: TaskModel, values: Mapping[str, pa.Array], first: Bools, outcome: Floats
    ) -> None:
        """Count a task's rows by status, and its customers, each once, by band."""
        statuses = self.totals.tasks.setdefault(task_model.task, Counter())
        for status, rows in _value_counts(values[f"{task_model.task}_status"]).items():
            statuses["not eligible" if status.startswith("not eligible") else status] += rows
        bands = values[f"{task_model.task}_band"].filter(pa.array(first))
        self.totals.bands.setdefault(task_model.task, Counter()).update(_value_counts(bands))
        self.totals.sums[task_model.task] += outcome[first].sum()
        if not task_model.model.predicts_amounts:
            self.totals.sums[f"{task_model.task} variance"] += (outcome[first] * (1 - outcome[first])).sum()
        self.totals.sums[f"{task_model.task} customers"] += int(first.sum())

    def _count_actions(self, actions: Mapping[str, pa.Array], status: pa.Array) -> None:
        """Count customers, each once, by what would be done and where."""
        first = pc.and_(pc.equal(status, "scored"), actions["next_best_action"].is_valid())
        action, channel = (actions[name].filter(first) for name in ("next_best_action", "channel"))
        self.totals.actions.update(_pair_counts(action, channel.fill_null("")))


def _combined(rows: pa.Table, name: str) -> pa.Array:
    """Return a column as one array."""
    return rows[name].combine_chunks()


def _known(column: pa.Array) -> Bools:
    """Return which values are not null."""
    is_known: Bools = column.is_valid().to_numpy(zero_copy_only=False)
    return is_known


def _null_if_empty(texts: pa.Array) -> pa.Array:
    """Return the texts, null where they are empty."""
    return pc.if_else(pc.not_equal(texts, ""), texts, pa.scalar(None, pa.string()))


def _value_counts(column: pa.Array) -> dict[Any, int]:
    """Return the count of each value, in the order of first appearance."""
    return {row["values"]: row["counts"] for row in pc.value_counts(column).to_pylist()}


def _pair_counts(first: pa.Array, second: pa.Array) -> dict[tuple[Any, Any], int]:
    """Return the count of each pair of values, in the order of first appearance."""
    table = pa.table({"one": first, "other": second})
    counts = table.group_by(["one", "other"], use_threads=False).aggregate([([], "count_all")])
    return {(row["one"], row["other"]): row["count_all"] for row in counts.to_pylist()}


@dataclass(frozen=True)
class OutputSchema:
    """The columns of an output file: names, types (None: the type of each cell), decimals, and the text dialect.

    The first `n_own` columns are those of the list itself.
    """

    names: tuple[str, ...]
    types: tuple[pa.DataType | None, ...]
    decimals: tuple[int | None, ...]
    dialect: Dialect
    n_own: int = 0


class Writer(Protocol):
    """A writer of rows, given as columns of equal length."""

    def write(self, columns: Sequence[Any], lines: Sequence[str] | None = None) -> None:
        """Write rows; `lines` are the JSON Lines they come from."""


def output_schema(customers: CustomerList, columns: Sequence[OutputColumn], out: Path) -> OutputSchema:
    """Return the schema of the scored list: the list's own columns, then the added ones."""
    schema = customers.schema
    own_types: tuple[pa.DataType | None, ...] = (
        tuple(schema.types) if schema is not None else (None,) * len(customers.header)
    )
    return OutputSchema(
        names=(*customers.header, *(column.name for column in columns)),
        types=(*own_types, *(column.arrow for column in columns)),
        decimals=(*[None] * len(customers.header), *(column.decimals for column in columns)),
        dialect=_output_dialect(customers, out),
        n_own=len(customers.header),
    )


def _output_dialect(customers: CustomerList, out: Path) -> Dialect:
    """Return the dialect of a text file: that of the list, with tabs where the output is a .tsv file."""
    is_tsv = out.name.removesuffix(".gz").lower().endswith(".tsv")
    if customers.format != "csv":
        return Dialect(delimiter="\t" if is_tsv else ",")
    if is_tsv and not customers.path.name.lower().removesuffix(".gz").endswith(".tsv"):
        return replace(customers.dialect, delimiter="\t", preamble="")
    return customers.dialect


def unique_names(names: Sequence[str]) -> list[str]:
    """Return the names, repeated ones with a number appended.

    Examples
    --------
    >>> unique_names(["id", "note", "id", "id"])
    ['id', 'note', 'id_2', 'id_3']
    """
    all_names: set[str] = set(names)
    used: set[str] = set()
    unique = []
    for name in names:
        number, candidate = 2, name
        while candidate in used or (candidate != name and candidate in all_names):
            candidate, number = f"{name}_{number}", number + 1
        used.add(candidate)
        unique.append(candidate)
    return unique


def column_cells(column: Any) -> Sequence[Any]:  # noqa: ANN401
    """Return a column's cells as Python values, whether it is an Arrow array or a list."""
    return python_cells(column) if isinstance(column, pa.ChunkedArray | pa.Array) else column
