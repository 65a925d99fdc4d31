"""The registered model says the same to the last bit, whoever asks: the pipeline, MLflow, a server."""

import json
import threading
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import mlflow
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlflow.pyfunc.scoring_server import infer_and_parse_data

from brand import CATALOGUE, FEATURES, FITTED, MODEL, SPLIT, TASK, build_brand
from sintonia.core.config import ScoreSettings, TrackingConfig, TrainSettings
from sintonia.core.errors import ConfigError, InputError
from sintonia.core.paths import WorkspacePaths
from sintonia.core.timeline import split_snapshots
from sintonia.data.store import Store
from sintonia.registry.models import register
from sintonia.registry.names import metric_keys, original_name
from sintonia.registry.pyfunc import PyfuncModel
from sintonia.registry.runs import LOADER, ChildRun, RunRecord, log_model, signature
from sintonia.registry.tracking import open_tracking
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


def test_a_run_with_actions_of_any_name_is_logged(scored, tmp_path):
    names = ["50% off: {x}[a]", "città/ñ", "a b", "a_b"]
    record = RunRecord(
        task="next_best_action",
        parameters={f"actions.{name}": "{'cost': 1}" for name in names},
        metrics={f"{key}.doubly_robust": 1.0 for key in metric_keys(names).values()},
        tags={"sintonia.gate": f"constant: {names[0]}"},
        documents={},
        model=scored[1],
        nested=[ChildRun("fold", {"always 50% off.value": 2.0}, {"off[0]": 1})],
    )
    tracking = open_tracking(TrackingConfig(), tmp_path)
    registered = register(tracking, record)
    run = tracking.client.get_run(registered.run_id).data
    assert run.metrics == dict.fromkeys(
        ["50_x25__off:__x7b_x_x7d__x5b_a_x5d_.doubly_robust", "città/ñ.doubly_robust", "a b.doubly_robust",
         "a_b.doubly_robust"],
        1.0,
    )  # fmt: skip
    assert {original_name(name) for name in run.params} == {f"actions.{name}" for name in names}
    experiment = tracking.client.get_run(registered.run_id).info.experiment_id
    (fold,) = (one for one in tracking.client.search_runs([experiment]) if "sintonia.nested" in one.data.tags)
    assert fold.data.metrics == {"always 50_x25_ off.value": 2.0}
    assert fold.data.params == {"off_x5b_0_x5d_": "1"}


@pytest.fixture(scope="module")
def served(scored, tmp_path_factory) -> mlflow.pyfunc.PyFuncModel:
    """The model behind MLflow's signature, as `mlflow models serve` loads it."""
    folder = tmp_path_factory.mktemp("served")
    scored[1].save(folder / "saved")
    mlflow.pyfunc.save_model(
        str(folder / "model"),
        loader_module=LOADER,
        data_path=str(folder / "saved"),
        signature=signature(scored[1]),
    )
    return mlflow.pyfunc.load_model(str(folder / "model"))


def few_histories(scored: Scored) -> tuple[pd.DataFrame, dict[str, str], list[float]]:
    """The histories of five customers, of which a JSON text is made, with the date and the scores of the pipeline."""
    store, _, scores = scored
    few = scores.rows.customer_id[:5].tolist()
    told = history(store, set(few)).drop(columns="opens_thread").reset_index(drop=True)
    return told, {"as_of": scores.as_of.isoformat()}, scores.outcome[:5].tolist()


def epoch_json(frame: pd.DataFrame) -> str:
    """A frame as pandas 2 writes it: times as epoch milliseconds."""
    times = frame.select_dtypes("datetime").columns
    milliseconds = {
        name: frame[name].astype("datetime64[ms]").astype("int64").astype("Int64").mask(frame[name].isna())
        for name in times
    }
    return str(frame.assign(**milliseconds).to_json(orient="split", index=False))


def sent(told: pd.DataFrame, served: mlflow.pyfunc.PyFuncModel) -> pd.DataFrame:
    """A frame as MLflow's server reads it from the JSON text of a request."""
    split = json.loads(epoch_json(told))
    return infer_and_parse_data({"dataframe_split": split}, served.metadata.get_input_schema())


def local(times: pd.Series, hours: int) -> pd.Series:
    """Times as texts of a clock that is so many hours ahead."""
    return (times + pd.Timedelta(hours=hours)).dt.strftime(f"%Y-%m-%dT%H:%M:%S.%f+{hours:02d}:00")


