"""The first families, worked by hand on a customer or two."""

from dataclasses import replace

import numpy as np
import pytest

from features.rows import FITTED, day, row, table
from features.typed_tables import FULL
from sintonia.core.config import FeaturesConfig
from sintonia.core.errors import ConfigError
from sintonia.core.schema import CHANNELS, KINDS
from sintonia.features import catalogue, compute, feature_names
from sintonia.features.families import FAMILIES

ALL = FeaturesConfig(families=list(FAMILIES), windows_days=[7, 30])

ANN = [
    row("ann", 2, amount=1_000, discount=0, quantity=1),
    row("ann", 12, amount=3_000, discount=1_000, quantity=2),
    row("ann", 12, amount=2_000, discount=0, quantity=5, opens_thread=False),
    row("ann", 26, amount=-500, discount=500, quantity=1),
    row("ann", 27, kind="view", channel="web"),
    row("ann", 28, kind="view", channel="app"),
    row("ann", 28, kind="return", channel="web", amount=-3_000, quantity=-2),
]


def of(rows, as_of, config=ALL, fitted=FITTED):
    """Return the one row of features as name to value."""
    (features,) = compute(table(rows), [day(as_of)], config, fitted).to_pylist()
    return features


def test_every_family_can_be_named_and_names_its_features_once():
    names = [feature.name for feature in catalogue(ALL, FULL)]
    assert len(set(names)) == len(names)
    assert {name.split("__")[0] for name in names} == set(FAMILIES)


def test_every_feature_says_what_it_is_in_which_unit_over_which_window():
    for feature in catalogue(ALL, FULL):
        assert feature.definition
        assert feature.unit
        assert feature.missing
        assert feature.why
        if feature.window_days is not None:
            assert feature.name.endswith(f"__{feature.window_days}d")
            assert f"{feature.window_days} days" in feature.definition


def test_a_misspelt_family_fails_with_the_nearest_right_one():
    with pytest.raises(
        ConfigError, match=r"Unknown features\.families 'chanel_mix'; did you mean 'channel_mix'"
    ):
        catalogue(FeaturesConfig(families=["rfm", "chanel_mix"], windows_days=[7]), FITTED)


def test_windows_and_families_given_twice_or_in_any_order_make_the_same_features():
    twice = FeaturesConfig(families=["rfm", "rfm"], windows_days=[30, 7, 30])
    assert feature_names(twice, FITTED) == feature_names(
        FeaturesConfig(families=["rfm"], windows_days=[7, 30]), FITTED
    )


def test_orders_items_and_money_of_a_window():
    features = of(ANN, 31)  # (day 24, day 31] and (day 1, day 31]
    assert [features[f"rfm__orders__{days}d"] for days in (7, 30)] == [1, 3]
    assert [features[f"rfm__items__{days}d"] for days in (7, 30)] == [1, 9]
    assert [features[f"rfm__amount__{days}d"] for days in (7, 30)] == [-500, 5_500]
    assert features["rfm__order_value__30d"] == np.float32(5_500 / 3)
    assert features["rfm__discount_share__30d"] == np.float32(1_500 / 7_000)
    assert np.isnan(features["rfm__discount_share__7d"])  # -500 paid and 500 off: a share of nothing


def test_pace_compares_a_window_with_the_next_longer_one():
    features = of(ANN, 31)
    assert features["rfm__pace_to_30d__7d"] == np.float32((1 / 7) / (3 / 30))


def test_days_between_orders():
    features = of(ANN, 31)
    assert features["rfm__days_since_purchase"] == 5
    assert features["rfm__days_since_first_purchase"] == 29
    assert features["rfm__last_gap"] == 14
    assert features["rfm__mean_gap"] == 12
    assert features["rfm__recency_to_mean_gap"] == np.float32(5 / 12)


def test_one_order_has_no_gap_and_none_has_no_recency():
    once = of([row("ann", 2)], 31)
    assert once["rfm__days_since_purchase"] == 29
    assert np.isnan([once[f"rfm__{name}"] for name in ("last_gap", "mean_gap", "recency_to_mean_gap")]).all()
    never = of([row("ann", 2, kind="view")], 31)
    assert never["rfm__orders__30d"] == 0
    assert np.isnan([never["rfm__days_since_purchase"], never["rfm__order_value__30d"]]).all()


