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
        missing = None if self.missing is None else _taken(self.missing, rows)
        return Cells(_taken(self.values, rows), missing, self.labels)

    def gone(self) -> Bools | None:
        """Return which rows are missing, None when none is."""
        if self.labels is None:
            return self.missing
        return np.asarray(self.values == len(self.labels))


def _taken(values: Numbers, rows: Ints | slice) -> Numbers:
    if not values.shape:
        return values
    return np.ascontiguousarray(values[rows]) if isinstance(rows, slice) else values.take(rows)


def either(one: Bools | None, other: Bools | None) -> Bools | None:
    """Return which rows are missing in one mask or the other; None is a mask of no row."""
    if one is None or other is None:
        return other if one is None else one
    return one | other


def or_none(value: Cells) -> Bools:
    """Return which rows are missing, as an array or a scalar."""
    gone = value.gone()
    return np.asarray(False) if gone is None else gone


def or_not(missing: Bools | None) -> Bools:
    """Return which rows are there, as an array or a scalar."""
    return np.asarray(True) if missing is None else ~missing


def renumbered(value: Cells, labels: Sequence[str | None]) -> Numbers:
    """Return a text column's values as places in other labels; -1 for a text that is not among them."""
    if value.labels is labels:
        return value.values
    place = {label: i for i, label in enumerate(labels)}
    own = value.labels or ()
    return np.array([*(place.get(label, -1) for label in own), -1])[value.values]


def select_cells(one: Cells, other: Cells, when: Bools) -> Cells:
    """Return one where the mask holds, the other elsewhere."""
    if one.labels is not None or other.labels is not None:
        raise ConfigError("A measure's CASE or COALESCE gives text; compare it inside instead.")
    values = np.where(when, one.values, other.values)
    if one.missing is None and other.missing is None:
        return Cells(values)
    missing = np.where(when, or_none(one), or_none(other))
    return Cells(values, missing if missing.any() else None)


def constant(value: Numbers, labels: tuple[str, ...] | None = None) -> Callable[[Any], Cells]:
    """Return the function that gives the value at any rows."""
    made = Cells(value, None, labels)
    return lambda _: made


def both(left: Cells, right: Cells) -> Cells:
    """Return AND: false wins over null."""
    missing = either(left.missing, right.missing)
    if missing is not None:  # false wins over null
        missing = missing & (left.values | or_none(left)) & (right.values | or_none(right))
        return Cells(left.values & right.values & ~missing, missing)
    return Cells(left.values & right.values)


def one_or_both(left: Cells, right: Cells) -> Cells:
    """Return OR: true wins over null."""
    missing = either(left.missing, right.missing)
    if missing is None:
        return Cells(left.values | right.values)
    true = _sure(left) | _sure(right)
    return Cells(true, missing & ~true)


def _sure(one: Cells) -> Numbers:
    """Return where it is true, and not missing."""
    return one.values if one.missing is None else np.asarray(one.values & ~one.missing)


def within(value: Numbers, low: Numbers, high: Numbers) -> Numbers:
    """Return whether a value lies in [low, high]."""
    return np.asarray((value >= low) & (value <= high))


