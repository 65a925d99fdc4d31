"""The hour to send: a customer's own, else people like them, else the brand's, inside allowed hours, by their clock."""

from datetime import datetime

import numpy as np
import pytest

from serving.decisions.small import NOON
from sintonia.core.config import HoursConfig, SendConfig
from sintonia.features.sql import Cells
from sintonia.serving.decisions.kernels import Visits
from sintonia.serving.decisions.timing import CustomerVisits, VisitBlock, find_send_hours, segment_codes

WEDNESDAY = 48  # the hour of the week at which it begins
EVERY_HOUR = {"email": HoursConfig(0, 24)}


def _visits(*customers: dict[int, float], relative: list[int] | None = None) -> CustomerVisits:
    """One mapping of hour of the week to visits a customer."""
    hours = [sorted(one.items()) for one in customers]
    flat = [pair for one in hours for pair in one]
    visits = Visits(
        np.cumsum([0, *map(len, hours)]),
        np.array([hour for hour, _ in flat], np.int64),
        np.array([count for _, count in flat], float),
    )
    part = VisitBlock(np.arange(len(customers)), visits)
    return CustomerVisits([part], np.array(relative or [0] * len(customers), np.int64))


def _times(visits, send, segment=None, decided_at=NOON, channel="email"):
    n = len(visits.relative)
    hours = find_send_hours(
        visits, np.zeros(n, int) if segment is None else segment, [channel], send, decided_at
    )
    zero = np.zeros(n, np.int64)
    return hours, hours.send_at(np.arange(n), zero, hours.best_day(0))[0].astype(object).tolist()


def test_who_always_comes_at_one_hour_is_met_then_and_a_newcomer_when_the_brand_is():
    send = SendConfig(hours=EVERY_HOUR)
    visits = _visits({WEDNESDAY + 20: 100}, {WEDNESDAY + 24 + 9: 30, WEDNESDAY + 24 + 10: 30}, {})
    _, times = _times(visits, send)
    assert times[0] == datetime(2026, 7, 1, 20)
    assert times[1] in (datetime(2026, 7, 2, 9), datetime(2026, 7, 2, 10))
    assert times[2] == datetime(2026, 7, 1, 20)


def test_two_visits_lean_on_people_like_them():
    send = SendConfig(like_visits=20, hours=EVERY_HOUR)
    early, late = {WEDNESDAY + 24 + 7: 50}, {WEDNESDAY + 22: 60}
    visits = _visits(early, late, {WEDNESDAY + 30: 2}, {WEDNESDAY + 30: 2}, {WEDNESDAY + 30: 200})
    _, times = _times(visits, send, np.array([0, 1, 0, 1, 2]))
    assert [time.hour for time in times] == [7, 22, 7, 22, 6]


def test_only_allowed_hours_are_taken_and_nobody_s_hour_is_the_first_of_them():
    send = SendConfig(hours={"email": HoursConfig(9, 18, [0, 1, 2, 3, 4])})
    _, times = _times(_visits({WEDNESDAY + 20: 100}, {}), send)
    assert all(9 <= time.hour < 18 and time.weekday() < 5 for time in times)
    _, nobody = _times(_visits({}), send)
    assert nobody == [datetime(2026, 7, 1, 12)]


def test_where_no_hour_comes_in_time_the_channel_is_out_of_reach():
    send = SendConfig(within_days=2, hours={"email": HoursConfig(9, 18, [5])})
    hours, _ = _times(_visits({}), send)
    assert hours.reachable(0).tolist() == [False]


def test_the_clock_is_the_customer_s_own_and_follows_summer_time():
    # Clocks go forward in Rome on Sunday 29 March 2026 at 2: until then 1 hour ahead of UTC, then 2.
    send = SendConfig(within_days=3, time_zone="Europe/Rome", hours={"email": HoursConfig(18, 19)})
    decided_at = datetime(2026, 3, 28, 18)  # Saturday, 19 in Rome: too late for today
    hours, times = _times(_visits({}, {}, relative=[0, -60]), send, decided_at=decided_at)
    # In London it is 18 when it is decided, and that still will do.
    assert times == [datetime(2026, 3, 29, 16), datetime(2026, 3, 28, 18)]
    _, local = hours.send_at(np.arange(2), np.zeros(2, int), hours.best_day(0))
    assert local.tolist() == [datetime(2026, 3, 29, 18), datetime(2026, 3, 28, 18)]


@pytest.mark.parametrize("decided_at", [NOON, NOON.replace(minute=1), NOON.replace(hour=23, minute=59)])
def test_nothing_is_sent_before_it_is_decided(decided_at):
    _, times = _times(_visits({WEDNESDAY + 12: 9}), SendConfig(hours=EVERY_HOUR), decided_at=decided_at)
    assert times[0] >= decided_at


def test_people_are_alike_who_share_all_values_unknown_ones_too():
    sex = Cells(np.array([0, 0, 1, 2]), None, ("F", "M"))
    age = Cells(np.array([1.0, 1.0, 1.0, np.nan]), np.array([False, False, False, True]))
    number = segment_codes([sex, age], 4)
    assert number[0] == number[1]
    assert len(set(number.tolist())) == 3
    assert segment_codes([], 2).tolist() == [0, 0]
