"""One customer of 500 interactions scored by a churn model, by the features it uses and by those of all its catalogue.

    PYTHONPATH=tests:tests/benchmarks python tests/benchmarks/bench_one_customer.py

The model has `--trees` trees of 31 leaves, trained on the features of all families of 2,000 drawn customers, of whom
those count as lost who are silent in the last weeks drawn. Scored is as `rows_of` and `Model.outcomes` do it: features
by a plan made once, LightGBM's prediction of one row, calibration. Milliseconds are medians of 200 calls that take
turns; the scores must be the same to the last bit.
"""

import argparse
import time

import lightgbm
import numpy as np
import pyarrow as pa

from benchmarks.bench_kernel import AS_OFS, FITTED, all_features, interactions
from sintonia.core.config import FeaturesConfig, TaskConfig
from sintonia.features import compute_features, plan
from sintonia.training.calibration import Calibrator
from sintonia.training.models import LightGBMModel


def trained(rows, features, trees):
    """Return a model of all features, whose label is a noisy function of two dozen of them."""
    table = compute_features(rows, AS_OFS[-1:], features, threads=2)
    names = tuple(feature.name for feature in features)
    values = np.column_stack([table[name].to_numpy() for name in names])
    rng = np.random.default_rng(3)
    picked = np.nan_to_num(values[:, rng.choice(len(names), 24, replace=False)])
    signal = (picked / (picked.std(axis=0) + 1)) @ rng.normal(size=24)
    label = signal + rng.normal(size=len(signal)) * signal.std() > np.median(signal)
    # As on real data, families say much the same: trees split on a part of the features.
    settings = {
        "objective": "binary",
        "num_leaves": 31,
        "verbosity": -1,
        "num_threads": 1,
        "feature_fraction": 0.5,
        "seed": 1,
    }
    booster = lightgbm.train(settings, lightgbm.Dataset(values, label, feature_name=list(names)), trees)
    task = TaskConfig(name="churn")
    config = FeaturesConfig()
    text = booster.model_to_string()
    return LightGBMModel(task, config, FITTED, names, text, Calibrator("sigmoid"), "bench", "0")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trees", type=int, default=100)
    given = parser.parse_args()
    features = all_features()
    model = trained(interactions(100_000), features, given.trees)
    some = [feature for feature in features if feature.name in set(model.names_used)]
    alone = interactions(500, seed=11, rows_a_customer=500)
    alone = alone.set_column(0, "customer_id", pa.array(["customer"] * len(alone))).sort_by("occurred_at")
    plans = {"features it uses": plan(some), "all of its catalogue": plan(features)}
    places = {name: at for at, name in enumerate(model.names)}

    def score(made):
        table = compute_features(alone, AS_OFS[-1:], made)
        values = np.full((1, len(model.names)), np.nan, np.float32)
        values[0, [places[name] for name in made.names]] = [table[name][0].as_py() for name in made.names]
        return model.outcomes(values)

    milliseconds = {name: [] for name in plans}
    scores = {name: score(made) for name, made in plans.items()}
    for _ in range(200):
        for name, made in plans.items():
            start = time.perf_counter(), time.process_time()
            score(made)
            ends = time.perf_counter(), time.process_time()
            milliseconds[name].append([1_000 * (end - begin) for end, begin in zip(ends, start, strict=True)])
    assert len({one.tobytes() for one in scores.values()}) == 1, "the scores differ"
    for name, runs in milliseconds.items():
        elapsed, processor = np.median(runs, axis=0)
        count = len(plans[name].names)
        print(f"{name:22}{count:5} features{elapsed:8.2f} ms, {processor:.2f} ms of processor (medians)")


if __name__ == "__main__":
    main()
