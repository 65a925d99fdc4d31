"""Which pairs of records are worth comparing: those that share a key, every key within a budget of pairs.

Of a large group (all the Rossi of Rome) only the first records are compared, as many as the key's budget allows,
so that the number of pairs stays in proportion to the number of records whatever the table looks like. Whether
two records are compared depends on no record after them: what comes later changes nothing.
"""

from bisect import bisect_right
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

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
    found = {}
    for key in _KEYS:
        parts = [_PARTS.get(part, (part, part)) for part in key.split()]
        if present.issuperset(field for field, _ in parts):
            found[key] = [sql for _, sql in parts]
    if set(NAMES) <= set(columns):
        both = "case when first_name <> last_name then {which}(first_name, last_name) end"
        found["both_names"] = [both.format(which=which) for which in ("least", "greatest")]
    return found


def keys(columns: Collection[str]) -> dict[str, str]:
    """Return the keys that the columns allow: what must agree, and the SQL of (person, key) over `persons`.

    Examples
    --------
    >>> keys(["phone_end"])
    {'phone_end': 'select person, hash(phone_end) as key from persons where phone_end is not null'}
    """
    names = ", ".join(name for name in NAMES if name in columns)
    either = f"(select *, unnest([{names}]) as name from persons)"
    found = {}
    for key, parts in key_parts(columns).items():
        rows = either if "{name}" in " ".join(parts) else "persons"
        sql = [part.format(name="name") for part in parts]
        known = " and ".join(f"{part} is not null" for part in sql)
        found[key] = f"select person, hash({', '.join(sql)}) as key from {rows} where {known}"
    return found


def block(connection: "DuckDBPyConnection", columns: Collection[str], limits: Mapping[str, int]) -> None:
    """Make the table `candidates` (join_key_l < join_key_r, match_key) from the table `persons`.

    `limits` says of each key how many records of a group are compared with each other, the first ones; keys that
    are not there are left out.
    """
    connection.execute(
        "create or replace temp table found (match_key utinyint, join_key_l bigint, join_key_r bigint)"
    )
    for number, (key, rows) in enumerate(keys(columns).items()):
        if key in limits:
            connection.execute(f"""
                insert into found
                with keyed as (
                    from ({rows}) qualify row_number() over (partition by key order by person) <= {limits[key]}
                        and count(*) over (partition by key) > 1
                )
                select distinct {number}, l.person, r.person
                from keyed l join keyed r on l.key = r.key and l.person < r.person""")
    _collect_candidates(connection)


def _collect_candidates(connection: "DuckDBPyConnection") -> None:
    connection.execute(
        "create or replace temp table candidates as"
        " select min(match_key)::varchar as match_key, join_key_l, join_key_r from found"
        " group by join_key_l, join_key_r"
    )
    connection.execute("drop table found")


def every_pair(connection: "DuckDBPyConnection", records: str = "persons") -> None:
    """Make the table `candidates` of all pairs whose later record `is_new`, for tables that need no key."""
    connection.execute(
        "create or replace temp table candidates as"
        " select '0' as match_key, l.person as join_key_l, r.person as join_key_r"
        f" from {records} l join {records} r on l.person < r.person and r.is_new"
    )


def limits(connection: "DuckDBPyConnection", columns: Collection[str], most: int) -> dict[str, int]:
    """Return for each key how many records of a group may be compared, so that all pairs together are at most `most`.

    Keys with few pairs take what they need; the rest is shared equally among the others.
    """
    found = keys(columns)
    return _share_budget({key: _group_sizes(connection, sql) for key, sql in found.items()}, most)


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
