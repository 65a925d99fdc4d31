"""Measures as SQL say what DuckDB says of the same rows, and what they cannot say is refused in words."""

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.rows import interactions, row, table
from sintonia.core.errors import ConfigError
from sintonia.features.kernel.arrow import histories
from sintonia.features.sql import column_names_of, evaluate

SAID = [
    "amount",
    "discount > 0",
    "amount + discount - 2 * quantity",
    "-amount",
    "amount // 100",
    "amount % 7",
    "amount / 7 > 100",
    "amount // quantity",
    "amount % quantity",
    "abs(amount)",
    "round(amount / 8)",
    "round(100 * sentiment)",
    "floor(3 * sentiment) + ceil(3 * sentiment)",
    "sentiment < 0 OR discount IS NULL",
    "NOT (discount > 100 AND kind = 'purchase')",
    "discount > 100 AND quantity > 0",
    "discount > 100 OR quantity > 0",
    "quantity BETWEEN 0 AND 2",
    "channel = 'web'",
    "channel <> 'web'",
    "kind IN ('view', 'send')",
    "kind NOT IN ('view', 'send') AND channel IS NOT NULL",
    "channel = kind",
    "category IS NULL",
    "coalesce(quantity, discount, -1)",
    "CASE WHEN amount < 0 THEN 1 WHEN quantity IS NULL THEN NULL ELSE 2 END",
    "CASE WHEN opens_thread THEN quantity END",
    "greatest(amount, 0)",
    "least(amount, 100)",
    "true AND amount > 1e3",
]


@settings(max_examples=15, deadline=None)
@given(st.lists(interactions(), min_size=1, max_size=30))
def test_an_expression_says_what_duckdb_says(rows):
    given_rows = table([one | {"opens_thread": bool(one["opens_thread"])} for one in rows])
    columns = [
        name for name in given_rows.column_names if name not in ("customer_id", "occurred_at", "known_at")
    ]
    _, found = histories(given_rows, columns)
    connection = duckdb.connect(config={"error_on_division_by_zero": False})
    connection.register("given_rows", given_rows)
    for sql in SAID:
        expected = [one for (one,) in connection.sql(f"SELECT ({sql})::BIGINT FROM given_rows").fetchall()]
        cells = evaluate(sql, found.cells.__getitem__)
        values = np.broadcast_to(cells.values, len(rows))
        missing = np.broadcast_to(False if cells.missing is None else cells.missing, len(rows))
        ours = [None if gone else int(value) for value, gone in zip(values, missing, strict=True)]
        assert ours == expected, sql


def test_a_division_by_nothing_is_missing():
    _, found = histories(
        table([row("ann", 1, quantity=0), row("ann", 2, quantity=2)]), ["amount", "quantity"]
    )
    assert evaluate("amount / quantity", found.cells.__getitem__).missing.tolist() == [True, False]


def test_names_are_those_of_columns_only():
    assert column_names_of("CASE WHEN kind = 'view' THEN amount ELSE round(2 * sentiment) END") == (
        "amount",
        "kind",
        "sentiment",
    )


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("amount >", "Cannot read the measure 'amount >'"),
        ("sum(amount)", "uses 'SUM.amount.', which is not understood"),
        ("amount = 'much'", "compares text with a number"),
        ("channel + 1", "takes text for a number"),
        ("channel AND true", "takes text for a truth value"),
        ("kind IN (SELECT 1)", "which is not understood"),
    ],
)
def test_what_is_no_measure_of_one_row_is_refused(sql, words):
    _, found = histories(table([row("ann", 1)]), ["amount", "channel", "kind"])
    with pytest.raises(ConfigError, match=words):
        evaluate(sql, found.cells.__getitem__)
