"""The road from raw silos to a scored list and a review page, on a small synthetic brand."""

import csv
import json
import logging
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from sintonia.api import pipelines
from sintonia.api.pipelines.demonstration import settings_of
from sintonia.core.config import (
    CheckSettings,
    CompareSettings,
    DemoSettings,
    FeaturesSettings,
    PromoteSettings,
    RangeConfig,
    ReviewSettings,
    ScoreSettings,
    SignSettings,
    TaskConfig,
    TrackingConfig,
    TrainSettings,
    TuneConfig,
)
from sintonia.core.config.compose import compose
from sintonia.core.errors import GateError, NotBuiltError, NotEnoughDataError
from sintonia.core.paths import WorkspacePaths
from sintonia.data.store import open_store
from sintonia.explain.sample import CONTRIBUTIONS_FILE
from sintonia.registry import models, predictions, promotion_checks, runs
from sintonia.registry.tracking import Tracking, open_tracking
from sintonia.review.page import TWO_DIGITS
from sintonia.training.models import OutcomeModel

CUSTOMERS = 600


def demo_settings(workspace: Path) -> DemoSettings:
    small = [
        f"workspace={workspace}",
        f"customers={CUSTOMERS}",
        "model.max_trees=150",
        "features.windows_days=[30,365]",
        "tasks.churn.force=true",
    ]
    found = compose("demo", [*small, "model.threads=1"])
    assert isinstance(found, DemoSettings)
    return found


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[DemoSettings, dict, str]:
    """The settings of a demo, its figures, and all it logged."""
    chosen = demo_settings(tmp_path_factory.mktemp("demo"))
    log = Path(chosen.workspace) / "log.txt"
    handler = logging.FileHandler(log)
    logging.getLogger().addHandler(handler)
    logging.getLogger("sintonia").setLevel(logging.INFO)
    try:
        figures = pipelines.demo(chosen)
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()
    text = log.read_text()
    log.unlink()
    return chosen, figures, text


def test_demo_names_every_file_it_made_and_what_to_open_next(demo):
    chosen, figures, _ = demo
    workspace = Path(chosen.workspace)
    named = [Path(file) for file in figures["files"]]
    assert all(path.exists() for path in named)
    for path in workspace.rglob("*"):
        inside = any(path == name or name in path.parents for name in named)
        empty = (
            path.suffix == ".parquet" and path.parent.name == "rejected" and not pq.read_table(path).num_rows
        )
        pointer = path.name == "current.json"
        assert inside or path.is_dir() or empty or pointer, f"{path} is not named"
    told = "\n".join(figures["say"])
    assert "Open next:" in told
    assert str(workspace / "review/churn.html") in told


def test_figures_are_json(demo):
    _, figures, _ = demo
    assert json.loads(json.dumps(figures, allow_nan=False))["steps"]["build"]["customers"] > CUSTOMERS / 2


def test_every_silo_accounts_for_its_rows(demo):
    _, figures, _ = demo
    silos = figures["steps"]["build"]["silos"]
    first = {"web", "store", "crm", "campaign_events", "campaign_decisions"}
    assert set(silos) == first | {"app", "contact_centre", "contact_centre_closed", "chat", "social"}
    for silo in silos.values():
        assert silo["rows"] == silo["stored"] + silo["rejected"]
        assert sum(silo["reasons"].values()) == silo["rejected"]


def test_list_comes_back_whole_with_scores(demo):
    chosen, _, _ = demo
    workspace = Path(chosen.workspace)
    with (workspace / "list.csv").open() as before, (workspace / "list-scored.csv").open() as after:
        given, scored = list(csv.reader(before, delimiter=";")), list(csv.reader(after, delimiter=";"))
    assert [row[:2] for row in scored] == given
    rows = [dict(zip(scored[0], row, strict=True)) for row in scored[1:]]
    assert rows[-1]["list_status"] == rows[-1]["churn_status"] == "unknown"
    told = [row for row in rows if row["churn_status"] == "scored"]
    assert told
    for row in told:
        assert 0 < float(row["churn_propensity"]) < 1
        assert 1 <= int(row["churn_percentile"]) <= 100
        assert row["churn_band"] in ("high", "medium", "low")
        assert re.search(r" \(makes leaving (likelier|less likely)\)$", row["churn_reason_1"])
    for row in rows:
        if row["churn_status"] != "scored":
            assert row["churn_propensity"] == row["churn_band"] == row["churn_reason_1"] == ""


