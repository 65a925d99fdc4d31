"""Forgetting on a tiny brand whose every row is typed here."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter

from data.privacy.decoder import naming
from sintonia.api.pipelines import build, forget
from sintonia.cli import main
from sintonia.core.config import (
    BuildSettings,
    EngineConfig,
    ForgetSettings,
    IdentityConfig,
    SiloConfig,
    SourceConfig,
)
from sintonia.core.errors import ErasureError, InputError
from sintonia.data.identity import changes
from sintonia.data.identity.explanation import explain
from sintonia.data.privacy.erase import sweep
from sintonia.data.privacy.tombstones import entomb
from sintonia.data.store import open_store

CRM = SiloConfig(
    path="crm*.csv",
    identifiers={"crm": "crm", "phone": "phone"},
    occurred_at="at",
    interactions={"kind": "kind"},
    constants={"channel": "store"},
    contacts={"first_name": "first", "last_name": "last", "phone": "phone"},
)
ROWS = """crm,phone,at,kind,first,last,note
1,3335550000,2025-01-01,register,Maria,Rossi,
2,3335550000,2025-01-02,register,Luca,Rossi,
3,3335559999,2025-01-03,register,Ida,Bianchi,"two
lines"
1,,2025-01-04,dance,Maria,Rossi,
2,,2025-01-05,contact,Luca,Rossi,
"""
SHARING = IdentityConfig(name="probabilistic", shareable=["phone"])


def settings_of(folder, rows=ROWS):
    """A brand whose raw silo lies in `folder`, its workspace beside it."""
    (folder / "brand").mkdir(parents=True)
    (folder / "brand/crm.csv").write_text(rows, encoding="utf-8")
    source = SourceConfig(name="toy", root=str(folder / "brand"), today="2026-01-01", silos={"crm": CRM})
    engine = EngineConfig(buckets=2)
    return BuildSettings(workspace=str(folder / "w"), engine=engine, source=source, identity=SHARING)


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    folder = tmp_path_factory.mktemp("once")
    build(settings_of(folder))
    return folder


@pytest.fixture
def built(once, tmp_path):
    """The brand once it is built, for a test of its own."""
    shutil.copytree(once / "w", tmp_path / "w")
    return settings_of(tmp_path)


def remove(built, customer):
    return forget(ForgetSettings(workspace=built.workspace, source=built.source, customer=customer))


def owners(built, kind):
    rows = open_store(built_folder(built)).read_crosswalk(kind).to_pylist()
    return {row["source_key"]: row["customer_id"] for row in rows}


def built_folder(built):
    return Path(built.workspace)


def test_a_telephone_that_others_use_too_goes_on_for_them(built, tmp_path):
    shutil.move(tmp_path / "brand", tmp_path / "w/silos")
    built = replace(built, source=replace(built.source, root=str(tmp_path / "w/silos")))
    before = owners(built, "crm")
    assert owners(built, "phone")["3335550000"] == before["1"]
    figures = remove(built, "crm:1")
    assert (figures["shared_identifiers"], figures["customers"]) == (1, 2)
    left = (tmp_path / "w/silos/crm.csv").read_text().splitlines()
    assert left == [line for line in ROWS.splitlines() if not line.startswith("1,")]
    build(built)
    assert owners(built, "crm") == {"2": before["2"], "3": before["3"]}
    assert owners(built, "phone")["3335550000"] == before["2"]


def test_an_id_that_a_shared_identifier_conferred_goes_to_nobody_else(tmp_path):
    phone_first = ROWS.replace("1,3335550000,2025-01-01", ",3335550000,2025-01-01")
    built = settings_of(tmp_path, phone_first + "1,3335550000,2025-01-02,contact,Maria,Rossi,\n")
    build(built)
    customer = owners(built, "phone")["3335550000"]
    remove(built, customer)
    build(built)
    assert customer not in open_store(built_folder(built)).customer_ids()


def test_builds_that_decide_a_part_tell_of_nobody_forgotten_and_decide_the_others_anew(
    built, tmp_path, monkeypatch
):
    monkeypatch.setattr(changes, "MOST_CHANGED", 1e9)
    before = owners(built, "crm")
    with (tmp_path / "brand/crm.csv").open("a") as file:
        file.write("4,3335550000,2025-02-01,register,Ugo,Neri,\n")
    build(built)
    identity = open_store(built_folder(built)).folder / "identity"
    assert (identity / "nodes.1.parquet").is_file()
    remove(built, "crm:1")
    assert naming(built_folder(built), {before["1"].lower()}) == {}
    build(built)
    after = owners(built, "crm")
    assert {key: after[key] for key in ("2", "3")} == {key: before[key] for key in ("2", "3")}
    assert sorted(after) == ["2", "3", "4"]
    assert owners(built, "phone")["3335550000"] == before["2"]
    assert explain(open_store(built_folder(built)).folder, "phone:3335550000").refused != []


def test_an_identifier_is_found_as_its_silo_writes_it(tmp_path):
    built = settings_of(tmp_path)
    posts = SiloConfig(
        path="posts.csv",
        identifiers={"handle": "lower(ltrim(Autore, '@'))", "crm": "Codice cliente"},
        occurred_at="at",
        interactions={"kind": "'contact'"},
        constants={"channel": "social"},
    )
    raw = tmp_path / "w/silos"
    shutil.copytree(tmp_path / "brand", raw)
    (raw / "posts.csv").write_text(
        "Autore,Codice cliente,at\n@Ida,3,2025-01-08\n@IDA,,2025-01-09\n@Idae,,2025-01-09\nx,13,2025-01-09\n"
    )
    silos = {**built.source.silos, "posts": posts}
    built = replace(
        built, source=replace(built.source, root=str(raw), silos=silos), identity=IdentityConfig()
    )
    build(built)
    assert remove(built, "crm:3")["removed"]["silos/posts.csv"] == 2
    assert (raw / "posts.csv").read_text() == "Autore,Codice cliente,at\n@Idae,,2025-01-09\nx,13,2025-01-09\n"


def test_an_identifier_is_found_and_kept_out_in_every_spelling_of_its_silo(tmp_path):
    mail = replace(CRM, path="mail.csv", identifiers={"crm": "crm", "email": "mail"}, contacts={})
    raw = tmp_path / "w/silos"
    raw.mkdir(parents=True)
    header = "crm,mail,at,kind\n"
    theirs = "7.0,Mia <Mia@Exämple.org>,2025-01-01,register\n7,,2025-01-02,dance\n"
    theirs += " ,mailto:mia@exämple.org,2025-01-03,contact\n"
    others = "70,mia@example.org,2025-01-04,contact\n"
    (raw / "mail.csv").write_text(header + theirs + others, encoding="utf-8")
    source = SourceConfig(name="toy", root=str(raw), today="2026-01-01", silos={"mail": mail})
    built = replace(settings_of(tmp_path), source=source, identity=IdentityConfig())
    build(built)
    assert owners(built, "email").keys() == {"mia@xn--exmple-cua.org", "mia@example.org"}
    remove(built, "email:MIA@exämple.org")
    assert (raw / "mail.csv").read_text(encoding="utf-8") == header + others
    (raw / "mail.csv").write_text(header + theirs + others, encoding="utf-8")
    told = build(built)["silos"]["mail"]
    assert (told["stored"], told["reasons"]) == (1, {"erased": 3})
    assert owners(built, "crm").keys() == {"70"}


def test_who_was_forgotten_by_what_is_a_placeholder_today_is_found_in_any_letters(built, tmp_path):
    entomb(tmp_path / "w", ["email:noemail@x.it"])
    assert remove(built, "email: NoEmail@X.it ")["removed"] == {}


def test_a_short_number_is_a_trace_where_identifiers_stand_and_nowhere_else(built, tmp_path):
    (tmp_path / "w/list.csv").write_text("crm;visits\n1;9\n2;1\n3;1\n")
    assert remove(built, "crm:1")["removed"]["list.csv"] == 1
    assert (tmp_path / "w/list.csv").read_text() == "crm;visits\n2;1\n3;1\n"


def test_a_rejected_row_stays_without_its_text(built, tmp_path):
    path = tmp_path / "w/rejected/crm.parquet"
    (row,) = pq.read_table(path).to_pylist()
    assert row["reason"] == "unknown kind dance"
    remove(built, "crm:1")
    (blank,) = pq.read_table(path).to_pylist()
    assert blank == {**row, "reason": "erased", "raw": None}
    (silo,) = open_store(tmp_path / "w").silos
    assert (dict(silo.reasons), silo.rejected) == ({"erased": 1}, 1)


def test_rows_of_who_was_forgotten_are_rejected_when_they_come_back(built, tmp_path):
    figures = remove(built, "crm:3")
    assert figures["left_alone"] == [str((tmp_path / "brand").resolve())]
    late = ROWS + "3,3335551234,2025-01-06,contact,Ida,Bianchi,\n4,3335559999,2025-01-07,register,Ada,Neri,\n"
    (tmp_path / "brand/crm.csv").write_text(late)
    told = build(built)
    assert told["silos"]["crm"]["reasons"] == {"erased": 2, "unknown kind dance": 1}
    assert told["silos"]["crm"]["rows"] == told["silos"]["crm"]["stored"] + 3
    # The telephone is shareable: the person who has it now is somebody else.
    assert set(owners(built, "crm")) == {"1", "2", "4"}
    assert naming(tmp_path / "w", {"bianchi", "3335551234"}) == {}


def test_a_line_nobody_can_read_does_not_bring_an_identifier_back(built, tmp_path):
    remove(built, "crm:3")
    (tmp_path / "brand/crm.csv").write_text(ROWS + "2,x,x\n3,3335559999,one,cell,too,many,for,this\n")
    reasons = build(built)["silos"]["crm"]["reasons"]
    assert (reasons["erased"], reasons["line not readable"]) == (2, 1)
    assert naming(tmp_path / "w", {"3335559999"}) == {}


def test_a_file_that_cannot_be_cleaned_is_named_and_the_tombstone_stands(built, tmp_path):
    (customer,) = {owner for key, owner in owners(built, "crm").items() if key == "3"}
    (tmp_path / "w/memo.json").write_text(json.dumps({"call": ["3335559999"]}))
    with pytest.raises(ErasureError, match=r"1 of \d+ files .* still tell of this customer: memo.json; "):
        remove(built, customer)
    assert customer not in open_store(tmp_path / "w").customer_ids()
    with pytest.raises(ErasureError, match=r"memo.json"):
        remove(built, "phone:3335559999")
    (tmp_path / "w/memo.json").unlink()
    assert remove(built, customer)["removed"] == {}


@pytest.mark.parametrize("row_by_row", [True, False], ids=["inline strings", "shared strings"])
@pytest.mark.parametrize("cell", ["3335559999", 3335559999, "=3335559999"])
def test_an_excel_file_that_tells_of_them_is_named_and_scores_lose_their_rows(
    built, tmp_path, cell, row_by_row
):
    whose = owners(built, "crm")
    for name, value in (("list.xlsx", cell), ("others.xlsx", "3335550000")):
        with xlsxwriter.Workbook(str(tmp_path / "w" / name), {"constant_memory": row_by_row}) as book:
            sheet = book.add_worksheet()
            sheet.write_row(0, 0, ["note", "phone"])
            sheet.write(1, 1, value)
    scores = tmp_path / "w/scores/list/0123456789abcdef.parquet"
    scores.parent.mkdir(parents=True)
    pq.write_table(pa.table({"customer_id": [whose["2"], whose["3"]], "outcome": [0.25, 0.5]}), scores)
    with pytest.raises(ErasureError, match=r"1 of \d+ files .* still tell of this customer: list.xlsx; "):
        remove(built, whose["3"])
    assert pq.read_table(scores).to_pylist() == [{"customer_id": whose["2"], "outcome": 0.25}]
    (tmp_path / "w/list.xlsx").unlink()
    remove(built, whose["3"])
    assert naming(tmp_path / "w", {whose["3"], "3335559999"}) == {}
    assert (tmp_path / "w/others.xlsx").is_file()


def test_links_out_of_the_workspace_are_left_alone_and_named(built, tmp_path):
    (tmp_path / "w/silos").symlink_to(tmp_path / "brand")
    (tmp_path / "w/crm.csv").symlink_to(tmp_path / "brand/crm.csv")
    figures = remove(built, "crm:1")
    assert figures["left_alone"] == [str(tmp_path / "brand"), str(tmp_path / "brand/crm.csv")]
    assert (tmp_path / "brand/crm.csv").read_text() == ROWS


def test_nobody_by_that_name_is_one_line_that_repeats_and_names_nobody(built, capsys):
    for asked in ("nobody@posta.it", "phone:nobody@posta.it", "phon:nobody@posta.it"):
        assert main(["forget", f"workspace={built.workspace}", f"customer={asked}"]) == 2
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 3
    assert "nobody@posta.it" not in said
    assert "did you mean 'phone'?" in said
    assert not [owner for owner in owners(built, "crm").values() if owner in said]


def test_a_run_at_work_is_waited_for_and_what_a_killed_one_left_goes(tmp_path, monkeypatch):
    for name in (".scratch-a", ".scratch-b"):
        (tmp_path / name).mkdir()
        duckdb.connect(str(tmp_path / name / "scratch.duckdb")).close()
    (tmp_path / ".list.csv.part").write_text("half")

    def busy(path):
        raise duckdb.IOException(f"Could not set lock on file {path}")

    with monkeypatch.context() as patch:
        patch.setattr("sintonia.data.privacy.erase.duckdb.connect", busy)
        with pytest.raises(InputError, match="A run is at work"):
            sweep(tmp_path)
    assert len(list(tmp_path.iterdir())) == 3
    sweep(tmp_path)
    assert list(tmp_path.iterdir()) == []
