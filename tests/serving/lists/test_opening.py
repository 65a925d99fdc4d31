"""Lists that are no files: a table of PostgreSQL, in the order of the server, and a segment of the golden record."""

import os
import shutil
import subprocess
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from builder import build_store
from serving.lists.small import SILO, toy_store
from sintonia.core.config import ScoreSettings
from sintonia.core.errors import ConfigError, InputError
from sintonia.serving.lists import open_list
from sintonia.serving.lists.opening import is_table, table_name

BIN = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), Path("/usr/lib/postgresql"))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The address of a database on a server of our own, that is stopped afterwards."""
    if os.geteuid() != 0 or not (BIN / "initdb").is_file() or not shutil.which("runuser"):
        pytest.skip("no PostgreSQL server: install the package postgresql, and run as root")
    folder = tmp_path_factory.mktemp("pg", numbered=True)
    for parent in (folder, *list(folder.parents)[:3]):
        parent.chmod(0o755)
    data = folder / "data"
    data.mkdir()
    shutil.chown(data, "postgres")
    shutil.chown(folder, "postgres")

    def as_postgres(*words: str) -> None:
        subprocess.run(["runuser", "-u", "postgres", "--", *words], check=True, capture_output=True, cwd="/")

    as_postgres(str(BIN / "initdb"), "-D", str(data), "--auth=trust", "--no-sync")
    options = f"-k {folder} -c listen_addresses='' -c fsync=off"
    as_postgres(str(BIN / "pg_ctl"), "-D", str(data), "-w", "-l", str(folder / "log"), "-o", options, "start")
    yield f"postgresql://postgres:secret@/postgres?host={folder}"
    as_postgres(str(BIN / "pg_ctl"), "-D", str(data), "-m", "immediate", "stop")


def asked(server: str, table: str) -> str:
    return server.replace("/postgres?", f"/postgres/{table}?")


def test_table_is_read_with_its_types_and_copies_are_gone_afterwards(server, tmp_path):
    import adbc_driver_postgresql.dbapi as adbc

    with adbc.connect(server) as connection, connection.cursor() as cursor:
        cursor.execute('CREATE SCHEMA "mar keting"')
        cursor.execute(
            'CREATE TABLE "mar keting".people (card text, n numeric(9,2), at timestamptz, ok boolean)'
        )
        cursor.execute("""INSERT INTO "mar keting".people SELECT lpad(i::text, 4, '0'), i / 4.0, '2025-01-01', i % 2 = 0
                          FROM generate_series(0, 2999) AS i""")
        connection.commit()
    with ExitStack() as stack:
        settings = ScoreSettings(workspace=str(tmp_path), list=asked(server, "mar%20keting.people"))
        found, chosen = open_list(stack, settings)
        rows = [row for chunk in found.chunks(700) for row in chunk.rows]
        assert len(rows) == 3000
        assert (rows[5][0], str(rows[5][1]), rows[5][3]) == ("0005", "1.25", False)
        assert found.schema.field("ok").type == pa.bool_()
        assert chosen.out == str(tmp_path / "people-scored.csv")
    assert not list(tmp_path.glob(".scoring-*"))


def test_table_that_is_not_there_is_one_clear_line_without_a_password(server, tmp_path):
    with (
        ExitStack() as stack,
        pytest.raises(InputError, match=r"The table 'nowhere' cannot be read") as caught,
    ):
        open_list(stack, ScoreSettings(workspace=str(tmp_path), list=asked(server, "nowhere")))
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_server_that_does_not_answer_is_one_clear_line(tmp_path):
    words = "postgresql://ann:secret@127.0.0.1:9/crm/people"
    with ExitStack() as stack, pytest.raises(InputError, match="The table 'people' cannot be read") as caught:
        open_list(stack, ScoreSettings(workspace=str(tmp_path), list=words))
    assert "secret" not in str(caught.value)


def test_address_without_a_table_says_what_to_write():
    assert is_table("postgres://h/d/t")
    assert not is_table("customers.csv")
    with pytest.raises(InputError, match="DATABASE/TABLE; database or table is missing"):
        table_name("postgresql://host/crm")


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    root = tmp_path_factory.mktemp("toy")
    toy_store(root)
    silo = replace(
        SILO,
        attributes={"tier": "tier", "consent_email": "agreed"},
        contacts={**SILO.contacts, "city": "city"},
    )
    (root / "tickets.csv").write_text(
        "Tessera,mail,other,tel,at,tier,agreed,city\n"
        "007,,,,2025-01-01,gold,yes,Roma\n008,,,,2025-06-01,2,no,Roma\n009,,,,2025-06-11,gold,,Pisa\n"
    )
    return build_store(root, {"tickets": silo})


@pytest.mark.parametrize(
    ("segment", "cards"),
    [
        ("consent_email", ["007"]),
        ("not consent_email", ["008"]),  # no answer is unknown
        ("tier = 'gold'", ["007", "009"]),
        ("city = 'Roma' and tenure_days > 90", ["007"]),
        ("tenure_days between 0 and 15", ["008", "009"]),
    ],
)
def test_a_segment_is_the_list_of_customers_for_whom_a_condition_is_true(toy, segment, cards):
    workspace = toy.folder.parents[1]
    with ExitStack() as stack:
        customers, settings = open_list(stack, ScoreSettings(workspace=str(workspace), segment=segment))
        ids = [row[0] for chunk in customers.chunks(2) for row in chunk.rows]
    card_of = {row["customer_id"]: row["source_key"] for row in toy.read_crosswalk("card").to_pylist()}
    assert sorted(card_of[customer] for customer in ids) == cards
    assert settings.out.endswith("-scored.csv")
    assert not list(workspace.glob(".scoring-*"))


@pytest.mark.parametrize(
    ("segment", "message"),
    [
        ("tiers = 'gold'", "The segment asks for 'tiers'; did you mean 'tier'"),
        ("email = 'ann@x.org'", "The segment asks for 'email'"),
        ("tier", "gives a text; write a condition"),
        ("tier = 'lead'", "is true of none of 3 customers"),
        ("read_csv('/etc/passwd')", "which is not understood|Cannot read"),
        ("1; drop table x", "which is not understood"),
    ],
)
def test_a_segment_that_is_not_a_condition_is_refused_in_one_line(toy, segment, message):
    with ExitStack() as stack, pytest.raises((ConfigError, InputError), match=message):
        open_list(stack, ScoreSettings(workspace=str(toy.folder.parents[1]), segment=segment))


def test_a_list_and_a_segment_together_or_neither_are_refused():
    with pytest.raises(ConfigError, match="each say who is scored; give one"):
        ScoreSettings(list="a.csv", segment="tenure_days > 1")
    with ExitStack() as stack, pytest.raises(ConfigError, match="score needs a list of customers"):
        open_list(stack, ScoreSettings())
