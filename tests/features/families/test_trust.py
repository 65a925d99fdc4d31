"""Complaints, resolutions, sentiment, returns and unsubscribes, worked by hand."""

import numpy as np
import pytest

from features.families.family_features import brand, features_of, names
from features.rows import row
from sintonia.core.schema import KINDS
from sintonia.features.families.trust import trust

CASES = [
    row("ann", 2, "complaint", "phone", thread_id="a", sentiment=-1.0),
    row("ann", 6, "resolve", "phone", thread_id="a"),
    row("ann", 20, "complaint", "chat", thread_id="b", sentiment=-0.5),
    row("ann", 21, "resolve", "phone", thread_id="of another's"),
]
ANN = [
    *CASES,
    *(row("ann", at, amount=1_000) for at in (3, 10, 25)),
    row("ann", 26, "return", amount=-500, quantity=-1),
    row("ann", 27, "unsubscribe", "email"),
    row("ann", 27, "unsubscribe", "sms"),
    row("ann", 28, "unsubscribe", "email"),
    row("ann", 28, "contact", "chat", sentiment=0.5),
    row("ann", 29, "review", "web"),
]


def test_complaints_and_reviews_against_orders():
    found = features_of(trust, ANN, 31)
    assert [found[f"complaints_per_order__{days}d"] for days in (7, 30)] == [0, np.float32(2 / 3)]
    assert [found[f"reviews_per_order__{days}d"] for days in (7, 30)] == [1, np.float32(1 / 3)]


def test_a_complaint_is_open_until_its_own_thread_is_resolved():
    found = features_of(trust, ANN, 31)
    assert (found["open_complaints"], found["days_open"]) == (1, 11)
    resolved = features_of(trust, [*ANN, row("ann", 30, "resolve", thread_id="b")], 31)
    assert resolved["open_complaints"] == 0
    assert np.isnan(resolved["days_open"])


def test_a_second_complaint_and_a_second_resolution_of_one_case_change_no_count():
    again = [
        row("ann", 3, "complaint", thread_id="a", opens_thread=False),
        row("ann", 7, "resolve", thread_id="a", opens_thread=False),
    ]
    found = features_of(trust, [*CASES, *again], 31)
    assert found["open_complaints"] == 1
    assert found["days_to_resolve"] == 3  # since the case's last complaint


def test_days_to_resolve_mean_and_last():
    rows = [*CASES, row("ann", 30, "resolve", thread_id="b")]
    found = features_of(trust, rows, 31)
    assert (found["days_to_resolve"], found["last_days_to_resolve"]) == (7, 10)
    assert features_of(trust, CASES, 31)["last_days_to_resolve"] == 4


def test_orders_since_the_last_complaint():
    assert features_of(trust, ANN, 31)["orders_since_complaint"] == 1
    assert np.isnan(features_of(trust, [row("ann", 3)], 31)["orders_since_complaint"])


def test_sentiment_mean_last_worst_and_trend():
    found = features_of(trust, ANN, 31)
    assert [found[f"sentiment__{days}d"] for days in (7, 30)] == [0.5, np.float32(-1 / 3)]
    assert (found["last_sentiment"], found["worst_sentiment"]) == (0.5, -1)
    assert found["sentiment_trend"] == np.float32(0.5 + 1 / 3)


def test_money_returned_over_money_spent():
    found = features_of(trust, ANN, 31)
    assert [found[f"returned_share__{days}d"] for days in (7, 30)] == [0.5, np.float32(1 / 6)]


def test_channels_left_are_counted_once():
    assert features_of(trust, ANN, 31)["channels_left"] == 2


def test_nobody_heard_and_empty_windows_are_missing_and_counts_nothing():
    found = features_of(trust, [row("ann", 3, "view")], 31)
    assert (found["open_complaints"], found["channels_left"]) == (0, 0)
    rest = set(found) - {"open_complaints", "channels_left"}
    assert all(np.isnan(found[name]) for name in rest)
    later = features_of(trust, ANN, 200)
    assert all(np.isnan(value) for name, value in later.items() if name.endswith("d"))
    assert np.isnan(later["sentiment_trend"])


@pytest.mark.parametrize(("as_of", "still"), [(31, 2), (41, 1)])
def test_a_case_is_resolved_once_that_is_known(as_of, still):
    rows = [CASES[0], row("ann", 6, "resolve", thread_id="a", known_at=40), *CASES[2:]]
    assert features_of(trust, rows, as_of)["open_complaints"] == still


def test_a_resolution_known_before_its_complaint_takes_nothing_off():
    rows = [row("ann", 2, "complaint", thread_id="a", known_at=40), *CASES[1:]]
    assert features_of(trust, rows, 31)["open_complaints"] == 1


def test_a_brand_has_the_trust_its_kinds_can_tell():
    assert {name.split("__")[0] for name in names(trust, brand(kinds=["purchase"]))} == {
        "sentiment",
        "last_sentiment",
        "worst_sentiment",
        "sentiment_trend",
    }
    assert "sentiment_trend" not in names(trust, brand(kinds=KINDS), windows_days=(30,))


def test_without_any_sentiment_what_needs_it_is_missing_and_not_0():
    silent = [
        row("ann", at, kind, "phone") for at, kind in ((2, "complaint"), (25, "purchase"), (29, "contact"))
    ]
    found = features_of(trust, silent, 31)
    needed = [name for name in found if "sentiment" in name]
    assert len(needed) == 5
    assert np.isnan([found[name] for name in needed]).all()
