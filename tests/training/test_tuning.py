"""The search: it goes on where it was, gives up what is worse, and finds what is better."""

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest

from sintonia.core.config import ModelConfig, RangeConfig, TaskConfig, TrainSettings, TuneConfig
from sintonia.core.errors import ConfigError, NotEnoughDataError
from sintonia.core.paths import WorkspacePaths
from sintonia.core.timeline import Split, rolling_folds
from sintonia.training.dataset import Dataset
from sintonia.training.models import bin_folds, validate_folds
from sintonia.training.tuning import choose_settings, search

DATES = [datetime(2026, 1, 1) + timedelta(days=28 * step) for step in range(4)]
FOLDS = rolling_folds(DATES, timedelta(days=28), 2)
SPACE = {
    "num_leaves": RangeConfig(2, 15, log=True),
    "lambda_l2": RangeConfig(0.1, 50.0, log=True),
}
MODEL = ModelConfig(
    num_leaves=2,
    learning_rate=0.2,
    max_trees=30,
    min_data_in_leaf=10,
    early_stopping_rounds=10,
    feature_fraction=1.0,
    bagging_fraction=0.5,
    threads=1,
)
SETTINGS = TrainSettings(
    task=TaskConfig(name="purchase"),
    model=MODEL,
    tune=TuneConfig(trials=6, startup_trials=2, report_trees=10, space=SPACE),
)


def rows(per_date=300, seed=5):
    """Rows whose outcome hangs on the product of two features, which stumps cannot see."""
    rng = np.random.default_rng(seed)
    n = per_date * len(DATES)
    values = rng.normal(size=(n, 4)).astype(np.float32)
    chance = 1 / (1 + np.exp(-2.5 * np.sign(values[:, 0] * values[:, 1]) - values[:, 0]))
    return Dataset(
        customer_id=np.arange(n).astype(str).astype(object),
        as_of=np.repeat(np.array(DATES, "datetime64[us]"), per_date),
        values=values,
        label=(rng.random(n) < chance).astype(np.int8),
        names=("first", "second", "noise", "dust"),
    )


ROWS = rows()


def test_folds_judge_by_the_dates_they_should_and_the_same_twice():
    binned = bin_folds(ROWS, FOLDS, SETTINGS)
    first, second = validate_folds(binned, MODEL, 7), validate_folds(binned, MODEL, 7)
    assert [(fold.as_of, fold.train_rows, fold.valid_rows) for fold in first] == [
        ("2026-02-26", 600, 300),
        ("2026-03-26", 900, 300),
    ]
    assert [fold.figures for fold in first] == [fold.figures for fold in second]
    assert list(first[0].figures) == ["binary_logloss", "auc"]
    assert first[0].loss == first[0].figures["binary_logloss"]


def test_fold_on_shared_bins_is_the_fit_of_its_own_rows():
    """A subset of a binned table teaches as rows binned by themselves do, when both have the same edges."""
    import lightgbm

    fold = validate_folds(bin_folds(ROWS, FOLDS[-1:], SETTINGS), MODEL, 7)[0]
    coarse = replace(ROWS, values=np.sign(ROWS.values))
    shared = validate_folds(bin_folds(coarse, FOLDS[-1:], SETTINGS), MODEL, 7)[0]
    train, valid = coarse.at(FOLDS[-1].train), coarse.at([FOLDS[-1].valid])
    data = lightgbm.Dataset(train.values, train.label)
    told = {"objective": "binary", "metric": "binary_logloss", "num_leaves": 2, "learning_rate": 0.2}
    told |= {
        "max_bin": 63,
        "min_data_in_leaf": 10,
        "feature_fraction": 1.0,
        "bagging_fraction": 0.5,
        "bagging_freq": 1,
    }
    told |= {"lambda_l2": 20.0, "seed": 7, "num_threads": 1, "deterministic": True, "force_row_wise": True}
    alone = lightgbm.train(
        told | {"verbosity": -1},
        data,
        30,
        valid_sets=[lightgbm.Dataset(valid.values, valid.label, reference=data)],
        callbacks=[lightgbm.early_stopping(10, verbose=False)],
    )
    assert shared.trees == alone.best_iteration
    assert shared.loss == pytest.approx(alone.best_score["valid_0"]["binary_logloss"], abs=1e-6)
    assert fold.as_of == shared.as_of


def test_what_is_asked_of_the_trees_is_kept_with_their_fold_and_of_the_settings_a_search_found(tmp_path):
    split = Split((DATES[0],), (DATES[1],), (DATES[3],), folds=FOLDS)
    asked = []

    def explain(trees):
        asked.append(trees.num_trees())
        return {"trees": float(trees.num_trees())}

    plain = choose_settings(ROWS, split, replace(SETTINGS, tune=TuneConfig()), (tmp_path, "f"), explain)
    assert [fold.sizes["trees"] for fold in plain.folds] == asked
    found = choose_settings(ROWS, split, SETTINGS, (tmp_path, "f"), explain)
    assert [fold.sizes["trees"] for fold in found.folds] == asked[len(plain.folds) :]
    assert tuple(replace(fold, sizes={}) for fold in found.folds) == found.search.best.folds


