"""Gaps, silences against them, active days, paces and accelerations, worked by hand."""

import numpy as np
import pytest

from features.families.family_features import brand, features_of, names
from features.rows import row
from sintonia.features.families.rhythm import rhythm

ANN = [row("ann", at) for at in (1, 3, 7, 15)]  # gaps of 2, 4 and 8 days: mean 14/3, variance 28/3
MEAN, DEVIATION = 14 / 3, (28 / 3) ** 0.5
TREND = [
    *(row("ann", at, "view", "web") for at in (4, 10, 20, 22, 26, 26.5, 30)),
    *(row("ann", at, amount=amount) for at, amount in ((4, 300), (20, 100), (30, 200))),
]


def close(value, expected):
    return np.isclose(value, expected, rtol=1e-6)


def test_gaps_between_orders_their_variation_the_last_and_the_longest():
    found = features_of(rhythm, ANN, 31)
    assert close(found["gap_variation"], DEVIATION / MEAN)
    assert close(found["last_gap_to_mean"], 8 / MEAN)
    assert found["longest_gap"] == 8
    assert found["gap_trend"] == 1  # the last three gaps are all


def test_recent_gaps_against_all():
    found = features_of(rhythm, [row("ann", at) for at in (1, 11, 12, 13, 14)], 31)
    assert close(found["gap_trend"], 1 / 3.25)
    assert found["silence_to_recent_gap"] == 17


def test_silence_against_the_customers_own_gaps():
    found = features_of(rhythm, ANN, 31)
    assert close(found["silence_in_deviations"], (16 - MEAN) / DEVIATION)
    assert found["silence_to_longest_gap"] == 2
    assert close(found["silence_to_recent_gap"], 16 / MEAN)


def test_too_few_orders_have_no_gaps_and_equal_gaps_no_deviation():
    gaps = {
        "gap_variation",
        "last_gap_to_mean",
        "gap_trend",
        "longest_gap",
        "silence_in_deviations",
        "silence_to_longest_gap",
        "silence_to_recent_gap",
    }
    once = features_of(rhythm, ANN[:1], 31)
    assert all(np.isnan(once[name]) for name in gaps)
    twice = features_of(rhythm, ANN[:2], 31)
    there = {name for name in gaps if not np.isnan(twice[name])}
    assert there == {"last_gap_to_mean", "longest_gap", "silence_to_longest_gap"}
    alike = features_of(rhythm, [row("ann", at) for at in (1, 3, 5)], 31)
    assert alike["gap_variation"] == 0
    assert np.isnan(alike["silence_in_deviations"])


def test_lines_of_an_order_make_no_gaps():
    lines = [row("ann", one, opens_thread=False) for one in (1, 15)]
    assert features_of(rhythm, [*ANN, *lines], 31)["longest_gap"] == 8


def test_active_days_count_a_day_once():
    found = features_of(rhythm, TREND, 31, windows_days=(7, 14, 28))
    assert [found[f"active_days__{days}d"] for days in (7, 14, 28)] == [2, 4, 6]
    mailed = [*TREND, row("ann", 29, "send", "email")]
    np.testing.assert_equal(features_of(rhythm, mailed, 31, windows_days=(7, 14, 28)), found)


@pytest.mark.parametrize(("offset", "days"), [(180, 1), (0, 2), (None, 2)])
def test_a_day_is_one_of_the_customers_own_calendar(offset, days):
    rows = [row("ann", at, "view", "web", utc_offset_minutes=offset) for at in (29.9, 30.1)]
    assert features_of(rhythm, rows, 31)["active_days__7d"] == days


def test_pace_is_a_short_windows_daily_amount_over_a_long_ones():
    found = features_of(rhythm, TREND, 31, windows_days=(7, 14, 28))
    assert found["active_days_pace_to_14d__7d"] == 1
    assert close(found["active_days_pace_to_28d__14d"], 4 / 3)
    assert close(found["spend_pace_to_14d__7d"], 4 / 3)
    assert found["spend_pace_to_28d__14d"] == 1


def test_acceleration_is_one_pace_less_the_pace_before():
    found = features_of(rhythm, TREND, 31, windows_days=(7, 14, 28))
    assert close(found["active_days_acceleration__7d"], -1 / 3)
    assert close(found["spend_acceleration__7d"], 1 / 3)
    assert close(found["orders_acceleration__7d"], -1 / 3)


def test_empty_windows_have_no_pace():
    found = features_of(rhythm, TREND, 200, windows_days=(7, 14, 28))
    assert [found[f"active_days__{days}d"] for days in (7, 14, 28)] == [0, 0, 0]
    assert all(np.isnan(value) for name, value in found.items() if "pace" in name or "acceleration" in name)


@pytest.mark.parametrize(("as_of", "longest"), [(20, 12), (21, 8)])
def test_an_order_splits_a_gap_once_it_is_known(as_of, longest):
    rows = [row("ann", 3), row("ann", 7, known_at=20.5), row("ann", 15)]
    assert features_of(rhythm, rows, as_of)["longest_gap"] == longest


def test_a_brand_whose_customers_do_nothing_has_no_active_days():
    assert not [name for name in names(rhythm, brand(kinds=["send"])) if "active" in name]
