"""SQL expressions over one row of the interactions, worked out on arrays of rows, null as SQL has it.

The language is the mapping's (parsed by sqlglot, DuckDB's dialect), cut down to what needs one row only:
numbers, comparisons, truth, CASE, COALESCE, rounding. Division by nothing is null.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from sintonia.errors import ConfigError
from sintonia.features.cells import Cells
from sintonia.features.compiling import Compiler, Rows

if TYPE_CHECKING:
    from sqlglot import exp


ROW_OF = {"measure": "interaction"}
"""What one row is, by what an expression is of; else a customer."""


@lru_cache(maxsize=4096)
def parse(sql: str, what: str = "measure") -> "exp.Expr":
    """Return the expression's tree; `what` it is of, an error says.

    Raises
    ------
    ConfigError
        When it is not one SQL expression over one row.
    """
    import sqlglot
    from sqlglot.errors import SqlglotError

    try:
        return sqlglot.parse_one(sql, dialect="duckdb")
    except SqlglotError:
        raise ConfigError(
            f"Cannot read the {what} {sql!r} as an SQL expression over one {ROW_OF.get(what, 'customer')}."
        ) from None


@lru_cache(maxsize=4096)
def names(sql: str, what: str = "measure") -> tuple[str, ...]:
    """Return the names of the columns an expression reads, each once.

    Examples
    --------
    >>> names("discount > 0 AND kind = 'purchase'")
    ('discount', 'kind')
    """
    from sqlglot import exp

    if sql.isidentifier():
        return (sql,)
    return tuple(dict.fromkeys(sorted(column.name for column in parse(sql, what).find_all(exp.Column))))


@lru_cache(maxsize=4096)
def texts_of(sql: str) -> tuple[str, ...]:
    """Return the texts an expression writes out, each once.

    Examples
    --------
    >>> texts_of("kind IN ('view', 'cart') OR channel = 'web'")
    ('cart', 'view', 'web')
    """
    from sqlglot import exp

    if sql.isidentifier():
        return ()
    literals = (one.this for one in parse(sql).find_all(exp.Literal) if one.is_string)
    return tuple(dict.fromkeys(sorted(literals)))


def evaluate(sql: str, cells: Callable[[str], Cells], what: str = "measure") -> Cells:
    """Return the expression's value at every row; `cells` gives the columns it names, `what` says what it is of.

    Raises
    ------
    ConfigError
        When it uses something that is not of one row, or compares text with numbers.
    """

    def column(name: str) -> Callable[[None], Cells]:
        return lambda _: cells(name)

    with np.errstate(all="ignore"):
        return maker(sql, column, what)(None)


def maker(
    sql: str, column: Callable[[str], Callable[[Rows], Cells]], what: str = "measure"
) -> Callable[[Rows], Cells]:
    """Return the function from rows to the expression's value; `column` gives that of each column it names.

    Call it where numpy's warnings of numbers are ignored: what is null may hold any number.

    Raises
    ------
    ConfigError
        When it uses something that is not of one row; the function, when it compares text with numbers.
    """
    if sql.isidentifier():
        return column(sql)
    return Compiler(sql, column, what).of(parse(sql, what))
