"""Shares of moments, moves between them, carts begun, left and open, worked by hand."""

import numpy as np
import pytest

from features.families.family_features import brand, features_of, names
from features.rows import row
from sintonia.features.families.moments import moments

DAYS = {2: "view", 3: "search", 4: "cart", 5: "purchase", 6: "complaint", 20: "view", 21: "cart", 22: "cart"}
ANN = [row("ann", at, kind, "web") for at, kind in (DAYS | {29: "visit", 30: "cart"}).items()]


def test_shares_of_the_moments():
    found = features_of(moments, ANN, 31)
    names = ("observe", "evaluate", "convert", "after")
    assert [found[f"{name}_share__30d"] for name in names] == [np.float32(x) for x in (0.4, 0.4, 0.1, 0.1)]
    assert [found[f"{name}_share__7d"] for name in names] == [0.5, 0.5, 0, 0]


def test_what_belongs_to_no_moment_changes_nothing():
    rows = [
        *ANN,
        row("ann", 29.5, "send", "email"),
        row("ann", 29.6, "open", "email"),
        row("ann", 29.7, None),
    ]
    np.testing.assert_equal(features_of(moments, rows, 31), features_of(moments, ANN, 31))


def test_changes_of_moment_that_lead_forward():
    found = features_of(
        moments, ANN, 31
    )  # o e c a o e o e: forward but to the looks after complaint and cart
    assert found["forward_share__30d"] == np.float32(5 / 7)
    assert found["forward_share__7d"] == 0.5


def test_the_moment_now_and_the_days_in_it():
    found = features_of(moments, ANN, 31)
    assert (found["moment"], found["days_in_moment"]) == (1, 1)
    found = features_of(moments, ANN[:8], 31)  # carts on the 21st and the 22nd are one moment
    assert (found["moment"], found["days_in_moment"]) == (1, 10)
    found = features_of(moments, ANN[:1], 31)
    assert (found["moment"], found["days_in_moment"]) == (0, 29)
    assert features_of(moments, ANN[:5], 31)["moment"] == 3


def test_carts_begin_anew_after_an_order_or_seven_days_and_are_left_without_an_order():
    found = features_of(moments, ANN, 31)
    assert [found[f"carts__{days}d"] for days in (7, 30)] == [1, 3]
    assert [found[f"carts_left_share__{days}d"] for days in (7, 30)] == [1, np.float32(2 / 3)]


def test_two_orders_after_one_cart_sell_it_once_and_a_late_one_not_at_all():
    twice = [row("ann", 2, "cart"), row("ann", 3), row("ann", 4), row("ann", 5, "cart")]
    assert features_of(moments, twice, 31)["carts_left_share__30d"] == 0.5
    late = [row("ann", 2, "cart"), row("ann", 9.01)]
    assert features_of(moments, late, 31)["carts_left_share__30d"] == 1


def test_an_open_cart_is_one_without_an_order_since():
    assert features_of(moments, ANN, 31)["open_cart_days"] == 1
    assert np.isnan(features_of(moments, ANN[:5], 31)["open_cart_days"])
    assert features_of(moments, ANN[:3], 31)["open_cart_days"] == 27
    assert np.isnan(features_of(moments, ANN[:2], 31)["open_cart_days"])


def test_looks_and_carts_since_the_last_order():
    found = features_of(moments, ANN, 31)
    assert (found["observe_since_order"], found["evaluate_since_order"]) == (2, 3)
    assert features_of(moments, ANN[:3], 31)["observe_since_order"] == 2  # no order yet: all of them
    assert features_of(moments, ANN[:4], 31)["observe_since_order"] == 0


def test_empty_windows_have_no_shares_and_nobody_yet_seen_is_in_no_moment():
    found = features_of(moments, ANN, 200)
    assert [found["carts__7d"], found["carts__30d"]] == [0, 0]
    shares = [value for name, value in found.items() if "_share__" in name]
    assert np.isnan(shares).all()
    unseen = features_of(moments, [row("ann", 2, "send", "email")], 31)
    assert np.isnan([unseen["moment"], unseen["days_in_moment"]]).all()


@pytest.mark.parametrize(("as_of", "days"), [(31, 2), (32, None)])
def test_an_order_closes_a_cart_once_it_is_known(as_of, days):
    rows = [row("ann", 29, "cart"), row("ann", 30, known_at=31.5)]
    found = features_of(moments, rows, as_of)["open_cart_days"]
    assert np.isnan(found) if days is None else found == days


def test_a_brand_has_the_moments_its_kinds_allow():
    assert names(moments, brand(kinds=["purchase", "send"])) == set()
    assert "carts__7d" not in names(moments, brand(kinds=["purchase", "view"]))
    assert "evaluate_share__7d" not in names(moments, brand(kinds=["purchase", "view"]))
