"""A list scored end to end beside the bare kernel and bare `Booster.predict`, with the peak of memory.

    PYTHONPATH=tests python tests/benchmarks/bench_score.py --customers 20000 --interactions 1000000
    PYTHONPATH=tests python tests/benchmarks/bench_score.py --customers 1000000 --interactions 50000000

The store is drawn here, and so are three models (churn, purchase, value with its median) of `--trees` trees that read
the features of all families of interactions at one date. End to end is all of `score_list`, in a process of its own:
a CSV of cards read, matched, scored, decided on, written, with its page and its history, no reasons unless `--reasons`
asks for them. What is decided are three actions under a budget and a capacity, their effects in a table. The bare
kernel reads the same buckets and computes the same features once; bare LightGBM predicts what the models read, in
memory already. All have two threads; seconds are of the clock and of the processor, for the machine may have other
work. What is compiled at its first use is compiled before.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import lightgbm
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sintonia.core.config import (
    ActionConfig,
    CapacityConfig,
    DecideSettings,
    EngagementConfig,
    EngineConfig,
    FeaturesConfig,
    ReasonsConfig,
    ScoreSettings,
    TaskConfig,
)
from sintonia.core.engine import connect
from sintonia.core.schema import ATTRIBUTES, CONTACTS, CROSSWALK, DECISIONS, INTERACTIONS, LINKS, MERGES
from sintonia.data.store import open_store
from sintonia.data.store.store import bucket_of
from sintonia.features import catalogue, compute_features, families, fit, plan
from sintonia.registry.models import load_model
from sintonia.registry.tracking import Registered
from sintonia.serving.decisions.decide import propose
from sintonia.serving.lists import TaskModel, read_list, score_list
from sintonia.training.calibration import Calibrator
from sintonia.training.forest import ROWS_TO_SCORE
from sintonia.training.models import LightGBMModel

CHANNELS, KINDS = ("web", "app", "store", "email"), ("view", "cart", "purchase", "open", "click", "send")
START, DAYS = np.datetime64("2024-01-01", "us"), 731
AS_OF = datetime(2025, 12, 31)
EFFECTS = pa.schema([("customer_id", pa.string()), ("action_id", pa.string()), ("effect", pa.float64())])
PER_BUCKET = 15_000  # customers
FEW_TEXTS = ["channel", "kind", "category", "item_id", "action_id"]
ACTIONS = {
    "mail": ActionConfig("email", 0.02, needs_consent=False),
    "push": ActionConfig("push", 0.01, needs_consent=False),
    "call": ActionConfig("phone", 3.50, needs_consent=False),
}
TASKS = [TaskConfig(name=name, active_days=365) for name in ("churn", "purchase", "value")]


def draw_store(workspace: Path, customers: int, rows: int) -> None:
    """Write a store of so many customers and interactions, in buckets as a build writes them."""
    folder = workspace / "store" / "v-bench"
    for table in (INTERACTIONS, ATTRIBUTES, LINKS):
        (folder / table.name).mkdir(parents=True)
    ids = np.array([f"C{at:016X}" for at in range(customers)])
    n = max(2, customers // PER_BUCKET)
    bucket = np.array([bucket_of(customer, n) for customer in ids.tolist()])
    for at in range(n):
        mine = ids[bucket == at]
        drawn = draw_interactions(np.random.default_rng(at), mine, rows * len(mine) // customers)
        pq.write_table(drawn, folder / f"interactions/bucket-{at:04d}.parquet", compression="zstd")
        for table in (ATTRIBUTES, LINKS):
            pq.write_table(table.arrow().empty_table(), folder / f"{table.name}/bucket-{at:04d}.parquet")
    for table in (ATTRIBUTES, CONTACTS, MERGES, DECISIONS):
        pq.write_table(table.arrow().empty_table(), folder / f"{table.name}.parquet")
    since = pa.scalar(START.item(), pa.timestamp("us"))
    ties = {
        "source": pa.repeat("card", customers),
        "source_key": [f"{at:010d}" for at in range(customers)],
        "customer_id": ids,
        "linked_at": pa.repeat(since, customers),
        "unlinked_at": pa.nulls(customers, pa.timestamp("us")),
        "match_probability": np.ones(customers),
        "rule": pa.repeat("own", customers),
    }
    pq.write_table(pa.table(ties).cast(CROSSWALK.arrow()), folder / "crosswalk.parquet", compression="zstd")
    silo = {
        "name": "drawn", "rows": rows, "stored": rows, "rejected": 0, "after_until": 0, "reasons": {},
        "data_until": "2026-01-01T00:00:00", "kinds": list(KINDS), "own_known_at": True,
    }  # fmt: skip
    told = {
        "version": "v-bench", "source": "bench", "fingerprint": f"bench-{customers}-{rows}",
        "kinds_from": dict.fromkeys(KINDS, "2024-01-01T00:00:00"),
        "customers": customers, "interactions": rows, "silos": [silo],
    }  # fmt: skip
    (workspace / "store" / "current.json").write_text(json.dumps(told))


def draw_interactions(rng: np.random.Generator, ids: np.ndarray, rows: int) -> pa.Table:
    """Return interactions of the customers in their total order; one in fifty is known late."""
    whose = np.sort(rng.integers(0, len(ids), rows))
    at = START + rng.integers(0, DAYS * 86_400, rows).astype("timedelta64[s]")
    order = np.lexsort((at, whose))
    at = at[order]
    late = np.where(rng.random(rows) < 0.02, rng.integers(0, 60 * 86_400, rows), 0).astype("timedelta64[s]")

    def some(names: tuple[str, ...] | list[str], missing: float = 0.0) -> pa.Array:
        codes = pa.array(rng.integers(0, len(names), rows).astype("int32"), mask=rng.random(rows) < missing)
        return pa.DictionaryArray.from_arrays(codes, list(names)).cast(pa.string())

    numbers = pc.utf8_lpad(pa.array(np.arange(rows)).cast(pa.string()), 10, "0")
    columns = {
        "customer_id": pa.DictionaryArray.from_arrays(whose.astype("int32"), ids).cast(pa.string()),
        "interaction_id": numbers,
        "thread_id": pa.array(whose * 20 + rng.integers(0, 20, rows)).cast(pa.string()),
        "occurred_at": at,
        "utc_offset_minutes": rng.choice(np.array([60, 120], "int16"), rows),
        "known_at": at + late,
        "channel": some(CHANNELS),
        "kind": some(KINDS),
        "item_id": some([f"item {i}" for i in range(2_000)], 0.4),
        "category": some([f"category {i}" for i in range(10)], 0.4),
        "quantity": rng.integers(1, 6, rows),
        "amount": rng.integers(-2_000, 20_000, rows),
        "discount": np.maximum(rng.integers(-10_000, 5_000, rows), 0),
        "sentiment": pa.array(rng.random(rows, dtype="float32") * 2 - 1, mask=rng.random(rows) < 0.8),
        "action_id": some([f"action {i}" for i in range(6)], 0.7),
        "decision_id": pa.nulls(rows, pa.string()),
        "source": pa.repeat("drawn", rows),
        "opens_thread": rng.random(rows) < 0.5,
    }
    return pa.table({name: columns[name] for name in INTERACTIONS.names}).cast(INTERACTIONS.arrow())


def draw_models(workspace: Path, trees: int) -> None:
    """Write three models over the features of the store's first bucket; labels follow a few of them, with noise."""
    store = open_store(workspace)
    config = FeaturesConfig(families=list(families.FAMILIES), windows_days=[30, 90, 365])
    fitted = fit(config, store, AS_OF - timedelta(days=180))
    made = plan(catalogue(config, fitted))
    table = compute_features(store.read_bucket(store.buckets[0], columns=list(made.reads)), [AS_OF], made)
    names = [feature.name for feature in catalogue(config, fitted)]
    values = np.stack([table[name].to_numpy() for name in names], axis=1)
    rng = np.random.default_rng(1)
    for task in TASKS:
        seen = rng.choice(values.shape[1], 30, replace=False)
        signal = np.nan_to_num(values[:, seen]).argsort(axis=0).argsort(axis=0).mean(axis=1)
        label = rng.random(len(values)) < np.clip(signal / len(values), 0.05, 0.95)
        amounts = task.name == "value"
        grown = grow(values, names, label * rng.gamma(2, 3000, len(label)) if amounts else label, trees)
        median = grow(values, names, np.sqrt(label * 100.0), trees) if amounts else ""
        LightGBMModel(
            task=task,
            features=config,
            fitted=fitted,
            names=tuple(names),
            trees=grown,
            calibrator=Calibrator("amount" if amounts else "sigmoid", slope=1e-4 if amounts else 1.0),
            source="bench",
            fingerprint=store.fingerprint,
            median_trees=median,
        ).save(workspace / "models" / task.name)


