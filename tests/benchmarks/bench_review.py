"""Seconds and bytes of a review page for a large model, beyond the SHAP contributions it shows.

    PYTHONPATH=tests python tests/benchmarks/bench_review.py [--rows 100000] [--features 500]

A model of 500 features on as many test rows as given, of customers with ten interactions each in a store of 16 buckets:
what a training makes of evidence and customers, what reading it back and rendering costs, and how large the page is.
The contributions themselves are timed apart. Then a headless Chromium opens pages from disk, each with a new profile:
until the load event, the script's work included (`--pages FILE ...` adds pages of your own).
"""

import argparse
import json
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from chromium import chromium
from sintonia.core.config import TaskConfig, TrainSettings
from sintonia.core.timeline import Split
from sintonia.data.store import Store
from sintonia.evaluation.evaluate import evaluate
from sintonia.explain import sample as sample_of
from sintonia.explain.sample import sample_table
from sintonia.review import CatalogueEntry, Customer, ReviewData, read, render_review
from sintonia.review.evidence import outcomes as evidence_of
from sintonia.review.evidence.training_result import TrainingResult
from sintonia.training.dataset import Dataset
from sintonia.training.models import FoldResult
from sintonia.training.profile import fit_training_profile
from sintonia.training.sufficiency import Sufficiency
from sintonia.training.tuning import ChosenSettings

BUCKETS, EACH = 16, 10
DATES = [datetime(2026, 1, 1) + timedelta(days=28 * at) for at in range(8)]
SPLIT = Split(train=tuple(DATES[:5]), valid=tuple(DATES[5:6]), test=tuple(DATES[6:7]))
FAMILIES = 14


@dataclass
class Trees:
    """LightGBM as the review meets a model: forest, catalogue, scores."""

    booster: object
    catalogue: tuple
    reference: object

    def raw_scores(self, values):
        from sintonia.training.forest import fastest_engine, predict_raw

        return np.asarray(predict_raw(fastest_engine(self.booster, len(values)), values), float)

    def outcomes(self, values):
        return 1 / (1 + np.exp(-self.raw_scores(values)))


