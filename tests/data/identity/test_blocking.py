"""Candidate pairs: worked by hand, and the budget as a law."""

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from sintonia.data.identity import blocking

COLUMNS = ["first_name", "last_name", "birth_date"]


def candidates(rows, most=1000, known=None, limits=None):
    """Return the candidate pairs of (first_name, last_name, birth_date) rows, numbered from 1.

    Those with a new row alone where the first ones are `known`.
    """
    connection = duckdb.connect()
    connection.execute(
        "create table persons (person bigint, is_new boolean, first_name text, last_name text, birth_date text)"
    )
    for number, row in enumerate(rows, start=1):
        connection.execute(
            "insert into persons values (?, ?, ?, ?, ?)", [number, number > (known or 0), *row]
        )
    limits = limits or blocking.limits(connection, COLUMNS, most)
    if known is None:
        blocking.block(connection, COLUMNS, limits)
    else:
        connection.execute("create view everyone as from persons")
        blocking.block_new(connection, COLUMNS, limits)
    found = connection.execute(
        "select join_key_l, join_key_r, match_key from candidates order by 1, 2"
    ).fetchall()
    connection.close()
    return found if known is not None else [pair[:2] for pair in found]


def test_swapped_names_and_a_shared_birth_date_make_a_candidate_and_nothing_shared_none():
    rows = [
        ("isla", "hall", "1985-02-07"),
        ("hall", "isla", None),
        (None, "dean", "1985-02-07"),
        ("zoe", "quinn", "2001-11-30"),
    ]
    assert candidates(rows) == [(1, 2), (1, 3)]


def test_a_missing_value_is_no_key():
    assert candidates([(None, None, None), (None, None, None)]) == []


def test_of_a_crowd_that_shares_a_key_only_the_first_are_compared():
    rows = [*[("maria", None, None)] * 40, ("zita", None, None), ("zita", None, None)]
    assert candidates(rows, most=4) == [(1, 2), (1, 3), (2, 3), (41, 42)]


def test_only_pairs_with_a_new_record_are_made():
    rows = [("ida", None, None), ("ida", None, None), ("ugo", None, None), ("ida", None, None)]
    assert [pair[:2] for pair in candidates(rows, known=3, limits={"name": 3})] == [(1, 4), (2, 4)]


ROWS = st.lists(st.sampled_from([("a", "b", "2001-01-01"), ("a", "c", None), ("d", "b", None)]), max_size=20)


@settings(deadline=None, max_examples=8)
@given(rows=ROWS, later=ROWS)
def test_whether_two_records_are_compared_depends_on_none_after_them(rows, later):
    limits = {"name": 3, "birth_date": 4}
    before = candidates(rows, limits=limits)
    after = candidates(rows + later, limits=limits)
    assert [pair for pair in after if pair[1] <= len(rows)] == before


@settings(deadline=None, max_examples=8)
@given(rows=ROWS, later=ROWS)
def test_new_records_meet_whom_they_would_have_met_had_all_come_at_once(rows, later):
    limits = {"name": 3, "name birth_year": 3, "both_names": 4, "birth_date": 4}
    at_once = candidates(rows + later, known=0, limits=limits)
    assert candidates(rows + later, known=len(rows), limits=limits) == [
        pair for pair in at_once if pair[1] > len(rows)
    ]
    assert [pair[:2] for pair in at_once] == candidates(rows + later, limits=limits)


@settings(deadline=None, max_examples=5)
@given(
    st.lists(
        st.sampled_from([("a", "b", "2001-01-01"), ("a", "c", "2001-02-01"), ("d", "b", None)]), max_size=25
    )
)
def test_candidates_are_distinct_ordered_pairs_within_the_budget(rows):
    found = candidates(rows, most=30)
    assert len(found) <= 30
    assert len(set(found)) == len(found)
    assert all(left < right for left, right in found)
