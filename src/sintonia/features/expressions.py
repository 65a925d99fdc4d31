"""SQL expressions over one row of the interactions, worked out on arrays of rows, null as SQL has it.

The language is the mapping's (parsed by sqlglot, DuckDB's dialect), cut down to what needs one row only:
numbers, comparisons, truth, CASE, COALESCE, rounding. Division by nothing is null.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from sintonia.errors import ConfigError
from sintonia.features.cells import Cells, chosen, either, or_none, or_not, renumbered
from sintonia.features.measures import Numbers

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


def evaluate(sql: str, cells: Callable[[str], Cells], what: str = "measure") -> Cells:
    """Return the expression's value at every row; `cells` gives the columns it names, `what` says what it is of.

    Raises
    ------
    ConfigError
        When it uses something that is not of one row, or compares text with numbers.
    """
    if sql.isidentifier():
        return cells(sql)
    return _Evaluation(sql, cells, what).of(parse(sql, what))


@dataclass(frozen=True)
class _Evaluation:
    sql: str
    cells: Callable[[str], Cells]
    what: str

    def of(self, node: "exp.Expr") -> Cells:
        """Return a node's value; nodes are dispatched by the name of their class."""
        make = getattr(self, f"_{type(node).__name__.lower()}", None)
        if make is not None:
            made: Cells = make(node)
            return made
        operation = _OPERATIONS.get(type(node).__name__)
        if operation is None:
            raise self._refused(node.sql("duckdb"))
        return self._numeric(operation, *(self.of(child) for child in _operands(node)))

    def _refused(self, part: str) -> ConfigError:
        return ConfigError(
            f"The {self.what} {self.sql!r} uses {part!r}, which is not understood; "
            "use arithmetic, comparisons, AND, OR, NOT, IN, BETWEEN, IS NULL, CASE, COALESCE, ROUND and ABS."
        )

    def _column(self, node: "exp.Column") -> Cells:
        return self.cells(node.name)

    def _paren(self, node: "exp.Paren") -> Cells:
        return self.of(node.this)

    def _boolean(self, node: "exp.Boolean") -> Cells:
        return Cells(np.asarray(bool(node.this)))

    def _null(self, node: "exp.Null") -> Cells:
        return _NULL

    def _literal(self, node: "exp.Literal") -> Cells:
        if node.is_string:
            return Cells(np.asarray(0), None, (node.this,))
        return Cells(np.asarray(float(node.this) if "." in node.this or "e" in node.this else int(node.this)))

    def _is(self, node: "exp.Is") -> Cells:
        from sqlglot import exp

        if not isinstance(node.expression, exp.Null):
            raise self._refused(node.sql("duckdb"))
        value = self.of(node.this)
        gone = value.gone()
        return Cells(np.zeros(np.shape(value.values), np.bool_) if gone is None else gone)

    def _not(self, node: "exp.Not") -> Cells:
        value = self._truth(self.of(node.this))
        return Cells(~value.values, value.missing)

    def _and(self, node: "exp.And") -> Cells:
        left, right = (self._truth(self.of(child)) for child in _operands(node))
        missing = either(left.missing, right.missing)
        if missing is not None:  # false wins over null
            missing = missing & (left.values | or_none(left)) & (right.values | or_none(right))
        return Cells(left.values & right.values & or_not(missing), missing)

    def _or(self, node: "exp.Or") -> Cells:
        left, right = (self._truth(self.of(child)) for child in _operands(node))
        true = (left.values & or_not(left.missing)) | (right.values & or_not(right.missing))
        missing = either(left.missing, right.missing)
        return Cells(true, None if missing is None else missing & ~true)

    def _eq(self, node: "exp.EQ") -> Cells:
        return self._compare(np.equal, self.of(node.this), self.of(node.expression))

    def _neq(self, node: "exp.NEQ") -> Cells:
        return self._compare(np.not_equal, self.of(node.this), self.of(node.expression))

    def _compare(self, how: Callable[..., Any], left: Cells, right: Cells) -> Cells:
        if left.labels is None and right.labels is None:
            return self._numeric(how, left, right)
        if left.labels is None or right.labels is None:
            raise ConfigError(f"The {self.what} {self.sql!r} compares text with a number.")
        missing = either(left.gone(), right.gone())
        return Cells(how(left.values, renumbered(right, left.labels)), missing)

    def _in(self, node: "exp.In") -> Cells:
        if not node.expressions:
            raise self._refused(node.sql("duckdb"))
        value = self.of(node.this)
        found = [self._compare(np.equal, value, self.of(one)) for one in node.expressions]
        return Cells(np.logical_or.reduce([one.values for one in found]), value.gone())

    def _between(self, node: "exp.Between") -> Cells:
        value, low, high = (self.of(node.args[part]) for part in ("this", "low", "high"))
        return self._numeric(lambda x, a, b: (x >= a) & (x <= b), value, low, high)

    def _coalesce(self, node: "exp.Coalesce") -> Cells:
        made, *others = [self.of(child) for child in (node.this, *node.expressions)]
        for other in others:
            made = chosen(made, other, ~or_none(made))
        return made

    def _case(self, node: "exp.Case") -> Cells:
        if node.this is not None:
            raise self._refused(node.sql("duckdb"))
        default = node.args.get("default")
        made = _NULL if default is None else self.of(default)
        for branch in reversed(node.args["ifs"]):
            when = self._truth(self.of(branch.this))
            made = chosen(self.of(branch.args["true"]), made, when.values & or_not(when.missing))
        return made

    def _round(self, node: "exp.Round") -> Cells:
        if node.args.get("decimals") is not None:
            raise self._refused(node.sql("duckdb"))
        return self._numeric(_to_whole(_rounded), self.of(node.this))

    def _truth(self, value: Cells) -> Cells:
        if value.labels is not None:
            raise ConfigError(f"The {self.what} {self.sql!r} takes text for a truth value.")
        return Cells(np.asarray(value.values != 0), value.missing)

    def _numeric(self, how: Callable[..., Any], *given: Cells) -> Cells:
        if any(one.labels is not None for one in given):
            raise ConfigError(f"The {self.what} {self.sql!r} takes text for a number.")
        numbers = [
            one.values.astype(np.int64) if one.values.dtype == np.bool_ else one.values for one in given
        ]
        with np.errstate(all="ignore"):
            made = np.asarray(how(*numbers))
        missing = None
        for one in given:
            missing = either(missing, one.missing)
        if how in _DIVISIONS:  # by zero is null
            missing = either(missing, np.asarray(numbers[1] == 0))
        return Cells(made, missing)


