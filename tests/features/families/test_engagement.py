"""Weighted moments that fade, friction, trend and kinds, worked by hand."""

import numpy as np
import pytest

from features.families.family_features import brand, features_of, names
from features.rows import row
from sintonia.core.schema import KINDS
from sintonia.features.families.engagement import NEGATIVE_WEIGHTS, POSITIVE_WEIGHTS, engagement

ANN = [row("ann", 1, "view"), row("ann", 31, "purchase"), row("ann", 31, "complaint")]
FADED = 2 ** (-30 / 180)


def test_moments_weigh_fade_by_halves_and_friction_takes_off():
    found = features_of(engagement, ANN, 31)
    assert found["score_halved_each_30d"] == np.float32(8 + 0.5 - 4)
    assert found["score_halved_each_180d"] == np.float32(8 + FADED - 4)


def test_frictions_share():
    found = features_of(engagement, ANN, 31)
    assert found["friction_share_halved_each_30d"] == np.float32(4 / 12.5)
    assert found["friction_share_halved_each_180d"] == np.float32(4 / (12 + FADED))


def test_the_trend_compares_daily_rates():
    found = features_of(engagement, ANN, 31)
    assert found["trend_30d_to_180d"] == np.float32(8.5 * 6 / (8 + FADED))


def test_a_steady_customer_has_a_trend_of_about_one():
    rows = [row("ann", -day, "visit") for day in range(2_000)]
    assert np.isclose(features_of(engagement, rows, 0)["trend_30d_to_180d"], 1, atol=0.02)


def test_kinds_of_moments_in_a_window():
    found = features_of(engagement, [*ANN, row("ann", 20, "open"), row("ann", 30, "send")], 31)
    assert [found[f"kinds_of_moments__{days}d"] for days in (7, 30)] == [2, 3]


def test_an_order_of_many_lines_is_one_moment():
    lines = [row("ann", 31, "purchase", opens_thread=False)] * 40
    np.testing.assert_equal(features_of(engagement, [*ANN, *lines], 31), features_of(engagement, ANN, 31))


def test_nothing_done_is_no_score_and_shares_of_nothing_are_missing():
    found = features_of(engagement, [row("ann", 2, "send")], 31)
    assert found["score_halved_each_30d"] == found["kinds_of_moments__30d"] == 0
    assert np.isnan([found["friction_share_halved_each_30d"], found["trend_30d_to_180d"]]).all()


@pytest.mark.parametrize(("as_of", "score"), [(31, 0), (61, 4)])
def test_a_moment_counts_from_when_it_is_known_faded_since_it_happened(as_of, score):
    rows = [row("ann", 2, "send"), row("ann", 31, known_at=60)]
    assert features_of(engagement, rows, as_of)["score_halved_each_30d"] == score


def test_every_kind_that_a_customer_does_has_a_weight():
    assert set(POSITIVE_WEIGHTS) | set(NEGATIVE_WEIGHTS) | {"send", "resolve"} == set(KINDS)
    assert not set(POSITIVE_WEIGHTS) & set(NEGATIVE_WEIGHTS)


def test_a_brand_without_friction_has_no_share_of_it():
    found = names(engagement, brand(kinds=["view", "purchase", "send"]))
    assert "score_halved_each_30d" in found
    assert not [name for name in found if "friction" in name]
    assert names(engagement, brand(kinds=["send"])) == set()
