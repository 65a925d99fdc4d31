"""The brand's calendar: simulated weeks, decision rounds, seasonality and local time in Italy."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sintonia.core.arrays import Floats, Ints, Spans, Times
from sintonia.core.config import SimulateSettings, iso_time

DAWN_HOURS = 4
"""A simulated week runs from 04:00 UTC, when rounds are decided, so that a round precedes the orders of its week."""

ROUND_WEEKS = 2
EFFECT_WEEKS = 4
"""An action has an effect for four weeks, the reward window: 28 days from `decided_at`."""

_HOUR = 3_600_000_000
_DAY = 24 * _HOUR
_WEEKDAY_SHARES = np.array([0.12, 0.12, 0.12, 0.13, 0.16, 0.20, 0.15])


@dataclass(frozen=True)
class Calendar:
    """The simulated time: `weeks` weeks from `start`, the last one cut at `end`."""

    start: np.datetime64
    end: np.datetime64
    weeks: int

    @property
    def rounds(self) -> Ints:
        """The weeks that start with randomised decisions: every second week of the second half."""
        return np.arange(self.weeks // 2, self.weeks, ROUND_WEEKS)

    def week_start(self, week: Ints) -> Times:
        """Return when each week starts."""
        start: Times = self.start + (week * 7 * _DAY + DAWN_HOURS * _HOUR).astype("m8[us]")
        return start

    def season(self) -> Floats:
        """Return the seasonal factor of the order rate per week, to `EFFECT_WEEKS` past the end."""
        middle = self.week_start(np.arange(self.weeks + EFFECT_WEEKS))
        day = (middle - middle.astype("M8[Y]")).astype("m8[D]").astype(np.int64)
        december = np.exp(-0.5 * ((day - 345) / 14.0) ** 2)
        august = np.exp(-0.5 * ((day - 225) / 14.0) ** 2)
        factor: Floats = 1.0 + 0.35 * december - 0.30 * august
        return factor

    def moment(self, rng: np.random.Generator, week: Ints, local_hour: Floats) -> Times:
        """Return a moment within each week at the given hour of Rome's clock (0 to 24)."""
        day = rng.choice(7, size=len(week), p=_WEEKDAY_SHARES)
        midday = self.week_start(week) + (day * _DAY + 8 * _HOUR).astype("m8[us]")
        into_day = local_hour * _HOUR - rome_offset_minutes(midday) * (_HOUR // 60) - DAWN_HOURS * _HOUR
        whole_seconds = np.mod(into_day, _DAY).astype(np.int64) // 1_000_000 * 1_000_000
        moments: Times = self.week_start(week) + (day * _DAY + whole_seconds).astype("m8[us]")
        return moments


def simulated_calendar(settings: SimulateSettings) -> Calendar:
    """Return the calendar of the settings' start and end."""
    start = np.datetime64(iso_time("start", settings.start), "us")
    end = np.datetime64(iso_time("end", settings.end), "us")
    days = (end - start) / np.timedelta64(1, "D") - DAWN_HOURS / 24
    return Calendar(start=start, end=end, weeks=max(1, int(np.ceil(days / 7))))


def rome_offset_minutes(utc: Times) -> Ints:
    """Return the UTC offset of Rome in minutes: 120 in summer time, otherwise 60.

    Summer time runs from the last Sunday of March to that of October, 01:00 UTC. The rule is coded here
    because a minimal container may have no time zone database.

    Examples
    --------
    >>> rome_offset_minutes(np.array(["2025-03-30T00:59", "2025-03-30T01:00"], "M8[us]")).tolist()
    [60, 120]
    """
    year = utc.astype("M8[Y]").astype("M8[M]")
    summer = (utc >= _last_sunday(year + 3)) & (utc < _last_sunday(year + 10))
    return np.where(summer, 120, 60)


def _last_sunday(month_after: npt.NDArray[Any]) -> Times:
    """Return 01:00 UTC on the last Sunday before each month."""
    last_day = month_after.astype("M8[D]") - 1
    since_sunday = (last_day.astype(np.int64) + 4) % 7  # 1970-01-01 was a Thursday
    sunday: npt.NDArray[Any] = last_day - since_sunday
    one_o_clock: Times = np.add(sunday.astype("M8[us]"), np.timedelta64(1, "h"))
    return one_o_clock


def rome_time(utc: Times) -> Times:
    """Return local time in Rome."""
    local: Times = utc + (rome_offset_minutes(utc) * 60_000_000).astype("m8[us]")
    return local


def minutes(count: npt.ArrayLike) -> Spans:
    """Return minutes as time spans, cut to whole seconds."""
    spans: Spans = (np.asarray(count, dtype=np.float64) * 60).astype("m8[s]").astype("m8[us]")
    return spans
