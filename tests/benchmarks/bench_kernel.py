"""The history kernel against pandas, Polars and DuckDB: the same numbers, from the same unsorted Parquet file.

    PYTHONPATH=tests python tests/benchmarks/bench_kernel.py [--rows 10000000] [--without pandas,duckdb]
    PYTHONPATH=tests python tests/benchmarks/bench_kernel.py --buckets --rows 100000000

Every timing starts at the file and ends with the feature table in memory: one row per customer and snapshot,
12 monthly snapshots, 124 columns (counts per channel and kind; orders, items and amount of purchases; over 7,
30, 90 and 365 days). What a road does on the way (read, sort, join, group) is in its time. One row in fifty
is known late, so that no road can leave `known_at` out. All have two threads but pandas, which has one;
ratios are of elapsed time, and processor seconds stand beside it for machines with other work to do. Then all
families of the interactions, over the same file, and for one customer of 500 interactions at one date.

With `--buckets` the rows lie as in the store, in buckets of a million sorted rows, 100 a customer; all families of each
bucket go to disk before the next, and the peak of memory is printed beside the seconds; the first ten buckets before
and after tell how cost grows.
"""

import argparse
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features.reference import reference
from features.rows import FITTED
from sintonia.core.config import FeaturesConfig
from sintonia.core.schema import CHANNELS, KINDS
from sintonia.features import catalogue, families, plan
from sintonia.features.table import compute_features

WINDOWS_DAYS = (7, 30, 90, 365)
AS_OFS = [datetime(2025, month, 1) for month in range(1, 13)]
A_BUCKET = 1_000_000  # interactions
TENTH = 10  # buckets, beside which the cost of all is told
DAY = 86_400_000_000  # microseconds
LATE = 0.02
FEW_TEXTS = ["channel", "kind", "category", "item_id", "action_id"]
PLAIN = ["customer_id", "occurred_at", "known_at", "channel", "kind", "opens_thread", "quantity", "amount"]


