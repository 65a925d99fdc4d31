"""A small store beside the user's: some customers of it, with everything deleted or disturbed that was not yet known.

Disturbed rows stand for whatever the future may bring: other values, other customers, late rows about the past,
copies of known rows, ties between customers that are found later. None of them is visible at the as-of date.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sintonia.core.paths import StorePaths
from sintonia.core.schema import ATTRIBUTES, CROSSWALK, DECISIONS, INTERACTIONS, LINKS, MERGES, Table
from sintonia.data.store import Store, with_known_until
from sintonia.data.store.threads import threads_query

TABLES = {table.name: table for table in (INTERACTIONS, ATTRIBUTES, CROSSWALK, MERGES, DECISIONS)}
KNOWN_TIMES = {"crosswalk": ("linked_at",), "merges": ("merged_at",), "decisions": ("decided_at",)}
"""Times of which the latest says when a row is known; `occurred_at` and `known_at` where nothing else is said."""

END_TIMES = {"interactions": "known_until", "crosswalk": "unlinked_at", "decisions": "sent_at"}
"""Times that a row is given later than the rest of it: null until then."""

YEAR_US = 365 * 86_400_000_000
Tables = Mapping[str, pa.Table]


def read_sample(store: Store, customers: Collection[str]) -> dict[str, pa.Table]:
    """Return the store's tables with the rows of these customers; no bucket is read once all are found."""
    of_customers = pc.field("customer_id").isin(pa.array(sorted(customers), pa.string()))
    interactions: list[pa.Table] = []
    missing = set(customers)
    for path in store.buckets:
        if missing:
            interactions.append(with_known_until(pq.read_table(path, filters=of_customers), path))
            missing -= set(pc.unique(interactions[-1]["customer_id"]).to_pylist())
    files = {name: store.paths.table(name) for name in TABLES if name != INTERACTIONS.name}
    small_tables = {name: pq.read_table(path, filters=of_customers) for name, path in files.items()}
    return {INTERACTIONS.name: pa.concat_tables(interactions), **small_tables}


def delete_unknown(tables: Tables, as_of: datetime) -> dict[str, pa.Table]:
    """Return the tables without what was not yet known at as_of."""
    return {name: _known_rows(name, table, as_of) for name, table in tables.items()}


def disturb_unknown(tables: Tables, as_of: datetime, seed: int) -> dict[str, pa.Table]:
    """Return the tables with everything that was not yet known at as_of replaced, and more of it added."""
    rng = np.random.default_rng(seed)
    owners = pc.unique(tables[INTERACTIONS.name]["customer_id"])
    disturbed = {}
    for name, table in tables.items():
        known, disturbed_part = _known_rows(name, table, as_of), _disturbed_rows(name, table, as_of, rng)
        if len(owners):
            random_owners = owners.take(pa.array(rng.integers(len(owners), size=len(disturbed_part))))
            disturbed_part = _with_column(disturbed_part, "customer_id", random_owners)
        if name == INTERACTIONS.name:
            known = _ended_later(known, as_of, seed)
        disturbed[name] = pa.concat_tables([known, disturbed_part])
    disturbed[MERGES.name] = _merged_later(
        _known_rows(MERGES.name, tables[MERGES.name], as_of), owners, as_of, rng
    )
    return disturbed


def write_sample(connection: duckdb.DuckDBPyConnection, store: Store, folder: Path, tables: Tables) -> Store:
    """Return a store of these tables in a folder: one bucket, in the order of the contract, threads opened anew.

    Its fingerprint is its own, so that nothing that was computed for another store is taken for this one's.
    """
    (folder / "interactions").mkdir(parents=True)
    for name, table in tables.items():
        contract: Table = TABLES[name]
        order, file_name = ", ".join(contract.order), f"{name}.parquet"
        connection.register("sample", table)
        query = f"FROM sample ORDER BY {order}"
        if name == INTERACTIONS.name:
            versions = table["known_until"].null_count < len(table)
            query = threads_query("sample", versions)
            file_name = "interactions/bucket-0000.parquet"
        pq.write_table(connection.sql(query).to_arrow_table().cast(contract.arrow()), folder / file_name)
        connection.unregister("sample")
    for contract, source in ((ATTRIBUTES, ATTRIBUTES), (LINKS, CROSSWALK)):
        (folder / contract.name).mkdir()
        rows = tables[source.name].select(contract.names).cast(contract.arrow())
        pq.write_table(rows, StorePaths(folder).bucket(contract.name, 0))
    return replace(store, folder=folder, fingerprint=f"{store.fingerprint}-{folder.name}")


