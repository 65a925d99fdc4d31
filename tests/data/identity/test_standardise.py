"""Person records in one spelling: worked by hand."""

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sintonia.core.errors import InputError
from sintonia.data.identity.standardise import PATTERNS, recognise, standardise


def one(field, values, **options):
    """Return the standard spellings of one field's values."""
    return standardise(pa.table({field: pa.array(values, pa.string())}), **options).column(field).to_pylist()


def test_birth_dates_become_iso_whichever_way_they_were_written():
    written = ["19840531", "31/05/1984", "31.5.1984", "1984-05-31T00:00:00", "1984", "unknown"]
    table = standardise(pa.table({"dob": written}))
    assert table["birth_date"].to_pylist() == ["1984-05-31"] * 4 + ["1984", None]


def test_birth_dates_are_put_together_from_three_columns():
    table = standardise(pa.table({"by": [1984, 1990], "bm": [5, 12], "bd": [31, 1]}))
    assert table["birth_date"].to_pylist() == ["1984-05-31", "1990-12-01"]


def test_the_sex_is_read_in_two_languages():
    assert one("sex", ["F", "donna", "Male", "uomo", "?"]) == ["f", "f", "m", "m", None]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (["unique_id", "first_name", "surname", "dob"], {"first_name", "last_name", "birth_date"}),
        (["rec_id", "given_name", "address_1", "address_2"], {"first_name", "street", "street_2"}),
        (["Nome", "Cognome", "DataNascita", "CAP"], {"first_name", "last_name", "birth_date", "postcode"}),
        (["full_name", "first_and_surname", "postcode_fake"], {"full_name", "postcode"}),
        (
            ["date_of_birth", "soc_sec_id", "suburb", "state"],
            {"birth_date", "national_id", "city", "province"},
        ),
        (["customer_email", "mobile_phone", "cluster", "price"], {"email", "phone"}),
    ],
)
def test_fields_are_recognised_by_the_names_of_their_columns(columns, expected):
    assert set(recognise(columns)) - {"record_id"} == expected


def test_a_birth_day_is_a_date_by_itself_and_a_day_beside_its_year():
    assert recognise(["birth_day"]) == {"birth_date": "birth_day"}
    parts = ["birth_year", "birth_month", "birth_day"]
    assert recognise(parts) == {part: part for part in parts}


@pytest.mark.parametrize("field", [field for field in PATTERNS if field != "birth_day"])
def test_every_field_is_recognised_by_its_own_name(field):
    assert recognise([field]) == {field: field}


def test_fields_given_by_hand_win_over_recognised_ones():
    table = pa.table({"city": ["wrong"], "town_of_residence": ["Roma"]})
    assert standardise(table, {"city": "town_of_residence"})["city"].to_pylist() == ["roma"]


def test_an_unknown_field_or_column_names_the_nearest_right_one():
    table = pa.table({"email": ["a@b.it"]})
    with pytest.raises(InputError, match="did you mean 'email'"):
        standardise(table, {"emial": "email"})
    with pytest.raises(InputError, match="No column 'e-mail' for the field email; did you mean 'email'"):
        standardise(table, {"email": "e-mail"})
    with pytest.raises(InputError, match="No field of a person recognised"):
        standardise(pa.table({"price": [1.0]}))


def test_record_ids_are_kept_made_up_or_refused_when_repeated():
    assert standardise(pa.table({"id": ["b", "a"], "sex": ["f", "m"]}))["record_id"].to_pylist() == ["b", "a"]
    assert standardise(pa.table({"sex": ["f", "m"]}))["record_id"].to_pylist() == ["0", "1"]
    with pytest.raises(InputError, match="2 records, 1 different ids"):
        standardise(pa.table({"id": ["a", "a"], "sex": ["f", "m"]}))


def test_a_capital_in_a_circle_or_brackets_is_the_letter():
    # NFKD of the first is A, of the second (A): capitals, which a second reading would lower.
    written = pa.table({"city": ["\u24b6", "\U0001f110", "\u212bngstrom"]})
    assert standardise(written)["city"].to_pylist() == ["a", "a", "angstrom"]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(*[st.one_of(st.none(), st.text(max_size=12))] * 4), min_size=1, max_size=8))
@example([("\U0001f110", None, "\U0001f110", "\U0001f110@x.it")])
def test_standardising_keeps_rows_and_order_and_does_nothing_the_second_time(rows):
    columns = ("full_name", "birth_date", "street", "email")
    table = pa.table(
        {name: pa.array([row[at] for row in rows], pa.string()) for at, name in enumerate(columns)}
    )
    once = standardise(table)
    assert once.num_rows == len(rows)
    assert standardise(once.drop_columns([n for n in once.column_names if n.endswith("_forms")])).equals(once)
