"""Histories on the page hold what was visible, and nothing by which a customer could be found."""

from datetime import datetime, timedelta

import pyarrow as pa

from brand import SILO
from builder import build_store
from sintonia.evaluation.groups import generation
from sintonia.review.customers import LATEST, histories, visible

AT = datetime(2026, 3, 1)


def table(moments, known=None):
    n = len(moments)
    return pa.table(
        {
            "occurred_at": pa.array(moments, pa.timestamp("us")),
            "known_at": pa.array(known or moments, pa.timestamp("us")),
            "channel": ["web"] * n,
            "kind": ["view"] * n,
            "amount": pa.array([None] * n, pa.int64()),
        }
    )


def test_what_came_later_or_was_not_yet_known_is_not_there():
    day = timedelta(days=1)
    moments = [AT - 2 * day, AT, AT + day, AT - day]
    known = [AT - 2 * day, AT, AT + day, AT + day]
    assert visible(table(moments, known), AT).days == (0, 2)


def test_the_latest_are_shown_and_the_others_counted():
    moments = [AT - timedelta(days=at) for at in range(LATEST + 7)]
    found = visible(table(moments), AT)
    assert (len(found.days), found.days[0], found.earlier) == (LATEST, 0, 7)


def test_histories_come_from_the_store_customer_by_customer(tmp_path):
    lines = ["card,at,known,row,price,kind,channel"]
    lines += [f"7,2025-01-0{day}T09:30,2025-01-0{day}T09:30,{day},12.50,purchase,store" for day in (1, 5)]
    lines += ["8,2025-01-02T10:00,2025-01-04T10:00,3,,view,web"]
    (tmp_path / "events.csv").write_text("\n".join(lines) + "\n")
    store = build_store(tmp_path, {"events": SILO})
    crosswalk = store.read_crosswalk("card").to_pylist()
    who = {row["source_key"].removeprefix("card:"): row["customer_id"] for row in crosswalk}
    at = datetime(2025, 1, 3)
    one, other = histories(store, [(who["7"], at), (who["8"], at)])
    assert (one.days, one.channel, one.kind, one.cents) == ((1,), ("store",), ("purchase",), (1250,))
    assert other.days == ()


def test_a_birth_year_tells_the_generation():
    assert [generation(text) for text in ("1990", "1990.0", "1800", "")] == [
        "millennial",
        "millennial",
        "",
        "",
    ]
