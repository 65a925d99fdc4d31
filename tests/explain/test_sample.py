"""The explained rows beside a run: a table without ids, a key apart, and the way into shap's plots."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from review.example_review import BASE, NAMES, sample
from sintonia.core.paths import WorkspacePaths
from sintonia.explain.sample import read_explanation, sample_table, write_key


def test_the_table_has_values_and_contributions_that_add_up_and_nobody():
    table = sample_table(sample())
    moved = np.column_stack([table[f"contribution.{name}"].to_numpy() for name in NAMES])
    assert np.abs(table["base"].to_numpy() + moved.sum(axis=1) - table["raw_score"].to_numpy()).max() < 1e-6
    assert table["sample"].to_pylist() == list(range(1, len(sample()) + 1))
    assert "customer" not in str(table.column_names)


@pytest.mark.filterwarnings("ignore")  # those of shap and matplotlib as they are imported
def test_a_shap_explanation_comes_back_from_the_file(tmp_path):
    pq.write_table(sample_table(sample()), tmp_path / "contributions.parquet")
    found = read_explanation(pq.read_table(tmp_path / "contributions.parquet"))
    assert found.feature_names == list(NAMES)
    assert np.array_equal(found.values, sample().contributions.values)
    assert np.array_equal(found.data, sample().rows.values.astype(float), equal_nan=True)
    assert set(found.base_values) == {BASE}


def test_the_key_alone_says_who_is_who(tmp_path):
    path = WorkspacePaths(tmp_path).sample("run")
    write_key(sample().rows, path)
    rows = pq.read_table(path).to_pylist()
    assert rows[0] == {"sample": 1, "customer_id": sample().rows.customer_id[0]}
