"""Day parts, weekdays, evenness and best hours, worked by hand; January 4th 2025 was a Saturday."""

from datetime import datetime

import numpy as np
import pytest

from features.families.family_features import brand, features_of, names
from features.rows import row
from sintonia.features.families.clock import best_hour, best_hour_share, clock, index_of_highest


def at(number, hour, minute=0, offset=60, kind="view", **more):
    """Return an interaction at an hour UTC of a day of January, the customer's clock an hour ahead."""
    return row("ann", datetime(2025, 1, number, hour, minute), kind, utc_offset_minutes=offset, **more)


ANN = [at(4, 8), at(5, 8), at(6, 9), at(7, 22, 30), at(12, 8)]  # local hours 9, 9, 10, 23, 9


def test_parts_of_the_day_and_the_weekend_by_the_customers_clock():
    found = features_of(clock, ANN, 31)
    parts = [found[f"{name}_share__30d"] for name in ("night", "morning", "afternoon", "evening")]
    assert parts == [0, np.float32(0.8), 0, np.float32(0.2)]
    assert found["weekend_share__30d"] == np.float32(0.6)


def test_the_clock_may_move_an_interaction_into_another_day():
    found = features_of(
        clock, [at(6, 0, 30, offset=-60), at(7, 23, 30, offset=60)], 31
    )  # Sunday 23:30, Wednesday 0:30
    assert (found["weekend_share__30d"], found["night_share__30d"], found["evening_share__30d"]) == (
        0.5,
        0.5,
        0.5,
    )


def test_evenness_of_hours_and_weekdays():
    found = features_of(clock, ANN, 31)
    assert np.isclose(found["hour_entropy__30d"], 0.6 * np.log2(5 / 3) + 0.4 * np.log2(5))
    assert np.isclose(found["weekday_entropy__30d"], 0.4 * np.log2(5 / 2) + 0.6 * np.log2(5))


def test_the_best_hour_its_share_and_the_best_weekday():
    found = features_of(clock, ANN, 31)
    assert found["best_hour__30d"] == 9
    assert found["best_hour_share__30d"] == np.float32(0.8)
    assert found["best_weekday__30d"] == 6


def test_hours_beside_each_other_win_against_a_chance_hour_round_midnight_too():
    found = features_of(clock, [at(4, 22), at(5, 23), at(6, 12), at(8, 11)], 31)  # local 23, 0, 13, 12
    assert found["best_hour__30d"] == 0
    hours = [np.array([0])] * 24
    hours[23], hours[1], hours[0], hours[15] = (np.array([n]) for n in (2, 2, 1, 2))
    assert best_hour(*hours) == 0  # 2 + 2 * 1 + 2 around midnight
    assert best_hour_share(*hours) == 5 / 7
    assert index_of_highest(*hours) == 1


def test_an_order_of_many_lines_is_one_and_the_brands_sends_are_none():
    more = [at(4, 15, opens_thread=False), at(4, 15, kind="send"), at(4, 15, kind=None)]
    np.testing.assert_equal(features_of(clock, [*ANN, *more], 31), features_of(clock, ANN, 31))


def test_without_a_known_clock_or_in_an_empty_window_all_is_missing():
    assert all(np.isnan(value) for value in features_of(clock, [at(4, 8, offset=None)], 31).values())
    assert all(np.isnan(value) for value in features_of(clock, ANN, 200).values())


@pytest.mark.parametrize(("as_of", "share"), [(10, 0), (21, 0.5)])
def test_an_hour_counts_once_it_is_known(as_of, share):
    rows = [at(4, 8), at(4, 20, known_at=20.5)]
    assert features_of(clock, rows, as_of)["evening_share__30d"] == share


def test_a_brand_whose_customers_do_nothing_has_no_clock():
    assert names(clock, brand(kinds=["send"])) == set()
