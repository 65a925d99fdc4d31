"""Which pairs of records are worth comparing: those that share a key, every key within a budget of pairs.

Of a large group (all the Rossi of Rome) only the first records are compared, as many as the budget of the key allows,
so that the number of pairs stays in proportion to the number of records whatever the table looks like. Whether two
records are compared depends on no record after them: what comes later changes nothing.

`block` pairs all records with each other, `block_new` those that came since with all, in one pass.
"""

from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from sintonia.core.arrays import Array
from sintonia.core.relation import Relation
from sintonia.data.identity.relations import BLOCKED, CANDIDATES, EVERYONE, MET, PERSONS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from sintonia.data.identity.kernels import Groups


_BIRTH_PARTS = ("birth_year_month", "birth_month_day", "birth_year_day")
_PLACES = ("postcode", "city", "birth_place", "street")
_KEYS = (
    "national_id",
    "email",
    "email_name",
    "email_start",
    "phone_end",
    "birth_date",
    "name",
    *(f"name {part}" for part in ("birth_year", *_BIRTH_PARTS, *_PLACES, "occupation")),
    *(f"name_start {part}" for part in ("birth_date", *_BIRTH_PARTS, *_PLACES)),
    *(f"name_end {part}" for part in ("birth_year", "birth_month_day", *_PLACES)),
    *_BIRTH_PARTS,
    *(f"{place} {part}" for place in _PLACES for part in ("birth_date", *_BIRTH_PARTS)),
    *(f"postcode {part}" for part in ("birth_place", "occupation", "street_number", "street")),
    "street street_number",
)
"""What must agree, as fields or parts of fields; a name is either of the two, for forms swap them."""

_PARTS = {
    "birth_year": ("birth_date", "left(birth_date, 4)"),
    "birth_year_month": ("birth_date", "left(birth_date, 7)"),
    "birth_month_day": ("birth_date", "substr(birth_date, 6)"),
    "birth_year_day": ("birth_date", "left(birth_date, 4) || substr(birth_date, 9)"),
    "email_start": ("email", "left(email, 6)"),
    "name": ("name", "{name}"),
    "name_start": ("name", "left({name}, 3)"),
    "name_end": ("name", "right({name}, 3)"),
}
NAMES = ("first_name", "last_name")


def key_parts(columns: Collection[str]) -> dict[str, list[str]]:
    """Return the keys that the columns allow, each as the SQL of what must agree; `{name}` stands for either name."""
    present = {*columns, *(["name"] if set(NAMES) & set(columns) else [])}
    parts_by_key = {}
    for key in _KEYS:
        parts = [_PARTS.get(part, (part, part)) for part in key.split()]
        if present.issuperset(field for field, _ in parts):
            parts_by_key[key] = [sql for _, sql in parts]
    if set(NAMES) <= set(columns):
        both = "case when first_name <> last_name then {which}(first_name, last_name) end"
        parts_by_key["both_names"] = [both.format(which=which) for which in ("least", "greatest")]
    return parts_by_key


def keys(columns: Collection[str]) -> dict[str, str]:
    """Return the keys that the columns allow: what must agree, and the SQL of (person, key) over PERSONS.

    Examples
    --------
    >>> keys(["phone_end"])
    {'phone_end': 'select person, hash(phone_end) as key from persons where phone_end is not null'}
    """
    names = ", ".join(name for name in NAMES if name in columns)
    either = f"(select *, unnest([{names}]) as name from {PERSONS})"
    sql_by_key = {}
    for key, parts in key_parts(columns).items():
        rows = either if "{name}" in " ".join(parts) else "persons"
        sql = [part.format(name="name") for part in parts]
        known = " and ".join(f"{part} is not null" for part in sql)
        sql_by_key[key] = f"select person, hash({', '.join(sql)}) as key from {rows} where {known}"
    return sql_by_key


