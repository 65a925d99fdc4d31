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
from sintonia.data.store.gather import BUCKET
from sintonia.features.sql import Cells, or_none
from sintonia.serving.decisions.facts import row_codes
from sintonia.serving.decisions.kernels import BestHours, OpenHours, SegmentPrior, Visits, best_hours

if TYPE_CHECKING:
    import duckdb


WEEK = 168  # hours
MINUTE = 60_000_000  # microseconds
VISIT_COLUMNS = ("customer_id", "kind", "occurred_at", "known_at", "utc_offset_minutes", "opens_thread")


@dataclass(frozen=True)
class VisitBlock:
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
class CustomerVisits:
    """When customers came, by their own clock, and by how many minutes (n_customers,) it is ahead of the brand's.

    The difference, and not the offset, is kept, for it stays when both change to summer time.
    """

    parts: Sequence[VisitBlock]
    relative: Ints


@dataclass(frozen=True)
class VisitRequest:
    """Who is looked at before when: the customers' ids, in their order, and the moment, by the brand's clock `zone`."""

    ids: pa.Array
    decided_at: datetime
    zone: str


def read_visits(
    connection: "duckdb.DuckDBPyConnection", store: Store, request: VisitRequest, threads: int = 1
) -> CustomerVisits:
    """Return the visits of the customers; the connection knows `merges`, who became part of another.

    A visit is a thread the customer began; what the brand sent is none. Rows without an offset have no local time.
    """
    buckets, bucket_of_customer = store.buckets, _bucket_numbers(connection, request.ids, len(store.buckets))
    order = np.argsort(bucket_of_customer, kind="stable")
    ends = np.searchsorted(bucket_of_customer[order], np.arange(len(buckets) + 1))

    def read_bucket(at: int) -> "tuple[VisitBlock, Times, Ints]":
        return _read_block(store, buckets[at], order[ends[at] : ends[at + 1]], request)

    last = np.full(len(request.ids), np.datetime64("NaT", "us"))
    offset = np.zeros(len(request.ids), np.int64)
    without_bucket = order[: ends[0]]
    parts = [
        VisitBlock(
            without_bucket, Visits(np.zeros(len(without_bucket) + 1, np.int64), *(np.zeros(0, np.uint8),) * 2)
        )
    ]
    with ThreadPoolExecutor(threads) as pool:
        for part, when, minutes in pool.map(read_bucket, np.flatnonzero(np.diff(ends)).tolist()):
            last[part.rows], offset[part.rows] = when, minutes
            parts.append(part)
    return CustomerVisits(parts, _clock_offsets(connection, last, offset, request.zone))


def _bucket_numbers(connection: "duckdb.DuckDBPyConnection", ids: pa.Array, count: int) -> Ints:
    """Return each customer's bucket; -1 for one that has become part of another, whose visits are that other's."""
    connection.register("asked", pa.table({"person_id": ids}))
    numbers = connection.sql(f"SELECT {BUCKET.format(buckets=count)} AS bucket FROM asked").to_arrow_table()
    merged_ids = connection.sql("SELECT customer_id FROM merges").to_arrow_table()["customer_id"]
    connection.unregister("asked")
    merged = pc.is_in(ids, merged_ids.cast(ids.type).combine_chunks()).to_numpy(zero_copy_only=False)
    return np.where(merged, -1, numbers["bucket"].to_numpy()).astype(np.int64)


def _read_block(
    store: Store, path: Path, rows: Ints, request: VisitRequest
) -> tuple[VisitBlock, Times, Ints]:
    """Return the visits in a bucket of the customers in these places, when each came last, and its offset then."""
    ids_in_bucket = request.ids.take(pa.array(rows))
    table = store.read_customers(path, ids_in_bucket.to_pylist(), VISIT_COLUMNS)
    before = pa.scalar(request.decided_at, pa.timestamp("us"))
    is_visit = pc.and_(pc.less(table["occurred_at"], before), pc.less(table["known_at"], before))
    is_visit = pc.and_(is_visit, pc.and_(table["opens_thread"], pc.is_valid(table["utc_offset_minutes"])))
    is_visit = pc.and_(is_visit, pc.not_equal(table["kind"], "send")).fill_null(False).to_numpy()
    ids = table["customer_id"].combine_chunks()
    index = pc.index_in(ids.dictionary, ids_in_bucket).to_numpy(zero_copy_only=False)
    who = index[ids.indices.to_numpy()[is_visit]].astype(np.int64)
    at = table["occurred_at"].to_numpy()[is_visit].astype("M8[us]")
    minutes = table["utc_offset_minutes"].fill_null(0).to_numpy()[is_visit].astype(np.int64)
    return VisitBlock(rows, _weekly_visits(who, at, minutes, len(rows))), *_last_visits(
        who, at, minutes, len(rows)
    )


def _weekly_visits(who: Ints, at: Times, minutes: Ints, n: int) -> Visits:
    """Return how often each of n customers came at which hours of its week."""
    hours = (at.astype(np.int64) + minutes * MINUTE) // (60 * MINUTE)
    # The first hour of 1970 was a Thursday's, and a week begins on Monday.
    key, count = np.unique(who * WEEK + (hours + 3 * 24) % WEEK, return_counts=True)
    start = np.searchsorted(key, np.arange(n + 1) * WEEK)
    narrow = np.min_scalar_type(count.max(initial=0))
    return Visits(start, (key % WEEK).astype(np.uint8), count.astype(narrow))


def _last_visits(who: Ints, at: Times, minutes: Ints, n: int) -> tuple[Times, Ints]:
    """Return when each of n customers came last (NaT: never), and the offset of its clock then, of two the larger."""
    moment, offset = at.astype(np.int64), np.full(n, np.iinfo(np.int64).min)
    last = offset.copy()
    np.maximum.at(last, who, moment)
    newest = moment == last[who]
    np.maximum.at(offset, who[newest], minutes[newest])
    # The smallest of whole numbers is NaT.
    return last.astype("M8[us]"), offset


