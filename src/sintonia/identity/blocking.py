"""Which pairs of records are worth comparing: those that share a key, every key within a budget of pairs.

A key that would explode loses its largest groups first (all the Rossi of Rome), never all of itself, so that the
number of pairs stays in proportion to the number of records whatever the table looks like.
"""

from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_PARTS = {  # part of a key: its SQL and the fields it needs
    "names": ("least(first_name, last_name) || ' ' || greatest(first_name, last_name)", "first_name", "last_name"),
    "first_start": ("left(first_name, 3)", "first_name"),
    "last_start": ("left(last_name, 3)", "last_name"),
    "birth_year": ("left(birth_date, 4)", "birth_date"),
    "birth_year_month": ("left(birth_date, 7)", "birth_date"),
    "birth_month_day": ("substr(birth_date, 6)", "birth_date"),
    "birth_year_day": ("left(birth_date, 4) || substr(birth_date, 9)", "birth_date"),
}

_KEYS = (
    "national_id",
    "email",
    "email_name",
    "phone_end",
    "birth_date",
    "names",
    *(f"{name} {part}" for part in ("birth_date", "postcode", "city", "birth_place") for name in ("first_name", "last_name")),
    *(f"{name} {part}" for part in ("birth_year_month", "birth_month_day", "birth_year_day") for name in ("first_name", "last_name")),
    *(f"first_start last_start {part}" for part in ("birth_year", "postcode", "city", "birth_place")),
    *(f"{name} birth_date" for name in ("first_start", "last_start")),
    *(f"{place} birth_date" for place in ("postcode", "city", "birth_place")),
    *(f"postcode {part}" for part in ("birth_year_month", "birth_month_day", "birth_place", "street_number", "street")),
    *(f"street {part}" for part in ("street_number", "first_start", "last_start")),
)
"""Every key is read as fields or parts of fields that must all agree."""


def keys(columns: Collection[str]) -> dict[str, str]:
    """Return the keys that the columns allow: what must agree, and the SQL of the key over one record.

    Examples
    --------
    >>> keys(["first_name", "birth_date"])["first_start birth_date"]
    "(left(first_name, 3)) || '|' || (birth_date)"
    """
    present = frozenset(columns)
    found = {}
    for key in _KEYS:
        parts = [_PARTS.get(part, (part, part)) for part in key.split()]
        if present.issuperset(field for _, *fields in parts for field in fields):
            found[key] = " || '|' || ".join(f"({sql})" for sql, *_ in parts)
    return found


def block(connection: "DuckDBPyConnection", columns: Collection[str], most: int) -> None:
    """Make the table `candidates` (join_key_l < join_key_r, match_key) from the table `persons`.

    `most` bounds the pairs over all keys. Keys with few pairs take what they need; the rest is shared equally
    among the others.
    """
    found = keys(columns)
    connection.execute("create or replace temp table found (match_key utinyint, join_key_l bigint, join_key_r bigint)")
    sizes = {number: _group_sizes(connection, sql) for number, sql in enumerate(found.values())}
    for number, largest in _largest_groups(sizes, most).items():
        sql = list(found.values())[number]
        connection.execute(
            f"with keyed as (select person, hash({sql}) as key, count(*) over (partition by hash({sql})) as size"
            f" from persons where {sql} is not null qualify size between 2 and {largest})"
            f" insert into found select {number}, l.person, r.person"
            " from keyed l join keyed r on l.key = r.key and l.person < r.person"
        )
    connection.execute(
        "create or replace temp table candidates as select min(match_key)::varchar as match_key, join_key_l, join_key_r"
        " from found group by join_key_l, join_key_r"
    )
    connection.execute("drop table found")


def every_pair(connection: "DuckDBPyConnection") -> None:
    """Make the table `candidates` of all pairs of `persons`, for tables small enough to need no key."""
    connection.execute(
        "create or replace temp table candidates as"
        " select '0' as match_key, l.person as join_key_l, r.person as join_key_r"
        " from persons l join persons r on l.person < r.person"
    )


def _group_sizes(connection: "DuckDBPyConnection", key: str) -> list[tuple[int, int]]:
    groups = f"select count(*) as size from persons where {key} is not null group by hash({key}) having size > 1"
    return connection.execute(f"select size, count(*) from ({groups}) group by size order by size").fetchall()


def _largest_groups(sizes: dict[int, list[tuple[int, int]]], most: int) -> dict[int, int]:
    """Return each key's largest group allowed; keys without a pair are left out.

    Examples
    --------
    >>> _largest_groups({0: [(2, 5)], 1: [(2, 10), (100, 3)], 2: []}, most=40)
    {0: 2, 1: 2}
    """
    total = {key: sum(groups * size * (size - 1) // 2 for size, groups in counts) for key, counts in sizes.items()}
    allowed: dict[int, int] = {}
    left = most
    waiting = sorted((key for key in total if total[key]), key=lambda key: (total[key], key))
    for place, key in enumerate(waiting):
        share, used = left // (len(waiting) - place), 0
        for size, groups in sizes[key]:
            pairs = groups * size * (size - 1) // 2
            if used + pairs > share:
                break
            used, allowed[key] = used + pairs, size
        left -= used
    return dict(sorted(allowed.items()))
