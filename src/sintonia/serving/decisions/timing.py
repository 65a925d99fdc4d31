"""When to send: the hours at which customers visit, by their own clock, and the best allowed hour of each.

Each customer's hours are shrunk towards those of customers with the same attributes, and these towards the brand's.
Visits are read bucket by bucket and stored in a few bytes a customer and hour.
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
from sintonia.core.visibility import visible_rows
from sintonia.data.store import Store
from sintonia.data.store.write import BUCKET
from sintonia.features.sql import Cells, missing_mask
from sintonia.serving.decisions.facts import row_codes
from sintonia.serving.decisions.kernels import BestHours, OpenHours, SegmentPrior, Visits, best_hours

if TYPE_CHECKING:
    import duckdb


WEEK = 168  # hours
MINUTE = 60_000_000  # microseconds
VISIT_COLUMNS = (
    "customer_id",
    "kind",
    "occurred_at",
    "known_at",
    "known_until",
    "utc_offset_minutes",
    "opens_thread",
)


@dataclass(frozen=True)
class VisitBlock:
    """The visits of some customers: their rows among all customers, and the counts by hour of the week.

    `hour` and `weight` have the narrowest types possible, because all customers' visits are in memory.
    """

    rows: Ints
    visits: Visits

    def wide(self) -> Visits:
        """Return the visits with the types of the compiled loop."""
        return Visits(
            self.visits.start, self.visits.hour.astype(np.int64), self.visits.weight.astype(np.float64)
        )


@dataclass(frozen=True)
class CustomerVisits:
    """The customers' visits by their own clock, and its difference (n_customers,) to the brand's in minutes.

    The difference is stored rather than the offset, because it is unchanged when both switch to summer time.
    """

    parts: Sequence[VisitBlock]
    relative: Ints


@dataclass(frozen=True)
class VisitRequest:
    """Which customers' visits are read up to when: ids in their order, the moment, and the brand's time zone."""

    ids: pa.Array
    decided_at: datetime
    zone: str


def read_visits(
    connection: "duckdb.DuckDBPyConnection", store: Store, request: VisitRequest, threads: int = 1
) -> CustomerVisits:
    """Return the visits of the customers; the connection has `merges`, customers that became part of others.

    A visit is a thread that the customer began; messages of the brand are not visits. Rows without an offset have no
    local time and are ignored.
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
    """Return each customer's bucket; -1 for one merged into another, who has the visits."""
    connection.register("requested", pa.table({"person_id": ids}))
    numbers = connection.sql(
        f"SELECT {BUCKET.format(buckets=count)} AS bucket FROM requested"
    ).to_arrow_table()
    merged_ids = connection.sql("SELECT customer_id FROM merges").to_arrow_table()["customer_id"]
    connection.unregister("requested")
    merged = pc.is_in(ids, merged_ids.cast(ids.type).combine_chunks()).to_numpy(zero_copy_only=False)
    return np.where(merged, -1, numbers["bucket"].to_numpy()).astype(np.int64)


def _read_block(
    store: Store, path: Path, rows: Ints, request: VisitRequest
) -> tuple[VisitBlock, Times, Ints]:
    """Return the visits of these customers in a bucket, each customer's last visit, and its clock's offset then."""
    ids_in_bucket = request.ids.take(pa.array(rows))
    table = store.read_customers(path, ids_in_bucket.to_pylist(), VISIT_COLUMNS)
    is_visit = visible_rows(table, request.decided_at, strictly_before=True)
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
    """Return the number of visits of each of n customers by hour of the week."""
    hours = (at.astype(np.int64) + minutes * MINUTE) // (60 * MINUTE)
    # 1970 began on a Thursday, and weeks begin on Monday.
    key, count = np.unique(who * WEEK + (hours + 3 * 24) % WEEK, return_counts=True)
    start = np.searchsorted(key, np.arange(n + 1) * WEEK)
    narrow = np.min_scalar_type(count.max(initial=0))
    return Visits(start, (key % WEEK).astype(np.uint8), count.astype(narrow))


