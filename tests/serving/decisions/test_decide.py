"""A round decided on a store: what was refused and why, what is written, and that it repeats."""

import json
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from builder import build_store
from serving.decisions.small import (
    NOON,
    ago,
    decided,
    effects_file,
    event,
    random_effects,
    said,
    send,
    small_store,
)
from sintonia.api import pipelines
from sintonia.core.config import ActionConfig as Action
from sintonia.core.config import (
    CapacityConfig,
    ContactLimitConfig,
    DecideSettings,
    EngagementConfig,
    EngineConfig,
    FeaturesConfig,
    ForgetSettings,
    PauseConfig,
    RuleConfig,
    SendConfig,
    SiloConfig,
    SourceConfig,
)
from sintonia.core.errors import ConfigError, InputError, NotBuiltError
from sintonia.core.schema import DECISIONS
from sintonia.data.store import open_store
from sintonia.serving.decisions.decide import decide_round, propose
from sintonia.serving.decisions.explanations import explain_decision, explanation_lines

ACTIONS = {
    "mail": Action("email", 0.02),
    "call": Action("phone", 3.5, selling=False),
}
POLICY = EngagementConfig(
    name="toy",
    rules={
        "adults": RuleConfig("eligibility", "birth_year <= 2008", because="of age"),
        "waiting": RuleConfig("applicability", "open_complaint", ["call"], "only who waits"),
        "buyers": RuleConfig("suitability", "rfm__orders__365d >= 1", ["mail"]),
    },
    contact_limits={"one_a_week": ContactLimitConfig(at_most=1, rolling_days=7)},
    pauses={"silent": PauseConfig(after_refusals=2, days=30, channel="email")},
    holdout_share=0,
    explore_share=0,
    send=SendConfig(people_like=["sex"]),
)
FEATURES = FeaturesConfig(families=["rfm"], windows_days=[365])
CONSENTS = ("consent_email", "consent_phone")


def _settings(path, policy=POLICY, **more) -> DecideSettings:
    engine = EngineConfig(threads=more.pop("threads", 1), memory_gib=0.5)
    made = {"decided_at": NOON.isoformat(), "round": "r2", "features": FEATURES, "engine": engine} | more
    return DecideSettings(**{"actions": ACTIONS, "effects_table": str(path), "engagement": policy, **made})


def _people(*names, **attributes):
    """Consenting adults, and what else is said of all of them."""
    told = {"birth_year": "1980", "consent_email": "yes", "consent_phone": "yes"} | attributes
    return [said(who, name, value) for who in names for name, value in told.items() if value]


def _bought(*names):
    return [event(who, 50, "purchase", channel="web") for who in names]


def _decide(folder, interactions, attributes, effects, policy=POLICY, **more):
    decisions = more.pop("decisions", [])
    store = small_store(folder, interactions, attributes, decisions)
    path = effects_file(folder / "effects.parquet", effects)
    return store, decide_round(store, _settings(path, policy, **more))


def _written(store, name="r2"):
    rows = pq.read_table(store.rounds / f"{name}.parquet").to_pylist()
    why = pq.read_table(store.rounds / "why" / f"{name}.parquet").to_pylist()
    return {row["customer_id"]: row for row in rows}, {row["customer_id"]: row for row in why}


