"""Chunks of customers scored one after another into the spool; those that are there already are not scored again."""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sintonia.core.arrays import Floats
from sintonia.core.config import ScoreSettings
from sintonia.core.progress import counter
from sintonia.data.store import Store
from sintonia.evaluation.drift import BinCounts
from sintonia.explain.reasons import ReasonWriter
from sintonia.registry.tracking import Registered
from sintonia.serving.lists.rows import CUSTOMERS
from sintonia.serving.lists.spool import Spool
from sintonia.serving.scoring import Outcomes, outcomes_of, percentiles
from sintonia.training import tasks
from sintonia.training.dataset import assemble, share_features
from sintonia.training.in_memory_store import SharedFeatures, load_customers
from sintonia.training.models import OutcomeModel

OUTCOME, MEDIAN, CATEGORY, REASON = "outcome", "median", "category", "reason"
TALLIES = "sintonia.tallies"
"""The key of a file of scores under which it says where its customers lie among those the models learned from."""


@dataclass(frozen=True)
class TaskModel:
    """A task's model with its place in the registry, and as of when it scores."""

    model: OutcomeModel
    registered: Registered
    as_of: datetime

    @property
    def task(self) -> str:
        """The task's name."""
        return self.model.task.name


@dataclass(frozen=True)
class Scoring:
    """What chunks are scored with: the store, the models, the settings, and the features that models share.

    `listed` is how many customers there are to score in all.
    """

    store: Store
    models: Sequence[TaskModel]
    settings: ScoreSettings
    shared: Sequence[SharedFeatures]
    columns: Sequence[str]
    speakers: Mapping[str, ReasonWriter]
    listed: int = 0

    @classmethod
    def of(cls, store: Store, models: Sequence[TaskModel], settings: ScoreSettings, listed: int) -> "Scoring":
        """Return the scoring of so many of a store's customers by these models."""
        speakers = {one.task: ReasonWriter(one.model, settings.reasons, settings.language) for one in models}
        names = [{*one.model.names_used, *speakers[one.task].companion_names} for one in models]
        shared = share_features(
            [
                (one.as_of, one.model.catalogue, one.model.task, some)
                for one, some in zip(models, names, strict=True)
            ]
        )
        read = [column for one in models for column in tasks.columns_read(one.model.task)]
        return cls(store, models, settings, shared, list(dict.fromkeys(read)), speakers, listed)


def score_chunks(scoring: Scoring, spool: Spool) -> list[str]:
    """Return the names of the spool's files of scores, one a chunk, when all of them are there."""
    with pq.ParquetFile(spool.path(CUSTOMERS)) as file:
        sizes = [file.metadata.row_group(at).num_rows for at in range(file.num_row_groups)]
    names = [f"scores-{at:05d}.parquet" for at in range(len(sizes))]
    with (
        counter(scoring.listed, "Scoring customers") as count,
        ThreadPoolExecutor(scoring.settings.engine.threads) as pool,
    ):

        def one(at: int) -> None:
            if not spool.path(names[at]).is_file():
                with pq.ParquetFile(spool.path(CUSTOMERS)) as file:
                    chunk = file.read_row_group(at)
                with spool.writing(names[at]) as part:
                    pq.write_table(score_chunk(scoring, chunk), part, compression="zstd")
            count(sizes[at], "")

        for _ in pool.map(one, range(len(sizes))):
            pass
    return names


def score_chunk(scoring: Scoring, chunk: pa.Table) -> pa.Table:
    """Return the scores of a chunk's customers, a row each in their order: `row`, `customer_id`, and for each task
    `<task>__outcome`, and where it has them `__median`, `__category` and `__reason_1` to k; null where not eligible.
    """
    ids = chunk["customer_id"].to_pylist()
    held = load_customers(scoring.store, ids, scoring.shared, scoring.columns)
    columns: dict[str, Any] = {"row": chunk["row"], "customer_id": chunk["customer_id"]}
    counted: dict[str, list[list[int]]] = {}
    for one in scoring.models:
        rows = assemble(held, [one.as_of], one.model.catalogue, one.model.task)
        scores = outcomes_of(one.model, rows, scoring.listed)
        columns |= _columns(scoring.speakers[one.task], scores, ids)
        if scores.tally is not None:
            counted[one.task] = [counts.tolist() for counts in scores.tally.columns]
    return pa.table(columns).replace_schema_metadata({TALLIES: json.dumps(counted)})


def _columns(speaker: ReasonWriter, scores: Outcomes, ids: Sequence[str]) -> dict[str, pa.Array]:
    """Return a task's columns by customer of the chunk, null for those who were not eligible."""
    order = {customer: at for at, customer in enumerate(scores.rows.customer_id.tolist())}
    place = pa.array([order.get(customer) for customer in ids], pa.int64())
    found = {OUTCOME: pa.array(scores.outcome, pa.float64())}
    if scores.median_cents is not None:
        found[MEDIAN] = pa.array(scores.median_cents, pa.float64())
    if scores.category is not None:
        found[CATEGORY] = pa.array(scores.category, pa.string())
    told = speaker.write(scores.rows.values, scores.category)
    found |= {
        f"{REASON}_{at}": pa.array(column, pa.string()) for at, column in enumerate(told.sentences, start=1)
    }
    return {f"{scores.model.task.name}__{name}": values.take(place) for name, values in found.items()}


def tallies(spool: Spool, names: Sequence[str], task: str) -> list[BinCounts]:
    """Return where the customers of each chunk lie among those a task's model learned from; none if it does not say."""
    found = (json.loads(pq.read_schema(spool.path(name)).metadata[TALLIES.encode()]) for name in names)
    return [BinCounts(tuple(np.array(one) for one in counted[task])) for counted in found if task in counted]


def percentile_starts(spool: Spool, names: Sequence[str], task: str) -> tuple[Floats, int]:
    """Return the lowest outcome of each percentile, 1 to 100, among all customers scored, and how many these are.

    Percentiles rise with outcomes, so that a hundred numbers tell everybody's.
    """
    column = f"{task}__{OUTCOME}"
    parts = [
        pq.read_table(spool.path(name), columns=[column])[column].drop_null().to_numpy() for name in names
    ]
    outcome = np.concatenate([np.empty(0), *parts])
    if not len(outcome):
        return np.empty(0), 0
    outcome.sort()
    percentile = percentiles(outcome)
    first = np.searchsorted(percentile, np.arange(1, 101))
    return np.append(outcome, np.inf)[first], len(outcome)


def percentile_of(outcome: Floats, starts: Floats) -> NDArray[np.int64]:
    """Return each outcome's percentile by the lowest outcome of each."""
    return np.searchsorted(starts, outcome, side="right")
