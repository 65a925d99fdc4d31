"""Identifiers in one spelling: worked by hand, and the law that SQL and Python agree."""

from dataclasses import replace

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.sources.small import TILL, mapped
from sintonia.core.errors import InputError
from sintonia.data.sources.identifiers import PLACEHOLDERS, identifier, register, spelling_sql

BEA = "bea@example.org"
EMAILS = replace(TILL, identifiers={"email": "card"})
PHONES = replace(TILL, identifiers={"phone": "card"})
HEADER = "id,card,at,kind,amount,cat\n"


def till(*cards):
    """Return the file of a till: a purchase with each of these cells as its card."""
    rows = (f'{at},"{card}",2026-01-02 10:00,purchase,5,a\n' for at, card in enumerate(cards, 1))
    return HEADER + "".join(rows)


def frame_file(folder, column):
    """Write a Parquet file of the till with this column of cards."""
    rows = range(len(column))
    table = {
        "id": [f"{row}" for row in rows],
        "card": column,
        "at": ["2026-01-02 10:00"] * len(column),
        "kind": ["purchase"] * len(column),
        "amount": [5.0] * len(column),
        "cat": ["a"] * len(column),
    }
    pq.write_table(pa.table(table), folder / "t.parquet")


@pytest.mark.parametrize(
    "written",
    [
        BEA,
        f"{BEA}\u00a0",  # no-break space
        f"\t{BEA}\t",
        f"\u200b{BEA}",  # zero width
        f"\ufeff{BEA}",  # byte-order mark
        f"\u3000{BEA}\u2009",  # ideographic and thin space
        f"\u202a{BEA}\u202c",  # marks of direction, as copied from an address book
        f"{BEA}\u2028",
        "BEA@EXAMPLE.ORG",
        f"<{BEA}>",
        f"mailto:{BEA}",
        f"Bea Serra <{BEA}>",
        "bea@exam\u00adple.org",  # a soft hyphen within
    ],
)
def test_spellings_of_one_address_are_one_identifier(tmp_path, written):
    assert mapped(tmp_path, till(written), EMAILS).column("id__email") == [BEA]


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("gio@exämple.org", "gio@xn--exmple-cua.org"),
        ("gio@exa\u0308mple.org", "gio@xn--exmple-cua.org"),  # the accent apart
        ("gio@EXÄMPLE.org", "gio@xn--exmple-cua.org"),
        ("gio@XN--EXMPLE-CUA.ORG", "gio@xn--exmple-cua.org"),
        ("gio@straße.example.org", "gio@xn--strae-oqa.example.org"),  # not strasse
        ("gio@example\u3002org", "gio@example.org"),  # an ideographic full stop
        ("gio@\u00e9..org", "gio@xn--9ca..org"),  # no domain, and no error
        (f"gio@{'ä' * 70}.org", f"gio@{'ä' * 70}.org"),
    ],
)
def test_a_domain_is_in_its_ascii_form_and_keeps_its_accents(tmp_path, written, stored):
    assert mapped(tmp_path, till(written), EMAILS).column("id__email") == [stored]


@pytest.mark.parametrize("card", ["2002.0", "2002", " 2002.0\u00a0", "2002.00", "2002,0"])
def test_whole_numbers_have_no_point(tmp_path, card):
    assert mapped(tmp_path, till(card)).column("id__card") == ["2002"]


@pytest.mark.parametrize("card", ["2002.5", "2.002", "V2.0", "2,002", "0042", "1E10", "2002.", "0000"])
def test_what_is_no_whole_number_stays_as_it_is(tmp_path, card):
    assert mapped(tmp_path, till(card)).column("id__card") == [card]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([2002.0, None, 394440001122.0, float("nan")], pa.float64()),
        pa.array([2002, None, 394440001122, None], pa.decimal128(18, 4)),
        pa.array([2002, None, 394440001122, None], pa.int64()),
        pa.array(["2002.0", "", "394440001122.0", None], pa.string()),
    ],
)
def test_numbers_of_any_type_are_one_identifier(tmp_path, column):
    frame_file(tmp_path, column)
    found = mapped(tmp_path, {}, replace(TILL, path="t.parquet", format="parquet"))
    assert found.column("id__card") == ["2002", "394440001122"]
    assert found.reasons == {"no identifier": 2}
    assert not any("placeholder" in text for text in found.report.reading)


def test_two_to_the_53_itself_is_exact_in_a_float(tmp_path):
    frame_file(tmp_path, pa.array([2.0**53]))
    found = mapped(tmp_path, {}, replace(TILL, path="t.parquet", format="parquet"))
    assert found.column("id__card") == ["9007199254740992"]


@pytest.mark.parametrize(
    ("column", "power"),
    [
        (pa.array([1.0, 2.0**53 + 2, None, float("inf")]), 53),
        (pa.array([-(2.0**60)]), 53),
        (pa.array([1.0, 2.0**24 + 2], pa.float32()), 24),
    ],
)
def test_floats_that_were_rounded_are_refused(tmp_path, column, power):
    frame_file(tmp_path, column)
    with pytest.raises(
        InputError, match=rf"^Silo 't': 1 values of the card column 'card' .* above 2\^{power}, .*\.$"
    ):
        mapped(tmp_path, {}, replace(TILL, path="t.parquet", format="parquet"))


