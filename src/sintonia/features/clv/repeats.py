"""Histories into what the models read: repeat purchase days, the last of them, the age and the mean spend.

Several tickets of one day are one purchase day: the models are about coming back, not about tills.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sintonia.core.arrays import Floats, Ints
from sintonia.core.errors import InputError, hint

if TYPE_CHECKING:
    import pyarrow as pa


PURCHASE_KEYS = ("customer_id", "occurred_at", "known_at", "utc_offset_minutes", "kind", "amount")
PURCHASE_COLUMNS = (*PURCHASE_KEYS, "known_until")
"""What `read_purchases` reads of the interactions; no other column need be loaded."""

DAY = 86_400_000_000  # microseconds
MINUTE = 60_000_000
_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Purchases:
    """One entry a purchase row: whose it is, its day, when it became visible and what was paid."""

    customer: Ints  # place in the customers' ids
    day: Ints  # days since 1970 by the customer's own clock
    visible_at: Ints  # UTC microseconds: the later of occurred_at and known_at
    amount: Ints  # cents
    ends_at: Ints | None = (
        None  # UTC microseconds: when a newer version or a deletion became known; None if none ends
    )

    def visible(self, moment: int) -> NDArray[np.bool_]:
        """Return which purchases are visible at a moment (UTC microseconds)."""
        shown: NDArray[np.bool_] = self.visible_at <= moment
        return shown if self.ends_at is None else shown & (self.ends_at > moment)

    @property
    def hold(self) -> NDArray[np.bool_]:
        """Which purchases hold to this day."""
        return np.ones(len(self.day), np.bool_) if self.ends_at is None else self.ends_at == _NEVER


@dataclass(frozen=True)
class Repeats:
    """What is known at as_of of each customer's purchase days; NaN for one without any visible purchase.

    `frequency` counts purchase days after the first, `recency_days` runs from the first to the last of them (0
    without a repeat), `age_days` from the first to as_of, and `mean_spend_cents` is the mean of the repeat days
    (0 without a repeat). Arrays of one shape, (n_customers, n_as_ofs) as `count_repeats` gives them.
    """

    frequency: Floats
    recency_days: Floats
    age_days: Floats
    mean_spend_cents: Floats

    @property
    def bought(self) -> NDArray[np.bool_]:
        """Whether each customer has a purchase day."""
        return ~np.isnan(self.frequency)


def read_purchases(interactions: "pa.Table | pa.RecordBatch") -> "tuple[pa.Array, Purchases]":
    """Return the customers' ids (Arrow strings, all of them) and the purchases among their interactions.

    The interactions hold whole customers in the store's order, with at least `PURCHASE_COLUMNS` (`known_until` may be
    missing: no row ends); a null offset or amount counts 0.

    Raises
    ------
    InputError
        When a column is missing, or a customer's rows do not lie together.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = {name: _column(interactions, name) for name in PURCHASE_KEYS}
    runs = pc.run_end_encode(columns["customer_id"].cast(pa.string()), run_end_type=pa.int64())
    if pc.count_distinct(runs.values).as_py() != len(runs.values):
        raise InputError("A customer's interactions do not lie together; sort them by customer_id and time.")
    customer = np.repeat(np.arange(len(runs.values)), np.diff(runs.run_ends.to_numpy(), prepend=0))
    chosen = np.flatnonzero(pc.equal(columns["kind"], "purchase").fill_null(False))
    taken = {
        name: _ints(columns[name].take(pa.array(chosen))) for name in PURCHASE_KEYS[1:4] + PURCHASE_KEYS[5:]
    }
    occurred_at = taken["occurred_at"]
    return runs.values, Purchases(
        customer=customer[chosen],
        day=(occurred_at + taken["utc_offset_minutes"] * MINUTE) // DAY,
        visible_at=np.maximum(occurred_at, taken["known_at"]),
        amount=taken["amount"],
        ends_at=_ends(interactions, chosen),
    )


def _ends(interactions: "pa.Table | pa.RecordBatch", chosen: Ints) -> Ints | None:
    """Return when each of the chosen rows ends, _NEVER for one that does not; None if none does."""
    import pyarrow as pa

    if "known_until" not in interactions.schema.names:
        return None
    ends = _column(interactions, "known_until").take(pa.array(chosen))
    if ends.null_count == len(ends):
        return None
    microseconds: Ints = ends.cast(pa.timestamp("us")).cast(pa.int64()).fill_null(_NEVER).to_numpy()
    return microseconds


