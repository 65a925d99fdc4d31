"""A workspace builds from frames what it builds from files, and trains, scores and explains."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import sintonia as sn
from brand import build_brand
from sintonia.api import pipelines
from sintonia.core.config import VERBS
from sintonia.data.store import open_store

SOURCE = """
name: shop
silos:
  events:
    path: events.parquet
    format: parquet
    occurred_at: at
    known_at: known
    identifiers: {card: card}
    interactions: {thread_id: row, amount: price, kind: kind, channel: channel}
"""
SMALL = {
    "every_days": 14,
    "snapshots": 12,
    "valid_snapshots": 1,
    "test_snapshots": 2,
    "history_days": 56,
    "folds": 0,
}


@pytest.fixture(scope="module")
def orders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("brand")
    build_brand(folder)
    return pd.read_csv(folder / "events.csv", dtype={"card": str, "row": str}, parse_dates=["at", "known"])


@pytest.fixture(scope="module")
def shop(tmp_path_factory, orders):
    folder = tmp_path_factory.mktemp("shop")
    (folder / "shop.yaml").write_text(SOURCE)
    shop = sn.Workspace(folder / "workspace")
    shop.build(folder / "shop.yaml", frames={"events": orders}, identity="deterministic")
    return shop


def test_a_build_from_frames_is_that_from_files(shop, orders, tmp_path):
    orders.to_parquet(tmp_path / "events.parquet", index=False)
    (tmp_path / "shop.yaml").write_text(SOURCE)
    other = sn.Workspace(tmp_path / "workspace")
    other.build(tmp_path / "shop.yaml", identity="deterministic", **{"source.root": str(tmp_path)})
    assert open_store(other.path).fingerprint == open_store(shop.path).fingerprint


TILL = """
name: till
today: '2026-12-31'
silos:
  events:
    path: events.parquet
    format: parquet
    time_zone: America/New_York
    occurred_at: at
    identifiers: {card: card}
    interactions: {interaction_id: row, amount: price, kind: kind, channel: channel}
