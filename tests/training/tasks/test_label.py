"""Who is eligible at as_of, and what happens to whom in (as_of + gap, as_of + gap + horizon]."""

from dataclasses import replace
from datetime import datetime, timedelta

import pyarrow as pa
import pytest

from sintonia.core.config import TaskConfig
from sintonia.core.errors import ConfigError, NotEnoughDataError
from sintonia.training.tasks import (
    OUTCOME_TASKS,
    choose_categories,
    choose_positive,
    columns_read,
    define_label,
    describe,
    label_kinds,
    label_rows,
)

AS_OF = datetime(2025, 6, 1)
CHURN = TaskConfig(name="churn", active_days=30, gap_days=0, horizon_days=10)


def histories(*rows: tuple, known_later: float = 0.0) -> pa.Table:
    """Interactions as (customer, days from as_of, kind[, category, cents]), `known_later` days late; none ends."""
    rows = tuple(sorted(rows, key=lambda row: row[:2]))
    rows = tuple((*row, *(None, None)[len(row) - 3 :]) for row in rows)
    at = [AS_OF + timedelta(days=days) for _, days, *_ in rows]
    return pa.table(
        {
            "customer_id": [row[0] for row in rows],
            "occurred_at": pa.array(at, pa.timestamp("us")),
            "known_at": pa.array([moment + timedelta(days=known_later) for moment in at], pa.timestamp("us")),
            "known_until": pa.nulls(len(rows), pa.timestamp("us")),
            "kind": [row[2] for row in rows],
            "category": pa.array([row[3] for row in rows], pa.string()),
            "amount": pa.array([row[4] for row in rows], pa.int64()),
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


def ending(interactions: pa.Table, *days: float | None) -> pa.Table:
    """Return the interactions with ends, each so many days from as_of."""
    ends = [None if at is None else AS_OF + timedelta(days=at) for at in days]
    index = interactions.column_names.index("known_until")
    return interactions.set_column(index, "known_until", pa.array(ends, pa.timestamp("us")))


def test_a_row_makes_eligible_until_its_end_is_known():
    bought = histories(("a", -5, "purchase"), ("b", -5, "purchase"), ("c", -5, "purchase"))
    assert labels(ending(bought, 0, 0.001, None)) == {"b": 1, "c": 1}


def test_the_label_counts_the_newest_version_and_nothing_that_was_deleted():
    spent = histories(
        ("a", -5, "purchase", "tea", 100), ("a", 3, "purchase", "tea", 500), ("a", 3, "purchase", "tea", 700),
        ("b", -5, "purchase", "tea", 100), ("b", 3, "purchase", "tea", 500),
    )  # fmt: skip
    corrected = ending(spent, None, 20, None, None, 30)
    assert labels(corrected) == {"a": 0, "b": 1}
    assert labels(corrected, replace(CHURN, name="value")) == {"a": 700, "b": 0}


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


def test_a_contract_ends_when_it_is_cancelled_and_who_has_cancelled_is_asked_no_more():
    contract = replace(CHURN, ends_by="cancel")
    found = labels(
        histories(
            ("leaves", -5, "register"), ("leaves", 3, "cancel"),
            ("stays", -5, "purchase"),
            ("left", -5, "purchase"), ("left", -2, "cancel"),
            ("back again", -9, "purchase"), ("back again", -5, "cancel"), ("back again", -1, "register"),
        ),
        contract,
    )  # fmt: skip
    assert found == {"leaves": 1, "stays": 0, "back again": 0}
    assert describe(contract)[1] == "cancels in the 10 days after the as-of date"
    assert label_kinds(contract) == ("cancel",)


def test_a_cancellation_not_yet_known_ends_nothing():
    late = histories(("a", -3, "purchase"), ("a", -1, "cancel"), known_later=2)
    assert labels(late, replace(CHURN, ends_by="cancel")) == {"a": 0}


def test_value_adds_up_what_was_paid_less_what_was_given_back_and_is_never_negative():
    found = labels(
        histories(
            ("spends", -5, "purchase", "x", 900), ("spends", 1, "purchase", "x", 700),
            ("spends", 10, "purchase", None, 1),
            ("returns", -5, "purchase", "x", 900), ("returns", 2, "return", "x", -900),
            ("silent", -5, "purchase", "x", 900), ("silent", 11, "purchase", "x", 900),
        ),
        replace(CHURN, name="value"),
    )  # fmt: skip
    assert found == {"spends": 701, "returns": 0, "silent": 0}


BY_CATEGORY = replace(CHURN, name="category", categories=["milk", "bread"])


def test_a_task_by_category_has_a_row_for_each_of_its_categories():
    bought = histories(
        ("a", -5, "purchase", "milk"), ("a", 2, "purchase", "bread"), ("a", 2, "view", "milk"),
        ("b", -5, "purchase", None), ("b", 3, "purchase", "fish"), ("b", 4, "purchase", None),
    )  # fmt: skip
    table = label_rows(bought, [AS_OF], BY_CATEGORY)
    assert table["customer_id"].to_pylist() == ["a", "a", "b", "b"]
    assert table["category"].to_pylist() == [0, 1, 0, 1]
    assert table["label"].to_pylist() == [0, 1, 0, 0]


def test_the_categories_asked_about_are_those_most_customers_had_bought_by_then():
    config = replace(BY_CATEGORY, categories=[], top_k=2, without=["coupon"])
    bought = histories(
        ("a", -5, "purchase", "milk"), ("a", -4, "purchase", "milk"), ("a", -3, "purchase", "milk"),
        ("a", -2, "purchase", "bread"), ("b", -2, "purchase", "bread"), ("b", -2, "purchase", "coupon"),
        ("a", -2, "purchase", "coupon"), ("b", -1, "purchase", None), ("b", -1, "view", "fish"),
        ("a", 1, "purchase", "fish"), ("b", 1, "purchase", "fish"), ("b", -1, "purchase", "apples"),
    )  # fmt: skip
    assert choose_categories(config, [bought], AS_OF).categories == ["bread", "apples"]
    assert choose_categories(BY_CATEGORY, [bought], AS_OF) == BY_CATEGORY
    assert choose_categories(CHURN, [bought], AS_OF) == CHURN
    with pytest.raises(NotEnoughDataError, match="known at 2025-05-01 has a category"):
        choose_categories(config, [bought], datetime(2025, 5, 1))


@pytest.mark.parametrize("name", OUTCOME_TASKS)
def test_every_task_reads_only_the_columns_it_names(name: str):
    config = replace(BY_CATEGORY, name=name)
    bought = histories(("a", -5, "purchase", "milk", 100)).select(columns_read(config))
    assert set(label_rows(bought, [AS_OF], config)["label"].to_pylist()) <= {0, 1}


def test_rows_come_ordered_by_customer_and_date():
    table = label_rows(
        histories(("b", -1, "purchase"), ("a", -1, "purchase")), [AS_OF, AS_OF + timedelta(1)], CHURN
    )
    assert table["customer_id"].to_pylist() == ["a", "a", "b", "b"]


def test_misspelt_task_names_the_nearest():
    with pytest.raises(ConfigError, match="Unknown task 'chrun'; did you mean 'churn'"):
        describe(TaskConfig(name="chrun"))


LABEL = TaskConfig(
    name="label", active_days=36500, horizon_days=1, attribute="churn", positive=["YES", "left", "1"]
)


def attributes_of(*rows: tuple[str, str, str, float]) -> pa.Table:
    """Attributes as (customer, name, value, days from as_of)."""
    at = pa.array([AS_OF + timedelta(days=days) for *_, days in rows], pa.timestamp("us"))
    customers, names, values, _ = zip(*rows, strict=True)
    return pa.table(
        {"customer_id": customers, "name": names, "value": values, "occurred_at": at, "known_at": at}
    )


def test_the_label_of_a_table_is_an_attribute_as_it_was_known_and_unknown_where_there_is_none():
    table = histories(*((customer, 0, "register") for customer in ("ann", "bob", "cem", "dee", "eva")))
    attributes = attributes_of(
        ("ann", "churn", "Yes", 0),
        ("bob", "churn", "No", 0),
        ("bob", "tenure", "1", 0),
        ("cem", "tenure", "12", 0),
        ("dee", "churn", "yes", 0),
        ("dee", "churn", "no", -3),
        ("eva", "churn", "yes", 1),  # not known yet
        ("nobody", "churn", "yes", 0),
    )
    rows = label_rows(table, [AS_OF], LABEL, attributes=attributes)
    assert dict(zip(rows["customer_id"].to_pylist(), rows["label"].to_pylist(), strict=True)) == {
        "ann": 1, "bob": 0, "cem": -1, "dee": 1, "eva": -1,
    }  # fmt: skip
    assert set(label_rows(table, [AS_OF], LABEL)["label"].to_pylist()) == {-1}


def test_the_positive_values_become_those_that_the_label_has():
    tables = [
        attributes_of(("ann", "churn", "Yes", 0), ("bob", "churn", "No", 0)),
        attributes_of(("cem", "age", "1", 0)),
    ]
    chosen = choose_positive(LABEL, tables)
    assert chosen == replace(LABEL, positive=["Yes"])
    assert choose_positive(CHURN, tables) == CHURN
    assert describe(chosen) == ("customers of the table", "has churn Yes")
    assert define_label(chosen) == (
        "1 when the attribute churn is Yes as of the table's date, else 0; customers without it do not count."
    )


def test_a_label_that_is_not_there_or_has_one_outcome_says_what_is():
    tables = [attributes_of(("ann", "churn", "Yes", 0), ("bob", "churn", "No", 0), ("cem", "churn", "No", 0))]
    with pytest.raises(ConfigError, match=r"Unknown task\.attribute 'chrun'; did you mean 'churn'"):
        choose_positive(replace(LABEL, attribute="chrun"), tables)
    with pytest.raises(
        ConfigError,
        match=r"none of 3 values of the attribute 'churn' is positive; it has 'No' \(2\), 'Yes' \(1\)\. Give",
    ):
        choose_positive(replace(LABEL, positive=["gone"]), tables)
    with pytest.raises(ConfigError, match="all of 3 values of the attribute 'churn' are positive"):
        choose_positive(replace(LABEL, positive=["yes", "no"]), tables)


def test_a_label_needs_positive_values_and_a_name_that_is_not_a_task_of_interactions():
    with pytest.raises(ConfigError, match=r"task\.positive is empty"):
        TaskConfig(name="label", attribute="churn")
    with pytest.raises(ConfigError, match="task 'churn' reads interactions; give task=label, or a name"):
        describe(replace(LABEL, name="churn"))
    assert describe(replace(LABEL, name="leaves"))[0] == "customers of the table"
