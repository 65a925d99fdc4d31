import pandas as pd
import pytest

from sintonia.synthetic.contact_centre import SWITCHBOARD


@pytest.fixture(scope="module")
def cases(brand):
    cases = brand.read("contact_centre")
    for name in ("Aperta il", "Chiusa il"):
        cases[name] = pd.to_datetime(cases[name], format="%d-%m-%y %H.%M")
    return cases


def test_the_file_is_latin_1_with_semicolons(brand):
    raw = (brand.folder / "silos" / "contact_centre" / "cases_0000.csv").read_bytes()
    assert "qualità".encode("latin-1") in raw
    assert "qualità".encode() not in raw
    assert raw.splitlines()[0].count(b";") == 9


def test_cases_are_closed_after_they_were_opened_and_some_never(cases):
    done = cases["Chiusa il"].notna()
    assert 0.6 < done.mean() < 0.97
    assert (cases.loc[done, "Chiusa il"] >= cases.loc[done, "Aperta il"]).all()
    assert cases["Pratica"].is_unique


def test_numbers_are_spelt_in_several_ways_withheld_or_the_switchboards(brand, cases):
    shown = cases["Telefono"].fillna("")
    for pattern in (r"\+39\d{10}", r"39\d{10}", r"\d{3}-\d{7}", r"\d{3}/\d{7}"):
        assert shown.str.fullmatch(pattern).mean() > 0.1
    assert (shown == SWITCHBOARD).sum() > 50
    assert {"ANONIMO", "Privato", ""} <= set(shown)
    owners = brand.truth("records").query("source == 'phone'").set_index("source_key")["person_id"]
    assert not owners.index.isin([SWITCHBOARD, "ANONIMO", "Privato", ""]).any()


def test_the_mapping_takes_no_number_that_is_nobodys(brand):
    seen = {key for keys in brand.identifiers("contact_centre") for kind, key in keys if kind == "phone"}
    assert seen
    assert not seen & {SWITCHBOARD, "ANONIMO", "Privato", ""}


def test_a_number_and_a_code_in_one_case_are_one_persons(brand, cases):
    owner = brand.truth("records").set_index(["source", "source_key"])["person_id"]
    known = cases[cases["Codice cliente"].notna() & cases["Telefono"].str.contains(r"\d{7}$", na=False)]
    callers = owner.reindex([("phone", number) for number in known["Telefono"]]).to_numpy()
    codes = owner.reindex([("crm", code) for code in known["Codice cliente"]]).to_numpy()
    assert len(known) > 100
    assert (callers == codes).all()
    assert 0.5 < cases["Codice cliente"].notna().mean() < 0.9


def test_reminders_name_a_case_that_some_silo_opened(brand, cases):
    reminders = cases[cases["Motivo"] == "Sollecito"]
    chat, crm = (
        brand.read("chat").query("topic == 'complaint'"),
        brand.read("crm").query("record == 'complaint'"),
    )
    opened = cases[cases["Motivo"].str.startswith("Reclamo")]["Pratica"]
    everywhere = set(opened) | set(chat["case_id"]) | set(crm["case_id"]) | set(brand.read("web")["case_id"])
    assert len(reminders) > 100
    assert set(reminders["Rif. pratica"]) <= everywhere
    assert not set(opened) & (set(chat["case_id"]) | set(crm["case_id"]))


def test_who_settles_a_reminder_has_not_settled_the_complaint_it_is_about(brand, cases):
    thread = brand.source.silos["contact_centre_closed"].interactions["thread_id"]
    closings = brand.read("contact_centre_closed", f'Motivo, "Chiusa il", {thread} AS thread').dropna()
    reminders = closings[closings["Motivo"] == "Sollecito"]
    assert len(reminders) > 100
    assert not set(reminders["thread"]) & set(cases["Rif. pratica"])
    complaints = cases[cases["Motivo"].str.startswith("Reclamo")].dropna(subset="Chiusa il")
    assert set(complaints["Pratica"]) <= set(closings["thread"])


def test_moods_are_words_the_mapping_knows_and_complaints_sound_worst(brand, cases):
    words = brand.source.silos["contact_centre"].values["sentiment"]
    assert set(cases["Umore"].dropna()) == set(words)
    assert cases["Umore"].isna().any()
    felt = cases["Umore"].map(words).astype(float)
    complaint = cases["Motivo"].str.startswith("Reclamo")
    assert felt[complaint].mean() < -0.3 < felt[~complaint & (cases["Motivo"] != "Sollecito")].mean()