def test_scoring_twice_gives_the_same_bytes(demo, tmp_path):
    """Law 4, end to end."""
    chosen, _, _ = demo
    workspace = Path(chosen.workspace)
    again = ScoreSettings(
        workspace=chosen.workspace,
        source=chosen.source,
        tracking=chosen.tracking,
        bands=chosen.bands,
        list=str(workspace / "list.csv"),
        out=str(tmp_path / "again.csv"),
        tasks=list(chosen.tasks),
    )
    pipelines.score(again)
    assert (tmp_path / "again.csv").read_bytes() == (workspace / "list-scored.csv").read_bytes()


def distinct(table: pa.Table) -> str:
    """Every different text of a table's cells, one a line."""
    columns = [column.cast(pa.string()) for column in table.columns if not pa.types.is_nested(column.type)]
    return "\n".join(str(value) for column in columns for value in pc.unique(column).to_pylist())


def test_no_name_email_phone_or_address_leaves_the_contacts(demo):
    """Every person's contact values, looked for in logs, runs, models, reviews, features and figures."""
    chosen, figures, log = demo
    workspace = Path(chosen.workspace)
    store = open_store(workspace)
    contacts = pq.read_table(store.folder / "contacts.parquet").to_pylist()
    secrets = {row["value"].lower() for row in contacts if row["field"] in ("email", "phone", "street")}
    names = {
        row["value"].lower() for row in contacts if row["field"] == "last_name" and len(row["value"]) > 4
    }
    assert len(secrets) > CUSTOMERS
    kept = [*workspace.glob("mlflow/**/*"), *workspace.glob("review/*"), workspace / "list-scored.csv"]
    texts = [log, json.dumps(figures), (workspace / "mlflow.db").read_bytes().decode("latin-1")]
    texts += [path.read_text(errors="replace") for path in kept if path.is_file()]
    tables = [store.folder / "attributes.parquet", store.folder / "decisions.parquet", *store.buckets]
    texts += [distinct(pq.read_table(path)) for path in tables]
    whole = "\n".join(texts).lower()
    assert not [secret for secret in secrets if len(secret) > 5 and secret in whole]
    assert not names & set(re.findall(r"[a-zà-ü]{5,}", whole))


def test_model_artifact_is_text_and_json_alone(demo):
    chosen, _, _ = demo
    files = [path for path in Path(chosen.workspace).glob("mlflow/models/**/*") if path.is_file()]
    assert {path.suffix for path in files if "data" in path.parts} == {".txt", ".json"}
    assert not [path for path in files if path.suffix in (".pkl", ".pickle", ".joblib")]


def test_registered_model_loads_through_pyfunc_in_a_process_of_its_own(demo, tmp_path):
    chosen, _, _ = demo
    place = open_tracking(chosen.tracking, Path(chosen.workspace))
    ((model, registered),) = models.find_models(place, ["churn"], OutcomeModel)
    values = np.full((2, len(model.names)), np.nan, np.float32)
    script = """
import sys, mlflow, numpy as np, pandas as pd
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model(sys.argv[2])
names = [name for name in model.metadata.get_input_schema().input_names() if "__" in name]
print(model.predict(pd.DataFrame(np.full((2, len(names)), np.nan), columns=names))["propensity"].tolist())
"""
    address = f"models:/{registered.name}@candidate"
    ended = subprocess.run(
        [sys.executable, "-c", script, place.uri, address],
        cwd=tmp_path,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout.splitlines()[-1]) == model.propensities(values).tolist()


