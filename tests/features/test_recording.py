"""What NumPy would do to arrays is written down once, or refused."""

import numpy as np
import pytest

from sintonia.features.combine import ratio
from sintonia.features.recording import Operation, Recording, UnrecordableError

WHOLE_AND_FRACTION = [("q", 0), ("d", 0)]


def recorded(combine, terms=WHOLE_AND_FRACTION):
    """Return the names and types of all that is written down for a combination."""
    recording = Recording()
    recording.record(combine, terms)
    return [(one.name, one.type) for one in recording.operations if one.name != "TERM"]


def test_an_operation_asked_for_twice_is_written_down_once():
    recording = Recording()
    first = recording.record(lambda a, b: (a + b) * (a + b), [("q", 0), ("q", 1)])
    again = recording.record(lambda a, b: a + b, [("q", 0), ("q", 1)])
    assert [one.name for one in recording.operations] == ["TERM", "TERM", "ADD", "MULTIPLY"]
    assert (first, again) == (3, 2)


def test_types_are_those_of_numpy():
    assert recorded(lambda a, b: a + 1) == [("CONSTANT", "q"), ("ADD", "q")]
    assert recorded(lambda a, b: a * 0.5) == [("TO_FRACTION", "d"), ("CONSTANT", "d"), ("MULTIPLY", "d")]
    assert recorded(lambda a, b: a < b) == [("TO_FRACTION", "d"), ("LESS", "?")]
    assert recorded(lambda a, b: np.where(a == 0, np.nan, a))[-2:] == [("TO_FRACTION", "d"), ("WHERE", "d")]
    assert recorded(lambda a, b: np.where(a == 0, np.int64(7), a))[-1] == ("WHERE", "q")


def test_a_function_that_is_one_operation_is_not_looked_into():
    assert recorded(lambda a, b: ratio(a, a)) == [("RATIO", "d")]
    assert recorded(lambda a, b: ratio(a, b)) == [("TO_FRACTION", "d"), ("RATIO", "d")]


def test_a_combination_may_give_a_number_or_a_term_as_it_stands():
    recording = Recording()
    assert recording.operations[recording.record(lambda a: 3, [("q", 0)])] == Operation(
        "CONSTANT", "q", (), 3
    )
    assert recording.operations[recording.record(lambda a: a, [("q", 5)])] == Operation("TERM", "q", (), 5)


@pytest.mark.parametrize(
    "combine",
    [
        lambda a, b: np.sort(a),
        lambda a, b: np.asarray(a, np.float64),
        lambda a, b: np.add.reduce([a, b]),
        lambda a, b: np.exp(b),
        lambda a, b: np.subtract(a, b, dtype=np.float64),
        lambda a, b: b // 2,
        lambda a, b: (a > 0) + (b > 0),
        lambda a, b: ~a,
        lambda a, b: np.isnan(a),
        lambda a, b: np.where(a, a, b),
        lambda a, b: np.where(b > 0),
        lambda a, b: a if a > 0 else b,
        lambda a, b: a + np.array([1, 2]),
        lambda a, b: "text",
    ],
)
def test_what_is_no_known_operation_is_refused(combine):
    with pytest.raises(UnrecordableError):
        recorded(combine)


def test_what_a_combination_raises_is_raised():
    with pytest.raises(ZeroDivisionError):
        recorded(lambda a, b: a + 1 // 0)
