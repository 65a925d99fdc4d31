"""When to send: each customer's own hours, leant on those of people like them and on the brand's, by their clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from sintonia.arrays import Floats, Ints, Times
from sintonia.config import HoursConfig, SendConfig
from sintonia.decision.hour_kernels import Ahead, Best, Lean, best_hours
from sintonia.decision.refusals import numbered
from sintonia.decision.visits import WEEK, Clocks, VisitsOfCustomers
from sintonia.features.cells import Cells, or_none

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
    return numbered(np.where(or_none(cells), -1, cells.values) for cells in attributes)


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
