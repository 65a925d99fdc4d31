"""Relations of the engine by declaration: a name, columns with their SQL types and a meaning, written down once.

A function that leaves a table in the engine for another one names it by its `Relation`, in SQL as `FROM {NODES}`. So
whoever reads a table finds its columns, and whoever renames it finds its readers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sintonia.core.schema import Table

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True)
class Relation:
    """A table or view of the engine: its name, what a row of it is, and its columns in order, each with its SQL type.

    An `open_ended` relation has further columns, which depend on the data: the fields that records have.

    Examples
    --------
    >>> visits = Relation("visits", "one row per visit", {"visitor": "VARCHAR", "seconds": "BIGINT"})
    >>> f"SELECT SUM(seconds) FROM {visits}"
    'SELECT SUM(seconds) FROM visits'
    """

    name: str
    meaning: str
    columns: Mapping[str, str]
    open_ended: bool = False

    def __str__(self) -> str:
        """Return the name, as SQL refers to it."""
        return self.name

    @classmethod
    def of(cls, table: Table, meaning: str, name: str | None = None) -> "Relation":
        """Return the relation that has the columns of a table contract, under its name or another one."""
        return cls(name or table.name, meaning, {column.name: column.sql_type for column in table.columns})

    def no_rows(self, further: Mapping[str, str] | None = None) -> str:
        """Return the SQL of the columns, and of `further` ones of an open-ended relation, without any row.

        Examples
        --------
        >>> Relation("visits", "one row per visit", {"visitor": "VARCHAR"}).no_rows()
        'SELECT CAST(NULL AS VARCHAR) AS "visitor" WHERE false'
        """
        columns = dict(self.columns) | dict(further or {})
        parts = (f'CAST(NULL AS {sql_type}) AS "{name}"' for name, sql_type in columns.items())
        return f"SELECT {', '.join(parts)} WHERE false"

    def create_table(
        self,
        connection: "DuckDBPyConnection",
        query: str,
        parameters: Sequence[object] | None = None,
        *,
        temporary: bool = True,
    ) -> None:
        """Fill the relation with the rows of a query; what it held before is gone.

        The engine does not compress a temporary table, which costs half as much time.
        """
        kind = "TEMP TABLE" if temporary else "TABLE"
        connection.execute(f"CREATE OR REPLACE {kind} {self.name} AS {query}", parameters)

    def create_view(self, connection: "DuckDBPyConnection", query: str) -> None:
        """Make the relation a view of a query, which is read anew by whoever reads the relation."""
        connection.execute(f"CREATE OR REPLACE TEMP VIEW {self.name} AS {query}")

    def copy(self, connection: "DuckDBPyConnection", table: "pa.Table", columns: str = "*") -> None:
        """Fill the relation with a copy of a table, of which SQL chooses the columns."""
        connection.register("copied", table)
        self.create_table(connection, f"SELECT {columns} FROM copied")
        connection.unregister("copied")

    def register(self, connection: "DuckDBPyConnection", table: "pa.Table") -> None:
        """Make the relation a view of a table in memory, which is not copied."""
        connection.register(self.name, table)

    def unregister(self, connection: "DuckDBPyConnection") -> None:
        """Forget the table in memory that `register` showed."""
        connection.unregister(self.name)

    def drop(self, connection: "DuckDBPyConnection") -> None:
        """Drop the table."""
        connection.execute(f"DROP TABLE {self.name}")

    def created_columns(self, connection: "DuckDBPyConnection") -> dict[str, str]:
        """Return the columns that the relation has in the engine now, in order, each with its SQL type."""
        rows = connection.execute(f"DESCRIBE {self.name}").fetchall()
        return {name: sql_type for name, sql_type, *_ in rows}
