"""Builds that go on from earlier ones: what was decided stands, what is new joins, every id leads somewhere."""

from datetime import datetime

import duckdb
import pyarrow.compute as pc
import pytest

from registrations import CRM, crosswalk, person, write_crm
from sintonia.api.pipelines import build
from sintonia.core.config import BuildSettings, EngineConfig, IdentityConfig, SiloConfig, SourceConfig
from sintonia.core.errors import InputError
from sintonia.data.identity.previous_build import fingerprints, standing
from sintonia.data.store import open_store

WEB = SiloConfig(
    path="web.csv",
    identifiers={"cookie": "cookie", "account": "account"},
    occurred_at="at",
    interactions={"kind": "'view'"},
    constants={"channel": "web"},
)


def read(folder, name):
    path = open_store(folder / "workspace").folder / f"{name}.parquet"
    return duckdb.sql(f"FROM {standing(path)}").to_arrow_table()


def again(number, crm, at):
    fields = person(number)
    fields[1], fields[4] = fields[1][:-1], f"{crm}@mail.it".lower()
    return f"{crm},{at},{','.join(fields)}"


def build_web(folder, lines, **identity):
    (folder / "web.csv").write_text("\n".join(["cookie,account,at", *lines]) + "\n")
    source = SourceConfig(name="toy", root=str(folder), today="2026-01-01", silos={"web": WEB})
    build(
        BuildSettings(
            workspace=str(folder / "workspace"),
            engine=EngineConfig(buckets=2),
            source=source,
            identity=IdentityConfig(**identity),
        )
    )
    rows = read(folder, "crosswalk").to_pylist()
    return {row["source_key"]: row["customer_id"] for row in rows if row["unlinked_at"] is None}


def test_new_records_join_by_the_weights_there_were_and_old_ones_stay_where_they_are(tmp_path):
    lines = write_crm(tmp_path)
    first = crosswalk(tmp_path, lines)
    weights = read(tmp_path, "identity/weights")
    more = [again(1, "N1", "2025-04-01"), f"N2,2025-04-02,{','.join(person(77))}"]
    second = crosswalk(tmp_path, lines + more)
    assert {key: second[key] for key in first} == first
    assert second["N1"]["customer_id"] == first["A1"]["customer_id"]
    assert (second["N1"]["rule"], second["N1"]["linked_at"]) == ("match", datetime(2025, 4, 1))
    assert second["N2"]["customer_id"] not in {row["customer_id"] for row in first.values()}
    assert read(tmp_path, "identity/weights").equals(weights)


def test_a_build_of_the_same_silos_again_changes_nothing(tmp_path):
    lines = write_crm(tmp_path)
    first = crosswalk(tmp_path, lines)
    tables = ("interactions/bucket-0000", "crosswalk", "merges", "identity/pairs", "identity/records")
    before = {name: read(tmp_path, name).to_pylist() for name in tables}
    fingerprint = open_store(tmp_path / "workspace").fingerprint
    assert crosswalk(tmp_path, lines) == first
    assert {name: read(tmp_path, name).to_pylist() for name in tables} == before
    assert open_store(tmp_path / "workspace").fingerprint == fingerprint
    assert read(tmp_path, "identity/log").num_rows == 0


def test_a_new_record_that_ties_two_old_customers_merges_them_and_the_log_says_so(tmp_path):
    first = build_web(tmp_path, ["1,,2025-01-01", "2,a,2025-01-02"])
    assert first["1"] != first["2"]
    second = build_web(tmp_path, ["1,,2025-01-01", "2,a,2025-01-02", "1,a,2025-01-05"])
    assert set(second.values()) == {first["1"]}
    (merge,) = read(tmp_path, "identity/log").to_pylist()
    assert merge == {
        "customer_id": first["2"],
        "change": "merge",
        "other_customer_id": first["1"],
        "identifiers": 2,
        "changed_at": datetime(2025, 1, 5),
    }
    assert read(tmp_path, "merges").to_pylist()[0]["merged_into"] == first["1"]


def test_an_id_survives_its_first_identifier_and_what_came_late_from_long_ago(tmp_path):
    first = build_web(tmp_path, ["1,a,2025-01-01", "2,a,2025-01-02"])
    without = build_web(tmp_path, ["2,a,2025-01-02"])
    assert without == {"2": first["1"], "a": first["1"]}
    older = build_web(tmp_path, ["2,a,2025-01-02", "9,a,2024-01-01"])
    assert set(older.values()) == {first["1"]}


