"""What had happened with a customer and was known at a date: whole days before it, channel, kind, amount; no more.

Days are whole, and items, categories and threads are left out: a page travels, and nobody should be found by it.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sintonia.data.store import Store

LATEST = 150
HISTORY_COLUMNS = ("customer_id", "occurred_at", "known_at", "channel", "kind", "amount")


@dataclass(frozen=True)
class RecentInteractions:
    """The latest interactions visible at a date, newest first, in columns; `earlier` counts those left out.

    `days` are whole days before the date, `channel` and `kind` their names, `cents` the amount (None without one).
    """

    days: tuple[int, ...]
    channel: tuple[str, ...]
    kind: tuple[str, ...]
    cents: tuple[int | None, ...]
    earlier: int


def histories(store: Store, keys: Sequence[tuple[str, datetime]]) -> list[RecentInteractions]:
    """Return the history of each customer as it was visible at the date asked for."""
    customers = {customer for customer, _ in keys}
    tables = [store.read_bucket(path, customers, HISTORY_COLUMNS) for path in store.buckets]
    rows = pa.concat_tables(tables)
    owner = np.asarray(rows["customer_id"].cast(pa.string()).to_pylist(), object)
    indices = {customer: np.flatnonzero(owner == customer) for customer in customers}
    return [visible(rows.take(pa.array(indices[customer])), as_of) for customer, as_of in keys]


def visible(rows: pa.Table, as_of: datetime) -> RecentInteractions:
    """Return one customer's history from its interactions, in any order.

    Examples
    --------
    >>> at = datetime(2026, 1, 10)
    >>> rows = pa.table({"occurred_at": pa.array([at, at], pa.timestamp("us")), "amount": [1250, None],
    ...     "known_at": pa.array([at, datetime(2026, 1, 11)], pa.timestamp("us")),
    ...     "channel": ["store", "web"], "kind": ["purchase", "view"]})
    >>> visible(rows, at)
    RecentInteractions(days=(0,), channel=('store',), kind=('purchase',), cents=(1250,), earlier=0)
    """
    limit = pa.scalar(as_of, pa.timestamp("us"))
    is_visible = pc.and_(pc.less_equal(rows["occurred_at"], limit), pc.less_equal(rows["known_at"], limit))
    known = rows.filter(is_visible).sort_by([("occurred_at", "descending")])
    latest = known.slice(0, LATEST)
    elapsed = np.datetime64(as_of, "us") - latest["occurred_at"].to_numpy().astype("datetime64[us]")
    return RecentInteractions(
        days=tuple((elapsed // np.timedelta64(1, "D")).astype(int).tolist()),
        channel=tuple(value or "" for value in latest["channel"].cast(pa.string()).to_pylist()),
        kind=tuple(value or "" for value in latest["kind"].cast(pa.string()).to_pylist()),
        cents=tuple(latest["amount"].to_pylist()),
        earlier=len(known) - len(latest),
    )


def history_text(history: RecentInteractions) -> str:
    """Return a history in a sentence: how much was visible, how lately, and mostly of what kinds."""
    if not history.days:
        return "Nothing was visible at that date."
    kinds = ", ".join(f"{count} {kind}" for kind, count in Counter(history.kind).most_common(4))
    return (
        f"{len(history.days) + history.earlier} interactions were visible, the last {min(history.days)} days before; "
        f"of the latest {len(history.days)}: {kinds}."
    )
