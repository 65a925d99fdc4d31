"""What each family of features is worth: models of all families beside models without one of them, out of time.

    PYTHONPATH=tests python tests/benchmarks/bench_families.py [--brands complete_journey,synthetic] [--seeds 2]

Complete Journey: lapse within 28 days of 2017-09-24, by models of as-of dates to 2017-08-27. The synthetic brand:
churn and purchase at its last two dates. Each line is one family: its columns; the AUC of all
families less the AUC without it; the AUC of `basic` families with it less that of `basic`; both with the 95 % interval
of paired draws over customers. Families share what they know, so that leaving one out shows what no other tells, and
adding it shows what it tells by itself. A propensity is the mean of models of several seeds: one model's chance is as
large as the smaller families' worth. Intervals are of the customers drawn, not of the models grown.
"""

import argparse
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from sintonia import cli, features
from sintonia.core import timeline
from sintonia.core.config.compose import compose
from sintonia.data.store import open_store
from sintonia.evaluation.evaluate import evaluate
from sintonia.features.families import FAMILIES
from sintonia.training.dataset import assemble
from sintonia.training.models import fit_model
from sintonia.training.tasks import label_kinds

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
BASIC = ("rfm", "channel_mix", "kinds")
JOURNEY = ["source=complete_journey", "experiment=complete_journey", "split.every_days=14"]
LAPSE = ["task.active_days=56", "task.horizon_days=28"]
TASKS = {
    "complete_journey": {"lapse": [*JOURNEY, *LAPSE]},  # of the same customers, a purchase is no lapse
    "synthetic": {"churn": ["task=churn"], "purchase": ["task=purchase"]},
}


def build(brand, workspace, customers):
    """Write the brand's silos if it is synthetic, and its store."""
    if brand == "synthetic":
        cli.main(["simulate", f"workspace={workspace}", f"customers={customers}"])
    cli.main(["build", f"source={brand}", f"workspace={workspace}"])


def read_rows(workspace, words):
    """Return the settings, what was fitted, and the rows that train, validate and test, with every family."""
    config = compose("train", ["features=all", f"workspace={workspace}", *words])
    config = replace(config, features=replace(config.features, families=list(FAMILIES)))
    store, kinds = open_store(workspace), label_kinds(config.task)
    split = timeline.split_snapshots(
        config.split, config.task, store.data_from(kinds), store.data_until(kinds)
    )
    fitted = features.fit(config.features, store, split.train[0])
    rows = assemble(store, split.all, features.catalogue(config.features, fitted), config.task)
    return config, fitted, store, [rows.at(part) for part in (split.train, split.valid, split.test)]


def propensities(read, families, seeds):
    """Return the mean propensities of the test rows by models of some families, one a seed."""
    config, fitted, store, parts = read
    names = [name for name in parts[0].names if name.split("__")[0] in families]
    train, valid, test = (part.select(names) for part in parts)
    models = [fit_model(train, valid, replace(config, seed=seed), fitted, store) for seed in range(seeds)]
    return np.mean([model.propensities(test.values) for model in models], axis=0)


def shown(estimate):
    """Return a difference and its interval in thousandths."""
    return f"{1e3 * estimate.value:7.1f} [{1e3 * estimate.low:5.1f},{1e3 * estimate.high:5.1f}]"


def difference(test, one, other):
    """Return the first propensities' AUC less the second's, with its interval."""
    return evaluate(test.label, {"one": one, "other": other}, test.customer_id).differences["other"]["auc"]


def judge(read, seeds):
    """Print a task's families side by side, each as soon as it is known."""
    test = read[3][2]
    families = [one.split("__")[0] for one in test.names]
    there = [name for name in FAMILIES if name in families]
    every, basic = propensities(read, set(there), seeds), propensities(read, set(BASIC), seeds)
    told = evaluate(test.label, {"all": every, "basic": basic}, test.customer_id)
    aucs = [told.estimates[name]["auc"].value for name in ("all", "basic")]
    print(
        f"{len(test)} rows, {len(families)} columns; AUC of all {aucs[0]:.4f}, of basic {aucs[1]:.4f}: ",
        end="",
    )
    print(shown(told.differences["basic"]["auc"]))
    print(
        f"{'family':14}{'columns':>8}{'all less all without it':>26}{'basic with it less basic':>26}",
        flush=True,
    )
    for name in there:
        left = shown(difference(test, every, propensities(read, set(there) - {name}, seeds)))
        added = "-"
        if name not in BASIC:
            added = shown(difference(test, propensities(read, {*BASIC, name}, seeds), basic))
        print(f"{name:14}{families.count(name):8}{left:>26}{added:>26}", flush=True)


def main():
    """Build each brand's store, and print what its tasks' families are worth in thousandths of AUC."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--brands", default=",".join(TASKS))
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--customers", type=int, default=5_000, help="of the synthetic brand")
    parser.add_argument("--workspace", help="where the brands' stores are already, each under its name")
    given = parser.parse_args()
    if SHARED.is_dir():
        os.environ.setdefault("SINTONIA_DATA", str(SHARED))
    with tempfile.TemporaryDirectory() as folder:
        for brand in given.brands.split(","):
            workspace = Path(given.workspace or folder) / brand
            if not workspace.is_dir():
                build(brand, workspace, given.customers)
            for task, words in TASKS[brand].items():
                print(f"\n--- {brand}, {task}; thousandths of AUC")
                begun = time.process_time()
                judge(read_rows(workspace, words), given.seeds)
                print(f"{time.process_time() - begun:.0f} processor seconds")


if __name__ == "__main__":
    main()
