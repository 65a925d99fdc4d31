"""What the first features cost in a fresh clone: 1,000 customers in a process of its own.

    PYTHONPATH=tests:tests/benchmarks python tests/benchmarks/bench_cold_start.py

The histories lie in a file, in the store's order, as `bench_kernel` draws them. Each process imports a copy of the
package without any compiled file, plans and computes all families of them at one date: first with nothing compiled, by
Python or by numba (cold), then again with what the first left behind (warm). Seconds are of the processor, for the
process from its start to its end; the functions that numba compiled stand below with theirs, callees included.
"""

import os
import pickle
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "src"
CHILD = """
import pickle, sys, time
import pyarrow.parquet as pq
from numba.core import event
from sintonia.features import catalogue, compute_features, plan

class Compiled(event.Listener):
    stack = []
    def on_start(self, happened):
        self.stack.append((happened.data["dispatcher"].py_func.__name__, time.process_time()))
    def on_end(self, happened):
        name, began = self.stack.pop()
        if not self.stack:
            print(f"  {name:24}{time.process_time() - began:6.2f} s")

event.register("numba:compile", Compiled())
with open(sys.argv[2], "rb") as file:
    as_of, few_texts, config, fitted = pickle.load(file)
planned = plan(catalogue(config, fitted))
rows = pq.read_table(sys.argv[1], columns=list(planned.reads), read_dictionary=few_texts)
table = compute_features(rows, [as_of], planned)
print(f"{sys.argv[3]}: {time.process_time():.2f} s of processor; {table.num_rows:,} customers")
"""


def main():
    import pyarrow.parquet as pq
    from bench_kernel import AS_OFS, FEW_TEXTS, all_settings, interactions

    with tempfile.TemporaryDirectory() as folder:
        path, settings, source = (Path(folder) / name for name in ("rows.parquet", "settings", "src"))
        rows = interactions(100_000, rows_a_customer=100)
        pq.write_table(rows.sort_by([("customer_id", "ascending"), ("occurred_at", "ascending")]), path)
        settings.write_bytes(pickle.dumps((AS_OFS[-1], FEW_TEXTS, *all_settings())))
        shutil.copytree(SOURCE, source, ignore=shutil.ignore_patterns("__pycache__"))
        environment = {**os.environ, "PYTHONPATH": str(source)}
        environment.pop("NUMBA_CACHE_DIR", None)  # then numba writes into the copy
        for state in ("cold", "warm"):
            command = [sys.executable, "-c", CHILD, str(path), str(settings), state]
            subprocess.run(command, env=environment, check=True)


if __name__ == "__main__":
    main()