TIMES = ("occurred_at", "known_at")
SPELLINGS = {
    "milliseconds": lambda times: times.astype("datetime64[ms]").astype("int64"),
    "seconds as floats": lambda times: times.astype("datetime64[us]").astype("int64") / 1e6,
    "Z": lambda times: times.dt.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    "two hours ahead": lambda times: local(times, 2),
    "offsets that differ": lambda times: local(times, 2).where(times.index % 2 == 0, local(times, 5)),
    "fractions that differ": lambda times: times.map(lambda moment: moment.isoformat()),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_server_reads_times_however_json_spells_them(scored, served, spelling):
    told, asked, want = few_histories(scored)
    whole_seconds = told.assign(**{name: told[name].dt.floor("s") for name in TIMES})
    respelt = told.assign(**{name: SPELLINGS[spelling](whole_seconds[name]) for name in TIMES})
    expected = served.predict(whole_seconds, asked)
    assert len(expected) == len(want)
    pd.testing.assert_frame_equal(served.predict(sent(respelt, served), asked), expected)


FRAMES = {
    "as in the store": lambda told: told,
    "nullable numbers": lambda told: told.assign(amount=told["amount"].astype("Int64")),
    "categories": lambda told: told.assign(kind=told["kind"].astype("category")),
    "zoned times": lambda told: told.assign(
        occurred_at=told["occurred_at"].dt.tz_localize("UTC").dt.tz_convert("Europe/Rome")
    ),
    "microseconds": lambda told: told.assign(
        occurred_at=told["occurred_at"].astype("datetime64[us]").astype("int64")
    ),
}


@pytest.mark.parametrize("types", FRAMES)
def test_a_loaded_model_reads_frames_of_any_types(scored, served, types):
    told, asked, want = few_histories(scored)
    assert served.predict(FRAMES[types](told), asked)["propensity"].tolist() == want


@pytest.mark.parametrize("number", [int, float, "Int64"])
def test_ids_that_are_numbers_are_ids(scored, served, number):
    told, asked, want = few_histories(scored)
    code = {customer: at for at, customer in enumerate(sorted(told["customer_id"].unique()))}
    numbered = told.assign(customer_id=told["customer_id"].map(code).astype(number))
    got = served.predict(numbered, asked)
    assert got["customer_id"].tolist() == ["0", "1", "2", "3", "4"]
    assert got["propensity"].tolist() == want


def test_rows_twice_score_as_once_and_are_reported(scored, served, caplog):
    told, asked, want = few_histories(scored)
    with caplog.at_level("WARNING"):
        got = served.predict(sent_iso(pd.concat([told, told]), served), asked)
    assert got["propensity"].tolist() == want
    assert (
        f"{len(told):,} of {2 * len(told):,} interactions repeat another one in every column" in caplog.text
    )


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"kind": "PURCHASE"}, "Unknown kind 'PURCHASE' in the interactions; choose cancel, cart, click"),
        ({"kind": "buy"}, "Unknown kind 'buy' in the interactions; choose cancel, cart, click"),
        ({"channel": "tv"}, "Unknown channel 'tv' in the interactions; choose app, chat, email"),
        ({"occurred_at": "soon"}, "values are no times in ISO 8601"),
        ({"occurred_at": 7}, "numbers that are no times since 1970"),
    ],
)
def test_a_server_refuses_what_a_build_would_in_one_line(scored, served, changed, words):
    told, asked, _ = few_histories(scored)
    with pytest.raises(InputError, match=words) as caught:
        served.predict(sent_iso(told.assign(**changed), served), asked)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_model_logged_before_refuses_times_that_mlflow_misread(scored):
    told, asked, _ = few_histories(scored)
    milliseconds = told["occurred_at"].astype("datetime64[ms]").astype("int64")
    misread = told.assign(occurred_at=pd.to_datetime(milliseconds), known_at=None)
    with pytest.raises(InputError, match="before 1990-01-02, which is not credible"):
        PyfuncModel(scored[1]).predict(misread, asked)


def sent_iso(told: pd.DataFrame, served: mlflow.pyfunc.PyFuncModel) -> pd.DataFrame:
    """A frame as MLflow's server reads it from a request with times in ISO 8601."""
    split = json.loads(told.to_json(orient="split", index=False, date_format="iso", date_unit="us"))
    return infer_and_parse_data({"dataframe_split": split}, served.metadata.get_input_schema())


def test_ready_features_that_are_nullable_numbers_are_features(scored):
    _, model, scores = scored
    nullable = features_of(scores).convert_dtypes()
    assert PyfuncModel(model).predict(nullable)["propensity"].tolist() == scores.outcome.tolist()


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
        want = dict(zip(few.customer_id.tolist(), scores.outcome[:4].tolist(), strict=True))
        assert {row["customer_id"]: row["propensity"] for row in _asked(port, raw)} == want
        for spelling in ("milliseconds", "Z", "two hours ahead"):
            respelt = told.assign(**{name: SPELLINGS[spelling](told[name]) for name in TIMES})
            raw["dataframe_split"] = json.loads(epoch_json(respelt))
            assert {row["customer_id"]: row["propensity"] for row in _asked(port, raw)} == want
        raw["dataframe_split"] = json.loads(epoch_json(respelt.assign(kind="buy")))
        with pytest.raises(HTTPError) as refused:
            _asked(port, raw)
        assert "Unknown kind 'buy' in the interactions" in refused.value.read().decode()
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
