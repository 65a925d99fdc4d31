"""Delimited text: its dialect is found out, and no row is lost whatever is wrong with it."""

import gzip

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serving.lists.small import listed, rows
from sintonia.core.errors import InputError
from sintonia.data.sources.text import records


@pytest.mark.parametrize(
    ("raw", "delimiter", "encoding", "line_end"),
    [
        ("Tessera;nome\n007;Niccolò\n".encode(), ";", "utf-8", "\n"),
        ("Tessera;nome\n007;Niccolò\n".encode("cp1252"), ";", "cp1252", "\n"),
        ("Tessera,nome\r\n007,Niccolò\r\n".encode("utf-8-sig"), ",", "utf-8-sig", "\r\n"),
        ("Tessera\tnome\n007\tNiccolò\n".encode("utf-16"), "\t", "utf-16", "\n"),
        ("Tessera;nome\r\n007;Niccolò\r\n".encode("utf-16-le"), ";", "utf-16-le", "\r\n"),
        (b"Tessera|nome\r007|x\r", "|", "utf-8", "\r"),
        (b"Tessera:nome\n007:x\n", ":", "utf-8", "\n"),
        (b"sep=;\nTessera;nome\n007;a,b,c\n", ";", "utf-8", "\n"),
        (b'"Tessera","nome"\n"007","x"\n', ",", "utf-8", "\n"),
        ("Tessera;nome\n007;Niccol\x81\n".encode("latin-1"), ";", "latin-1", "\n"),
    ],
)
def test_dialect_is_found_out(tmp_path, raw, delimiter, encoding, line_end):
    found = listed(tmp_path, raw)
    dialect = found.dialect
    assert (dialect.delimiter, dialect.encoding, dialect.line_end) == (delimiter, encoding, line_end)
    assert found.header == ("Tessera", "nome")
    assert rows(found)[0][0] == "007"


def test_russian_code_page_is_told_from_the_western_one(tmp_path):
    names = ["Светлана Иванова", "Дмитрий Соколов", "Екатерина Смирнова", "Алексей Кузнецов"]
    text = "card;имя\n" + "".join(f"{at};{name}\n" for at, name in enumerate(names))
    assert rows(listed(tmp_path, text.encode("cp1251")))[0][1] == names[0]


def test_bytes_that_are_no_utf_8_among_many_that_are_stay(tmp_path):
    found = listed(tmp_path, b"card;name\n" + "1;è\n".encode() * 40 + b"2;\xff\n")
    assert (found.dialect.encoding, found.dialect.errors) == ("utf-8", "surrogateescape")
    assert rows(found)[-1][1].encode("utf-8", "surrogateescape") == b"\xff"


@pytest.mark.parametrize(
    ("cells", "sign"),
    [("1,50;2,7", ","), ("1.50;2.7", "."), ("1.500;2.300", "."), ("x;y", "."), ("1.234;0,5", ",")],
)
def test_decimal_sign_is_the_one_more_cells_have_and_thousands_tell_nothing(tmp_path, cells, sign):
    assert listed(tmp_path, f"a;b\n{cells}\n").dialect.decimal == sign


def test_short_long_and_blank_rows_stay(tmp_path):
    found = listed(tmp_path, "\na,b\n1\n\n1,2,3\n\n")
    assert rows(found) == [("1", ""), ("", ""), ("1", "2,3")]
    (chunk,) = found.chunks(10)
    assert chunk.problems == {1: "the row is empty", 2: "3 cells where the header has 2"}


def test_quote_that_is_never_closed_keeps_the_rows_behind_it():
    lines = ['1,"a\n', *(f"{at},x\n" for at in range(2, 600)), '9,"b ""c"" \n', 'd"\n']
    found = list(records(iter(lines), ","))
    assert len(found) == 600
    assert found[0] == (["1", "a"], "a quote is opened and never closed")
    assert found[-1] == (["9", 'b "c" \nd'], "")


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.lists(st.text(st.sampled_from('a",\n\r x'), max_size=6), min_size=2, max_size=2), max_size=6)
)
def test_records_that_csv_wrote_are_read_as_they_were(cells):
    import csv
    import io

    file = io.StringIO(newline="")
    csv.writer(file, quoting=csv.QUOTE_ALL).writerows(cells)
    lines = io.StringIO(file.getvalue(), newline="")
    assert [found for found, _ in records(iter(lines), ",")] == cells


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "has nothing in it"),
        (b"\xef\xbb\xbf \r\n", "has nothing in it"),
        (b"Tessera\n", "has a header only"),
        (bytes(range(32)) * 40, "is not text"),
        (b"PK\x03\x04\x00\x00\x00", "old, protected or damaged Excel"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "old, protected or damaged Excel"),
        (b"PAR1oops", "Parquet file that is cut short or damaged"),
        (gzip.compress(b"card\n" + b"007\n" * 5000)[:-20], "cut short or damaged"),
    ],
    # Bytes make poor names: a gzip header holds the time, and two workers would collect different tests.
    ids=["empty", "blank", "header only", "binary", "zip", "old Excel", "Parquet", "gzip"],
)
def test_list_that_is_none_gives_one_clear_line(tmp_path, raw, message):
    with pytest.raises(InputError, match=message) as caught:
        listed(tmp_path, raw)
    assert "\n" not in str(caught.value)


def test_missing_list_names_what_is_there(tmp_path):
    from sintonia.serving.lists import read_list

    (tmp_path / "customers.csv").write_text("a\n1\n")
    with pytest.raises(InputError, match=r"did you mean 'customers\.csv'"):
        read_list(tmp_path / "custommers.csv")
