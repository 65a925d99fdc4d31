"""Law 1 over the whole road: what was not yet known at as_of, identity links included, moves no feature by a bit."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builder import build_store
from sintonia.config import FeaturesConfig, SiloConfig, TaskConfig
from sintonia.training_set import assemble

START = datetime(2025, 1, 1)
AS_OF = START + timedelta(days=20)
TASK = TaskConfig(name="purchase", active_days=365, horizon_days=30)
CONFIG = FeaturesConfig(families=["rfm", "channel_mix", "kinds"], windows_days=[7, 15])
COMMON = {"occurred_at": "at", "known_at": "arrived", "constants": {"channel": "web"}}
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
            rest = f"{row['thread']},{row['kind']},{row['amount']}"
            lines.append(f"{row['id']},{at:%Y-%m-%d},{arrived:%Y-%m-%d},{keys},{rest}")
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")


def features_as_of(folder: Path, silos: dict[str, list[dict]]) -> dict[str, bytes]:
    folder.mkdir()
    write(folder, silos)
    store = build_store(folder, SILOS)
    rows = assemble(store, [AS_OF], CONFIG, TASK)
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
