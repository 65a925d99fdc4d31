"""What a customer is drawn to, worked by hand."""

import numpy as np

from features.rows import FITTED, day, row, table
from sintonia.core.config import FeaturesConfig
from sintonia.features import compute, feature_names

CONFIG = FeaturesConfig(families=["affinity"], windows_days=[7, 30])
ANN = [
    row("ann", 2, category="tea", item_id="green"),
    row("ann", 12, category="tea", item_id="green"),
    row("ann", 12, category="jam", item_id="fig"),
    row("ann", 12, category="jam", item_id="fig", opens_thread=False),
    row("ann", 28, category="jam", item_id="plum"),
    row("ann", 29, kind="view", category="cake"),
    row("ann", 29, kind="view", category="tea"),
    row("ann", 30, kind="cart", category="cake"),
    row("ann", 30, kind="view"),
]


def of(rows, as_of):
    (features,) = compute(table(rows), [day(as_of)], CONFIG, FITTED).to_pylist()
    return {name.removeprefix("affinity__"): value for name, value in features.items()}


def test_what_is_bought_is_shared_out_over_the_longest_window_and_looks_over_the_next():
    ann = of(ANN, 31)  # (day 1, day 31] and (day 24, day 31]
    assert [ann[f"{name}_share__30d"] for name in ("tea", "cake", "jam")] == [
        np.float32(0.4),
        0,
        np.float32(0.6),
    ]
    looks = [ann[f"{name}_looks__7d"] for name in ("tea", "cake", "jam")]
    assert looks == [np.float32(1 / 3), np.float32(2 / 3), 0]


def test_the_chance_that_two_purchases_are_of_one_category():
    # Two of tea and three of jam in 30 days: of ten pairs one is of tea and three are of jam.
    assert of(ANN, 31)["concentration__30d"] == np.float32(0.4)
    assert of(ANN[:2], 31)["concentration__30d"] == 1
    assert np.isnan(of(ANN[:1], 31)["concentration__30d"])


def test_searches_among_what_is_searched_and_viewed():
    searched = [*ANN, row("ann", 20, kind="search"), row("ann", 30, kind="search", category="tea")]
    ann = of(searched, 31)  # three views, a cart is neither
    assert [ann[f"search_share__{days}d"] for days in (7, 30)] == [np.float32(1 / 4), np.float32(2 / 5)]
    assert np.isnan(of(ANN[:5], 31)["search_share__30d"])


def test_days_since_each_category_was_bought_not_looked_at():
    ann = of(ANN, 31)
    assert [ann["days_since_tea"], ann["days_since_jam"]] == [19, 3]
    assert np.isnan(ann["days_since_cake"])


def test_a_category_is_new_once_and_the_same_item_on_one_ticket_repeats_nothing():
    ann = of(ANN, 31)
    assert [ann["new_categories__30d"], ann["new_categories__7d"]] == [2, 0]
    assert [ann["repeat_share__30d"], ann["repeat_share__7d"]] == [np.float32(1 / 5), 0]


def test_an_empty_window_has_no_shares_and_nothing_new():
    ann = of(ANN, 200)
    for name in ("tea_share__30d", "tea_looks__7d", "repeat_share__30d"):
        assert np.isnan(ann[name])
    assert ann["new_categories__30d"] == 0


def test_a_purchase_known_late_makes_a_later_one_no_longer_the_first():
    rows = [row("ann", 2, category="tea", known_at=40), row("ann", 30, category="tea")]
    assert of(rows, 31)["new_categories__7d"] == 1
    assert of(rows, 35)["new_categories__7d"] == 1
    late = [*rows, row("ann", 41, category="tea")]
    assert of(late, 41)["new_categories__7d"] == 0


def test_without_categories_or_items_nothing_is_new_or_repeated():
    nothing = of([row("ann", 2), row("ann", 3)], 4)
    assert nothing["new_categories__7d"] == 0
    assert np.isnan(nothing["repeat_share__7d"])


def test_category_names_become_plain_columns_that_do_not_collide():
    from dataclasses import replace

    fitted = replace(FITTED, levels={"category": ("Men's shoes", "men s shoes")})
    names = feature_names(CONFIG, fitted)
    assert {"affinity__men_s_shoes_share__30d", "affinity__men_s_shoes_2_share__30d"} <= set(names)
    assert not any("looks" in name for name in names)  # this brand sees nobody look
