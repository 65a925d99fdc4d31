"""Who is eligible at as_of, and what happens to whom in (as_of + gap, as_of + gap + horizon]."""

from datetime import datetime, timedelta

import pyarrow as pa
import pytest

from sintonia.config import TaskConfig
from sintonia.errors import ConfigError
from sintonia.tasks import describe, label_rows

AS_OF = datetime(2025, 6, 1)
CHURN = TaskConfig(name="churn", active_days=30, gap_days=0, horizon_days=10)


def histories(*rows: tuple[str, float, str], known_later: float = 0.0) -> pa.Table:
    """Interactions as (customer, days from as_of, kind), all known `known_later` days after they occurred."""
    rows = tuple(sorted(rows))
    at = [AS_OF + timedelta(days=days) for _, days, _ in rows]
    return pa.table(
        {
            "customer_id": [customer for customer, _, _ in rows],
            "occurred_at": pa.array(at, pa.timestamp("us")),
            "known_at": pa.array([moment + timedelta(days=known_later) for moment in at], pa.timestamp("us")),
            "kind": [kind for _, _, kind in rows],
        }
    )


def labels(interactions: pa.Table, config: TaskConfig = CHURN) -> dict[str, int]:
    table = label_rows(interactions, [AS_OF], config)
    return dict(zip(table["customer_id"].to_pylist(), table["label"].to_pylist(), strict=True))


def test_churn_is_no_purchase_in_the_horizon_of_who_bought_lately():
    found = labels(
        histories(
            ("stays", -5, "purchase"), ("stays", 3, "purchase"),
            ("lapses", -5, "purchase"), ("lapses", 3, "view"),
            ("long gone", -40, "purchase"),
            ("only looks", -5, "view"), ("only looks", 3, "purchase"),
        )
    )  # fmt: skip
    assert found == {"stays": 0, "lapses": 1}


def test_brackets_are_open_on_the_left_and_closed_on_the_right():
    at_the_edges = histories(
        ("at as_of", 0, "purchase"),
        ("at the start of active", -30, "purchase"),
        ("at the end", -1, "purchase"), ("at the end", 10, "purchase"),
        ("past the end", -1, "purchase"), ("past the end", 10.001, "purchase"),
    )  # fmt: skip
    assert labels(at_the_edges) == {"at as_of": 1, "at the end": 0, "past the end": 1}


def test_gap_moves_the_label_window():
    found = labels(
        histories(("a", -1, "purchase"), ("a", 5, "purchase"), ("b", -1, "purchase"), ("b", 12, "purchase")),
        TaskConfig(name="churn", active_days=30, gap_days=5, horizon_days=10),
    )
    assert found == {"a": 1, "b": 0}


def test_purchase_not_yet_known_makes_nobody_eligible_but_counts_in_the_label():
    assert labels(histories(("a", -1, "purchase"), known_later=2)) == {}
    late = histories(("a", -5, "purchase"), ("a", 9, "purchase"), known_later=4)
    assert labels(late) == {"a": 0}


def test_being_sent_something_makes_nobody_active():
    purchase = TaskConfig(name="purchase", active_days=30, horizon_days=10)
    found = labels(histories(("a", -1, "send"), ("b", -1, "open"), ("b", 1, "purchase")), purchase)
    assert found == {"b": 1}


def test_return_is_no_purchase():
    assert labels(histories(("a", -1, "purchase"), ("a", 1, "return"))) == {"a": 1}


def test_customer_that_merges_is_one_until_then_and_its_person_answers_for_it():
    interactions = histories(
        ("cookie", -5, "purchase"), ("person", -3, "purchase"), ("person", 4, "purchase")
    )
    merges = pa.table(
        {
            "customer_id": ["cookie"],
            "merged_into": ["person"],
            "merged_at": pa.array([AS_OF + timedelta(days=2)], pa.timestamp("us")),
        }
    )
    later = AS_OF + timedelta(days=2)
    found = label_rows(interactions, [AS_OF, later], CHURN, merges).to_pylist()
    assert [(row["customer_id"], row["as_of"], row["label"]) for row in found] == [
        ("cookie", AS_OF, 0),
        ("person", AS_OF, 0),
        ("person", later, 0),
    ]


def test_rows_come_ordered_by_customer_and_date():
    table = label_rows(
        histories(("b", -1, "purchase"), ("a", -1, "purchase")), [AS_OF, AS_OF + timedelta(1)], CHURN
    )
    assert table["customer_id"].to_pylist() == ["a", "a", "b", "b"]


def test_misspelt_task_names_the_nearest():
    with pytest.raises(ConfigError, match="Unknown task 'chrun'; did you mean 'churn'"):
        describe(TaskConfig(name="chrun"))
