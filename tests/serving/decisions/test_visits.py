"""Visits by the customer's own clock: what counts as one, whose it is, how far its clock is ahead of the brand's."""

import duckdb
import numpy as np
import pyarrow as pa

from serving.decisions.small import NOON, ago, event, small_store
from sintonia.serving.decisions.contacts import open_tables
from sintonia.serving.decisions.timing import VisitRequest, read_visits

WEDNESDAY = 48  # the hour of the week at which it begins


def _read(folder, rows, ids, zone="Europe/Rome", **more):
    connection = duckdb.connect()
    store = small_store(folder, rows, **more)
    open_tables(connection, store, NOON)
    return read_visits(connection, store, VisitRequest(pa.array(ids), NOON, zone))


def _of(clocks):
    """By the customer's place: hour of the week to visits."""
    found = {}
    for part in clocks.parts:
        start, hour, weight = (column.tolist() for column in part.visits)
        for at, row in enumerate(part.rows.tolist()):
            mine = slice(start[at], start[at + 1])
            found[row] = dict(zip(hour[mine], weight[mine], strict=True))
    return found


def test_visits_are_threads_the_customer_began_by_their_own_clock(tmp_path):
    rows = [
        event("A", 0.5, "visit", utc_offset_minutes=120),  # Wednesday 0:00 UTC is 2:00
        event("A", 0.5, "view", utc_offset_minutes=120, opens_thread=False),
        event("A", 0.4, "send", utc_offset_minutes=120),
        event("A", 0.3, "visit", utc_offset_minutes=None),
        event("A", -0.1, "visit", utc_offset_minutes=120),
        event("A", 0.3, "visit", utc_offset_minutes=120, known_at=ago(-1)),
        event("B", 2.5, "purchase", utc_offset_minutes=60, known_at=ago(2)),  # Monday 0:00 UTC is 1:00
        event("D", 2.5, "purchase", utc_offset_minutes=60),  # nobody asks about D
    ]
    clocks = _read(tmp_path, rows, ["A", "B", "C"])
    assert _of(clocks) == {0: {WEDNESDAY + 2: 1}, 1: {1: 1}, 2: {}}
    assert clocks.relative.tolist() == [0, -60, 0]


def test_the_last_visit_says_how_far_a_clock_is_ahead_whatever_the_order_of_the_customers(tmp_path):
    rows = [
        *(
            event("A", days, "visit", utc_offset_minutes=minutes)
            for days, minutes in ((9, 0), (3, 60), (5, 480))
        ),
        *(event("B", 4, "visit", utc_offset_minutes=minutes) for minutes in (-300, 120, 60)),
        # In winter Rome is one hour ahead of UTC: so is the customer, who has not moved.
        event("C", 160, "visit", utc_offset_minutes=60),
    ]
    clocks = _read(tmp_path, rows, ["C", "B", "A"])
    assert clocks.relative.tolist() == [0, 0, -60]


def test_many_visits_at_one_hour_are_all_counted_across_buckets(tmp_path):
    rows = [event("A", 7 * week + 0.5, "visit", utc_offset_minutes=0) for week in range(300)]
    clocks = _read(tmp_path, rows, ["A"])
    assert _of(clocks) == {0: {WEDNESDAY: 300}}
    assert clocks.parts[-1].wide().weight.tolist() == [300.0]


def test_what_a_merged_customer_did_is_no_visit_of_theirs(tmp_path):
    merges = [{"customer_id": "A", "merged_into": "B", "merged_at": ago(1)}]
    rows = [event("A", 0.5, "visit", utc_offset_minutes=0), event("B", 0.5, "visit", utc_offset_minutes=0)]
    clocks = _read(tmp_path, rows, ["A", "B"], merges=merges)
    assert _of(clocks) == {0: {}, 1: {WEDNESDAY: 1}}


def test_a_week_begins_on_monday_before_1970_too(tmp_path):
    moments = np.array(["1969-12-29T00:30", "1969-12-28T23:30", "2026-07-05T23:59"], "M8[us]").tolist()
    rows = [event("A", 0, "visit", utc_offset_minutes=0, occurred_at=at, known_at=at) for at in moments]
    rows[2] |= {"occurred_at": ago(-0.4), "known_at": ago(-0.4)}  # later than the decision
    assert _of(_read(tmp_path, rows, ["A"])) == {0: {0: 1, 167: 1}}
