"""Featuretools' seconds for the plain set of `bench_kernel.py`, at one snapshot out of twelve, over the same file.

    PYTHONPATH=tests:tests/benchmarks python -c "from bench_kernel import *; pq.write_table(interactions(10**6), 'i')"
    python featuretools_seconds.py i

It runs in an environment of its own (`pip install featuretools "pandas<2.3" "numpy<2" "setuptools<81" pyarrow`), for
Featuretools takes no newer pandas. Counts per channel and kind, orders, items and amount of purchases, over the four
windows, at the last date alone: twelve dates are twelve times the work. Deep feature synthesis with a cutoff time per
customer and a training window, `where` clauses by interesting values; rows known late are left out beforehand.

Measured once, at 1 million interactions on 2 shared cores: Featuretools 1.31.0, pandas 2.2.3, 147.6 s, 15.9 s of
processor for one snapshot, where the kernel took 0.66 s of processor for twelve: 289 times, were all twelve made.
It makes 360 columns, sums and counts of more than was asked, and its numbers were not compared.
"""

import sys
import time
from datetime import datetime

import pandas as pd

AS_OF = datetime(2025, 12, 1)
WINDOWS_DAYS = (7, 30, 90, 365)


def entities(path):
    """Return the customers and their interactions that are visible at the date."""
    import featuretools as ft

    columns = [
        "customer_id",
        "occurred_at",
        "known_at",
        "channel",
        "kind",
        "opens_thread",
        "quantity",
        "amount",
    ]
    rows = pd.read_parquet(path, columns=columns)
    rows = rows[(rows["occurred_at"] <= AS_OF) & (rows["known_at"] <= AS_OF)].drop(columns="known_at")
    rows["order"] = rows.pop("opens_thread") & (rows["kind"] == "purchase")
    made = ft.EntitySet("brand")
    made.add_dataframe(
        dataframe_name="rows", dataframe=rows, index="row", make_index=True, time_index="occurred_at"
    )
    made.normalize_dataframe(
        base_dataframe_name="rows", new_dataframe_name="customers", index="customer_id", make_time_index=False
    )
    for column, values in (("channel", None), ("kind", None), ("order", [True])):
        found = sorted(rows[column].unique()) if values is None else values
        made.add_interesting_values(dataframe_name="rows", values={column: found})
    return made


def window(made, days):
    """Return the features of one window."""
    import featuretools as ft

    customers = made["customers"][["customer_id"]].assign(time=AS_OF)
    features, _ = ft.dfs(
        entityset=made,
        target_dataframe_name="customers",
        cutoff_time=customers,
        training_window=f"{days} days",
        agg_primitives=["count", "sum"],
        where_primitives=["count", "sum"],
        trans_primitives=[],
        max_depth=1,
        include_cutoff_time=True,
    )
    return features


if __name__ == "__main__":
    import featuretools as ft

    start = time.perf_counter(), time.process_time()
    made = entities(sys.argv[1])
    columns = sum(window(made, days).shape[1] for days in WINDOWS_DAYS)
    elapsed, processor = time.perf_counter() - start[0], time.process_time() - start[1]
    print(f"Featuretools {ft.__version__}, one snapshot, {columns} columns: ", end="")
    print(f"{elapsed:.1f} s ({processor:.1f} s of processor)")
