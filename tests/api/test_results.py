"""Results of verbs show figures of any kind of task, and say in one line what a model does not give."""

import pandas as pd
import pyarrow as pa
import pytest

from sintonia.api.results import Check, Comparison, Run
from sintonia.core.config import TrackingConfig
from sintonia.core.errors import NotBuiltError
from sintonia.registry import runs

NAMED = {"model": "shop-churn", "version": "3", "run_id": "8f3c2b1a", "files": [], "say": ["<Trained>"]}


def run_of(tmp_path, **figures):
    return Run(tmp_path, TrackingConfig(), {**NAMED, "task": "churn", **figures})


def test_metrics_of_outcomes_are_the_models_without_intervals(tmp_path):
    estimates = {"model": {"auc": {"value": 0.75, "low": 0.7, "high": 0.8}, "brier": [0.1, 0.05, 0.2]}}
    assert run_of(tmp_path, estimates=estimates).metrics == {"auc": 0.75, "brier": 0.1}


def test_metrics_of_a_policy_are_what_it_chooses_is_worth(tmp_path):
    chosen = {"treated": 0.5, "doubly_robust": [2.0, 1.5, 2.5], "ips": [None, None, None]}
    policies = {"nothing": {"treated": 0.0, "doubly_robust": [1.0, 0.9, 1.1]}, "chosen": chosen}
    run = run_of(tmp_path, task="next_best_action", policies=policies)
    assert run.metrics == {"treated": 0.5, "doubly_robust": 2.0}


def test_a_model_without_contributions_has_nothing_to_plot_and_says_so_in_one_line(tmp_path, monkeypatch):
    table = pa.table({"sample": [1], "base": [float("nan")], "value.rfm__orders": [2.0]})
    monkeypatch.setattr(runs, "read_table", lambda *_: table)
    with pytest.raises(NotBuiltError, match="shop-churn version 3 gives no contributions") as error:
        run_of(tmp_path).shap()
    assert "\n" not in str(error.value)


def test_a_result_shows_its_lines_as_text_and_in_a_notebook(tmp_path):
    run = run_of(tmp_path)
    assert str(run) == "<Trained>"
    assert run._repr_html_() == "<pre>&lt;Trained&gt;</pre>"
    assert repr(run) == "Run('shop-churn', version 3)"
    assert "say" not in run.figures


def test_a_comparison_is_a_table_of_runs():
    estimate = {"value": 0.7, "low": 0.6, "high": 0.8}
    first = {"version": "2", "alias": "", "grade": "B", "rows": 9, "verdict": "better than"}
    runs = [first | {"value": estimate, "difference": estimate | {"value": 0.1}}]
    runs += [first | {"version": "1", "value": None, "difference": None, "verdict": ""}]
    frame = Comparison({"runs": runs, "files": [], "say": []}).frame
    assert frame["version"].tolist() == ["2", "1"]
    assert frame["difference"].tolist()[0] == 0.1
    assert pd.isna(frame["value"].tolist()[1])


def test_a_check_passes_or_not():
    assert not Check({"passed": False, "files": [], "say": []}).passed
