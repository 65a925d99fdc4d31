"""Survivorship, worked by hand."""

from datetime import datetime

import duckdb
import pyarrow as pa
import pytest

from sintonia.core.config import IdentityConfig
from sintonia.core.errors import ConfigError
from sintonia.data.identity.golden import golden_record

TOLD = [
    ("first_name", "Maria Grazia", 1, "crm"),
    ("first_name", "Maria", 2, "shop"),
    ("first_name", "Maria", 3, "shop"),
    ("first_name", "M.", 4, "web"),
    ("street", "Via Po 1", 1, "crm"),
    ("city", "Roma", 1, "crm"),
    ("street", "Via Adda 2", 5, "web"),
]
ADDRESS = {"address": ["street", "city"]}


def survivors(rules, told=TOLD, **options):
    columns = ("customer_id", "field", "value", "occurred_at", "source")
    rows = [("C1", field, value, datetime(2025, 1, day), source) for field, value, day, source in told]
    with duckdb.connect() as connection:
        connection.register(
            "stated_values", pa.table(dict(zip(columns, map(list, zip(*rows, strict=True)), strict=True)))
        )
        found = golden_record(connection, IdentityConfig(survivorship=rules, **options)).to_pylist()
    return {row["field"]: (row["value"], row["occurred_at"].day, row["source"]) for row in found}


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ("most_recent", ("M.", 4, "web")),
        ("most_frequent", ("Maria", 3, "shop")),
        ("source_priority", ("Maria Grazia", 1, "crm")),
        ("most_complete", ("Maria Grazia", 1, "crm")),
    ],
)
def test_each_rule_lets_its_value_survive_with_source_and_time(rule, value):
    assert survivors({"first_name": rule}, source_priority=["crm", "shop"])["first_name"] == value


def test_an_address_survives_as_a_unit():
    whole = survivors({"address": "most_complete"}, value_groups=ADDRESS)
    assert (whole["street"], whole["city"]) == (("Via Po 1", 1, "crm"), ("Roma", 1, "crm"))
    newest = survivors({"default": "most_recent"}, value_groups=ADDRESS)
    assert newest["street"] == ("Via Adda 2", 5, "web")
    assert "city" not in newest


def test_fields_apart_survive_by_themselves():
    assert survivors({})["city"] == ("Roma", 1, "crm")


def test_the_order_of_rows_changes_nothing():
    rules = {"default": "most_frequent"}
    assert survivors(rules) == survivors(rules, TOLD[::-1])


def test_a_rule_nobody_knows_is_named():
    with pytest.raises(ConfigError, match="did you mean 'most_recent'"):
        IdentityConfig(survivorship={"default": "most_recents"})
