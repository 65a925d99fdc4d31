"""A table without histories or dates, one row a customer and a label: from the file to its scores and its card."""

import json
from pathlib import Path

import numpy as np
import pytest

from builder import build_store
from sintonia.api import pipelines
from sintonia.core.config import (
    CheckSettings,
    PromoteSettings,
    ReviewSettings,
    ScoreSettings,
    SiloConfig,
    TrainSettings,
)
from sintonia.core.config.compose import compose
from sintonia.core.errors import ConfigError
from sintonia.core.timeline import NOT_OUT_OF_TIME, CustomerShares
from sintonia.data.store import open_store
from sintonia.registry import models, runs
from sintonia.registry.tracking import open_tracking

ROWS = 300
SILO = SiloConfig(
    path="subscribers.csv",
    occurred_at="'2024-05-31 18:00'",
    identifiers={"account": "ID"},
    constants={"channel": "phone", "kind": "register"},
    interactions={"thread_id": "ID"},
    attributes={
        "tenure": "tenure",
        "contract": "Contract",
        "charges": "Charges",
        "left": "Left",
        "why_left": "Why",
    },
)
SMALL = (
    "task.attribute=left",
    "task.class_rows=40",
    "model.min_data_in_leaf=10",
    "model.max_trees=60",
    "model.threads=1",
    "groups=[contract]",
)


