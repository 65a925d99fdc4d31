"""Repeat purchase days as known at a date: worked by hand, and against plain loops over random histories."""

from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.rows import AS_OFS, DAY, day, interactions, row, table
from sintonia.core.errors import InputError
from sintonia.features.clv import Repeats, concatenate, count_repeats, read_purchases

FEBRUARY, WEEK_LATER, MARCH = AS_OFS


def counted(rows, as_ofs=AS_OFS):
    """Return customer to list of (frequency, recency_days, age_days, mean_spend_cents) by as_of."""
    ids, purchases = read_purchases(table(rows))
    known = count_repeats(purchases, len(ids), as_ofs)
    columns = (known.frequency, known.recency_days, known.age_days, known.mean_spend_cents)
    stacked = np.stack(columns, axis=2)
    return {
        name: [tuple(line) for line in lines] for name, lines in zip(ids.to_pylist(), stacked, strict=True)
    }


def same(left, right):
    return left.keys() == right.keys() and all(
        np.array_equal(left[k], right[k], equal_nan=True) for k in left
    )


def test_tickets_of_one_day_are_one_purchase_day_and_its_spend_their_sum():
    rows = [
        row("a", day(2.4), amount=999),
        row("a", day(10.1), amount=300),
        row("a", day(10.9), amount=200),
        row("a", day(20), amount=100),
    ]
    assert counted(rows, [FEBRUARY]) == {"a": [(2, 18, 30, 300)]}


def test_only_purchases_count_and_who_made_none_is_not_a_number():
    rows = [row("a", day(2), "view"), row("b", day(3)), row("b", day(5), "return", amount=-100)]
    found = counted(rows, [FEBRUARY])
    assert np.isnan(found["a"]).all()
    assert found["b"] == [(0, 0, 29, 0)]


def test_purchase_known_late_moves_the_first_day_only_from_then_on():
    # January 2nd is known after the first as_of, and makes January 11th a repeat.
    rows = [row("a", day(2), known_at=day(35), amount=700), row("a", day(11), amount=400)]
    assert counted(rows) == {"a": [(0, 0, 21, 0), (1, 9, 37, 400), (1, 9, 58, 400)]}


def test_purchase_that_ends_counts_up_to_its_end():
    # January 11th is deleted before the second as_of: January 2nd stands alone from then on.
    rows = [row("a", day(2)), row("a", day(11), amount=400, known_until=day(35))]
    assert counted(rows) == {"a": [(1, 9, 30, 400), (0, 0, 37, 0), (0, 0, 58, 0)]}


def test_ticket_of_the_first_day_known_late_is_no_repeat():
    rows = [row("a", day(2)), row("a", day(2.5), known_at=day(35)), row("a", day(9), amount=50)]
    assert counted(rows) == {"a": [(1, 7, 30, 50), (1, 7, 37, 50), (1, 7, 58, 50)]}


def test_purchase_at_as_of_counts_and_one_microsecond_later_does_not():
    after = row("b", FEBRUARY.replace(microsecond=1))
    found = counted([row("a", FEBRUARY), after], [FEBRUARY])
    assert found["a"] == [(0, 0, 0, 0)]
    assert np.isnan(found["b"]).all()


def test_day_is_the_day_of_the_customers_own_clock():
    # 23:30 and 00:30 UTC are one evening in Los Angeles; an age is never below the recency.
    rows = [row("a", day(9.99), utc_offset_minutes=-480), row("a", day(10.01), utc_offset_minutes=-480)]
    assert counted(rows, [FEBRUARY]) == {"a": [(0, 0, 23, 0)]}
    ahead = [row("a", day(2)), row("a", datetime(2025, 1, 31, 23), utc_offset_minutes=780)]
    assert counted(ahead, [datetime(2025, 1, 31, 23, 30)]) == {"a": [(1, 30, 30, 100)]}


def plain(rows, as_ofs):
    """The definition, customer by customer and as_of by as_of."""
    found = {}
    for name in sorted({one["customer_id"] for one in rows}):
        found[name] = []
        for as_of in as_ofs:
            spend = {}
            for one in rows:
                seen = max(one["occurred_at"], one["known_at"]) <= as_of
                if one["customer_id"] == name and one["kind"] == "purchase" and seen:
                    clock = one["occurred_at"] + timedelta(minutes=one.get("utc_offset_minutes") or 0)
                    at = (clock - datetime(1970, 1, 1)) // DAY
                    spend[at] = spend.get(at, 0) + (one["amount"] or 0)
            days = sorted(spend)
            mean = np.mean([spend[at] for at in days[1:]]) if len(days) > 1 else 0
            age = (as_of - datetime(1970, 1, 1)) // DAY - days[0] if days else 0
            recency = days[-1] - days[0] if days else 0
            line = (len(days) - 1, recency, max(age, recency), mean) if days else (np.nan,) * 4
            found[name].append(line)
    return found


@settings(max_examples=60, deadline=None)
@given(st.lists(interactions(), min_size=1, max_size=14))
def test_repeats_equal_their_definition(rows):
    assert same(counted(rows), plain(rows, AS_OFS))


@settings(max_examples=30, deadline=None)
@given(st.lists(interactions(), min_size=1, max_size=14), st.sampled_from(range(3)))
def test_what_is_not_yet_visible_changes_nothing(rows, at):
    visible = [one for one in rows if max(one["occurred_at"], one["known_at"]) <= AS_OFS[at]]
    if visible:
        kept = {name: [lines[at]] for name, lines in counted(rows).items()}
        alone = counted(visible, [AS_OFS[at]])
        assert same({name: kept[name] for name in alone}, alone)


def test_buckets_laid_together_are_the_whole():
    rows = [row(name, day(number)) for name, number in (("a", 2), ("a", 9), ("b", 4), ("c", 5), ("c", 30))]
    ids, purchases = read_purchases(table(rows))
    whole = count_repeats(purchases, len(ids), AS_OFS)
    parts = []
    for part in (rows[:3], rows[3:]):
        ids, purchases = read_purchases(table(part))
        parts.append(count_repeats(purchases, len(ids), AS_OFS))
    together = concatenate(parts)
    for name in ("frequency", "recency_days", "age_days", "mean_spend_cents"):
        assert getattr(together, name).tobytes() == getattr(whole, name).tobytes()
    assert isinstance(together, Repeats)


def test_coded_strings_and_chunks_are_read_as_plain_ones():
    plain_table = table([row("a", day(2)), row("a", day(9)), row("b", day(3))])
    coded = plain_table.set_column(0, "customer_id", plain_table["customer_id"].dictionary_encode())
    coded = coded.set_column(coded.schema.get_field_index("kind"), "kind", coded["kind"].dictionary_encode())
    chunked = pa.concat_tables([coded.slice(0, 1), coded.slice(1)])
    ids, purchases = read_purchases(chunked)
    want_ids, want = read_purchases(plain_table)
    assert ids.to_pylist() == want_ids.to_pylist()
    assert purchases.day.tolist() == want.day.tolist()
    assert purchases.customer.tolist() == [0, 0, 1]


def test_missing_column_and_scattered_customer_are_refused():
    whole = table([row("a", day(2)), row("b", day(3)), row("b", day(4))])
    with pytest.raises(InputError, match="no column 'amount'"):
        read_purchases(whole.drop_columns(["amount"]))
    with pytest.raises(InputError, match="do not lie together"):
        read_purchases(whole.take([1, 0, 2]))
