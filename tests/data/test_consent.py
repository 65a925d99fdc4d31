"""Consent, worked by hand on tiny histories."""

from datetime import datetime

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sintonia.api.pipelines import build
from sintonia.core.config import BuildSettings, EngineConfig, IdentityConfig, SiloConfig, SourceConfig
from sintonia.core.schema import ATTRIBUTES, INTERACTIONS, MERGES
from sintonia.data.consent import allowed, consents, read_consents
from sintonia.data.store import open_store


def day(number):
    return datetime(2025, 1, number)


CONNECTION = duckdb.connect(config={"threads": 1})


def relation(table, columns, rows, **same):
    filled = [dict.fromkeys(table.names) | same | dict(zip(columns, row, strict=True)) for row in rows]
    CONNECTION.register(table.name, pa.Table.from_pylist(filled, schema=table.arrow()))


def told(answers, unsubscribes=(), merges=(), as_of=None):
    """(customer, channel) to (allowed, day of the answer); answers are (customer, channel, value, occurred, known)."""
    columns = ("customer_id", "name", "value", "occurred_at", "known_at")
    said = [(who, f"consent_{where}", value, day(at), day(known)) for who, where, value, at, known in answers]
    left = [(who, where, day(at), day(known)) for who, where, at, known in unsubscribes]
    gone = [(who, into, day(at)) for who, into, at in merges]
    relation(ATTRIBUTES, columns, said, source="crm")
    relation(
        INTERACTIONS,
        ("customer_id", "channel", "occurred_at", "known_at"),
        left,
        kind="unsubscribe",
        source="mail",
    )
    relation(MERGES, ("customer_id", "merged_into", "merged_at"), gone)
    rows = consents(CONNECTION, None if as_of is None else day(as_of)).to_pylist()
    return {
        (row["customer_id"], row["channel"]): (row["allowed"], row["answered_at"].day, row["source"])
        for row in rows
    }


def test_latest_answer_wins_and_says_its_time_and_source():
    answers = [("A", "email", "no", 1, 1), ("A", "email", "yes", 5, 5), ("A", "sms", "yes", 2, 2)]
    assert told(answers) == {("A", "email"): (True, 5, "crm"), ("A", "sms"): (True, 2, "crm")}


def test_of_two_answers_at_one_moment_the_stricter_wins():
    assert told([("A", "email", "yes", 3, 3), ("A", "email", "no", 3, 3)])["A", "email"][0] is False


def test_an_answer_counts_once_it_is_known():
    answers = [("A", "email", "yes", 1, 1), ("A", "email", "no", 3, 9)]
    assert told(answers, as_of=8)["A", "email"] == (True, 1, "crm")
    assert told(answers, as_of=9)["A", "email"] == (False, 3, "crm")
    assert told(answers, as_of=1)["A", "email"] == (True, 1, "crm")


def test_unsubscribing_takes_back_an_earlier_yes_on_its_channel_alone():
    answers = [("A", "email", "yes", 1, 1), ("A", "sms", "yes", 1, 1)]
    found = told(answers, [("A", "email", 4, 4)])
    assert found == {("A", "email"): (False, 4, "mail"), ("A", "sms"): (True, 1, "crm")}
    assert told([*answers, ("A", "email", "yes", 6, 6)], [("A", "email", 4, 4)])["A", "email"][0] is True


@pytest.mark.parametrize("value", ["yes", " YES", "true", "1", "Si", "sì"])
def test_words_for_yes_allow(value):
    assert told([("A", "email", value, 1, 1)])["A", "email"][0] is True


@pytest.mark.parametrize("value", ["no", "false", "0", "maybe", "yes?", "n/a"])
def test_whatever_is_not_clearly_yes_is_no(value):
    assert told([("A", "email", value, 1, 1)])["A", "email"][0] is False


def test_a_customer_that_became_part_of_another_has_no_answer_of_its_own_from_then_on():
    answers = [("B", "email", "yes", 1, 1), ("A", "email", "yes", 1, 5)]  # as the store keeps them: twice
    merges = [("B", "A", 5)]
    assert set(told(answers, merges=merges, as_of=4)) == {("B", "email")}
    assert set(told(answers, merges=merges, as_of=5)) == {("A", "email")}
    assert set(told(answers, merges=merges)) == {("A", "email")}


moments = st.integers(1, 27)


@settings(deadline=None, max_examples=20)
@given(st.lists(st.tuples(st.sampled_from(["yes", "no"]), moments, moments), max_size=6), moments)
def test_what_is_said_or_known_later_changes_no_answer(said, as_of):
    answers = [("A", "email", value, at, max(at, known)) for value, at, known in said]
    known = [answer for answer in answers if answer[4] <= as_of]
    assert told(answers, as_of=as_of) == told(known, as_of=as_of) == told(known)


def test_a_store_answers_by_person_and_the_golden_record_shows_it(tmp_path):
    silo = SiloConfig(
        path="crm.csv",
        identifiers={"crm": "crm", "card": "card"},
        occurred_at="at",
        interactions={"kind": "kind", "channel": "channel"},
        attributes={"consent_email": "email", "consent_sms": "sms"},
    )
    (tmp_path / "crm.csv").write_text(
        "crm,card,at,kind,channel,email,sms\n"
        "A,,2025-01-01,register,store,no,yes\n"
        "B,7,2025-01-02,register,store,yes,\n"
        "A,7,2025-01-05,contact,store,,\n"  # from here on the two are one
        "A,,2025-01-07,unsubscribe,sms,,\n"
    )
    source = SourceConfig(name="toy", root=str(tmp_path), today="2026-01-01", silos={"crm": silo})
    workspace = tmp_path / "w"
    identity = IdentityConfig(survivorship={"default": "most_frequent"})
    build(
        BuildSettings(
            workspace=str(workspace), engine=EngineConfig(buckets=2), source=source, identity=identity
        )
    )
    store = open_store(workspace)
    owners = dict(
        zip(
            *(store.read_crosswalk("crm")[name].to_pylist() for name in ("source_key", "customer_id")),
            strict=True,
        )
    )
    (merged,) = store.read_merges()["customer_id"].to_pylist()
    person = owners["A"]
    before = read_consents(store.folder, day(4))
    assert allowed(before, [person, merged], ["email", "sms"]).tolist() == [[False, True], [True, False]]
    now = read_consents(store.folder)
    assert allowed(now, [person, merged], ["email", "sms"]).tolist() == [[True, False], [False, False]]
    golden = pq.read_table(workspace / "identity/customers.parquet").to_pylist()
    shown = {row["field"]: (row["value"], row["rule"], row["occurred_at"]) for row in golden}
    assert shown["consent_email"] == ("yes", "consent", day(2))
    assert shown["consent_sms"] == ("no", "consent", day(7))
