"""Average linkage: worked by hand, and laws."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sintonia.core.errors import InputError
from sintonia.data.identity.grouping import cluster

WEIGHTS = st.dictionaries(
    st.tuples(st.integers(0, 6), st.integers(0, 6)).filter(lambda pair: pair[0] < pair[1]),
    st.floats(-12, 12),
    max_size=15,
)


def clustered(records, weights, **options):
    """Return the cluster of every record, for weights by pair."""
    pairs = pa.table(
        {
            "left": pa.array([left for left, _ in weights], pa.string()),
            "right": pa.array([right for _, right in weights], pa.string()),
            "match_weight": pa.array(list(weights.values()), pa.float64()),
        }
    )
    found = cluster(pa.array(records), pairs, **options)
    assert found["record_id"].to_pylist() == list(records)
    return "".join(found["cluster"].to_pylist())


def test_a_bridge_between_two_groups_glues_nobody():
    assert clustered("abcd", {("a", "b"): 9.0, ("c", "d"): 9.0, ("b", "c"): 4.0}) == "aacc"


def test_a_record_that_matches_a_group_on_average_joins_it():
    assert clustered("abc", {("a", "b"): 9.0, ("b", "c"): 8.0, ("a", "c"): -5.0}) == "aaa"
    assert clustered("abc", {("a", "b"): 9.0, ("b", "c"): 8.0, ("a", "c"): -9.0}) == "aac"


def test_a_record_without_a_pair_is_its_own_cluster():
    assert clustered("xyz", {}) == "xyz"


def test_a_forbidden_pair_stays_apart_whatever_else_speaks_for_it():
    ties = {("a", "b"): 9.0, ("b", "c"): 9.0, ("a", "c"): -float("inf")}
    assert clustered("abc", ties) == "aac"
    demanded = {("a", "d"): float("inf"), ("c", "d"): float("inf")}
    found = clustered("abcd", ties | demanded)
    assert found[0] != found[2]


def test_a_demanded_pair_is_joined_first_whatever_speaks_against_it():
    assert clustered("abc", {("a", "b"): float("inf"), ("b", "c"): 9.0, ("a", "c"): -10.0})[:2] == "aa"


def test_a_higher_probability_joins_less():
    ties = {("a", "b"): 3.0}  # 8 to 1
    assert clustered("ab", ties, match_probability=0.85) == "aa"
    assert clustered("ab", ties, match_probability=0.95) == "ab"


def test_a_pair_of_an_unknown_record_is_refused():
    with pytest.raises(InputError, match="1 pairs name a record that is not among the 1 records"):
        clustered("a", {("a", "b"): 1.0})


@given(WEIGHTS, st.randoms(use_true_random=False))
def test_the_order_of_records_and_pairs_changes_nothing(weights, random):
    names = "abcdefg"
    ties = {(names[left], names[right]): bits for (left, right), bits in weights.items()}
    records, turned = list(names), list(ties.items())
    random.shuffle(records)
    random.shuffle(turned)
    before = dict(zip(names, clustered(names, ties), strict=True))
    after = dict(zip(records, clustered(records, dict(turned)), strict=True))
    assert before == after


@given(WEIGHTS)
def test_a_cluster_is_named_by_its_least_record_and_holds_only_records_tied_in_it(weights):
    names = "abcdefg"
    ties = {(names[left], names[right]): bits for (left, right), bits in weights.items()}
    found = dict(zip(names, clustered(names, ties), strict=True))
    for record, first in found.items():
        assert first <= record
        assert found[first] == first
        mates = {other for other in names if found[other] == first}
        assert len(mates) == 1 or any(
            record in pair and set(pair) <= mates and ties[pair] >= 0 for pair in ties
        )
