"""The compiled machine that runs programs: every step on some rows at once, whose numbers stay near the processor."""

from math import log2, sqrt

import numpy as np

from sintonia.arrays import Array
from sintonia.compiled import compiled
from sintonia.features.program import FRACTIONS, NAMES

TILE = 256  # rows: of terms so long a stretch is fetched ahead, and registers lie in the second-level cache

(
    LOAD,
    STORE,
    ADD,
    SUBTRACT,
    MULTIPLY,
    DIVIDE,
    FLOOR_DIVIDE,
    NEGATIVE,
    MAXIMUM,
    MINIMUM,
    EQUAL,
    NOT_EQUAL,
    LESS,
    LESS_EQUAL,
    AND,
    OR,
    NOT,
    IS_NAN,
    SQRT,
    LOG2,
    WHERE,
    TO_FRACTION,
    RATIO,
    TIMES_LOG2,
) = range(len(NAMES))


@compiled(error_model="numpy")
def run(
    steps: Array,
    constants: tuple[Array, Array, Array],
    registers: tuple[int, int],
    terms: tuple[Array, Array],
    columns: Array,
) -> None:
    """Fill the columns that a `program.Program` stores, `TILE` rows at a time; a NaN wins over others, as in NumPy.

    It is all one loop, because to hand arrays to a function costs twenty times what a step on one row does. Places are
    unsigned: none counts from the end.
    """
    whole, fractions = np.empty((registers[0], TILE), np.int64), np.empty((registers[1], TILE), np.float64)
    for i in range(constants[0].size):
        whole[i] = constants[0][i]
    for i in range(constants[1].size):
        fractions[i] = constants[1][i]
    small, (whole_terms, fraction_terms) = constants[2], terms
    for first in range(0, columns.shape[1], TILE):
        begin, n = np.uint64(first), np.uint64(min(TILE, columns.shape[1] - first))
        for i in range(steps.shape[0]):
            what, o = steps[i, 0], np.uint64(steps[i, 1])
            x, y, z = np.uint64(steps[i, 2]), np.uint64(steps[i, 3]), np.uint64(steps[i, 4])
            if what < FRACTIONS:
                if what == LOAD:
                    for k in range(n):
                        whole[o, k] = whole_terms[x, begin + k]
                elif what == STORE:
                    for k in range(n):
                        columns[o, begin + k] = whole[x, k]
                elif what == ADD:
                    for k in range(n):
                        whole[o, k] = whole[x, k] + whole[y, k]
                elif what == SUBTRACT:
                    for k in range(n):
                        whole[o, k] = whole[x, k] - whole[y, k]
                elif what == MULTIPLY:
                    for k in range(n):
                        whole[o, k] = whole[x, k] * whole[y, k]
                elif what == EQUAL:
                    for k in range(n):
                        whole[o, k] = whole[x, k] == whole[y, k]
                elif what == NOT_EQUAL:
                    for k in range(n):
                        whole[o, k] = whole[x, k] != whole[y, k]
                elif what == LESS:
                    for k in range(n):
                        whole[o, k] = whole[x, k] < whole[y, k]
                elif what == LESS_EQUAL:
                    for k in range(n):
                        whole[o, k] = whole[x, k] <= whole[y, k]
                elif what == AND:
                    for k in range(n):
                        whole[o, k] = whole[x, k] & whole[y, k]
                elif what == OR:
                    for k in range(n):
                        whole[o, k] = whole[x, k] | whole[y, k]
                elif what == FLOOR_DIVIDE:
                    for k in range(n):
                        whole[o, k] = whole[x, k] // whole[y, k] if whole[y, k] != 0 else 0
                elif what == NEGATIVE:
                    for k in range(n):
                        whole[o, k] = -whole[x, k]
                elif what == NOT:
                    for k in range(n):
                        whole[o, k] = 1 - whole[x, k]
                elif what == MAXIMUM:
                    for k in range(n):
                        whole[o, k] = max(whole[x, k], whole[y, k])
                elif what == MINIMUM:
                    for k in range(n):
                        whole[o, k] = min(whole[x, k], whole[y, k])
                elif what == WHERE:
                    for k in range(n):
                        whole[o, k] = whole[y, k] if whole[x, k] != 0 else whole[z, k]
                elif what == TO_FRACTION:
                    for k in range(n):
                        fractions[o, k] = whole[x, k]
                elif what == RATIO:
                    for k in range(n):
                        fractions[o, k] = whole[x, k] / whole[y, k] if whole[y, k] != 0 else np.nan
                elif what == TIMES_LOG2:
                    for k in range(n):
                        c = whole[x, k]
                        fractions[o, k] = small[c] if 0 <= c < small.size else c * log2(np.float64(c))
            else:
                what -= FRACTIONS
                if what == LOAD:
                    for k in range(n):
                        fractions[o, k] = fraction_terms[x, begin + k]
                elif what == STORE:
                    for k in range(n):
                        columns[o, begin + k] = fractions[x, k]
                elif what == ADD:
                    for k in range(n):
                        fractions[o, k] = fractions[x, k] + fractions[y, k]
                elif what == SUBTRACT:
                    for k in range(n):
                        fractions[o, k] = fractions[x, k] - fractions[y, k]
                elif what == MULTIPLY:
                    for k in range(n):
                        fractions[o, k] = fractions[x, k] * fractions[y, k]
                elif what == DIVIDE:
                    for k in range(n):
                        fractions[o, k] = fractions[x, k] / fractions[y, k]
                elif what == EQUAL:
                    for k in range(n):
                        whole[o, k] = fractions[x, k] == fractions[y, k]
                elif what == NOT_EQUAL:
                    for k in range(n):
                        whole[o, k] = fractions[x, k] != fractions[y, k]
                elif what == LESS:
                    for k in range(n):
                        whole[o, k] = fractions[x, k] < fractions[y, k]
                elif what == LESS_EQUAL:
                    for k in range(n):
                        whole[o, k] = fractions[x, k] <= fractions[y, k]
                elif what == IS_NAN:
                    for k in range(n):
                        whole[o, k] = fractions[x, k] != fractions[x, k]
                elif what == NEGATIVE:
                    for k in range(n):
                        fractions[o, k] = -fractions[x, k]
                elif what == MAXIMUM:
                    for k in range(n):
                        one, other = fractions[x, k], fractions[y, k]
                        fractions[o, k] = one if one >= other or one != one else other
                elif what == MINIMUM:
                    for k in range(n):
                        one, other = fractions[x, k], fractions[y, k]
                        fractions[o, k] = one if one <= other or one != one else other
                elif what == SQRT:
                    for k in range(n):
                        fractions[o, k] = sqrt(fractions[x, k])
                elif what == LOG2:
                    for k in range(n):
                        fractions[o, k] = log2(fractions[x, k])
                elif what == WHERE:
                    for k in range(n):
                        fractions[o, k] = fractions[y, k] if whole[x, k] != 0 else fractions[z, k]
                elif what == RATIO:
                    for k in range(n):
                        fractions[o, k] = (
                            fractions[x, k] / fractions[y, k] if fractions[y, k] != 0.0 else np.nan
                        )
