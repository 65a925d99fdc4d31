"""Whose a row is: columns are known by name, then by what they hold; e-mails and numbers in any spelling."""

from dataclasses import replace

import pytest

from builder import build_store
from serving.lists.small import SILO, keys_of, listed, rows, toy_store
from sintonia.core.errors import InputError
from sintonia.serving.lists import read_list, write_sample
from sintonia.serving.lists.rows import fill_listed, find_key, key_columns, match_keys, with_header


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return toy_store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def keys(store, tmp_path_factory):
    with keys_of(store, tmp_path_factory.mktemp("scratch")) as found:
        yield found


def owners(customers, keys, asked=None):
    """The key of a list, and whether each row's customer is known."""
    key = find_key(customers, keys, asked)
    fill_listed(keys.connection, customers, keys, key, 2)
    match_keys(keys.connection, keys, key)
    found = keys.connection.execute("SELECT customer_id FROM matched ORDER BY row").fetchall()
    return key, [customer is not None for (customer,) in found]


@pytest.mark.parametrize(
    ("header", "cells", "found"),
    [
        ("Tessera", ["007", " 008 ", "9"], [True, True, False]),  # the silo's own column
        ("card", ["007", "7", ""], [True, False, False]),  # the type of identifier; zeros count
        ("EMAIL", ["ann@X.org", "bob@x.org"], [True, False]),
        ("E-mail", ["AnnRossi@googlemail.com", "ann.rossi@gmail.com", "mailto:cleo@x.org"], [True] * 3),
        ("Telefono", ["+39 333 1234567", "0039-333-1234567", "333.123.4567"], [True] * 3),
        ("phone", ["02 123 4567", "333 123 4567"], [False, True]),  # two customers share the first
    ],
)
def test_key_column_is_known_by_its_name(tmp_path, keys, header, cells, found):
    customers = listed(tmp_path, f"note;{header}\n" + "".join(f"x;{cell}\n" for cell in cells))
    key, known = owners(customers, keys)
    assert (key.column, key.how) == (header, "by its name")
    assert known == found


def test_column_nobody_named_is_known_by_what_it_holds(tmp_path, keys):
    customers = listed(tmp_path, "row;who\n1;ANN@x.org\n2;cleo@x.org\n3;nobody@x.org\n")
    key, known = owners(customers, keys)
    assert (key.column, key.key_type, key.how) == ("who", "email", "67% of its first cells are known")
    assert known == [True, True, False]


def test_name_that_leads_nowhere_gives_way_to_what_is_found(tmp_path, keys):
    customers = listed(tmp_path, "phone;code\n1;007\n2;008\n")
    assert owners(customers, keys)[0].column == "code"


def test_key_given_by_hand_is_matched_with_every_type_of_identifier(tmp_path, keys):
    key, known = owners(listed(tmp_path, "who\n008\n"), keys, "who")
    assert (key.key_type, known) == ("card", [True])


def test_customer_ids_are_keys_too(tmp_path, store, keys):
    customer = sorted(store.customer_ids())[0]
    assert owners(listed(tmp_path, f"Customer ID\n{customer}\n"), keys)[1] == [True]


def test_list_without_a_key_says_what_a_key_may_be_called(tmp_path, keys):
    with pytest.raises(InputError, match=r"No column .* identifies customers; it has name.*give key=COLUMN"):
        find_key(listed(tmp_path, "name\nAnn\n"), keys, None)
    with pytest.raises(InputError, match="has no column 'crad'; did you mean 'card'"):
        find_key(listed(tmp_path, "card\n007\n"), keys, "crad")


def test_list_that_begins_with_data_is_told_so_without_repeating_them(tmp_path, keys):
    with pytest.raises(InputError, match="put a header before it") as caught:
        find_key(listed(tmp_path, "bob@y.org\nmia@y.org\n"), keys, None)
    assert "bob" not in str(caught.value)


