import numpy as np
import pandas as pd
import pyarrow.parquet as pq


def test_every_kind_of_web_mess_is_there(brand):
    web = brand.read("web")
    assert web["event_id"].duplicated().any()
    assert web["cookie_id"].isna().any()
    assert (web["cookie_id"].isna() & web["account_id"].isna()).any()
    assert web["event"].isin(["scroll_depth", "undefined", "heartbeat"]).any()
    assert (web["event_time"] > pd.Timestamp("2099-01-01", tz="UTC")).any()
    waited = web["received_at"] - web["event_time"]
    assert waited.median() < pd.Timedelta(minutes=10)
    assert (waited > pd.Timedelta(days=1)).any()


def test_a_lost_order_value_is_nan_and_a_value_an_event_has_not_is_null(brand):
    table = pq.read_table(
        brand.folder / "silos" / "web" / "events_0000.parquet", columns=["event", "order_value"]
    )
    events = np.array(table["event"].to_pylist())
    is_null = table["order_value"].is_null().to_numpy()
    values = table["order_value"].to_numpy()
    assert np.isnan(values[~is_null]).any()
    assert set(events[~is_null]) == {"order", "return"}
    assert np.isnan(values[~is_null]).mean() < 0.02


def test_a_log_in_ties_a_cookie_to_one_account(brand):
    web = brand.read("web")
    assert set(web.loc[web["account_id"].notna(), "event"]) == {"login"}
    assert (web.dropna(subset=["account_id"]).groupby("cookie_id")["account_id"].nunique() == 1).all()
    assert (web.dropna(subset=["account_id"]).groupby("account_id")["cookie_id"].nunique() > 1).mean() > 0.3


def test_events_sent_twice_differ_only_in_their_arrival(brand):
    web = brand.read("web")
    twice = web[web["event_id"].duplicated(keep=False)].drop(columns="received_at")
    assert len(twice.drop_duplicates()) == twice["event_id"].nunique()


def test_the_customers_clock_is_romes(brand):
    web = brand.read("web")
    web = web[web["event_time"] < pd.Timestamp(brand.source.today, tz="UTC")]
    local = web["event_time"].dt.tz_convert("Europe/Rome").dt.tz_localize(None)
    assert (
        local == web["event_time"].dt.tz_localize(None) + pd.to_timedelta(web["utc_offset"], unit="min")
    ).all()
