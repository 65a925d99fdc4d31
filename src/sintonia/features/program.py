"""Programs: recorded operations put in an order of compiled steps, on as few registers as they need at once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from sintonia.arrays import Floats, Floats32, Ints
from sintonia.features.recording import FRACTION, Operation, Recording

NAMES = [
    "LOAD",
    "STORE",
    "ADD",
    "SUBTRACT",
    "MULTIPLY",
    "DIVIDE",
    "FLOOR_DIVIDE",
    "NEGATIVE",
    "MAXIMUM",
    "MINIMUM",
    "EQUAL",
    "NOT_EQUAL",
    "LESS",
    "LESS_EQUAL",
    "AND",
    "OR",
    "NOT",
    "IS_NAN",
    "SQRT",
    "LOG2",
    "WHERE",
    "TO_FRACTION",
    "RATIO",
    "TIMES_LOG2",
]
"""What a step may do. `machine.run` knows them by their places; of fractions, `FRACTIONS` is added."""

FRACTIONS = 32
TURNED = {"GREATER": "LESS", "GREATER_EQUAL": "LESS_EQUAL"}
SMALL: Floats = np.arange(2.0**12) * np.log2(np.maximum(np.arange(2.0**12), 1))
"""c log2 c of small counts c, which is looked up."""


@dataclass(frozen=True)
class Program:
    """Steps of (what, into, and up to three operands), the constants, and how many registers they need.

    Operands and what is made are whole numbers (also truths) or fractions, by what is done, in registers of that type,
    of which the first hold the constants. LOAD is of a term, STORE into a feature.
    """

    steps: Ints  # (n_steps, 5)
    constants: tuple[Ints, Floats]
    registers: tuple[int, int]

    def run(self, terms: tuple[Ints, Floats], columns: Floats32) -> None:
        """Fill the features' columns from terms of at least as many rows."""
        from sintonia.features import machine

        if len(self.steps):
            machine.run(self.steps, (*self.constants, SMALL), self.registers, terms, columns)


def program(recording: Recording, stored: Iterable[tuple[int, int]]) -> Program:
    """Return the program that stores numbers of a recording in features, given as pairs of number and feature.

    Examples
    --------
    >>> recording = Recording()
    >>> twice = recording.record(lambda term: term + term, [("q", 5)])
    >>> made = program(recording, [(twice, 3)])
    >>> [NAMES[step] for step in made.steps[:, 0]], made.steps[:, 1:].tolist(), made.registers
    (['LOAD', 'ADD', 'STORE'], [[0, 5, 0, 0], [1, 0, 0, 0], [3, 1, 0, 0]], (2, 0))
    """
    return _Writer(recording.operations, dict.fromkeys(stored)).write()


class _Writer:
    """Steps as they are written: where each number lies, and which registers are free."""

    def __init__(self, operations: Sequence[Operation], stored: Iterable[tuple[int, int]]) -> None:
        self.operations, self.stored = operations, list(stored)
        self.order = self._ordered()
        self.left = np.zeros(len(operations), np.int64)  # how often a number is still asked for
        for at in self.order:
            np.add.at(self.left, list(operations[at].given), 1)
        np.add.at(self.left, [at for at, _ in self.stored], 1)
        self.steps: list[tuple[int, ...]] = []
        self.places: dict[int, int] = {}
        self.constants: tuple[list[int | float], list[int | float]] = ([], [])
        self.free: tuple[list[int], list[int]] = ([], [])
        self.used = [0, 0]

    def write(self) -> Program:
        """Return the program."""
        for at in self.order:
            if self.operations[at].name == "CONSTANT":
                self._constant(at)
        self.used = [len(some) for some in self.constants]
        features: dict[int, list[int]] = {}
        for at, feature in self.stored:
            features.setdefault(at, []).append(feature)
        for at in self.order:
            one = self.operations[at]
            if one.name != "CONSTANT":
                self._step(at, one)
            for feature in features.get(at, ()):
                self._add("STORE", _kind(one.type), feature, [self.places[at]])
                self._let_go(at)
        constants = np.array(self.constants[0], np.int64), np.array(self.constants[1], np.float64)
        return Program(np.array(self.steps, np.int64).reshape(-1, 5), constants, (self.used[0], self.used[1]))

    def _ordered(self) -> list[int]:
        """Return the numbers that are asked for, feature by feature, each after those it is made of."""
        order: dict[int, None] = {}
        ahead = [at for at, _ in reversed(self.stored)]
        while ahead:
            missing = [one for one in self.operations[ahead[-1]].given if one not in order]
            if missing and ahead[-1] not in order:
                ahead += reversed(missing)
            else:
                order.setdefault(ahead.pop())
        return list(order)

    def _constant(self, at: int) -> None:
        kind = _kind(self.operations[at].type)
        self.places[at] = len(self.constants[kind])
        self.constants[kind].append(self.operations[at].of)

    def _step(self, at: int, one: Operation) -> None:
        given = [self.places[number] for number in one.given]
        made = _kind(one.type)
        if not self.free[made]:
            self.free[made].append(self.used[made])
            self.used[made] += 1
        self.places[at] = self.free[made].pop()
        for number in one.given:  # only now: loops that write where they read are not done on vectors
            self._let_go(number)
        if one.name == "TERM":
            self._add("LOAD", made, self.places[at], [int(one.of)])
            return
        of = 1 if one.name == "WHERE" else 0  # its first operand is a truth, whatever it chooses from
        if one.name in TURNED:
            given.reverse()
        kind = _kind(self.operations[one.given[of]].type)
        self._add(TURNED.get(one.name, one.name), kind, self.places[at], given)

    def _let_go(self, at: int) -> None:
        self.left[at] -= 1
        if not self.left[at] and self.operations[at].name != "CONSTANT":
            self.free[_kind(self.operations[at].type)].append(self.places[at])

    def _add(self, name: str, kind: int, into: int, given: Sequence[int]) -> None:
        self.steps.append((NAMES.index(name) + kind * FRACTIONS, into, *given, *[0] * (3 - len(given))))


def _kind(letter: str) -> int:
    """Return 1 for fractions and 0 for whole numbers and truths, which lie together."""
    return int(letter == FRACTION)
