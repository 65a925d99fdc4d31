from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sintonia.core.config import SimulateSettings
from sintonia.synthetic.calendar import rome_offset_minutes, simulated_calendar


@given(st.datetimes(datetime(1997, 1, 1), datetime(2037, 12, 31)))
def test_the_written_out_clock_is_that_of_the_time_zone_database(moment):
    official = moment.replace(tzinfo=UTC).astimezone(ZoneInfo("Europe/Rome")).utcoffset()
    assert rome_offset_minutes(np.array([moment], dtype="M8[us]"))[0] == official.total_seconds() / 60


def test_rounds_lie_two_weeks_apart_in_the_second_half_up_to_the_end():
    time = simulated_calendar(SimulateSettings())
    assert time.weeks == 105
    assert time.rounds[0] == 52
    assert time.rounds[-1] == 104
    assert set(np.diff(time.rounds)) == {2}
    assert time.week_start(time.rounds[-1:])[0] == np.datetime64("2026-06-29T04:00")


@given(st.integers(-200, 200), st.floats(0, 23.99), st.integers(0, 2**32 - 1))
def test_a_moment_lies_in_its_week_at_the_hour_asked_for(week, hour, seed):
    time = simulated_calendar(SimulateSettings())
    at = time.moment(np.random.default_rng(seed), np.array([week]), np.array([hour]))
    begin = time.week_start(np.array([week]))
    assert begin <= at < begin + np.timedelta64(7, "D")
    local = (at + np.timedelta64(int(rome_offset_minutes(begin)[0]), "m")).astype("M8[s]")[0]
    seconds = (local - local.astype("M8[D]")).astype(int)
    gap = abs(seconds - hour * 3600) % 86_400
    assert min(gap, 86_400 - gap) <= 3_601  # the clock may change within the week


def test_december_is_the_high_season_and_august_the_low():
    time = simulated_calendar(SimulateSettings())
    season = time.season()
    months = time.week_start(np.arange(len(season))).astype("M8[M]").astype(int) % 12 + 1
    assert season[months == 12].mean() > 1.1
    assert season[months == 8].mean() < 0.9
    assert abs(season.mean() - 1) < 0.05