def test_large_whole_numbers_are_never_rounded(tmp_path):
    frame_file(tmp_path, pa.array([2**53 + 1, 2**62 + 1]))
    found = mapped(tmp_path, {}, replace(TILL, path="t.parquet", format="parquet"))
    assert found.column("id__card") == ["9007199254740993", "4611686018427387905"]


@pytest.mark.parametrize("number", ["3.94441E+11", "3,94E+11", "4E+11", "3.9444e+11", "9007199254740994.0"])
def test_a_shortened_number_is_no_identifier_and_is_reported(tmp_path, number):
    found = mapped(tmp_path, till(number, "394440001122"), PHONES)
    assert found.column("id__phone") == ["394440001122"]
    (warning,) = (text for text in found.report.warnings if "shortened" in text)
    assert warning.startswith("Silo 't': 1 values of phone are numbers that")
    assert number not in warning


@pytest.mark.parametrize(
    "card",
    ["NULL", "null", "N/A", "n.a.", "#N/A", "-", "--", "0", "0.0", "nan", "NaN", "None", "Unknown", "0000000000",
     "(null)", " \u00a0NULL ", "n.d.", "sconosciuto", "???", "000-0000"],
)  # fmt: skip
def test_placeholders_are_no_identifiers_and_are_counted(tmp_path, card):
    found = mapped(tmp_path, till(card, "K1", card))
    assert found.column("id__card") == ["K1"]
    assert found.reasons == {"no identifier": 2}
    (told,) = found.report.reading[-1:]
    assert told.startswith("2 placeholders for card, which identify nobody: ")


@pytest.mark.parametrize(
    "email",
    ["test@test.com", "TEST@test.it", "noemail@example.org", "no-email@example.org", "nomail2@example.org",
     "null@example.org", "unknown@example.org", "-@example.org", "senza.mail@example.org", "N/A"],
)  # fmt: skip
def test_addresses_of_nobody_are_no_identifiers(tmp_path, email):
    found = mapped(tmp_path, till(email, BEA), EMAILS)
    assert found.column("id__email") == [BEA]
    assert email not in " ".join(found.report.reading) or "@" not in email


@pytest.mark.parametrize(
    "email", ["noemi@example.org", "tester@example.org", "nan@example.org", "noah@example.org"]
)
def test_addresses_of_people_are_identifiers(tmp_path, email):
    assert mapped(tmp_path, till(email), EMAILS).column("id__email") == [email]


@pytest.mark.parametrize(("phone", "stored"), [("1111111111", []), ("+39 333 3333333", ["+39 333 3333333"])])
def test_a_phone_of_one_digit_is_none(tmp_path, phone, stored):
    assert mapped(tmp_path, till(phone), PHONES).column("id__phone") == stored


@pytest.mark.parametrize("card", ["", "  ", "\u00a0", "\u200b\u3000", "\t"])
def test_blanks_of_any_kind_are_an_empty_cell(tmp_path, card):
    found = mapped(tmp_path, till(card, "K1"))
    assert found.column("id__card") == ["K1"]
    assert not any("placeholder" in text for text in found.report.reading)


def test_a_source_adds_placeholders_of_its_own(tmp_path):
    found = mapped(tmp_path, till("Banco 99", "K1"), placeholders=(" banco 99",))
    assert found.column("id__card") == ["K1"]
    assert "1 placeholders for card, which identify nobody: Banco 99 (1)" in found.report.reading


def test_contact_data_lose_blanks_and_points_too(tmp_path):
    silo = replace(TILL, identifiers={"code": "'C' || id"}, contacts={"phone": "card"})
    silo = replace(silo, path="t.parquet", format="parquet")
    frame_file(tmp_path, pa.array([394440001122.0]))
    assert mapped(tmp_path, {}, silo).column("c__phone") == ["394440001122"]


CELLS = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12),
    st.text("09.,eE+- xX@nNuUlL\u00a0\u00e9", max_size=10),
    st.sampled_from(sorted(PLACEHOLDERS)).flatmap(
        lambda word: st.sampled_from([word, word.upper(), f"{word} "])
    ),
    st.from_regex(r"(noemail|test|ann|null)[0-9]?@(test|exämple|example)\.(org|it)", fullmatch=True),
    st.floats(allow_nan=False).map(str),
)


@pytest.fixture(scope="module")
def engine():
    with duckdb.connect() as connection:
        register(connection, ["Banco"])
        yield connection


@given(kind=st.sampled_from(["card", "phone", "email"]), text=CELLS)
def test_sql_spells_as_python_does(engine, kind, text):
    query = f"SELECT {spelling_sql(kind, 'bare', ['Banco'])} FROM (SELECT CAST($1 AS VARCHAR) AS bare)"
    ((found,),) = engine.execute(query, [text]).fetchall()
    assert found == identifier(kind, text, ["banco"])


@given(st.sampled_from(["card", "phone", "email"]), CELLS)
def test_a_spelling_is_spelt_as_itself(kind, text):
    spelt = identifier(kind, text)
    assert spelt is None or identifier(kind, spelt) == spelt
