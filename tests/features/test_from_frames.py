"""Histories that come as a frame are the tables of the contract."""

from datetime import datetime
from decimal import Decimal

import pandas as pd
import pytest

from sintonia.core.errors import InputError
from sintonia.features.from_frames import history_from_frame, is_history


def frame(*rows):
    return pd.DataFrame([{"customer_id": "ann", "kind": "purchase", **row} for row in rows])


def test_rows_come_in_the_order_of_the_store_and_are_known_when_they_occur():
    told = frame(
        {"occurred_at": "2025-01-02T10:00:00Z"}, {"occurred_at": "2025-01-01T12:00:00+02:00", "amount": 250}
    )
    found = history_from_frame(told)
    assert found.interactions["occurred_at"].to_pylist() == [
        datetime(2025, 1, 1, 10),
        datetime(2025, 1, 2, 10),
    ]
    assert found.interactions["known_at"].to_pylist() == found.interactions["occurred_at"].to_pylist()
    assert found.interactions["amount"].to_pylist() == [250, None]
    assert (len(found.attributes), len(found.links)) == (0, 0)


def test_the_first_row_of_a_thread_and_kind_to_be_known_opens_it():
    told = frame(
        {"occurred_at": "2025-01-01", "known_at": "2025-01-09", "thread_id": "t", "interaction_id": "late"},
        {"occurred_at": "2025-01-02", "known_at": "2025-01-02", "thread_id": "t", "interaction_id": "first"},
        {"occurred_at": "2025-01-02", "known_at": "2025-01-02", "thread_id": "t", "interaction_id": "same"},
        {"occurred_at": "2025-01-03", "known_at": "2025-01-03", "kind": "view", "interaction_id": "alone"},
    )
    found = history_from_frame(told).interactions
    opens = dict(zip(found["interaction_id"].to_pylist(), found["opens_thread"].to_pylist(), strict=True))
    assert opens == {"late": False, "first": True, "same": False, "alone": True}
    said = history_from_frame(told.assign(opens_thread=True)).interactions
    assert said["opens_thread"].to_pylist() == [True] * 4


def test_a_row_is_of_the_table_it_names():
    told = frame(
        {"occurred_at": "2025-01-01", "table": None},
        {
            "occurred_at": "2025-01-01",
            "table": "attributes",
            "name": "region",
            "value": "Lazio",
            "kind": None,
        },
        {"linked_at": "2025-01-05", "table": "links", "source": "card", "kind": None},
    )
    found = history_from_frame(told)
    assert len(found.interactions) == 1
    assert found.attributes["value"].to_pylist() == ["Lazio"]
    assert found.links["linked_at"].to_pylist() == [datetime(2025, 1, 5)]


def test_attributes_and_interactions_that_come_twice_count_once():
    told = frame(
        {"occurred_at": "2025-01-01", "interaction_id": "a", "amount": 250, "sentiment": 0.5},
        {"occurred_at": "2025-01-01", "interaction_id": "b"},
        {
            "occurred_at": "2025-01-01",
            "table": "attributes",
            "name": "region",
            "value": "Lazio",
            "kind": None,
        },
        {"occurred_at": "2025-01-01", "table": "attributes", "name": "tier", "value": "gold", "kind": None},
    )
    once, twice = history_from_frame(told), history_from_frame(pd.concat([told, told]))
    assert twice.interactions.equals(once.interactions)
    assert twice.attributes.equals(once.attributes)
    assert len(once.attributes) == 2


@pytest.mark.parametrize("missing", ["", "NaT", "nan", "None", None])
def test_known_at_may_be_missing_among_texts(missing):
    told = frame(
        {"occurred_at": "2025-01-01", "known_at": missing},
        {"occurred_at": "2025-01-02", "known_at": "2025-01-03"},
    )
    known = history_from_frame(told).interactions["known_at"].to_pylist()
    assert known == [datetime(2025, 1, 1), datetime(2025, 1, 3)]
    nothing = history_from_frame(told.assign(known_at=missing)).interactions["known_at"].to_pylist()
    assert nothing == [datetime(2025, 1, 1), datetime(2025, 1, 2)]


