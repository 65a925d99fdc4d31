"""The contact policy, worked by hand on tiny histories: what counts as a contact, when a cap is reached, who rests."""

from datetime import datetime

import duckdb
import pytest

from serving.decisions.small import NOON, ago, decided, event, send, small_store
from sintonia.core.config import ContactLimitConfig, PauseConfig
from sintonia.serving.decisions.contacts import open_complaints, open_tables, over_limit, paused, period_begin
from sintonia.serving.decisions.rounds import sent_decisions


def _opened(folder, **rows):
    connection = duckdb.connect()
    open_tables(connection, small_store(folder, **rows), NOON)
    connection.execute("CREATE TABLE customers AS SELECT DISTINCT customer_id FROM interactions")
    return connection


def _over(connection, limit, zone="UTC"):
    return sorted(over_limit(connection, limit, NOON, zone).to_pylist())


def _paused(connection, pause):
    return paused(connection, pause, NOON).to_pylist()


def test_a_rolling_limit_counts_back_from_the_decision_and_by_channel(tmp_path):
    rows = [
        send("A", 1),
        send("A", 6.9),
        send("B", 1),
        send("B", 7.1),
        send("C", 1),
        send("C", 2, channel="sms"),
    ]
    opened = _opened(tmp_path, interactions=rows)
    assert _over(opened, ContactLimitConfig(at_most=2, rolling_days=7, channel="email")) == ["A"]
    assert _over(opened, ContactLimitConfig(at_most=2, rolling_days=7)) == ["A", "C"]
    assert _over(opened, ContactLimitConfig(at_most=2, rolling_days=8)) == ["A", "B", "C"]
    assert _over(opened, ContactLimitConfig(at_most=0, rolling_days=1)) == ["A", "B", "C"]


def test_a_calendar_limit_counts_from_the_period_s_local_midnight(tmp_path):
    # Wednesday noon: the week began on Monday midnight, 2.5 days ago; in Rome two hours earlier.
    rows = [send("A", 2.5), send("B", 2.55), send("C", 2.6)]
    opened = _opened(tmp_path, interactions=rows)
    week = ContactLimitConfig(at_most=1, calendar="week")
    assert _over(opened, week) == ["A"]
    assert _over(opened, week, "Europe/Rome") == ["A", "B"]
    assert _over(opened, ContactLimitConfig(at_most=1, calendar="day")) == []


def test_the_month_begins_with_its_first_day():
    begin = period_begin(ContactLimitConfig(calendar="month"), datetime(2026, 3, 31, 12), "UTC")
    assert begin == datetime(2026, 2, 28, 23, 59, 59, 999999)


def test_a_planned_decision_is_no_contact_until_it_is_sent_and_then_one(tmp_path):
    rows = [send("B", 3, decision_id="r1-B"), event("A", 9, "visit"), event("C", 9, "visit")]
    plans = [decided("A", "r1", None), decided("B", "r1", 3), decided("C", "r1", 3)]
    opened = _opened(tmp_path, interactions=rows, decisions=plans)
    assert _over(opened, ContactLimitConfig(at_most=1, rolling_days=7)) == ["B", "C"]
    assert _over(opened, ContactLimitConfig(at_most=2, rolling_days=7)) == []
    reached = {row["customer_id"]: row["sent_at"] for row in sent_decisions(opened, "r1").to_pylist()}
    assert reached == {"B": ago(3), "C": ago(3)}
    assert sent_decisions(opened, "r2").num_rows == 0


def test_what_happens_or_is_known_at_the_decision_or_later_is_not_seen(tmp_path):
    rows = [send("A", 0), send("B", 1, known_at=ago(0)), send("C", 1)]
    opened = _opened(tmp_path, interactions=rows)
    assert _over(opened, ContactLimitConfig(at_most=1, rolling_days=7)) == ["C"]


def test_the_decisions_of_who_became_part_of_another_are_the_other_s(tmp_path):
    merges = [{"customer_id": "OLD", "merged_into": "A", "merged_at": ago(5)}]
    opened = _opened(
        tmp_path, interactions=[event("A", 9, "visit")], decisions=[decided("OLD", "r1", 3)], merges=merges
    )
    assert _over(opened, ContactLimitConfig(at_most=1, rolling_days=7)) == ["A"]


PAUSE = PauseConfig(after_refusals=2, days=30, unanswered_days=7, channel="email")


@pytest.mark.parametrize(
    ("rows", "rests"),
    [
        ([send("A", 20), send("A", 10)], True),
        ([send("A", 20)], False),  # one refusal is not two
        ([send("A", 20), send("A", 6)], False),  # the second may still be answered
        ([send("A", 20), send("A", 10, thread_id="t"), event("A", 9, "open", thread_id="t")], False),
        ([send("A", 20), send("A", 10, decision_id="d"), event("A", 9, "click", decision_id="d")], False),
        (
            [
                send("A", 30, thread_id="t"),
                event("A", 29, "open", thread_id="t"),
                send("A", 20),
                send("A", 10),
            ],
            True,
        ),
        ([send("A", 60), send("A", 38)], False),  # refused 31 days ago: the pause is over
        ([send("A", 60), send("A", 36)], True),
        ([send("A", 20), send("A", 10, channel="sms")], False),
        ([send("A", 20), send("A", 10), event("B", 9, "open")], True),
    ],
)
def test_a_pause_follows_refusals_in_a_row_and_ends(tmp_path, rows, rests):
    assert _paused(_opened(tmp_path, interactions=rows), PAUSE) == (["A"] if rests else [])


def test_a_pause_of_no_channel_counts_messages_on_all(tmp_path):
    rows = [send("A", 20), send("A", 10, channel="sms")]
    everywhere = PauseConfig(after_refusals=2, days=30, unanswered_days=7)
    assert _paused(_opened(tmp_path, interactions=rows), everywhere) == ["A"]


def test_a_complaint_is_open_until_its_case_is_resolved(tmp_path):
    rows = [
        event("A", 9, "complaint", thread_id="1"),
        event("B", 9, "complaint", thread_id="2"),
        event("B", 8, "resolve", thread_id="2"),
        event("C", 9, "complaint", thread_id="3"),
        event("C", 8, "resolve", thread_id="4"),
        event("D", 9, "complaint", thread_id="5"),
        event("D", 8, "resolve", thread_id="5", known_at=ago(-1)),
        event("E", 7, "complaint", thread_id="6"),
        event("E", 8, "resolve", thread_id="6"),
    ]
    found = open_complaints(_opened(tmp_path, interactions=rows))
    assert sorted(found.to_pylist()) == ["A", "C", "D", "E"]
