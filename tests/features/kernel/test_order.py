"""Rows in any order are put to their customers and into time's order, and the kernel then says the same of them."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.rows import AS_OFS, FITTED, bytes_of, day, row, table
from features.rows import histories as drawn
from features.slow_terms import TERMS
from sintonia.core.config import FeaturesConfig
from sintonia.core.errors import InputError
from sintonia.features import catalogue, compute, compute_features
from sintonia.features.kernel.arrow import histories
from sintonia.features.kernel.order import group_rows
from sintonia.features.kernel.plan import plan
from sintonia.features.measures import Feature

KEYS = ["customer_id", "occurred_at", "interaction_id"]
CONFIG = FeaturesConfig(families=["rfm", "channel_mix"], windows_days=[7])
EVERYTHING = plan(
    [*catalogue(CONFIG, FITTED), *(Feature("test", str(i), "", "", (one,)) for i, one in enumerate(TERMS))]
)


def in_order(rows, column, threads=1):
    """Return each row's customer and its value of a whole column, in the order in which the kernel meets them."""
    ids, found = histories(rows, [column], threads)
    block = found.block(0, len(found))
    return list(
        zip(ids.take(pa.array(_owners(block))).to_pylist(), block.cells[column].values.tolist(), strict=True)
    )


def _owners(block):
    return np.repeat(np.arange(len(block)), np.diff(block.starts))


def shuffled(rows, random):
    places = list(range(rows.num_rows))
    random.shuffle(places)
    return rows.take(pa.array(places, pa.int64()))


def test_rows_are_ordered_by_customer_then_time_then_id_each_whole():
    rows = [row("bob", 2), row("ann", 3, amount=3), row("ann", 1, amount=1), row("ann", 3, amount=2)]
    for one, name in zip(rows, ["x", "yz", "z", "y"], strict=True):
        one["interaction_id"] = name
    given = pa.Table.from_pylist(rows)
    assert in_order(given, "amount") == [("ann", 1), ("ann", 2), ("ann", 3), ("bob", 100)]


def test_rows_that_only_their_ids_tell_apart_are_ordered_too():
    rows = [
        row("ann", 1, amount=1),
        row("ann", 1, amount=2),
        row("bob", 1, amount=3),
        row("bob", 1, amount=4),
    ]
    for one, name in zip(rows, ["y", "x", "a", "b"], strict=True):
        one["interaction_id"] = name
    given = pa.Table.from_pylist(rows)
    assert in_order(given, "amount") == [("ann", 2), ("ann", 1), ("bob", 3), ("bob", 4)]


def test_without_an_id_rows_of_one_moment_stay_as_they_came():
    rows = pa.table(
        {
            "customer_id": ["ann"] * 3,
            "occurred_at": pa.array([day(2), day(1), day(2)], pa.timestamp("us")),
            "known_at": pa.array([day(2)] * 3, pa.timestamp("us")),
            "amount": [1, 2, 3],
        }
    )
    assert in_order(rows, "amount") == [("ann", 2), ("ann", 1), ("ann", 3)]


@settings(max_examples=40, deadline=None)
@given(drawn, st.randoms(), st.sampled_from([1, 2, 3]))
def test_shuffled_rows_make_the_features_of_the_store_to_the_byte(rows, random, threads):
    ordered = table(rows)
    found = compute_features(shuffled(ordered, random), AS_OFS, EVERYTHING, threads=threads)
    assert bytes_of(found) == bytes_of(compute_features(ordered, AS_OFS, EVERYTHING))