def test_run_holds_what_is_needed_to_repeat_it(demo):
    chosen, figures, _ = demo
    place = open_tracking(chosen.tracking, Path(chosen.workspace))
    ((model, registered),) = models.find_models(place, ["purchase"], OutcomeModel)
    run = place.client.get_run(registered.run_id)
    assert run.data.params["task.horizon_days"] == "30"
    assert run.data.params["seed"] == "7"
    assert run.data.tags["sintonia.data_fingerprint"] == figures["steps"]["build"]["fingerprint"]
    assert 0 < run.data.metrics["model.auc"] < 1
    assert runs.read_document(place, registered.run_id, "features.json") == list(model.names)
    assert runs.read_document(place, registered.run_id, "fitted.json") == model.fitted.as_plain()
    resolved = runs.read_document(place, registered.run_id, "config.json")
    assert resolved["model"]["max_trees"] == 150


def test_training_looks_for_columns_that_may_leak_and_records_the_answer(demo):
    chosen, figures, _ = demo
    told = figures["steps"]["train task=churn"]
    assert told["may_leak"] == []
    assert re.search(r"Leak check: none of \d+ columns", "\n".join(figures["say"]))
    place = open_tracking(chosen.tracking, Path(chosen.workspace))
    run = place.client.get_run(told["run_id"])
    assert run.data.tags["sintonia.may_leak"] == "none"
    assert run.data.metrics["leaks.may_leak"] == 0
    leaks = runs.read_document(place, told["run_id"], "leaks.json")
    assert {found["name"] for found in leaks["findings"]} >= {"birth_year", "count of purchase"}


def test_a_training_that_was_forced_is_marked_in_figures_run_and_review_and_one_that_was_not_is_not(demo):
    chosen, figures, _ = demo
    place = open_tracking(chosen.tracking, Path(chosen.workspace))
    for task, forced in (("churn", True), ("purchase", False)):
        told = figures["steps"][f"train task={task}"]
        assert told["forced"] is forced
        run = place.client.get_run(told["run_id"])
        review = (Path(chosen.workspace) / "review" / f"{task}.html").read_text(encoding="utf-8")
        assert ("forced" in run.data.tags) is forced
        assert ("Training was forced on too little data: " in review) is forced
    enough = runs.read_document(place, figures["steps"]["train task=churn"]["run_id"], "sufficiency.json")
    assert enough["rows"]["yes"] < 500
    assert "training rows with the outcome where 500 are needed" in enough["lacks"][0]


def test_too_little_data_is_refused_before_anything_is_computed(demo):
    chosen, _, _ = demo
    thin = replace(chosen.tasks["churn"], force=False)
    with pytest.raises(NotEnoughDataError, match=r"Or override with task\.force=true"):
        pipelines.train(settings_of(TrainSettings, chosen, task=thin))


def test_check_proves_the_features_and_passes_on_the_synthetic_brand(demo):
    chosen, _, _ = demo
    check = settings_of(CheckSettings, chosen, task=chosen.tasks["churn"], customers=100, dates=2, rows=2000)
    figures = json.loads(json.dumps(pipelines.check(check)))
    assert figures["passed"]
    assert len(figures["trials"]) == 4
    assert all(trial["rows"] for trial in figures["trials"])
    assert figures["leaks"]["may_leak"] == []
    assert "identical to the last byte" in figures["say"][1]


def test_second_training_is_a_second_version_and_scoring_uses_the_champion(demo):
    chosen, _, _ = demo
    train = settings_of(TrainSettings, chosen, task=chosen.tasks["churn"])
    figures = pipelines.train(train)
    assert figures["version"] == "2"
    place = open_tracking(chosen.tracking, Path(chosen.workspace))
    assert models.find_models(place, ["churn"], OutcomeModel)[0][1].version == "2"
    place.client.set_registered_model_alias(figures["model"], models.CHAMPION, "1")
    assert models.find_models(place, ["churn"], OutcomeModel)[0][1].version == "1"
    first = models.find_models(place, ["churn"], OutcomeModel)[0][0]
    place.client.delete_registered_model_alias(figures["model"], models.CHAMPION)
    assert (
        models.find_models(place, ["churn"], OutcomeModel)[0][0].trees == first.trees
    )  # law 8, through the registry


