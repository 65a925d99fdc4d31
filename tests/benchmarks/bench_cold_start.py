"""What the first features cost where nothing is compiled yet: 1,000 customers in a process of its own.

    PYTHONPATH=tests:tests/benchmarks python tests/benchmarks/bench_cold_start.py

The histories lie in a file, in the store's order, as `bench_kernel` draws them. Each process imports, plans and
computes all families of them at one date, with an empty folder for numba's machine code (cold) and then with that
folder (warm). Seconds are of the processor, imports included; the functions that numba compiled stand below with
theirs, of which callees are part.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

CHILD = """
import sys, time
from benchmarks.bench_kernel import AS_OFS, FEW_TEXTS, all_features
start = time.process_time()
import pyarrow.parquet as pq
from numba.core import event
from sintonia.features import compute_features, plan

class Compiled(event.Listener):
    stack = []
    def on_start(self, happened):
        self.stack.append((happened.data["dispatcher"].py_func.__name__, time.process_time()))
    def on_end(self, happened):
        name, began = self.stack.pop()
        if not self.stack:
            print(f"  {name:24}{time.process_time() - began:6.2f} s")

event.register("numba:compile", Compiled())
made = plan(all_features())
rows = pq.read_table(sys.argv[1], columns=list(made.reads), read_dictionary=FEW_TEXTS)
table = compute_features(rows, AS_OFS[-1:], made)
print(f"{sys.argv[2]}: {time.process_time():.2f} s of processor for the whole process, "
      f"{time.process_time() - start:.2f} s of it after the drawing's imports; {table.num_rows:,} customers")
"""


def main():
    import pyarrow.parquet as pq
    from bench_kernel import interactions

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "interactions.parquet"
        rows = interactions(100_000, rows_a_customer=100)
        pq.write_table(rows.sort_by([("customer_id", "ascending"), ("occurred_at", "ascending")]), path)
        environment = {**os.environ, "NUMBA_CACHE_DIR": str(Path(folder) / "numba")}
        for state in ("cold", "warm"):
            command = [sys.executable, "-c", CHILD, str(path), state]
            subprocess.run(command, env=environment, check=True)


if __name__ == "__main__":
    main()
