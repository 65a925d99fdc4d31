"""Average linkage as records arrive: worked by hand, and law 1 for merges."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sintonia.identity.linkage import Pairs, link_as_known

RECORDS = 7
PAIRS = st.dictionaries(
    st.tuples(st.integers(0, RECORDS - 1), st.integers(0, RECORDS - 1)).filter(
        lambda pair: pair[0] < pair[1]
    ),
    st.tuples(st.floats(-12, 12), st.booleans()),
    max_size=15,
)
ARRIVALS = st.lists(st.integers(0, 5), min_size=RECORDS, max_size=RECORDS)


def link(arrived, pairs):
    left, right = (np.array([pair[side] for pair in pairs], np.int64) for side in range(2))
    weight = np.array([bits for bits, _ in pairs.values()], np.float64)
    implausible = np.array([held for _, held in pairs.values()], bool)
    found = link_as_known(np.array(arrived, np.int64), Pairs(left, right, weight, implausible), 0.0)
    rows = zip(found.left, found.right, found.arrived_at, found.match_weight, found.held, strict=True)
    return [(int(a), int(b), int(at), float(bits), bool(held)) for a, b, at, bits, held in rows]


def test_a_merge_is_known_when_the_later_of_its_records_arrived():
    assert link([3, 8], {(0, 1): (9.0, False)}) == [(0, 1, 8, 9.0, False)]


def test_records_that_only_a_third_brings_together_are_known_from_its_arrival():
    found = link([1, 2, 9], {(0, 2): (9.0, False), (1, 2): (8.0, False), (0, 1): (-1.0, False)})
    assert found == [(0, 2, 9, 9.0, False), (1, 2, 9, 3.5, False)]


def test_a_merge_with_a_contradiction_is_held_once_and_parts_the_records():
    pairs = {(0, 1): (9.0, True), (1, 2): (9.0, False), (0, 2): (9.0, False)}
    assert link([1, 2, 3], pairs)[0] == (0, 1, 2, 9.0, True)
    made = [row[:2] for row in link([1, 2, 3], pairs) if not row[4]]
    assert made == [(0, 2)]


def test_a_forbidden_pair_is_never_merged():
    assert link([1, 1, 1], {(0, 1): (-np.inf, False), (0, 2): (9.0, False), (1, 2): (9.0, False)}) == [
        (0, 2, 1, 9.0, False)
    ]


@given(ARRIVALS, PAIRS, st.integers(0, 5))
def test_records_that_arrive_later_change_no_merge_known_before(arrived, pairs, day):
    early = {pair: told for pair, told in pairs.items() if max(arrived[pair[0]], arrived[pair[1]]) <= day}
    whole = [row for row in link(arrived, pairs) if row[2] <= day]
    assert link(arrived, early) == whole