def test_two_orders_at_one_moment_have_a_gap_of_no_days_and_recency_over_it_is_missing():
    features = of([row("ann", 2), row("ann", 2)], 31)
    assert features["rfm__last_gap"] == features["rfm__mean_gap"] == 0
    assert np.isnan(features["rfm__recency_to_mean_gap"])


def test_channel_mix_counts_shares_and_days_since():
    features = of(ANN, 31)
    assert [features[f"channel_mix__{name}__7d"] for name in ("store", "web", "app", "email")] == [1, 2, 1, 0]
    assert [features[f"channel_mix__{name}_share__7d"] for name in ("store", "web", "email")] == [
        0.25,
        0.5,
        0,
    ]
    assert features["channel_mix__channels__7d"] == 3
    assert [features[f"channel_mix__days_since_{name}"] for name in ("store", "web")] == [5, 3]
    assert np.isnan(features["channel_mix__days_since_email"])


def test_channel_mix_says_how_even_it_is_and_by_which_channel_a_customer_came_first_and_last():
    features = of(ANN, 31)
    assert features["channel_mix__entropy__7d"] == 1.5  # a quarter, a half, a quarter
    assert features["channel_mix__entropy__30d"] == np.float32(np.log2(7) - (4 * 2 + 2 * 1) / 7)
    firsts = [features[f"channel_mix__first_by_{name}"] for name in ("store", "web", "app")]
    lasts = [features[f"channel_mix__last_by_{name}"] for name in ("store", "web", "app")]
    assert (firsts, lasts) == ([1, 0, 0], [0, 1, 0])
    nowhere = of([row("ann", 2), row("ann", 3, channel=None)], 31)
    assert nowhere["channel_mix__first_by_store"] == 1
    assert np.isnan(nowhere["channel_mix__last_by_store"])


def test_a_first_interaction_known_late_is_the_first_from_then_on():
    rows = [row("ann", 2, channel="web", known_at=20), row("ann", 3)]
    assert of(rows, 10)["channel_mix__first_by_store"] == 1
    assert of(rows, 25)["channel_mix__first_by_store"] == 0
    assert of(rows, 25)["channel_mix__first_by_web"] == 1


def test_a_brand_has_columns_for_what_it_had_when_the_features_were_fitted_and_no_others():
    fitted = replace(FITTED, levels={"channel": ("web",), "kind": ("purchase", "view")})
    names = feature_names(FeaturesConfig(families=["channel_mix", "kinds"], windows_days=[7]), fitted)
    assert names == [
        *(f"channel_mix__{name}__7d" for name in ("web", "web_share", "channels", "entropy")),
        *(f"channel_mix__{name}" for name in ("days_since_web", "first_by_web", "last_by_web")),
        *("kinds__purchase__7d", "kinds__view__7d", "kinds__days_since_view"),
    ]
    nothing = FeaturesConfig(families=["channel_mix", "kinds"], windows_days=[7])
    assert feature_names(nothing, replace(FITTED, levels={})) == []


def test_shares_of_an_empty_window_are_missing_and_its_counts_nothing():
    features = of(ANN, 200)
    assert all(np.isnan(features[f"channel_mix__{name}_share__30d"]) for name in CHANNELS)
    assert all(features[f"channel_mix__{name}__30d"] == 0 for name in CHANNELS)
    assert features["channel_mix__channels__30d"] == 0
    assert np.isnan(features["channel_mix__entropy__30d"])


def test_kinds_counts_and_days_since():
    features = of(ANN, 31)
    assert [features[f"kinds__{name}__30d"] for name in ("purchase", "view", "return", "send")] == [
        4,
        2,
        1,
        0,
    ]
    assert features["kinds__days_since_view"] == 3
    unseen = set(KINDS) - {"purchase", "view", "return"}
    assert all(np.isnan(features[f"kinds__days_since_{name}"]) for name in unseen)


def test_an_interaction_without_channel_or_kind_still_counts_as_one_in_shares():
    features = of([row("ann", 30, kind=None, channel=None), row("ann", 30)], 31)
    assert features["channel_mix__store_share__7d"] == 0.5
    assert features["kinds__purchase__7d"] == 1