def test_run_lists_its_data_code_and_settings_and_keeps_figures(demo):
    chosen, figures, _ = demo
    place = open_tracking(chosen.tracking, Path(chosen.workspace))
    told = figures["steps"]["train task=purchase"]
    run = place.client.get_run(told["run_id"])
    data = {one.tags[0].value: one.dataset for one in run.inputs.dataset_inputs}
    assert set(data) == {"training", "validation", "testing"}
    fingerprint = figures["steps"]["build"]["fingerprint"]
    assert all(one.digest.startswith(fingerprint) for one in data.values())
    assert json.loads(data["testing"].profile)["rows"] == told["rows"]
    assert len({one.digest for one in data.values()}) == 3
    tags = run.data.tags
    assert {"sintonia.code", "sintonia.config", "sintonia.version"} <= set(tags)
    assert tags["sintonia.grade"] == told["grade"]
    drawn = {path.path for path in place.client.list_artifacts(told["run_id"], "figures")}
    assert drawn == {"figures/gains.svg", "figures/calibration.svg"}
    ElementTree.parse(place.client.download_artifacts(told["run_id"], "figures/gains.svg"))


def test_predictions_of_the_test_rows_are_kept_without_a_customer(demo):
    chosen, figures, _ = demo
    place = open_tracking(chosen.tracking, Path(chosen.workspace))
    told = figures["steps"]["train task=purchase"]
    kept = runs.read_table(place, told["run_id"], predictions.PREDICTIONS_FILE)
    assert len(kept) == told["rows"]
    ids = set(open_store(Path(chosen.workspace)).customer_ids())
    assert not ids & set(distinct(kept).splitlines())


def test_what_the_page_says_of_customers_is_what_the_run_keeps_and_names_nobody(demo):
    chosen, figures, _ = demo
    workspace = Path(chosen.workspace)
    place = open_tracking(chosen.tracking, workspace)
    run_id = figures["steps"]["train task=purchase"]["run_id"]
    page = (workspace / "review/purchase.html").read_text(encoding="utf-8")
    data = json.loads(re.search(r'id="customers-data">(.*?)</script>', page, re.DOTALL)[1])
    kept = {row["sample"]: row for row in runs.read_table(place, run_id, CONTRIBUTIONS_FILE).to_pylist()}
    (model,) = [
        found
        for found, named in models.find_models(place, ["purchase"], OutcomeModel)
        if named.run_id == run_id
    ]
    assert data["customers"]
    for one in data["customers"]:
        row = kept[one["sample"]]
        values = np.array([[row[f"value.{name}"] for name in model.names]], np.float32)
        assert one["raw"] == pytest.approx(float(model.raw_scores(values)[0]), abs=1e-6)
        parts = sum(part[2] for part in one["parts"]) + sum(size for _, size in one["rest"])
        assert one["base"] + parts == pytest.approx(one["raw"], abs=1e-6)
        assert one["outcome"] == pytest.approx(float(model.outcomes(values)[0]), abs=1e-5)
    key = pq.read_table(WorkspacePaths(workspace).sample(run_id)).to_pylist()
    assert {row["sample"] for row in key} == set(kept)
    store = open_store(workspace)
    ids = store.customer_ids() | set(store.read_merges()["customer_id"].to_pylist())
    assert {row["customer_id"] for row in key} <= ids
    for text in (page, distinct(runs.read_table(place, run_id, CONTRIBUTIONS_FILE))):
        assert not ids & set(re.findall(r"\w+", text))


def test_every_metric_on_the_page_is_the_runs(demo):
    chosen, figures, _ = demo
    workspace = Path(chosen.workspace)
    place = open_tracking(chosen.tracking, workspace)
    metrics = place.client.get_run(figures["steps"]["train task=churn"]["run_id"]).data.metrics
    page = (workspace / "review/churn.html").read_text(encoding="utf-8")
    judged = {key.partition(".")[2]: value for key, value in metrics.items() if key.startswith("model.")}
    row = re.search(r'<tr class="own"><th scope="row">model</th>(.*?)</tr>', page)[1]
    shown = re.findall(r"<td>([^<]+)<small>", row)
    names = list(figures["steps"]["train task=churn"]["estimates"]["model"])
    assert len(shown) == len(names)
    for text, name in zip(shown, names, strict=True):
        assert float(text.replace("\u2212", "-")) == pytest.approx(
            judged[name], abs=0.0051 if name in TWO_DIGITS else 5.1e-4
        )


