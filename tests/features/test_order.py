"""Rows from anywhere come into the store's order, and the kernel then says the same of them."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.rows import AS_OFS, FITTED, bytes_of, day, row, table
from features.rows import histories as drawn
from sintonia.config import FeaturesConfig
from sintonia.errors import InputError
from sintonia.features import compute, in_order

KEYS = ["customer_id", "occurred_at", "interaction_id"]
CONFIG = FeaturesConfig(families=["rfm", "channel_mix"], windows_days=[7])


def keys(interactions):
    return list(zip(*(interactions[name].to_pylist() for name in KEYS), strict=True))


def test_rows_are_ordered_by_customer_then_time_then_id_each_whole():
    rows = [row("bob", 2), row("ann", 3, amount=3), row("ann", 1, amount=1), row("ann", 3, amount=2)]
    for one, name in zip(rows, ["x", "yz", "z", "y"], strict=True):
        one["interaction_id"] = name
    found = in_order(pa.Table.from_pylist(rows))
    assert found["interaction_id"].to_pylist() == ["z", "y", "yz", "x"]
    assert found["amount"].to_pylist() == [1, 2, 3, 100]


def test_without_an_id_rows_of_one_moment_stay_as_they_came():
    rows = pa.table(
        {
            "customer_id": ["ann"] * 3,
            "occurred_at": pa.array([day(2), day(1), day(2)], pa.timestamp("us")),
            "amount": [1, 2, 3],
        }
    )
    assert in_order(rows)["amount"].to_pylist() == [2, 1, 3]


@settings(max_examples=40, deadline=None)
@given(drawn, st.randoms())
def test_shuffled_rows_come_back_as_the_store_has_them(rows, random):
    ordered = table(rows)
    places = list(range(len(rows)))
    random.shuffle(places)
    shuffled = ordered.take(pa.array(places, pa.int64()))
    found = in_order(shuffled)
    assert found.to_pylist() == ordered.to_pylist()
    assert bytes_of(compute(found, AS_OFS, CONFIG, FITTED)) == bytes_of(
        compute(ordered, AS_OFS, CONFIG, FITTED)
    )


def test_customers_of_many_rows_are_merged_in_the_same_order():
    random = np.random.default_rng(5)
    n = 3_000  # about 1,000 rows a customer, 20 of them at each moment
    ids = random.permutation([f"{i:x}" for i in range(n)]).astype(object)
    rows = pa.table(
        {
            "customer_id": np.array(["ann", "bøb", "zoë"], object)[random.integers(0, 3, n)],
            "occurred_at": np.datetime64("2025-01-01", "us") + random.integers(0, 50, n).astype("m8[D]"),
            "interaction_id": ids,
        }
    )
    assert keys(in_order(rows)) == sorted(keys(rows))


@pytest.mark.parametrize("how", ["dictionary", "chunked", "batch"])
def test_rows_may_come_as_dictionaries_in_pieces_or_as_a_batch(how):
    plain = table([row("bob", 2), row("ann", 3), row("ann", 1, category=None, amount=None)])[::-1]
    given = plain
    if how == "dictionary":
        given = given.set_column(0, "customer_id", plain["customer_id"].dictionary_encode())
    if how == "chunked":
        given = pa.concat_tables([plain[1:], plain[:1]])
    if how == "batch":
        (given,) = plain.combine_chunks().to_batches()
    assert in_order(given).to_pylist() == in_order(plain).to_pylist()


def test_no_rows_are_no_rows():
    assert in_order(table([])).num_rows == 0


def test_a_row_without_a_customer_a_time_or_an_id_is_refused():
    for name in KEYS:
        rows = table([row("ann", 1), row("bob", 2)]).to_pylist()
        rows[1][name] = None
        with pytest.raises(InputError, match=f"1 rows without '{name}'"):
            in_order(pa.Table.from_pylist(rows))


def test_what_is_given_stays_as_it_is():
    rows = table([row("bob", 2), row("ann", 3)])[::-1]
    before = rows.to_pylist()
    in_order(rows)
    assert rows.to_pylist() == before