def write_table(folder: Path) -> None:
    """Who came lately and pays by the month leaves more often; the last 20 rows have no label yet."""
    rng = np.random.default_rng(11)
    lines = ["ID,tenure,Contract,Charges,Left,Why"]
    for number in range(ROWS):
        tenure, monthly = int(rng.integers(1, 73)), bool(rng.random() < 0.55)
        charges = rng.uniform(20, 110)
        leaves = rng.random() < 1 / (1 + np.exp(0.04 * tenure - 1.5 * monthly))
        left = "" if number >= ROWS - 20 else "Yes" if leaves else "No"
        contract = "Month-to-month" if monthly else "Two year"
        why = "price" if left == "Yes" else ""
        lines.append(f"A{number:03d},{tenure},{contract},{charges:.2f},{left},{why}")
    (folder / "subscribers.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    """The workspace of the table, and the figures of its training."""
    folder = tmp_path_factory.mktemp("table")
    write_table(folder)
    build_store(folder, {"subscribers": SILO})
    workspace = folder / "workspace"
    settings = compose("train", [f"workspace={workspace}", "task=label", "split=customers", *SMALL])
    assert isinstance(settings, TrainSettings)
    return workspace, pipelines.train(settings)


def document(workspace: Path, figures: dict, name: str) -> dict:
    settings = compose("train", [f"workspace={workspace}"])
    tracking = open_tracking(settings.tracking, workspace)
    return runs.read_document(tracking, figures["run_id"], name)


def test_the_screen_the_page_the_card_and_the_record_say_that_it_is_not_out_of_time(trained):
    workspace, figures = trained
    assert f"Marked: {NOT_OUT_OF_TIME}" in figures["say"]
    assert any(
        line.startswith("Customers (split=customers): 60% of the customers train, 20% validate and 20% test")
        for line in figures["say"]
    )
    assert (figures["out_of_time"], figures["marks"]) == (False, [NOT_OUT_OF_TIME])
    assert figures["test_as_of"] == ["2024-05-31"]
    evaluation = document(workspace, figures, runs.EVALUATION)
    assert (evaluation["out_of_time"], evaluation["marks"]) == (False, [NOT_OUT_OF_TIME])
    assert json.dumps(figures, allow_nan=False)
    review = compose("review", [f"workspace={workspace}", "task=label"])
    assert isinstance(review, ReviewSettings)
    page = Path(pipelines.review(review)["files"][0]).read_text(encoding="utf-8")
    assert NOT_OUT_OF_TIME in page
    assert "Not out of time: on other customers, compared with baselines" in page
    assert "Out of time," not in page
    promote = compose("promote", [f"workspace={workspace}", "task=label", "force=true"])
    assert isinstance(promote, PromoteSettings)
    card = Path(pipelines.promote(promote)["files"][0]).read_text(encoding="utf-8")
    assert f"- {NOT_OUT_OF_TIME}" in card
    assert "## Other customers, not out of time" in card
    assert "## Out of time" not in card


def test_it_is_judged_on_customers_drawn_by_their_ids_of_whom_the_label_is_known(trained):
    workspace, figures = trained
    store = open_store(workspace)
    known = {
        row["customer_id"]
        for path in store.buckets
        for row in store.read_beside("attributes", path).to_pylist()
        if row["name"] == "left"
    }
    assert len(known) == ROWS - 20
    parts = [CustomerShares(0.2, 0.2, 7).part(customer) for customer in sorted(known)]
    assert figures["rows"] == figures["customers"] == parts.count("test")
    enough = figures["enough"]["rows"]
    assert enough["yes"] + enough["no"] == len(parts) - parts.count("test")


def test_attributes_teach_it_a_column_called_tenure_too_and_neither_label_nor_dates_do(trained):
    workspace, figures = trained
    names = document(workspace, figures, "features.json")
    assert {"profile__tenure", "profile__tenure_2", "profile__charges"} <= set(names)
    assert not [name for name in names if name.startswith("profile__left")]
    weights = {
        weight["feature"]: weight["mean_absolute"]
        for weight in document(workspace, figures, runs.REVIEW)["weights"]
    }
    assert weights["profile__tenure_2"] > 0
    assert "profile__tenure" not in weights


def test_a_logistic_regression_on_the_attributes_is_among_its_baselines(trained):
    workspace, figures = trained
    estimates = document(workspace, figures, runs.EVALUATION)["estimates"]
    assert list(estimates) == ["model", "naive rule", "attribute logistic"]
    assert estimates["naive rule"]["auc"]["value"] == 0.5
    # A reason for leaving is there for those who left alone: it knows the outcome, and so does whoever reads it.
    assert estimates["attribute logistic"]["auc"]["value"] > 0.9


def test_the_leak_check_names_the_column_that_was_filled_in_after_the_outcome(trained):
    workspace, figures = trained
    assert figures["may_leak"] == ["subscribers: why_left"]
    columns = {entry["name"] for entry in document(workspace, figures, "leaks.json")["findings"]}
    assert "left" not in columns
    assert {"tenure", "contract", "charges"} <= columns
    check = compose(
        "check", [f"workspace={workspace}", "task=label", "split=customers", "task.attribute=left"]
    )
    assert isinstance(check, CheckSettings)
    found = pipelines.check(check)
    assert next(line for line in found["say"] if "MAY LEAK" in line).startswith("why_left ")


def test_customers_without_a_label_are_scored(trained, tmp_path):
    workspace, _ = trained
    (tmp_path / "new.csv").write_text("ID\nA299\nA000\nA999\n", encoding="utf-8")
    settings = compose(
        "score", [f"workspace={workspace}", f"list={tmp_path / 'new.csv'}", "tasks=[label]", "key=ID"]
    )
    assert isinstance(settings, ScoreSettings)
    pipelines.score(settings)
    header, *rows = (tmp_path / "new-scored.csv").read_text(encoding="utf-8").splitlines()
    scored = [dict(zip(header.split(","), line.split(","), strict=False)) for line in rows]
    assert [line["label_status"] for line in scored] == ["scored", "scored", "unknown"]
    assert all(0 < float(line["label_propensity"]) < 1 for line in scored[:2])


def test_a_task_with_dates_and_a_table_without_are_split_as_they_can_be(trained):
    workspace, _ = trained
    table = compose("train", [f"workspace={workspace}", "task=label", *SMALL])
    with pytest.raises(ConfigError, match=r"task=label reads a table without dates.*; give split=customers"):
        pipelines.train(table)
    dated = compose("train", [f"workspace={workspace}", "task=purchase", "split=customers"])
    with pytest.raises(ConfigError, match=r"task=purchase has dates.*; give split=auto"):
        pipelines.train(dated)


def test_a_search_without_dates_to_make_folds_of_is_refused(trained):
    workspace, _ = trained
    settings = compose(
        "train", [f"workspace={workspace}", "task=label", "split=customers", "tune.trials=2", *SMALL]
    )
    with pytest.raises(ConfigError, match=r"tune\.trials=2 .* split=customers has none; set tune\.trials=0"):
        pipelines.train(settings)


def test_the_same_settings_give_the_same_model(trained):
    workspace, figures = trained
    settings = compose("train", [f"workspace={workspace}", "task=label", "split=customers", *SMALL])
    again = pipelines.train(settings)
    tracking = open_tracking(settings.tracking, workspace)
    first, second = (
        models.load_registered(tracking, models.find_candidate(tracking, "label", version))
        for version in (figures["version"], again["version"])
    )
    assert first.trees == second.trees
