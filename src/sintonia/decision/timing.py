"""When to send: each customer's own hours, leant on those of people like them and on the brand's, by their clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from sintonia.config import HoursConfig, SendConfig
from sintonia.decision.hour_kernels import Ahead, Best, Lean, Visits, best_hours
from sintonia.decision.refusals import numbered
from sintonia.features.cells import Cells, or_none

if TYPE_CHECKING:
    import duckdb

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Times = NDArray[np.datetime64]

WEEK = 168  # hours
LEAST_RATE = 1e-3  # of an even week: no hour is impossible, and of what nobody knows the earliest is taken


@dataclass(frozen=True)
class Clocks:
    """When customers came, by their own clock, and by how many minutes (n_customers,) it is ahead of the brand's.

    The difference, and not the offset, is kept, for it stays when both change to summer time.
    """

    visits: Visits
    relative: Ints


@dataclass(frozen=True)
class Hours:
    """By customer, channel and day from the decision's on: the best allowed hour (-1: none) and its share of visits.

    Both are (n_customers, n_channels, n_days); `channels` names the second axis.
    """

    channels: tuple[str, ...]
    hour: NDArray[np.int16]
    share: NDArray[np.float32]
    relative: Ints
    decided_at: datetime
    zone: str

    def best_day(self, channel: int) -> Ints:
        """Return each customer's best day for a channel, the first of equals."""
        day: Ints = self.share[:, channel].argmax(axis=1).astype(np.int64)
        return day

    def reachable(self, channel: int) -> NDArray[np.bool_]:
        """Return who has an allowed hour on the channel within the days."""
        return np.asarray((self.hour[:, channel] >= 0).any(axis=1))

    def send_at(self, rows: Ints, channel: Ints, day: Ints) -> tuple[Times, Times]:
        """Return the times of these customers' hours on these channels and days: UTC, and by the customer's clock."""
        zone, base = ZoneInfo(self.zone), _local(self.decided_at, self.zone)
        ahead = self.relative[rows].astype("m8[m]")
        today = (np.datetime64(base, "us") + ahead).astype("M8[D]").astype("M8[us]")
        hours = 24 * day + self.hour[rows, channel, day].astype(np.int64)
        brand = today + hours.astype("m8[h]") - ahead
        moments, place = np.unique(brand, return_inverse=True)
        utc = [
            moment.replace(tzinfo=zone).astimezone(UTC).replace(tzinfo=None)
            for moment in moments.astype(object)
        ]
        return np.array(utc, "M8[us]")[place], brand + ahead


def read_visits(connection: "duckdb.DuckDBPyConnection", zone: str, n_customers: int) -> Clocks:
    """Return the visits of the connection's `customers` (customer_id, place) among what was `seen`.

    A visit is a thread the customer began; what the brand sent is none. Rows without an offset have no local time.
    """
    brand = f"DATE_DIFF('minute', occurred_at, TIMEZONE('{zone}', TIMEZONE('UTC', occurred_at)))"
    local = "(occurred_at + TO_MINUTES(utc_offset_minutes))"
    connection.execute(f"""
        CREATE OR REPLACE TEMP VIEW visits AS
        SELECT place, (ISODOW({local}) - 1) * 24 + HOUR({local}) AS hour, occurred_at,
               utc_offset_minutes - {brand} AS relative
        FROM seen JOIN customers USING (customer_id)
        WHERE kind <> 'send' AND opens_thread AND utc_offset_minutes IS NOT NULL""")
    found = connection.sql(
        "SELECT place, hour, COUNT(*)::DOUBLE AS count FROM visits GROUP BY ALL ORDER BY ALL"
    ).fetchnumpy()
    clocks = connection.sql(
        "SELECT place, ARG_MAX(relative, (occurred_at, relative)) AS relative FROM visits GROUP BY place"
    ).fetchnumpy()
    relative = np.zeros(n_customers, np.int64)
    relative[clocks["place"]] = clocks["relative"]
    start = np.searchsorted(found["place"], np.arange(n_customers + 1))
    return Clocks(Visits(start, found["hour"].astype(np.int64), found["count"]), relative)


def segments(attributes: Sequence[Cells], n_customers: int) -> Ints:
    """Return a number for each customer, the same for those with the same values of all the attributes."""
    if not attributes:
        return np.zeros(n_customers, np.int64)
    return numbered(np.where(or_none(cells), -1, cells.values) for cells in attributes)


def find_hours(
    clocks: Clocks, segment: Ints, channels: Sequence[str], send: SendConfig, decided_at: datetime
) -> Hours:
    """Return the best hours of every customer on every channel and day."""
    shape = (len(clocks.relative), len(channels), send.within_days)
    best = Best(np.full(shape, -1, np.int16), np.zeros(shape, np.float32))
    lean = Lean(_profiles(clocks.visits, segment, send.like_visits), segment, send.like_visits)
    for relative in np.unique(clocks.relative):
        rows = np.flatnonzero(clocks.relative == relative)
        slot = _slots(decided_at, send.time_zone, int(relative), send.within_days)
        opens = np.full((len(channels), len(slot) + 1), -1)
        for place, channel in enumerate(channels):
            some = _opens(slot, send.hours, channel)
            opens[place, : len(some)] = some
        best_hours(clocks.visits, lean, rows, Ahead(slot, opens), best)
    return Hours(tuple(channels), best.hour, best.share, clocks.relative, decided_at, send.time_zone)


def _profiles(visits: Visits, segment: Ints, strength: float) -> Floats:
    """Return each segment's hours of the week, (n_segments, 168), each summing to 1: its own leant on everybody's."""
    row = np.repeat(np.arange(len(segment)), np.diff(visits.start))
    counts = np.zeros((int(segment.max(initial=0)) + 1, WEEK))
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


def _opens(slot: Ints, hours: Mapping[str, HoursConfig], channel: str) -> Ints:
    """Return the places of the hours at which a channel may be used."""
    when = hours.get(channel, HoursConfig())
    inside = (slot[:, 2] >= when.from_hour) & (slot[:, 2] < when.until_hour)
    return np.flatnonzero(inside & np.isin(slot[:, 0] // 24, when.weekdays))


def _local(moment: datetime, zone: str) -> datetime:
    return moment.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
