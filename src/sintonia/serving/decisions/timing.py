"""When customers came, by their own clock: read bucket by bucket, kept in a few bytes a customer and hour.

When to send: each customer's own hours, leant on those of people like them and on the brand's, by their clock.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sintonia.core.arrays import Floats, Ints, Times
from sintonia.core.config import HoursConfig, SendConfig
from sintonia.data.store import Store
from sintonia.data.store.write import BUCKET
from sintonia.features.sql import Cells, missing_mask
from sintonia.serving.decisions.kernels import Ahead, Best, Lean, Visits, best_hours
from sintonia.serving.decisions.refusals import numbered

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


OpenAt = tuple[int, int, tuple[int, ...]]
"""The first hour of the day, the first one after the last, and the weekdays, Monday being 0."""

LEAST_RATE = 1e-3  # of an even week: no hour is impossible, and of what nobody knows the earliest is taken


@dataclass(frozen=True)
class Hours:
    """By customer, hours of use and day from the decision's on: the best hour (-1: none) and its share of visits.

    Both are (n_customers, n_uses, n_days): channels that may be used at the same hours share a place on the second
    axis, and `uses` says each channel's.
    """

    uses: Mapping[str, int]
    hour: NDArray[np.int8]
    share: NDArray[np.float32]
    relative: Ints
    decided_at: datetime
    zone: str

    def part(self, rows: slice) -> "Hours":
        """Return the hours of customers who follow one another."""
        return replace(self, hour=self.hour[rows], share=self.share[rows], relative=self.relative[rows])

    def best_day(self, use: int) -> Ints:
        """Return each customer's best day for such a channel, the first of equals."""
        day: Ints = self.share[:, use].argmax(axis=1).astype(np.int64)
        return day

    def reachable(self, use: int) -> NDArray[np.bool_]:
        """Return who has an allowed hour on such a channel within the days."""
        return np.asarray((self.hour[:, use] >= 0).any(axis=1))

    def send_at(self, rows: Ints, use: Ints, day: Ints) -> tuple[Times, Times]:
        """Return the times of these customers' hours of these uses and days: UTC, and by the customer's clock."""
        zone, base = ZoneInfo(self.zone), _local(self.decided_at, self.zone)
        ahead = self.relative[rows].astype("m8[m]")
        today = (np.datetime64(base, "us") + ahead).astype("M8[D]").astype("M8[us]")
        hours = 24 * day + self.hour[rows, use, day].astype(np.int64)
        brand = today + hours.astype("m8[h]") - ahead
        moments, place = np.unique(brand, return_inverse=True)
        utc = [
            moment.replace(tzinfo=zone).astimezone(UTC).replace(tzinfo=None)
            for moment in moments.astype(object)
        ]
        return np.array(utc, "M8[us]")[place], brand + ahead


def segments(attributes: Sequence[Cells], n_customers: int) -> Ints:
    """Return a number for each customer, the same for those with the same values of all the attributes."""
    if not attributes:
        return np.zeros(n_customers, np.int64)
    return numbered(np.where(missing_mask(cells), -1, cells.values) for cells in attributes)


def find_hours(
    clocks: Clocks, segment: Ints, channels: Sequence[str], send: SendConfig, decided_at: datetime
) -> Hours:
    """Return the best hours of every customer on every channel and day."""
    when = [_open_at(send.hours.get(channel, HoursConfig())) for channel in channels]
    uses = {hours: place for place, hours in enumerate(dict.fromkeys(when))}
    shape = (len(clocks.relative), len(uses), send.within_days)
    best = Best(np.full(shape, -1, np.int8), np.zeros(shape, np.float32))
    profile = _profiles(clocks, segment, send.like_visits)
    ahead = {
        relative: _ahead(_slots(decided_at, send.time_zone, int(relative), send.within_days), list(uses))
        for relative in np.unique(clocks.relative)
    }
    for part in clocks.parts:
        _fill(
            part, Lean(profile, segment[part.rows], send.like_visits), clocks.relative[part.rows], ahead, best
        )
    own = {channel: uses[hours] for channel, hours in zip(channels, when, strict=True)}
    return Hours(own, best.hour, best.share, clocks.relative, decided_at, send.time_zone)


def _fill(
    part: VisitsOfCustomers, lean: Lean, relative: Ints, ahead: Mapping[int, Ahead], best: Best
) -> None:
    """Fill the best hours of a part's customers."""
    visits = part.wide()
    mine = Best(best.hour[part.rows], best.share[part.rows])
    for one in np.unique(relative):
        best_hours(visits, lean, np.flatnonzero(relative == one), ahead[one], mine)
    best.hour[part.rows], best.share[part.rows] = mine


def _profiles(clocks: Clocks, segment: Ints, strength: float) -> Floats:
    """Return each segment's hours of the week, (n_segments, 168), each summing to 1: its own leant on everybody's."""
    counts = np.zeros((int(segment.max(initial=0)) + 1, WEEK))
    for part in clocks.parts:
        visits = part.wide()
        row = np.repeat(part.rows, np.diff(visits.start))
        np.add.at(counts, (segment[row], visits.hour), visits.weight)
    counts = counts / 2 + np.roll(counts, 1, axis=1) / 4 + np.roll(counts, -1, axis=1) / 4
    brand = counts.sum(axis=0) + LEAST_RATE
    leant = counts + max(strength, LEAST_RATE) * brand / brand.sum()
    profiles: Floats = leant / leant.sum(axis=1, keepdims=True)
    return profiles


def _slots(decided_at: datetime, zone: str, relative: int, days: int) -> Ints:
    """Return the whole hours to come by a customer's clock: hour of the week, day (0 today), hour of the day."""
    now = _local(decided_at, zone) + timedelta(minutes=relative)
    first = now.replace(minute=0, second=0, microsecond=0)
    first += timedelta(hours=first < now)
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    hours = np.arange((first - today) // timedelta(hours=1), 24 * days)
    return np.column_stack([(today.weekday() * 24 + hours) % WEEK, hours // 24, hours % 24])


def _open_at(hours: HoursConfig) -> OpenAt:
    return hours.from_hour, hours.until_hour, tuple(sorted(set(hours.weekdays)))


def _ahead(slot: Ints, uses: Sequence[OpenAt]) -> Ahead:
    """Return the hours to come, and for each use the places of those that it allows."""
    opens = np.full((len(uses), len(slot) + 1), -1)
    for place, (begin, end, weekdays) in enumerate(uses):
        inside = (slot[:, 2] >= begin) & (slot[:, 2] < end)
        some = np.flatnonzero(inside & np.isin(slot[:, 0] // 24, weekdays))
        opens[place, : len(some)] = some
    return Ahead(slot, opens)


def _local(moment: datetime, zone: str) -> datetime:
    return moment.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
