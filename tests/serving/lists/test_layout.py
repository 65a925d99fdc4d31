"""Send files: selected rows with the columns and names of a layout."""

import csv
import io

import pytest

from serving.lists.small import cards_csv
from sintonia.core.config import LayoutConfig
from sintonia.core.errors import ConfigError


def test_send_files_have_the_columns_of_the_layout_and_one_file_a_value(brand, write):
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


def sent_rows(scored, name):
    (path,) = (path for path in scored.files if name in path.name)
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


@pytest.mark.parametrize("sort_by", [None, "churn_percentile"])
@pytest.mark.parametrize("chunk_rows", [7, 1000])
def test_a_send_file_is_in_the_order_of_its_priority(brand, write, sort_by, chunk_rows):
    name = "priority" if sort_by is None else "percentile"
    layout = LayoutConfig("calls", {"key": "customer", "churn_percentile": name}, sort_by=sort_by)
    scored = brand.score(write(cards_csv(brand.cards)), layout=layout, chunk_rows=chunk_rows)
    rows = sent_rows(scored, "calls")
    ranks = [int(row[name]) for row in rows if row[name]]
    assert ranks == sorted(ranks, reverse=True)
    assert ranks[0] == 100
    assert min(ranks) < 96  # as texts, 96 would come before 100
    for rank in set(ranks):  # of one percentile, in the order of the list
        cards = [row["customer"] for row in rows if row[name] == str(rank)]
        assert cards == sorted(cards)
    assert [row[name] for row in rows[len(ranks) :]] == [""] * (len(rows) - len(ranks))
    assert len(rows) == scored.totals.statuses["scored"]


def test_a_priority_of_the_list_itself_counts_as_a_number(brand, write):
    ranks = ["96", "100", "", "9,5", "soon", "100"]
    text = "card;rank\n" + "".join(f"{card};{rank}\n" for card, rank in zip(brand.cards, ranks, strict=False))
    layout = LayoutConfig("calls", {"rank": "priority"}, statuses=["scored", "not eligible"])
    scored = brand.score(write(text + "x;1,5\n"), layout=layout)
    (path,) = (path for path in scored.files if "calls" in path.name)
    assert path.read_text().split("\n")[:-1] == ["priority", "100", "100", "96", "9,5", '""', "soon"]


def test_without_a_priority_a_send_file_is_in_the_order_of_the_list(brand, write):
    layout = LayoutConfig("calls", {"key": "customer", "churn_percentile": "percentile"})
    rows = sent_rows(brand.score(write(cards_csv(brand.cards)), layout=layout), "calls")
    assert [row["customer"] for row in rows] == sorted(row["customer"] for row in rows)


def test_a_layout_that_is_sorted_by_an_unknown_column_is_refused(brand, write):
    layout = LayoutConfig("calls", {"key": "customer"}, sort_by="churn_percentil")
    with pytest.raises(ConfigError, match="'churn_percentil'; did you mean 'churn_percentile'"):
        brand.score(write(cards_csv(brand.cards[:3])), layout=layout)


def test_a_layout_with_an_unknown_column_is_refused(brand, write):
    layout = LayoutConfig("mailing", {"expected_vale": "worth"})
    with pytest.raises(
        ConfigError, match="Unknown column of the layout 'mailing' 'expected_vale'; did you mean 'expected_v"
    ):
        brand.score(write(cards_csv(brand.cards[:3])), layout=layout)
    assert not list(brand.workspace.glob("*.part"))
