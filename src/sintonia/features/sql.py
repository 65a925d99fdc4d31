"""SQL expressions over one row of the interactions, evaluated on arrays of rows with SQL's nulls.

The language is that of the source mappings (parsed by sqlglot in DuckDB's dialect), limited to what one row needs:
numbers, comparisons, truth values, CASE, COALESCE and rounding. Division by zero is null.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import numpy as np

from sintonia.core.arrays import Bools, Ints, Numbers
from sintonia.core.errors import ConfigError

if TYPE_CHECKING:
    from sqlglot import exp


class Cells(NamedTuple):
    """A column of rows: numbers with a mask of those that are missing (None: none is), or numbered texts.

    With `labels`, values are places in them, and the number after the last is a missing text. What is one value of
    no axis is the same at every row.
    """

    values: Numbers
    missing: Bools | None = None
    labels: Sequence[str | None] | None = None

    def take(self, rows: Ints | slice) -> "Cells":
        """Return these rows of the column."""
        missing = None if self.missing is None else _take_rows(self.missing, rows)
        return Cells(_take_rows(self.values, rows), missing, self.labels)

    def gone(self) -> Bools | None:
        """Return which rows are missing, None when none is."""
        if self.labels is None:
            return self.missing
        return np.asarray(self.values == len(self.labels))


def _take_rows(values: Numbers, rows: Ints | slice) -> Numbers:
    if not values.shape:
        return values
    return np.ascontiguousarray(values[rows]) if isinstance(rows, slice) else values.take(rows)


def union_masks(first: Bools | None, second: Bools | None) -> Bools | None:
    """Return which rows are missing in one mask or the other; None is a mask of no row."""
    if first is None or second is None:
        return second if first is None else first
    return first | second


def missing_mask(value: Cells) -> Bools:
    """Return which rows are missing, as an array or a scalar."""
    missing = value.gone()
    return np.asarray(False) if missing is None else missing


def present_mask(missing: Bools | None) -> Bools:
    """Return which rows are there, as an array or a scalar."""
    return np.asarray(True) if missing is None else ~missing


def recode_labels(value: Cells, labels: Sequence[str | None]) -> Numbers:
    """Return a text column's values as places in other labels; -1 for a text that is not among them."""
    if value.labels is labels:
        return value.values
    index = {label: i for i, label in enumerate(labels)}
    own = value.labels or ()
    return np.array([*(index.get(label, -1) for label in own), -1])[value.values]


def select_cells(then: Cells, otherwise: Cells, condition: Bools) -> Cells:
    """Return one where the mask holds, the other elsewhere."""
    if then.labels is not None or otherwise.labels is not None:
        raise ConfigError("A measure's CASE or COALESCE gives text; compare it inside instead.")
    values = np.where(condition, then.values, otherwise.values)
    if then.missing is None and otherwise.missing is None:
        return Cells(values)
    missing = np.where(condition, missing_mask(then), missing_mask(otherwise))
    return Cells(values, missing if missing.any() else None)


def constant(value: Numbers, labels: tuple[str, ...] | None = None) -> Callable[[Any], Cells]:
    """Return the function that gives the value at any rows."""
    cells = Cells(value, None, labels)
    return lambda _: cells


def logical_and(left: Cells, right: Cells) -> Cells:
    """Return AND: false wins over null."""
    missing = union_masks(left.missing, right.missing)
    if missing is not None:  # false wins over null
        missing = missing & (left.values | missing_mask(left)) & (right.values | missing_mask(right))
        return Cells(left.values & right.values & ~missing, missing)
    return Cells(left.values & right.values)


def logical_or(left: Cells, right: Cells) -> Cells:
    """Return OR: true wins over null."""
    missing = union_masks(left.missing, right.missing)
    if missing is None:
        return Cells(left.values | right.values)
    true = _known_true(left) | _known_true(right)
    return Cells(true, missing & ~true)


def _known_true(cells: Cells) -> Numbers:
    """Return where it is true, and not missing."""
    return cells.values if cells.missing is None else np.asarray(cells.values & ~cells.missing)


def between(value: Numbers, low: Numbers, high: Numbers) -> Numbers:
    """Return whether a value lies in [low, high]."""
    return np.asarray((value >= low) & (value <= high))