def test_a_tamed_key_is_looked_up_as_it_was(keys, tmp_path):
    key = find_key(listed(tmp_path, "card\n007\n"), keys, None)
    assert key_columns(["'=7", "'t Hooft", 7.0, None], keys, key)["exact"].to_pylist() == [
        "=7",
        "'t Hooft",
        "7",
        "",
    ]


def test_sample_list_is_a_list_of_known_customers_and_one_unknown(tmp_path, store, keys):
    write_sample(store, "card", tmp_path / "sample.csv")
    assert owners(read_list(tmp_path / "sample.csv"), keys)[1] == [True, True, True, True, False]


MIXED = ["Ann@x.org", "333.123.4567", "cleo@x.org", "02.999.9999", "nobody@x.org", "+393331234567", "x"]
FOUND = [True, True, True, False, False, True, False]


@pytest.mark.parametrize("header", ["email", "Telefono", "contatto"])
def test_a_column_that_mixes_emails_and_numbers_is_looked_up_by_both(tmp_path, keys, header):
    cells = "".join(f"{cell};\n" for cell in MIXED)
    assert owners(listed(tmp_path, f"{header};note\n{cells}"), keys)[1] == FOUND
    assert owners(listed(tmp_path, f"{header};note\n{cells}"), keys, header)[1] == FOUND


def test_a_column_of_cards_with_emails_in_it_is_looked_up_by_both(tmp_path, keys):
    key, known = owners(listed(tmp_path, "card\n007\nAnn@x.org\n008\nnobody@x.org\n"), keys)
    assert key.key_type == "card"
    assert known == [True, True, True, False]


@pytest.mark.parametrize("header", ["Email;Telefono", "Telefono;Email", "E-mail;note", "card;Email;Telefono"])
def test_a_row_is_looked_up_by_whatever_it_has(tmp_path, keys, header):
    people = [
        {"E": "ann@x.org", "T": "333 123 4567"},
        {"E": "", "T": "333 123 4567"},
        {"E": "cleo@x.org", "T": ""},
        {"E": "nobody@x.org", "T": "+39 333 1234567"},
        {"E": "nobody@x.org", "T": "+39 333 9999999"},
        {"E": "", "T": ""},
    ]
    lines = [";".join(one.get(name[0], "") for name in header.split(";")) for one in people]
    _, known = owners(listed(tmp_path, "\n".join([header, *lines]) + "\n"), keys)
    both = "Telefono" in header
    assert known == [True, both, True, both, False, False]


def test_second_addresses_and_numbers_are_looked_up_too(tmp_path, keys):
    header = "Email;Email 2;telefono_2;agent"
    lines = [
        "nobody@x.org;cleo@x.org;;",
        "nobody@x.org;;333 1234567;",
        "nobody@x.org;;;ann@x.org",
        "ann@x.org;;;",
    ]
    assert owners(listed(tmp_path, "\n".join([header, *lines]) + "\n"), keys)[1] == [True, True, False, True]


def test_rows_that_no_key_identifies_say_all_that_was_tried(tmp_path, keys):
    customers = listed(tmp_path, "Email;Telefono\nann@x.org;\nnobody@x.org;333 9999999\n;\n;02 1234567\n")
    owners(customers, keys)
    rows = keys.connection.execute("SELECT key_type, owners FROM matched ORDER BY row").fetchall()
    assert rows == [("email", 1), ("email or phone", 0), ("email or phone", 0), ("phone", 2)]


def test_keys_of_two_customers_are_those_of_the_first_column_and_counted_in_the_log(tmp_path, keys, caplog):
    customers = listed(tmp_path, "Email;card\nann@x.org;007\ncleo@x.org;007\nnobody@x.org;009\ncleo@x.org;\n")
    with caplog.at_level("WARNING"):
        key, known = owners(customers, keys)
    assert known == [True] * 4
    ((customer,),) = keys.connection.execute("SELECT customer_id FROM matched WHERE row = 1").fetchall()
    first = {"Email": "cleo@x.org", "card": "007"}[key.column]
    ((owner,),) = keys.connection.execute(
        "SELECT customer_id FROM looked_up WHERE row = 1 AND exact = ?", [first]
    ).fetchall()
    assert customer == owner
    assert (
        f"1 rows have keys of several customers; each is the customer of its key in the first of '{key.column}'"
        in (caplog.text)
    )