def to_whole(how: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function with its results as whole numbers."""

    def whole(value: Numbers) -> Numbers:
        return np.asarray(how(value)).astype(np.int64)

    return whole


def operands(node: "exp.Expr") -> Iterator["exp.Expr"]:
    """Yield the nodes an operator stands between or before."""
    yield node.this
    if node.args.get("expression") is not None:
        yield node.expression
    yield from node.expressions


def quotient(value: Numbers, base: Numbers) -> Numbers:
    """Return the whole quotient, towards zero as in SQL."""
    return np.asarray(np.sign(value) * np.sign(base) * (np.abs(value) // np.abs(base)))


def rounded(value: Numbers) -> Numbers:
    """Return the nearest whole number, halves away from zero as in SQL."""
    return np.asarray(np.copysign(np.floor(np.abs(value) + 0.5), value))


NULL = Cells(np.asarray(0), np.asarray(True))
DIVISIONS = (np.true_divide, quotient, np.fmod)
OPERATIONS: dict[str, Callable[..., Any]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": np.true_divide,
    "IntDiv": quotient,
    "Mod": np.fmod,
    "Neg": np.negative,
    "GT": np.greater,
    "GTE": np.greater_equal,
    "LT": np.less,
    "LTE": np.less_equal,
    "Abs": np.abs,
    "Floor": to_whole(np.floor),
    "Ceil": to_whole(np.ceil),
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
        make = getattr(self, f"_{type(node).__name__.lower()}", None)
        if make is not None:
            made: Callable[[Rows], Cells] = make(node)
            return made
        operation = OPERATIONS.get(type(node).__name__)
        if operation is None:
            raise self._refused(node.sql("duckdb"))
        given = [self.of(child) for child in operands(node)]
        return lambda rows: self._numeric(operation, *(one(rows) for one in given))

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
            found = value(rows)
            gone = found.gone()
            return Cells(np.zeros(np.shape(found.values), np.bool_) if gone is None else gone)

        return is_null

    def _not(self, node: "exp.Not") -> Callable[[Rows], Cells]:
        truth = self._truth(node.this)

        def negated(rows: Rows) -> Cells:
            found = truth(rows)
            return Cells(~found.values, found.missing)

        return negated

    def _and(self, node: "exp.And") -> Callable[[Rows], Cells]:
        left, right = (self._truth(child) for child in operands(node))
        return lambda rows: both(left(rows), right(rows))

    def _or(self, node: "exp.Or") -> Callable[[Rows], Cells]:
        left, right = (self._truth(child) for child in operands(node))
        return lambda rows: one_or_both(left(rows), right(rows))

    def _eq(self, node: "exp.EQ") -> Callable[[Rows], Cells]:
        left, right = self.of(node.this), self.of(node.expression)
        return lambda rows: self._compare(np.equal, left(rows), right(rows))

    def _neq(self, node: "exp.NEQ") -> Callable[[Rows], Cells]:
        left, right = self.of(node.this), self.of(node.expression)
        return lambda rows: self._compare(np.not_equal, left(rows), right(rows))

    def _compare(self, how: Callable[..., Any], left: Cells, right: Cells) -> Cells:
        if left.labels is None and right.labels is None:
            return self._numeric(how, left, right)
        if left.labels is None or right.labels is None:
            raise ConfigError(f"The {self.what} {self.sql!r} compares text with a number.")
        missing = either(left.gone(), right.gone())
        return Cells(how(left.values, renumbered(right, left.labels)), missing)

    def _in(self, node: "exp.In") -> Callable[[Rows], Cells]:
        if not node.expressions:
            raise self._refused(node.sql("duckdb"))
        value, others = self.of(node.this), [self.of(one) for one in node.expressions]

        def found(rows: Rows) -> Cells:
            one = value(rows)
            each = [self._compare(np.equal, one, other(rows)).values for other in others]
            return Cells(np.logical_or.reduce(each), one.gone())

        return found

    def _between(self, node: "exp.Between") -> Callable[[Rows], Cells]:
        value, low, high = (self.of(node.args[part]) for part in ("this", "low", "high"))
        return lambda rows: self._numeric(within, value(rows), low(rows), high(rows))

    def _coalesce(self, node: "exp.Coalesce") -> Callable[[Rows], Cells]:
        first, *others = [self.of(child) for child in (node.this, *node.expressions)]

        def coalesced(rows: Rows) -> Cells:
            made = first(rows)
            for other in others:
                made = select_cells(made, other(rows), ~or_none(made))
            return made

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
            made = otherwise(rows)
            for truth, then in branches:
                when = truth(rows)
                made = select_cells(then(rows), made, when.values & or_not(when.missing))
            return made

        return case

    def _round(self, node: "exp.Round") -> Callable[[Rows], Cells]:
        if node.args.get("decimals") is not None:
            raise self._refused(node.sql("duckdb"))
        value = self.of(node.this)
        return lambda rows: self._numeric(to_whole(rounded), value(rows))

    def _truth(self, node: "exp.Expr") -> Callable[[Rows], Cells]:
        value = self.of(node)

        def truth(rows: Rows) -> Cells:
            found = value(rows)
            if found.labels is not None:
                raise ConfigError(f"The {self.what} {self.sql!r} takes text for a truth value.")
            return found if found.values.dtype.kind == "b" else Cells(found.values != 0, found.missing)

        return truth

    def _numeric(self, how: Callable[..., Any], *given: Cells) -> Cells:
        missing, numbers = None, []
        for one in given:
            if one.labels is not None:
                raise ConfigError(f"The {self.what} {self.sql!r} takes text for a number.")
            numbers.append(one.values.astype(np.int64) if one.values.dtype.kind == "b" else one.values)
            missing = either(missing, one.missing)
        if how in DIVISIONS:  # by zero is null
            missing = either(missing, np.asarray(numbers[1] == 0))
        return Cells(np.asarray(how(*numbers)), missing)


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
