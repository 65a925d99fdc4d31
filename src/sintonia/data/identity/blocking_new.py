"""Which pairs with a new record are worth comparing: the keys of new records, met by all others in one pass."""

from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from sintonia.core.arrays import Array
from sintonia.data.identity.blocking import NAMES, key_parts

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from sintonia.data.identity.blocking_kernels import Groups

_BATCH = 100_000
"""Records at a time: their hashed parts take 20 MB."""

_MET = pa.schema({"match_key": pa.int64(), "key": pa.int64(), "person": pa.int64(), "is_new": pa.bool_()})
_NOBODY = np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, bool)


def block_new(connection: "DuckDBPyConnection", columns: Collection[str], limits: Mapping[str, int]) -> None:
    """Make the table `candidates` as `block` does, of the pairs of `everyone` with a record that `is_new`.

    New records come after all others, so that a group which is full without them compares them with nobody. Parts of
    keys are hashed once, for most are part of many keys; of other records those are kept that meet a new one in a
    group with room.
    """
    from sintonia.data.identity.blocking_kernels import fill

    query, ways = _hashed(columns)
    new = list(_batches(connection, f"{query} where is_new"))
    groups = _groups(ways, limits, sum(len(person) for person, *_ in new))
    for _, _, parts in new:
        for one in groups.values():
            fill(one, parts)
    connection.register("met", _met(_batches(connection, query), groups))
    _pair(connection, {number: one.limit for number, one in groups.items()})
    connection.unregister("met")


def _met(batches: Iterator[tuple[Array, Array, Array]], groups: "Mapping[int, Groups]") -> pa.Table:
    """Return the records in groups with room: one row per (match_key, key, person), and whether it `is_new`."""
    from sintonia.data.identity.blocking_kernels import meet

    met: dict[int, list[tuple[Array, ...]]] = {number: [] for number in groups}
    with ThreadPoolExecutor() as threads:
        for person, is_new, parts in batches:
            found = threads.map(meet, groups.values(), repeat(parts), repeat(is_new))
            for number, (key, rows) in zip(groups, found, strict=True):
                met[number].append((key, person[rows], is_new[rows]))
    tables = [pa.table({"match_key": [], "key": [], "person": [], "is_new": []}, _MET)]
    for number, told in met.items():
        key, person, is_new = (np.concatenate(column) for column in zip(_NOBODY, *told, strict=True))
        columns = {"match_key": np.full(len(key), number), "key": key, "person": person, "is_new": is_new}
        tables.append(pa.table(columns, _MET).filter(pa.array(~groups[number].full()[key])))
    return pa.concat_tables(tables)


def _hashed(columns: Collection[str]) -> tuple[str, dict[str, Array]]:
    """Return the SQL of everyone's parts of keys, hashed, 0 for a missing one, and the places of each key's parts."""
    ways = {key: _ways(parts, columns) for key, parts in key_parts(columns).items()}
    sql = sorted({part for either in ways.values() for parts in either for part in parts})
    hashes = ", ".join(f"case when {part} is not null then hash({part}) else 0 end::ubigint" for part in sql)
    places = {
        key: np.array([[sql.index(part) for part in parts] for parts in either])
        for key, either in ways.items()
    }
    return f"select person, is_new, {hashes} from everyone", places


def _ways(parts: list[str], columns: Collection[str]) -> list[list[str]]:
    """Return the SQL of a key's parts, once for each name where it speaks of one."""
    names = [name for name in NAMES if name in columns] if "{name}" in " ".join(parts) else [""]
    return [[part.format(name=name) for part in parts] for name in names]


def _groups(ways: Mapping[str, Array], limits: Mapping[str, int], new: int) -> "dict[int, Groups]":
    """Return the empty groups of the keys that have a limit, by the number of the key."""
    from sintonia.data.identity.blocking_kernels import Groups

    return {
        number: Groups.empty(new, limits[key], ways[key]) for number, key in enumerate(ways) if key in limits
    }


def _batches(connection: "DuckDBPyConnection", query: str) -> Iterator[tuple[Array, Array, Array]]:
    """Yield numbers, whether they are new, and hashed parts (n_parts, n_rows) of records."""
    for batch in connection.sql(query).to_arrow_reader(_BATCH):
        person, is_new, *parts = (column.to_numpy(zero_copy_only=False) for column in batch.columns)
        yield person, is_new, np.array(parts)


def _pair(connection: "DuckDBPyConnection", limits: Mapping[int, int]) -> None:
    """Make `candidates` of the rows of `met`: of each group as many as its key's limit, the first ones."""
    most = " ".join(f"when match_key = {number} then {limit}" for number, limit in limits.items())
    connection.execute(f"""
        create or replace temp table candidates as
        with firsts as (
            from met qualify row_number() over (partition by match_key, key order by person)
                <= case {most or "when true then 0"} end)
        select min(l.match_key)::varchar as match_key, l.person as join_key_l, r.person as join_key_r
        from firsts l join firsts r on l.match_key = r.match_key and l.key = r.key and l.person < r.person and r.is_new
        group by l.person, r.person""")