def _to_whole(how: Callable[..., Any]) -> Callable[..., Any]:
    def whole(value: Numbers) -> Numbers:
        return np.asarray(how(value)).astype(np.int64)

    return whole


def _operands(node: "exp.Expr") -> Iterator["exp.Expr"]:
    yield node.this
    if node.args.get("expression") is not None:
        yield node.expression
    yield from node.expressions


def _quotient(value: Numbers, base: Numbers) -> Numbers:
    """Return the whole quotient, towards zero as in SQL."""
    return np.asarray(np.sign(value) * np.sign(base) * (np.abs(value) // np.abs(base)))


def _rounded(value: Numbers) -> Numbers:
    """Return the nearest whole number, halves away from zero as in SQL."""
    return np.asarray(np.copysign(np.floor(np.abs(value) + 0.5), value))


_NULL = Cells(np.asarray(0), np.asarray(True))
_DIVISIONS = (np.true_divide, _quotient, np.fmod)
_OPERATIONS: dict[str, Callable[..., Any]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": np.true_divide,
    "IntDiv": _quotient,
    "Mod": np.fmod,
    "Neg": np.negative,
    "GT": np.greater,
    "GTE": np.greater_equal,
    "LT": np.less,
    "LTE": np.less_equal,
    "Abs": np.abs,
    "Floor": _to_whole(np.floor),
    "Ceil": _to_whole(np.ceil),
    "Greatest": lambda *given: np.maximum.reduce(np.broadcast_arrays(*given)),
    "Least": lambda *given: np.minimum.reduce(np.broadcast_arrays(*given)),
}
