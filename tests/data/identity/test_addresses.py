"""Street lines in Italian and English: worked by hand."""

import pyarrow as pa
import pytest

from sintonia.data.identity.standardise import standardise


def read(**columns):
    """Return street, house number and flat of one address, null where it has none."""
    table = standardise(pa.table({name: pa.array([value], pa.string()) for name, value in columns.items()}))
    (row,) = table.to_pylist()
    return tuple(row.get(name) for name in ("street", "street_number", "street_2"))


@pytest.mark.parametrize(
    ("written", "street"),
    [
        ("V.le dei Mille", "viale dei mille"),
        ("P.zza Garibaldi", "piazza garibaldi"),
        ("C.so Cavour", "corso cavour"),
        ("L.go Augusto", "largo augusto"),
        ("High St.", "high street"),
        ("Kings Rd", "kings road"),
        ("St. John's Ave", "st johns avenue"),
        ("Via dr. Rossi", "via dr rossi"),
        ("n/a", None),
    ],
)
def test_the_kind_of_street_is_written_in_full_and_a_saint_stays_a_saint(written, street):
    assert read(address=written) == (street, None, None)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("Via Roma, 12", ("via roma", "12", None)),
        ("Via Roma n. 12/b", ("via roma", "12b", None)),
        ("12/B, Via Roma", ("via roma", "12b", None)),
        ("V. Roma 12 bis", ("via roma", "12bis", None)),
        ("Corso 22 Marzo 4", ("corso 22 marzo", "4", None)),
        ("Via XX Settembre", ("via xx settembre", None, None)),
        ("Via della Scala 12", ("via della scala", "12", None)),
        ("12 High St", ("high street", "12", None)),
        ("221B Baker Street", ("baker street", "221b", None)),
    ],
)
def test_the_house_number_is_told_apart_wherever_it_stands(written, expected):
    assert read(indirizzo=written) == expected


@pytest.mark.parametrize(
    "written", ["Flat 3, 12 High St", "Apt 3, 12 High Street", "12 High St, Unit 3", "3/12 High Street"]
)
def test_the_flat_is_told_apart_whatever_it_is_called(written):
    assert read(street=written) == ("high street", "12", "3")


def test_the_italian_flat_is_told_apart():
    assert read(street="Via Roma 12 int. 3") == ("via roma", "12", "3")


def test_a_number_given_apart_is_believed():
    assert read(street="Via Roma 12", house_number="12") == ("via roma", "12", None)
    assert read(street="Via Roma 12", house_number="14") == ("via roma 12", "14", None)
    assert read(street="Via Roma 12", house_number="") == ("via roma", "12", None)


def test_a_second_line_given_apart_is_believed():
    assert read(address_1="Flat 3, High St", address_2="Rose Cottage") == (
        "high street",
        None,
        "rose cottage",
    )


def test_lines_without_numbers_make_no_column_of_numbers():
    assert standardise(pa.table({"street": ["Via Roma", None]})).column_names == ["record_id", "street"]
