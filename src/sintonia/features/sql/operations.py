"""Columns of rows in which a value may be missing, and what nulls do to them.

What the operators of expressions do with cells: numbers with what is missing, by the rules of SQL.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

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