def interactions(rows, seed=7, first=0, rows_a_customer=50):
    """Return two years of interactions in no order; customers are numbered from `first` on."""
    rng = np.random.default_rng(seed)
    customers = rng.integers(0, rows // rows_a_customer, rows)
    start, days = np.datetime64("2024-01-01", "us"), 731
    occurred_at = start + rng.integers(0, days * 86_400, rows).astype("timedelta64[s]")
    delay = np.where(rng.random(rows) < LATE, rng.integers(0, 60 * 86_400, rows), 0)
    names = np.array([f"customer-{first + i:08d}" for i in range(rows // rows_a_customer)])
    return pa.table(
        {
            "customer_id": pa.DictionaryArray.from_arrays(customers.astype("int32"), names).cast(pa.string()),
            "occurred_at": occurred_at,
            "known_at": occurred_at + delay.astype("timedelta64[s]"),
            "channel": np.array(CHANNELS, object)[rng.integers(0, len(CHANNELS), rows)],
            "kind": np.array(KINDS, object)[rng.integers(0, len(KINDS), rows)],
            "opens_thread": rng.random(rows) < 0.5,
            "quantity": rng.integers(1, 6, rows),
            "amount": rng.integers(-2_000, 20_000, rows),
            **more_columns(rng, customers),
        }
    )


def more_columns(rng, customers):
    """Return the columns that only the families beyond the plain set read, nulls among them."""
    rows = len(customers)

    def some(values, missing):
        return pa.array(values, mask=rng.random(rows) < missing)

    def texts(stem, count, missing):
        codes = some(rng.integers(0, count, rows).astype("int32"), missing)
        return pa.DictionaryArray.from_arrays(codes, [f"{stem} {i}" for i in range(count)]).cast(pa.string())

    return {
        "known_until": pa.nulls(rows, pa.timestamp("us")),
        "discount": some(np.maximum(rng.integers(-10_000, 5_000, rows), 0), 0.1),
        "thread_id": pa.array(customers * 20 + rng.integers(0, 20, rows)).cast(pa.string()),
        "utc_offset_minutes": some(rng.choice(np.array([0, 60, 120], "int16"), rows), 0.05),
        "item_id": texts("item", 5_000, 0.4),
        "category": texts("category", 20, 0.4),
        "sentiment": some(rng.random(rows, dtype="float32") * 2 - 1, 0.8),
        "action_id": texts("action", 10, 0.7),
    }


def plain_features():
    """Return the plain set out of the catalogue: the counts and sums that are one total each."""
    config = FeaturesConfig(["channel_mix", "kinds", "rfm"], list(WINDOWS_DAYS))
    return [one for one in catalogue(config, FITTED) if one.window_days and len(one.terms) == 1]


def all_settings():
    """Return the settings of every family of the interactions, for a brand that has every channel and kind."""
    levels = {
        "category": tuple(f"category {i}" for i in range(10)),
        "action_id": tuple(f"action {i}" for i in range(10)),
        "sent:action_id": tuple(f"action {i}" for i in range(10)),
    }
    fitted = replace(FITTED, levels={**FITTED.levels, **levels})
    return FeaturesConfig(list(families.FAMILIES), list(WINDOWS_DAYS)), fitted


def all_features():
    """Return the features of every family of the interactions."""
    return catalogue(*all_settings())


def by_kernel(path, features, as_ofs=AS_OFS):
    """Return the kernel's table; the file's columns of few texts are read as dictionaries."""
    made = plan(features)
    rows = pq.read_table(path, columns=list(made.reads), read_dictionary=FEW_TEXTS)
    return compute_features(rows, as_ofs, made, threads=2)


def by_pandas(path):
    frame = pd.read_parquet(path, columns=PLAIN).astype({"channel": "category", "kind": "category"})
    return reference(frame, AS_OFS, WINDOWS_DAYS, ["plain"])


def by_polars(path, features):
    """Return the same by lazy Polars: the snapshots, each filtered and grouped, in one collected plan."""
    import polars as pl

    rows = pl.scan_parquet(path).with_columns(pl.col("channel", "kind").cast(pl.Categorical))
    snapshots = [
        rows.filter(
            (pl.max_horizontal("occurred_at", "known_at") <= as_of)
            & (pl.col("occurred_at") > as_of - timedelta(days=max(WINDOWS_DAYS)))
        )
        .group_by("customer_id")
        .agg(_polars(one, as_of, pl) for one in features)
        .with_columns(as_of=pl.lit(as_of).cast(pl.Datetime("us")))
        for as_of in AS_OFS
    ]
    return pl.concat(pl.collect_all(snapshots)).to_arrow()


def _polars(feature, as_of, pl):
    [total] = feature.terms
    within = pl.col("occurred_at") > as_of - timedelta(days=total.window_days)
    for name in ("channel", "kind"):
        within = within & (pl.col(name) == value) if (value := getattr(total.where, name)) else within
    within = within & pl.col("opens_thread") if total.where.opens_thread else within
    value = within.sum() if total.column is None else pl.col(total.column).filter(within).sum()
    return value.cast(pl.Float32).alias(feature.name)


def by_duckdb(path, features):
    """Return the table of a range join as one would write it: a row meets every snapshot within its year."""
    columns = ", ".join(f'{_filtered(one.terms[0])} AS "{one.name}"' for one in features)
    query = f"""
        SELECT customer_id, as_of, {columns}
        FROM '{path}' JOIN (SELECT unnest({_dates()}) AS as_of)
        ON occurred_at <= as_of AND known_at <= as_of
            AND occurred_at > as_of - INTERVAL {max(WINDOWS_DAYS)} DAY
        GROUP BY customer_id, as_of"""
    return _duckdb().sql(query).to_arrow_table()


def _dates():
    return "[" + ", ".join(f"TIMESTAMP '{as_of}'" for as_of in AS_OFS) + "]"


def _filtered(total):
    tests = [f"occurred_at > as_of - INTERVAL {total.window_days} DAY"]
    tests += [f"{name} = '{value}'" for name in ("channel", "kind") if (value := getattr(total.where, name))]
    tests += ["opens_thread"] if total.where.opens_thread else []
    value = "count(*)" if total.column is None else f"sum({total.column})"
    return f"coalesce({value} FILTER ({' AND '.join(tests)}), 0)::FLOAT"


def by_tuned_duckdb(path):
    """Return the same by the fastest SQL found: enums, ages as integers, a snapshot at a time, grouping in two steps.

    Each row's smallest window is worked out once; rows are grouped by channel and by kind first, and the few
    groups then spread over columns by CASE (a third of the time of FILTER). All snapshots in one join cost the
    same processor time, and at ten million interactions more than 20 GiB of memory.
    """
    connection = _duckdb()
    for name in ("customer_id", "channel", "kind"):
        connection.execute(f"CREATE TYPE {name}_e AS ENUM (SELECT DISTINCT {name} FROM '{path}' ORDER BY 1)")
    connection.execute(f"""
        CREATE TEMP TABLE interactions AS SELECT customer_id::customer_id_e AS customer_id,
            channel::channel_e AS channel, kind::kind_e AS kind, opens_thread, quantity, amount,
            epoch_us(occurred_at) AS occurred_us, epoch_us(greatest(occurred_at, known_at)) AS known_us
        FROM '{path}'""")
    return pa.concat_tables([connection.sql(_snapshot(as_of)).to_arrow_table() for as_of in AS_OFS])


def _duckdb():
    # What does not fit goes to disk, as on any machine that has other work to do.
    return duckdb.connect(config={"threads": 2, "memory_limit": "12GB"})


def _snapshot(as_of):
    as_of_us = f"epoch_us(TIMESTAMP '{as_of}')"
    smallest = " + ".join(f"(age >= {days * DAY})::UTINYINT" for days in WINDOWS_DAYS[:-1])
    return f"""
        WITH aged AS MATERIALIZED (SELECT *, {smallest} AS smallest FROM (
            SELECT *, {as_of_us} - occurred_us AS age FROM interactions
            WHERE known_us <= {as_of_us} AND occurred_us > {as_of_us} - {max(WINDOWS_DAYS) * DAY}))
        SELECT customer_id::VARCHAR AS customer_id, TIMESTAMP '{as_of}' AS as_of,
            COLUMNS(* EXCLUDE customer_id)::FLOAT
        FROM ({_spread("channel_mix", "channel", CHANNELS)}) JOIN ({_spread("kinds", "kind", KINDS)})
        USING (customer_id) LEFT JOIN ({_bought()}) USING (customer_id)"""


def _spread(family, column, values):
    counts = ", ".join(f"count_if(smallest <= {i}) AS n{i}" for i in range(len(WINDOWS_DAYS)))
    spread = ", ".join(
        f"max(CASE WHEN {column} = '{value}' THEN n{i} ELSE 0 END) AS \"{family}__{value}__{days}d\""
        for i, days in enumerate(WINDOWS_DAYS)
        for value in values
    )
    grouped = f"SELECT customer_id, {column}, {counts} FROM aged GROUP BY ALL"
    return f"SELECT customer_id, {spread} FROM ({grouped}) GROUP BY ALL"


def _bought():
    sums = {"orders": "opens_thread::INT", "items": "quantity", "amount": "amount"}
    columns = ", ".join(
        f"sum(CASE WHEN smallest <= {i} THEN {value} ELSE 0 END) AS rfm__{name}__{days}d"
        for i, days in enumerate(WINDOWS_DAYS)
        for name, value in sums.items()
    )
    return f"SELECT customer_id, {columns} FROM aged WHERE kind = 'purchase' GROUP BY ALL"


def check_equal(ours, theirs, name):
    """Fail unless both hold the same numbers; customers a range join leaves out must be all zeros here."""
    keys = ["customer_id", "as_of"]
    mine = ours.to_pandas().set_index(keys)
    other = (theirs if isinstance(theirs, pd.DataFrame) else theirs.to_pandas()).set_index(keys)
    assert other.index.isin(mine.index).all(), f"{name} has rows the kernel has not"
    other = other.reindex(mine.index).fillna(0)
    for column in mine:
        assert np.array_equal(mine[column], other[column].astype("float32")), f"{name} differs in {column}"


def timed(make, repeats):
    """Return what `make` makes, and of its quickest run the elapsed and the processor seconds."""
    runs = []
    for _ in range(repeats):
        start = time.perf_counter(), time.process_time()
        made = make()
        runs.append((time.perf_counter() - start[0], time.process_time() - start[1]))
    return made, min(runs)


def kernel_seconds(path, plain, rounds=3):
    """Return the kernel's table of the plain set and its seconds from the file; print them beside one snapshot's,
    and those of all families.

    A machine is faster now and slower then: the three take turns, and the quickest of each is told.
    """
    every = all_features()
    roads = {
        "kernel": lambda: by_kernel(path, plain),
        "  of one snapshot": lambda: by_kernel(path, plain, AS_OFS[-1:]),
        "all families": lambda: by_kernel(path, every) and None,
    }
    by_kernel(path, every, AS_OFS[-1:])  # what is compiled at its first use is compiled
    runs = [{name: timed(road, 1)[1] for name, road in roads.items()} for _ in range(rounds)]
    best = {name: min(run[name] for run in runs) for name in roads}
    ours = by_kernel(path, plain)
    print(f"{pq.read_metadata(path).num_rows:,} interactions, {len(AS_OFS)} snapshots: ", end="")
    print(f"{ours.num_rows:,} x {len(plain)}, of all families {len(every)} columns")
    for name, seconds in best.items():
        ratios = [best["kernel"][i] / seconds[i] for i in (0, 1)]
        told = f"twelve cost {ratios[0]:.2f} times one ({ratios[1]:.2f} by processor)"
        if name == "all families":
            told = f"{1 / ratios[0]:.1f} times the plain set ({1 / ratios[1]:.1f} by processor)"
        print(_line(name, seconds) + (f": {told}" if name != "kernel" else ""))
    one_customer(path, plan(every))
    return ours, best["kernel"]


def one_customer(path, made):
    """Print the milliseconds of all families for one customer of 500 interactions at one date."""
    rows = pq.read_table(path, columns=list(made.reads))[:500]
    alone = rows.set_column(0, "customer_id", pa.array(["customer"] * len(rows))).sort_by("occurred_at")
    runs = [timed(lambda: compute_features(alone, AS_OFS[-1:], made), 1)[1] for _ in range(200)]
    elapsed, processor = (1_000 * np.median(column) for column in zip(*runs, strict=True))
    print(
        f"one customer, {len(rows)} interactions: {elapsed:.1f} ms, {processor:.1f} ms of processor (medians)"
    )


def in_buckets(folder, rows):
    """Print what all families of rows in buckets cost, each bucket's features going to disk, and the memory's peak."""
    made = plan(all_features())
    paths = [folder / f"bucket-{i:04d}.parquet" for i in range(rows // A_BUCKET)]
    for i, path in enumerate(paths):
        bucket = interactions(A_BUCKET, seed=i, first=i * A_BUCKET // 100, rows_a_customer=100)
        pq.write_table(bucket.sort_by([("customer_id", "ascending"), ("occurred_at", "ascending")]), path)
    del bucket

    def work(path):
        read = pq.read_table(path, columns=list(made.reads), read_dictionary=FEW_TEXTS, use_threads=False)
        table = compute_features(read, AS_OFS, made)
        pq.write_table(
            table, path.with_suffix(".features"), compression="zstd", use_dictionary=["customer_id"]
        )
        return table.num_rows

    def every(paths):
        with ThreadPoolExecutor(2) as pool:
            return sum(pool.map(work, paths))

    work(paths[0])
    before = timed(lambda: every(paths[:TENTH]), 1)[1]
    Path("/proc/self/clear_refs").write_text("5")  # the peak of memory starts from here
    made_rows, seconds = timed(lambda: every(paths), 1)
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
    print(f"{rows:,} interactions in {len(paths)} buckets: {made_rows:,} x {len(made.names)}")
    print(f"{_line('all families, on disk', seconds)}, {int(peak.split()[1]) / 2**20:.2f} GiB at most")
    after = timed(lambda: every(paths[:TENTH]), 1)[1]
    tenth = tuple(np.mean([before, after], axis=0))
    grown = " and ".join(f"{whole / part:.1f}" for whole, part in zip(seconds, tenth, strict=True))
    print(f"{_line(f'  the first {TENTH} buckets', tenth)} (mean before and after): {grown} times")


def _line(name, seconds):
    return f"{name:28}{seconds[0]:8.2f} s ({seconds[1]:.2f} s of processor)"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--without", default="", help="roads to leave out: pandas, polars, tuned, duckdb")
    parser.add_argument("--buckets", action="store_true", help="all families of rows in buckets only")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if given.buckets:
            in_buckets(Path(folder), given.rows)
        else:
            side_by_side(Path(folder) / "interactions.parquet", given.rows, given.without.split(","))


def side_by_side(path, rows, without):
    """Print every road's seconds over the same file, and how many times the kernel's they are."""
    pq.write_table(interactions(rows), path)
    features = plain_features()
    ours, seconds = kernel_seconds(path, features)
    roads = {
        "pandas": ("pandas, filter and pivot", lambda: by_pandas(path)),
        "polars": ("Polars, lazy", lambda: by_polars(path, features)),
        "tuned": ("DuckDB range join, tuned", lambda: by_tuned_duckdb(path)),
        "duckdb": ("DuckDB range join", lambda: by_duckdb(path, features)),
    }
    for key, (name, road) in roads.items():
        if key not in without:
            theirs, peer = timed(road, 1)
            check_equal(ours, theirs, name)
            print(
                f"{_line(name, peer)}: {peer[0] / seconds[0]:.1f} times the kernel's; same numbers",
                flush=True,
            )


if __name__ == "__main__":
    main()
