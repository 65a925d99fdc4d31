"""Of the visible rows of a thread and kind exactly one opens it, whatever ended."""

from datetime import datetime, timedelta

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from sintonia.core.schema import INTERACTIONS
from sintonia.core.visibility import interactions_query, visible_at, visible_rows
from sintonia.data.store.threads import threads_query

MIDNIGHT = datetime(2025, 3, 1)


def day(number):
    return None if number is None else MIDNIGHT + timedelta(days=number)


def opened(rows, versions=True):
    """Return rows (id, thread, known_at, known_until in days) of one customer as the store has them."""
    names = ("interaction_id", "thread_id", "known_at", "known_until")
    typed = [
        dict(zip(names, (name, thread, day(known), day(until)), strict=True))
        | {"customer_id": "c", "occurred_at": day(0), "kind": "purchase", "channel": "store"}
        for name, thread, known, until in rows
    ]
    with duckdb.connect() as connection:
        connection.register("told", pa.Table.from_pylist(typed, schema=INTERACTIONS.arrow()))
        return connection.sql(threads_query("told", versions)).to_arrow_table()


def pieces(table):
    names = ("interaction_id", "known_at", "known_until", "opens_thread")
    return [tuple(row[name] for name in names) for row in table.to_pylist()]


def test_the_first_row_to_become_visible_opens_its_thread():
    rows = [("a", "order", 1, None), ("b", "order", 0, None), ("c", None, 2, None)]
    expected = [("a", day(1), None, False), ("b", day(0), None, True), ("c", day(2), None, True)]
    assert pieces(opened(rows)) == pieces(opened(rows, versions=False)) == expected


def test_a_newer_version_of_the_opening_row_goes_on_opening_the_thread():
    rows = [("a", "order", 0, 5), ("a", "order", 5, None), ("b", "order", 1, None)]
    assert pieces(opened(rows)) == [
        ("a", day(0), day(5), True),
        ("a", day(5), None, True),
        ("b", day(1), None, False),
    ]


def test_where_the_opening_row_is_deleted_the_next_one_opens_the_thread_from_then_on():
    assert pieces(opened([("a", "order", 0, 5), ("b", "order", 1, None)])) == [
        ("a", day(0), day(5), True),
        ("b", day(1), day(5), False),
        ("b", day(5), None, True),
    ]


ROWS = st.lists(
    st.tuples(st.sampled_from("xy"), st.integers(0, 6), st.none() | st.integers(1, 5)), min_size=1, max_size=8
)


@settings(max_examples=60, deadline=None)
@given(ROWS)
def test_at_any_moment_exactly_one_visible_row_opens_each_thread_and_no_row_is_lost(drawn):
    rows = [
        (f"{number}", thread, known, None if lasts is None else known + lasts)
        for number, (thread, known, lasts) in enumerate(drawn)
    ]
    table = opened(rows)
    for moment in map(day, range(13)):
        shown = table.filter(visible_rows(table, moment))
        expected = {
            name: thread
            for name, thread, known, until in rows
            if day(known) <= moment and (until is None or day(until) > moment)
        }
        assert sorted(shown["interaction_id"].to_pylist()) == sorted(expected)
        opens = [row["thread_id"] for row in shown.to_pylist() if row["opens_thread"]]
        assert sorted(opens) == sorted(set(expected.values()))


@settings(max_examples=60, deadline=None)
@given(ROWS, st.integers(0, 8))
def test_what_becomes_known_later_changes_no_row_that_is_visible_before(drawn, moment):
    rows = [
        (f"{number}", thread, known, None if lasts is None else known + lasts)
        for number, (thread, known, lasts) in enumerate(drawn)
    ]
    known_by_then = [
        (name, thread, known, until if until is not None and until <= moment else None)
        for name, thread, known, until in rows
        if known <= moment
    ]

    def visible(table):
        shown = table.filter(visible_rows(table, day(moment)))
        return shown.drop_columns(["known_at", "known_until"]).to_pylist()

    assert visible(opened(rows)) == visible(opened(known_by_then))


@settings(max_examples=40, deadline=None)
@given(ROWS, st.integers(0, 8), st.booleans())
def test_what_is_visible_is_the_same_in_sql_and_in_arrow(drawn, moment, strictly):
    rows = [
        (f"{number}", thread, known, None if lasts is None else known + lasts)
        for number, (thread, known, lasts) in enumerate(drawn)
    ]
    table = opened(rows)
    expected = table.filter(visible_rows(table, day(moment), strictly))
    with duckdb.connect() as connection:
        connection.register("told", table)
        sql = visible_at(f"TIMESTAMP '{day(moment)}'", strictly)
        found = connection.sql(f"FROM told WHERE {sql}").to_arrow_table()
    assert found.to_pylist() == expected.to_pylist()


def test_files_of_an_older_store_have_no_end(tmp_path):
    path = tmp_path / "bucket.parquet"
    table = opened([("a", "order", 1, None)])
    pq.write_table(table.drop_columns(["known_until"]), path)
    with duckdb.connect() as connection:
        found = connection.sql(interactions_query([path])).to_arrow_table()
    assert found.to_pylist() == table.to_pylist()
