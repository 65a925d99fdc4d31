"""Programs do to rows what their combinations do to arrays, to the last bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from features.rows import FITTED
from sintonia.config import FeaturesConfig
from sintonia.features import catalogue, families
from sintonia.features.combine import deviation, entropy, itself, ratio, times_log2
from sintonia.features.machine import TILE
from sintonia.features.measures import DaysSince, Decayed, Extreme, Value
from sintonia.features.program import program
from sintonia.features.recording import Recording

WHOLE = np.array([[3, 0, -7, 2**40, 5, -1, 0], [2, 0, 2, 3, -3, -1, 9], [1, 5, 0, 2, 7, 0, -2]])
FRACTIONS = np.array(
    [[0.5, 0.0, -1.5, np.nan, np.inf, 4.0, -0.0], [2.0, 0.0, np.nan, np.nan, 1.0, -np.inf, 3.0]]
)

OF_WHOLE = {
    "add": lambda x, y, z: x + y,
    "subtract": lambda x, y, z: x - y,
    "multiply": lambda x, y, z: x * y,
    "divide": lambda x, y, z: x / np.where(y == 0, 1, y),
    "divide by 0": lambda x, y, z: x / y,
    "floor_divide": lambda x, y, z: x // np.where(y == 0, 1, y),
    "negative": lambda x, y, z: -x,
    "maximum": lambda x, y, z: np.maximum(x, y),
    "minimum": lambda x, y, z: np.minimum(x, y),
    "equal": lambda x, y, z: x == y,
    "not equal": lambda x, y, z: x != y,
    "less": lambda x, y, z: x < y,
    "less or equal": lambda x, y, z: x <= y,
    "greater": lambda x, y, z: x > y,
    "greater or equal": lambda x, y, z: x >= y,
    "and": lambda x, y, z: (x > 0) & (y > 0),
    "or": lambda x, y, z: (x > 0) | (y > 0),
    "not": lambda x, y, z: ~(x > 0),
    "truths compared": lambda x, y, z: (x > 0) == (y > 0),
    "where": lambda x, y, z: np.where(x > 0, y, z),
    "where truths": lambda x, y, z: np.where(x > 0, y > 0, z > 0),
    "sqrt": lambda x, y, z: np.sqrt(np.maximum(x, 0)),
    "log2": lambda x, y, z: np.log2(np.maximum(x, 1)),
    "ratio": lambda x, y, z: ratio(x, y),
    "times log2": lambda x, y, z: times_log2(np.maximum(y, 0)),
    "constant": lambda x, y, z: 7,
    "term": lambda x, y, z: y,
    "truth": lambda x, y, z: x + (y > 0),
}
OF_FRACTIONS = {
    "add": lambda x, y: x + y,
    "subtract": lambda x, y: x - y,
    "multiply": lambda x, y: x * y,
    "divide": lambda x, y: x / y,
    "negative": lambda x, y: -x,
    "maximum": lambda x, y: np.maximum(x, y),
    "maximum turned": lambda x, y: np.maximum(y, x),
    "minimum": lambda x, y: np.minimum(x, y),
    "minimum turned": lambda x, y: np.minimum(y, x),
    "equal": lambda x, y: x == y,
    "not equal": lambda x, y: x != y,
    "less": lambda x, y: x < y,
    "less or equal": lambda x, y: x <= y,
    "greater": lambda x, y: x > y,
    "greater or equal": lambda x, y: x >= y,
    "is nan": lambda x, y: np.isnan(x),
    "where": lambda x, y: np.where(np.isnan(x), y, x),
    "sqrt": lambda x, y: np.sqrt(x),
    "log2": lambda x, y: np.log2(x),
    "ratio": lambda x, y: ratio(x, y),
    "constant": lambda x, y: 0.25,
}


def run(combine, terms):
    """Return a combination's values by its program; `terms` are whole numbers or fractions, (n_terms, n_rows)."""
    recording, columns = Recording(), np.zeros((1, terms.shape[1]), np.float32)
    letter = "d" if terms.dtype.kind == "f" else "q"
    number = recording.record(combine, [(letter, row) for row in range(len(terms))])
    empty = np.empty((0, terms.shape[1]))
    both = (empty.astype(np.int64), terms) if letter == "d" else (terms, empty)
    program(recording, [(number, 0)]).run(both, columns)
    return columns[0]


