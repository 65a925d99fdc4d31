"""The forest engine beside LightGBM, `shap.TreeExplainer`, onnxruntime and lleaves: scores and reasons.

    python tests/benchmarks/bench_forest.py [--rows 1000000] [--trees 500] [--leaves 31] [--explain 20000]

Scores go from a Parquet file to a Parquet file, batch by batch, on two threads; what a road does on the way
(read, make a matrix, score, write) is in its time. Roads run by turns, each gives its best of `--repeats`; ratios
are of elapsed time, with processor seconds beside them for machines with other work to do. The data has missing
values; the second model has categorical splits too. onnxruntime (with onnxmltools)
and lleaves are no dependencies of sintonia: where they are not installed, it says so.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sintonia.training import forest

FEATURES, CATEGORICAL = 120, (5, 6)
BATCH = 65_536


def sample(rows, seed):
    """Features (rows, 120) with one value in twenty missing, and a label."""
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(rows, FEATURES)).astype(np.float32)
    signal = matrix[:, :40] @ np.linspace(1, 0.1, 40) + 2 * np.sin(3 * matrix[:, 50]) + rng.normal(size=rows)
    matrix[rng.random(matrix.shape, dtype=np.float32) < 0.05] = np.nan
    for column, levels in zip(CATEGORICAL, (20, 200), strict=True):
        matrix[:, column] = rng.integers(0, levels, rows)
    return matrix, (signal + (matrix[:, CATEGORICAL[0]] % 3 == 1) > 0).astype(int)


def trained(trees, leaves, categories):
    matrix, label = sample(30_000, 0)
    chosen = list(CATEGORICAL) if categories else []
    params = {
        "objective": "binary",
        "num_leaves": leaves,
        "learning_rate": 0.05,
        "verbose": -1,
        "num_threads": 2,
    }
    return lgb.train(params, lgb.Dataset(matrix, label, categorical_feature=chosen), trees)


def write_sample(path, rows):
    names = [f"f{i}" for i in range(FEATURES)]
    with pq.ParquetWriter(path, pa.schema(dict.fromkeys(names, pa.float32()))) as writer:
        for seed, first in enumerate(range(0, rows, BATCH)):
            matrix, _ = sample(min(BATCH, rows - first), seed + 1)
            writer.write_table(pa.table(dict(zip(names, matrix.T.copy(), strict=True))))


def score_file(source, target, score, order):
    """Score a Parquet file into another, and return the scores."""
    parts = []
    with pq.ParquetWriter(target, pa.schema([("score", pa.float64())])) as writer:
        for batch in pq.ParquetFile(source).iter_batches(BATCH):
            matrix = np.empty((batch.num_rows, FEATURES), np.float32, order=order)
            for i, column in enumerate(batch.columns):
                matrix[:, i] = column.to_numpy()
            parts.append(score(matrix))
            writer.write_table(pa.table({"score": parts[-1]}))
    return np.concatenate(parts)


def by_turns(roads, repeats):
    """Each road's best elapsed and processor seconds, and its last result."""
    best = dict.fromkeys(roads, (np.inf, np.inf))
    results = {}
    for _ in range(repeats):
        for name, road in roads.items():
            started, cpu = time.perf_counter(), time.process_time()
            results[name] = road()
            spent = time.perf_counter() - started, time.process_time() - cpu
            best[name] = tuple(map(min, best[name], spent))
    return best, results


def onnx_road(booster):
    """A function from a matrix to probabilities by onnxruntime, or why there is none."""
    try:
        import onnxruntime
        from onnxmltools import convert_lightgbm
        from onnxmltools.convert.common.data_types import FloatTensorType
    except ImportError:
        return "not installed"
    shape = [("rows", FloatTensorType([None, FEATURES]))]
    model = convert_lightgbm(booster, initial_types=shape, zipmap=False, target_opset=15)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 2, 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return lambda matrix: session.run(None, {"rows": matrix})[1][:, 1].astype(np.float64)


def lleaves_road(booster, folder):
    """A function from a matrix to probabilities by lleaves, or why there is none."""
    try:
        import lleaves
    except ImportError:
        return "not installed"
    booster.save_model(folder / "model.txt")
    model = lleaves.Model(model_file=str(folder / "model.txt"))
    try:
        model.compile()
    except AttributeError as error:  # lleaves 1.3 needs llvmlite before 0.45
        return f"does not run here: {error}"
    return lambda matrix: model.predict(matrix.astype(np.float64), n_jobs=2)


