"""A model of another family: one file with one class, from training to champion and back from disk elsewhere."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from brand import FEATURES, MODEL, SPLIT, TASK, build_brand
from sintonia.api import pipelines
from sintonia.core.config import (
    CompareSettings,
    ModelConfig,
    PromoteSettings,
    ReasonsConfig,
    ReviewSettings,
    ScoreSettings,
    SignSettings,
    TrackingConfig,
    TrainSettings,
    TuneConfig,
)
from sintonia.core.errors import ConfigError, GateError, InputError
from sintonia.core.hashes import code_hash
from sintonia.data.store import Store
from sintonia.registry import approval, models, runs
from sintonia.registry.models import load_model
from sintonia.registry.tracking import Registered, open_tracking
from sintonia.training.models import OutcomeModel, OwnModel, own_estimator

CODE = '''
"""scikit-learn's logistic regression on standardised features; what it learned are four arrays of an .npz file."""

import numpy as np


class Logistic:
    def fit(self, values, label, *, names, amount, seed):
        from sklearn.linear_model import LogisticRegression

        self.center = np.nan_to_num(np.nanmedian(values.astype(float), axis=0))
        filled = self._filled(values)
        self.scale = filled.std(axis=0) + 1e-9
        learned = LogisticRegression(C=0.1, max_iter=500, random_state=seed).fit(filled / self.scale, label)
        self.slopes, self.intercept = learned.coef_[0] / self.scale, learned.intercept_
        return self

    def _filled(self, values):
        return np.where(np.isnan(values), 0.0, values - self.center)

    def predict(self, values):
        # Row by row: a sum that knows its neighbours would not give every chunk of a list the same bytes.
        scores = np.array([(row * self.slopes).sum() for row in self._filled(values)]) + self.intercept[0]
        return 1 / (1 + np.exp(-scores))

    def save(self, folder):
        arrays = {name: getattr(self, name) for name in ("center", "scale", "slopes", "intercept")}
        np.savez(folder / "logistic.npz", **arrays)

    @classmethod
    def load(cls, folder):
        model = cls()
        with np.load(folder / "logistic.npz", allow_pickle=False) as arrays:
            for name in arrays.files:
                setattr(model, name, arrays[name])
        return model