def block(connection: "DuckDBPyConnection", columns: Collection[str], limits: Mapping[str, int]) -> None:
    """Make CANDIDATES (join_key_l < join_key_r, match_key) from PERSONS.

    `limits` says of each key how many records of a group are compared with each other, the first ones; keys that
    are not there are left out.
    """
    BLOCKED.create_table(connection, BLOCKED.no_rows())
    for number, (key, rows) in enumerate(keys(columns).items()):
        if key in limits:
            connection.execute(f"""
                insert into {BLOCKED}
                with keyed as (
                    from ({rows}) qualify row_number() over (partition by key order by person) <= {limits[key]}
                        and count(*) over (partition by key) > 1
                )
                select distinct {number}, l.person, r.person
                from keyed l join keyed r on l.key = r.key and l.person < r.person""")
    _collect_candidates(connection)


def _collect_candidates(connection: "DuckDBPyConnection") -> None:
    CANDIDATES.create_table(
        connection,
        f"""
        select min(match_key)::varchar as match_key, join_key_l, join_key_r from {BLOCKED}
        group by join_key_l, join_key_r""",
    )
    BLOCKED.drop(connection)


def every_pair(connection: "DuckDBPyConnection", records: Relation = PERSONS) -> None:
    """Make CANDIDATES of all pairs whose later record `is_new`, for tables that need no key."""
    CANDIDATES.create_table(
        connection,
        f"""
        select '0' as match_key, l.person as join_key_l, r.person as join_key_r
        from {records} l join {records} r on l.person < r.person and r.is_new""",
    )


def limits(connection: "DuckDBPyConnection", columns: Collection[str], most: int) -> dict[str, int]:
    """Return for each key how many records of a group may be compared, so that all pairs together are at most `most`.

    Keys with few pairs take what they need; the rest is shared equally among the others.
    """
    sql_by_key = keys(columns)
    return _share_budget({key: _group_sizes(connection, sql) for key, sql in sql_by_key.items()}, most)


def _group_sizes(connection: "DuckDBPyConnection", key: str) -> list[tuple[int, int]]:
    groups = f"select count(*) as size from ({key}) group by key having size > 1"
    return connection.execute(f"select size, count(*) from ({groups}) group by size order by size").fetchall()


