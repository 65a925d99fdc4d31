"""Average linkage as records arrive: worked by hand, and law 1 for merges."""

import heapq
from collections import defaultdict

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sintonia.data.identity.grouping import (
    MOST_BITS,
    Pairs,
    PreviousGroups,
    bound_weights,
    link_around,
    link_as_known,
)

RECORDS = 7
PAIRS = st.dictionaries(
    st.tuples(st.integers(0, RECORDS - 1), st.integers(0, RECORDS - 1)).filter(
        lambda pair: pair[0] < pair[1]
    ),
    st.tuples(st.floats(-12, 12), st.booleans()),
    max_size=15,
)
ARRIVALS = st.lists(st.integers(0, 5), min_size=RECORDS, max_size=RECORDS)


def columns(pairs):
    left, right = (np.array([pair[side] for pair in pairs], np.int64) for side in range(2))
    weight = np.array([bits for bits, _ in pairs.values()], np.float64)
    return Pairs(left, right, weight, np.array([held for _, held in pairs.values()], bool))


def link(arrived, pairs, before=None):
    return rows_of(link_as_known(np.array(arrived, np.int64), columns(pairs), 0.0, before))


def rows_of(found):
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


def test_old_groups_stand_and_their_pairs_count():
    # On day 9 record 3 matches 0 well; 1 and 2 joined 0 earlier, and what they said with 3 counts as against.
    before = PreviousGroups(np.array([0, 0, 0, 3]), columns({(0, 1): (9.0, False), (1, 2): (1.0, False)}))
    assert link([1, 2, 3, 9], {(0, 3): (9.0, False)}, before) == []
    more = {(0, 3): (9.0, False), (1, 3): (9.0, False), (2, 3): (9.0, False)}
    assert link([1, 2, 3, 9], more, before) == [(0, 3, 9, 9.0, False)]


def test_old_pairs_merge_nothing_until_a_new_record_speaks():
    before = PreviousGroups(np.arange(3), columns({(0, 1): (5.0, False)}))
    assert link([7, 7, 3], {}, before) == []
    # The third arrived on day 3; the evidence for the other two, on day 7.
    assert link([7, 7, 3], {(1, 2): (4.0, False)}, before) == [(1, 2, 7, 4.0, False)]


def test_what_was_held_before_is_not_held_again():
    before = PreviousGroups(np.arange(3), columns({(0, 1): (9.0, True)}))
    found = link([1, 2, 3], {(0, 2): (9.0, False), (1, 2): (9.0, False)}, before)
    assert found == [(0, 2, 3, 9.0, False)]


WHOLE = st.dictionaries(
    st.tuples(st.integers(0, 11), st.integers(0, 11)).filter(lambda pair: pair[0] < pair[1]),
    st.tuples(st.sampled_from([*range(-10, 11), np.inf, -np.inf]), st.booleans()),
    max_size=50,
)
"""Whole bits, whose sums are the same in any order."""


@given(st.lists(st.integers(0, 4), min_size=12, max_size=12), WHOLE, st.integers(-3, 3))
def test_the_compiled_loop_does_what_the_plain_one_does(arrived, pairs, least):
    found = link_as_known(np.array(arrived), columns(pairs), float(least))
    assert rows_of(found) == plainly(arrived, pairs, least)


@given(st.lists(st.integers(0, 4), min_size=12, max_size=12), WHOLE, st.integers(0, 4))
def test_two_steps_of_arrivals_merge_what_one_does(arrived, pairs, day):
    known = {pair: max(arrived[pair[0]], arrived[pair[1]]) for pair in pairs}
    early, late = ({p: told for p, told in pairs.items() if (known[p] <= day) is so} for so in (True, False))
    first, group = link(arrived, early), np.arange(12)
    for one, other in ((group[left], group[right]) for left, right, *_, held in first if not held):
        group[(group == one) | (group == other)] = min(one, other)
    then = link(arrived, late, PreviousGroups(group, columns(early)))
    assert [*first, *then] == link(arrived, pairs)


@given(
    st.lists(st.integers(0, 4), min_size=12, max_size=12),
    st.lists(st.integers(0, 11), min_size=12, max_size=12),
    WHOLE,
    st.integers(6, 12),
)
def test_from_the_pairs_around_new_ones_follows_what_does_from_all(arrived, mates, pairs, new_from):
    group = np.arange(12)
    for record in range(new_from):  # earlier groups, whatever made them
        group[record] = group[min(mates[record], record)]
    old = {pair: told for pair, told in pairs.items() if max(pair) < new_from}
    new = {pair: told for pair, told in pairs.items() if max(pair) >= new_from}
    before = PreviousGroups(group, columns(old))
    whole = link_as_known(np.array(arrived), columns(new), 0.0, before)
    assert rows_of(link_around(np.array(arrived), columns(new), 0.0, before)) == rows_of(whole)


def plainly(arrived, pairs, least):
    """Return the merges as `link_as_known` does, group by group in plain Python."""
    group, size, between, held = list(range(12)), [1] * 12, defaultdict(dict), set()

    def told(pair):
        return max(arrived[pair[0]], arrived[pair[1]])

    def average(one, other):
        bits, count, *_ = between[one][other]
        return (bits - MOST_BITS * (size[one] * size[other] - count)) / (size[one] * size[other])

    def note(one, other, said):
        mine = between[one].get(other, (0.0, 0, False, (-np.inf, 0, 0)))
        both = (mine[0] + said[0], mine[1] + said[1], mine[2] or said[2], max(mine[3], said[3]))
        between[one][other] = between[other][one] = both

    def merge(one, other):
        for record in range(12):
            group[record] = one if group[record] == other else group[record]
        size[one] += size[other]
        for third, said in between.pop(other).items():
            del between[third][other]
            if third != one:
                note(one, third, said)

    rows = []
    for now in sorted(set(map(told, pairs))):
        touched = set()
        for left, right in sorted(pair for pair in pairs if told(pair) == now):
            one, other = sorted((group[left], group[right]))
            if one != other:
                bits = float(bound_weights(np.float64(pairs[left, right][0])))
                note(one, other, (bits, 1, pairs[left, right][1], (bits, -left, -right)))
                touched.add((one, other))
        heap = [(-average(*edge), *edge, size[edge[0]], size[edge[1]]) for edge in touched]
        heapq.heapify(heap)
        while heap:
            negative, one, other, *sizes = heapq.heappop(heap)
            due = -negative >= least and group[one] == one and group[other] == other
            if not due or [size[one], size[other]] != sizes or (one, other) in held:
                continue
            _, _, implausible, (_, left, right) = between[one][other]
            rows.append((-left, -right, now, -negative, implausible))
            if implausible:
                held.add((one, other))
                continue
            merge(one, other)
            for third in between[one]:
                edge = (min(one, third), max(one, third))
                heapq.heappush(heap, (-average(*edge), *edge, size[edge[0]], size[edge[1]]))
    return rows