'''
EXPLAINING = """
    def contributions(self, values):
        parts = self._filled(values) * self.slopes
        return np.column_stack([parts, np.full(len(values), self.intercept[0])])
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    return build_brand(tmp_path_factory.mktemp("brand"), customers=200)


def settings_of(store: Store, file: Path | str, prefix: str = "own", **more) -> TrainSettings:
    return TrainSettings(
        workspace=str(workspace_of(store)),
        features=FEATURES,
        task=replace(TASK, force=True),
        model=replace(MODEL, name=str(file)),
        split=replace(SPLIT, folds=2),
        tracking=TrackingConfig(prefix=prefix),
        **more,
    )


def workspace_of(store: Store) -> Path:
    return store.rounds.parent


@pytest.fixture(scope="module")
def explaining(store, tmp_path_factory):
    """The settings and figures of a training of a class that gives contributions; its file is gone afterwards."""
    file = tmp_path_factory.mktemp("own") / "logistic.py"
    file.write_text(CODE + EXPLAINING)
    settings = settings_of(store, file)
    figures = pipelines.train(settings)
    file.unlink()
    return settings, figures


def registered_model(settings: TrainSettings) -> tuple[OwnModel, Registered]:
    place = open_tracking(settings.tracking, Path(settings.workspace))
    model, registered = models.find_model(place, "churn", OutcomeModel)
    assert isinstance(model, OwnModel)
    return model, registered


def test_it_is_registered_with_its_text_and_predicts_where_its_file_is_not(explaining, tmp_path):
    model, _ = registered_model(explaining[0])
    values = np.random.default_rng(1).normal(size=(50, len(model.names))).astype(np.float32)
    model.save(tmp_path / "again")
    again = load_model(tmp_path / "again")
    assert replace(again, profile=None) == replace(model, profile=None)
    assert again.predict(values).tobytes() == model.predict(values).tobytes()
    assert (tmp_path / "again" / "own_model.py").read_text() == CODE + EXPLAINING
    assert not [path for path in (tmp_path / "again").rglob("*") if path.suffix in (".pkl", ".joblib")]


def test_its_probabilities_are_better_than_chance_and_its_folds_are_reported(explaining):
    figures = explaining[1]
    assert figures["estimates"]["model"]["auc"]["value"] > 0.55
    assert all(fold["figures"]["auc"] > 0.5 for fold in figures["folds"])
    assert len(figures["folds"]) == 2


def test_the_hash_of_the_code_is_of_its_file_too(explaining):
    settings, figures = explaining
    place = open_tracking(settings.tracking, Path(settings.workspace))
    tags = place.client.get_run(figures["run_id"]).data.tags
    assert tags["sintonia.code"] == code_hash(CODE + EXPLAINING) != code_hash()


def test_contributions_sum_to_the_raw_score_and_lead_by_family(explaining):
    """Law 6."""
    model, _ = registered_model(explaining[0])
    values = np.random.default_rng(2).normal(size=(20, len(model.names))).astype(np.float32)
    parts = model.contributions(values)
    np.testing.assert_allclose(parts.sum(axis=1), model.raw_scores(values), rtol=1e-6, atol=1e-6)
    alone = np.arange(len(model.names))
    features, sums = model.leading_groups(values, alone, 1)
    assert features[:, 0].tolist() == np.abs(parts[:, :-1]).argmax(axis=1).tolist()
    assert np.abs(sums[:, 0]).tolist() == np.abs(parts[:, :-1]).max(axis=1).tolist()


def scored(
    store: Store, settings: TrainSettings, tmp_path: Path, task: str = "churn"
) -> tuple[list[dict[str, str]], str]:
    """The rows of a scored list of everybody, and what was reported."""
    ids = sorted(store.customer_ids())
    (tmp_path / "list.csv").write_text("customer_id\n" + "\n".join(ids) + "\n")
    figures = pipelines.score(
        ScoreSettings(
            workspace=settings.workspace,
            list=str(tmp_path / "list.csv"),
            out=str(tmp_path / "scored.csv"),
            key="customer_id",
            tasks=[task],
            reasons=ReasonsConfig(count=2),
            tracking=settings.tracking,
            force=True,
        )
    )
    with (tmp_path / "scored.csv").open() as file:
        return list(csv.DictReader(file)), "\n".join(figures["say"])


def test_a_list_is_scored_with_reasons(store, explaining, tmp_path):
    rows, said = scored(store, explaining[0], tmp_path)
    there = [row for row in rows if row["churn_status"] == "scored"]
    assert there
    assert all(0 < float(row["churn_propensity"]) < 1 and row["churn_reason_1"] for row in there)
    assert "has no reasons" not in said


def test_it_is_compared_with_trees_reviewed_approved_and_promoted(store, explaining):
    settings, _ = explaining
    trees = pipelines.train(replace(settings, model=MODEL))
    where = {"workspace": settings.workspace, "task": settings.task, "tracking": settings.tracking}
    compared = pipelines.compare(CompareSettings(**where, to=trees["version"]))
    (own,) = [run for run in compared["runs"] if run["version"] == "1"]
    assert own["verdict"]
    assert own["changed"]["model.name"][1] == "lightgbm"
    (page,) = pipelines.review(ReviewSettings(**where, version="1"))["files"]
    assert "What moves the score" in Path(page).read_text()
    pipelines.approve(SignSettings(**where, reviewer="risk", version="1"))
    with pytest.raises(GateError) as refused:
        pipelines.promote(PromoteSettings(**where, version="1"))
    assert "enough data" in str(refused.value)
    assert "approval" not in str(refused.value)
    promoted = pipelines.promote(PromoteSettings(**where, version="1", force=True))
    assert promoted["champion"] == "1"
    model, registered = registered_model(settings)
    assert (registered.alias, model.class_name) == ("champion", "Logistic")
    place = open_tracking(settings.tracking, Path(settings.workspace))
    files = models.model_files(place, registered)
    assert "own_model.py" in [path.name for path in files.iterdir()]
    assert approval.model_digest(place, registered)


def test_a_class_without_contributions_says_so_on_the_page_and_in_the_list(store, tmp_path):
    file = tmp_path / "quiet.py"
    file.write_text(CODE)
    settings = settings_of(store, file, prefix="quiet")
    figures = pipelines.train(settings)
    assert figures["estimates"]["model"]["auc"]["value"] > 0.55
    rows, said = scored(store, settings, tmp_path)
    assert all(not row["churn_reason_1"] for row in rows)
    assert "churn      has no reasons: its model gives no contributions" in said
    where = {"workspace": settings.workspace, "task": settings.task, "tracking": settings.tracking}
    (page,) = pipelines.review(ReviewSettings(**where))["files"]
    text = Path(page).read_text()
    assert "The model gives no contributions: this page explains no score" in text
    assert 'href="#customers"' not in text
    place = open_tracking(settings.tracking, Path(settings.workspace))
    table = runs.read_table(place, figures["run_id"], "contributions.parquet")
    assert not [name for name in table.column_names if name.startswith("contribution.")]


AMOUNTS = '''
import numpy as np