def bench_scores(booster, rows, repeats, folder):
    """Print what each road from Parquet to Parquet takes."""
    source = folder / "sample.parquet"
    write_sample(source, rows)
    engine = forest.read_forest(booster.model_to_string())
    matrix, _ = sample(5_000, 99)
    for order in "CF":
        forest.predict(engine, np.asarray(matrix, order=order))  # compiled before the clock starts
    scorers = {
        "LightGBM": (lambda m: booster.predict(m, num_threads=2), "C"),
        "sintonia": (lambda m: forest.predict(engine, m), "F"),
        "onnxruntime": (onnx_road(booster), "C"),
        "lleaves": (lleaves_road(booster, folder), "C"),
    }
    roads = {
        name: lambda score=score, order=order, name=name: score_file(
            source, folder / f"{name}.parquet", score, order
        )
        for name, (score, order) in scorers.items()
        if callable(score)
    }
    best, results = by_turns(roads, repeats)
    print(f"Parquet to scores to Parquet, {rows:,} rows")
    for name, (score, _) in scorers.items():
        if name not in best:
            print(f"  {name:22} {score}")
            continue
        off = np.abs(results[name] - results["LightGBM"]).max()
        ratio = best["LightGBM"][0] / best[name][0]
        print(
            f"  {name:22} {best[name][0]:8.2f} s {ratio:7.1f} x  {best[name][1]:8.2f} cpu s  "
            f"largest difference {off:.2g}"
        )


def bench_reasons(booster, rows, repeats):
    """Print what each road to contributions does in a second."""
    import shap

    warnings.simplefilter("ignore", UserWarning)  # shap tells that its output changed in 2023
    engine = forest.read_forest(booster.model_to_string())
    matrix, _ = sample(rows, 3)
    few = matrix[: max(rows // 50, 100)]
    explainer = shap.TreeExplainer(booster)
    forest.top_contributions(engine, few, 5)
    groups = np.arange(FEATURES) // 10
    roads = {
        "LightGBM pred_contrib": lambda: booster.predict(few, pred_contrib=True, num_threads=2)[:, :-1],
        "shap.TreeExplainer": lambda: np.asarray(explainer.shap_values(few)).reshape(len(few), -1),
        "sintonia, full matrix": lambda: forest.contributions(engine, matrix),
        "sintonia, 12 families": lambda: forest.grouped_contributions(engine, matrix, groups),
        "sintonia, top 5": lambda: forest.top_contributions(engine, matrix, 5)[1],
    }
    best, results = by_turns(roads, repeats)
    counts = {name: rows if name.startswith("sintonia") else len(few) for name in roads}
    slowest = counts["LightGBM pred_contrib"] / best["LightGBM pred_contrib"][0]
    print(f"Contributions, {FEATURES} features, rows a second")
    for name, (elapsed, cpu) in best.items():
        rate = counts[name] / elapsed
        off = ""
        if results[name].shape[1] == FEATURES:
            off = np.abs(results[name][: len(few)] - results["LightGBM pred_contrib"]).max()
            off = f"  largest difference {off:.2g}"
        print(
            f"  {name:22} {rate:8.0f} /s {rate / slowest:6.1f} x  {1e3 * cpu / counts[name]:8.3f} cpu ms a row{off}"
        )
    raw = booster.predict(matrix, raw_score=True)
    total = results["sintonia, full matrix"].sum(axis=1) + engine.expected_value
    print(f"  contributions + expected value - raw score: at most {np.abs(total / raw - 1).max():.2g} of it")


def bench_compiling(booster, folder):
    """Print what the first call costs with and without a cache of machine code."""
    (folder / "compiled.txt").write_text(booster.model_to_string())
    code = (
        "import sys, time, numpy as np; from sintonia import forest; m = np.zeros((10, 120), np.float32);"
        "f = forest.read_forest(open(sys.argv[1]).read()); a = time.perf_counter(); forest.predict(f, m);"
        "b = time.perf_counter(); forest.top_contributions(f, m, 5); c = time.perf_counter();"
        "print(f'scores {b - a:.1f} s, contributions another {c - b:.1f} s')"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder / "cache")}
    print("First call in a process")
    for when in ("nothing cached", "cached"):
        command = [sys.executable, "-c", code, str(folder / "compiled.txt")]
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
        print(f"  {when:22} {done.stdout.strip()}")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--trees", type=int, default=500)
    parser.add_argument("--leaves", type=int, default=31)
    parser.add_argument("--explain", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=2)
    options = parser.parse_args()
    for categories in (False, True):
        kind = "numeric and categorical" if categories else "numeric"
        print(f"--- {options.trees} trees of {options.leaves} leaves, {FEATURES} features, {kind} splits")
        booster = trained(options.trees, options.leaves, categories)
        with tempfile.TemporaryDirectory() as folder:
            bench_scores(booster, options.rows // (5 if categories else 1), options.repeats, Path(folder))
            bench_reasons(booster, options.explain, options.repeats)
            if categories:
                bench_compiling(booster, Path(folder))


if __name__ == "__main__":
    main()