def rows_unknown(name: str, table: pa.Table, as_of: datetime) -> NDArray[np.bool_]:
    """Return which rows of a table were not yet known at as_of."""
    times = [_column_micros(table, column) for column in KNOWN_TIMES.get(name, ("occurred_at", "known_at"))]
    later: NDArray[np.bool_] = np.max(times, axis=0) > _micro(as_of)
    return later


def _known_rows(name: str, table: pa.Table, as_of: datetime) -> pa.Table:
    known = table.filter(pa.array(~rows_unknown(name, table, as_of)))
    if name not in END_TIMES:
        return known
    ended = pc.less_equal(known[END_TIMES[name]], pa.scalar(as_of, pa.timestamp("us")))
    return _with_column(known, END_TIMES[name], pc.if_else(ended, known[END_TIMES[name]], None))


def _disturbed_rows(name: str, table: pa.Table, as_of: datetime, rng: np.random.Generator) -> pa.Table:
    """Return rows that nobody knew at as_of: those of the table and copies of the known ones, their values mixed."""
    is_unknown = rows_unknown(name, table, as_of)
    row_indices = np.concatenate([np.flatnonzero(is_unknown), np.flatnonzero(~is_unknown)[::2]])
    rows = table.take(pa.array(row_indices))
    for column in rows.column_names:
        rows = _with_column(rows, column, rows[column].take(pa.array(rng.permutation(len(rows)))))
    as_of_micros, n = _micro(as_of), len(rows)
    # From the very next microsecond on, for that is where a limit taken the wrong way round shows.
    soon = np.where(rng.random(n) < 0.5, 1, rng.integers(1, YEAR_US, size=n))
    past = as_of_micros - rng.integers(0, YEAR_US, size=n)
    late = rng.random(n) < 0.5
    times = (
        [as_of_micros + soon]
        if name in KNOWN_TIMES
        else [np.where(late, past, as_of_micros + soon), np.where(late, as_of_micros + soon, past)]
    )
    for column, micros in zip(KNOWN_TIMES.get(name, ("occurred_at", "known_at")), times, strict=True):
        rows = _with_column(rows, column, pa.array(micros).cast(pa.timestamp("us")))
    if name == INTERACTIONS.name:
        rows = _with_column(
            rows, "interaction_id", pa.array([f"disturbed:{number:09d}" for number in range(n)])
        )
        for column in ("category", "action_id"):
            replaced = pa.array(rng.random(n) < 0.3)
            rows = _with_column(
                rows, column, pc.if_else(replaced, "disturbed", rows[column].cast(pa.string()))
            )
    return rows


def _ended_later(known: pa.Table, as_of: datetime, seed: int) -> pa.Table:
    """Return the known rows, every third of those that hold ended after as_of: corrected or deleted later."""
    rng = np.random.default_rng([seed, len(known)])
    ends = pa.array(_micro(as_of) + rng.integers(1, YEAR_US, size=len(known))).cast(pa.timestamp("us"))
    corrected = pa.array(rng.random(len(known)) < 1 / 3)
    return _with_column(
        known, "known_until", pc.coalesce(known["known_until"], pc.if_else(corrected, ends, None))
    )


def _merged_later(known: pa.Table, owners: pa.Array, as_of: datetime, rng: np.random.Generator) -> pa.Table:
    """Return the merges that were known, and after as_of every third other customer merged into anybody."""
    unmerged = owners.filter(pc.invert(pc.is_in(owners, pc.unique(known["customer_id"]))))
    merged = unmerged.take(pa.array(np.flatnonzero(rng.random(len(unmerged)) < 1 / 3)))
    into = owners.take(pa.array(rng.integers(max(len(owners), 1), size=len(merged))))
    merged_at = pa.array([as_of + timedelta(days=1)] * len(merged), pa.timestamp("us"))
    later = pa.table(
        {"customer_id": merged, "merged_into": into, "merged_at": merged_at}, schema=known.schema
    )
    return pa.concat_tables([known, later])


def _with_column(table: pa.Table, column: str, values: pa.Array) -> pa.Table:
    index = table.schema.get_field_index(column)
    return table.set_column(index, table.schema.field(index), values.cast(table.schema.field(index).type))


def _column_micros(table: pa.Table, column: str) -> NDArray[np.int64]:
    micros: NDArray[np.int64] = table[column].cast(pa.int64()).fill_null(np.iinfo(np.int64).min).to_numpy()
    return micros


def _micro(moment: datetime) -> int:
    return int(np.datetime64(moment, "us").astype(np.int64))
