"""What a rolling validation and a search cost, in fits of the default model on the same rows.

Run `python tests/benchmarks/bench_tuning.py [--rows 1000000] [--trials 30]`. A fit is LightGBM's own: rows
binned, trees grown with the default settings on all dates but the newest, stopped early by the newest. Five folds
should cost at most 3 of them and thirty trials at most 25. Processor time is given too: it does not change with
what else the machine does.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from sintonia.core.config import ModelConfig, TaskConfig, TrainSettings, TuneConfig, conf_dir
from sintonia.core.config.convert import from_plain
from sintonia.core.timeline import rolling_folds
from sintonia.training.dataset import Dataset
from sintonia.training.models import bin_folds, validate_folds
from sintonia.training.models.boosting import BINARY, lightgbm_parameters
from sintonia.training.tuning import search

FEATURES, SNAPSHOTS = 120, 12
SPAN = timedelta(days=28)
DATES = [datetime(2025, 1, 1) + step * SPAN for step in range(SNAPSHOTS)]


def made(rows: int, seed: int = 1) -> Dataset:
    """Rows like ours: counts that are mostly zero, days since, shares; an outcome some of them tell of."""
    rng = np.random.default_rng(seed)
    values = np.empty((rows, FEATURES), np.float32)
    busy = rng.gamma(1.0, 1.0, rows)
    for at in range(FEATURES):
        if at % 3 == 0:
            values[:, at] = rng.poisson(busy * rng.uniform(0.2, 3))
        elif at % 3 == 1:
            values[:, at] = rng.exponential(60 / (busy + 0.1))
        else:
            values[:, at] = np.where(rng.random(rows) < 0.4, np.nan, rng.random(rows))
    odds = (
        0.6 * np.log1p(values[:, 0])
        - 0.01 * values[:, 1]
        + np.nan_to_num(values[:, 2]) * (values[:, 3] > 1)
        - 1
    )
    return Dataset(
        customer_id=np.arange(rows).astype(object),
        as_of=np.array(DATES, "datetime64[us]")[np.arange(rows) * SNAPSHOTS // rows],
        values=values,
        label=(rng.random(rows) < 1 / (1 + np.exp(-odds))).astype(np.int8),
        names=tuple(f"f{at}" for at in range(FEATURES)),
    )


def spent(doing: Callable[[], Any]) -> tuple[Any, float, float]:
    """What came of it, wall seconds, processor seconds."""
    wall, before = time.perf_counter(), os.times()
    found = doing()
    after = os.times()
    return found, time.perf_counter() - wall, after.user + after.system - before.user - before.system


def default_fit(rows: Dataset, config: ModelConfig) -> int:
    """How many trees the default settings grow on the rows, binned and stopped by LightGBM itself."""
    import lightgbm

    train, valid = rows.at(DATES[:-1]), rows.at(DATES[-1:])
    told = lightgbm_parameters(config, 7, BINARY, rows.names)
    data = lightgbm.Dataset(train.values, train.label, feature_name=[*rows.names])
    grown = lightgbm.train(
        told,
        data,
        config.max_trees,
        valid_sets=[data.create_valid(valid.values, valid.label, params=told)],
        callbacks=[lightgbm.early_stopping(config.early_stopping_rounds, verbose=False)],
    )
    return int(grown.best_iteration)


def main() -> None:
    """Print a fit, five folds and a search side by side."""
    import yaml

    asked = argparse.ArgumentParser()
    asked.add_argument("--rows", type=int, default=200_000)
    asked.add_argument("--trials", type=int, default=30)
    asked.add_argument("--threads", type=int, default=2)
    options = asked.parse_args()
    rows = made(options.rows)
    config = replace(ModelConfig(), threads=options.threads)
    plain = yaml.safe_load((conf_dir() / "tune" / "optuna.yaml").read_text(encoding="utf-8"))
    tune = replace(from_plain(TuneConfig, plain, "tune"), trials=options.trials)
    settings = TrainSettings(task=TaskConfig(name="purchase"), model=config, tune=tune)
    folds = rolling_folds(DATES, SPAN, 5)
    print(
        f"{options.rows:,} rows, {FEATURES} features, {options.threads} threads; {'':8}wall s    cpu s    fits (cpu)"
    )
    trees, wall, cpu = spent(lambda: default_fit(rows, config))
    print(f"  one fit, {trees} trees, binning included {'':16}{wall:8.1f} {cpu:8.1f} {1.0:8.2f}", flush=True)
    binned, wall1, cpu1 = spent(lambda: bin_folds(rows, folds, settings))
    found, wall2, cpu2 = spent(lambda: validate_folds(binned, config, 7))
    told = f"  five folds, {', '.join(str(fold.trees) for fold in found)} trees"
    print(f"{told:<54}{wall1 + wall2:8.1f} {cpu1 + cpu2:8.1f} {(cpu1 + cpu2) / cpu:8.2f}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        result, wall3, cpu3 = spent(lambda: search(binned, settings, Path(folder), "bench"))
    up = sum(trial.loss is None for trial in result.trials)
    told = f"  {options.trials} trials, {up} given up early, best {result.best.loss:.4f}"
    print(f"{told:<54}{wall1 + wall3:8.1f} {cpu1 + cpu3:8.1f} {(cpu1 + cpu3) / cpu:8.2f}")


if __name__ == "__main__":
    main()
