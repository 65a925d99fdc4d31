"""Customers scored chunk by chunk, and their next best actions, into the checkpoint; finished chunks are skipped."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sintonia.core.arrays import Floats
from sintonia.core.config import ScoreSettings
from sintonia.core.memory import release
from sintonia.core.progress import counter
from sintonia.data.store import Store
from sintonia.evaluation.drift import BinCounts
from sintonia.explain.reasons import LanguageTexts, ReasonWriter, decision_reasons, read_texts
from sintonia.registry.tracking import Registered
from sintonia.serving.lists.checkpoint import Checkpoint
from sintonia.serving.lists.rows import CUSTOMERS_FILE
from sintonia.serving.scoring import Outcomes, outcomes_of, percentiles
from sintonia.training import tasks
from sintonia.training.dataset import assemble, share_features
from sintonia.training.in_memory_store import SharedFeatures, load_customers
from sintonia.training.models import OutcomeModel

OUTCOME, MEDIAN, CATEGORY, REASON = "outcome", "median", "category", "reason"
BIN_COUNTS_KEY = "sintonia.tallies"
"""The key of a score file's metadata with the counts of its customers in the bins of the training profiles."""


@dataclass(frozen=True)
class TaskModel:
    """A task's registered model, and the as-of date at which it scores."""

    model: OutcomeModel
    registered: Registered
    as_of: datetime

    @property
    def task(self) -> str:
        """The task's name."""
        return self.model.task.name


@dataclass(frozen=True)
class ChunkScorer:
    """What all chunks are scored with: the store, the models, the settings, and the features that models share.

    `listed` is the number of customers to score in the whole list.
    """

    store: Store
    models: Sequence[TaskModel]
    settings: ScoreSettings
    shared: Sequence[SharedFeatures]
    columns: Sequence[str]
    writers: Mapping[str, ReasonWriter]
    listed: int = 0

    @classmethod
    def of(
        cls, store: Store, models: Sequence[TaskModel], settings: ScoreSettings, listed: int
    ) -> "ChunkScorer":
        """Return the scorer of this number of a store's customers with these models."""
        writers = {
            task_model.task: ReasonWriter(task_model.model, settings.reasons, settings.language)
            for task_model in models
        }
        names = [
            {*task_model.model.names_used, *writers[task_model.task].companion_names} for task_model in models
        ]
        shared = share_features(
            [
                (task_model.as_of, task_model.model.catalogue, task_model.model.task, names_of_model)
                for task_model, names_of_model in zip(models, names, strict=True)
            ]
        )
        read = [column for task_model in models for column in tasks.columns_read(task_model.model.task)]
        return cls(store, models, settings, shared, list(dict.fromkeys(read)), writers, listed)


def score_chunks(scoring: ChunkScorer, checkpoint: Checkpoint) -> list[str]:
    """Return the names of the checkpoint's files of scores, one a chunk, once all of them are written."""
    with pq.ParquetFile(checkpoint.path(CUSTOMERS_FILE)) as file:
        sizes = [file.metadata.row_group(at).num_rows for at in range(file.num_row_groups)]
    names = [f"scores-{at:05d}.parquet" for at in range(len(sizes))]
    with (
        counter(scoring.listed, "Scoring customers") as count,
        ThreadPoolExecutor(scoring.settings.engine.threads) as pool,
    ):

        def score_one(at: int) -> None:
            if not checkpoint.path(names[at]).is_file():
                with pq.ParquetFile(checkpoint.path(CUSTOMERS_FILE)) as file:
                    chunk = file.read_row_group(at)
                with checkpoint.writing(names[at]) as part:
                    pq.write_table(score_chunk(scoring, chunk), part, compression="zstd")
            count(sizes[at], "")

        for _ in pool.map(score_one, range(len(sizes))):
            pass
    return names


def score_chunk(scoring: ChunkScorer, chunk: pa.Table) -> pa.Table:
    """Return the scores of a chunk's customers, a row each in their order: `row`, `customer_id`, and for each task
    `<task>__outcome`, and where it has them `__median`, `__category` and `__reason_1` to k; null where not eligible.
    """
    ids = chunk["customer_id"].to_pylist()
    in_memory = load_customers(scoring.store, ids, scoring.shared, scoring.columns)
    columns: dict[str, Any] = {"row": chunk["row"], "customer_id": chunk["customer_id"]}
    bin_counts: dict[str, list[list[int]]] = {}
    for task_model in scoring.models:
        rows = assemble(in_memory, [task_model.as_of], task_model.model.catalogue, task_model.model.task)
        scores = outcomes_of(task_model.model, rows, scoring.listed)
        columns |= _task_columns(scoring.writers[task_model.task], scores, ids)
        if scores.tally is not None:
            bin_counts[task_model.task] = [counts.tolist() for counts in scores.tally.columns]
    return pa.table(columns).replace_schema_metadata({BIN_COUNTS_KEY: json.dumps(bin_counts)})


