"""The feature table: interactions, as-of dates and a configuration into one row per (customer_id, as_of)."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from sintonia.config import FeaturesConfig
from sintonia.features.arrow import FLAGS, KEYS, LABELS, histories
from sintonia.features.families import catalogue
from sintonia.features.histories import Histories, grid, place
from sintonia.features.kernel import compute_terms
from sintonia.features.measures import Bools, Feature, Floats32, Ints, Numbers, Total
from sintonia.features.passes import Pass, passes

if TYPE_CHECKING:
    import pyarrow as pa

CELLS = 2**19  # int64 cells of a block's largest array: 4 MB, near what the processor keeps at hand


def feature_names(config: FeaturesConfig) -> list[str]:
    """Return the names of a configuration's features, in the order of the feature table's columns."""
    return [feature.name for feature in catalogue(config)]


def columns_read(config: FeaturesConfig) -> list[str]:
    """Return the columns of the interactions that a configuration reads; no other need be loaded."""
    return [*KEYS, *LABELS, *FLAGS, *_summed(catalogue(config))]


def compute(
    interactions: "pa.Table | pa.RecordBatch", as_ofs: Sequence[datetime], config: FeaturesConfig
) -> "pa.Table":
    """Return the features of whole customers as they were known at each as-of date.

    One row per (customer_id, as_of), in that order, for every customer with an interaction visible at as_of
    (occurred_at <= as_of and known_at <= as_of). A window is (as_of - window, as_of]. Counts and sums of
    nothing are 0; NaN stands only where a feature is undefined, and the catalogue says what that means.

    Parameters
    ----------
    interactions
        Arrow table or record batch of whole customers, ordered by (customer_id, occurred_at, interaction_id),
        with at least the columns of `columns_read`; strings plain or dictionary-encoded.
    as_ofs
        As-of dates, UTC without a zone mark.
    config
        Families and windows.

    Returns
    -------
    customer_id (string), as_of (timestamp[us]) and one float32 column for each of `feature_names`.

    Raises
    ------
    ConfigError
        For a family nobody knows.
    InputError
        When a column is missing, a key is null, an amount is not whole, or the rows are not in order.
    """
    return compute_features(interactions, as_ofs, catalogue(config))


def compute_features(
    interactions: "pa.Table | pa.RecordBatch",
    as_ofs: Sequence[datetime],
    features: Sequence[Feature],
    cells: int = CELLS,
) -> "pa.Table":
    """Return the table of `compute` for features of one's own.

    `cells` bounds a block of customers by the size of its largest array: speed and nothing else.
    """
    ids, whole = histories(interactions, _summed(features))
    plan = passes(term for feature in features for term in feature.terms)
    line = grid(np.array(sorted(set(as_ofs)), "datetime64[us]").astype(np.int64), _windows(plan))
    columns = np.empty((len(features), len(whole) * len(line.as_ofs)), np.float32)
    first_seen = np.empty(len(whole), np.int64)
    filled = 0
    planes = max((len(one.planes) for one in plan), default=1)
    for block, customers in _blocks(whole, cells // (planes * len(line.snapshot))):
        rows = place(block, line)
        first_seen[customers] = np.minimum.reduceat(rows.seen, block.starts[:-1])
        visible = np.arange(len(line.as_ofs)) >= first_seen[customers, None]
        values = compute_terms(block, rows, line, plan)
        end = filled + int(np.count_nonzero(visible))
        for feature, column in zip(features, columns[:, filled:end], strict=True):
            _write(feature.combine(*(values[term] for term in feature.terms)), visible, column)
        filled = end
    names = [feature.name for feature in features]
    return _table(ids, line.as_ofs, first_seen, dict(zip(names, columns[:, :filled], strict=True)))


def _summed(features: Iterable[Feature]) -> list[str]:
    """Return the names of the columns that features sum."""
    totals = {term.column for feature in features for term in feature.terms if isinstance(term, Total)}
    return sorted(name for name in totals if name is not None)


def _windows(plan: Iterable[Pass]) -> list[int]:
    windows = {days for one in plan for windows in one.totals.values() for days in windows}
    return sorted(days for days in windows if days is not None)


def _blocks(whole: Histories, size: int) -> Iterator[tuple[Histories, slice]]:
    """Yield the histories in blocks of at most `size` (at least one) customers, with their places."""
    size = max(1, size)
    for first in range(0, len(whole), size):
        last = min(first + size, len(whole))
        yield whole.block(first, last), slice(first, last)


def _write(values: Numbers, visible: Bools, column: Floats32) -> None:
    """Write values of (n_snapshots, n_customers) as a column by customer and snapshot, visible ones only."""
    whole = column.size == visible.size
    laid = column.reshape(visible.shape) if whole else np.empty(visible.shape, np.float32)
    laid.T[...] = values
    if not whole:
        column[...] = laid[visible]


def _table(ids: "pa.Array", as_ofs: Ints, first_seen: Ints, columns: dict[str, Floats32]) -> "pa.Table":
    """Return the columns under their keys: from its first visible snapshot on, a customer has them all."""
    import pyarrow as pa

    rows = len(as_ofs) - first_seen
    customer = np.repeat(np.arange(len(ids)), rows)
    snapshot = np.arange(len(customer)) - np.repeat(np.cumsum(rows) - len(as_ofs), rows)
    as_of = pa.array(as_ofs[snapshot]).cast(pa.timestamp("us"))
    kept = {name: pa.array(column) for name, column in columns.items()}
    return pa.table({"customer_id": ids.take(pa.array(customer)), "as_of": as_of, **kept})