def test_each_check_refuses_its_own_and_says_so(tmp_path):
    names = ("GOOD", "YOUNG", "SILENT", "TIRED", "WAITS", "NEW", "UNASKED")
    interactions = [
        *_bought(*(name for name in names if name != "NEW")),
        event("NEW", 40, "visit"),
        send("TIRED", 3),
        *(send("SILENT", days) for days in (20, 10)),
        event("WAITS", 5, "complaint", thread_id="case"),
    ]
    attributes = [
        *_people("GOOD", "SILENT", "TIRED", "WAITS", "NEW"),
        *_people("YOUNG", birth_year="2012"),
        *_people("UNASKED", consent_email="", consent_phone="no"),
    ]
    effects = {name: {"mail": 5.0, "call": 9.0} for name in names}
    store, found = _decide(tmp_path, interactions, attributes, effects)
    rows, why = _written(store)
    assert {who: row["action_id"] for who, row in rows.items()} == {
        "GOOD": "mail",
        "WAITS": "call",
        **dict.fromkeys(("YOUNG", "SILENT", "TIRED", "NEW", "UNASKED"), "none"),
    }
    refused = {who: row["refused"] for who, row in why.items()}
    assert refused["GOOD"] == "call: only who waits"
    assert refused["YOUNG"] == "mail: of age; call: of age, only who waits"
    assert refused["SILENT"] == "mail: silent; call: only who waits"
    assert refused["TIRED"] == "mail: one a week; call: only who waits, one a week"
    assert refused["WAITS"] == "mail: a complaint is open"
    assert refused["NEW"] == "mail: only where rfm__orders__365d >= 1; call: only who waits"
    assert refused["UNASKED"] == "mail: no consent to email; call: no consent to phone, only who waits"
    counts, pairs = found.refusals.counts(), 2 * len(names)
    assert sum(counts.values()) + 2 == pairs
    assert {name: count for name, count in counts.items() if count} == {
        "consent_email": 1,
        "consent_phone": 1,
        "adults": 2,
        "waiting": 4,
        "buyers": 1,
        "silent": 1,
        "one_a_week": 1,
        "open_complaint": 1,
    }
    assert why["GOOD"]["passed"] == (
        "consent_email, adults, buyers, one_a_week, silent, open_complaint, no_effect, no_hour"
    )


def test_a_decision_has_all_the_contract_asks_for(tmp_path):
    live = [decided("A", "r1", 3), decided("A", "r0", 9, reward_until=ago(1)), decided("A", "rx", None)]
    policy = EngagementConfig(**{**vars(POLICY), "contact_limits": {}, "explore_share": 1.0})
    store, _ = _decide(
        tmp_path, _bought("A"), _people("A"), {"A": {"mail": 5, "call": 1}}, policy, decisions=live
    )
    assert pq.read_schema(store.rounds / "r2.parquet").equals(DECISIONS.arrow())
    (row,) = _written(store)[0].values()
    assert row["eligible_actions"] == ["none", "mail"]
    assert row["logging_propensities"] == [0.5, 0.5]
    assert (row["arm"], row["round_id"], row["unit"], row["sent_at"]) == ("explore", "r2", None, None)
    assert row["cost"] == (2 if row["action_id"] == "mail" else 0)
    assert row["live_decision_ids"] == ["r1-A"]
    assert (row["decided_at"], row["as_of"]) == (NOON, NOON.replace(hour=0))
    assert row["reward_until"] == NOON + timedelta(days=28)
    assert row["policy_version"].startswith("toy-")


def test_the_list_names_whom_to_contact_when_and_why_by_the_key_asked_for(tmp_path):
    interactions = [*_bought("A", "B"), event("A", 30.75, "purchase", utc_offset_minutes=0)]
    effects = {"A": {"mail": 5, "call": 1}, "B": {"mail": -5, "call": 1}}
    _, found = _decide(tmp_path, interactions, _people("A", "B"), effects, key="crm")
    (row,) = pyarrow.csv.read_csv(found.files[-1]).to_pylist()
    assert (row["crm"], row["action_id"], row["channel"]) == ("KA", "mail", "email")
    assert datetime.fromisoformat(str(row["send_at_utc"])).replace(tzinfo=None) > NOON
    assert row["why"] == "worth 4.98 EUR = 1.00 x 5.0000 x 1.00 - 0.02; doing nothing is 4.98 EUR behind"


