"""Identifiers that the data show to be nobody's glue nobody, under every way of matching, and are reported."""

import json

import pyarrow.parquet as pq
import pytest

from sintonia.api.pipelines import build
from sintonia.core.config import BuildSettings, IdentityConfig, SiloConfig, SourceConfig

NAMES = [
    ("Ada", "Serra", "1961-04-02"), ("Ugo", "Pinna", "1975-10-21"), ("Iris", "Melis", "1983-01-30"),
    ("Enzo", "Lai", "1990-08-15"), ("Nora", "Cossu", "1958-12-03"), ("Tito", "Puddu", "2001-06-26"),
]  # fmt: skip
CONTACTS = {"first_name": "first", "last_name": "last", "birth_date": "born"}
DETERMINISTIC = IdentityConfig()
PROBABILISTIC = IdentityConfig("probabilistic", shareable=["email", "phone", "device"])


def built(folder, rows, config=DETERMINISTIC, contacts=CONTACTS):
    """Return what a build says of a silo of these rows (crm, card, first, last, born), and customers by crm."""
    lines = [f"2026-01-{day:02} 10:00,{','.join(row)}\n" for day, row in enumerate(rows, 1)]
    (folder / "t.csv").write_text("at,crm,card,first,last,born\n" + "".join(lines))
    silo = SiloConfig(
        path="t.csv",
        identifiers={"crm": "crm", "card": "card"},
        occurred_at="at",
        interactions={"kind": "'purchase'"},
        contacts=contacts,
        constants={"channel": "store"},
    )
    source = SourceConfig(name="toy", root=str(folder), today="2026-07-01", silos={"t": silo})
    figures = build(BuildSettings(source=source, identity=config, workspace=str(folder / "workspace")))
    (path,) = (folder / "workspace/store").glob("*/crosswalk.parquet")
    crosswalk = pq.read_table(path).to_pylist()
    return figures, {
        row["source_key"]: row["customer_id"]
        for row in crosswalk
        if row["source"] == "crm" and row["unlinked_at"] is None
    }


@pytest.mark.parametrize("config", [DETERMINISTIC, PROBABILISTIC], ids=["deterministic", "probabilistic"])
@pytest.mark.parametrize("card", ["9999", "NOCARD", "card-of-the-till"])
def test_a_card_of_many_people_glues_nobody_and_is_named(tmp_path, card, config):
    rows = [(f"K{at}", card, *name) for at, name in enumerate(NAMES)]
    figures, customers = built(tmp_path, rows, config)
    assert len(set(customers.values())) == len(NAMES)
    assert (figures["silos"]["t"]["stored"], figures["silos"]["t"]["rejected"]) == (6, 0)
    (warning,) = figures["silos"]["t"]["warnings"]
    assert warning == (
        f"Silo 't': card:{card} (6 rows): identifiers with more than 3 birth dates or names identify nobody; more are "
        "allowed by identity.most_persons."
    )
    assert f"Look first: {warning}" in figures["say"]


def test_names_alone_tell_too(tmp_path):
    rows = [(f"K{at}", "9999", *name) for at, name in enumerate(NAMES)]
    contacts = {"first_name": "first", "last_name": "last"}
    assert len(set(built(tmp_path, rows, contacts=contacts)[1].values())) == len(NAMES)


def test_a_card_of_three_people_ties_them(tmp_path):
    rows = [(f"K{at}", "9999", *name) for at, name in enumerate(NAMES[:3])]
    figures, customers = built(tmp_path, rows)
    assert len(set(customers.values())) == 1
    assert figures["silos"]["t"]["warnings"] == []


def test_how_many_are_allowed_is_a_setting(tmp_path):
    rows = [(f"K{at}", "9999", *name) for at, name in enumerate(NAMES)]
    assert len(set(built(tmp_path, rows, IdentityConfig(most_persons=6))[1].values())) == 1


@pytest.mark.parametrize(
    "spellings",
    [
        [
            ("Ada", "Serra", born)
            for born in ("1961-04-02", "02/04/1961", "2 April 1961", "02.04.61", "1961/04/02")
        ],
        [(first, "Serra", "1961-04-02") for first in ("Ada", "Adele", "A.", "ADA", "Adda", "Ad")],
        [
            (first, last, "")
            for first, last in [("ada", "serra"), ("ADA", "SERRA"), ("Ada", "Sera"), ("Àda", "Serra")]
        ],
    ],
    ids=["dates", "first names", "letters"],
)
def test_spellings_of_one_person_are_one_person(tmp_path, spellings):
    rows = [(f"K{at}", "9999", *name) for at, name in enumerate(spellings)]
    assert len(set(built(tmp_path, rows)[1].values())) == 1


def test_a_row_without_another_identifier_is_rejected(tmp_path):
    rows = [(f"K{at}", "9999", *name) for at, name in enumerate(NAMES[:4])]
    rows += [("", "9999", *name) for name in NAMES[4:]]
    figures, customers = built(tmp_path, rows)
    assert figures["silos"]["t"]["reasons"] == {"identifier of many people": 2}
    assert (figures["silos"]["t"]["stored"], len(set(customers.values()))) == (4, 4)


def test_a_build_with_the_weights_of_another_sets_aside_what_that_one_did(tmp_path):
    (tmp_path / "learned").mkdir()
    (tmp_path / "later").mkdir()
    learning = [(f"K{at}", "9999", *name) for at, name in enumerate(NAMES)]
    built(tmp_path / "learned", learning, PROBABILISTIC)
    (weights,) = (tmp_path / "learned/workspace/store").glob("*/identity")
    later = [(f"K{at}", "9999", *name) for at, name in enumerate(NAMES[:2])]
    later += [(f"L{at}", "8888", *name) for at, name in enumerate(NAMES)]
    frozen = IdentityConfig("deterministic", weights=str(weights))
    figures, customers = built(tmp_path / "later", later, frozen)
    assert len({customers[f"K{at}"] for at in range(2)}) == 2
    assert len({customers[f"L{at}"] for at in range(6)}) == 1
    assert figures["silos"]["t"]["warnings"] == [
        "Silo 't': card:8888 (6 rows): identifiers with more than 3 birth dates or names tie people, for "
        "identity.weights was learned without them; leave identity.weights out to set them aside.",
        "Silo 't': card:9999 (2 rows): identifiers with more than 3 birth dates or names identify nobody; more are "
        "allowed by identity.most_persons.",
    ]


@pytest.mark.parametrize("config", [DETERMINISTIC, PROBABILISTIC], ids=["deterministic", "probabilistic"])
@pytest.mark.parametrize("card", ["NULL", "N/A", "-", "0"])
def test_placeholders_glue_nobody(tmp_path, card, config):
    rows = [(f"K{at}", card, *name) for at, name in enumerate(NAMES[:3])]
    figures, customers = built(tmp_path, rows, config)
    assert len(set(customers.values())) == 3
    assert (
        figures["silos"]["t"]["reading"][-1] == f"3 placeholders for card, which identify nobody: {card} (3)"
    )
    assert json.dumps(figures["silos"])
