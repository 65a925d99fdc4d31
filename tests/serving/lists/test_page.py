"""The page of a scored list."""

import csv
import io
import re

from serving.lists.small import cards_csv


def test_the_page_shows_counts_and_expected_outcomes_but_no_customer(brand, write):
    scored = brand.score(write(cards_csv([*brand.cards, "zzz"])))
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
