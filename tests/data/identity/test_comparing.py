"""Degrees of agreement, asked of DuckDB itself."""

import duckdb
import pytest

from sintonia.data.identity.comparing import comparisons


def degree(field, left, right):
    """Return the first degree that holds between two values of one field."""
    (one,) = comparisons([field])
    whens = " ".join(f"when {level.sql} then '{level.label}'" for level in one.levels)
    day = "datediff('day', date '1800-01-01', try_cast({0} as date))"
    columns = ", ".join(
        f"'{value}' as {field}_{side}, {day.format(repr(value))} as birth_day_{side}"
        for side, value in (("l", left), ("r", right))
    )
    return duckdb.sql(f"select case {whens} else 'different' end from (select {columns})").fetchall()[0][0]


@pytest.mark.parametrize(
    ("right", "label"),
    [
        ("1849-05-31", "same"),
        ("1849-05-30", "a slip, or day and month swapped"),
        ("1871-05-31", "two parts of three, or within a month"),
        ("1849-06-29", "two parts of three, or within a month"),
        ("1850-03-12", "two slips, or within a year"),
        ("1857-11-02", "within ten years"),
        ("1902-11-02", "different"),
    ],
)
def test_birth_dates_agree_by_degrees(right, label):
    assert degree("birth_date", "1849-05-31", right) == label


def test_two_years_known_without_their_days_do_not_agree_on_day_and_month():
    assert degree("birth_date", "1849-01-01", "1871-01-01") == "different"
    assert degree("birth_date", "1849-01-01", "1849-11-30") == "two slips, or within a year"


def test_brothers_share_name_home_and_birth_place_and_nothing_that_tells_them_apart():
    shared = {
        one.field for one in comparisons(["last_name", "birth_place", "first_name", "birth_date", "sex"])
    }
    personal = {one.field for one in comparisons(shared) if not one.household}
    assert personal == {"first_name", "birth_date", "sex"}