def test_a_customer_is_told_why_also_by_a_former_id(tmp_path):
    interactions = [*_bought("A"), event("A", 30.75, "purchase", utc_offset_minutes=120)]
    merges = [{"customer_id": "OLD", "merged_into": "A", "merged_at": ago(5)}]
    store = small_store(tmp_path, interactions, _people("A"), merges=merges)
    policy = EngagementConfig(**{**vars(POLICY), "rules": {}})
    path = effects_file(tmp_path / "effects.parquet", {"A": {"mail": 5, "call": 7}})
    decide_round(store, _settings(path, policy))
    assert explanation_lines(explain_decision(store, "OLD", None), "EUR") == [
        "Round r2, customer A, arm policy: mail",
        "  on email, at 2026-07-05 20:00 in the customer's time zone",  # the Sunday: it came on a Sunday at 20
        "  worth 4.98 EUR = value 1.00 x effect 5.0000 x lever 1.00 - cost 0.02; its limits cost "
        "0.00 EUR at shadow prices",
        "  next best: call, 1.48 EUR behind at these shadow prices",
        "    it would have won with an effect of 8.4800, or 1.48 EUR cheaper",
        "  passed: consent_email, one_a_week, silent, open_complaint, no_effect, no_hour",
    ]
    table = pq.read_table(path)
    bounds = {"effect_low": [-1.5, float("-inf")], "effect_high": [8.0, 9.0]}
    pq.write_table(pa.table({**{name: table[name] for name in table.column_names}, **bounds}), path)
    decide_round(store, _settings(path, policy, round="r3"))
    assert (
        "effect 5.0000 [-1.5000, 8.0000] x" in explanation_lines(explain_decision(store, "A", "r3"), "EUR")[2]
    )
    with pytest.raises(NotBuiltError, match="did you mean"):
        explain_decision(store, "A", "r1")
    with pytest.raises(InputError, match="has no decision for a customer 'B'"):
        explain_decision(store, "B", "r2")


def _many(folder: Path, count: int = 60):
    rng = np.random.default_rng(4)
    names = [f"C{at:03d}" for at in range(count)]
    interactions = [*_bought(*names), *(send(who, rng.uniform(1, 20)) for who in names[::3])]
    store = small_store(folder, interactions, _people(*names))
    return store, random_effects(folder / "effects.parquet", names, ["mail", "call"], 5), names


def test_the_order_of_the_effects_and_the_threads_change_no_byte(tmp_path):
    policy = EngagementConfig(
        **{**vars(POLICY), "rules": {}, "holdout_share": 0.1, "explore_share": 0.2, "budget": 20.0}
    )
    store, path, _ = _many(tmp_path)
    files = decide_round(store, _settings(path, policy)).files
    before = [file.read_bytes() for file in files]
    table = pq.read_table(path)
    order = np.random.default_rng(1).permutation(len(table))
    pq.write_table(table.take(pa.array(order)), path)
    again = decide_round(store, _settings(path, policy, threads=2)).files
    assert [file.read_bytes() for file in again] == before
    assert len(set(Counter(pq.read_table(files[0])["arm"].to_pylist()))) == 3


