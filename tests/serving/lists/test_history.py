"""Scores stay in the workspace, and a list says what changed since the last one of its name."""

import pyarrow.parquet as pq

from serving.lists.small import cards_csv
from sintonia.data.privacy.person import files_of


def test_scores_are_stored_once_a_run_and_compared_with_the_last_list_of_the_same_name(brand, write):
    first = brand.score(write(cards_csv(brand.cards[:40]), "june.csv"))
    assert first.changes == []
    (stored,) = [path for path in first.files if path.suffix == ".parquet"]
    table = pq.read_table(stored)
    assert stored.parent == brand.store.workspace.scores / "june"
    assert table.num_rows == sum(first.totals.sums[f"{one.task} customers"] for one in brand.models)
    assert table.select(["customer_id", "task"]).to_pandas().duplicated().sum() == 0
    assert set(table["task"].to_pylist()) == {"churn", "value", "category"}
    brand.score(write(cards_csv(brand.cards[:40]), "june.csv"), chunk_rows=9)
    assert len(list(stored.parent.iterdir())) == 1
    again = brand.score(write(cards_csv(brand.cards[10:50]), "june.csv"))
    for change in again.changes:
        column = f"{change.task} customers"
        assert change.new + change.higher + change.lower + change.same == again.totals.sums[column]
        assert change.gone + change.higher + change.lower + change.same == first.totals.sums[column]
        assert change.new > 0 < change.gone
    assert stored in list(files_of(brand.workspace))  # what `forget` searches, and takes customers out of
    assert brand.score(write(cards_csv(brand.cards[:5]), "june.csv"), limit=2).changes == []
