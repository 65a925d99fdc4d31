"""Candidate pairs: worked by hand, and the budget as a law."""

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from sintonia.identity import blocking


def candidates(rows, most=1000):
    """Return the candidate pairs of (first_name, last_name, birth_date) rows, numbered from 1."""
    connection = duckdb.connect()
    connection.execute(
        "create table persons (person bigint, first_name text, last_name text, birth_date text)"
    )
    for number, row in enumerate(rows, start=1):
        connection.execute("insert into persons values (?, ?, ?, ?)", [number, *row])
    blocking.block(connection, ["first_name", "last_name", "birth_date"], most)
    found = connection.execute("select join_key_l, join_key_r from candidates order by 1, 2").fetchall()
    connection.close()
    return found


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


def test_a_key_that_explodes_loses_its_largest_groups_and_keeps_the_small_ones():
    crowd = [("maria", None, None)] * 40
    assert candidates([*crowd, ("zita", None, None), ("zita", None, None)], most=100) == [(41, 42)]


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