def test_a_decision_to_part_two_records_splits_their_customer_and_the_log_says_so(tmp_path):
    lines = write_crm(tmp_path)
    first = crosswalk(tmp_path, lines)
    path = tmp_path / "overrides.csv"
    path.write_text("left,right,decision\ncrm:A0,crm:B0,cannot-link\n")
    second = crosswalk(tmp_path, lines, overrides=str(path))
    assert second["A0"]["customer_id"] == first["A0"]["customer_id"] != second["B0"]["customer_id"]
    (split,) = read(tmp_path, "identity/log").to_pylist()
    assert (split["customer_id"], split["change"]) == (first["A0"]["customer_id"], "split")
    assert (split["other_customer_id"], split["identifiers"]) == (second["B0"]["customer_id"], 2)
    assert {key: row for key, row in second.items() if key[1:] != "0" and "0@" not in key} == {
        key: row for key, row in first.items() if key[1:] != "0" and "0@" not in key
    }


def test_ids_of_customers_long_merged_still_lead_to_the_one_they_are(tmp_path):
    first = build_web(tmp_path, ["1,,2025-01-01", "2,a,2025-01-02", "3,b,2025-01-03"])
    build_web(tmp_path, ["1,,2025-01-01", "2,a,2025-01-02", "3,b,2025-01-03", "2,b,2025-02-01"])
    last = ["1,,2025-01-01", "2,a,2025-01-02", "3,b,2025-01-01", "2,b,2025-01-01", "1,a,2025-01-01"]
    build_web(tmp_path, last)
    leads = {row["customer_id"]: row["merged_into"] for row in read(tmp_path, "merges").to_pylist()}
    assert leads[first["2"]] == leads[first["3"]] == first["1"]


def test_an_identifier_first_used_by_an_old_customer_stays_with_them(tmp_path):
    lines = write_crm(tmp_path)
    first = crosswalk(tmp_path, lines)
    thief = f"Z9,2024-12-01,{','.join([*person(55)[:4], person(1)[4], *person(55)[5:]])}"
    second = crosswalk(tmp_path, [*lines, thief])
    assert {key: second[key]["customer_id"] for key in first} == {
        key: row["customer_id"] for key, row in first.items()
    }
    assert second["Z9"]["customer_id"] != first["A1"]["customer_id"]


def test_another_source_in_the_same_workspace_starts_afresh(tmp_path):
    build_web(tmp_path, ["1,a,2025-01-01"])
    (tmp_path / "crm.csv").write_text("\n".join(write_crm(tmp_path)) + "\n")
    source = SourceConfig(name="other", root=str(tmp_path), today="2026-01-01", silos={"crm": CRM})
    build(BuildSettings(workspace=str(tmp_path / "workspace"), source=source))
    assert read(tmp_path, "identity/log").num_rows == 0


def test_weights_of_another_workspace_score_here_without_learning(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    crosswalk(tmp_path / "one", write_crm(tmp_path))
    weights = open_store(tmp_path / "one/workspace").folder / "identity"
    found = crosswalk(tmp_path / "other", write_crm(tmp_path, people=9), weights=str(weights))
    assert found["B0"]["customer_id"] == found["A0"]["customer_id"]
    assert read(tmp_path / "other", "identity/weights").equals(read(tmp_path / "one", "identity/weights"))


def test_weights_that_are_not_there_are_asked_for(tmp_path):
    with pytest.raises(InputError, match=r"No weights in identity\.weights="):
        crosswalk(tmp_path, write_crm(tmp_path), weights=str(tmp_path / "nowhere"))


def test_learning_anew_keeps_the_ids(tmp_path):
    lines = write_crm(tmp_path)
    first = crosswalk(tmp_path, lines)
    assert crosswalk(tmp_path, lines, relearn=True) == first


def test_overrides_are_known_by_what_they_say(tmp_path):
    path = tmp_path / "overrides.csv"
    config = IdentityConfig(overrides=str(path))
    path.write_text("left,right,decision\n")
    before = fingerprints(config)
    path.write_text("left,right,decision\ncrm:1,crm:2,must-link\n")
    assert fingerprints(config)["decisions"] != before["decisions"]
    assert fingerprints(config)["scores"] == before["scores"]


def test_a_folder_with_an_apostrophe_is_built_in_twice(tmp_path):
    folder = tmp_path / "l'ordine"
    folder.mkdir()
    first = build_web(folder, ["1,a,2025-01-01"])
    assert build_web(folder, ["1,a,2025-01-01", "2,a,2025-01-02"])["2"] == first["1"]


def test_what_was_held_under_other_rules_is_asked_again(tmp_path):
    lines = write_crm(tmp_path)
    lines[2] = lines[2].replace("1950-01-01", "1987-11-24")
    crosswalk(tmp_path, lines)
    assert pc.sum(read(tmp_path, "identity/pairs")["held"]).as_py() == 1
    crosswalk(tmp_path, lines, match_probability=0.999999)
    assert pc.sum(read(tmp_path, "identity/pairs")["held"]).as_py() == 0


def test_a_model_that_compares_in_other_degrees_does_not_stand(monkeypatch):
    before = fingerprints(IdentityConfig())
    monkeypatch.setattr("sintonia.data.identity.previous_build.comparisons", lambda fields: ())
    assert fingerprints(IdentityConfig())["scores"] != before["scores"]
