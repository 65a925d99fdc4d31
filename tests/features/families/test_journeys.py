"""Switches, orders prepared elsewhere, days from first look to order and visits, worked by hand."""

import numpy as np
import pytest

from features.families.family_features import brand, features_of, names
from features.rows import row
from sintonia.core.schema import KINDS
from sintonia.features.families.journeys import journeys

ANN = [
    row("ann", 2, "view", "web"),
    row("ann", 2.02, "view", "web"),  # 29 minutes later: the same visit, the same search
    row("ann", 4, "purchase", "store"),
    row("ann", 11, "purchase", "web"),
    row("ann", 20, "purchase", "store"),
    row("ann", 28, "view", "app"),
    row("ann", 28.01, "cart", "app"),
    row("ann", 30.5, "purchase", "store"),
]


def test_switches_are_counted_over_what_the_customer_does():
    found = features_of(journeys, ANN, 31)
    assert [found[f"switches__{days}d"] for days in (7, 30)] == [2, 5]
    assert found["switch_share__7d"] == np.float32(2 / 3)
    assert found["switch_share__30d"] == np.float32(5 / 8)
    mailed = features_of(journeys, [*ANN, row("ann", 28.005, "send", "email")], 31)
    np.testing.assert_equal(mailed, found)


def test_an_interaction_without_a_channel_is_no_switch():
    rows = [row("ann", 2, channel="web"), row("ann", 3, channel=None), row("ann", 4, channel="store")]
    assert features_of(journeys, rows, 31)["switches__30d"] == 0


def test_orders_in_another_channel_than_the_order_before():
    found = features_of(journeys, ANN, 31)
    assert [found[f"order_switch_share__{days}d"] for days in (7, 30)] == [0, 0.5]


def test_orders_prepared_in_the_other_world_within_seven_days_edges_included():
    found = features_of(journeys, ANN, 31)
    assert [found[f"browse_online_buy_in_store__{days}d"] for days in (7, 30)] == [1, np.float32(2 / 3)]
    assert found["visit_store_buy_online__30d"] == 1  # in store on the 4th, online on the 11th
    assert np.isnan(found["visit_store_buy_online__7d"])
    later = [*ANN[:3], row("ann", 11.001, "purchase", "web")]
    assert features_of(journeys, later, 31)["visit_store_buy_online__30d"] == 0


def test_research_runs_from_the_first_look_after_an_order_to_the_next():
    found = features_of(journeys, ANN, 31)
    assert [found[f"researched_share__{days}d"] for days in (7, 30)] == [1, 0.5]
    assert [found[f"research_days__{days}d"] for days in (7, 30)] == [2.5, 2.25]
    assert found["last_research_days"] == 2.5
    assert np.isnan(found["open_research_days"])


def test_open_research_counts_from_its_first_look():
    rows = [*ANN, row("ann", 30.75, "search", "web"), row("ann", 30.9, "view", "web")]
    assert features_of(journeys, rows, 31)["open_research_days"] == 0.25
    assert features_of(journeys, ANN[:2], 31)["open_research_days"] == 29


def test_orders_without_a_look_have_no_research():
    found = features_of(journeys, [row("ann", 4), row("ann", 6)], 31)
    assert found["researched_share__30d"] == 0
    assert np.isnan(
        [found["research_days__30d"], found["last_research_days"], found["open_research_days"]]
    ).all()


def test_a_visit_ends_with_half_an_hour_of_nothing():
    found = features_of(journeys, ANN, 31)
    assert [found[f"visits__{days}d"] for days in (7, 30)] == [1, 3]
    assert [found[f"visit_depth__{days}d"] for days in (7, 30)] == [2, np.float32(5 / 3)]
    assert [found[f"orders_per_visit__{days}d"] for days in (7, 30)] == [0, np.float32(1 / 3)]
    pause = [row("ann", 2, "view", "web"), row("ann", 2 + 1801 / 86_400, "view", "web")]
    assert features_of(journeys, pause, 31)["visits__30d"] == 2


def test_empty_windows_have_counts_of_nothing_and_no_shares():
    found = features_of(journeys, ANN, 200)
    counts = {"switches__7d", "switches__30d", "visits__7d", "visits__30d"}
    assert all(found[name] == 0 for name in counts)
    shares = set(found) - counts - {"last_research_days", "open_research_days"}
    assert all(np.isnan(found[name]) for name in shares)


@pytest.mark.parametrize(("as_of", "researched"), [(31, 0), (32, 1)])
def test_a_look_counts_once_it_is_known(as_of, researched):
    rows = [row("ann", 29, "view", "web", known_at=31.5), row("ann", 30)]
    assert features_of(journeys, rows, as_of)["researched_share__7d"] == researched


def test_a_brand_has_the_journeys_its_channels_and_kinds_allow():
    assert names(journeys, brand()) == names(journeys, brand(["store"], ["purchase", "send"])) == set()
    two = names(journeys, brand(["store", "mail"], ["purchase", "send"]))
    assert two == {
        f"{name}__{days}d" for name in ("switches", "switch_share", "order_switch_share") for days in (7, 30)
    }
    no_store = names(journeys, brand(["web", "app"], KINDS))
    assert "visits__7d" in no_store
    assert "visit_store_buy_online__7d" not in no_store
