# ruff: noqa: RUF001
"""Times as silos write them: an offset of the value's own wins, and what is not understood whole is rejected."""

from datetime import UTC, datetime, timedelta, timezone

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder import build_store
from data.sources.small import HEADER, TILL, mapped
from sintonia.core.config import SiloConfig
from sintonia.core.errors import NotEnoughDataError
from sintonia.data.sources.judge import clock_changes
from sintonia.data.sources.mapping import DateBounds
from sintonia.data.store import open_store


def at(folder, *times, zone="UTC", time_format=None, **changes):
    """Return what becomes of rows at these times."""
    rows = "".join(f'{number},C1,"{time}",purchase,1,a\n' for number, time in enumerate(times))
    return mapped(folder, HEADER + rows, time_zone=zone, time_format=time_format, **changes)


@pytest.mark.parametrize(
    ("written", "utc"),
    [
        ("2026-03-05 23:30:00 -0500", "2026-03-06 04:30"),
        ("2026-03-05 10:00:00 +0500", "2026-03-05 05:00"),
        ("2026-03-05T10:00:00+0500", "2026-03-05 05:00"),
        ("2026-03-05 10:00:00 +05:30", "2026-03-05 04:30"),
        ("2026-03-05 10:00:00 +05", "2026-03-05 05:00"),
        ("2026-03-05 10:00:00 −05:00", "2026-03-05 15:00"),
        ("2026-03-05 10:00:00 UTC", "2026-03-05 10:00"),
        ("2026-03-05 10:00:00 GMT", "2026-03-05 10:00"),
        ("2026-03-05 10:00:00 GMT+1", "2026-03-05 09:00"),
        ("2026-03-05 10:00:00 Z", "2026-03-05 10:00"),
        ("2026-03-05T10:00Z", "2026-03-05 10:00"),
        ("2026-03-05T10:00:00.000z", "2026-03-05 10:00"),
        ("2026-03-05 10:00:00 EST", "2026-03-05 15:00"),
        ("2026-06-05 10:00:00 CEST", "2026-06-05 08:00"),
        ("2025-07-05 10:00 Europe/Rome", "2025-07-05 08:00"),
        ("2026-01-05 10:00 (Europe/Rome)", "2026-01-05 09:00"),
        ("2026-03-05 10:00:00 PM", "2026-03-06 03:00"),
        ("2026-03-05 12:30:00 AM", "2026-03-05 05:30"),
        ("2026-03-05 9:00 p.m.", "2026-03-06 02:00"),
        ("2026-03-05 10:00 AM -05:00", "2026-03-05 15:00"),
        ("2026/03/05 10:00", "2026-03-05 15:00"),
        ("2026-03-05", "2026-03-05 05:00"),
    ],
)
def test_an_offset_a_zone_and_noon_are_read_however_they_are_written(tmp_path, written, utc):
    found = at(tmp_path, written, zone="America/New_York")
    assert found.column("occurred_at") == [datetime.fromisoformat(utc)]


@pytest.mark.parametrize(
    "written",
    [
        "2026-03-05 10:00:00 XYZ", "2026-03-05 10:00:00 CST", "2026-03-05 10:00 Rome/Europe", "2026-03-05 13:00 PM",
        "-2024-03-05", "2024-03-05 (BC)", "2026-03-05 10:00 or so", "2026-02-30", "2026-03-05 10:00 +25:00", "noon",
        "2026-03-05 10", "1772704800", "2026-03-05 10:00 -05:00 EST",
    ],
)  # fmt: skip
def test_what_is_not_understood_whole_is_rejected(tmp_path, written):
    found = at(tmp_path, "2026-01-01", written)
    assert found.reasons == {"time missing or not understood": 1}


@pytest.mark.parametrize(
    "written",
    ["0001-01-01T00:00:00", "1753-01-01", "1899-12-30", "1900-01-01 00:00", "1970-01-01 00:00:00Z", "1990-01-01"],
)  # fmt: skip
def test_a_day_that_stands_for_none_is_not_credible(tmp_path, written):
    assert at(tmp_path, "2026-01-01", written).reasons == {"time not credible": 1}


def test_placeholders_are_not_credible_however_far_back_the_brand_goes(tmp_path):
    bounds = DateBounds(None, datetime(2026, 7, 1), not_before=datetime(1950, 1, 1))
    times = ["1970-01-01", "1970-01-02", "1949-12-31", "1989-05-05"]
    assert at(tmp_path, *times, bounds=bounds).reasons == {"time not credible": 2}


def test_an_arrival_that_stands_for_none_is_not_credible(tmp_path):
    text = (
        "known,"
        + HEADER
        + "1970-01-01,1,C1,2026-01-02,purchase,1,a\n2026-01-03,2,C1,2026-01-02,purchase,1,a\n"
    )
    assert mapped(tmp_path, text, known_at="known").reasons == {"arrival time not credible": 1}


@pytest.mark.parametrize("written", ["05/03/2026 10:00 -0500", "05/03/2026 10:00 -05:00"])
@pytest.mark.parametrize("time_format", ["%d/%m/%Y %H:%M %z", "%d/%m/%Y %H:%M"])
def test_an_offset_is_applied_once_whether_the_format_names_it_or_not(tmp_path, written, time_format):
    found = at(tmp_path, written, "05/03/2026 10:00 Z", zone="Europe/Rome", time_format=time_format)
    assert found.column("occurred_at") == [datetime(2026, 3, 5, 15), datetime(2026, 3, 5, 10)]