def grow(values: np.ndarray, names: list[str], label: np.ndarray, trees: int) -> str:
    """Return the text of a LightGBM model of so many trees with 31 leaves."""
    binary = label.dtype == bool
    data = lightgbm.Dataset(values, label.astype(float), feature_name=names)
    asked = {
        "objective": "binary" if binary else "regression",
        "num_leaves": 31,
        "verbose": -1,
        "num_threads": 2,
    }
    return str(lightgbm.train({**asked, "min_data_in_leaf": 5}, data, trees).model_to_string())


def draw_effects(workspace: Path, customers: int) -> None:
    """Write what each action would change for each customer, in euro: little for most, much for few."""
    rng = np.random.default_rng(3)
    ids = [f"C{at:016X}" for at in range(customers)]
    with pq.ParquetWriter(workspace / "effects.parquet", EFFECTS) as file:
        for name in ACTIONS:
            effect = rng.exponential(4.0 if name == "call" else 0.05, customers)
            file.write_table(pa.table([ids, pa.repeat(name, customers), effect], schema=EFFECTS))


def compile_forests(workspace: Path) -> None:
    """Compile what scores long lists: the features' loops were, where the models were drawn."""
    model = load_model(workspace / "models" / TASKS[0].name)
    model.raw_scores(np.zeros((8, len(model.names)), np.float32), listed=ROWS_TO_SCORE)