def test_known_at_may_be_missing_among_numbers():
    told = frame(
        {"occurred_at": 1735689600000, "known_at": None},
        {"occurred_at": 1735776000000, "known_at": 1735862400000},
    )
    found = history_from_frame(told).interactions
    assert found["occurred_at"].to_pylist() == [datetime(2025, 1, 1), datetime(2025, 1, 2)]
    assert found["known_at"].to_pylist() == [datetime(2025, 1, 1), datetime(2025, 1, 3)]


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2025-03-01T10:00:00Z", datetime(2025, 3, 1, 10)),
        ("2025-03-01T10:00:00.5Z", datetime(2025, 3, 1, 10, 0, 0, 500_000)),
        ("2025-03-01 10:00:00 UTC", datetime(2025, 3, 1, 10)),
        ("2025-03-01 10:00:00 -0500", datetime(2025, 3, 1, 15)),
        ("2025-03-01T10:00+05:30", datetime(2025, 3, 1, 4, 30)),
        (" 2025-03-01 ", datetime(2025, 3, 1)),
        ("20250301", datetime(2025, 3, 1)),
        (1740823200, datetime(2025, 3, 1, 10)),
        (1740823200.5, datetime(2025, 3, 1, 10, 0, 0, 500_000)),
        (1740823200123, datetime(2025, 3, 1, 10, 0, 0, 123_000)),
        (1740823200123456, datetime(2025, 3, 1, 10, 0, 0, 123_456)),
        (1740823200123456789, datetime(2025, 3, 1, 10, 0, 0, 123_456)),
        (Decimal("1740823200"), datetime(2025, 3, 1, 10)),
    ],
)
def test_a_time_is_read_however_it_is_written(written, moment):
    assert history_from_frame(frame({"occurred_at": written})).interactions["occurred_at"].to_pylist() == [
        moment
    ]


@pytest.mark.parametrize(
    "written",
    ["2025-03-01 10:00 PM", "01/03/2025", "10:00", "2025-02-30", "2025-03-01 10:00 CET", "-2025-03-05", "soon", "", "0",
     "202503011830", 0, -1, 12.5, 20250301, 1e300, "0001-01-01", "1900-01-01", "1970-01-01T00:00:00Z"],
)  # fmt: skip
def test_a_time_that_is_not_understood_whole_or_not_credible_is_refused(written):
    with pytest.raises(InputError) as caught:
        history_from_frame(frame({"occurred_at": written}))
    assert "\n" not in str(caught.value)
    assert "occurred_at" in str(caught.value)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"occurred_at": None}, "1 interactions have no 'occurred_at'"),
        ({"occurred_at": "yesterday"}, "'occurred_at' cannot be read as timestamp"),
        ({"occurred_at": "2025-01-01", "amount": 1.5}, "'amount' has fractions"),
        ({"occurred_at": "2025-01-01", "table": "interaction"}, "did you mean 'interactions'"),
    ],
)
def test_what_cannot_be_read_is_said(row, message):
    with pytest.raises(InputError, match=message) as caught:
        history_from_frame(frame(row))
    assert "\n" not in str(caught.value)


def test_features_are_no_history():
    assert is_history(frame({"occurred_at": "2025-01-01"}).columns)
    assert not is_history(pd.DataFrame({"customer_id": ["ann"], "rfm__orders__30d": [1.0]}).columns)


def test_versions_of_an_id_end_before_the_next_is_known_and_the_thread_has_one_opening_row():
    told = frame(
        {"occurred_at": "2025-01-01", "known_until": "2025-01-05", "thread_id": "t", "interaction_id": "a"},
        {"occurred_at": "2025-01-02", "thread_id": "t", "interaction_id": "b"},
    )
    found = history_from_frame(told).interactions
    columns = ("interaction_id", "known_at", "known_until", "opens_thread")
    day = {number: datetime(2025, 1, number) for number in (1, 2, 5)}
    assert list(zip(*(found[name].to_pylist() for name in columns), strict=True)) == [
        ("a", day[1], day[5], True),
        ("b", day[2], day[5], False),
        ("b", day[5], None, True),
    ]
    twice = {"occurred_at": "2025-01-01", "interaction_id": "a"}
    newer = twice | {"known_at": "2025-01-05"}
    versions = history_from_frame(frame(twice | {"known_until": "2025-01-05"}, newer)).interactions
    assert versions["known_at"].to_pylist() == [day[1], day[5]]
    with pytest.raises(InputError, match="appear more than once"):
        history_from_frame(frame(twice | {"known_until": "2025-01-06"}, newer))


@pytest.mark.parametrize(
    "ids",
    [
        ["7", "7.0", " 7\u00a0", "\ufeff7"],
        [7.0, 7.0, 7.0, 7.0],
        [7, 7, 7, 7],
        ["\t7", "7\u200b", "\u30007", "7,00"],
    ],
)
def test_ids_are_spelt_as_those_of_silos(ids):
    told = pd.DataFrame({"customer_id": ids, "occurred_at": "2025-01-01", "kind": "view"})
    assert set(history_from_frame(told).interactions["customer_id"].to_pylist()) == {"7"}