def to_integer(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function with its results as whole numbers."""

    def as_integer(value: Numbers) -> Numbers:
        return np.asarray(function(value)).astype(np.int64)

    return as_integer


def operands(node: "exp.Expr") -> Iterator["exp.Expr"]:
    """Yield the nodes an operator stands between or before."""
    yield node.this
    if node.args.get("expression") is not None:
        yield node.expression
    yield from node.expressions


def integer_quotient(value: Numbers, base: Numbers) -> Numbers:
    """Return the whole quotient, towards zero as in SQL."""
    return np.asarray(np.sign(value) * np.sign(base) * (np.abs(value) // np.abs(base)))


def round_half_away(value: Numbers) -> Numbers:
    """Return the nearest whole number, halves away from zero as in SQL."""
    return np.asarray(np.copysign(np.floor(np.abs(value) + 0.5), value))


NULL = Cells(np.asarray(0), np.asarray(True))
DIVISIONS = (np.true_divide, integer_quotient, np.fmod)
OPERATIONS: dict[str, Callable[..., Any]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": np.true_divide,
    "IntDiv": integer_quotient,
    "Mod": np.fmod,
    "Neg": np.negative,
    "GT": np.greater,
    "GTE": np.greater_equal,
    "LT": np.less,
    "LTE": np.less_equal,
    "Abs": np.abs,
    "Floor": to_integer(np.floor),
    "Ceil": to_integer(np.ceil),
    "Greatest": lambda *given: np.maximum.reduce(np.broadcast_arrays(*given)),
    "Least": lambda *given: np.minimum.reduce(np.broadcast_arrays(*given)),
}


Rows = TypeVar("Rows")


class Compiler(Generic[Rows]):
    """Functions from rows to the value of an expression's nodes, dispatched by the name of a node's class."""

    def __init__(self, sql: str, column: Callable[[str], Callable[[Rows], Cells]], what: str) -> None:
        self.sql, self.column, self.what = sql, column, what

    def of(self, node: "exp.Expr") -> Callable[[Rows], Cells]:
        """Return a node's function."""
        method = getattr(self, f"_{type(node).__name__.lower()}", None)
        if method is not None:
            compiled: Callable[[Rows], Cells] = method(node)
            return compiled
        operation = OPERATIONS.get(type(node).__name__)
        if operation is None:
            raise self._refused(node.sql("duckdb"))
        arguments = [self.of(child) for child in operands(node)]
        return lambda rows: self._numeric(operation, *(argument(rows) for argument in arguments))

    def _refused(self, part: str) -> ConfigError:
        return ConfigError(
            f"The {self.what} {self.sql!r} uses {part!r}, which is not understood; "
            "use arithmetic, comparisons, AND, OR, NOT, IN, BETWEEN, IS NULL, CASE, COALESCE, ROUND and ABS."
        )

    def _column(self, node: "exp.Column") -> Callable[[Rows], Cells]:
        return self.column(node.name)

    def _paren(self, node: "exp.Paren") -> Callable[[Rows], Cells]:
        return self.of(node.this)

    def _boolean(self, node: "exp.Boolean") -> Callable[[Rows], Cells]:
        return constant(np.asarray(bool(node.this)))

    def _null(self, node: "exp.Null") -> Callable[[Rows], Cells]:
        return lambda _: NULL

    def _literal(self, node: "exp.Literal") -> Callable[[Rows], Cells]:
        text = node.this
        if node.is_string:
            return constant(np.asarray(0), (text,))
        return constant(np.asarray(float(text) if "." in text or "e" in text else int(text)))

    def _is(self, node: "exp.Is") -> Callable[[Rows], Cells]:
        from sqlglot import exp

        if not isinstance(node.expression, exp.Null):
            raise self._refused(node.sql("duckdb"))
        value = self.of(node.this)

        def is_null(rows: Rows) -> Cells:
            cells = value(rows)
            missing = cells.gone()
            return Cells(np.zeros(np.shape(cells.values), np.bool_) if missing is None else missing)

        return is_null

    def _not(self, node: "exp.Not") -> Callable[[Rows], Cells]:
        truth = self._truth(node.this)

        def negated(rows: Rows) -> Cells:
            cells = truth(rows)
            return Cells(~cells.values, cells.missing)

        return negated

    def _and(self, node: "exp.And") -> Callable[[Rows], Cells]:
        left, right = (self._truth(child) for child in operands(node))
        return lambda rows: logical_and(left(rows), right(rows))

    def _or(self, node: "exp.Or") -> Callable[[Rows], Cells]:
        left, right = (self._truth(child) for child in operands(node))
        return lambda rows: logical_or(left(rows), right(rows))

    def _eq(self, node: "exp.EQ") -> Callable[[Rows], Cells]:
        left, right = self.of(node.this), self.of(node.expression)
        return lambda rows: self._compare(np.equal, left(rows), right(rows))

    def _neq(self, node: "exp.NEQ") -> Callable[[Rows], Cells]:
        left, right = self.of(node.this), self.of(node.expression)
        return lambda rows: self._compare(np.not_equal, left(rows), right(rows))

    def _compare(self, function: Callable[..., Any], left: Cells, right: Cells) -> Cells:
        if left.labels is None and right.labels is None:
            return self._numeric(function, left, right)
        if left.labels is None or right.labels is None:
            raise ConfigError(f"The {self.what} {self.sql!r} compares text with a number.")
        missing = union_masks(left.gone(), right.gone())
        return Cells(function(left.values, recode_labels(right, left.labels)), missing)

    def _in(self, node: "exp.In") -> Callable[[Rows], Cells]:
        if not node.expressions:
            raise self._refused(node.sql("duckdb"))
        value, options = self.of(node.this), [self.of(cells) for cells in node.expressions]

        def is_in(rows: Rows) -> Cells:
            cells = value(rows)
            matches = [self._compare(np.equal, cells, option(rows)).values for option in options]
            return Cells(np.logical_or.reduce(matches), cells.gone())

        return is_in

    def _between(self, node: "exp.Between") -> Callable[[Rows], Cells]:
        value, low, high = (self.of(node.args[part]) for part in ("this", "low", "high"))
        return lambda rows: self._numeric(between, value(rows), low(rows), high(rows))

    def _coalesce(self, node: "exp.Coalesce") -> Callable[[Rows], Cells]:
        first, *alternatives = [self.of(child) for child in (node.this, *node.expressions)]

        def coalesced(rows: Rows) -> Cells:
            result = first(rows)
            for alternative in alternatives:
                result = select_cells(result, alternative(rows), ~missing_mask(result))
            return result

        return coalesced

    def _case(self, node: "exp.Case") -> Callable[[Rows], Cells]:
        if node.this is not None:
            raise self._refused(node.sql("duckdb"))
        default = node.args.get("default")
        otherwise = (lambda _: NULL) if default is None else self.of(default)
        branches = [
            (self._truth(branch.this), self.of(branch.args["true"])) for branch in reversed(node.args["ifs"])
        ]

        def case(rows: Rows) -> Cells:
            result = otherwise(rows)
            for truth, then in branches:
                when = truth(rows)
                result = select_cells(then(rows), result, when.values & present_mask(when.missing))
            return result

        return case

    def _round(self, node: "exp.Round") -> Callable[[Rows], Cells]:
        if node.args.get("decimals") is not None:
            raise self._refused(node.sql("duckdb"))
        value = self.of(node.this)
        return lambda rows: self._numeric(to_integer(round_half_away), value(rows))

    def _truth(self, node: "exp.Expr") -> Callable[[Rows], Cells]:
        value = self.of(node)

        def truth(rows: Rows) -> Cells:
            cells = value(rows)
            if cells.labels is not None:
                raise ConfigError(f"The {self.what} {self.sql!r} takes text for a truth value.")
            return cells if cells.values.dtype.kind == "b" else Cells(cells.values != 0, cells.missing)

        return truth

    def _numeric(self, function: Callable[..., Any], *arguments: Cells) -> Cells:
        missing, numbers = None, []
        for cells in arguments:
            if cells.labels is not None:
                raise ConfigError(f"The {self.what} {self.sql!r} takes text for a number.")
            numbers.append(cells.values.astype(np.int64) if cells.values.dtype.kind == "b" else cells.values)
            missing = union_masks(missing, cells.missing)
        if function in DIVISIONS:  # by zero is null
            missing = union_masks(missing, np.asarray(numbers[1] == 0))
        return Cells(np.asarray(function(*numbers)), missing)


ROW_NAMES = {"measure": "interaction"}
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
            f"Cannot read the {what} {sql!r} as an SQL expression over one {ROW_NAMES.get(what, 'customer')}."
        ) from None


@lru_cache(maxsize=4096)
def column_names_of(sql: str, what: str = "measure") -> tuple[str, ...]:
    """Return the names of the columns an expression reads, each once.

    Examples
    --------
    >>> column_names_of("discount > 0 AND kind = 'purchase'")
    ('discount', 'kind')
    """
    from sqlglot import exp

    if sql.isidentifier():
        return (sql,)
    return tuple(dict.fromkeys(sorted(column.name for column in parse(sql, what).find_all(exp.Column))))


@lru_cache(maxsize=4096)
def literals_of(sql: str) -> tuple[str, ...]:
    """Return the texts an expression writes out, each once.

    Examples
    --------
    >>> literals_of("kind IN ('view', 'cart') OR channel = 'web'")
    ('cart', 'view', 'web')
    """
    from sqlglot import exp

    if sql.isidentifier():
        return ()
    literals = (literal.this for literal in parse(sql).find_all(exp.Literal) if literal.is_string)
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
        return compile_expression(sql, column, what)(None)


def compile_expression(
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
