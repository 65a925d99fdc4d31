"""The scratch database: what it holds, and what is dropped from it."""

from sintonia.core.config import EngineConfig
from sintonia.core.engine import connect, drop_tables, fetch_row


def test_dropped_tables_are_gone_whatever_their_names_and_a_view_stays(tmp_path):
    with connect(EngineConfig(), tmp_path) as connection:
        connection.execute('CREATE TABLE "a b" AS SELECT 1 AS x')
        connection.execute("CREATE TABLE c AS SELECT 2 AS x")
        connection.execute("CREATE VIEW seen AS SELECT 3 AS x")
        drop_tables(connection)
        assert connection.execute("SELECT table_name FROM duckdb_tables()").fetchall() == []
        assert fetch_row(connection, "FROM seen") == (3,)
