"""Of an id the newest version counts, the past keeps what it knew, and what two exports bring is one row."""

from datetime import datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sintonia.core.config import EngineConfig, SiloConfig
from sintonia.core.engine import connect
from sintonia.core.errors import ConfigError
from sintonia.data.sources.mapping import DateBounds, map_silo

BOUNDS = DateBounds(until=None, today=datetime(2026, 1, 1))
EVENTS = SiloConfig(
    path="*.csv",
    identifiers={"cookie": "cookie"},
    occurred_at="at",
    known_at="arrived",
    interactions={"interaction_id": "id", "item_id": "item"},
    constants={"kind": "view", "channel": "web"},
)
PLAIN = SiloConfig(
    path="*.csv",
    identifiers={"cookie": "cookie"},
    occurred_at="at",
    interactions={"item_id": "item"},
    constants={"kind": "view", "channel": "web"},
)


def mapped(folder, silo, **files):
    """Return the silo's report, its stored rows, and the reasons of the others."""
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    with connect(EngineConfig(), folder / "workspace") as connection:
        report = map_silo(connection, "web", silo, folder, BOUNDS)
        query = "SELECT * FROM mapped_web ORDER BY _row"
        rows = connection.sql(query).to_arrow_table().to_pylist()
    for name in files:
        (folder / f"{name}.csv").unlink()
    assert report.rows == report.stored + report.rejected == len(rows)
    assert all((row["raw"] is None) == (row["reason"] is None) for row in rows)
    return report, [row for row in rows if row["reason"] is None], [row["reason"] for row in rows]


def times(row):
    return row["arrived_at"], row["known_until"]


def of(day, month=1):
    return datetime(2025, month, day)


def test_the_newest_version_by_arrival_wins_and_the_past_keeps_the_older(tmp_path):
    text = "id,cookie,at,arrived,item\n1,c,2025-01-01,2025-01-03,new\n1,c,2025-01-01,2025-01-02,old\n"
    report, rows, _ = mapped(tmp_path, EVENTS, events=text)
    assert {row["i__item_id"]: times(row) for row in rows} == {
        "old": (of(2), of(3)),
        "new": (of(3), None),
    }
    assert (report.stored, report.older_versions, dict(report.reasons)) == (2, 1, {})


def test_the_newest_version_by_updated_at_wins_and_is_known_from_then_on(tmp_path):
    silo = SiloConfig(**{**vars(EVENTS), "updated_at": "upd"})
    text = """id,cookie,at,arrived,upd,item
1,c,2025-01-01,2025-01-01,2025-01-09,new
1,c,2025-01-01,2025-01-01,2025-01-01,old
2,c,2025-01-01,2025-01-01,2025-01-09,only
"""
    _, rows, _ = mapped(tmp_path, silo, events=text)
    assert {row["i__item_id"]: times(row) for row in rows} == {
        "new": (of(9), None),
        "old": (of(1), of(9)),
        "only": (of(1), None),  # written later, but of one version nothing else is known
    }


def test_without_any_time_of_arrival_the_later_file_wins_and_the_older_version_is_reported(tmp_path):
    silo = SiloConfig(**{**vars(EVENTS), "known_at": None})
    head = "id,cookie,at,item\n"
    files = {"export_01": head + "1,c,2025-01-01,old\n", "export_02": head + "1,c,2025-01-01,new\n"}
    report, rows, reasons = mapped(tmp_path, silo, **files)
    assert [row["i__item_id"] for row in rows] == ["new"]
    assert reasons == ["older version", None]
    assert dict(report.reasons) == {"older version": 1}


def test_a_version_that_says_the_same_is_a_copy_whenever_it_comes(tmp_path):
    head = "id,cookie,at,arrived,item\n"
    files = {"a": head + "1,c,2025-01-01,2025-01-02,x\n", "b": head + "1,c,2025-01-01,2025-01-05,x\n"}
    _, rows, reasons = mapped(tmp_path, EVENTS, **files)
    assert reasons == [None, "duplicate"]
    assert times(rows[0]) == (of(2), None)


def test_a_deletion_is_no_interaction_and_ends_the_earlier_version(tmp_path):
    silo = SiloConfig(**{**vars(EVENTS), "deleted": "gone"})
    text = """id,cookie,at,arrived,gone,item
1,c,2025-01-01,2025-01-02,,x
1,,,2025-01-04,true,
2,c,2025-01-01,2025-01-02,maybe,x
,c,2025-01-01,2025-01-02,1,x
"""
    _, rows, reasons = mapped(tmp_path, silo, events=text)
    assert [times(row) for row in rows] == [(of(2), of(4))]
    assert reasons[1:] == ["deletion", "updated_at or deleted not understood", "deletion without an id"]


def test_a_row_that_comes_back_after_its_deletion_counts_again(tmp_path):
    silo = SiloConfig(**{**vars(EVENTS), "deleted": "gone"})
    text = """id,cookie,at,arrived,gone,item
1,c,2025-01-01,2025-01-02,,x
1,c,2025-01-01,2025-01-04,1,x
1,c,2025-01-01,2025-01-06,,x
"""
    _, rows, _ = mapped(tmp_path, silo, events=text)
    assert [times(row) for row in rows] == [(of(2), of(4)), (of(6), None)]


HEAD = "cookie,at,item\n"
TWO_OF_ONE_SECOND = "c,2025-01-01 10:00:00,rose\nc,2025-01-01 10:00:00,rose\n"