def _task_columns(writer: ReasonWriter, scores: Outcomes, ids: Sequence[str]) -> dict[str, pa.Array]:
    """Return a task's columns by customer of the chunk, null for those who are not eligible."""
    order = {customer: at for at, customer in enumerate(scores.rows.customer_id.tolist())}
    index = pa.array([order.get(customer) for customer in ids], pa.int64())
    columns = {OUTCOME: pa.array(scores.outcome, pa.float64())}
    if scores.median_cents is not None:
        columns[MEDIAN] = pa.array(scores.median_cents, pa.float64())
    if scores.category is not None:
        columns[CATEGORY] = pa.array(scores.category, pa.string())
    reasons = writer.write(scores.rows.values, scores.category)
    columns |= {
        f"{REASON}_{at}": pa.array(column, pa.string())
        for at, column in enumerate(reasons.sentences, start=1)
    }
    return {f"{scores.model.task.name}__{name}": values.take(index) for name, values in columns.items()}


def read_bin_counts(checkpoint: Checkpoint, names: Sequence[str], task: str) -> list[BinCounts]:
    """Return the counts of each chunk's customers in the bins of a task's training profile; [] without a profile."""
    by_file = (
        json.loads(pq.read_schema(checkpoint.path(name)).metadata[BIN_COUNTS_KEY.encode()]) for name in names
    )
    return [
        BinCounts(tuple(np.array(counts) for counts in counted[task]))
        for counted in by_file
        if task in counted
    ]


def percentile_starts(checkpoint: Checkpoint, names: Sequence[str], task: str) -> tuple[Floats, int]:
    """Return the lowest outcome of each percentile, 1 to 100, and the number of customers scored.

    Percentiles increase with outcomes, so that a hundred numbers determine everybody's.
    """
    column = f"{task}__{OUTCOME}"
    parts = [
        pq.read_table(checkpoint.path(name), columns=[column])[column].drop_null().to_numpy()
        for name in names
    ]
    outcome = np.concatenate([np.empty(0), *parts])
    if not len(outcome):
        return np.empty(0), 0
    outcome.sort()
    percentile = percentiles(outcome)
    first = np.searchsorted(percentile, np.arange(1, 101))
    return np.append(outcome, np.inf)[first], len(outcome)


def percentile_of(outcome: Floats, starts: Floats) -> NDArray[np.int64]:
    """Return each outcome's percentile, given the lowest outcome of each."""
    return np.searchsorted(starts, outcome, side="right")


ACTIONS_FILE = "actions.parquet"
ProposeActions = Callable[[pa.Array], Iterable[pa.Table]]
"""From customers to what would be done for each of them, by id, some customers after others."""


def write_actions(propose: ProposeActions, checkpoint: Checkpoint, language: str, currency: str) -> None:
    """Write the proposed action of each customer to the checkpoint, by the customer's row, unless already there.

    Scarce contacts go where they are worth the most among all customers, so all are decided on together; reasons are
    written in blocks of customers, because sentences take ten times the memory of numbers.
    """
    if checkpoint.path(ACTIONS_FILE).is_file():
        return
    ids, rows = _customers_by_id(checkpoint)
    release()
    texts, first = read_texts(language), 0
    with checkpoint.writing(ACTIONS_FILE) as part, ExitStack() as stack:
        file: pq.ParquetWriter | None = None
        for proposed in propose(ids):
            table = _action_columns(proposed, texts, currency)
            if table.num_rows:
                # Customers already contacted have no proposal: the others are in order, but with gaps.
                last = pc.index(ids, proposed["customer_id"][-1], start=first).as_py() + 1
                index = pc.index_in(proposed["customer_id"], ids.slice(first, last - first))
                table = table.add_column(
                    0, "row", rows.slice(first, last - first).take(index.combine_chunks())
                )
                first = last
            else:
                table = table.add_column(0, "row", pa.array([], pa.int64()))
            file = file or stack.enter_context(pq.ParquetWriter(part, table.schema))
            file.write_table(table)


def _customers_by_id(checkpoint: Checkpoint) -> tuple[pa.Array, pa.Array]:
    """Return the customers to score, ordered by id, and their rows."""
    listed = pq.read_table(checkpoint.path(CUSTOMERS_FILE), columns=["customer_id", "row"]).combine_chunks()
    order = pc.array_sort_indices(listed["customer_id"].combine_chunks())
    return tuple(listed[name].combine_chunks().take(order) for name in ("customer_id", "row"))


def _action_columns(proposed: pa.Table, texts: LanguageTexts, currency: str) -> pa.Table:
    """Return the proposals under the names of our columns."""
    columns = {
        "next_best_action": proposed["action_id"],
        "channel": proposed["channel"],
        "send_at": pc.strftime(proposed["send_at_local"], format="%Y-%m-%d %H:%M"),
        "effect": proposed["effect"],
        "runner_up": proposed["runner_up"],
        "arm": proposed["arm"],
        "assignment_probability": proposed["assignment_probability"],
        "next_best_action_reason": pa.array(decision_reasons(proposed, texts, currency), pa.string()),
    }
    return pa.table({f"action__{name}": column for name, column in columns.items()})
