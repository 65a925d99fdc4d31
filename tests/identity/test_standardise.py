"""Person records in one spelling: worked by hand."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sintonia.errors import InputError
from sintonia.identity.fields import recognise
from sintonia.identity.standardise import standardise


def one(field, values, **options):
    """Return the standard spellings of one field's values."""
    return standardise(pa.table({field: pa.array(values, pa.string())}), **options).column(field).to_pylist()


def test_names_lose_case_accents_titles_and_apostrophes():
    names = ["Nicolò", "NICOLO'", " dott.ssa Maria  Teresa ", "D\u2019Angelo", "n/a", None]
    assert one("last_name", names) == ["nicolo", "nicolo", "maria teresa", "dangelo", None, None]


def test_a_full_name_is_read_in_both_orders():
    table = standardise(pa.table({"full_name": ["Rossi, Maria", "Maria Rossi", "Madonna"]}))
    assert table["first_name"].to_pylist() == ["maria", "maria", "madonna"]
    assert table["last_name"].to_pylist() == ["rossi", "rossi", None]


def test_names_that_stand_in_each_others_place_are_turned_round_by_what_the_table_uses():
    firsts, lasts = ["Isla"] * 40 + ["Hall", None], ["Hall"] * 40 + ["Isla", "Isla"]
    table = standardise(pa.table({"first_name": firsts, "surname": lasts}))
    assert table["first_name"].to_pylist() == ["isla"] * 42
    assert table["last_name"].to_pylist() == ["hall"] * 41 + [None]


def test_emails_lose_case_spaces_and_tags_and_one_without_an_at_is_missing():
    found = one("email", ["Anna.Neri+shop@Gmail.com ", "mailto:a@b.it", "none", ""])
    assert found == ["anna.neri@gmail.com", "a@b.it", None, None]


def test_phones_become_e164_by_the_region_given():
    written = ["+39 347 1234567", "0039 347/1234567", "347-1234567", "06 1234 5678", "12", "0000000000"]
    assert one("phone", written) == ["+393471234567"] * 3 + ["+390612345678", None, None]
    assert one("phone", ["020 7946 0958"], region="GB") == ["+442079460958"]


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


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(*[st.one_of(st.none(), st.text(max_size=12))] * 4), min_size=1, max_size=8))
def test_standardising_keeps_rows_and_order_and_does_nothing_the_second_time(rows):
    columns = ("first_name", "birth_date", "street", "postcode")
    table = pa.table(
        {name: pa.array([row[at] for row in rows], pa.string()) for at, name in enumerate(columns)}
    )
    once = standardise(table)
    assert once.num_rows == len(rows)
    assert standardise(once).equals(once)
