"""Probabilistic identity on the road: a small CRM whose every tie is known."""

from datetime import datetime

import pyarrow.parquet as pq
import pytest

from sintonia.config import BuildSettings, EngineConfig, IdentityConfig, SiloConfig, SourceConfig
from sintonia.errors import ConfigError, InputError
from sintonia.interactions import open_store
from sintonia.pipelines import build

FIELDS = ("first_name", "last_name", "sex", "birth_date", "email", "phone", "street", "city")
CRM = SiloConfig(
    path="crm.csv",
    identifiers={"crm": "crm", "email": "email"},
    occurred_at="at",
    interactions={"kind": "'register'"},
    constants={"channel": "store"},
    contacts={field: field for field in FIELDS},
)
FIRST = ("Maria", "Luca", "Giorgia", "Paolo", "Chiara", "Dario", "Elena", "Franco", "Ida", "Nicola")
LAST = ("Rossi", "Bianchi", "Verdi", "Neri", "Gallo", "Conti", "Serra", "Fontana")


def person(number: int) -> list[str]:
    first, last = FIRST[number % 10], LAST[number % 8]
    email = f"{first}.{last}{number}@posta.it".lower()
    day = f"{1950 + number}-{number % 12 + 1:02d}-{number % 27 + 1:02d}"
    sex = "f" if first in ("Maria", "Giorgia", "Chiara", "Elena", "Ida") else "m"
    return [
        first,
        last,
        sex,
        day,
        email,
        f"34{number:02d}5{number * 7919 % 10**6:06d}",
        f"Via Po {number}",
        "Roma",
    ]


def write_crm(folder, people=40):
    """Every third person registers twice, under another e-mail and with a slip in the name."""
    lines = [f"crm,at,{','.join(FIELDS)}"]
    for number in range(people):
        lines.append(f"A{number},2025-01-{number % 28 + 1:02d},{','.join(person(number))}")
        if number % 3 == 0:
            again = person(number)
            again[1], again[4] = again[1][:-1], f"altra{number}@mail.it"
            lines.append(f"B{number},2025-03-{number % 28 + 1:02d},{','.join(again)}")
    return lines


def crosswalk(folder, lines, **identity):
    (folder / "crm.csv").write_text("\n".join(lines) + "\n")
    source = SourceConfig(name="toy", root=str(folder), today="2026-01-01", silos={"crm": CRM})
    config = IdentityConfig(**{"name": "probabilistic", "shareable": ["email", "phone"], **identity})
    workspace = str(folder / "workspace")
    build(BuildSettings(workspace=workspace, engine=EngineConfig(buckets=2), source=source, identity=config))
    rows = pq.read_table(open_store(folder / "workspace").folder / "crosswalk.parquet").to_pylist()
    return {row["source_key"]: row for row in rows if row["unlinked_at"] is None}


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
