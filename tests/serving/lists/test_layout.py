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


def test_a_layout_with_an_unknown_column_is_refused(brand, write):
    layout = LayoutConfig("mailing", {"expected_vale": "worth"})
    with pytest.raises(
        ConfigError, match="Unknown column of the layout 'mailing' 'expected_vale'; did you mean 'expected_v"
    ):
        brand.score(write(cards_csv(brand.cards[:3])), layout=layout)
    assert not list(brand.workspace.glob("*.part"))
