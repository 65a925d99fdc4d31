"""What a scored list leaves beside itself: a page, send files, its scores in the workspace; and segments as lists."""

import csv
import io
import re
from contextlib import ExitStack
from dataclasses import replace

import pyarrow.parquet as pq
import pytest

from builder import build_store
from serving.lists.small import SILO, toy_store
from sintonia.core.config import ConfigError, LayoutConfig, ScoreSettings
from sintonia.core.errors import InputError
from sintonia.data.privacy.person import files_of
from sintonia.serving.lists import open_list


def listed(cards):
    return "card\n" + "".join(f"{card}\n" for card in cards)


def test_scores_are_kept_once_a_run_and_changes_are_told_against_the_last_list_of_the_name(brand, write):
    first = brand.score(write(listed(brand.cards[:40]), "june.csv"))
    assert first.changes == []
    (kept,) = [path for path in first.files if path.suffix == ".parquet"]
    table = pq.read_table(kept)
    assert kept.parent == brand.store.workspace.scores / "june"
    assert table.num_rows == sum(first.totals.sums[f"{one.task} customers"] for one in brand.models)
    assert table.select(["customer_id", "task"]).to_pandas().duplicated().sum() == 0
    assert set(table["task"].to_pylist()) == {"churn", "value", "category"}
    brand.score(write(listed(brand.cards[:40]), "june.csv"), chunk_rows=9)
    assert len(list(kept.parent.iterdir())) == 1
    again = brand.score(write(listed(brand.cards[10:50]), "june.csv"))
    for change in again.changes:
        column = f"{change.task} customers"
        assert change.new + change.higher + change.lower + change.same == again.totals.sums[column]
        assert change.gone + change.higher + change.lower + change.same == first.totals.sums[column]
        assert change.new > 0 < change.gone
    assert kept in list(files_of(brand.workspace))  # what `forget` searches, and takes customers out of
    assert brand.score(write(listed(brand.cards[:5]), "june.csv"), limit=2).changes == []


def test_page_tells_counts_and_what_to_expect_and_names_nobody(brand, write):
    scored = brand.score(write(listed([*brand.cards, "zzz"])))
    page = scored.files[1].read_text(encoding="utf-8")
    assert scored.files[1].name == "list-scored.html"
    assert f"{scored.totals.rows:,} rows" in page
    assert "nobody has this card" in page
    low, high = map(int, re.search(r"<td>(\d+) to (\d+)</td>", page).groups())
    expected = sum(
        float(row["churn_propensity"])
        for row in csv.DictReader(io.StringIO(scored.files[0].read_text(encoding="utf-8")))
        if row["churn_propensity"]
    )
    assert low < expected < high
    assert not re.search(r"src=|href=|@import|<script", page)
    assert brand.cards[7] not in re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)


def test_send_files_have_the_columns_asked_for_one_file_a_value(brand, write):
    columns = {"key": "customer", "expected_value": "worth", "note": "note"}
    layout = LayoutConfig("mailing", columns, by="churn_band")
    text = "note,card\n" + "".join(
        f"n{at},{card}\n" for at, card in enumerate([*brand.cards, brand.cards[0]])
    )
    scored = brand.score(write(text), layout=layout)
    sent = [path for path in scored.files if "mailing" in path.name]
    assert sorted(path.name for path in sent) == [
        f"list-scored-mailing-{name}.csv" for name in ("high", "low", "medium")
    ]
    rows = [row for path in sent for row in csv.DictReader(io.StringIO(path.read_text(encoding="utf-8")))]
    assert list(rows[0]) == ["customer", "worth", "note"]
    assert len(rows) == sum(scored.totals.bands["churn"].values())


def test_layout_of_columns_nobody_has_is_refused(brand, write):
    layout = LayoutConfig("mailing", {"expected_vale": "worth"})
    with pytest.raises(
        ConfigError, match="Unknown column of the layout 'mailing' 'expected_vale'; did you mean 'expected_v"
    ):
        brand.score(write(listed(brand.cards[:3])), layout=layout)
    assert not list(brand.workspace.glob("*.part"))


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    root = tmp_path_factory.mktemp("toy")
    toy_store(root)
    silo = replace(
        SILO,
        attributes={"tier": "tier", "consent_email": "agreed"},
        contacts={**SILO.contacts, "city": "city"},
    )
    (root / "tickets.csv").write_text(
        "Tessera,mail,other,tel,at,tier,agreed,city\n"
        "007,,,,2025-01-01,gold,yes,Roma\n008,,,,2025-06-01,2,no,Roma\n009,,,,2025-06-11,gold,,Pisa\n"
    )
    return build_store(root, {"tickets": silo})


@pytest.mark.parametrize(
    ("segment", "cards"),
    [
        ("consent_email", ["007"]),
        ("not consent_email", ["008"]),  # silence is no answer
        ("tier = 'gold'", ["007", "009"]),
        ("city = 'Roma' and tenure_days > 90", ["007"]),
        ("tenure_days between 0 and 15", ["008", "009"]),
    ],
)
def test_segment_is_the_list_of_whom_a_condition_is_true(toy, segment, cards):
    workspace = toy.folder.parents[1]
    with ExitStack() as stack:
        found, settings = open_list(stack, ScoreSettings(workspace=str(workspace), segment=segment))
        ids = [row[0] for chunk in found.chunks(2) for row in chunk.rows]
    whose = {row["customer_id"]: row["source_key"] for row in toy.read_crosswalk("card").to_pylist()}
    assert sorted(whose[customer] for customer in ids) == cards
    assert settings.out.endswith("-scored.csv")
    assert not list(workspace.glob(".scoring-*"))


@pytest.mark.parametrize(
    ("segment", "message"),
    [
        ("tiers = 'gold'", "The segment asks for 'tiers'; did you mean 'tier'"),
        ("email = 'ann@x.org'", "The segment asks for 'email'"),
        ("tier", "gives a text; write a condition"),
        ("tier = 'lead'", "is true of none of 3 customers"),
        ("read_csv('/etc/passwd')", "which is not understood|Cannot read"),
        ("1; drop table x", "which is not understood"),
    ],
)
def test_segment_that_is_no_condition_is_one_clear_line(toy, segment, message):
    with ExitStack() as stack, pytest.raises((ConfigError, InputError), match=message):
        open_list(stack, ScoreSettings(workspace=str(toy.folder.parents[1]), segment=segment))


def test_a_list_and_a_segment_are_one_too_many():
    with pytest.raises(ConfigError, match="each say who is scored; give one"):
        ScoreSettings(list="a.csv", segment="tenure_days > 1")
    with ExitStack() as stack, pytest.raises(ConfigError, match="score needs a list of customers"):
        open_list(stack, ScoreSettings())
