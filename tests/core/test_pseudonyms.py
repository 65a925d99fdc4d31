"""Customers under another name: the same within a workspace, unknown outside."""

import pyarrow as pa
import pyarrow.parquet as pq

from sintonia.core.pseudonyms import known_as, pseudonyms, workspace_key
from sintonia.data.privacy.person import DataSubject, structure
from sintonia.data.privacy.traces import remove_rows


def test_a_workspace_keeps_its_key_and_another_has_another(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    assert workspace_key(first) == workspace_key(first)
    assert workspace_key(first) != workspace_key(second)
    assert pseudonyms(workspace_key(first), ["C1"]) != pseudonyms(workspace_key(second), ["C1"])


def test_a_forgotten_customer_is_found_under_the_names_of_the_runs(tmp_path):
    assert known_as(tmp_path, ["C1"]) == frozenset()
    named = pseudonyms(workspace_key(tmp_path), ["C1", "C2"])
    assert known_as(tmp_path, ["C2", "C1"]) == frozenset(named)
    assert "C1" not in "".join(named)


def test_rows_of_a_forgotten_customer_go_from_the_predictions_of_every_run(tmp_path):
    names = pseudonyms(workspace_key(tmp_path), ["C1", "C2"])
    path = tmp_path / "mlflow" / "predictions.parquet"
    path.parent.mkdir()
    pq.write_table(pa.table({"customer_hash": [*names, names[0]], "label": [0, 1, 1]}), path)
    traces = structure(DataSubject(ids=frozenset({"C1"}), own=frozenset()), tmp_path)
    assert remove_rows(path, traces) == 2
    assert pq.read_table(path)["customer_hash"].to_pylist() == [names[1]]