def called(combine, terms):
    """Return a combination's values by NumPy."""
    with np.errstate(all="ignore"):
        return np.broadcast_to(np.asarray(combine(*terms), np.float32), terms.shape[1])


@pytest.mark.parametrize("name", OF_WHOLE)
def test_whole_numbers_come_to_what_numpy_makes_of_them(name):
    np.testing.assert_array_equal(run(OF_WHOLE[name], WHOLE), called(OF_WHOLE[name], WHOLE))


@pytest.mark.parametrize("name", OF_FRACTIONS)
def test_fractions_come_to_what_numpy_makes_of_them(name):
    np.testing.assert_array_equal(run(OF_FRACTIONS[name], FRACTIONS), called(OF_FRACTIONS[name], FRACTIONS))


def test_counts_whose_logarithms_are_not_looked_up_come_to_the_same():
    counts = np.array([[5000, 4095, 4096, 0], [3, 10**7, 1, 0]])
    np.testing.assert_allclose(run(entropy, counts), entropy(*counts), rtol=1e-7)


@pytest.mark.parametrize("rows", [1, TILE - 1, TILE, 3 * TILE + 5])
def test_rows_come_to_the_same_however_many_there_are(rows):
    counts = np.random.default_rng(7).integers(0, 50, (3, rows))
    np.testing.assert_array_equal(run(deviation, counts), called(deviation, counts))


def test_registers_are_used_again_and_terms_are_loaded_when_they_are_needed():
    recording = Recording()
    number = recording.record(lambda *terms: sum(terms), [("q", row) for row in range(50)])
    made = program(recording, [(number, 0)])
    assert made.registers == (4, 0)  # 0, the sum so far, a term, and the sum with it
    assert len(made.steps) == 50 + 50 + 1


def test_one_number_may_be_stored_in_many_features():
    recording = Recording()
    number = recording.record(itself, [("q", 0)])
    columns = np.zeros((4, 2), np.float32)
    program(recording, [(number, 3), (number, 1)]).run((np.array([[5, 6]]), np.empty((0, 2))), columns)
    assert columns.tolist() == [[0, 0], [5, 6], [0, 0], [5, 6]]


COMBINATIONS = {
    feature.name: feature
    for feature in catalogue(FeaturesConfig(families=list(families.FAMILIES), windows_days=[7, 30]), FITTED)
    if feature.combine is not itself
}


def is_fraction(term):
    """Return whether the kernel gives a term as a fraction."""
    return isinstance(term, Extreme | Decayed | Value | DaysSince)


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_every_family_s_features_come_to_what_their_combinations_make_of_arrays(data):
    feature = COMBINATIONS[data.draw(st.sampled_from(sorted(COMBINATIONS)))]
    counts, amounts = st.integers(-3, 40), st.sampled_from([np.nan, 0.0, 0.5, 3.0, -2.0, 700.25])
    terms = [
        data.draw(arrays.arrays(np.float64 if is_fraction(term) else np.int64, 5, elements=numbers))
        for term in feature.terms
        for numbers in [amounts if is_fraction(term) else counts]
    ]
    recording, columns = Recording(), np.zeros((1, 5), np.float32)
    kinds = [term.dtype.kind == "f" for term in terms]
    places = [
        ("d" if kind else "q", sum(other == kind for other in kinds[:at])) for at, kind in enumerate(kinds)
    ]
    number = recording.record(feature.combine, places)
    of = [
        [term for term, kind in zip(terms, kinds, strict=True) if kind == wanted] for wanted in (False, True)
    ]
    both = np.array(of[0], np.int64).reshape(-1, 5), np.array(of[1]).reshape(-1, 5)
    program(recording, [(number, 0)]).run(both, columns)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(columns[0], np.asarray(feature.combine(*terms), np.float32))
