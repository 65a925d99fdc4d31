"""Which pairs of records are worth comparing: those that share a key, every key within a budget of pairs.

A key that would explode loses its largest groups first (all the Rossi of Rome), never all of itself, so that
the number of pairs stays in proportion to the number of records whatever the table looks like.
"""

from collections.abc import Collection
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
    "name": ("name", "name"),
    "name_start": ("name", "left(name, 3)"),
    "name_end": ("name", "right(name, 3)"),
}
_NAMES = ("first_name", "last_name")


def keys(columns: Collection[str]) -> dict[str, str]:
    """Return the keys that the columns allow: what must agree, and the SQL of (person, key) over `persons`.

    Examples
    --------
    >>> keys(["phone_end"])
    {'phone_end': 'select person, hash(phone_end) as key from persons where phone_end is not null'}
    """
    names = [name for name in _NAMES if name in columns]
    present = {*columns, *(["name"] if names else [])}
    source = f"(select *, unnest([{', '.join(names)}]) as name from persons)"
    found = {}
    for key in _KEYS:
        parts = [_PARTS.get(part, (part, part)) for part in key.split()]
        if present.issuperset(field for field, _ in parts):
            sql = [part for _, part in parts]
            rows = source if "name" in {field for field, _ in parts} else "persons"
            known = " and ".join(f"{part} is not null" for part in sql)
            found[key] = f"select person, hash({', '.join(sql)}) as key from {rows} where {known}"
    if len(names) == len(_NAMES):
        both = "hash(least(first_name, last_name), greatest(first_name, last_name))"
        found["both_names"] = f"select person, {both} as key from persons where first_name <> last_name"
    return found


def block(connection: "DuckDBPyConnection", columns: Collection[str], most: int) -> None:
    """Make the table `candidates` (join_key_l < join_key_r, match_key) from the table `persons`.

    `most` bounds the pairs over all keys. Keys with few pairs take what they need; the rest is shared equally
    among the others.
    """
    found = keys(columns)
    connection.execute(
        "create or replace temp table found (match_key utinyint, join_key_l bigint, join_key_r bigint)"
    )
    sizes = {number: _group_sizes(connection, sql) for number, sql in enumerate(found.values())}
    for number, largest in _largest_groups(sizes, most).items():
        sql = list(found.values())[number]
        connection.execute(
            f"with keyed as (select person, key from ({sql})"
            f" qualify count(*) over (partition by key) between 2 and {largest})"
            f" insert into found select {number}, l.person, r.person"
            " from keyed l join keyed r on l.key = r.key and l.person < r.person"
        )
    connection.execute(
        "create or replace temp table candidates as"
        " select min(match_key)::varchar as match_key, join_key_l, join_key_r from found"
        " group by join_key_l, join_key_r"
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
    groups = f"select count(*) as size from ({key}) group by key having size > 1"
    return connection.execute(f"select size, count(*) from ({groups}) group by size order by size").fetchall()


def _largest_groups(sizes: dict[int, list[tuple[int, int]]], most: int) -> dict[int, int]:
    """Return each key's largest group allowed; keys without a pair are left out.

    Examples
    --------
    >>> _largest_groups({0: [(2, 5)], 1: [(2, 10), (100, 3)], 2: []}, most=40)
    {0: 2, 1: 2}
    """
    total = {
        key: sum(groups * size * (size - 1) // 2 for size, groups in counts) for key, counts in sizes.items()
    }
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