def test_noon_is_read_in_a_format_of_the_silos_own(tmp_path):
    found = at(tmp_path, "05/03/2026 10:00 PM", "05/03/2026 12:10 am", time_format="%d/%m/%Y %H:%M")
    assert found.column("occurred_at") == [datetime(2026, 3, 5, 22), datetime(2026, 3, 5, 0, 10)]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Rome"])
def test_times_of_parquet_are_read_in_any_precision_and_zone(tmp_path, unit, zone):
    moment = datetime(2025, 7, 5, 10, tzinfo=UTC) if zone else datetime(2025, 7, 5, 12)
    table = {"id": ["1"], "card": ["C"], "kind": ["purchase"], "amount": [1], "cat": ["a"]}
    pq.write_table(
        pa.table({**table, "at": pa.array([moment], pa.timestamp(unit, zone))}), tmp_path / "t.parquet"
    )
    found = mapped(tmp_path, {}, path="t.parquet", format="parquet", time_zone="Europe/Rome")
    assert found.column("occurred_at") == [datetime(2025, 7, 5, 10)]


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.datetimes(datetime(1995, 1, 1), datetime(2026, 6, 1)),
            st.integers(-12 * 60, 14 * 60),
            st.sampled_from(["", " "]),
            st.sampled_from([" ", "T"]),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_any_offset_gives_the_moment_python_reads(tmp_path_factory, moments):
    times = [
        moment.replace(tzinfo=timezone(timedelta(minutes=offset))).isoformat(sep=between)[:-6]
        + gap
        + f"{'-' if offset < 0 else '+'}{abs(offset) // 60:02d}:{abs(offset) % 60:02d}"
        for moment, offset, gap, between in moments
    ]
    found = at(tmp_path_factory.mktemp("till"), *times, zone="Asia/Tokyo")
    assert found.column("occurred_at") == [
        moment - timedelta(minutes=offset) for moment, offset, _, _ in moments
    ]


def test_a_wrong_format_is_a_headline_with_the_likely_one(tmp_path):
    days = [f"{day:02d}/03/2026 10:00" for day in range(1, 29)]
    bounds = DateBounds(None, datetime(2027, 1, 1))
    found = at(tmp_path, *days, time_format="%m/%d/%Y %H:%M", bounds=bounds)
    assert found.report.rejected == 16
    assert found.report.warnings[0] == (
        "Silo 't': 57% of its rows are rejected, most as 'time missing or not understood'. "
        "time_format: '%d/%m/%Y %H:%M' would read 100% of its times."
    )


def test_a_format_missing_altogether_is_named_where_nothing_can_be_stored(tmp_path):
    (tmp_path / "t.csv").write_text(HEADER + "1,C1,25/03/2026 10:00 PM,purchase,1,a\n")
    with pytest.raises(NotEnoughDataError, match=r"time_format: '%d/%m/%Y %I:%M %p' would read 100%"):
        build_store(tmp_path, {"t": TILL})


def test_rows_that_occur_after_the_newest_arrival_are_a_headline(tmp_path):
    rows = [("2026-01-02", "02/01/2026"), ("2026-01-09", "09/01/2026"), ("2026-02-03", "02/02/2026")]
    text = "known," + HEADER
    text += "".join(f"{known},{number},C1,{day},purchase,1,a\n" for number, (known, day) in enumerate(rows))
    found = mapped(
        tmp_path,
        text,
        known_at="known",
        time_format="%m/%d/%Y",
        bounds=DateBounds(None, datetime(2027, 1, 1)),
    )
    assert "rows occurred after its newest arrival: are day and month swapped?" in found.report.warnings[0]
    right = mapped(tmp_path, text, known_at="known", time_format="%d/%m/%Y")
    assert right.report.warnings == ()


def test_hours_of_a_clock_change_are_counted_and_reported(tmp_path):
    times = [
        "2025-03-30 02:30",
        "2025-03-30 03:00",
        "2025-10-26 02:10",
        "2025-10-26 02:50",
        "2025-10-26 02:10 +0100",
    ]
    found = at(tmp_path, *times, zone="Europe/Rome")
    assert found.report.stored == 5
    assert found.report.warnings == (
        "Silo 't': 1 rows tell an hour that does not exist (clocks put forward) in Europe/Rome.",
        "Silo 't': 2 rows tell an hour that comes twice (clocks put back) in Europe/Rome.",
    )
    assert at(tmp_path, *times[:4], zone="UTC").report.warnings == ()


def test_zones_change_their_clocks_where_they_do():
    year = datetime(2025, 1, 1), datetime(2025, 12, 31)
    assert clock_changes("Asia/Tokyo", *year) == []
    assert [start.isoformat() for start, _, _ in clock_changes("America/New_York", *year)] == [
        "2025-03-09T02:00:00",
        "2025-11-02T01:00:00",
    ]


def test_a_store_that_cannot_be_read_again_never_becomes_the_current_one(tmp_path, monkeypatch):
    silo = SiloConfig(**{**TILL.__dict__, "path": "t.csv"})
    (tmp_path / "t.csv").write_text(HEADER + "1,C1,2025-01-02 10:00,purchase,1.5,a\n")
    before = build_store(tmp_path, {"t": silo})
    monkeypatch.setattr("sintonia.data.store.store.datetime", _NoDates)
    with pytest.raises(ValueError, match="no date"):
        build_store(tmp_path, {"t": silo})
    monkeypatch.undo()
    assert open_store(tmp_path / "workspace").fingerprint == before.fingerprint


class _NoDates:
    """A calendar that reads no date."""

    @staticmethod
    def fromisoformat(text: str) -> datetime:
        raise ValueError(f"no date: {text}")