def test_who_was_reached_stays_as_decided_and_takes_from_the_capacity(tmp_path):
    policy = EngagementConfig(
        **{**vars(POLICY), "rules": {}, "capacities": {"mails": CapacityConfig(at_most=5, channel="email")}}
    )
    store, path, _ = _many(tmp_path)
    first = decide_round(store, _settings(path, policy))
    rows, _ = _written(store)
    mailed = sorted(who for who, row in rows.items() if row["action_id"] == "mail")
    assert len(mailed) == 5
    told = pq.read_table(store.rounds / "r2.parquet").to_pylist()
    for row in told:
        row["sent_at"] = NOON if row["customer_id"] == mailed[0] else None
    pq.write_table(pa.Table.from_pylist(told, DECISIONS.arrow()), store.rounds / "r2.parquet")
    later = (NOON + timedelta(hours=2)).isoformat()
    second = decide_round(store, _settings(path, policy, decided_at=later))
    again, _ = _written(store)
    assert (first.kept, second.kept) == (0, 1)
    assert again[mailed[0]]["sent_at"] == NOON
    assert sum(row["action_id"] == "mail" for row in again.values()) == 5
    assert again.keys() == rows.keys()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rules": {"a": RuleConfig("eligibility", "birth_yaer < 3")}}, "did you mean 'birth_year'"),
        (
            {"rules": {"a": RuleConfig("eligibility", "rfm__order__365d < 3")}},
            "did you mean 'rfm__orders__365d'",
        ),
        (
            {"rules": {"a": RuleConfig("eligibility", "first_name = 'Ada'")}},
            "neither an attribute nor a feature",
        ),
        ({"value": "sex"}, "gives a text"),
    ],
)
def test_a_policy_that_asks_for_what_is_not_there_is_refused_in_words(tmp_path, change, message):
    attributes = [*_people("A", sex="F"), said("A", "first_name", "Ada")]
    policy = EngagementConfig(**{**vars(POLICY), **change})
    with pytest.raises(ConfigError, match=message):
        _decide(tmp_path, _bought("A"), attributes, {"A": {"mail": 1}}, policy)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"as_of": "2026-07-02"}, "lies after decided_at"),
        ({"as_of": "2026-07-02", "decided_at": "2026-07-03"}, "lies after the data"),
        ({"round": "../r"}, "cannot name a file"),
        ({"key": "crn"}, "did you mean 'crm'"),
    ],
)
def test_a_round_that_cannot_be_is_refused_in_words(tmp_path, more, message):
    with pytest.raises(ConfigError, match=message):
        _decide(tmp_path, _bought("A"), _people("A"), {"A": {"mail": 1}}, **more)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            {"customer_id": ["A"], "action_id": ["mail"], "efect": [1.0]},
            "has no column 'effect'; did you mean 'efect'",
        ),
        (
            {"customer_id": ["A"], "action_id": ["mail"], "effect": ["x"]},
            "cannot be read as a table of effects",
        ),
        ({"customer_id": ["A"], "action_id": ["mail"], "effect": [np.nan]}, "are not numbers"),
        ({"customer_id": ["A"], "action_id": ["fax"], "effect": [1.0]}, "its actions are fax"),
        ({"customer_id": ["A", "A"], "action_id": ["mail", "mail"], "effect": [1.0, 2.0]}, "two effects"),
    ],
)
def test_effects_that_cannot_be_used_are_refused_in_words(tmp_path, table, message):
    store = small_store(tmp_path, _bought("A"), _people("A"))
    pq.write_table(pa.table(table), tmp_path / "effects.parquet")
    with pytest.raises(InputError, match=message):
        decide_round(store, _settings(tmp_path / "effects.parquet"))


def test_no_table_of_effects_names_the_one_that_is_there(tmp_path):
    store = small_store(tmp_path, _bought("A"), _people("A"))
    effects_file(tmp_path / "effects.parquet", {"A": {"mail": 1}})
    with pytest.raises(InputError, match=r"did you mean 'effects.parquet'"):
        decide_round(store, _settings(tmp_path / "efects.parquet"))


BRAND = SiloConfig(
    path="events.csv",
    identifiers={"card": "card"},
    occurred_at="at",
    interactions={"thread_id": "row", "kind": "kind", "channel": "channel", "decision_id": "decision"},
    attributes={"consent_email": "consent"},
)


def _brand(root: Path, *more: str):
    lines = ["card,at,row,kind,channel,decision,consent"]
    lines += [f"{card},2025-06-0{card}T10:00,{card},purchase,web,,yes" for card in range(1, 7)]
    (root / "events.csv").write_text("\n".join([*lines, *more]) + "\n")
    return build_store(root, {"events": BRAND})


MAIL = {"mail": Action("email", 0.02)}
MAILS = EngagementConfig(name="m", holdout_share=0, explore_share=0)


