"""Which ties hold: worked by hand, and laws."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sintonia.data.identity.grouping import Rules, Ties, accepted

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


def columns(ties):
    told = [np.array([tie[at] for tie in ties], np.int64) for at in range(3)]
    return Ties(*told, np.array([tie[3] for tie in ties], bool))


def hold(ties, persons, most=1, forbidden=(), before=None):
    return accepted(NODES, columns(ties), Rules(persons, most, forbidden), before).tolist()


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


def test_ties_accepted_before_stand_whatever_the_rules_say_now():
    before = columns([(0, 3, 1, True), (1, 3, 2, True)])
    assert hold([(2, 3, 3, True)], {0: 1, 1: 2, 2: 3}, forbidden=[(0, 1)], before=before) == [False]
    assert hold([(3, 4, 3, True)], {0: 1, 1: 2, 2: 3}, forbidden=[(0, 1)], before=before) == [True]


def test_a_tie_delivered_late_takes_no_telephone_from_those_known_before():
    before = columns([(0, 3, 5, True)])
    assert hold([(1, 3, 2, True)], {0: 5, 1: 2}, before=before) == [False]
    assert hold([(0, 3, 5, True), (1, 3, 2, True)], {0: 5, 1: 2}) == [False, True]


@given(TIES, PERSONS, FORBIDDEN, st.integers(1, 3))
def test_ties_hold_as_the_rules_say_word_by_word(ties, persons, forbidden, most):
    assert hold(ties, persons, most, forbidden) == plainly(ties, persons, most, forbidden)


@given(TIES, PERSONS, FORBIDDEN, st.integers(0, 6))
def test_two_steps_of_arrivals_take_what_one_does(ties, persons, forbidden, day):
    early, late = ([tie for tie in ties if (tie[2] <= day) is so] for so in (True, False))
    first = hold(early, persons, 1, forbidden)
    stand = columns([tie for tie, holds in zip(early, first, strict=True) if holds])
    then = hold(late, persons, 1, forbidden, stand)
    whole = dict(zip(ties, hold(ties, persons, 1, forbidden), strict=True))
    assert [*first, *then] == [whole[tie] for tie in [*early, *late]]


def plainly(ties, persons, most, forbidden):
    """Return which ties hold, with customers and persons as sets in plain Python."""
    customers, people = ([{node} for node in range(NODES)] for _ in range(2))
    holds = {}

    def of(groups, node):
        return next(group for group in groups if node in group)

    def unite(groups, left, right):
        one, other = of(groups, left), of(groups, right)
        if one is not other:
            groups.remove(other)
            one |= other

    for tie in sorted(ties, key=lambda tie: (tie[2], tie[3], tie[0], tie[1])):
        left, right, at, shareable = tie
        one, other = of(customers, left), of(customers, right)
        named = [
            {min(of(people, node)) for node in group if persons.get(node, at + 1) <= at}
            for group in (one, other)
        ]
        apart = any((a in one and b in other) or (b in one and a in other) for a, b in forbidden)
        many = shareable and all(named) and len(named[0] | named[1]) > most
        holds[tie] = one is other or not (apart or many)
        if holds[tie]:
            unite(customers, left, right)
        if holds[tie] and not shareable:
            unite(people, left, right)
    return [holds[tie] for tie in ties]