def test_overlapping_exports_bring_each_row_once_and_two_equal_items_of_one_basket_stay_two(tmp_path):
    january = HEAD + TWO_OF_ONE_SECOND + "c,2025-01-20,fig\n"
    february = HEAD + "c,2025-01-20,fig\n" + TWO_OF_ONE_SECOND + "c,2025-02-02,fig\n"
    report, rows, _ = mapped(tmp_path, PLAIN, january=january, february=february)
    assert sorted((row["i__item_id"], row["occurred_at"].day) for row in rows) == [
        ("fig", 2),
        ("fig", 20),
        ("rose", 1),
        ("rose", 1),
    ]
    assert (dict(report.reasons), report.identical) == ({"duplicate": 3}, 1)


@pytest.mark.parametrize(("keep", "stored"), [("versions", 2), ("distinct", 1), ("all", 4)])
def test_keep_says_what_becomes_of_identical_rows(tmp_path, keep, stored):
    silo = SiloConfig(**{**vars(PLAIN), "keep": keep})
    report, _, _ = mapped(tmp_path, silo, a=HEAD + TWO_OF_ONE_SECOND, b=HEAD + TWO_OF_ONE_SECOND)
    assert report.stored == stored


def test_all_rows_of_an_id_are_kept_under_ids_of_their_own_where_the_silo_asks_for_it(tmp_path):
    silo = SiloConfig(**{**vars(EVENTS), "keep": "all"})
    text = "id,cookie,at,arrived,item\n1,c,2025-01-01,2025-01-03,x\n1,c,2025-01-01,2025-01-02,x\n"
    _, rows, _ = mapped(tmp_path, silo, events=text)
    assert [row["i__interaction_id"] for row in rows] == ["1", "1#2"]
    assert [row["known_until"] for row in rows] == [None, None]


def test_where_a_rows_number_is_its_key_no_two_rows_are_the_same(tmp_path):
    silo = SiloConfig(**{**vars(PLAIN), "identifiers": {"client": "_row"}})
    report, rows, _ = mapped(tmp_path, silo, a=HEAD + "c,2025-01-01,x\n", b=HEAD + "c,2025-01-01,x\n")
    assert (report.stored, len(rows)) == (2, 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"deleted": "gone", "interactions": {"item_id": "item"}}, "no id that says which row is meant"),
        ({"deleted": "gone", "keep": "all"}, "keeps all rows"),
        ({"keep": "newest"}, "keep"),
    ],
)
def test_what_cannot_be_kept_is_refused_in_one_line(changes, message):
    with pytest.raises(ConfigError, match=message):
        SiloConfig(**{**vars(EVENTS), **changes})


ROWS = st.lists(
    st.tuples(
        st.sampled_from("12"),
        st.integers(1, 9),  # arrived
        st.none() | st.integers(1, 9),  # updated
        st.booleans(),  # deleted
        st.sampled_from("xy"),
    ),
    min_size=1,
    max_size=9,
)
CHANGING = SiloConfig(**{**vars(EVENTS), "updated_at": "upd", "deleted": "gone"})


def export(rows):
    lines = [
        f"{name},c,2025-01-01,{of(arrived)},{'' if updated is None else of(updated)},{int(gone)},{item}"
        for name, arrived, updated, gone, item in rows
    ]
    return "id,cookie,at,arrived,upd,gone,item\n" + "\n".join(lines) + "\n"


def known_from(rows, number):
    """Return the day from which a version is known: its arrival, and its update if another one arrived before."""
    name, arrived, updated, gone, _ = rows[number]
    first = min(
        (
            (other[1], other[2] or other[1], at)
            for at, other in enumerate(rows)
            if other[0] == name and not other[3]
        ),
        default=None,
    )
    if not gone and first is not None and first[2] == number:
        return arrived
    return max(arrived, updated or arrived)


def newest(rows, moment):
    """Return what holds at a day, by id: the item of the newest version known by then, None where it is deleted."""
    holds = {}
    for number, (name, arrived, updated, gone, item) in enumerate(rows):
        order = (updated or arrived, arrived, number)
        if known_from(rows, number) <= moment and order >= holds.get(name, (order,))[0]:
            holds[name] = (order, None if gone else item)
    return {name: item for name, (_, item) in holds.items() if item is not None}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ROWS)
def test_at_any_moment_the_newest_version_known_by_then_holds(tmp_path, rows):
    _, stored, _ = mapped(tmp_path, CHANGING, events=export(rows))
    for moment in range(1, 10):
        shown = [
            row
            for row in stored
            if row["arrived_at"] <= of(moment)
            and (row["known_until"] is None or row["known_until"] > of(moment))
        ]
        assert len(shown) == len({row["i__interaction_id"] for row in shown})
        assert {row["i__interaction_id"]: row["i__item_id"] for row in shown} == newest(rows, moment)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ROWS, ROWS, st.integers(1, 9))
def test_versions_known_later_change_nothing_of_what_was_known_before(tmp_path, rows, corrections, moment):
    both = rows + corrections
    known = [number for number in range(len(both)) if known_from(both, number) <= moment]
    if any(number >= len(rows) for number in known):
        return  # a correction that was known by then may change what was
    _, before, _ = mapped(tmp_path, CHANGING, january=export(rows))
    _, after, _ = mapped(tmp_path, CHANGING, january=export(rows), february=export(corrections))

    def visible(stored):
        return sorted(
            (row["i__interaction_id"], row["i__item_id"], row["arrived_at"])
            for row in stored
            if row["arrived_at"] <= of(moment)
            and (row["known_until"] is None or row["known_until"] > of(moment))
        )

    assert visible(after) == visible(before)
