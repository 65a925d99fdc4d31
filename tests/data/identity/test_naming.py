"""Names as compared: worked by hand."""

import duckdb
import pyarrow as pa
import pytest

from sintonia.data.identity.match_model import MatchConfig, match_pairs
from sintonia.data.identity.standardise import names, standardise


def full(*names):
    """Return the first and last names that full ones part into."""
    table = standardise(pa.table({"full_name": pa.array(names, pa.string())}))
    return list(zip(table["first_name"].to_pylist(), table["last_name"].to_pylist(), strict=True))


def test_names_lose_case_accents_titles_and_apostrophes():
    names = ["Nicolò", "NICOLO'", " dott.ssa Maria  Teresa ", "D\u2019Angelo", "Rev. Dr. Ann", "n/a", None]
    found = standardise(pa.table({"first_name": names}))["first_name"].to_pylist()
    assert found == ["nicolo", "nicolo", "maria teresa", "dangelo", "ann", None, None]


def test_a_name_that_is_nothing_but_a_title_stays():
    assert standardise(pa.table({"last_name": ["Dean", "Rag"]}))["last_name"].to_pylist() == ["dean", "rag"]


def test_a_full_name_is_read_in_both_orders():
    assert full("Rossi, Maria", "Maria Rossi", "Madonna") == [
        ("maria", "rossi"),
        ("maria", "rossi"),
        ("madonna", None),
    ]


def test_a_last_name_keeps_its_particles_and_middle_names_are_left_out():
    assert full("Maria De Luca", "Anna Maria della Valle", "Vincent van der Berg", "Di Smith") == [
        ("maria", "de luca"),
        ("anna", "della valle"),
        ("vincent", "van der berg"),
        ("di", "smith"),
    ]


def test_generations_degrees_and_peerages_are_no_part_of_a_name():
    assert full(
        "Sir Thomas Clifford, 1st Baron Clifford of Chudleigh",
        "John Smith Jr.",
        "Jane Hall, PhD",
        "Ann Lee III",
    ) == [("thomas", "clifford"), ("john", "smith"), ("jane", "hall"), ("ann", "lee")]


def test_a_full_name_fills_in_what_the_columns_of_names_lack():
    columns = {
        "first_name": ["Isla", None],
        "surname": [None, "Hall"],
        "full_name": ["Isla Hall", "Eve Hall"],
    }
    table = standardise(pa.table(columns))
    assert table["first_name"].to_pylist() == ["isla", "eve"]
    assert table["last_name"].to_pylist() == ["hall", "hall"]


def test_names_that_stand_in_each_others_place_are_turned_round_by_what_the_table_uses():
    firsts, lasts = ["Isla"] * 40 + ["Hall", None], ["Hall"] * 40 + ["Isla", "Isla"]
    table = standardise(pa.table({"first_name": firsts, "surname": lasts}))
    assert table["first_name"].to_pylist() == ["isla"] * 42
    assert table["last_name"].to_pylist() == ["hall"] * 41 + [None]


def test_a_first_name_comes_with_the_names_it_may_be_short_for():
    names = pa.table({"first_name": ["Bob", "Robert", "Bob James", None]})
    bob, robert, both, nothing = standardise(names)["first_name_forms"].to_pylist()
    assert {"bob", "robert"} <= set(bob)
    assert "robert" in robert
    assert {"bob james", "bob", "robert"} <= set(both)
    assert nothing is None


@pytest.mark.parametrize(("short", "label"), [("Bill", "short form"), ("Xaver", "different")])
def test_a_nickname_is_a_degree_of_agreement_of_its_own(short, label):
    firsts = ["William", short, "Anna", "Carla"]
    table = {"first_name": firsts, "surname": ["Hall", "Hall", "Neri", "Verdi"], "dob": ["1984-05-31"] * 4}
    with duckdb.connect() as connection:
        found = match_pairs(standardise(pa.table(table)), MatchConfig(), connection)
    level = {(row["left"], row["right"]): row["level_first_name"] for row in found.pairs.to_pylist()}
    assert found.compared[0].labels[level["0", "1"]] == label


def test_names_seen_elsewhere_tell_which_is_the_first():
    seen = pa.table(
        {
            "field": ["first_name"] * 2 + ["last_name"] * 2,
            "value": ["anna", "ugo", "anna", "rossi"],
            "frequency": [0.98, 0.02, 0.02, 0.98],
        }
    )
    text = {"first_name": pa.array(["Rossi"]), "last_name": pa.array(["Anna"])}
    assert names(text)["first_name"].to_pylist() == ["rossi"]
    assert names(text, seen)["first_name"].to_pylist() == ["anna"]