def test_the_page_holds_still_when_nothing_changed(demo):
    chosen, _, _ = demo
    path = Path(chosen.workspace) / "review/churn.html"
    before = path.read_bytes()
    # Another test may have trained a candidate since.
    pipelines.review(settings_of(ReviewSettings, chosen, task=chosen.tasks["churn"], version="1"))
    assert path.read_bytes() == before


def test_candidate_passes_the_gate_is_compared_replaced_by_force_and_rolled_back(demo):
    chosen, _, _ = demo
    shared = {"workspace": chosen.workspace, "source": chosen.source, "tracking": chosen.tracking}
    task = chosen.tasks["purchase"]
    with pytest.raises(GateError, match="approval: its page has not been approved"):
        pipelines.promote(PromoteSettings(**shared, task=task))
    sign = SignSettings(**shared, task=task, reviewer="risk", remark="as expected")
    pipelines.reject(sign)
    with pytest.raises(GateError, match=r"approval: rejected by risk .*: as expected"):
        pipelines.promote(PromoteSettings(**shared, task=task))
    signed = pipelines.approve(sign)
    assert [one["action"] for one in signed["decisions"]] == ["reject", "approve"]
    first = pipelines.promote(PromoteSettings(**shared, task=task))
    assert (first["champion"], first["before"], first["forced"]) == ("1", None, False)
    assert [one["name"] for one in first["gate"]] == [
        "naive rule",
        "calibration",
        "leak check",
        "enough data",
        "approval",
    ]
    weak = replace(chosen.model, max_trees=1)
    pipelines.train(settings_of(TrainSettings, chosen, task=task, model=weak))
    with pytest.raises(GateError, match=r"version 2 stays a candidate: .*worse than the champion, version 1"):
        pipelines.promote(PromoteSettings(**shared, task=task))
    compared = pipelines.compare(CompareSettings(**shared, task=task))
    assert compared["reference"] == "1"
    assert [run["version"] for run in compared["runs"]] == ["1", "2"]
    assert compared["runs"][1]["verdict"] == "worse than"
    assert compared["runs"][1]["changed"] == {"model.max_trees": ["1", "150"]}
    assert compared["runs"][1]["difference"]["high"] < 0
    assert "worse than; model.max_trees=1" in "\n".join(compared["say"])
    forced = pipelines.promote(PromoteSettings(**shared, task=task, force=True))
    assert (forced["champion"], forced["forced"]) == ("2", True)
    back = pipelines.promote(PromoteSettings(**shared, task=task, rollback=True))
    assert (back["champion"], back["before"]) == ("1", "2")
    assert [one["action"] for one in back["history"]] == ["promote", "promote", "rollback"]
    assert json.loads(json.dumps(back, allow_nan=False))


def test_folds_and_trials_are_runs_inside_the_training_s_run(demo):
    chosen, figures, _ = demo
    place = open_tracking(chosen.tracking, Path(chosen.workspace))
    plain = figures["steps"]["train task=purchase"]
    assert plain["folds"]
    assert plain["search"] is None
    assert nested(place, plain["run_id"]) == [f"fold {fold['as_of']}" for fold in plain["folds"]]
    tune = TuneConfig(trials=2, space={"num_leaves": RangeConfig(2, 6)})
    settings = settings_of(TrainSettings, chosen, task=chosen.tasks["purchase"], tune=tune)
    told = pipelines.train(settings)
    assert told["search"]["trials"] == 2
    assert nested(place, told["run_id"]) == ["trial 0", "trial 1"]
    best = int(told["search"]["settings"]["num_leaves"])
    assert place.client.get_run(told["run_id"]).data.params["model.num_leaves"] == str(best)
    assert "Search: 2 trials" in "\n".join(told["say"])
    again = pipelines.train(settings)
    assert again["search"] == told["search"]
    assert [again[key] for key in ("estimates", "folds")] == [told[key] for key in ("estimates", "folds")]