@pytest.mark.parametrize("body", ["7.0", "7,0", "7.00", " 7.0 "])
def test_ids_that_a_program_wrote_with_a_point_are_whole_numbers(tmp_path_factory, tmp_path, body):
    root = tmp_path_factory.mktemp("numbers")
    (root / "tickets.csv").write_text(
        "Tessera,mail,other,tel,at\n7,,,333 1234567,2025-01-01\n8.5,,,,2025-01-02\n"
    )
    with keys_of(build_store(root, {"tickets": SILO}), tmp_path_factory.mktemp("scratch")) as found:
        assert owners(listed(tmp_path, f"card;n\n{body};1\n8.5;1\n85;1\n70;1\n"), found)[1] == [
            True,
            True,
            False,
            False,
        ]
        assert owners(listed(tmp_path, "phone;n\n3331234567.0;1\n393331234567.0;1\n33312345670;1\n"), found)[
            1
        ] == [
            True,
            True,
            False,
        ]


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (["Ann@x.org;a", "cleo@x.org;b", "nobody@x.org;c"], [True, True, False]),
        (["nobody@x.org;a", "cleo@x.org;b"], [False, True]),
        (["333 1234567;a", "cleo@x.org;b"], [True, True]),
        (["x;007", "y;008", "z;none"], [True, True, False]),
    ],
)
def test_a_list_without_a_header_has_its_first_line_as_a_row(tmp_path, keys, lines, found):
    customers = with_header(listed(tmp_path, "\n".join(lines) + "\n"), keys, None)
    assert customers.header == ("column_1", "column_2")
    assert customers.first_number == 1
    assert "without a header: its columns are called column_1, column_2" in customers.description
    assert rows(customers) == [tuple(line.split(";")) for line in lines]
    assert owners(customers, keys)[1] == found


@pytest.mark.parametrize("text", ["card;n\n007;1\n", "who;n\n007;1\n", "bob@y.org\nmia@y.org\n"])
def test_a_list_with_a_header_keeps_it(tmp_path, keys, text):
    customers = listed(tmp_path, text)
    assert with_header(customers, keys, None) is customers


@pytest.fixture(scope="module")
def mailed(tmp_path_factory):
    """The keys of a store of two addresses whose domains differ by an accent."""
    root = tmp_path_factory.mktemp("mailed")
    silo = replace(SILO, identifiers={"email": "mail"}, contacts={"email": "mail"})
    (root / "tickets.csv").write_text(
        "mail,at\nzoe@example.org,2025-01-01\nzoe@exåmple.org,2025-01-02\nnoemail@example.org,2025-01-02\n"
    )
    with keys_of(build_store(root, {"tickets": silo}), tmp_path_factory.mktemp("scratch")) as found:
        yield found


@pytest.mark.parametrize(
    ("cell", "known"),
    [
        ("zoe@exämple.org", False),  # another domain than both
        ("zoe@xn--exmple-cua.org", False),
        ("zoë@exämple.org", False),
        ("zoe@exåmple.org", True),
        ("ZOE@EXÅMPLE.ORG", True),
        ("zoe@exa\u030ample.org", True),  # the ring apart
        ("zoe+shop@xn--exmple-jua.org", True),
        ("<zoe@example.org>", True),
        ("Zoe <zoe@example.org>", True),
        ("\u200bzoe@example.org\u00a0", True),
        ("noemail@example.org", False),
        ("test@test.com", False),
    ],
)
def test_an_address_is_known_by_its_domain_with_its_accents(tmp_path, mailed, cell, known):
    assert owners(listed(tmp_path, f"email;n\n{cell};1\nzoe@example.org;1\n"), mailed)[1] == [known, True]