def test_fold_with_one_outcome_can_neither_teach_nor_judge():
    last = ROWS.as_of == np.datetime64(DATES[-1], "us")
    quiet = replace(ROWS, label=np.where(last, 0, ROWS.label).astype(np.int8))
    assert [fold.valid for fold in bin_folds(quiet, FOLDS, SETTINGS).folds] == [DATES[-2]]
    none = replace(ROWS, label=np.zeros(len(ROWS), np.int8))
    split = Split((DATES[0],), (DATES[1],), (DATES[3],), folds=FOLDS)
    assert choose_settings(none, split, replace(SETTINGS, tune=TuneConfig()), (None, "f")).folds == ()
    with pytest.raises(NotEnoughDataError, match="none of 2 dates has both outcomes"):
        choose_settings(none, split, SETTINGS, (None, "f"))


def test_fold_too_small_to_fill_a_few_leaves_is_left_out():
    greedy = replace(SETTINGS, model=replace(MODEL, min_data_in_leaf=121))
    assert [fold.valid for fold in bin_folds(ROWS, FOLDS, greedy).folds] == [DATES[-1]]


def test_search_finds_better_settings_than_it_started_from_and_goes_on_where_it_was(tmp_path):
    binned = bin_folds(ROWS, FOLDS, SETTINGS)
    few = search(binned, replace(SETTINGS, tune=replace(SETTINGS.tune, trials=3)), tmp_path, "data")
    assert [trial.number for trial in few.trials] == [0, 1, 2]
    assert few.trials[0].loss == 1.0
    assert dict(few.trials[0].settings)["num_leaves"] == 2
    found = search(binned, SETTINGS, tmp_path, "data")
    assert len(found.trials) == 6
    assert [trial.settings for trial in found.trials[:3]] == [trial.settings for trial in few.trials]
    assert found.best.loss < 0.99
    assert found.model.num_leaves == found.best.settings["num_leaves"] > 2
    assert isinstance(found.model.num_leaves, int)
    assert found.model.max_trees == MODEL.max_trees
    judged = validate_folds(binned, found.model, SETTINGS.seed)
    assert [fold.figures for fold in judged] == [fold.figures for fold in found.best.folds]
    again = search(binned, SETTINGS, tmp_path, "data")
    assert again.best == found.best
    other = search(binned, replace(SETTINGS, tune=replace(SETTINGS.tune, trials=1)), tmp_path, "newer data")
    assert len(other.trials) == 1
    assert WorkspacePaths(tmp_path).tuning.is_file()


def test_trials_worse_than_half_of_those_before_are_given_up(tmp_path):
    wide = replace(
        SETTINGS,
        tune=TuneConfig(
            trials=12,
            startup_trials=3,
            report_trees=5,
            space=SPACE | {"feature_fraction": RangeConfig(0.1, 1.0)},
        ),
    )
    found = search(bin_folds(ROWS, FOLDS, wide), wide, tmp_path, "data")
    given_up = [trial for trial in found.trials if trial.loss is None]
    assert given_up
    assert all(trial.number >= 3 and trial.folds == () for trial in given_up)
    assert found.best.loss == min(trial.loss for trial in found.trials if trial.loss is not None)


def test_interrupted_search_begins_its_first_trial_anew(tmp_path, monkeypatch):
    binned = bin_folds(ROWS, FOLDS, SETTINGS)
    calls = []

    def broken(*args, **kwargs):
        calls.append(1)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return validate_folds(*args, **kwargs)

    monkeypatch.setattr("sintonia.training.tuning.validate_folds", broken)
    one = replace(SETTINGS, tune=replace(SETTINGS.tune, trials=1))
    with pytest.raises(KeyboardInterrupt):
        search(binned, one, tmp_path, "data")
    found = search(binned, one, tmp_path, "data")
    assert [trial.loss for trial in found.trials] == [1.0]
    assert found.trials[0].settings["num_leaves"] == 2


def test_space_that_no_trial_can_change_and_ranges_of_nothing_are_refused(tmp_path):
    wrong = TuneConfig(trials=1, space={"num_leafs": RangeConfig(2, 9)})
    with pytest.raises(ConfigError, match="did you mean 'num_leaves'"):
        search(bin_folds(ROWS, FOLDS, SETTINGS), replace(SETTINGS, tune=wrong), tmp_path, "data")
    with pytest.raises(ConfigError, match="needs a space"):
        TuneConfig(trials=3)
    with pytest.raises(ConfigError, match="low < high"):
        RangeConfig(3, 3)
    with pytest.raises(ConfigError, match="low > 0 with log"):
        RangeConfig(0, 3, log=True)