def score(workspace: Path, reasons: int) -> dict[str, float]:
    """Return what scoring the list takes, import to last byte."""
    begun = time.perf_counter()
    store = open_store(workspace)
    models = [
        TaskModel(load_model(workspace / "models" / task.name), Registered(task.name, "1", "", "run"), AS_OF)
        for task in TASKS
    ]
    bands = {"high": 91, "medium": 61, "low": 1}
    settings = ScoreSettings(
        workspace=str(workspace), list=str(workspace / "list.csv"), reasons=ReasonsConfig(reasons), bands=bands,
        engine=EngineConfig(threads=2, memory_gib=1.0),
    )  # fmt: skip
    n = store.customers
    engagement = EngagementConfig(
        budget=0.05 * n, capacities={"calls": CapacityConfig(at_most=n // 100, action="call")}
    )  # fmt: skip
    asked = DecideSettings(
        workspace=str(workspace), effects_table=str(workspace / "effects.parquet"), actions=ACTIONS,
        engagement=engagement,
        engine=settings.engine, as_of=f"{AS_OF:%Y-%m-%d}", decided_at=f"{AS_OF:%Y-%m-%d}",
    )  # fmt: skip
    with connect(settings.engine, workspace) as connection:
        listed = read_list(Path(settings.list))
        scored = score_list(connection, store, listed, models, settings, partial(propose, store, asked))
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "wall": time.perf_counter() - begun,
        "cpu": used.ru_utime + used.ru_stime,
        "gib": used.ru_maxrss / 2**20,
        "rows": scored.totals.rows,
        "scored": scored.totals.statuses["scored"],
        "acted": sum(n for (action, _), n in scored.totals.actions.items() if action != "none"),
    }


def bare(workspace: Path) -> dict[str, tuple[float, float]]:
    """Return the seconds, by the clock and by the processor, of the kernel and of `Booster.predict` alone."""
    store = open_store(workspace)
    models = [load_model(workspace / "models" / task.name) for task in TASKS]
    texts = [text for model in models for text in (model.trees, model.median_trees) if text]
    boosters = [lightgbm.Booster(model_str=text) for text in texts]
    made, spent = plan(models[0].catalogue), {"kernel": [0.0, 0.0], "predict": [0.0, 0.0]}

    def one(path: Path) -> np.ndarray:
        rows = pq.read_table(path, columns=list(made.reads), read_dictionary=FEW_TEXTS, use_threads=False)
        table = compute_features(rows, [AS_OF], made)
        return np.stack([table[name].to_numpy() for name in models[0].names], axis=1)

    one(store.buckets[0])  # what is compiled at its first use is compiled
    for at in range(0, len(store.buckets), 2):
        with clocked(spent["kernel"]), ThreadPoolExecutor(2) as pool:
            parts = list(pool.map(one, store.buckets[at : at + 2]))
        with clocked(spent["predict"]):
            for values in parts:
                for booster in boosters:
                    booster.predict(values, raw_score=True, num_threads=2)
    return {name: (wall, cpu) for name, (wall, cpu) in spent.items()}


class clocked:  # noqa: N801
    """Adds the seconds of a block to a pair: by the clock, by the processor."""

    def __init__(self, pair: list[float]) -> None:
        self.pair = pair

    def __enter__(self) -> None:
        self.begun = time.perf_counter(), time.process_time()

    def __exit__(self, *_: object) -> None:
        self.pair[0] += time.perf_counter() - self.begun[0]
        self.pair[1] += time.process_time() - self.begun[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--interactions", type=int, default=1_000_000)
    parser.add_argument("--trees", type=int, default=300)
    parser.add_argument("--reasons", type=int, default=0)
    parser.add_argument("--score", help="score the list of this workspace, for a process of its own")
    given = parser.parse_args()
    if given.score:
        print(json.dumps(score(Path(given.score), given.reasons)))
        return
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder)
        draw_store(workspace, given.customers, given.interactions)
        draw_models(workspace, given.trees)
        draw_effects(workspace, given.customers)
        compile_forests(workspace)
        cards = np.random.default_rng(2).permutation(given.customers)
        lines = (f"{card:010d};{at % 97},5;note {at}\n" for at, card in enumerate(cards.tolist()))
        (workspace / "list.csv").write_text("card;paid;note\n" + "".join(lines))
        told = [sys.executable, __file__, "--score", folder, "--reasons", str(given.reasons)]
        ended = subprocess.run(told, stdout=subprocess.PIPE, text=True, check=True)
        whole = json.loads(ended.stdout.splitlines()[-1])
        parts = bare(workspace)
    print(
        f"{given.customers:,} customers, {given.interactions:,} interactions, {whole['scored']:,} scored by 3 models, "
        f"{given.reasons} reasons each, something done for {whole['acted']:,}"
    )
    rows = {"kernel alone": parts["kernel"], "Booster.predict alone": parts["predict"]}
    rows["end to end"] = whole["wall"], whole["cpu"]
    for name, (wall, cpu) in rows.items():
        print(f"  {name:<22}{wall:9.1f} s {cpu:9.1f} processor s")
    sums = [sum(part[at] for part in parts.values()) for at in (0, 1)]
    print(
        f"  end to end / both alone: {whole['wall'] / sums[0]:.2f} (processor {whole['cpu'] / sums[1]:.2f})"
    )
    print(f"  peak {whole['gib']:.2f} GiB")


if __name__ == "__main__":
    main()
