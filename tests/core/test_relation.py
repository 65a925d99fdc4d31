"""Declared relations: created, read by name, described."""

import duckdb
import pyarrow as pa
import pytest

from sintonia.core.relation import Relation
from sintonia.core.schema import MERGES

VISITS = Relation("visits", "one row per visit", {"visitor": "VARCHAR", "seconds": "BIGINT"})


@pytest.fixture
def connection():
    with duckdb.connect() as connection:
        yield connection


def test_a_created_table_is_read_by_its_relation_and_replaced_by_the_next(connection):
    VISITS.create_table(connection, "SELECT 'ann' AS visitor, 3::BIGINT AS seconds")
    VISITS.create_table(connection, "SELECT ? AS visitor, 5::BIGINT AS seconds", ["bob"])
    assert connection.execute(f"FROM {VISITS}").fetchall() == [("bob", 5)]


def test_without_rows_a_relation_has_the_columns_it_declares(connection):
    VISITS.create_table(connection, VISITS.no_rows())
    assert VISITS.created_columns(connection) == VISITS.columns
    assert connection.execute(f"FROM {VISITS}").fetchall() == []


def test_further_columns_follow_those_declared(connection):
    VISITS.create_table(connection, VISITS.no_rows({"page": "VARCHAR"}))
    assert list(VISITS.created_columns(connection)) == ["visitor", "seconds", "page"]


def test_a_view_is_read_anew_and_a_copy_is_not(connection):
    connection.execute("CREATE TABLE log AS SELECT 'ann' AS visitor, 3::BIGINT AS seconds")
    VISITS.create_view(connection, "FROM log")
    copy = Relation("visits_then", "one row per visit", VISITS.columns)
    copy.copy(connection, connection.sql("FROM log").to_arrow_table(), "* REPLACE (seconds + 1 AS seconds)")
    connection.execute("UPDATE log SET seconds = 9")
    assert connection.execute(f"SELECT seconds FROM {VISITS}").fetchall() == [(9,)]
    assert connection.execute(f"SELECT seconds FROM {copy}").fetchall() == [(4,)]


def test_a_table_in_memory_and_a_dropped_one_are_gone_afterwards(connection):
    VISITS.register(connection, pa.table({"visitor": ["ann"], "seconds": [3]}))
    assert connection.execute(f"FROM {VISITS}").fetchall() == [("ann", 3)]
    VISITS.unregister(connection)
    VISITS.create_table(connection, VISITS.no_rows())
    VISITS.drop(connection)
    with pytest.raises(duckdb.CatalogException):
        connection.execute(f"FROM {VISITS}")


def test_the_relation_of_a_contract_has_its_columns_and_its_name_or_another():
    merges = Relation.of(MERGES, "a merged customer")
    assert str(merges) == str(MERGES) == "merges"
    assert tuple(merges.columns) == MERGES.names
    assert str(Relation.of(MERGES, "a merged customer", "before_merges")) == "before_merges"


def test_a_table_that_stays_is_none_of_the_temporary_ones(connection):
    VISITS.create_table(connection, VISITS.no_rows(), temporary=False)
    assert connection.execute("SELECT table_name, temporary FROM duckdb_tables()").fetchall() == [
        ("visits", False)
    ]
