"""Law 1 over the whole road: what was not yet known at as_of, identity links included, moves no feature by a bit.

Matched person records are part of it, the matcher's weights being frozen.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builder import build_store
from registrations import FIELDS, crosswalk, person, write_crm
from sintonia.core.config import FeaturesConfig, IdentityConfig, SiloConfig, TaskConfig
from sintonia.data.store import open_store
from sintonia.features import catalogue, fit
from sintonia.training.dataset import assemble

START = datetime(2025, 1, 1)
AS_OF = START + timedelta(days=20)
TASK = TaskConfig(name="purchase", active_days=365, horizon_days=30)
CONFIG = FeaturesConfig(families=["rfm", "channel_mix", "kinds", "profile", "identity"], windows_days=[7, 15])
COMMON = {"occurred_at": "at", "known_at": "arrived", "constants": {"channel": "web"}}
LEVELS = {
    "attribute": ("tier",),
    "attribute:tier": ("t", "u"),
    "changing": ("tier",),
    "consent": ("email",),
    "identifier": ("cookie", "account", "card"),
}
SILOS = {
    "web": SiloConfig(
        path="web.csv",
        identifiers={"cookie": "cookie", "account": "account"},
        interactions={"interaction_id": "id", "thread_id": "thread", "kind": "kind", "amount": "amount"},
        **COMMON,
    ),
    "crm": SiloConfig(
        path="crm.csv",
        identifiers={"account": "account", "card": "card"},
        interactions={"interaction_id": "id", "kind": "'register'"},
        attributes={"tier": "thread", "consent_email": "kind = 'view'"},
        **COMMON,
    ),
    "store": SiloConfig(
        path="store.csv",
        identifiers={"card": "card"},
        interactions={"interaction_id": "id", "thread_id": "thread", "kind": "kind", "amount": "amount"},
        **COMMON,
    ),
}

KEYS = st.sampled_from(["", "1", "2", "3"])
ROW = st.fixed_dictionaries(
    {
        "day": st.integers(0, 40),
        "late": st.sampled_from([0, 0, 0, 1, 9, 25]),
        "cookie": KEYS,
        "account": KEYS,
        "card": KEYS,
        "thread": st.sampled_from(["", "t", "u"]),
        "kind": st.sampled_from(["purchase", "view", "return"]),
        "amount": st.integers(-50, 50),
    }
)
ROWS = st.fixed_dictionaries({name: st.lists(ROW, max_size=12) for name in SILOS})
HEADER = "id,at,arrived,cookie,account,card,thread,kind,amount"


def write(folder: Path, silos: dict[str, list[dict]]) -> None:
    for name, rows in silos.items():
        lines = [HEADER]
        for row in rows:
            at = START + timedelta(days=row["day"])
            arrived = at + timedelta(days=row["late"])
            keys = f"{row['cookie']},{row['account']},{row['card']}"
            amount = -abs(row["amount"]) if row["kind"] == "return" else row["amount"]
            rest = f"{row['thread']},{row['kind']},{amount}"
            lines.append(f"{row['id']},{at:%Y-%m-%d},{arrived:%Y-%m-%d},{keys},{rest}")
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")


def features_as_of(folder: Path, silos: dict[str, list[dict]]) -> dict[str, bytes]:
    folder.mkdir()
    write(folder, silos)
    store = build_store(folder, SILOS)
    fitted = fit(CONFIG, store, AS_OF)
    levels = {**fitted.levels, **LEVELS}  # a brand of so few customers has no common values
    rows = assemble(store, [AS_OF], catalogue(CONFIG, replace(fitted, levels=levels)), TASK)
    return {
        customer: row.tobytes() for customer, row in zip(rows.customer_id.tolist(), rows.values, strict=True)
    }


def known(row: dict) -> bool:
    return START + timedelta(days=row["day"] + row["late"]) <= AS_OF


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(silos=ROWS, other=ROWS)
@pytest.mark.parametrize("change", ["delete", "replace"])
def test_what_was_not_yet_known_moves_no_feature(tmp_path_factory, change, silos, other):
    root = tmp_path_factory.mktemp("brand")
    anchor = {
        "day": 0,
        "late": 0,
        "cookie": "9",
        "account": "9",
        "card": "9",
        "thread": "",
        "kind": "view",
        "amount": 0,
    }
    numbered = {
        name: [{**row, "id": f"{name}{at}"} for at, row in enumerate([*rows, anchor])]
        for name, rows in silos.items()
    }
    past = {name: [row for row in rows if known(row)] for name, rows in numbered.items()}
    if change == "replace":
        for name, rows in other.items():
            future = [row for row in rows if not known(row)]
            past[name] = past[name] + [{**row, "id": f"{name}other{at}"} for at, row in enumerate(future)]
    assert features_as_of(root / "then", past) == features_as_of(root / "now", numbered)


PEOPLE = st.fixed_dictionaries(
    {
        "number": st.integers(0, 5),
        "crm": st.integers(0, 9),
        "day": st.integers(0, 40),
        "late": st.sampled_from([0, 0, 9, 25]),
        "slip": st.sampled_from(["", "last_name", "first_name", "birth_date", "swapped"]),
        "email": st.sampled_from(["own", "other", "shared", ""]),
        "phone": st.sampled_from(["own", "shared", ""]),
    }
)
MATCHED = {
    "crm": SiloConfig(
        path="crm.csv",
        identifiers={"crm": "crm", "email": "email", "phone": "phone"},
        interactions={"interaction_id": "id", "kind": "'register'"},
        contacts={field: field for field in FIELDS},
        **COMMON,
    )
}


def registration(row: dict) -> str:
    fields = dict(zip(FIELDS, person(row["number"]), strict=True))
    if row["slip"] == "swapped":
        fields["first_name"], fields["last_name"] = fields["last_name"], fields["first_name"]
    elif row["slip"]:
        fields[row["slip"]] = fields[row["slip"]][:-1] + "1"
    others = {"other": f"x{row['crm']}@mail.it", "shared": "casa@posta.it", "": ""}
    fields["email"] = others.get(row["email"], fields["email"])
    fields["phone"] = {"shared": "0612345678", "": ""}.get(row["phone"], fields["phone"])
    at = START + timedelta(days=row["day"])
    arrived = at + timedelta(days=row["late"])
    return f"{row['id']},K{row['crm']},{at:%Y-%m-%d},{arrived:%Y-%m-%d},{','.join(fields.values())}"


def matched_features(folder: Path, rows: list[dict], weights: Path) -> dict[str, bytes]:
    folder.mkdir()
    lines = [f"id,crm,at,arrived,{','.join(FIELDS)}", *map(registration, rows)]
    (folder / "crm.csv").write_text("\n".join(lines) + "\n")
    identity = IdentityConfig(name="probabilistic", shareable=["email", "phone"], weights=str(weights))
    store = build_store(folder, MATCHED, identity=identity)
    found = assemble(store, [AS_OF], catalogue(CONFIG, fit(CONFIG, store, AS_OF)), TASK)
    return {
        customer: row.tobytes()
        for customer, row in zip(found.customer_id.tolist(), found.values, strict=True)
    }


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    """The weights and frequencies learned from a whole brand."""
    folder = tmp_path_factory.mktemp("learned")
    crosswalk(folder, write_crm(folder, people=12))
    return open_store(folder / "workspace").folder / "identity"


def compare_matched(root: Path, weights: Path, rows: list[dict], other: list[dict]) -> None:
    numbered = [{**row, "id": f"r{at}"} for at, row in enumerate(rows)]
    past = [row for row in numbered if known(row)]
    changed = [{**row, "id": f"o{at}"} for at, row in enumerate(other) if not known(row)]
    now = matched_features(root / "now", numbered, weights)
    assert matched_features(root / "then", past + changed, weights) == now


ANCHOR = {
    "number": 0,
    "crm": 0,
    "day": 0,
    "late": 0,
    "slip": "",
    "email": "own",
    "phone": "own",
}


def anchored(rows: list[dict]) -> list[dict]:
    """With two registrations of one person, for the label kinds must be in the store."""
    return [ANCHOR, {**ANCHOR, "crm": 1, "day": 3, "email": "other"}, *rows]


@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=st.lists(PEOPLE, min_size=6, max_size=14), other=st.lists(PEOPLE, max_size=6))
def test_what_was_not_yet_known_moves_no_match(tmp_path_factory, weights, rows, other):
    compare_matched(tmp_path_factory.mktemp("matched"), weights, anchored(rows), other)


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=st.lists(PEOPLE, min_size=6, max_size=30), other=st.lists(PEOPLE, max_size=12))
def test_what_was_not_yet_known_moves_no_match_whatever_the_records(tmp_path_factory, weights, rows, other):
    compare_matched(tmp_path_factory.mktemp("matched"), weights, anchored(rows), other)
