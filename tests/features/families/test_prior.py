"""The behavioural prior: the kernel's counts are those of `behaviour`, and its answers those of the fitted models."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings

from features.rows import AS_OFS, FITTED, day, histories, row, table
from features.typed_tables import PRIOR, features
from sintonia.core.config import FeaturesConfig
from sintonia.features import compute, feature_names
from sintonia.features.clv import count_repeats, read_purchases

PLAIN = PRIOR.as_json()


def expected(rows, as_ofs):
    """What the fitted models say of `count_repeats`, by customer and as_of."""
    ids, purchases = read_purchases(table(rows))
    known = count_repeats(purchases, len(ids), as_ofs)
    return ids.to_pylist(), PRIOR.expect(known, 30), PRIOR.coming_back.probability_purchase(known, 7)


def test_a_customer_of_three_days_is_expected_what_the_models_say():
    rows = [
        row("ann", 1.5, amount=1_000),
        row("ann", 1.7, amount=500),
        row("ann", 8.5, amount=3_000),
        row("ann", 11.25, amount=-200),
        row("ann", 12, kind="view"),
    ]
    _, told, week = expected(rows, [day(31)])  # 2 repeat days, the last 10 days after the first, 30 days old
    (found,) = features("prior", table(rows), [31], prior=PLAIN)
    assert found["alive"] == np.float32(told.probability_alive[0, 0])
    assert found["purchase_in_7d"] == np.float32(week[0, 0])
    assert found["purchase_in_30d"] == np.float32(told.probability_purchase[0, 0])
    assert found["purchases_in_30d"] == np.float32(told.purchases[0, 0])
    assert found["spend"] == np.float32(
        6.25 * (1544 + 2_800) / (6.25 * 2 + 3.74 - 1)
    )  # 2 days of 1,400 cents
    assert found["value_in_30d"] == np.float32(told.value_cents[0, 0])


def test_who_never_came_back_is_alive_and_who_never_bought_is_missing():
    (once,) = features("prior", table([row("ann", 3)]), [31], prior=PLAIN)
    assert once["alive"] == 1
    (never,) = features("prior", table([row("ann", 3, kind="view")]), [31], prior=PLAIN)
    assert np.isnan([value for name, value in never.items() if name not in ("customer_id", "as_of")]).all()


def test_a_purchase_known_late_counts_from_then_on():
    rows = [row("ann", 3), row("ann", 9, known_at=20)]
    early, late = features("prior", table(rows), [15, 25], prior=PLAIN)
    assert early["alive"] == 1
    assert late["alive"] < 1


def test_without_a_fit_there_are_no_columns_and_without_amounts_none_of_money():
    config = FeaturesConfig(families=["prior"], windows_days=[7, 30])
    assert feature_names(config, FITTED) == []
    poor = replace(FITTED, prior=replace(PRIOR, spend=None).as_json())
    names = feature_names(config, poor)
    assert [name.removeprefix("prior__") for name in names] == [
        "alive",
        "purchase_in_7d",
        "purchase_in_30d",
        "purchases_in_30d",
    ]


@settings(max_examples=40, deadline=None)
@given(histories)
def test_the_kernel_counts_repeats_as_the_behavioural_models_do(rows):
    # By one clock: a customer who crosses midnight backwards counts a day twice in the kernel.
    rows = [one | {"utc_offset_minutes": -300} for one in rows]
    config = FeaturesConfig(families=["prior"], windows_days=[7, 30])
    found = compute(table(rows), list(AS_OFS), config, replace(FITTED, prior=PLAIN))
    ids, told, week = expected(rows, list(AS_OFS)) if rows else ([], None, None)
    for one in found.to_pylist():
        place = ids.index(one["customer_id"]), AS_OFS.index(one["as_of"])
        values = [one["prior__alive"], one["prior__purchase_in_7d"], one["prior__value_in_30d"]]
        models = [told.probability_alive[place], week[place], told.value_cents[place]]
        np.testing.assert_array_equal(np.float32(values), np.float32(models))
