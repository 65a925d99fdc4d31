"""The feature table: who has a row, what a window holds, and the laws."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.reference import reference, same
from features.rows import AS_OFS, FITTED, bytes_of, day, histories, interactions, row, table
from features.slow_terms import TERMS
from sintonia.core.config import FeaturesConfig
from sintonia.features import catalogue, columns_read, compute, families, feature_names
from sintonia.features.kernel.plan import plan
from sintonia.features.measures import Feature
from sintonia.features.table import compute_features

FAMILIES = ["rfm", "channel_mix", "kinds"]  # those that plain pandas computes as well
CONFIG = FeaturesConfig(families=FAMILIES, windows_days=[7, 30])
ALL = FeaturesConfig(families=list(families.FAMILIES), windows_days=[7, 30])
EVERYTHING = plan(
    [*catalogue(ALL, FITTED), *(Feature("test", str(i), "", "", (one,)) for i, one in enumerate(TERMS))]
)
RFM = FeaturesConfig(families=["rfm"], windows_days=[7])


def column(rows, name, as_ofs, config=CONFIG):
    return compute(table(rows), as_ofs, config, FITTED)[name].to_pylist()


def test_columns_are_the_keys_and_then_the_catalogue_in_order():
    features = compute(table([row("ann", 1)]), [day(2)], CONFIG, FITTED)
    assert features.column_names == ["customer_id", "as_of", *feature_names(CONFIG, FITTED)]
    assert features.schema.types[:2] == [pa.string(), pa.timestamp("us")]
    assert set(features.schema.types[2:]) == {pa.float32()}


def test_rows_are_ordered_by_customer_and_as_of_from_the_first_visible_interaction_on():
    rows = [row("bob", 5), row("ann", 1), row("cec", 2, known_at=4), row("dan", 30)]
    features = compute(table(rows), [day(10), day(3)], RFM, FITTED)
    found = list(zip(features["customer_id"].to_pylist(), features["as_of"].to_pylist(), strict=True))
    assert found == [("ann", day(3)), ("ann", day(10)), ("bob", day(10)), ("cec", day(10))]


def test_a_window_leaves_out_its_start_and_holds_its_end():
    microsecond = timedelta(microseconds=1)
    at = [day(3), day(3) + microsecond, day(10), day(10) + microsecond]  # of (day 3, day 10]
    for when, inside in zip(at, [0, 1, 1, None], strict=True):
        assert column([row("ann", 1), row("ann", when)], "rfm__orders__7d", [day(10)]) == [inside or 0]


def test_an_interaction_counts_from_the_as_of_at_which_it_is_known():
    rows = [row("ann", 1, kind="view"), row("ann", 5, known_at=8)]
    as_ofs = [day(6), day(8), day(9), day(12)]
    assert column(rows, "rfm__orders__7d", as_ofs) == [0, 1, 1, 0]
    assert column(rows, "rfm__days_since_purchase", as_ofs)[1:] == [3, 4, 7]


def test_an_interaction_known_only_after_its_window_never_enters_it_but_is_remembered():
    rows = [row("ann", 1, kind="view"), row("ann", 5, known_at=20)]
    as_ofs = [day(6), day(12), day(20), day(21)]
    assert column(rows, "rfm__orders__7d", as_ofs) == [0, 0, 0, 0]
    assert column(rows, "rfm__orders__30d", as_ofs) == [0, 0, 1, 1]
    np.testing.assert_array_equal(column(rows, "rfm__days_since_purchase", as_ofs), [np.nan, np.nan, 15, 16])


def test_known_before_it_happened_counts_from_when_it_happened():
    assert column([row("ann", 1), row("ann", 5, known_at=2)], "rfm__orders__7d", [day(3), day(5)]) == [1, 2]


def test_without_as_of_dates_or_interactions_the_table_is_empty_and_has_its_columns():
    for features in (
        compute(table([row("ann", 1)]), [], CONFIG, FITTED),
        compute(table([]), [day(3)], CONFIG, FITTED),
    ):
        assert features.num_rows == 0
        assert features.column_names == ["customer_id", "as_of", *feature_names(CONFIG, FITTED)]


def test_the_same_as_of_twice_is_one_snapshot():
    assert column([row("ann", 1)], "rfm__orders__7d", [day(3), day(3)]) == [1]


def test_only_the_columns_that_are_read_are_needed():
    rows = table([row("ann", 1), row("bob", 2)])
    narrow = rows.select(columns_read(CONFIG, FITTED))
    assert bytes_of(compute(narrow, [day(3)], CONFIG, FITTED)) == bytes_of(
        compute(rows, [day(3)], CONFIG, FITTED)
    )
    assert "amount" not in columns_read(FeaturesConfig(families=["kinds"], windows_days=[7]), FITTED)


def test_interactions_are_not_changed_by_computing():
    rows = table([row("ann", 1), row("ann", 2, known_at=9), row("bob", 2)])
    before = rows.to_pylist()
    compute(rows, [day(3), day(10)], CONFIG, FITTED)
    assert rows.to_pylist() == before


@settings(max_examples=15, deadline=None)
@given(histories, st.sets(st.sampled_from(AS_OFS), min_size=1), st.sampled_from([1, 300, 2**19]))
def test_the_kernel_says_what_plain_pandas_says(rows, as_ofs, cells):
    features = compute_features(table(rows), list(as_ofs), catalogue(CONFIG, FITTED), cells)
    if features.num_rows:
        same(features.to_pandas(), reference(table(rows).to_pandas(), as_ofs, [7, 30], FAMILIES))


@settings(max_examples=40, deadline=None)
@given(histories, st.lists(interactions(), max_size=10), st.sampled_from(AS_OFS), st.randoms())
def test_law_1_what_is_not_visible_yet_changes_no_byte(rows, others, as_of, random):
    visible = [one for one in rows if max(one["occurred_at"], one["known_at"]) <= as_of]
    hidden = [one for one in rows if max(one["occurred_at"], one["known_at"]) > as_of]
    deleted = [one for one in hidden if random.random() < 0.5]
    changed = [one for one in others if max(one["occurred_at"], one["known_at"]) > as_of]
    before = bytes_of(compute_features(table(rows), AS_OFS, EVERYTHING), as_of)
    assert bytes_of(compute_features(table(visible + deleted + changed), AS_OFS, EVERYTHING), as_of) == before
    assert bytes_of(compute_features(table(visible), [as_of], EVERYTHING), as_of) == before


@settings(max_examples=30, deadline=None)
@given(histories, st.permutations("abcd"), st.sampled_from([1, 200, 5000]))
def test_law_4_blocks_buckets_their_order_and_threads_change_no_byte(rows, order, cells):
    whole = bytes_of(compute_features(table(rows), AS_OFS, EVERYTHING))
    assert bytes_of(compute_features(table(rows), AS_OFS, EVERYTHING, cells, threads=2)) == whole
    buckets = [table([one for one in rows if one["customer_id"] == customer]) for customer in order]
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda bucket: compute_features(bucket, AS_OFS, EVERYTHING), buckets))
    again = pa.concat_tables(made).sort_by([("customer_id", "ascending"), ("as_of", "ascending")])
    assert bytes_of(again) == whole


def test_a_brand_of_thousands_in_many_blocks_equals_plain_pandas():
    random = np.random.default_rng(3)
    rows = 4_000
    occurred_at = np.datetime64("2024-06-01", "us") + random.integers(0, 300 * 86_400, rows).astype("m8[s]")
    late = np.where(random.random(rows) < 0.3, random.integers(0, 90 * 86_400, rows), 0).astype("m8[s]")
    names = np.array(["web", "app", "store", "email"], object), np.array(["view", "purchase", "send"], object)
    made = pa.table(
        {
            "customer_id": np.array([f"c{i:03d}" for i in random.integers(0, 300, rows)], object),
            "occurred_at": occurred_at,
            "known_at": occurred_at + late,
            "channel": names[0][random.integers(0, 4, rows)],
            "kind": names[1][random.integers(0, 3, rows)],
            "opens_thread": random.random(rows) < 0.5,
            "quantity": random.integers(-2, 5, rows),
            "amount": random.integers(-10_000, 10_000, rows),
            "discount": random.integers(0, 1_000, rows),
        }
    ).sort_by([("customer_id", "ascending"), ("occurred_at", "ascending")])
    as_ofs = [datetime(2024, month, 1) for month in range(7, 13)]
    features = compute_features(made, as_ofs, catalogue(CONFIG, FITTED), 2_000)
    same(features.to_pandas(), reference(made.to_pandas(), as_ofs, [7, 30], FAMILIES))


@pytest.mark.real_data
def test_real_households_equal_plain_pandas(real_data_dir):
    path = real_data_dir / "complete_journey" / "transactions.parquet"
    tickets = pd.read_parquet(path).query("household_id <= 100").assign(channel="store", kind="purchase")
    tickets["occurred_at"] = tickets["transaction_timestamp"].astype("datetime64[us]")
    tickets = tickets.sort_values(["household_id", "occurred_at", "basket_id"])
    made = pa.table(
        {
            "customer_id": tickets["household_id"].map("{:04d}".format),
            "occurred_at": tickets["occurred_at"],
            "known_at": tickets["occurred_at"],
            "channel": tickets["channel"],
            "kind": tickets["kind"],
            "opens_thread": ~tickets.duplicated("basket_id"),
            "quantity": tickets["quantity"],
            "amount": (tickets["sales_value"] * 100).round().astype("int64"),
            "discount": (tickets["retail_disc"] * 100).round().astype("int64"),
        }
    )
    as_ofs = [datetime(2017, 3, 1), datetime(2017, 8, 27), datetime(2017, 9, 24)]
    features = compute(made, as_ofs, CONFIG, FITTED)
    same(features.to_pandas(), reference(made.to_pandas(), as_ofs, [7, 30], FAMILIES))
