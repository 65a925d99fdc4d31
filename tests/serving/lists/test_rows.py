"""Whose a row is: columns are known by name, then by what they hold; e-mails and numbers in any spelling."""

import pytest

from serving.lists.small import keys_of, listed, toy_store
from sintonia.core.errors import InputError
from sintonia.serving.lists import read_list, write_sample
from sintonia.serving.lists.rows import fill_listed, find_key, key_columns, match_keys


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
    match_keys(keys.connection, keys, key.key_type)
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
