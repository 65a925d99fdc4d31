"""Tombstones: what is written, and which rows it keeps out."""

import json
from dataclasses import replace

import duckdb
import pyarrow as pa
import pytest

from sintonia.core.config import SiloConfig
from sintonia.core.errors import InputError
from sintonia.core.paths import WorkspacePaths
from sintonia.data.privacy.tombstones import entomb, read_tombstones, refuse_erased
from sintonia.data.sources.silos import SiloReport

SILO = SiloConfig(
    path="x",
    identifiers={"crm": "crm", "email": "email"},
    interactions={"kind": "kind"},
    contacts={"last_name": "last"},
)
# identifiers, reason before, last name, raw text, and whether crm:1, email:a@x and a last name are enough to be erased
ROWS = [
    (["crm:1"], None, None, None, True),
    (["crm:1", "email:b@x"], None, None, None, True),
    (["crm:2", "email:a@x"], None, None, None, False),
    (["email:a@x"], None, None, None, True),
    (["email:b@x"], None, None, None, False),
    (["crm:1"], "unknown kind", None, '{"crm": 1}', True),
    ([], "no identifier", "Rossi", '{"last": "Rossi"}', True),
    ([], "no identifier", "Verdi", '{"last": "Verdi"}', False),
    (["crm:2"], None, "Rossi", None, False),
    (None, "line not readable", None, '9;"A@X";', True),
    (None, "line not readable", None, "9;x", False),
]


@pytest.fixture
def stones(tmp_path):
    entomb(tmp_path, ["crm:1", "email:a@x", "contact.last_name:rossi"])
    return read_tombstones(tmp_path)


def refuse(stones, shareable, silo=SILO):
    names = ("_keys", "reason", "c__last_name", "raw")
    table = pa.table(
        {
            name: pa.array([row[at] for row in ROWS], pa.list_(pa.string()) if at == 0 else pa.string())
            for at, name in enumerate(names)
        }
    )
    rejected = sum(row[1] is not None for row in ROWS)
    report = SiloReport("x", len(ROWS), len(ROWS) - rejected, rejected, 0, {"old": rejected}, None, ("view",))
    with duckdb.connect() as connection:
        connection.register("given", table)
        connection.execute("""
            CREATE TABLE mapped_x AS SELECT *, true AS _read, 'visit' AS i__kind,
                   CAST(NULL AS VARCHAR) AS _earlier__crm, CAST(NULL AS VARCHAR) AS _earlier__email FROM given""")
        found = refuse_erased(connection, report, silo, stones, shareable)
        return found, connection.execute("SELECT reason, raw FROM mapped_x ORDER BY rowid").fetchall()


def test_rows_of_who_was_forgotten_are_rejected_without_their_text_and_counted(stones):
    report, rows = refuse(stones, ["email"])
    assert [reason == "erased" for reason, _ in rows] == [row[4] for row in ROWS]
    assert {raw for reason, raw in rows if reason == "erased"} == {None}
    assert (report.stored, report.rejected) == (3, 8)
    assert report.reasons == {"erased": 6, "line not readable": 1, "no identifier": 1}
    assert report.kinds == ("visit",)


def test_where_no_identifier_is_shareable_each_one_says_whose_the_row_is(stones):
    _, rows = refuse(stones, [])
    assert [at for at, (reason, _) in enumerate(rows) if reason == "erased"] == [0, 1, 2, 3, 5, 6, 9]


def test_who_was_forgotten_under_an_earlier_spelling_stays_forgotten(tmp_path):
    entomb(tmp_path, ["crm:1001.0"])
    report = SiloReport("x", 3, 3, 0, 0, {}, None, ("visit",))
    silo = replace(SILO, identifiers={"crm": "crm"}, contacts={})
    with duckdb.connect() as connection:
        connection.execute("""
            CREATE TABLE mapped_x AS SELECT *, true AS _read, 'visit' AS i__kind, CAST(NULL AS VARCHAR) AS raw,
                   CAST(NULL AS VARCHAR) AS reason
            FROM (VALUES (['crm:1001'], '1001.0'), (['crm:1001'], NULL), (['crm:1002'], '1002.0'))
                AS rows(_keys, _earlier__crm)""")
        report = refuse_erased(connection, report, silo, read_tombstones(tmp_path), [])
        rows = connection.execute("SELECT reason FROM mapped_x ORDER BY rowid").fetchall()
    assert [reason for (reason,) in rows] == ["erased", None, None]
    assert (report.stored, report.reasons) == (2, {"erased": 1})


def test_without_tombstones_a_report_stays_as_it_was(tmp_path):
    report, rows = refuse(read_tombstones(tmp_path), ["email"])
    assert report.reasons == {"old": 5}
    assert "erased" not in {reason for reason, _ in rows}


def test_the_file_holds_salted_hashes_and_times_that_stay(tmp_path):
    path = entomb(tmp_path, ["crm:1"])
    first = json.loads(path.read_text())
    entomb(tmp_path, ["crm:1", "crm:2"])
    second = json.loads(path.read_text())
    assert first["salt"] == second["salt"]
    assert first["erased_at"].items() < second["erased_at"].items()
    assert "crm" not in path.read_text()
    assert read_tombstones(tmp_path).since("crm:2")
    assert read_tombstones(tmp_path).since("crm:3") is None
    other = tmp_path / "other"
    other.mkdir()
    assert not set(json.loads(entomb(other, ["crm:1"]).read_text())["erased_at"]) & set(first["erased_at"])


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"salt": "x"}'])
def test_a_file_that_cannot_be_read_stops_a_build(tmp_path, text):
    WorkspacePaths(tmp_path).tombstones.write_text(text)
    with pytest.raises(InputError, match="restore it from a backup before building"):
        read_tombstones(tmp_path)