def _last_visits(who: Ints, at: Times, minutes: Ints, n: int) -> tuple[Times, Ints]:
    """Return the time of each of n customers' last visit (NaT: none), and the offset then, of two the larger."""
    moment, offset = at.astype(np.int64), np.full(n, np.iinfo(np.int64).min)
    last = offset.copy()
    np.maximum.at(last, who, moment)
    newest = moment == last[who]
    np.maximum.at(offset, who[newest], minutes[newest])
    # The smallest int64 is NaT.
    return last.astype("M8[us]"), offset


def _clock_offsets(connection: "duckdb.DuckDBPyConnection", last: Times, offset: Ints, zone: str) -> Ints:
    """Return the minutes by which clocks were ahead of the brand's at the last visit; 0 without a visit."""
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

MIN_RATE = (
    1e-3  # weight of a uniform week: without visits every hour is equally likely, and the earliest is taken
)


@dataclass(frozen=True)
class SendHours:
    """By customer, use and day from the decision on: the best hour (-1: none) and its share of visits.

    Both are (n_customers, n_uses, n_days): channels with the same allowed hours share an index on the second axis,
    given by `uses`.
    """

    uses: Mapping[str, int]
    hour: NDArray[np.int8]
    share: NDArray[np.float32]
    relative: Ints
    decided_at: datetime
    zone: str

    def part(self, rows: slice) -> "SendHours":
        """Return the hours of consecutive customers."""
        return replace(self, hour=self.hour[rows], share=self.share[rows], relative=self.relative[rows])

    def best_day(self, use: int) -> Ints:
        """Return each customer's best day for a use, the first of ties."""
        day: Ints = self.share[:, use].argmax(axis=1).astype(np.int64)
        return day

    def reachable(self, use: int) -> NDArray[np.bool_]:
        """Return which customers have an allowed hour for a use within the days."""
        return np.asarray((self.hour[:, use] >= 0).any(axis=1))

    def send_at(self, rows: Ints, use: Ints, day: Ints) -> tuple[Times, Times]:
        """Return the times of these customers' hours of these uses and days: in UTC, and by the customer's clock."""
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
    """Return a code for each customer, equal for customers with equal values of all the attributes."""
    if not attributes:
        return np.zeros(n_customers, np.int64)
    return row_codes(np.where(missing_mask(cells), -1, cells.values) for cells in attributes)


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
    """Fill in the best hours of a block of customers."""
    visits = part.wide()
    best_of_block = BestHours(best.hour[part.rows], best.share[part.rows])
    for offset in np.unique(relative):
        best_hours(visits, prior, np.flatnonzero(relative == offset), open_hours[offset], best_of_block)
    best.hour[part.rows], best.share[part.rows] = best_of_block


def _segment_profiles(clocks: CustomerVisits, segment: Ints, strength: float) -> Floats:
    """Return each segment's profile over the week, (n_segments, 168), rows summing to 1, shrunk to the brand's."""
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
    """Return the full hours ahead by a customer's clock: hour of the week, day (0 today), hour of the day."""
    now = _local_time(decided_at, zone) + timedelta(minutes=relative)
    first = now.replace(minute=0, second=0, microsecond=0)
    first += timedelta(hours=first < now)
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    hours = np.arange((first - today) // timedelta(hours=1), 24 * days)
    return np.column_stack([(today.weekday() * 24 + hours) % WEEK, hours // 24, hours % 24])


def _hours_of_use(hours: HoursConfig) -> HoursOfUse:
    """Return the allowed hours of a channel as a key."""
    return hours.from_hour, hours.until_hour, tuple(sorted(set(hours.weekdays)))


def _open_hours(slot: Ints, uses: Sequence[HoursOfUse]) -> OpenHours:
    """Return the hours ahead, and for each use the indices of the allowed ones."""
    opens = np.full((len(uses), len(slot) + 1), -1)
    for index, (begin, end, weekdays) in enumerate(uses):
        inside = (slot[:, 2] >= begin) & (slot[:, 2] < end)
        allowed = np.flatnonzero(inside & np.isin(slot[:, 0] // 24, weekdays))
        opens[index, : len(allowed)] = allowed
    return OpenHours(slot, opens)


def _local_time(moment: datetime, zone: str) -> datetime:
    """Return a UTC moment by the clock of a time zone."""
    return moment.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
