"""Birth dates as people, forms and spreadsheets write them."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sintonia.data.identity.standardise import read_birth_date

TODAY = date(2025, 6, 30)


@pytest.mark.parametrize(
    "written",
    [
        "1984-05-31",
        "19840531",
        "31051984",
        "31/05/1984",
        "31.5.1984",
        "5/31/1984",
        "31/5/84",
        "84-05-31",
        "1984-05-31T00:00:00",
        "31 maggio 1984",
        "31 mag 84",
        "May 31st, 1984",
        "31-May-84",
        "30833",
        "30833.0",
    ],
)
def test_one_day_is_read_whichever_way_it_was_written(written):
    assert read_birth_date(written, TODAY) == "1984-05-31"


def test_a_year_of_two_digits_is_the_latest_that_is_not_in_the_future():
    assert read_birth_date("1/2/25", TODAY) == "2025-02-01"
    assert read_birth_date("1/2/26", TODAY) == "1926-02-01"


@pytest.mark.parametrize("written", ["1900-01-01", "01/01/1970", "0000-00-00", "2025-07-01", "unknown", ""])
def test_what_a_form_fills_in_by_itself_and_the_future_are_missing(written):
    assert read_birth_date(written, TODAY) is None


def test_today_and_the_far_past_are_birth_dates():
    assert read_birth_date("2025-06-30", TODAY) == "2025-06-30"
    assert read_birth_date("1630-08-01", TODAY) == "1630-08-01"


def test_what_is_no_date_keeps_its_digits_so_that_a_slip_can_be_compared():
    assert read_birth_date("1984", TODAY) == "1984"
    assert read_birth_date("19t4-05-31", TODAY) == "19t4-05-31"
    assert read_birth_date("May 84", TODAY) == "84"
    assert read_birth_date("1984-05-35", TODAY) == "1984-05-35"


@given(st.one_of(st.text(max_size=14), st.text("0123456789/-. maygen", max_size=14)))
def test_reading_a_second_time_changes_nothing(written):
    once = read_birth_date(written, TODAY)
    assert once is None or read_birth_date(once, TODAY) == once


@given(st.dates(date(1000, 1, 1), TODAY))
def test_every_real_day_is_read_back_from_each_usual_form(day):
    expected = (
        None
        if day.isoformat() in ("1753-01-01", "1899-12-30", "1899-12-31", "1900-01-01", "1970-01-01")
        else day.isoformat()
    )
    for form in ("%Y-%m-%d", "%d/%m/%Y"):
        assert read_birth_date(day.strftime(form), TODAY) == expected
