"""Discounts, full price, coupons, breadth, service and own initiative, worked by hand."""

import numpy as np
import pytest

from features.families.family_features import brand, features_of, names
from features.rows import row
from sintonia.features.families.motives import motives

ANN = [
    row("ann", 2, amount=1_000, discount=0, category="tea"),
    row("ann", 8, "send", "email"),
    row("ann", 10, amount=600, discount=400, category="cake"),
    row("ann", 10, amount=300, discount=100, category="tea", opens_thread=False),
    row("ann", 10, "redeem", amount=0),
    row("ann", 12, "contact", "chat", amount=0),
    row("ann", 28, amount=500, discount=None, category="jam"),
]


def test_purchases_at_a_discount_at_full_price_and_how_deep_the_discounts_are():
    found = features_of(motives, ANN, 31)
    assert [found[f"discounted_share__{days}d"] for days in (7, 30)] == [0, 0.5]
    assert [found[f"full_price_share__{days}d"] for days in (7, 30)] == [1, 0.625]
    assert found["discount_depth__30d"] == np.float32(500 / 1_400)
    assert np.isnan(found["discount_depth__7d"])


def test_the_last_purchase_at_a_discount_or_not():
    assert features_of(motives, ANN, 31)["last_discounted"] == 0
    assert features_of(motives, ANN[:3], 31)["last_discounted"] == 1
    assert np.isnan(features_of(motives, ANN[1:2], 31)["last_discounted"])


def test_coupons_an_order():
    found = features_of(motives, ANN, 31)
    assert [found[f"coupons_per_order__{days}d"] for days in (7, 30)] == [0, np.float32(1 / 3)]


def test_redemptions_that_no_action_had_sent_an_order_lean_on_the_brands_own():
    sent = row("ann", 29, "redeem", action_id="sale", amount=0)  # the brand's doing, not counted
    found = features_of(
        motives, [*ANN, sent], 31
    )  # FITTED: a tenth of an order; three orders in 30 days, one in 7
    assert found["unasked_redeems_per_order__30d"] == np.float32((1 + 5 * 0.1) / (3 + 5))
    assert found["unasked_redeems_per_order__7d"] == np.float32((0 + 5 * 0.1) / (1 + 5))
    assert features_of(motives, ANN, 200)["unasked_redeems_per_order__7d"] == np.float32(0.1)


def test_breadth_of_categories():
    found = features_of(motives, ANN, 31)
    assert [found[f"categories__{days}d"] for days in (7, 30)] == [1, 3]
    assert [found[f"categories_per_order__{days}d"] for days in (7, 30)] == [1, 1]


def test_questions_among_what_the_customer_does():
    found = features_of(motives, ANN, 31)
    assert [found[f"service_share__{days}d"] for days in (7, 30)] == [0, np.float32(1 / 6)]


def test_orders_without_a_message_in_the_week_before():
    found = features_of(motives, ANN, 31)
    assert [found[f"unprompted_share__{days}d"] for days in (7, 30)] == [1, np.float32(2 / 3)]


def test_empty_windows_have_no_shares():
    found = features_of(motives, ANN, 200)
    assert (found["categories__7d"], found["last_discounted"]) == (0, 0)
    rest = {name for name in found if not name.startswith(("categories__", "last", "unasked"))}
    assert all(np.isnan(found[name]) for name in rest)


@pytest.mark.parametrize(("as_of", "share"), [(31, 1), (32, 0)])
def test_a_message_prompts_once_it_is_known(as_of, share):
    rows = [row("ann", 26, "send", "email", known_at=31.5), row("ann", 28)]
    assert features_of(motives, rows, as_of)["unprompted_share__7d"] == share


def test_a_brand_has_the_motives_its_kinds_can_tell():
    assert names(motives, brand(kinds=["view"])) == set()
    plain = {name.split("__")[0] for name in names(motives, brand(kinds=["purchase"]))}
    assert not plain & {"coupons_per_order", "service_share", "unprompted_share"}
