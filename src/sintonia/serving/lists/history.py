"""Scores stored in the workspace, one file a run of a list, to join outcomes later, and the changes between runs."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sintonia.core.arrays import Floats
from sintonia.data.store import Store
from sintonia.serving.lists.checkpoint import Checkpoint, atomic_write
from sintonia.serving.lists.chunks import OUTCOME, TaskModel, percentile_of
from sintonia.serving.lists.rows import quoted
from sintonia.serving.scoring import band

if TYPE_CHECKING:
    import duckdb

HISTORY_SCHEMA = pa.schema(
    [
        ("customer_id", pa.string()),
        ("task", pa.string()),
        ("as_of", pa.timestamp("us")),
        ("scored_at", pa.timestamp("us")),
        ("model", pa.string()),
        ("version", pa.string()),
        ("outcome", pa.float64()),
        ("percentile", pa.int64()),
        ("band", pa.string()),
    ]
)
"""One row per (customer_id, task): `outcome` is the propensity, or expected cents; times are UTC."""


@dataclass(frozen=True)
class ScoreChange:
    """The changes of a task's scores since the last list of the same name, by customer.

    `higher` and `lower` count customers of both lists whose band rose or fell, and `same` the remaining ones; means are
    of outcomes.
    """

    task: str
    since: datetime
    new: int
    gone: int
    higher: int
    lower: int
    same: int
    mean_before: float | None
    mean_now: float | None


def history_path(store: Store, name: str, run_identity: object) -> Path:
    """Return the path of the scores of a run of a list, the same for the same run."""
    slug = re.sub(r"[^\w.-]+", "-", name).strip("-.") or "list"
    return (
        store.workspace.scores
        / slug
        / f"{hashlib.sha256(repr(run_identity).encode()).hexdigest()[:16]}.parquet"
    )


def write_history(
    path: Path,
    checkpoint: Checkpoint,
    names: Sequence[str],
    models: Sequence[TaskModel],
    starts: Mapping[str, Floats],
    bands: Mapping[str, int],
) -> None:
    """Write the scores of a run's chunks, one row a customer and task."""
    now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    band_names = [band(percentile, bands) for percentile in range(101)]
    with atomic_write(path) as part, pq.ParquetWriter(part, HISTORY_SCHEMA, compression="zstd") as file:
        for name in names:
            chunk = pq.read_table(checkpoint.path(name))
            for task_model in models:
                column = f"{task_model.task}__{OUTCOME}"
                scored = chunk.filter(chunk[column].is_valid()).select(["customer_id", column])
                percentile = pa.array(
                    percentile_of(scored[column].to_numpy(), starts[task_model.task]), pa.int64()
                )
                n = scored.num_rows
                columns = [
                    scored["customer_id"],
                    *(pa.repeat(value, n) for value in (task_model.task,)),
                    *(
                        pa.repeat(pa.scalar(value, pa.timestamp("us")), n)
                        for value in (task_model.as_of, now)
                    ),
                    *(
                        pa.repeat(value, n)
                        for value in (task_model.registered.name, str(task_model.registered.version))
                    ),
                    scored[column],
                    percentile,
                    pa.array(band_names, pa.string()).take(percentile),
                ]
                if n:
                    file.write_table(pa.Table.from_arrays(columns, schema=HISTORY_SCHEMA))


def score_changes(connection: "duckdb.DuckDBPyConnection", path: Path) -> list[ScoreChange]:
    """Return the changes since the last list of the same name, by task; [] if there is none."""
    earlier_files = [file for file in path.parent.glob("*.parquet") if file != path]
    previous = [(scored, file) for file in earlier_files if (scored := _read_scored_at(file)) is not None]
    if not previous:
        return []
    since, last_file = max(previous)
    rows = connection.execute(f"""
        SELECT task, COUNT(*) FILTER (before.customer_id IS NULL), COUNT(*) FILTER (now.customer_id IS NULL),
               COUNT(*) FILTER (now.band <> before.band AND now.percentile > before.percentile),
               COUNT(*) FILTER (now.band <> before.band AND now.percentile < before.percentile),
               COUNT(*) FILTER (now.band = before.band OR (now.band <> before.band
                                AND now.percentile = before.percentile)),
               AVG(before.outcome), AVG(now.outcome)
        FROM read_parquet({quoted(path)}) AS now
        FULL JOIN read_parquet({quoted(last_file)}) AS before USING (task, customer_id)
        GROUP BY task ORDER BY task""").fetchall()
    return [ScoreChange(row[0], since, *row[1:]) for row in rows]


def _read_scored_at(path: Path) -> datetime | None:
    """Return when the scores in a file were computed."""
    newest: datetime | None = pc.max(pq.read_table(path, columns=["scored_at"])["scored_at"]).as_py()
    return newest