@pytest.mark.parametrize("threads", [1, 2])
def test_customers_of_many_rows_are_merged_in_the_same_order(threads):
    random = np.random.default_rng(5)
    n = 3_000  # about 1,000 rows a customer, 20 of them at each moment
    occurred_at = np.datetime64("2025-01-01", "us") + random.integers(0, 50, n).astype("m8[D]")
    rows = pa.table(
        {
            "customer_id": np.array(["ann", "bøb", "zoë"], object)[random.integers(0, 3, n)],
            "occurred_at": occurred_at,
            "known_at": occurred_at,
            "interaction_id": random.permutation([f"{i:x}" for i in range(n)]).astype(object),
            "amount": np.arange(n),
        }
    )
    keys = sorted(
        (*key, i) for i, key in enumerate(zip(*(rows[name].to_pylist() for name in KEYS), strict=True))
    )
    assert in_order(rows, "amount", threads) == [(customer, i) for customer, _, _, i in keys]


def test_customers_of_texts_alike_but_for_an_end_or_a_zero_byte_are_apart():
    names = ["", "\0", "12345678", "12345678\0", "1234567", "123456789abcdef0", "123456789abcdef1", "é"]
    rows = table([row("zoe", 1)] + [row(name, i + 1) for i, name in enumerate(names)])[::-1]
    found = group_rows(rows["customer_id"].combine_chunks(), _times(rows))
    assert found.ids.to_pylist() == sorted([*names, "zoe"], key=str.encode)
    assert np.diff(found.starts).tolist() == [1] * 9


def test_tens_of_thousands_of_customers_are_each_found_again():
    names = [f"customer {i}" for i in np.random.default_rng(2).permutation(20_000)]
    ids = pa.array(names * 2)
    moments = np.arange(40_000)
    found = group_rows(ids, {"occurred_at": moments, "known_at": moments})
    assert found.ids.to_pylist() == sorted(names)
    assert (np.diff(found.starts) == 2).all()
    assert [names[i] for i in found.columns["occurred_at"][::2]] == sorted(names)
    assert (np.diff(found.columns["occurred_at"])[::2] == 20_000).all()


def _times(rows):
    return {name: rows[name].cast(pa.int64()).to_numpy() for name in ("occurred_at", "known_at")}


@pytest.mark.parametrize("how", ["dictionary", "twice", "large", "chunked", "batch"])
def test_rows_may_come_as_dictionaries_in_pieces_or_as_a_batch(how):
    plain = table([row("bob", 2), row("ann", 3), row("ann", 1, category=None, amount=7)])[::-1]
    given = plain
    ids = plain["customer_id"].combine_chunks()
    if how == "dictionary":
        given = given.set_column(0, "customer_id", ids.dictionary_encode())
    if how == "twice":  # a text twice in the dictionary, and one that no row has
        twice = pa.DictionaryArray.from_arrays([2, 3, 0], ["ann", "zoe", "bob", "ann"])
        given = given.set_column(0, "customer_id", twice)
    if how == "large":
        given = given.set_column(0, "customer_id", ids.cast(pa.large_string()))
    if how == "chunked":
        given = pa.concat_tables([plain[1:], plain[:1]])
    if how == "batch":
        (given,) = plain.combine_chunks().to_batches()
    assert in_order(given, "amount") == [("ann", 7), ("ann", 100), ("bob", 100)]
    assert bytes_of(compute(given, AS_OFS, CONFIG, FITTED)) == bytes_of(
        compute(plain, AS_OFS, CONFIG, FITTED)
    )


def test_no_rows_are_no_rows():
    assert in_order(table([]), "amount") == []


def test_a_row_without_a_customer_a_time_or_an_id_is_refused():
    for name in KEYS:
        rows = table([row("ann", 2), row("ann", 1)])[::-1].to_pylist()
        rows[1][name] = None
        with pytest.raises(InputError, match=f"1 rows without '{name}'"):
            in_order(pa.Table.from_pylist([*rows, row("ann", 1) | {"interaction_id": "x"}]), "amount")


def test_what_is_given_stays_as_it_is():
    rows = table([row("bob", 2), row("ann", 3)])[::-1]
    coded = rows.set_column(0, "customer_id", rows["customer_id"].combine_chunks().dictionary_encode())
    for one in (rows, coded):
        before = one.to_pylist()
        in_order(one, "amount")
        assert one.to_pylist() == before
