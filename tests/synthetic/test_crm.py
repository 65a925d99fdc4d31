import pandas as pd


def test_registrations_carry_every_kind_of_mistake(brand):
    new = brand.read("crm").query("record == 'new'")
    people = brand.truth("records").query("source == 'crm'").set_index("source_key")["person_id"]
    twice = new.assign(person_id=people.reindex(new["crm_id"]).to_numpy())
    twice = twice[twice["person_id"].duplicated(keep=False)].groupby("person_id")
    name = twice["first_name"].agg(lambda names: names.str.lower().nunique())
    assert 0.1 < (name > 1).mean() < 0.6  # typos, nicknames, accents, swaps
    assert (twice["email"].nunique() > 1).mean() > 0.5
    assert (twice["phone"].nunique() > 1).mean() > 0.4
    assert new["first_name"].str.isupper().any()
    assert new[["birth_date", "phone", "email", "street"]].isna().any().all()
    assert new["birth_date"].str.fullmatch(r"\d\d/\d\d/\d{4}").any()
    assert new["birth_date"].str.fullmatch(r"\d{4}-\d\d-\d\d").any()


def test_the_same_phone_is_written_in_several_ways(brand):
    phones = brand.read("crm", "phone").dropna()["phone"]
    assert {text[:3] for text in phones if not text.startswith("3")} == {"+39", "003"}
    assert phones.str.contains("/", regex=False).any()


def test_accounts_come_from_the_web_and_cards_from_the_store(brand):
    new = brand.read("crm").query("record == 'new'")
    assert (new["account_id"].notna() == (new["origin"] == "web")).all()
    assert (new["card_no"].notna() == (new["origin"] == "store")).all()
    assert new["crm_id"].is_unique


def test_consents_are_updated_after_an_unsubscribe(brand):
    crm, events = brand.read("crm"), brand.read("campaign_events")
    updates = crm.query("record == 'update'")
    assert len(updates) > 0
    assert (updates["consent_email"] == "no").all()
    assert (
        abs(len(updates) - (events["type"] == "unsubscribed").sum()) <= 5
    )  # the last ones are not yet loaded


def test_cases_are_closed_after_they_were_opened(brand):
    crm, web, chat = brand.read("crm"), brand.read("web").drop_duplicates("event_id"), brand.read("chat")
    form = web.dropna(subset=["case_id"]).set_index("case_id")["event_time"]
    typed = pd.to_datetime(chat.query("topic == 'complaint'").set_index("case_id")["started_at"], utc=True)
    written = [form.dt.tz_convert("Europe/Rome").dt.tz_localize(None)]
    written += [typed.dt.tz_convert("Europe/Rome").dt.tz_localize(None)]
    desk = pd.to_datetime(crm.query("record == 'complaint'").set_index("case_id")["recorded_at"])
    closed = pd.to_datetime(crm.query("record == 'resolved'").set_index("case_id")["recorded_at"])
    opened = pd.concat([*written, desk])
    assert opened.index.is_unique
    assert min(len(form), len(typed), len(desk)) > 0
    assert (closed > opened.reindex(closed.index)).all()
    assert 0.5 < len(closed) / len(opened) < 1
