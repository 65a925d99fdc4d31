"""Probabilistic identity on the road: a small CRM whose every tie is known."""

from datetime import datetime

import pyarrow.parquet as pq
import pytest

from registrations import crosswalk, write_crm
from sintonia.api.pipelines import build
from sintonia.core.config import BuildSettings, IdentityConfig, SiloConfig, SourceConfig
from sintonia.core.errors import ConfigError, InputError


def test_a_second_registration_joins_the_first_from_its_own_arrival(tmp_path):
    found = crosswalk(tmp_path, write_crm(tmp_path))
    assert found["A0"]["rule"] == "first record"
    assert found["B0"]["customer_id"] == found["A0"]["customer_id"]
    assert (found["B0"]["rule"], found["B0"]["linked_at"]) == ("match", datetime(2025, 3, 1))
    assert 0.9 < found["B0"]["match_probability"] < 1
    assert len({row["customer_id"] for row in found.values()}) == 40


def test_an_address_of_two_people_glues_nobody_and_is_named(tmp_path):
    lines = write_crm(tmp_path)
    lines[1] = lines[1].replace("maria.rossi0@posta.it", "info@negozio.it")
    lines[3] = lines[3].replace("luca.bianchi1@posta.it", "info@negozio.it")
    found = crosswalk(tmp_path, lines)
    assert found["A0"]["customer_id"] != found["A1"]["customer_id"]
    assert found["info@negozio.it"]["customer_id"] == found["A0"]["customer_id"]
    (shared,) = pq.read_table(tmp_path / "workspace/identity/shared.parquet").to_pylist()
    assert (shared["source_key"], shared["refused"]) == ("info@negozio.it", 1)
    assert shared["shown"] == "i***@n******.i*"


def test_overrides_join_and_part(tmp_path):
    path = tmp_path / "overrides.csv"
    path.write_text(
        "left,right,decision\ncrm:A0,crm:B0,cannot-link\ncrm:A1,crm:A2,must-link\ncrm:X,crm:A1,must-link\n"
    )
    found = crosswalk(tmp_path, write_crm(tmp_path), overrides=str(path))
    assert found["A0"]["customer_id"] != found["B0"]["customer_id"]
    assert found["A1"]["customer_id"] == found["A2"]["customer_id"]
    assert found["A2"]["rule"] == "must-link"


def test_two_birth_dates_are_held_for_a_person_to_look_at(tmp_path):
    lines = write_crm(tmp_path)
    lines[2] = lines[2].replace("1950-01-01", "1987-11-24")
    found = crosswalk(tmp_path, lines)
    assert found["A0"]["customer_id"] != found["B0"]["customer_id"]
    (held,) = pq.read_table(tmp_path / "workspace/identity/held.parquet").to_pylist()
    assert {held["left"], held["right"]} == {"crm:A0", "crm:B0"}
    assert "birth_date different (1***-0*-0* / 1***-1*-2*)" in held["evidence"]
    merged = crosswalk(tmp_path, lines, hold_implausible=False)
    assert merged["A0"]["customer_id"] == merged["B0"]["customer_id"]


def test_without_person_records_identifiers_alone_tie(tmp_path):
    silo = SiloConfig(
        path="t.csv",
        identifiers={"card": "card"},
        occurred_at="at",
        interactions={"kind": "'purchase'"},
        constants={"channel": "store"},
    )
    (tmp_path / "t.csv").write_text("card,at\n1,2025-01-01\n2,2025-01-02\n")
    source = SourceConfig(name="toy", root=str(tmp_path), today="2026-01-01", silos={"t": silo})
    settings = BuildSettings(
        workspace=str(tmp_path / "w"), source=source, identity=IdentityConfig(name="probabilistic")
    )
    assert build(settings)["customers"] == 2
    assert not (tmp_path / "w/identity").exists()


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("left,right\n", InputError, "has no column 'decision'"),
        ("left,right,decision\ncrm:A0,crm:A1,mustlink\n", ConfigError, "did you mean 'must-link'"),
        (None, InputError, "No file"),
    ],
)
def test_overrides_that_cannot_be_read_say_why(tmp_path, text, error, message):
    path = tmp_path / "overrides.csv"
    if text:
        path.write_text(text)
    with pytest.raises(error, match=message):
        crosswalk(tmp_path, write_crm(tmp_path), overrides=str(path))
