"""The kernel's own promises: exact sums, any place in time, filters of several columns."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.rows import AS_OFS, day, histories, row, table
from features.slow_terms import TERMS, slow_term
from sintonia.features.kernel.plan import plan
from sintonia.features.measures import DaysSince, Decayed, Feature, Filter, Previous, Total, Value, expression
from sintonia.features.table import compute_features

ORDER = Filter(kind="purchase", opens_thread=True)
LARGEST = 2**63 - 1
PLAN = plan([Feature("test", str(i), "", "", (term,)) for i, term in enumerate(TERMS)])


def values(rows, term, as_ofs):
    feature = Feature("test", "value", "", "", (term,))
    return compute_features(table(rows), [day(as_of) for as_of in as_ofs], [feature])[
        "test__value"
    ].to_pylist()


@pytest.mark.parametrize("known_at", [2, 4])
def test_sums_stay_exact_where_floats_and_even_running_sums_would_not(known_at):
    amounts = [LARGEST, LARGEST, -LARGEST, -LARGEST, 2**53, 1, -(2**53), -(2**63), LARGEST, 1]
    rows = [row("ann", 2, amount=amount, known_at=known_at) for amount in amounts]
    rows.insert(0, row("ann", 1))
    assert values(rows, Total(Filter(), "amount", 3), [3, 4.5, 20]) == [
        101.0 if known_at == 2 else 100.0,
        1.0,
        0.0,
    ]


def test_any_place_in_time_counts_like_a_list_of_what_is_visible():
    rows = [row("ann", 1), row("ann", 3), row("ann", 6, known_at=9), row("ann", 8)]
    as_ofs = [2, 8, 10]
    expected = {
        -1: [1, 0, 2],
        -2: [np.nan, 5, 4],
        -3: [np.nan, 7, 7],
        0: [1, 7, 9],
        1: [np.nan, 5, 7],
        2: [np.nan, 0, 4],
        3: [np.nan, np.nan, 2],
    }
    for position, days in expected.items():
        np.testing.assert_array_equal(values(rows, DaysSince(ORDER, position), as_ofs), days)


def test_rows_at_one_moment_each_have_their_place():
    rows = [row("ann", 2), row("ann", 2), row("ann", 2), row("ann", 1)]
    for position, days in {-1: 1, -2: 1, -3: 1, -4: 2, 0: 2, 3: 1}.items():
        assert values(rows, DaysSince(ORDER, position), [3]) == [days]


def test_an_earlier_value_of_an_expression_is_there_wherever_the_expression_is():
    sevenths = Previous(expression("amount // 7"), ORDER)  # a constant base: missing nowhere
    assert values([row("ann", 1, amount=70), row("ann", 2, amount=7)], Value(ORDER, sevenths), [3]) == [10]


def test_a_filter_of_channel_kind_and_thread_together():
    rows = [
        row("ann", 2, channel="web"),
        row("ann", 2, channel="web", opens_thread=False),
        row("ann", 2, channel="web", kind="view"),
        row("ann", 2, channel="app"),
    ]
    assert values(rows, Total(Filter("web", "purchase", opens_thread=True)), [3]) == [1]
    assert values(rows, Total(Filter("web", "purchase")), [3]) == [2]
    assert values(rows, Total(Filter("web", opens_thread=True)), [3]) == [2]
    assert values(rows, Total(Filter(opens_thread=True)), [3]) == [3]
    assert values(rows, Total(Filter("web", "cancel")), [3]) == [0]


def test_an_expression_of_one_text_tells_apart_the_texts_it_names_any_other_and_none():
    rows = [row("ann", 1, category=category) for category in ("tea", "jam", "", None)]
    for sql, count in {
        "category <> ''": 2,
        "category = ''": 1,
        "category NOT IN ('tea', 'figs')": 2,
        "category IS NULL": 1,
        "CASE WHEN category = 'tea' THEN 5 WHEN category = 'figs' THEN 7 ELSE 1 END = 1": 3,
    }.items():
        assert values(rows, Total(Filter(having=(sql,))), [3]) == [count], sql


def test_without_a_window_all_that_is_visible_counts_late_rows_too():
    rows = [row("ann", 1), row("ann", 2, known_at=30), row("ann", 400)]
    assert values(rows, Total(Filter()), [1, 29, 30, 399, 400]) == [1, 1, 2, 2, 3]


def test_one_customers_rows_never_count_for_another():
    rows = [row("ann", 2, amount=LARGEST), row("bob", 2, amount=7), row("cec", 2, amount=-LARGEST)]
    assert values(rows, Total(Filter(), "amount", 7), [3])[1] == 7


@settings(max_examples=60, deadline=None)
@given(histories, st.sets(st.sampled_from(AS_OFS), min_size=1), st.sampled_from([1, 500, 2**19]))
def test_every_kind_of_term_is_what_plain_python_makes_of_the_visible_rows(rows, as_ofs, cells):
    interactions = table(rows)
    found = compute_features(interactions, list(as_ofs), PLAN, cells).to_pylist()
    ordered = interactions.to_pylist()
    for one in found:
        as_of = one["as_of"]
        seen = [row for row in ordered if max(row["occurred_at"], row["known_at"]) <= as_of]
        visible = [row for row in seen if row["customer_id"] == one["customer_id"]]
        assert visible
        for i, term in enumerate(TERMS):
            expected = np.float32(slow_term(term, visible, as_of))
            exact = 1e-6 if isinstance(term, Decayed) else 0
            np.testing.assert_allclose(
                one[f"test__{i}"], expected, rtol=exact, atol=exact, err_msg=repr(term)
            )