def count_repeats(purchases: Purchases, customers: int, as_ofs: Sequence[datetime]) -> Repeats:
    """Return the repeats of customers 0 to `customers` - 1 at each ascending as_of.  # (n_customers, n_as_ofs)

    A purchase counts from the first as_of with occurred_at <= as_of and known_at <= as_of, so what comes late
    moves the first day, the last and the spend only from then on. One that ends counts up to and without the first
    as_of at or after its end. An as_of is taken for its UTC day.

    Examples
    --------
    >>> days = np.array([0, 0, 7, 9])  # two tickets on the first day; the last is known four days late
    >>> one = Purchases(np.zeros(4, int), days, (days + [0, 0, 0, 4]) * DAY, np.array([500, 100, 300, 400]))
    >>> known = count_repeats(one, 1, [datetime(1970, 1, 11), datetime(1970, 1, 15)])
    >>> known.frequency.tolist(), known.recency_days.tolist(), known.age_days.tolist()
    ([[1.0, 2.0]], [[7.0, 9.0]], [[10.0, 14.0]])
    >>> known.mean_spend_cents.tolist()
    [[300.0, 350.0]]
    """
    moments = np.array(as_ofs, "datetime64[us]").astype(np.int64)
    if purchases.ends_at is not None:
        return _repeats_one_by_one(purchases, customers, as_ofs, moments)
    first_visible = np.searchsorted(moments, purchases.visible_at)
    in_range = first_visible < len(moments)
    rows = Purchases(
        purchases.customer[in_range],
        purchases.day[in_range],
        first_visible[in_range],
        purchases.amount[in_range],
    )
    shape = (customers, len(moments))
    first = _cumulative_extreme(np.minimum, rows, shape, _NEVER)
    last = _cumulative_extreme(np.maximum, rows, shape, -_NEVER)
    days, first_spend = _count_days(rows, shape), _first_day_spend(rows, first)
    bought = days > 0
    repeat = np.maximum(days - 1, 0)
    later_spend = _cumulative_sum(rows.customer, rows.visible_at, rows.amount, shape) - first_spend
    mean = np.divide(later_spend, repeat, out=np.zeros(shape), where=repeat > 0)
    recency = np.where(bought, last - np.where(bought, first, 0), 0)
    # West of Greenwich the as_of's UTC day may be the customer's day before; nobody is younger than their recency.
    age = np.maximum(moments // DAY - np.where(bought, first, 0), recency)
    return Repeats(*(np.where(bought, values, np.nan) for values in (repeat, recency, age, mean)))


def _repeats_one_by_one(
    purchases: Purchases, customers: int, as_ofs: Sequence[datetime], moments: Ints
) -> Repeats:
    """Return the repeats of purchases of which some end: what was seen at one as_of need not be seen at the next."""
    parts = []
    for as_of, moment in zip(as_ofs, moments.tolist(), strict=True):
        shown = purchases.visible(moment)
        rows = (purchases.customer, purchases.day, purchases.visible_at, purchases.amount)
        parts.append(count_repeats(Purchases(*(values[shown] for values in rows)), customers, [as_of]))
    columns = zip(*(vars(part).values() for part in parts), strict=True)
    empty = np.empty((customers, 0))
    return Repeats(*(np.hstack(arrays) for arrays in columns)) if parts else Repeats(*(empty,) * 4)


def concatenate(parts: Iterable[Repeats]) -> Repeats:
    """Return the repeats of several buckets as those of all their customers, in order."""
    listed = [(part.frequency, part.recency_days, part.age_days, part.mean_spend_cents) for part in parts]
    return Repeats(*(np.concatenate(arrays) for arrays in zip(*listed, strict=True)))


def _column(interactions: "pa.Table | pa.RecordBatch", name: str) -> "pa.Array":
    import pyarrow as pa

    if name not in interactions.schema.names:
        raise InputError(f"The interactions have no column '{name}'; {hint(name, interactions.schema.names)}")
    column = interactions.column(name)
    return column.unify_dictionaries().combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _ints(array: "pa.Array") -> Ints:
    import pyarrow as pa

    times = array.cast(pa.timestamp("us")) if pa.types.is_temporal(array.type) else array
    numbers: Ints = times.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    return numbers


# In the functions below `visible_at` holds the place of the first as_of that sees the row.


def _cumulative_sum(customer: Ints, snapshot: Ints, amount: Ints, shape: tuple[int, int]) -> Ints:
    """Return whole amounts summed over all snapshots up to each.  # shape"""
    grid = np.zeros(shape, np.int64)
    np.add.at(grid, (customer, snapshot), amount)
    return grid.cumsum(axis=1)


def _cumulative_extreme(extreme: np.ufunc, rows: Purchases, shape: tuple[int, int], start: int) -> Ints:
    grid = np.full(shape, start)
    extreme.at(grid, (rows.customer, rows.visible_at), rows.day)
    return np.asarray(extreme.accumulate(grid, axis=1), np.int64)


def _count_days(rows: Purchases, shape: tuple[int, int]) -> Ints:
    """Return how many different days are visible: each counts from the first of its rows to become so."""
    order = np.lexsort((rows.visible_at, rows.day, rows.customer))
    customer, day = rows.customer[order], rows.day[order]
    new = (np.diff(customer, prepend=-1) != 0) | (np.diff(day, prepend=-_NEVER) != 0)
    chosen = order[new]
    ones = np.ones(len(chosen), np.int64)
    return _cumulative_sum(rows.customer[chosen], rows.visible_at[chosen], ones, shape)


def _first_day_spend(rows: Purchases, first: Ints) -> Ints:
    """Return what was spent on the first visible day, as far as visible.

    The first day only ever moves back, so a row that is not of the first day when it becomes visible never will
    be, and one that is stops being so when an earlier day turns up.
    """
    opening = rows.day == first[rows.customer, rows.visible_at]
    customer, amount = rows.customer[opening], rows.amount[opening]
    until = (first[customer] >= rows.day[opening, None]).sum(axis=1)
    ends = until < first.shape[1]
    grid = _cumulative_sum(customer, rows.visible_at[opening], amount, first.shape)
    return grid - _cumulative_sum(customer[ends], until[ends], amount[ends], first.shape)
