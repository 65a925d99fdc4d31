"""Lapse, category purchase and spend of grocery households in the next 28 days, out of time, beside three baselines.

    python tests/benchmarks/bench_complete_journey.py [--tasks churn,value,category] [--dates 2017-08-27,2017-09-24]

The data is found as `sintonia build source=complete_journey` finds it (SINTONIA_DATA or the extra `samples`), else in
../shared/data; `--until` reads rows after 2017-10-22 as well, for later dates. Each date is judged by a model of dates
whose labels ended before it, in the default configuration of `experiment=complete_journey` (categories: `model=large`);
all dates are pooled, and differences are paired over households. Baselines: a logistic regression on recency, frequency
and money; LightGBM on counts, sums and shares over windows, tuned by random search on validation dates (`--trials 0`
leaves it out); a naive rule; and the others that a training is judged beside. With `--answers` spend is foretold by
trees as well that know what nine tenths of the households spent after the very date: nothing is chosen by it, it tells
how much the data hold.
"""

import argparse
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import lightgbm
import numpy as np
from sklearn.model_selection import KFold

from sintonia import cli, features
from sintonia.core import timeline
from sintonia.core.config.compose import compose
from sintonia.data.store import open_store
from sintonia.evaluation.classification import WeightedPropensities
from sintonia.evaluation.evaluate import evaluate, evaluate_amounts
from sintonia.evaluation.metrics import bootstrap_weights
from sintonia.training.baselines import add_baseline_features, fit_baselines
from sintonia.training.dataset import assemble, catalogue_of
from sintonia.training.models import fit_model
from sintonia.training.tasks import choose_categories, find_task, label_kinds
from sintonia.training.tasks.categories import CATEGORY_COLUMNS

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
WINDOWS = ("rfm", "channel_mix", "kinds", "category")
SHOWN = {
    "churn": ("auc", "average_precision", "brier", "log_loss", "calibration_error"),
    "value": ("rank_correlation", "capture_top20", "total_ratio", "median_error"),
}
DRAWS = 200


def asked(task, date, workspace, words):
    """Return the settings, store and split of one date's training."""
    given = [
        f"task={task}",
        "experiment=complete_journey",
        f"workspace={workspace}",
        f"split.test_as_of=[{date}]",
    ]
    # Twenty rows a household and date: every second week tells as much.
    given += ["split.every_days=14", "split.valid_snapshots=2", "model=large"] * (task == "category")
    config = compose("train", [*given, *words])
    store, kinds = open_store(Path(workspace)), label_kinds(config.task)
    split = timeline.split_snapshots(
        config.split, config.task, store.data_from(kinds), store.data_until(kinds)
    )
    tables = (store.read_bucket(path, columns=CATEGORY_COLUMNS) for path in store.buckets)
    return replace(config, task=choose_categories(config.task, tables, split.train[-1])), store, split


def tuned(train, valid, config, fitted, store, trials):
    """Return the model of features over windows with the best of some random settings, as its validation loss says."""
    rng = np.random.default_rng(11)
    found = []
    for _ in range(trials):
        model = replace(
            config.model,
            num_leaves=int(rng.choice([7, 15, 31, 63])),
            learning_rate=float(rng.choice([0.02, 0.05, 0.1])),
            min_data_in_leaf=int(rng.choice([20, 50, 100, 200])),
            feature_fraction=float(rng.choice([0.3, 0.5, 0.8])),
            lambda_l2=float(rng.choice([0.0, 1.0, 10.0])),
            max_bin=255,
        )
        first = fit_model(train, valid, replace(config, model=model), fitted, store)
        found.append((first.validation_loss, len(found), first))
    return min(found)[2]


def answered(known, test):
    """Return what trees expect of each test row that know all dates before and nine tenths of the households' spend."""
    slow = {
        "n_estimators": 300,
        "learning_rate": 0.03,
        "num_leaves": 15,
        "min_child_samples": 50,
        "verbose": -1,
    }
    drawn = {"subsample": 0.7, "subsample_freq": 1, "colsample_bytree": 0.3, "reg_lambda": 10.0, "n_jobs": 2}
    values, spend = (np.concatenate([getattr(one, of) for one in known]) for of in ("values", "label"))
    whose = np.unique(test.customer_id.astype(str), return_inverse=True)[1]
    said = np.empty(len(test.label))
    for most, tenth in KFold(10, shuffle=True, random_state=0).split(np.arange(whose.max() + 1)):
        others, mine = np.isin(whose, most), np.isin(whose, tenth)
        trees = lightgbm.LGBMRegressor(objective="tweedie", tweedie_variance_power=1.3, **slow, **drawn)
        # Rows of the date itself count four times: they alone are of its season.
        weight = np.concatenate([np.ones(len(spend)), np.full(others.sum(), 4.0)])
        answers = np.maximum(np.concatenate([spend, test.label[others]]), 0)
        trees.fit(np.vstack([values, test.values[others]]), answers, sample_weight=weight)
        said[mine] = trees.predict(test.values[mine])
    return said


