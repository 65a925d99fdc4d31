import pandas as pd

from sintonia.synthetic.catalogue import CATEGORIES


def test_tickets_are_written_the_italian_way(brand):
    first = (brand.folder / "silos" / "store" / "tickets_0000.csv").read_text("utf-8").splitlines()
    assert first[0].replace('"', "").split(";")[:4] == ["Scontrino", "Riga", "Data", "Ora"]
    store = brand.read("store")
    assert store["Data"].str.fullmatch(r"\d\d/\d\d/\d{4}").all()
    assert store["Ora"].str.fullmatch(r"\d\d:\d\d").all()
    assert store["Importo"].str.fullmatch(r"-?\d+,\d\d").all()
    assert store["Sconto"].str.fullmatch(r"\d+,\d\d").all()


def test_cards_are_often_missing_and_returns_negative(brand):
    store = brand.read("store")
    assert 0.15 < store["Tessera"].isna().mean() < 0.5
    returned = store["Importo"].str.startswith("-")
    assert 0.005 < returned.mean() < 0.1
    assert (store.loc[returned, "Quantita"].astype(int) < 0).all()
    assert set(store.loc[store["Reparto"] == "PREMI", "Articolo"]) == {"PREMIO"}


def test_a_ticket_has_one_moment_one_card_and_numbered_lines(brand):
    store = brand.read("store")
    tickets = store.fillna({"Tessera": ""}).groupby("Scontrino")
    assert (tickets[["Data", "Ora", "Tessera", "Negozio"]].nunique() == 1).all().all()
    assert not store.duplicated(["Scontrino", "Riga"]).any()


def test_the_nights_load_comes_the_next_morning(brand):
    store = brand.read("store")
    day = pd.to_datetime(store["Data"], format="%d/%m/%Y")
    loaded = pd.to_datetime(store["Caricato"], format="%d/%m/%Y %H:%M")
    assert (loaded - day == pd.Timedelta("1 days 05:12:00")).all()


def test_departments_of_the_till_are_all_mapped(brand):
    mapped = brand.source.silos["store"].values["category"]
    assert set(brand.read("store")["Reparto"]) <= set(mapped)
    assert set(mapped.values()) == {*CATEGORIES, "prizes"}
