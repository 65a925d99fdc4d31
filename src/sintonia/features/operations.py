"""What the operators of expressions do with cells: numbers with what is missing, by the rules of SQL."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from sintonia.arrays import Numbers
from sintonia.features.cells import Cells, either, or_none

if TYPE_CHECKING:
    from sqlglot import exp


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