def predictions(task, date, workspace, words, given):
    """Return the test rows, and every model's outcomes on them by name, and the models' medians."""
    config, store, split = asked(task, date, workspace, words)
    fitted = features.fit(config.features, store, split.train[0])
    made = catalogue_of(config.task, config.features, fitted)
    everything = assemble(store, split.all, add_baseline_features(made, config.task, fitted), config.task)
    names = [feature.name for feature in made]
    train, valid, test = (
        everything.select(names).at(part) for part in (split.train, split.valid, split.test)
    )
    model = fit_model(train, valid, config, fitted, store)
    models = {"sintonia": model}
    windows = [name for name in names if name.split("__")[0] in WINDOWS]
    if given.trials:
        peer = tuned(train.select(windows), valid.select(windows), config, fitted, store, given.trials)
        models["windows + LightGBM"] = peer
    said = {name: one.outcomes(test.select(one.names).values) for name, one in models.items()}
    baselines = fit_baselines(everything.at((*split.train, *split.valid)), config.task)
    said |= baselines.outcomes(everything.at(split.test))
    if given.answers and task == "value":
        said["the answers themselves"] = answered((train, valid), test)
    medians = {}
    if find_task(config.task).label == "amount":
        medians = {name: one.median_cents(test.select(one.names).values) for name, one in models.items()}
    return test, said, medians


def macro(parts):
    """Print the mean AUC and average precision over categories, with paired intervals over households."""
    names = list(parts[0][1])
    households, whose = np.unique(
        np.concatenate([test.customer_id.astype(str) for test, _, _ in parts]), return_inverse=True
    )
    label = np.concatenate([test.label for test, _, _ in parts]).astype(float)
    category = np.concatenate([test.category for test, _, _ in parts])
    weights = [np.ones((1, len(households))), *bootstrap_weights(len(households), DRAWS, 7)]
    table = {}
    for name in names:
        said = np.concatenate([outcomes[name] for _, outcomes, _ in parts])
        judged = [
            WeightedPropensities.prepare(label[mine], said[mine], whose[mine])
            for mine in (category == c for c in np.unique(category))
        ]
        table[name] = np.concatenate(
            [np.mean([one.measure(w)[:2] for one in judged], axis=0) for w in weights], axis=1
        )
    print(f"{len(label)} rows, {label.mean():.1%} bought; {'macro AUC':>30}{'macro AP':>28}")
    for name in names:
        less = table[names[0]] - table[name]
        told = [
            f"{table[name][metric, 0]:9.4f}  less {-less[metric, 0]:8.4f} [{-hi:7.4f}, {-lo:7.4f}]"
            for metric in (0, 1)
            for lo, hi in [np.quantile(less[metric, 1:], (0.025, 0.975))]
        ]
        print(f"  {name:20}" + "   ".join(told))


def judge(task, parts):
    """Print every model's figures on the pooled dates, and what they are away from ours, paired over households."""
    if task == "category":
        return macro(parts)
    whose = np.concatenate([test.customer_id.astype(str) for test, _, _ in parts])
    label = np.concatenate([test.label for test, _, _ in parts])
    said, medians = (
        {name: np.concatenate([part[place][name] for part in parts]) for name in parts[0][place]}
        for place in (1, 2)
    )
    if task == "value":
        euros, middle = ({name: cents / 100 for name, cents in of.items()} for of in (said, medians))
        told = evaluate_amounts(label / 100, euros, whose, medians=middle)
    else:
        told = evaluate(label, said, whose)
    shown = SHOWN[task]
    print(f"{told.rows} rows of {told.customers} households, label rate {told.label_rate:.3f}")
    print(" " * 26 + "".join(f"{name:>26}" for name in shown))
    for name, of in told.estimates.items():
        cells = [f"{of[m].value:.4f} [{of[m].low:.3f}, {of[m].high:.3f}]" if m in of else "-" for m in shown]
        print(f"  {name:24}" + "".join(f"{cell:>26}" for cell in cells))
    print("  sintonia less")
    for name, of in told.differences.items():
        cells = [
            f"{of[m].value:+.4f} [{of[m].low:+.3f}, {of[m].high:+.3f}]" if m in of else "-" for m in shown
        ]
        print(f"  {name:24}" + "".join(f"{cell:>26}" for cell in cells))
    return None


def main():
    """Build the store once, then train for every task and date and print all models side by side."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", default="churn,value,category")
    parser.add_argument("--dates", default="2017-08-27,2017-09-24")
    parser.add_argument("--until", default="2017-10-22")
    parser.add_argument("--trials", type=int, default=8, help="of the tuned peer")
    parser.add_argument("--answers", action="store_true", help="spend also by who knows most answers")
    parser.add_argument("--workspace", help="where the store is already")
    given, words = parser.parse_known_args()
    if SHARED.is_dir():
        os.environ.setdefault("SINTONIA_DATA", str(SHARED))
    with tempfile.TemporaryDirectory() as folder:
        workspace = given.workspace or folder
        if not given.workspace:
            cli.main(
                ["build", "source=complete_journey", f"source.until={given.until}", f"workspace={folder}"]
            )
        for task in given.tasks.split(","):
            begun, wall = time.process_time(), time.perf_counter()
            print(f"\n--- {task} as of {given.dates}, 28 days ahead", flush=True)
            judge(
                task,
                [predictions(task, date, workspace, words, given) for date in given.dates.split(",")],
            )
            print(
                f"{time.process_time() - begun:.0f} processor seconds, {time.perf_counter() - wall:.0f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
