"""One customer of 500 interactions scored by a registered churn model: features, prediction, calibration.

    PYTHONPATH=tests:tests/benchmarks python tests/benchmarks/bench_one_customer.py [--workspace FOLDER]

The model is the one that `sintonia train task=churn features=all` registers for a simulated brand of 2,000 customers;
`--workspace` names a workspace where that was done before. The customer has 500 of the brand's interactions, evenly
spread over its time, and the attributes and links of another. Scored is as a service scores: `Model.rows_at` by the
plan of the features that the model uses, then `Model.outcomes`. Milliseconds are medians of 200 calls.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sintonia.data.store import open_store
from sintonia.features import History
from sintonia.training import tasks
from sintonia.training.models import LightGBMModel

INTERACTIONS, CALLS = 500, 200
VERBS = (
    ("simulate", "customers=2000", "seed=7"),
    ("build", "identity=deterministic"),
    ("train", "task=churn", "features=all", "task.force=true", "seed=7"),
)


def registered_model(workspace):
    """Return the newest churn model that was registered in the workspace."""
    documents = workspace.glob("mlflow/models/*/artifacts/data/sintonia/model.json")
    newest = max(documents, key=lambda path: path.stat().st_mtime)
    return LightGBMModel.load(newest.parent)


def one_history(store, model):
    """Return the history of one customer with interactions of many, and the date at which they are scored."""
    columns = dict.fromkeys([*model.plan_used.reads, *tasks.columns_read(model.task), "interaction_id"])
    tables = [store.read_bucket(path, columns=columns) for path in store.buckets]
    rows = pa.concat_tables(tables).unify_dictionaries().sort_by("occurred_at")
    rows = rows.take(np.linspace(0, len(rows) - 1, INTERACTIONS).astype(int)).combine_chunks()
    beside = []
    for name in ("attributes", "links"):
        table = store.read_beside(name, store.buckets[0])
        first = pc.equal(table["customer_id"], table["customer_id"][0])
        beside.append(_of_one_customer(table.filter(first).combine_chunks()))
    as_of = pc.max(rows["known_at"]).as_py()
    return History(_of_one_customer(rows), *beside), as_of


def _of_one_customer(table):
    column = table.schema.get_field_index("customer_id")
    return table.set_column(column, "customer_id", pa.array(["customer"] * len(table)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workspace", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        workspace = given.workspace or Path(folder) / "shop"
        if given.workspace is None:
            for verb in VERBS:
                command = [sys.executable, "-m", "sintonia", *verb, f"workspace={workspace}"]
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        model = registered_model(workspace)
        history, as_of = one_history(open_store(workspace), model)
        score = lambda: model.outcomes(model.rows_at(history, as_of).values)  # noqa: E731
        assert len(score()) == 1
        runs = []
        for _ in range(CALLS):
            start = time.perf_counter(), time.process_time()
            score()
            ends = time.perf_counter(), time.process_time()
            runs.append([1_000 * (end - begin) for end, begin in zip(ends, start, strict=True)])
    elapsed, processor = np.median(runs, axis=0)
    used, every = len(model.names_used), len(model.names)
    print(f"{used} of {every} features used, {model.booster.num_trees()} trees, {INTERACTIONS} interactions:")
    print(f"{elapsed:.2f} ms, {processor:.2f} ms of processor (medians of {CALLS} calls)")


if __name__ == "__main__":
    main()