def _clock_offsets(connection: "duckdb.DuckDBPyConnection", last: Times, offset: Ints, zone: str) -> Ints:
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


HoursOfUse = tuple[int, int, tuple[int, ...]]
"""The first hour of the day, the first one after the last, and the weekdays, Monday being 0."""

MIN_RATE = 1e-3  # of an even week: no hour is impossible, and of what nobody knows the earliest is taken


@dataclass(frozen=True)
class SendHours:
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

    def part(self, rows: slice) -> "SendHours":
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
        zone, base = ZoneInfo(self.zone), _local_time(self.decided_at, self.zone)
        ahead = self.relative[rows].astype("m8[m]")
        today = (np.datetime64(base, "us") + ahead).astype("M8[D]").astype("M8[us]")
        hours = 24 * day + self.hour[rows, use, day].astype(np.int64)
        brand = today + hours.astype("m8[h]") - ahead
        moments, index = np.unique(brand, return_inverse=True)
        utc = [
            moment.replace(tzinfo=zone).astimezone(UTC).replace(tzinfo=None)
            for moment in moments.astype(object)
        ]
        return np.array(utc, "M8[us]")[index], brand + ahead


def segment_codes(attributes: Sequence[Cells], n_customers: int) -> Ints:
    """Return a number for each customer, the same for those with the same values of all the attributes."""
    if not attributes:
        return np.zeros(n_customers, np.int64)
    return row_codes(np.where(or_none(cells), -1, cells.values) for cells in attributes)


def find_send_hours(
    clocks: CustomerVisits, segment: Ints, channels: Sequence[str], send: SendConfig, decided_at: datetime
) -> SendHours:
    """Return the best hours of every customer on every channel and day."""
    hours_of_channel = [_hours_of_use(send.hours.get(channel, HoursConfig())) for channel in channels]
    uses = {hours: index for index, hours in enumerate(dict.fromkeys(hours_of_channel))}
    shape = (len(clocks.relative), len(uses), send.within_days)
    best = BestHours(np.full(shape, -1, np.int8), np.zeros(shape, np.float32))
    profile = _segment_profiles(clocks, segment, send.like_visits)
    open_hours = {
        relative: _open_hours(
            _hours_ahead(decided_at, send.time_zone, int(relative), send.within_days), list(uses)
        )
        for relative in np.unique(clocks.relative)
    }
    for part in clocks.parts:
        _fill_best_hours(
            part,
            SegmentPrior(profile, segment[part.rows], send.like_visits),
            clocks.relative[part.rows],
            open_hours,
            best,
        )
    use_of_channel = {channel: uses[hours] for channel, hours in zip(channels, hours_of_channel, strict=True)}
    return SendHours(use_of_channel, best.hour, best.share, clocks.relative, decided_at, send.time_zone)


def _fill_best_hours(
    part: VisitBlock,
    prior: SegmentPrior,
    relative: Ints,
    open_hours: Mapping[int, OpenHours],
    best: BestHours,
) -> None:
    """Fill the best hours of a part's customers."""
    visits = part.wide()
    best_of_block = BestHours(best.hour[part.rows], best.share[part.rows])
    for offset in np.unique(relative):
        best_hours(visits, prior, np.flatnonzero(relative == offset), open_hours[offset], best_of_block)
    best.hour[part.rows], best.share[part.rows] = best_of_block


def _segment_profiles(clocks: CustomerVisits, segment: Ints, strength: float) -> Floats:
    """Return each segment's hours of the week, (n_segments, 168), each summing to 1: its own leant on everybody's."""
    counts = np.zeros((int(segment.max(initial=0)) + 1, WEEK))
    for part in clocks.parts:
        visits = part.wide()
        row = np.repeat(part.rows, np.diff(visits.start))
        np.add.at(counts, (segment[row], visits.hour), visits.weight)
    counts = counts / 2 + np.roll(counts, 1, axis=1) / 4 + np.roll(counts, -1, axis=1) / 4
    brand = counts.sum(axis=0) + MIN_RATE
    shrunk = counts + max(strength, MIN_RATE) * brand / brand.sum()
    profiles: Floats = shrunk / shrunk.sum(axis=1, keepdims=True)
    return profiles


def _hours_ahead(decided_at: datetime, zone: str, relative: int, days: int) -> Ints:
    """Return the whole hours to come by a customer's clock: hour of the week, day (0 today), hour of the day."""
    now = _local_time(decided_at, zone) + timedelta(minutes=relative)
    first = now.replace(minute=0, second=0, microsecond=0)
    first += timedelta(hours=first < now)
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    hours = np.arange((first - today) // timedelta(hours=1), 24 * days)
    return np.column_stack([(today.weekday() * 24 + hours) % WEEK, hours // 24, hours % 24])


def _hours_of_use(hours: HoursConfig) -> HoursOfUse:
    return hours.from_hour, hours.until_hour, tuple(sorted(set(hours.weekdays)))


def _open_hours(slot: Ints, uses: Sequence[HoursOfUse]) -> OpenHours:
    """Return the hours to come, and for each use the places of those that it allows."""
    opens = np.full((len(uses), len(slot) + 1), -1)
    for index, (begin, end, weekdays) in enumerate(uses):
        inside = (slot[:, 2] >= begin) & (slot[:, 2] < end)
        allowed = np.flatnonzero(inside & np.isin(slot[:, 0] // 24, weekdays))
        opens[index, : len(allowed)] = allowed
    return OpenHours(slot, opens)


def _local_time(moment: datetime, zone: str) -> datetime:
    return moment.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
