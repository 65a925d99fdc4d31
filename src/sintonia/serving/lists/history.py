"""Scores kept in the workspace, a file a list and run, so that outcomes can be joined later; and what has changed."""

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
from sintonia.serving.lists.chunks import OUTCOME, TaskModel, percentile_of
from sintonia.serving.lists.keys import quoted
from sintonia.serving.lists.spool import Spool, whole
from sintonia.serving.scoring import band

if TYPE_CHECKING:
    import duckdb

SCHEMA = pa.schema(
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
    """What changed of a task against the last list of the same name, by customer.

    `higher` and `lower` count those of both lists whose band rose or fell, and `same` the others; means are of
    outcomes.
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


def history_path(store: Store, name: str, told: object) -> Path:
    """Return where the scores of a run of a list lie: the same run has the same place."""
    slug = re.sub(r"[^\w.-]+", "-", name).strip("-.") or "list"
    return store.workspace.scores / slug / f"{hashlib.sha256(repr(told).encode()).hexdigest()[:16]}.parquet"


def write_history(
    path: Path,
    spool: Spool,
    names: Sequence[str],
    models: Sequence[TaskModel],
    starts: Mapping[str, Floats],
    bands: Mapping[str, int],
) -> None:
    """Write the scores of a run's chunks, each customer once a task."""
    now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    called = [band(percentile, bands) for percentile in range(101)]
    with whole(path) as part, pq.ParquetWriter(part, SCHEMA, compression="zstd") as file:
        for name in names:
            chunk = pq.read_table(spool.path(name))
            for one in models:
                column = f"{one.task}__{OUTCOME}"
                there = chunk.filter(chunk[column].is_valid()).select(["customer_id", column])
                percentile = pa.array(percentile_of(there[column].to_numpy(), starts[one.task]), pa.int64())
                n = there.num_rows
                columns = [
                    there["customer_id"],
                    *(pa.repeat(value, n) for value in (one.task,)),
                    *(pa.repeat(pa.scalar(value, pa.timestamp("us")), n) for value in (one.as_of, now)),
                    *(pa.repeat(value, n) for value in (one.registered.name, str(one.registered.version))),
                    there[column],
                    percentile,
                    pa.array(called, pa.string()).take(percentile),
                ]
                if n:
                    file.write_table(pa.Table.from_arrays(columns, schema=SCHEMA))


def changes(connection: "duckdb.DuckDBPyConnection", path: Path) -> list[ScoreChange]:
    """Return what changed against the last list of the same name, task by task; nothing when there is none."""
    others = [other for other in path.parent.glob("*.parquet") if other != path]
    dated = [(scored, other) for other in others if (scored := _scored_at(other)) is not None]
    if not dated:
        return []
    since, before = max(dated)
    rows = connection.execute(f"""
        SELECT task, COUNT(*) FILTER (before.customer_id IS NULL), COUNT(*) FILTER (now.customer_id IS NULL),
               COUNT(*) FILTER (now.band <> before.band AND now.percentile > before.percentile),
               COUNT(*) FILTER (now.band <> before.band AND now.percentile < before.percentile),
               COUNT(*) FILTER (now.band = before.band OR (now.band <> before.band
                                AND now.percentile = before.percentile)),
               AVG(before.outcome), AVG(now.outcome)
        FROM read_parquet({quoted(path)}) AS now
        FULL JOIN read_parquet({quoted(before)}) AS before USING (task, customer_id)
        GROUP BY task ORDER BY task""").fetchall()
    return [ScoreChange(row[0], since, *row[1:]) for row in rows]


def _scored_at(path: Path) -> datetime | None:
    found: datetime | None = pc.max(pq.read_table(path, columns=["scored_at"])["scored_at"]).as_py()
    return found
