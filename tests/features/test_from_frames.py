"""Histories that come as a frame are the tables of the contract."""

from datetime import datetime

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
