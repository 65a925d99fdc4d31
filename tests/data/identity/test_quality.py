"""Agreement of clusters with the truth: worked by hand, and laws."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sintonia.core.errors import InputError
from sintonia.data.identity.quality import PrecisionRecall, quality

LABELS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=15)


def test_one_wrong_and_one_missing_pair_are_counted_by_hand():
    # clusters {1,2,3} {4}; people {1,2} {3,4}: found 12, 13, 23, right 12; true 12, 34
    found = quality([7, 7, 7, 8], ["p", "p", "q", "q"])
    assert found.pairwise == PrecisionRecall(1 / 3, 1 / 2)
    assert found.pairwise.f1 == pytest.approx(2 / 5)
    assert found.b_cubed.precision == pytest.approx((2 / 3 + 2 / 3 + 1 / 3 + 1) / 4)
    assert found.b_cubed.recall == pytest.approx((1 + 1 + 1 / 2 + 1 / 2) / 4)
    assert (found.records, found.clusters, found.people) == (4, 2, 2)


def test_labels_of_different_length_are_refused():
    with pytest.raises(InputError, match="2 cluster labels and 1 true ones"):
        quality([1, 2], [1])


@given(LABELS)
def test_pairwise_counts_equal_a_walk_over_all_pairs(labels):
    clusters, people = zip(*labels, strict=True)
    pairs = list(itertools.combinations(range(len(labels)), 2))
    joined = {pair for pair in pairs if clusters[pair[0]] == clusters[pair[1]]}
    true = {pair for pair in pairs if people[pair[0]] == people[pair[1]]}
    found = quality(clusters, people).pairwise
    assert found.precision == pytest.approx(len(joined & true) / len(joined) if joined else 1)
    assert found.recall == pytest.approx(len(joined & true) / len(true) if true else 1)


@given(LABELS)
def test_the_truth_agrees_with_itself_and_swapping_the_two_swaps_precision_and_recall(labels):
    clusters, people = zip(*labels, strict=True)
    assert quality(people, people).b_cubed.f1 == pytest.approx(1)
    one, other = quality(clusters, people).b_cubed, quality(people, clusters).b_cubed
    assert one.precision == pytest.approx(other.recall)