class Mean:
    """The mean amount of those who bought lately and of the others, in cents."""

    def fit(self, values, label, *, names, amount, seed):
        assert amount
        self.column = names.index("rfm__orders__56d")
        busy = values[:, self.column] > 2
        self.means = np.array([label[~busy].mean(), label[busy].mean()])

    def predict(self, values):
        return self.means[(values[:, self.column] > 2).astype(int)]

    def save(self, folder):
        np.save(folder / "means.npy", np.array([self.column, *self.means]))

    @classmethod
    def load(cls, folder):
        model = cls()
        column, *means = np.load(folder / "means.npy", allow_pickle=False)
        model.column, model.means = int(column), np.array(means)
        return model
'''


def test_amounts_are_expected_in_euros_and_have_no_median_where_the_class_gives_none(store, tmp_path):
    file = tmp_path / "amounts.py"
    file.write_text(AMOUNTS)
    settings = settings_of(store, f"{file}:Mean", prefix="amounts")
    figures = pipelines.train(replace(settings, task=replace(settings.task, name="value")))
    assert "median_error" not in figures["estimates"]["model"]
    rows, _ = scored(store, settings, tmp_path, task="value")
    there = [row for row in rows if row["value_status"] == "scored"]
    assert 1 <= len({row["expected_value"] for row in there}) <= 2
    assert min(float(row["expected_value"]) for row in there) > 1
    assert {row["median_value"] for row in rows} == {""}


@pytest.mark.parametrize(
    ("code", "name", "error", "message"),
    [
        (CODE, "{file}:Logistik", ConfigError, "has no class 'Logistik'; did you mean 'Logistic'"),
        (CODE.replace("def save", "def store"), "{file}", ConfigError, "Logistic has no save; a model needs"),
        ("x = 1", "{file}", ConfigError, "defines 0 classes with fit; name one"),
        ("import nowhere_at_all", "{file}", ConfigError, "cannot be loaded: ModuleNotFoundError"),
        (CODE, "elsewhere.py", InputError, "no file 'elsewhere.py'"),
    ],
)
def test_what_is_no_model_is_refused_in_plain_words(tmp_path, code, name, error, message):
    file = tmp_path / "logistic.py"
    file.write_text(code)
    with pytest.raises(error, match=message):
        own_estimator(name.format(file=file))


def test_scores_that_are_no_probabilities_and_contributions_that_miss_the_score_are_refused(store, tmp_path):
    file = tmp_path / "wrong.py"
    file.write_text(CODE.replace("1 / (1 + np.exp(-scores))", "scores"))
    with pytest.raises(ConfigError, match=r"predict gave .* give probabilities"):
        pipelines.train(settings_of(store, file, prefix="wrong"))
    file.write_text(CODE + EXPLAINING.replace("self.intercept[0]", "7.0"))
    with pytest.raises(ConfigError, match="contributions miss the log score"):
        pipelines.train(settings_of(store, file, prefix="wrong"))


def test_a_search_of_lightgbms_settings_and_a_name_of_no_file_are_refused(store, tmp_path):
    file = tmp_path / "logistic.py"
    file.write_text(CODE)
    search = TuneConfig(trials=3, space={"num_leaves": {"low": 4, "high": 8}})
    with pytest.raises(ConfigError, match="searches LightGBM's settings"):
        pipelines.train(settings_of(store, file, tune=search))
    with pytest.raises(ConfigError, match="Unknown model 'catboost'"):
        ModelConfig(name="catboost")