def nested(place: Tracking, run_id: str) -> list[str]:
    """The names of the runs directly inside a run, sorted."""
    parent = place.client.get_run(run_id)
    found = place.client.search_runs([parent.info.experiment_id], f"tags.`mlflow.parentRunId` = '{run_id}'")
    return sorted(run.info.run_name for run in found)


def test_champion_without_kept_predictions_is_scored_again_on_the_candidates_rows(demo, monkeypatch):
    chosen, _, _ = demo
    place = open_tracking(chosen.tracking, Path(chosen.workspace))
    known = {one.version: one for one in models.list_versions(place, "purchase")}
    rows = runs.read_table(place, known["2"].run_id, predictions.PREDICTIONS_FILE)
    model = models.load_registered(place, known["1"])
    settings = PromoteSettings(workspace=chosen.workspace, source=chosen.source, tracking=chosen.tracking)
    kept = promotion_checks._champion_predictions(place, settings, known["1"], model, rows)

    def gone(*_: object) -> None:
        raise NotBuiltError("no predictions")

    monkeypatch.setattr(promotion_checks, "read_table", gone)
    again = promotion_checks._champion_predictions(place, settings, known["1"], model, rows)
    first, second = predictions.shared_rows([kept, again])
    assert len(first) == len(rows)
    assert first["model"] == second["model"]
    place.client.set_tag(known["1"].run_id, "sintonia.labels_until", "2099-01-01")
    with pytest.raises(NotBuiltError, match="was trained on labels until 2099-01-01"):
        promotion_checks._champion_predictions(place, settings, known["1"], model, rows)


def test_a_task_without_runs_has_nothing_to_compare(tmp_path):
    with pytest.raises(NotBuiltError, match="run `sintonia train task=churn` first"):
        pipelines.compare(CompareSettings(workspace=str(tmp_path)))


def test_task_without_a_model_names_the_command(tmp_path):
    place = open_tracking(TrackingConfig(prefix="nobody"), tmp_path)
    with pytest.raises(NotBuiltError, match="run `sintonia train task=churn` first"):
        models.find_models(place, [], OutcomeModel)
    with pytest.raises(NotBuiltError, match="No model for task 'purchase'"):
        models.find_models(place, ["purchase"], OutcomeModel)


def test_settings_of_another_verb_keep_what_both_have(demo):
    chosen, _, _ = demo
    task = TaskConfig(name="purchase")
    train = settings_of(TrainSettings, chosen, task=task)
    assert (train.task, train.model, train.workspace) == (task, chosen.model, chosen.workspace)


def test_features_tells_the_catalogue_of_a_configuration_and_of_a_model(demo, tmp_path):
    chosen, _, _ = demo
    place = {"workspace": chosen.workspace, "source": chosen.source, "tracking": chosen.tracking}
    told = pipelines.features(FeaturesSettings(**place, features=chosen.features))
    names = [entry["name"] for entry in told["features"]]
    assert {"rfm__orders__30d", "channel_mix__web_share__365d", "kinds__days_since_view"} <= set(names)
    for entry in told["features"]:
        assert all(entry[key] for key in ("definition", "unit", "missing", "why"))
    assert told["say"][0] == f"{len(names)} features of synthetic"
    out = tmp_path / "churn.csv"
    of_model = pipelines.features(FeaturesSettings(**place, registered="churn", out=str(out)))
    tracked = open_tracking(chosen.tracking, Path(chosen.workspace))
    model, _ = models.find_model(tracked, "churn", OutcomeModel)
    assert [entry["name"] for entry in of_model["features"]] == list(model.names)
    with out.open(newline="", encoding="utf-8") as file:
        assert [row["name"] for row in csv.DictReader(file)] == list(model.names)
    assert of_model["files"] == [str(out)]