def _round_of_brand(root: Path, store):
    effects = {who: {"mail": 1.0} for who in sorted(store.customer_ids())}
    path = effects_file(root / "effects.parquet", effects)
    settings = DecideSettings(
        workspace=str(root / "workspace"),
        effects_table=str(path),
        round="r1",
        features=FEATURES,
        actions=MAIL,
        engagement=MAILS,
    )
    return pipelines.decide(settings)


def test_the_next_build_brings_the_decisions_with_what_was_sent(tmp_path):
    figures = _round_of_brand(tmp_path, _brand(tmp_path))
    assert figures["actions"] == {"mail": 5, "none": 1}  # the sixth consented after midnight
    assert json.dumps({key: value for key, value in figures.items() if key != "say"})
    report = json.loads((tmp_path / "workspace/decisions/r1.json").read_text())
    assert (report["arms"]["policy"], report["engagement"]["holdout_share"]) == (6, 0)
    rows = pq.read_table(tmp_path / "workspace/decisions/r1.parquet").to_pylist()
    sent = f"1,2025-06-20T09:00,90,send,email,{rows[0]['decision_id']},"
    store = _brand(tmp_path, sent)
    stored = pq.read_table(store.folder / "decisions.parquet").to_pylist()
    assert {row["decision_id"]: row["sent_at"] for row in stored} == {
        row["decision_id"]: datetime(2025, 6, 20, 9) if at == 0 else None for at, row in enumerate(rows)
    }


def test_a_forgotten_customer_leaves_the_rounds_the_reasons_and_the_list(tmp_path):
    store = _brand(tmp_path)
    _round_of_brand(tmp_path, store)
    store = _brand(tmp_path)
    gone = sorted(store.customer_ids())[0]
    silos = {"events": BRAND}
    source = SourceConfig(name="toy", root=str(tmp_path), today="2026-01-01", silos=silos)
    folder = tmp_path / "workspace"
    pipelines.forget(ForgetSettings(workspace=str(folder), source=source, customer=gone))
    listed = pyarrow.csv.read_csv(folder / "decisions/r1.csv")
    tables = [
        listed,
        *(pq.read_table(folder / "decisions" / name) for name in ("r1.parquet", "why/r1.parquet")),
    ]
    assert [table.num_rows for table in tables] == [4, 5, 5]
    assert all(gone not in map(str, table["customer_id"].to_pylist()) for table in tables)
    stored = pq.read_table(open_store(folder).folder / "decisions.parquet")
    assert gone not in stored["customer_id"].to_pylist()


def test_a_proposal_for_some_is_what_a_round_decides_for_them_and_writes_nothing(tmp_path):
    names = [f"c{at:02}" for at in range(40)]
    store = small_store(tmp_path, _bought(*names), _people(*names))
    effects = effects_file(tmp_path / "effects.parquet", {who: {"mail": 0.5, "call": 0.1} for who in names})
    settings = _settings(effects, replace(POLICY, holdout_share=0.3))
    some = names[5:25]
    table = pa.concat_tables(propose(store, settings, pa.array(some)))
    assert table["customer_id"].to_pylist() == some
    assert not store.rounds.exists() or not [*store.rounds.glob("**/*.parquet")]
    whole = pq.read_table(decide_round(store, settings).files[0])
    kept = whole.filter(pc.is_in(whole["customer_id"], pa.array(some)))
    for name in ("action_id", "channel", "arm"):
        assert table[name].to_pylist() == kept[name].to_pylist()
    rows = table.to_pylist()
    assert {row["arm"] for row in rows} == {"policy", "holdout"}
    for row in rows:
        assert row["assignment_probability"] == 1
        assert (row["action_id"] == "none") == (row["arm"] == "holdout")
        assert (row["send_at_local"] is None) == (row["action_id"] == "none") == (row["margin"] is None)
        assert row["effect"] == (0.5 if row["action_id"] == "mail" else 0)
