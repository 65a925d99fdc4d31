"""Numbers are written as people of a language write them."""

import numpy as np
import pytest

from sintonia.explain.reasons.numbers import format_numbers, with_unit
from sintonia.explain.reasons.texts import read_texts

EN, IT = read_texts("en"), read_texts("it")


@pytest.mark.parametrize(
    ("unit", "value", "en", "it"),
    [
        ("cents", -123456.0, "-1,234.56", "-1.234,56"),
        ("share", 0.0, "0 %", "0 %"),
        ("share", 0.3449, "34 %", "34 %"),
        ("probability", 0.0042, "0.4 %", "0,4 %"),
        ("days", 1.94, "1.9", "1,9"),
        ("days", 2.6, "3", "3"),
        ("orders", 12345.0, "12,345", "12.345"),
        ("times", 3.26, "3.3", "3,3"),
        ("times", 32.6, "33", "33"),
        ("bits", 1.0, "2", "2"),
        ("hour of the day", 18.0, "18:00", "18:00"),
        ("weekday", 6.0, "Sunday", "domenica"),
        ("place", 1.0, "filling a cart", "sta riempiendo il carrello"),
        ("-1 to 1", -0.256, "-0.26", "-0,26"),
        ("yes or no", 1.0, "yes", "sì"),
        ("a unit of one's own", 7.0, "7", "7"),
    ],
)
def test_a_number_is_written_by_its_unit_and_language(unit, value, en, it):
    assert format_numbers(np.array([value]), unit, EN).tolist() == [en]
    assert format_numbers(np.array([value]), unit, IT).tolist() == [it]


def test_each_of_many_numbers_stays_in_its_place():
    values = np.array([3.0, 1.0, 3.0, 2.0])
    assert format_numbers(values, "orders", EN).tolist() == ["3", "1", "3", "2"]
    numbers = format_numbers(values, "orders", EN)
    assert with_unit(numbers, "orders", EN).tolist() == ["3 orders", "1 order", "3 orders", "2 orders"]
    assert with_unit(numbers, "cents", EN) is numbers
