"""When customers came, by their own clock: read bucket by bucket, kept in a few bytes a customer and hour."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sintonia.arrays import Ints, Times
from sintonia.decision.hour_kernels import Visits
from sintonia.interactions import Store
from sintonia.interactions.gather import BUCKET

if TYPE_CHECKING:
    import duckdb


WEEK = 168  # hours
MINUTE = 60_000_000  # microseconds
READ = ("customer_id", "kind", "occurred_at", "known_at", "utc_offset_minutes", "opens_thread")


@dataclass(frozen=True)
class VisitsOfCustomers:
    """The visits of some customers: their places among all, and to which hours of the week they came how often.

    `hour` and `weight` are as narrow as numbers allow: a customer comes at a few dozen hours, and all are kept.
    """

    rows: Ints
    visits: Visits

    def wide(self) -> Visits:
        """Return the visits in the types that the compiled loop takes."""
        return Visits(
            self.visits.start, self.visits.hour.astype(np.int64), self.visits.weight.astype(np.float64)
        )


@dataclass(frozen=True)
class Clocks:
    """When customers came, by their own clock, and by how many minutes (n_customers,) it is ahead of the brand's.

    The difference, and not the offset, is kept, for it stays when both change to summer time.
    """

    parts: Sequence[VisitsOfCustomers]
    relative: Ints


@dataclass(frozen=True)
class Visiting:
    """Who is looked at before when: the customers' ids, in their order, and the moment, by the brand's clock `zone`."""

    ids: pa.Array
    decided_at: datetime
    zone: str


def read_visits(
    connection: "duckdb.DuckDBPyConnection", store: Store, asked: Visiting, threads: int = 1
) -> Clocks:
    """Return the visits of the customers; the connection knows `merges`, who became part of another.

    A visit is a thread the customer began; what the brand sent is none. Rows without an offset have no local time.
    """
    buckets, whose = store.buckets, _buckets(connection, asked.ids, len(store.buckets))
    order = np.argsort(whose, kind="stable")
    ends = np.searchsorted(whose[order], np.arange(len(buckets) + 1))

    def one(at: int) -> "tuple[VisitsOfCustomers, Times, Ints]":
        return _read(store, buckets[at], order[ends[at] : ends[at + 1]], asked)

    last = np.full(len(asked.ids), np.datetime64("NaT", "us"))
    offset = np.zeros(len(asked.ids), np.int64)
    nowhere = order[: ends[0]]
    parts = [
        VisitsOfCustomers(
            nowhere, Visits(np.zeros(len(nowhere) + 1, np.int64), *(np.zeros(0, np.uint8),) * 2)
        )
    ]
    with ThreadPoolExecutor(threads) as pool:
        for part, when, minutes in pool.map(one, np.flatnonzero(np.diff(ends)).tolist()):
            last[part.rows], offset[part.rows] = when, minutes
            parts.append(part)
    return Clocks(parts, _relative(connection, last, offset, asked.zone))


def _buckets(connection: "duckdb.DuckDBPyConnection", ids: pa.Array, count: int) -> Ints:
    """Return each customer's bucket; -1 for one that has become part of another, whose visits are that other's."""
    connection.register("asked", pa.table({"person_id": ids}))
    told = connection.sql(f"SELECT {BUCKET.format(buckets=count)} AS bucket FROM asked").to_arrow_table()
    gone = connection.sql("SELECT customer_id FROM merges").to_arrow_table()["customer_id"]
    connection.unregister("asked")
    merged = pc.is_in(ids, gone.cast(ids.type).combine_chunks()).to_numpy(zero_copy_only=False)
    return np.where(merged, -1, told["bucket"].to_numpy()).astype(np.int64)


def _read(store: Store, path: Path, rows: Ints, asked: Visiting) -> tuple[VisitsOfCustomers, Times, Ints]:
    """Return the visits in a bucket of the customers in these places, when each came last, and its offset then."""
    mine = asked.ids.take(pa.array(rows))
    table = store.read_customers(path, mine.to_pylist(), READ)
    before = pa.scalar(asked.decided_at, pa.timestamp("us"))
    came = pc.and_(pc.less(table["occurred_at"], before), pc.less(table["known_at"], before))
    came = pc.and_(came, pc.and_(table["opens_thread"], pc.is_valid(table["utc_offset_minutes"])))
    came = pc.and_(came, pc.not_equal(table["kind"], "send")).fill_null(False).to_numpy()
    ids = table["customer_id"].combine_chunks()
    place = pc.index_in(ids.dictionary, mine).to_numpy(zero_copy_only=False)
    who = place[ids.indices.to_numpy()[came]].astype(np.int64)
    at = table["occurred_at"].to_numpy()[came].astype("M8[us]")
    minutes = table["utc_offset_minutes"].fill_null(0).to_numpy()[came].astype(np.int64)
    return VisitsOfCustomers(rows, _weekly(who, at, minutes, len(rows))), *_newest(
        who, at, minutes, len(rows)
    )


def _weekly(who: Ints, at: Times, minutes: Ints, n: int) -> Visits:
    """Return how often each of n customers came at which hours of its week."""
    hours = (at.astype(np.int64) + minutes * MINUTE) // (60 * MINUTE)
    # The first hour of 1970 was a Thursday's, and a week begins on Monday.
    key, count = np.unique(who * WEEK + (hours + 3 * 24) % WEEK, return_counts=True)
    start = np.searchsorted(key, np.arange(n + 1) * WEEK)
    narrow = np.min_scalar_type(count.max(initial=0))
    return Visits(start, (key % WEEK).astype(np.uint8), count.astype(narrow))


def _newest(who: Ints, at: Times, minutes: Ints, n: int) -> tuple[Times, Ints]:
    """Return when each of n customers came last (NaT: never), and the offset of its clock then, of two the larger."""
    moment, offset = at.astype(np.int64), np.full(n, np.iinfo(np.int64).min)
    last = offset.copy()
    np.maximum.at(last, who, moment)
    newest = moment == last[who]
    np.maximum.at(offset, who[newest], minutes[newest])
    # The smallest of whole numbers is NaT.
    return last.astype("M8[us]"), offset


def _relative(connection: "duckdb.DuckDBPyConnection", last: Times, offset: Ints, zone: str) -> Ints:
    """Return by how many minutes clocks were ahead of the brand's when the customer came last; 0 of who never did."""
    came = np.flatnonzero(~np.isnat(last))
    connection.register("newest_visits", pa.table({"moment": last[came]}))
    brand = connection.sql(
        f"SELECT DATE_DIFF('minute', moment, TIMEZONE('{zone}', TIMEZONE('UTC', moment))) AS brand FROM newest_visits"
    ).to_arrow_table()
    connection.unregister("newest_visits")
    relative = np.zeros(len(last), np.int64)
    relative[came] = offset[came] - brand["brand"].to_numpy()
    return relative
