import pandas as pd
import pytest


@pytest.fixture(scope="module")
def chats(brand):
    return brand.read("chat")


def test_a_line_is_a_session_with_its_transcript_in_one_of_two_languages(chats):
    assert chats["session_id"].is_unique
    assert (chats["messages"].map(len) == 3).all()
    assert chats["messages"].map(lambda said: said[0]["from"] == "customer").all()
    assert set(chats["language"]) == {"it", "IT", "it-IT", "en", "en-GB"}
    started, ended = (pd.to_datetime(chats[name], utc=True) for name in ("started_at", "ended_at"))
    assert (ended > started).all()


def test_every_session_is_known_by_something_and_each_way_is_missing_somewhere(chats):
    keys = chats[["cookie_id", "account_id", "email"]]
    assert keys.notna().any(axis=1).all()
    assert keys.isna().any().all()


def test_addresses_are_typed_by_hand(brand, chats):
    typed = chats["email"].dropna()
    assert typed.str[0].str.isupper().any()
    slips = typed.str.contains(r"gmial|hotmial|\.con$|\.ti$")
    assert 0.01 < slips.mean() < 0.15
    owner = brand.truth("records").query("source == 'email'").set_index("source_key")["person_id"]
    assert owner.reindex(typed.str.lower()).notna().all()


def test_customers_chat_from_the_site_on_a_cookie_the_site_knows(brand, chats):
    owner = brand.truth("records").query("source == 'cookie'").set_index("source_key")["person_id"]
    cookies = chats["cookie_id"].dropna()
    customers = cookies[owner.reindex(cookies).str.startswith("P").to_numpy()]
    assert len(customers) > 300
    assert customers.isin(brand.read("web")["cookie_id"]).mean() > 0.95


def test_account_cookie_and_address_in_one_session_are_one_persons(brand, chats):
    owner = brand.truth("records").set_index(["source", "source_key"])["person_id"]
    both = chats.dropna(subset=["cookie_id", "account_id"])
    sides = [
        owner.reindex([(kind, key) for key in both[column]]).to_numpy()
        for kind, column in (("cookie", "cookie_id"), ("account", "account_id"))
    ]
    assert len(both) > 100
    assert (sides[0] == sides[1]).all()


def test_sentiments_are_missing_or_not_computed_for_some_and_worst_on_complaints(chats):
    felt = chats["sentiment"]
    assert felt.isna().any()
    computed = felt.where(felt <= 1)
    assert (felt.dropna() > 1).sum() == (felt == 9.99).sum()
    worst = computed.groupby(chats["topic"]).mean()
    assert worst[["complaint", "reminder"]].max() < -0.3 < worst[["delivery", "product"]].min()
