"""Which ties hold: worked by hand, and laws."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sintonia.identity.guards import Rules, Ties, accepted

NODES = 8
TIES = st.lists(
    st.tuples(st.integers(0, NODES - 1), st.integers(0, NODES - 1), st.integers(0, 6), st.booleans()).filter(
        lambda tie: tie[0] < tie[1]
    ),
    max_size=12,
    unique_by=lambda tie: tie[:2],
)
PERSONS = st.dictionaries(st.integers(0, NODES - 1), st.integers(0, 6), max_size=5)
FORBIDDEN = st.lists(st.sampled_from([(0, 1), (2, 5), (1, 7)]), max_size=2, unique=True)


def hold(ties, persons, most=1, forbidden=()):
    columns = [np.array([tie[at] for tie in ties], np.int64) for at in range(3)]
    shareable = np.array([tie[3] for tie in ties], bool)
    return accepted(NODES, Ties(*columns, shareable), Rules(persons, most, forbidden)).tolist()


def test_a_shared_telephone_stays_with_who_came_first():
    # Records 0, 1 and 2 name three people; 3 is the telephone of all of them.
    assert hold([(0, 3, 1, True), (1, 3, 2, True), (2, 3, 3, True)], {0: 1, 1: 2, 2: 3}) == [
        True,
        False,
        False,
    ]


def test_two_records_of_one_person_share_a_telephone():
    assert hold([(0, 3, 1, True), (0, 1, 2, False), (1, 3, 2, True)], {0: 1, 1: 2}) == [True, True, True]


def test_a_couple_may_share_where_two_are_allowed():
    ties = [(0, 3, 1, True), (1, 3, 2, True), (2, 3, 3, True)]
    assert hold(ties, {0: 1, 1: 2, 2: 3}, most=2) == [True, True, False]


def test_records_that_name_nobody_are_no_second_person():
    assert hold([(0, 3, 1, True), (1, 3, 2, True)], {0: 1}) == [True, True]


def test_a_card_ties_whoever_shows_it():
    assert hold([(0, 3, 1, False), (1, 3, 2, False)], {0: 1, 1: 2}) == [True, True]


def test_what_is_forbidden_stays_apart_by_any_way_round():
    ties = [(0, 3, 1, False), (1, 3, 2, False), (1, 4, 3, False), (0, 4, 4, False)]
    assert hold(ties, {}, forbidden=[(0, 1)]) == [True, False, True, False]


@given(TIES, PERSONS, FORBIDDEN, st.integers(0, 6))
def test_what_arrives_later_changes_no_decision_before(ties, persons, forbidden, day):
    early = [tie for tie in ties if tie[2] <= day]
    before = [persons_of for persons_of in persons.items() if persons_of[1] <= day]
    whole = dict(zip([tie[:2] for tie in ties], hold(ties, persons, 1, forbidden), strict=True))
    alone = dict(zip([tie[:2] for tie in early], hold(early, dict(before), 1, forbidden), strict=True))
    assert alone == {pair: whole[pair] for pair in alone}


@given(TIES, PERSONS)
def test_shareable_identifiers_alone_never_unite_two_people(ties, persons):
    named = dict.fromkeys(persons, 0)
    only = [(*tie[:3], True) for tie in ties]
    parent = list(range(NODES))

    def root(node):
        return node if parent[node] == node else root(parent[node])

    for tie, holds in zip(only, hold(only, named), strict=True):
        if holds:
            parent[root(tie[0])] = root(tie[1])
    roots = [root(node) for node in named]
    assert len(set(roots)) == len(roots)
