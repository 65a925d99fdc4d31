import json

import numpy as np
import pandas as pd
import pytest

from sintonia.synthetic import actions


@pytest.fixture(scope="module")
def decisions(brand):
    lines = (brand.folder / "silos" / "campaigns" / "decisions_0000.jsonl").read_text("utf-8").splitlines()
    return pd.DataFrame([json.loads(line) for line in lines])


def test_six_actions_and_none_go_over_four_channels_to_the_end_of_history(brand, decisions):
    assert set(decisions["action_id"]) == set(actions.IDS)
    assert set(decisions["channel"].dropna()) == {"email", "sms", "push", "phone"}
    times = pd.to_datetime(pd.Series(decisions["decided_at"].unique())).dt.tz_localize(None)
    end = pd.Timestamp(brand.source.today)
    assert (times.diff().dropna() == pd.Timedelta(days=14)).all()
    assert end - pd.Timedelta(days=14) < times.max() < end
    assert times.min() >= end - pd.Timedelta(days=366)


def test_propensities_sum_to_one_and_vary_with_eligibility(decisions):
    sums = decisions["logging_propensities"].map(sum)
    assert np.allclose(sums, 1)
    assert decisions["eligible_actions"].map(lambda names: names[0] == "none").all()
    assert decisions["logging_propensities"].map(tuple).nunique() > 8
    lengths = decisions["eligible_actions"].map(len) == decisions["logging_propensities"].map(len)
    assert lengths.all()


def test_actions_were_drawn_with_the_propensities_that_were_logged(decisions):
    columns = ["eligible_actions", "logging_propensities"]
    could = decisions[["decision_id", "action_id", *columns]].explode(columns)
    odds = could["logging_propensities"].astype(float)
    taken = could["eligible_actions"] == could["action_id"]
    assert taken.sum() == len(decisions)
    drawn = (
        pd.DataFrame({"gap": taken - odds, "variance": odds * (1 - odds)})
        .groupby(could["eligible_actions"])
        .sum()
    )
    assert (drawn["gap"].abs() < 4 * np.sqrt(drawn["variance"])).all()


def test_a_decision_counts_for_28_days_and_none_is_never_sent(decisions):
    decided, until = pd.to_datetime(decisions["decided_at"]), pd.to_datetime(decisions["reward_until"])
    assert (until - decided == pd.Timedelta(days=28)).all()
    assert (decisions["sent_at"].isna() == (decisions["action_id"] == "none")).all()
    assert (pd.to_datetime(decisions["sent_at"].dropna()) > decided[decisions["sent_at"].notna()]).all()
    assert (pd.to_datetime(decisions["as_of"]) < decided).all()
    assert decisions["decision_id"].is_unique


def test_mails_are_known_by_address_and_other_messages_by_crm_id(brand):
    events = brand.read("campaign_events")
    mail = events["channel"] == "email"
    assert (events["email"].notna() == mail).all()
    assert (events["crm_id"].notna() == ~mail).all()
    assert set(events["type"]) == {"sent", "opened", "clicked", "unsubscribed", "redeemed", "bounced"}


def test_every_action_that_was_decided_was_sent_under_its_decision(brand, decisions):
    events = brand.read("campaign_events").query("type == 'sent' and decision_id.notna()", engine="python")
    done = decisions[decisions["action_id"] != "none"].set_index("decision_id")["action_id"]
    assert events["decision_id"].is_unique
    assert (done.reindex(events["decision_id"]).to_numpy() == events["action_id"].to_numpy()).all()
    assert len(events) >= len(done) * 0.99


def test_the_weary_open_fewer_mails_and_leave_sooner(brand):
    events, people = brand.read("campaign_events"), brand.truth("people").set_index("person_id")
    owner = brand.truth("records").query("source == 'email'").set_index("source_key")["person_id"]
    mails = events[events["channel"] == "email"]
    weary = people["weary"].reindex(owner.reindex(mails["email"])).to_numpy() > 0.5
    counts = pd.crosstab(weary, mails["type"])
    rates = counts.div(counts["sent"], axis=0)
    assert rates.loc[True, "opened"] < 0.7 * rates.loc[False, "opened"]
    assert rates.loc[True, "unsubscribed"] > 2 * rates.loc[False, "unsubscribed"]