def make_rows(test_rows, features, rng):
    """As many rows at the test date as given, a tenth at each other one."""
    parts = [test_rows if date in SPLIT.test else test_rows // 10 for date in DATES[:7]]
    values = rng.normal(size=(sum(parts), features)).astype(np.float32)
    values[rng.random(values.shape) < 0.05] = np.nan
    raw = np.nan_to_num(values[:, :20]) @ np.linspace(0.6, 0.05, 20) - 1
    label = (rng.random(len(raw)) < 1 / (1 + np.exp(-raw))).astype(np.int8)
    ids = np.concatenate([np.array([f"C{at:07d}" for at in range(n)], object) for n in parts])
    as_of = np.concatenate(
        [np.full(n, date, "datetime64[us]") for n, date in zip(parts, DATES, strict=False)]
    )
    return Dataset(ids, as_of, values, label, tuple(f"f{at:03d}__m__30d" for at in range(features)))


def fit(rows):
    import lightgbm

    known = rows.at(SPLIT.train)
    told = {
        "objective": "binary",
        "num_leaves": 15,
        "verbose": -1,
        "num_threads": 1,
        "learning_rate": 0.05,
        "seed": 1,
    }
    booster = lightgbm.train(
        told, lightgbm.Dataset(known.values, known.label, feature_name=list(rows.names)), 300
    )
    entries = [
        CatalogueEntry(
            name,
            f"family {at % FAMILIES}",
            f"Measure number {at} of the last 30 days",
            "times",
            "never seen",
            "",
        )
        for at, name in enumerate(rows.names)
    ]
    return Trees(booster, tuple(entries), fit_training_profile(known, 1))


def write_store(folder, customers, rng):
    """Ten interactions a customer, in buckets of whole customers, and everybody's region."""
    (folder / "interactions").mkdir(parents=True)
    ids = [f"C{at:07d}" for at in range(customers)]
    for bucket, names in enumerate(np.array_split(np.array(ids, object), BUCKETS)):
        n = len(names) * EACH
        when = np.datetime64(DATES[0], "us") + rng.integers(0, 200 * 86_400, n) * np.timedelta64(1, "s")
        table = {
            "customer_id": np.repeat(names, EACH),
            "occurred_at": when,
            "known_at": when,
            "channel": np.array(["web", "store", "email"], object)[rng.integers(3, size=n)],
            "kind": np.array(["view", "purchase", "open"], object)[rng.integers(3, size=n)],
            "amount": rng.integers(100, 9000, n),
        }
        pq.write_table(pa.table(table), folder / "interactions" / f"bucket-{bucket:03d}.parquet")
    regions = np.array(["north", "south", "east", "west"], object)[rng.integers(4, size=customers)]
    at = pa.array(np.full(customers, DATES[0], "datetime64[us]"))
    told = {
        "customer_id": ids,
        "name": ["region"] * customers,
        "value": regions,
        "occurred_at": at,
        "known_at": at,
    }
    pq.write_table(pa.table(told), folder / "attributes.parquet")
    return Store(folder, "bench", "bench", {}, customers, customers * EACH, ())


def timed(work, clock):
    def again(*words):
        started = time.perf_counter(), time.process_time()
        found = work(*words)
        clock["wall"] += time.perf_counter() - started[0]
        clock["processor"] += time.process_time() - started[1]
        return found

    return again


LOADS = 3
TIMING = """(() => { const found = performance.getEntriesByType("navigation")[0];
    return [found.domContentLoadedEventEnd, found.loadEventEnd]; })()"""
DRAWN = "new Promise(done => requestAnimationFrame(() => setTimeout(() => done(performance.now()), 0)))"


def cold_loads(path, folder):
    """Milliseconds to content, load event and first frame, and of the page's processor, in a new browser."""
    found = []
    for turn in range(LOADS):
        with chromium(Path(folder) / f"profile-{turn}") as browser:
            browser.open("about:blank")
            browser.send("Performance.enable", timeDomain="threadTicks")
            browser.open(path.resolve().as_uri())
            drawn = browser.run(DRAWN)
            told = {one["name"]: one["value"] for one in browser.send("Performance.getMetrics")["metrics"]}
            found.append([*browser.run(TIMING), drawn, 1000 * told["ProcessTime"]])
    return np.array(found)


def tell_loads(pages):
    columns = ("content", "loaded", "drawn", "processor")
    print(f"\n{'cold load, ms (bar: 2,000)':<34}" + "".join(f"{name:>11}" for name in columns))
    for path in pages:
        with tempfile.TemporaryDirectory() as folder:
            figures = np.median(cold_loads(path, folder), axis=0)
        named = f"{path.name}, {path.stat().st_size / 2**20:.2f} MiB"
        print(f"{named:<34}" + "".join(f"{figure:>11.0f}" for figure in figures))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pages", type=Path, nargs="*", default=[])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--features", type=int, default=500)
    asked = parser.parse_args()
    rng = np.random.default_rng(5)
    rows = make_rows(asked.rows, asked.features, rng)
    model = fit(rows)
    test = rows.at(SPLIT.test)
    judged = evaluate(test.label, {"model": model.outcomes(test.values)}, test.customer_id, draws=20)
    settings = TrainSettings(task=TaskConfig(), groups=["region"], sensitive=["region"])
    folds = (FoldResult("2026-05-21", 1, 1, 300, {"binary_logloss": 0.5}, 1.0),)
    shap = {"wall": 0.0, "processor": 0.0}
    # Sentences need the families of features that the house has; their cost is measured with those.
    evidence_of._reasons = lambda training, places: (
        [("Something that happened, which raises the risk",) * 4] * len(places)
    )
    sample_of.contributions = evidence_of.contributions = timed(sample_of.contributions, shap)
    with tempfile.TemporaryDirectory() as folder:
        store = write_store(Path(folder) / "store" / "v", asked.rows, rng)
        training = TrainingResult(
            settings,
            store,
            SPLIT,
            rows,
            model,
            judged,
            Sufficiency(400.0, {}, {}, ()),
            pa.table({}),
            ChosenSettings(settings, folds),
        )
        started = time.perf_counter(), time.process_time()
        told = json.dumps(evidence_of.review_data(training).to_plain())
        people = json.dumps([asdict(one) for one in evidence_of.example_customers(training)])
        kept = sample_table(training.sample)
        explained = time.perf_counter(), time.process_time()
        back = ReviewData.from_plain(json.loads(told))
        page = render_review(
            replace(back, customers=tuple(read(Customer, one) for one in json.loads(people)))
        )
        ended = time.perf_counter(), time.process_time()
    print(
        f"{asked.features} features, {asked.rows:,} test rows, {len(rows):,} rows in all; {len(kept):,} explained"
    )
    print(f"{'':<34}{'wall s':>10}{'processor s':>14}")
    for name, wall, processor in (
        ("SHAP contributions", shap["wall"], shap["processor"]),
        (
            "evidence beyond them",
            explained[0] - started[0] - shap["wall"],
            explained[1] - started[1] - shap["processor"],
        ),
        ("read back and rendered", ended[0] - explained[0], ended[1] - explained[1]),
        (
            "page beyond SHAP (bar: 60 s)",
            ended[0] - started[0] - shap["wall"],
            ended[1] - started[1] - shap["processor"],
        ),
    ):
        print(f"{name:<34}{wall:>10.1f}{processor:>14.1f}")
    print(
        f"page {len(page.encode()) / 2**20:.2f} MiB (bar: 5), customers {len(people) / 2**20:.2f} MiB of JSON"
    )
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "bench.html"
        made.write_text(page, encoding="utf-8")
        tell_loads([made, *asked.pages])


if __name__ == "__main__":
    main()
