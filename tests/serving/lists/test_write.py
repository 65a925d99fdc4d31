"""Lines of delimited text have the bytes of Python's `csv.writer`, whatever the cells are and wherever they lie."""

import csv
import io
from datetime import date
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sintonia.data.sources.text import Dialect
from sintonia.serving.lists.write import column_texts, delimited_lines

SIGNS = st.sampled_from(
    ["", " ", ";", ",", "\t", '"', "\r", "\n", "\x00", "=", "-", "+", "@", "a", "è", "0", "😀", "'"]
)
TEXTS = st.lists(SIGNS, max_size=4).map("".join)
FRACTIONS = st.floats(allow_nan=False, allow_infinity=False, width=32) | st.sampled_from(
    [0.0, -0.0, 0.5, 1e-9]
)


def _by_csv(columns, decimals, dialect):
    file = io.StringIO()
    rows = csv.writer(file, delimiter=dialect.delimiter, lineterminator=dialect.line_end)
    pairs = zip(columns, decimals, strict=True)
    rows.writerows(zip(*(column_texts(*pair, dialect.decimal) for pair in pairs), strict=True))
    return file.getvalue()


@settings(deadline=None, max_examples=150)
@given(
    rows=st.lists(
        st.tuples(TEXTS, st.none() | TEXTS, st.none() | FRACTIONS, st.none() | st.integers(-9, 9)), max_size=8
    ),
    delimiter=st.sampled_from(["\t", ";", "|", ",", "^", ":"]),
    end=st.sampled_from(["\r\n", "\n", "\r"]),
    decimal=st.sampled_from([",", "."]),
)
def test_the_bytes_are_those_of_csv(rows, delimiter, end, decimal):
    dialect = Dialect(delimiter=delimiter, line_end=end, decimal=decimal)
    own, text, fraction, number = (list(column) for column in zip(*rows, strict=True)) if rows else ([],) * 4
    columns = [
        own,
        pa.array(text, pa.string()),
        pa.chunked_array([pa.array(fraction, pa.float64())]),
        pa.array(fraction, pa.float32()),
        pa.array(number, pa.int64()),
    ]
    decimals = [None, None, 4, None, None]
    assert delimited_lines(columns, decimals, dialect) == _by_csv(columns, decimals, dialect)


def test_a_list_s_own_columns_of_any_type_are_written_as_their_cells_are():
    columns = [
        pa.array([date(2025, 1, 2), None]),
        pa.array([[1, 2], None]),
        pa.array([True, None]),
        pa.array(["a", None]).dictionary_encode(),
        pa.array([Decimal("1.50"), None]),
        [7.0, b"x"],
    ]
    assert (
        delimited_lines(columns, [None] * 6, Dialect(line_end="\n"))
        == '2025-01-02,"[1, 2]",true,a,1.50,7\n,,,,,x\n'
    )


def test_nothing_below_nothing_keeps_its_sign():
    column = pa.array([0.0, -0.0, 0.0])
    assert (
        delimited_lines([column, ["a"] * 3], [2, None], Dialect(line_end="\n")) == "0.00,a\n-0.00,a\n0.00,a\n"
    )


def test_half_a_letter_is_refused_so_that_it_can_be_written_another_way():
    with pytest.raises(UnicodeEncodeError):
        delimited_lines([["\ud800"], ["a"]], [None, None], Dialect())
