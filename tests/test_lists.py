"""Marketing's list comes back with every row, in its place, as its file wrote it."""

from datetime import datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder import build_store
from sintonia.config import SiloConfig, SourceConfig
from sintonia.errors import InputError
from sintonia.interactions import Store
from sintonia.lists import CustomerList, Located, action_columns, locate, read_list, write_list, write_sample

SILO = SiloConfig(
    path="tickets.csv",
    identifiers={"card": "Tessera", "email": "mail"},
    occurred_at="at",
    interactions={"kind": "'purchase'"},
    constants={"channel": "store"},
)
SOURCE = SourceConfig(name="toy", silos={"tickets": SILO})


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    root = tmp_path_factory.mktemp("store")
    (root / "tickets.csv").write_text("Tessera,mail,at\n007,Ann@x.org,2025-01-01\n008,,2025-01-02\n")
    return build_store(root, {"tickets": SILO})


def listed(tmp_path, raw: str | bytes) -> CustomerList:
    path = tmp_path / "clienti, è nuovi (1).csv"
    path.write_bytes(raw if isinstance(raw, bytes) else raw.encode())
    return read_list(path)


@pytest.mark.parametrize(
    ("raw", "delimiter", "encoding"),
    [
        ("Tessera;nome\n007;Niccolò\n".encode(), ";", "utf-8"),
        ("Tessera;nome\n007;Niccolò\n".encode("cp1252"), ";", "cp1252"),
        ("Tessera,nome\r\n007,Niccolò\r\n".encode("utf-8-sig"), ",", "utf-8-sig"),
        ("Tessera\tnome\n007\tNiccolò\n".encode("utf-16"), "\t", "utf-16"),
        (b"Tessera|nome\n007|x\n", "|", "utf-8"),
    ],
)
def test_list_is_read_and_written_in_its_own_format(tmp_path, raw, delimiter, encoding):
    found = listed(tmp_path, raw)
    assert (found.delimiter, found.encoding, found.header) == (delimiter, encoding, ("Tessera", "nome"))
    assert found.rows[0][0] == "007"
    out = tmp_path / "out.csv"
    write_list(found, {}, out)
    assert out.read_bytes() == raw


@given(
    st.lists(
        st.lists(
            st.text(st.characters(codec="utf-8", exclude_characters="\r\0\x1a\ufeff")), min_size=2, max_size=2
        ),
        min_size=1,
        max_size=5,
    )
)
def test_no_cell_is_changed_and_no_row_lost(tmp_path_factory, cells):
    folder = tmp_path_factory.mktemp("cells")
    first = CustomerList(folder / "a.csv", ("id", "text"), tuple(map(tuple, cells)), ",", "utf-8", "\n")
    write_list(first, {"added": [str(at) for at in range(len(cells))]}, folder / "b.csv")
    again = read_list(folder / "b.csv")
    assert [row[:2] for row in again.rows] == list(first.rows)
    assert [row[2] for row in again.rows] == [str(at) for at in range(len(cells))]


def test_short_and_long_rows_stay(tmp_path):
    found = listed(tmp_path, "a,b\n1\n1,2,3\n")
    assert found.rows == (("1", ""), ("1", "2,3"))


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "has nothing in it"),
        (b"Tessera\n", "has a header only"),
        (b"PK\x03\x04\x00\x00\x00", "is not text; save it as CSV"),
    ],
)
def test_list_that_is_none_gives_one_clear_line(tmp_path, raw, message):
    with pytest.raises(InputError, match=message) as caught:
        listed(tmp_path, raw)
    assert "\n" not in str(caught.value)


def test_missing_list_names_what_is_there(tmp_path):
    (tmp_path / "customers.csv").write_text("a\n1\n")
    with pytest.raises(InputError, match=r"did you mean 'customers\.csv'"):
        read_list(tmp_path / "custommers.csv")


@pytest.mark.parametrize(
    ("header", "cells", "found"),
    [
        ("Tessera", ["007", " 008 ", "9"], [True, True, False]),  # the silo's own column
        ("card", ["007", "7", ""], [True, False, False]),  # the type of identifier; zeros count
        ("EMAIL", ["ann@X.org", "bob@x.org"], [True, False]),
    ],
)
def test_key_column_is_known_by_its_name(tmp_path, store, header, cells, found):
    customers = listed(tmp_path, f"note,{header}\n" + "".join(f"x,{cell}\n" for cell in cells))
    located = locate(customers, store, SOURCE, None)
    assert located.column == header
    assert [owner is not None for owner in located.customer_ids] == found


def test_key_given_by_hand_is_matched_with_every_type_of_identifier(tmp_path, store):
    located = locate(listed(tmp_path, "who\n008\n"), store, SOURCE, "who")
    assert (located.key_type, located.customer_ids[0] is not None) == ("card", True)


def test_list_without_a_key_says_what_a_key_may_be_called(tmp_path, store):
    with pytest.raises(InputError, match=r"No column .* says who a row is; it has name.*give key=COLUMN"):
        locate(listed(tmp_path, "name\nAnn\n"), store, SOURCE, None)
    with pytest.raises(InputError, match="has no column 'crad'; did you mean 'card'"):
        locate(listed(tmp_path, "card\n007\n"), store, SOURCE, "crad")


def test_column_that_is_there_already_is_not_overwritten(tmp_path):
    customers = listed(tmp_path, "card,churn_band\n007,high\n")
    with pytest.raises(InputError, match="has a column 'churn_band' already"):
        write_list(customers, {"churn_band": ["low"]}, tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()


def test_sample_list_is_a_list_of_known_customers_and_one_unknown(tmp_path, store):
    write_sample(store, "card", tmp_path / "sample.csv")
    located = locate(read_list(tmp_path / "sample.csv"), store, SOURCE, None)
    assert [owner is None for owner in located.customer_ids] == [False, False, True]


def test_each_row_says_what_would_be_done_and_nothing_for_who_is_not_known():
    proposed = pa.table(
        {
            "customer_id": ["ann", "bob"],
            "action_id": ["mail", "none"],
            "channel": ["email", None],
            "send_at_local": pa.array([datetime(2025, 1, 2, 18, 30), None], pa.timestamp("us")),
            "effect": [0.25, 0.0],
            "runner_up": ["none", None],
            "arm": ["policy", "holdout"],
            "assignment_probability": [1.0, 1.0],
            "why": ["worth it", ""],
        }
    )
    located = Located("card", "card", ("bob", None, "ann", "eve"))
    assert action_columns(located, proposed) == {
        "next_best_action": ["none", "", "mail", ""],
        "channel": ["", "", "email", ""],
        "send_at": ["", "", "2025-01-02 18:30", ""],
        "effect": ["0.0000", "", "0.2500", ""],
        "runner_up": ["", "", "none", ""],
        "arm": ["holdout", "", "policy", ""],
        "assignment_probability": ["1.0000", "", "1.0000", ""],
        "next_best_action_reason": ["", "", "worth it", ""],
    }