"""
SALES = pd.DataFrame(
    {
        "card": ["11", "11", "12"],
        "row": ["1", "2", "3"],
        "at": ["2026-03-05T10:00:00Z", "2026-03-06T10:00:00Z", "2026-03-07T10:00:00Z"],
        "price": [5.0, 6.5, 7.0],
        "kind": "purchase",
        "channel": "web",
    }
)
MOMENTS = pd.to_datetime(SALES["at"])


@pytest.mark.parametrize(
    "frame",
    [
        SALES,
        SALES.assign(at=MOMENTS),
        SALES.assign(at=MOMENTS.dt.tz_convert("Europe/Rome")),
        SALES.assign(
            at=MOMENTS.dt.tz_convert("America/New_York").dt.tz_localize(None)
        ),  # the silo's own clock
        SALES.assign(card=[11, 11, 12], row=pd.array([1, 2, 3], dtype="Int64")),
        SALES.astype({"card": "category", "kind": "category", "channel": "category"}),
        pd.concat([SALES, SALES]),
    ],
    ids=[
        "texts",
        "UTC",
        "another zone",
        "the silo's zone",
        "ids that are numbers",
        "categories",
        "rows twice",
    ],
)
def test_a_build_reads_frames_of_any_types(tmp_path, frame):
    (tmp_path / "till.yaml").write_text(TILL)
    built = sn.Workspace(tmp_path / "workspace").build(
        tmp_path / "till.yaml", frames={"events": frame}, identity="deterministic"
    )
    store = open_store(tmp_path / "workspace")
    rows = pd.concat([store.read_bucket(path).to_pandas() for path in store.buckets]).sort_values(
        "occurred_at"
    )
    assert rows["occurred_at"].tolist() == MOMENTS.dt.tz_localize(None).tolist()
    assert rows["amount"].tolist() == [500, 650, 700]
    assert rows["customer_id"].nunique() == 2
    assert built.figures["silos"]["events"]["rejected"] == len(frame) - 3


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (
            SALES.assign(card=[11, "11", 12]),
            r"'card' of `frames\['events'\]` has values of several types \(int, str\)",
        ),
        (SALES.assign(kind="PURCHASE"), r"unknown kind PURCHASE \(3\)"),
        (SALES.assign(channel="tv"), r"unknown channel tv \(3\)"),
        (SALES.assign(at=[1, 2, 3]), r"time missing or not understood \(3\)"),
    ],
)
def test_a_build_refuses_a_frame_in_one_line(tmp_path, frame, message):
    (tmp_path / "till.yaml").write_text(TILL)
    with pytest.raises(sn.SintoniaError, match=message) as error:
        sn.Workspace(tmp_path / "workspace").build(
            tmp_path / "till.yaml", frames={"events": frame}, identity="deterministic"
        )
    assert "\n" not in str(error.value)


def test_features_are_fitted_at_the_first_date(shop):
    both = shop.features(as_of=["2025-06-01", "2025-09-01"], families=["rfm", "rhythm"])
    first = shop.features(as_of="2025-06-01", families=["rfm", "rhythm"])
    rows = both["as_of"] == pd.Timestamp("2025-06-01")
    pd.testing.assert_frame_equal(both[rows].reset_index(drop=True), first)


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # of shap's own import
def test_a_run_shows_its_metrics_and_its_model_scores_a_frame(shop, orders):
    task = {"active_days": 56, "horizon_days": 28, "class_rows": 20}
    model = {"num_leaves": 7, "max_trees": 30, "min_data_in_leaf": 20, "threads": 1}
    run = shop.train("churn", features="basic", model=model, split=SMALL, **task)
    assert 0 < run.metrics["auc"] < 1
    assert run.shap().values.shape[1] > 10
    assert Path(run.page()).read_text().startswith("<!")
    frame = pd.DataFrame({"card": orders["card"].unique()[:20]}, index=np.arange(20) + 5)
    scored = shop.score(frame, tasks=["churn"], key="card")
    assert scored.index.equals(frame.index)
    assert scored["churn_propensity"].dropna().between(0, 1).all()
    again = shop.score(frame.astype("category"), tasks=["churn"], key="card")
    pd.testing.assert_series_equal(again["churn_propensity"], scored["churn_propensity"])
    numbered = frame.assign(
        n=pd.array(range(20), dtype="Int64"), at=pd.Timestamp("2025-01-01", tz="Europe/Rome")
    )
    again = shop.score(numbered, tasks=["churn"])
    pd.testing.assert_series_equal(again["churn_propensity"], scored["churn_propensity"])
    with pytest.raises(sn.SintoniaError, match=r"'card' of `customers` has values of several types") as error:
        shop.score(frame.assign(card=[1, *frame["card"][1:]]), tasks=["churn"])
    assert "\n" not in str(error.value)


def test_every_verb_of_the_command_line_is_a_method():
    methods = {"features": "catalogue"}
    assert {verb for verb in VERBS if not hasattr(sn.Workspace, methods.get(verb, verb))} == set()
    assert set(pipelines.PIPELINES) == set(VERBS)


def test_a_keyword_that_only_the_task_has_is_a_key_of_it(shop, monkeypatch):
    settings = []
    monkeypatch.setattr(pipelines, "run", lambda verb, composed: settings.append(composed) or {})
    with pytest.raises(KeyError):  # there are no figures
        shop.train("purchase", horizon_days=14, seed=11)
    assert (settings[0].task.name, settings[0].task.horizon_days, settings[0].seed) == ("purchase", 14, 11)
    assert settings[0].workspace == str(shop.path)
    with pytest.raises(sn.SintoniaError, match=r"did you mean 'task\.horizon_days'"):
        shop.train("purchase", horizn_days=14)


def test_the_catalogue_says_what_each_feature_means(shop):
    catalogue = shop.catalogue(families=["rfm"], windows_days=[30])
    entry = catalogue.set_index("name").loc["rfm__orders__30d"]
    assert entry["family"] == "rfm"
    assert "30 days" in entry["definition"]


def test_frames_that_do_not_fit_the_source_are_refused(shop, orders):
    with pytest.raises(sn.SintoniaError, match="Unknown silo 'event'; did you mean 'events'"):
        shop.build(shop.path.parent / "shop.yaml", frames={"event": orders})
