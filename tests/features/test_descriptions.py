"""The catalogue as a document has one entry per feature, in plain values."""

import csv
import io

from sintonia.features import Feature, as_csv, feature_entries
from sintonia.features.measures import Filter, Total

ORDERS = Feature("rfm", "orders", "Orders, ever", "orders", (Total(Filter()),), why="They come again")
RECENT = Feature("rfm", "orders", "Orders in 7 days", "orders", (Total(Filter(), None, 7),), window_days=7)


def test_an_entry_says_name_family_window_unit_and_reason():
    entries = feature_entries([ORDERS, RECENT])
    assert [entry["name"] for entry in entries] == ["rfm__orders", "rfm__orders__7d"]
    assert [entry["window_days"] for entry in entries] == [None, 7]
    assert entries[0]["why"] == "They come again"


def test_a_csv_of_entries_reads_back_with_its_commas():
    rows = list(csv.DictReader(io.StringIO(as_csv(feature_entries([ORDERS, RECENT])))))
    assert [row["definition"] for row in rows] == ["Orders, ever", "Orders in 7 days"]
    assert [row["window_days"] for row in rows] == ["", "7"]