def _share_budget(sizes: Mapping[str, list[tuple[int, int]]], most: int) -> dict[str, int]:
    """Return each key's limit; keys without a pair are left out.

    Examples
    --------
    >>> _share_budget({"email": [(2, 5)], "name": [(2, 10), (100, 3)], "city": []}, most=40)
    {'email': 2, 'name': 4}
    """
    total = {key: _pair_count(counts, counts[-1][0]) for key, counts in sizes.items() if counts}
    allowed: dict[str, int] = {}
    left = most
    waiting = sorted(total, key=lambda key: (total[key], key))
    for place, key in enumerate(waiting):
        allowed[key] = _limit(sizes[key], left // (len(waiting) - place))
        left -= _pair_count(sizes[key], allowed[key])
    return {key: allowed[key] for key in sizes if allowed.get(key, 1) > 1}


def _pair_count(sizes: list[tuple[int, int]], limit: int) -> int:
    """Return the pairs among the first records of all groups, groups given by size and number."""
    return sum(groups * min(size, limit) * (min(size, limit) - 1) // 2 for size, groups in sizes)


def _limit(sizes: list[tuple[int, int]], share: int) -> int:
    """Return the largest limit whose pairs are within the share."""
    return bisect_right(range(1, sizes[-1][0] + 1), share, key=lambda limit: _pair_count(sizes, limit))


_BATCH = 100_000
"""Records at a time: their hashed parts take 20 MB."""

_MET = pa.schema({"match_key": pa.int64(), "key": pa.int64(), "person": pa.int64(), "is_new": pa.bool_()})
_NOBODY = np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, bool)


def block_new(connection: "DuckDBPyConnection", columns: Collection[str], limits: Mapping[str, int]) -> None:
    """Make CANDIDATES as `block` does, of the pairs of EVERYONE with a record that `is_new`.

    New records come after all others, so that a group which is full without them compares them with nobody. Parts of
    keys are hashed once, for most are part of many keys; of other records those are kept that meet a new one in a
    group with room.
    """
    from sintonia.data.identity.kernels import fill

    query, parts_by_key = _hashed(columns)
    new = list(_batches(connection, f"{query} where is_new"))
    groups = _groups(parts_by_key, limits, sum(len(person) for person, *_ in new))
    for _, _, parts in new:
        for group in groups.values():
            fill(group, parts)
    MET.register(connection, _met(_batches(connection, query), groups))
    _pair(connection, {number: group.limit for number, group in groups.items()})
    MET.unregister(connection)


def _met(batches: Iterator[tuple[Array, Array, Array]], groups: "Mapping[int, Groups]") -> pa.Table:
    """Return the records in groups with room: one row per (match_key, key, person), and whether it `is_new`."""
    from sintonia.data.identity.kernels import meet

    met: dict[int, list[tuple[Array, ...]]] = {number: [] for number in groups}
    with ThreadPoolExecutor() as threads:
        for person, is_new, parts in batches:
            meetings = threads.map(meet, groups.values(), repeat(parts), repeat(is_new))
            for number, (key, rows) in zip(groups, meetings, strict=True):
                met[number].append((key, person[rows], is_new[rows]))
    tables = [pa.table({"match_key": [], "key": [], "person": [], "is_new": []}, _MET)]
    for number, parts_met in met.items():
        key, person, is_new = (np.concatenate(column) for column in zip(_NOBODY, *parts_met, strict=True))
        columns = {"match_key": np.full(len(key), number), "key": key, "person": person, "is_new": is_new}
        tables.append(pa.table(columns, _MET).filter(pa.array(~groups[number].full()[key])))
    return pa.concat_tables(tables)


def _hashed(columns: Collection[str]) -> tuple[str, dict[str, Array]]:
    """Return the SQL of everyone's parts of keys, hashed, 0 for a missing one, and the places of each key's parts."""
    parts_by_key = {key: _parts_by_name(parts, columns) for key, parts in key_parts(columns).items()}
    sql = sorted({part for either in parts_by_key.values() for parts in either for part in parts})
    hashes = ", ".join(f"case when {part} is not null then hash({part}) else 0 end::ubigint" for part in sql)
    places = {
        key: np.array([[sql.index(part) for part in parts] for parts in either])
        for key, either in parts_by_key.items()
    }
    return f"select person, is_new, {hashes} from {EVERYONE}", places


def _parts_by_name(parts: list[str], columns: Collection[str]) -> list[list[str]]:
    """Return the SQL of a key's parts: one list for each name column if the parts refer to `{name}`."""
    names = [name for name in NAMES if name in columns] if "{name}" in " ".join(parts) else [""]
    return [[part.format(name=name) for part in parts] for name in names]


def _groups(parts_by_key: Mapping[str, Array], limits: Mapping[str, int], new: int) -> "dict[int, Groups]":
    """Return the empty groups of the keys that have a limit, by the number of the key."""
    from sintonia.data.identity.kernels import Groups

    return {
        number: Groups.empty(new, limits[key], parts_by_key[key])
        for number, key in enumerate(parts_by_key)
        if key in limits
    }


def _batches(connection: "DuckDBPyConnection", query: str) -> Iterator[tuple[Array, Array, Array]]:
    """Yield numbers, whether they are new, and hashed parts (n_parts, n_rows) of records."""
    for batch in connection.sql(query).to_arrow_reader(_BATCH):
        person, is_new, *parts = (column.to_numpy(zero_copy_only=False) for column in batch.columns)
        yield person, is_new, np.array(parts)


def _pair(connection: "DuckDBPyConnection", limits: Mapping[int, int]) -> None:
    """Make CANDIDATES of the rows of MET: of each group as many as its key's limit, the first ones."""
    most = " ".join(f"when match_key = {number} then {limit}" for number, limit in limits.items())
    CANDIDATES.create_table(
        connection,
        f"""
        with firsts as (
            from {MET} qualify row_number() over (partition by match_key, key order by person)
                <= case {most or "when true then 0"} end)
        select min(l.match_key)::varchar as match_key, l.person as join_key_l, r.person as join_key_r
        from firsts l join firsts r on l.match_key = r.match_key and l.key = r.key and l.person < r.person and r.is_new
        group by l.person, r.person""",
    )
