"""The moments of decision a check looks at: who is asked about as of when, and what then happens."""

from collections.abc import Collection
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sintonia.core.config import TaskConfig
from sintonia.core.errors import NotEnoughDataError
from sintonia.core.timeline import Split
from sintonia.data.store import Store
from sintonia.training import tasks
from sintonia.training.dataset import Dataset


def label_moments(store: Store, split: Split, task: TaskConfig, rows: int) -> pa.Table:
    """Return the moments of the split in as many whole buckets as it takes for `rows` of its test dates.

    Columns: `customer_id`, `as_of`, `label` (int8: whether it happens, anything is spent, any category is bought).

    Raises
    ------
    NotEnoughDataError
        When nobody is eligible on the test dates.
    """
    merges, parts, tested = store.read_merges(), [], 0
    from_attribute = tasks.find_task(task).from_attribute
    for path in store.buckets:
        interactions = store.read_bucket(path, columns=tasks.columns_read(task))
        attributes = store.read_beside("attributes", path) if from_attribute else None
        labelled = tasks.label_rows(interactions, split.all, task, merges, attributes=attributes)
        parts.append(_binary_labels(labelled.filter(pc.greater_equal(labelled["label"], 0))))
        tested += moments_at(parts[-1], split.test).num_rows
        if tested >= rows:
            break
    if not tested:
        raise NotEnoughDataError(
            f"Nobody is eligible for task '{task.name}' on {len(split.test)} test dates; raise task.active_days."
        )
    return pa.concat_tables(parts)


def moments_at(moments: pa.Table, dates: Collection[datetime]) -> pa.Table:
    """Return the moments of these as-of dates."""
    chosen = np.array(sorted(dates), "datetime64[us]")
    return moments.filter(pa.array(np.isin(moments["as_of"].to_numpy(), chosen)))


def dataset_moments(rows: Dataset) -> pa.Table:
    """Return the moments of a training set's rows, in the columns of `label_moments`."""
    customer_id = pa.array(rows.customer_id, pa.string())
    return _binary_labels(
        pa.table(
            {
                "customer_id": customer_id,
                "as_of": pa.array(rows.as_of, pa.timestamp("us")),
                "label": rows.label,
            }
        )
    )


def _binary_labels(labelled: pa.Table) -> pa.Table:
    """Return one row per (customer_id, as_of), in their order: whether anything was spent, or any category bought."""
    keys = ["customer_id", "as_of"]
    label = pc.greater(labelled["label"], 0).cast(pa.int8())
    moments = labelled.select(keys).append_column("label", label)
    if "category" in labelled.column_names or len(moments) > moments.group_by(keys).aggregate([]).num_rows:
        moments = moments.group_by(keys, use_threads=False).aggregate([("label", "max")])
        moments = moments.rename_columns([*keys, "label"])
    return moments
