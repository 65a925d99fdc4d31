"""The registered model says the same to the last bit, whoever asks: the pipeline, MLflow, a server."""

import json
import threading
from urllib.request import Request, urlopen

import mlflow
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brand import CATALOGUE, FEATURES, FITTED, MODEL, SPLIT, TASK, build_brand
from sintonia.core.config import ScoreSettings, TrainSettings
from sintonia.core.errors import ConfigError, InputError
from sintonia.core.paths import WorkspacePaths
from sintonia.core.timeline import split_snapshots
from sintonia.data.store import Store
from sintonia.registry.pyfunc import PyfuncModel
from sintonia.registry.runs import log_model
from sintonia.registry.upgrade import upgrade_loaders
from sintonia.serving.scoring import Scores, score_customers, scoring_date
from sintonia.training.dataset import assemble
from sintonia.training.models import OutcomeModel, fit_model

Scored = tuple[Store, OutcomeModel, Scores]


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Scored:
    store = build_brand(tmp_path_factory.mktemp("brand"), customers=200)
    split = split_snapshots(SPLIT, TASK, store.data_from(["purchase"]), store.data_until(["purchase"]))
    rows = assemble(store, split.all, CATALOGUE, TASK)
    told = TrainSettings(features=FEATURES, task=TASK, model=MODEL, split=SPLIT)
    model = fit_model(rows.at(split.train), rows.at(split.valid), told, FITTED, store)
    as_of = scoring_date(None, store, model)
    return store, model, score_customers(store, model, as_of, ScoreSettings(list="x"), store.customer_ids())


def features_of(scores: Scores) -> pd.DataFrame:
    """The features as the signature has them: doubles."""
    return pd.DataFrame(scores.rows.values.astype(np.float64), columns=list(scores.rows.names))


def history(store: Store, customers: set[str]) -> pd.DataFrame:
    parts = [store.read_bucket(path, customers).to_pandas() for path in store.buckets]
    return pd.concat([part.astype({"kind": object, "channel": object}) for part in parts if len(part)])


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.data())
def test_any_rows_in_any_order_score_as_in_the_pipeline_to_the_last_bit(scored, data):
    _, model, scores = scored
    rows = data.draw(st.lists(st.integers(0, len(scores.rows) - 1), min_size=1, max_size=12))
    said = PyfuncModel(model).predict(features_of(scores).iloc[rows])
    assert said["propensity"].tolist() == scores.outcome[rows].tolist()
    assert said.index.tolist() == rows


def test_histories_score_as_in_the_pipeline_to_the_last_bit_alone_and_together(scored):
    store, model, scores = scored
    want = dict(zip(scores.rows.customer_id.tolist(), scores.outcome.tolist(), strict=True))
    told = history(store, store.customer_ids()).sample(frac=1, random_state=5)
    asked = {"as_of": scores.as_of.isoformat()}
    together = PyfuncModel(model).predict(told, asked)
    assert dict(zip(together["customer_id"], together["propensity"], strict=True)) == want
    for customer in sorted(want)[:5]:
        alone = PyfuncModel(model).predict(told[told["customer_id"] == customer], asked)
        assert alone["propensity"].tolist() == [want[customer]]


def test_who_is_not_asked_about_has_no_row_and_an_unreadable_date_is_said(scored):
    store, model, scores = scored
    told = history(store, set(scores.rows.customer_id[:3].tolist()))
    assert PyfuncModel(model).predict(told).empty  # as of today, years after their last purchase
    with pytest.raises(ConfigError, match="as_of='soon' is not a date"):
        PyfuncModel(model).predict(told, {"as_of": "soon"})
    with pytest.raises(InputError, match=r"needs the feature 'rfm__orders__14d'.*Or give interactions"):
        PyfuncModel(model).predict(pd.DataFrame({"a": [1.0]}))


@pytest.mark.slow
def test_mlflows_server_answers_histories_and_features_to_the_last_bit(scored, tmp_path):
    import mlflow
    import uvicorn
    from mlflow.pyfunc.scoring_server import init

    store, model, scores = scored
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path / 'mlflow.db'}")
    mlflow.set_experiment(
        experiment_id=mlflow.create_experiment("served", artifact_location=(tmp_path / "files").as_uri())
    )
    with mlflow.start_run():
        _, uri = log_model(model)
    server = uvicorn.Server(uvicorn.Config(init(mlflow.pyfunc.load_model(uri)), port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            thread.join(0.05)
        port = server.servers[0].sockets[0].getsockname()[1]
        few = scores.rows.take(np.arange(4))
        rows = [[None if np.isnan(x) else float(x) for x in row] for row in few.values]
        ready = {"dataframe_split": {"columns": list(few.names), "data": rows}}
        assert [row["propensity"] for row in _asked(port, ready)] == scores.outcome[:4].tolist()
        told = history(store, set(few.customer_id.tolist())).drop(columns="opens_thread")
        split = json.loads(told.to_json(orient="split", index=False, date_format="iso", date_unit="us"))
        raw = {"dataframe_split": split, "params": {"as_of": scores.as_of.isoformat()}}
        said = {row["customer_id"]: row["propensity"] for row in _asked(port, raw)}
        assert said == dict(zip(few.customer_id.tolist(), scores.outcome[:4].tolist(), strict=True))
    finally:
        server.should_exit = True
        thread.join()


def _asked(port, body):
    request = Request(
        f"http://127.0.0.1:{port}/invocations",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urlopen(request) as answer:
        return json.loads(answer.read())["predictions"]


def test_a_model_that_names_an_older_loader_loads_again_after_an_upgrade(scored, tmp_path):
    _, model, scores = scored
    folder = WorkspacePaths(tmp_path).tracking_files / "models" / "m-1" / "artifacts"
    model.save(tmp_path / "saved")
    mlflow.pyfunc.save_model(
        str(folder), loader_module="sintonia.registry.pyfunc", data_path=str(tmp_path / "saved")
    )
    written = (folder / "MLmodel").read_text()
    old = written.replace("loader_module: sintonia.registry.pyfunc", "loader_module: sintonia.pyfunc")
    assert old != written
    (folder / "MLmodel").write_text(old)
    with pytest.raises(ModuleNotFoundError, match=r"sintonia\.pyfunc"):
        mlflow.pyfunc.load_model(str(folder))
    assert upgrade_loaders(tmp_path) == [folder / "MLmodel"]
    assert (folder / "MLmodel").read_text() == written
    assert upgrade_loaders(tmp_path) == []
    predicted = mlflow.pyfunc.load_model(str(folder)).predict(features_of(scores))
    np.testing.assert_array_equal(predicted["propensity"], model.predict(scores.rows.values)[:, 0])
