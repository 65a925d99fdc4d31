from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from sintonia.core.config import SimulateSettings
from sintonia.synthetic import app as sessions
from sintonia.synthetic.app import app_events
from sintonia.synthetic.web import web_events
from sintonia.synthetic.world import draw_world


@pytest.fixture(scope="module")
def world():
    return draw_world(SimulateSettings(customers=800), 0, np.random.SeedSequence(2))


@pytest.fixture(scope="module")
def app(brand):
    return brand.read("app").assign(at=lambda row: row["device_time"] + (row["received_at"] - row["sent_at"]))


def test_what_is_ordered_online_is_ordered_on_the_site_or_in_the_app_and_only_once(world):
    old = world.orders.at < world.calendar.end - np.timedelta64(14, "D")
    lines = old[world.lines.order]
    placed = np.bincount(world.lines.order[lines], minlength=len(world.orders))
    begin = np.sort(world.orders.at[world.orders.web & old])
    app = app_events(world).tables["app/events.parquet"].to_pandas().drop_duplicates("event_id")
    web = web_events(world).tables["web/events.parquet"].to_pandas().drop_duplicates("event_id")
    bought = app[app["event"] == "purchase"]
    at = bought["device_time"] + (bought["received_at"] - bought["sent_at"])
    ordered = web[web["event"] == "order"]
    until = begin[-1] + np.timedelta64(2, "h")
    in_app = (at <= until).sum()
    on_site = (ordered["event_time"].dt.tz_localize(None) <= until).sum()
    assert in_app == placed[world.orders.app].sum()
    assert on_site == placed[world.orders.web & ~world.orders.app].sum()
    assert 0.05 < in_app / (in_app + on_site) < 0.5


def test_heavy_users_of_the_app_come_less_to_the_site(brand):
    people = brand.truth("people").set_index("person_id")
    owner = brand.truth("records").query("source == 'cookie'").set_index("source_key")["person_id"]
    web = brand.read("web").query("event == 'page_view'")
    views = owner.reindex(web["cookie_id"].dropna()).value_counts().reindex(people.index, fill_value=0)
    online = people["browse_rate"] > 0
    heavy = online & (people["app_share"] > 0.6) & ~people["app_guest"] & (people["app_wait"] < 20)
    none = online & (people["app_share"] == 0)
    per_interest = views / people["browse_rate"].where(online)
    assert per_interest[heavy].median() < 0.7 * per_interest[none].median()


def test_the_two_times_of_an_upload_set_a_wrong_clock_right(brand, app):
    wrong = app["device_time"] < pd.Timestamp("2015-01-01")
    assert wrong.any()
    begin, end = pd.Timestamp("2024-07-01"), pd.Timestamp(brand.source.today)
    assert app["at"].between(begin, end).all()
    assert (app["at"] <= app["received_at"]).all()
    drift = (app["device_time"] - app["at"]).abs()
    assert 0.05 < (drift[~wrong] > pd.Timedelta(minutes=1)).mean() < 0.4


def test_sessions_without_a_connection_arrive_up_to_days_late(app):
    waited = app["received_at"] - app["at"]
    assert waited.median() < pd.Timedelta(minutes=5)
    assert 0.005 < (waited > pd.Timedelta(days=1)).mean() < 0.1


def test_events_sent_twice_happened_at_one_moment(app):
    twice = app[app["event_id"].duplicated(keep=False)]
    assert len(twice) > 0
    assert (twice.groupby("event_id")["at"].nunique() == 1).all()
    assert (twice.groupby("event_id")["received_at"].nunique() == 2).all()


def test_every_event_has_a_device_and_purchases_an_account_but_some_devices_never_log_in(app):
    assert app["device_id"].notna().all()
    assert app.loc[app["event"] == "purchase", "account_id"].notna().all()
    ever = app.groupby("device_id")["account_id"].agg(lambda ids: ids.notna().any())
    assert 0.05 < (~ever).mean() < 0.4


def test_who_logged_in_stays_logged_in_on_the_device(world):
    app_sessions = sessions.draw_sessions(world, np.random.default_rng(1))
    logged = app_sessions["account"].notna().astype(int)
    before = logged.groupby([app_sessions["person"], app_sessions["device"]]).shift(fill_value=0)
    assert (logged >= before).all()
    assert 0.5 < logged.mean() < 1


def test_a_familys_tablet_carries_the_accounts_of_two_who_live_together(world, monkeypatch):
    monkeypatch.setattr(sessions, "_SHARED", 1.0)
    everybody = replace(
        world.people,
        app_share=np.where(world.people.web_share > 0, 0.8, 0.0),
        app_guest=np.zeros(len(world.people), bool),
    )
    app_sessions = sessions.draw_sessions(replace(world, people=everybody), np.random.default_rng(1))
    named = app_sessions.dropna(subset=["account"])
    users = named.groupby("device")["person"].agg(lambda who: sorted(set(who)))
    shared = users[users.str.len() > 1]
    assert len(shared) > 0
    details = world.personal_details
    for owner, *household in shared:
        for person in household:
            assert (details.street[owner], details.last_name[owner]) == (
                details.street[person],
                details.last_name[person],
            )


def test_taps_on_a_push_name_the_decision_that_sent_it(brand, app):
    sent = brand.read("campaign_events").query("type == 'sent' and channel == 'push'")
    sent = sent.set_index("decision_id")
    taps = app[app["event"] == "push_open"].drop_duplicates("event_id")
    assert len(taps) > 50
    assert (taps["push_action"] == "points_push").all()
    left = pd.to_datetime(sent["ts"], utc=True).dt.tz_localize(None).reindex(taps["push_id"])
    assert (taps["at"].to_numpy() > left.to_numpy()).all()
    people = brand.truth("people").set_index("person_id")["collector"]
    owner = brand.truth("records").query("source == 'account'").set_index("source_key")["person_id"]
    assert people.reindex(owner.reindex(taps["account_id"])).mean() > people.mean() + 0.1
