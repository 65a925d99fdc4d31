"""Combinations recorded: what NumPy would do to arrays is written down once, to be run on any rows by compiled code.

A combination is called with `Recorded` numbers in place of arrays. Each operation gives a new one, and equal operations
on equal numbers are one, whichever feature asks for them. What cannot be recorded (a compiled function, a decision by
a value) is `UnrecordableError`, and the combination is then called with arrays, as it is.
"""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from sintonia.arrays import Numbers

F = TypeVar("F", bound=Callable[..., Any])

TRUTH, WHOLE, FRACTION = "?qd"
"""The types of numbers, by NumPy's letters."""

OPERATIONS = {
    np.add: "ADD",
    np.subtract: "SUBTRACT",
    np.multiply: "MULTIPLY",
    np.divide: "DIVIDE",
    np.floor_divide: "FLOOR_DIVIDE",
    np.negative: "NEGATIVE",
    np.maximum: "MAXIMUM",
    np.minimum: "MINIMUM",
    np.equal: "EQUAL",
    np.not_equal: "NOT_EQUAL",
    np.less: "LESS",
    np.less_equal: "LESS_EQUAL",
    np.greater: "GREATER",
    np.greater_equal: "GREATER_EQUAL",
    np.bitwise_and: "AND",
    np.bitwise_or: "OR",
    np.invert: "NOT",
    np.isnan: "IS_NAN",
    np.sqrt: "SQRT",
    np.log2: "LOG2",
}

KNOWN = {
    **dict.fromkeys(("ADD", "MULTIPLY"), WHOLE + FRACTION),
    **dict.fromkeys(("AND", "OR", "NOT"), TRUTH),
    **dict.fromkeys(("FLOOR_DIVIDE", "TIMES_LOG2"), WHOLE),
    "IS_NAN": FRACTION,
}
"""Types that operations are known of, where that is not all that NumPy knows."""


class UnrecordableError(Exception):
    """What a combination does is no operation element by element that is known here."""


class Operation(NamedTuple):
    """An operation on the numbers before it; of a term its place and of a constant its value are in `of`."""

    name: str  # one of OPERATIONS, of a function's that is an `operation`, TERM, CONSTANT, TO_FRACTION, or WHERE
    type: str  # of the result
    given: tuple[int, ...] = ()
    of: int | float = 0


class Recording:
    """The operations written down so far, each once."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self._numbers: dict[Operation, int] = {}

    def record(self, combine: Callable[..., Numbers], terms: Sequence[tuple[str, int]]) -> int:
        """Return the number of what a combination makes of terms, which are given by type and place.

        Raises
        ------
        UnrecordableError
            When it does something else than known operations; whatever a combination raises is raised.

        Examples
        --------
        >>> made = Recording()
        >>> made.record(lambda value, base: value / base, [("q", 0), ("q", 1)])
        4
        >>> [one.name for one in made.operations]
        ['TERM', 'TERM', 'TO_FRACTION', 'TO_FRACTION', 'DIVIDE']
        """
        found = combine(*(Recorded(self, self.number(Operation("TERM", kind, (), at))) for kind, at in terms))
        return self.taken(found, None)

    def number(self, operation: Operation) -> int:
        """Return an operation's number, a new one if it was not there."""
        if operation not in self._numbers:
            self._numbers[operation] = len(self.operations)
            self.operations.append(operation)
        return self._numbers[operation]

    def taken(self, value: object, letter: str | None) -> int:
        """Return the number of a value as one of a type (None: of its own)."""
        if isinstance(value, Recorded):
            if letter == FRACTION != self.operations[value.at].type:
                return self.number(Operation("TO_FRACTION", FRACTION, (value.at,)))
            return value.at
        one = _constant(value)
        letter = letter or _letter(np.result_type(one))
        made: int | float = float(one) if letter == FRACTION else int(one)
        return self.number(Operation("CONSTANT", letter, (), made))


class Recorded(NDArrayOperatorsMixin):
    """A number of every row that is not worked out yet, as NumPy's functions and operators take it."""

    def __init__(self, recording: Recording, at: int) -> None:
        self.recording, self.at = recording, at

    @property
    def dtype(self) -> "np.dtype[Any]":
        """The type that an array in its place has."""
        return np.dtype(self.recording.operations[self.at].type)

    def __array__(self, *_: object, **__: object) -> Numbers:
        """Refuse to be an array."""
        raise UnrecordableError("array")

    def __bool__(self) -> bool:
        """Refuse to be one truth."""
        raise UnrecordableError("truth")

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *given: object, **options: object) -> "Recorded":
        """Return the result of an operation of NumPy."""
        if method != "__call__" or options or ufunc not in OPERATIONS:
            raise UnrecordableError(f"{ufunc} {method}")
        name, types = OPERATIONS[ufunc], ufunc.resolve_dtypes((*map(_typed, given), None))
        return self._made(name, given, [_letter(one) for one in types])

    def __array_function__(
        self, function: object, types: object, given: Sequence[object], options: object
    ) -> "Recorded":
        """Return the result of `numpy.where`, the one function that is known."""
        if function is not np.where or len(given) != 3 or options:
            raise UnrecordableError(f"{function}")
        if _typed(given[0]) != np.bool_:
            raise UnrecordableError("where a number is")
        one = _letter(np.where(True, *map(_sample, given[1:])).dtype)
        return self._made("WHERE", given, [TRUTH, one, one, one])

    def made_one(self, name: str, given: Sequence[object]) -> "Recorded":
        """Return the fraction that an operation makes of numbers, as fractions if one of them is."""
        of = FRACTION if FRACTION in [_letter(np.result_type(_sample(one))) for one in given] else WHOLE
        return self._made(name, given, [*[of] * len(given), FRACTION])

    def _made(self, name: str, given: Sequence[object], types: Sequence[str]) -> "Recorded":
        if types[0] not in KNOWN.get(name, types[0]):
            raise UnrecordableError(f"{name} of {types}")
        of = tuple(self.recording.taken(*one) for one in zip(given, types[:-1], strict=True))
        return Recorded(self.recording, self.recording.number(Operation(name, types[-1], of)))


def operation(name: str) -> Callable[[F], F]:
    """Return a decorator of functions of arrays which are one operation when they are recorded."""

    def decorate(function: F) -> F:
        @wraps(function)
        def called(*given: Any) -> Any:  # noqa: ANN401
            recorded = next((one for one in given if isinstance(one, Recorded)), None)
            return function(*given) if recorded is None else recorded.made_one(name, given)

        return cast(F, called)

    return decorate


def _constant(value: object) -> bool | int | float:
    if isinstance(value, np.generic):
        value = value.item()
    if not isinstance(value, bool | int | float):
        raise UnrecordableError(f"{value!r}")
    return value


def _typed(value: object) -> "np.dtype[Any] | type":
    """Return what NumPy tells types by: a dtype, or Python's own of a number, which gives way."""
    if isinstance(value, Recorded | np.generic):
        return value.dtype
    kind = type(_constant(value))
    return np.dtype(bool) if kind is bool else kind


def _sample(value: object) -> Numbers | bool | int | float:
    return np.ones(1, value.dtype) if isinstance(value, Recorded) else _constant(value)


def _letter(dtype: "np.dtype[Any]") -> str:
    """Return the letter of one of the three types, whatever the platform calls its 8 bytes."""
    letter = WHOLE if dtype == np.int64 else dtype.char
    if letter not in TRUTH + WHOLE + FRACTION:
        raise UnrecordableError(f"{dtype}")
    return letter
