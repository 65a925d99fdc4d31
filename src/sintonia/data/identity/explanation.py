"""Why a customer is one customer: its identifiers, what tied them, since when, and what was kept apart from it.

It is read from what a store keeps of identities: crosswalk, merges, ties and compared pairs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from sintonia.core.errors import InputError
from sintonia.core.relation import Relation
from sintonia.data.identity.evidence import (
    JudgedPair,
    judged_pairs,
    masked_key,
    state_folder,
    stored_fields,
    stored_records,
)
from sintonia.data.identity.previous_build import standing
from sintonia.data.identity.relations import (
    BEFORE_LOG,
    BEFORE_PAIRS,
    BEFORE_RECORDS,
    BEFORE_TIES,
    CROSSWALK,
    MERGES,
    OWN_IDENTIFIERS,
    PREVIOUS,
)
from sintonia.data.sources.identifiers import earlier_spelling, identifier


@dataclass(frozen=True)
class Identifier:
    """One identifier of the customer, masked where personal: first seen when, the customer's since when, and why.

    `rule` and `match_probability` are those of the weakest tie that it hangs on.
    """

    shown: str
    first_seen_at: datetime
    linked_at: datetime
    rule: str
    match_probability: float


@dataclass(frozen=True)
class Tie:
    """Two identifiers (masked where personal) tied, or kept apart, by a rule from a moment on.

    `pair` says what their records have in common, where they were compared.
    """

    left: str
    right: str
    known_at: datetime
    rule: str
    match_probability: float
    pair: JudgedPair | None = None


@dataclass(frozen=True)
class IdentityChange:
    """What became of a customer id: part of this customer (merge), or some identifiers gone (split) and where."""

    customer_id: str
    change: str
    other_customer_id: str
    changed_at: datetime


@dataclass(frozen=True)
class Explanation:
    """Why a customer is one: identifiers by the time they joined, the ties between them as they became known.

    `refused` are ties that a shared identifier or a cannot-link forbade, `held` merges that wait for a person;
    `changes` are earlier customers that became part of it, and splits.
    """

    asked: str
    customer_id: str
    identifiers: Sequence[Identifier]
    ties: Sequence[Tie]
    refused: Sequence[Tie]
    held: Sequence[Tie]
    changes: Sequence[IdentityChange]


def lines(found: Explanation) -> list[str]:
    """Return the explanation in lines for people: who, since when, and every tie with what its records agree on."""
    since = min(one.first_seen_at for one in found.identifiers)
    say = [f"{found.customer_id}: {len(found.identifiers):,} identifiers, the first since {_minute(since)}"]
    say += [f"Asked for {masked_key(found.asked)}"] if found.asked != found.customer_id else []
    say.append("Identifiers, by the time they became the customer's, and the weakest tie they hang on:")
    for one in found.identifiers:
        seen = "" if one.first_seen_at == one.linked_at else f" (seen since {_minute(one.first_seen_at)})"
        say.append(f"  {_minute(one.linked_at)}  {one.shown}, {_rule(one.rule, one.match_probability)}{seen}")
    told = {
        "Ties, as they became known": found.ties,
        "Ties refused": found.refused,
        "Merges held": found.held,
    }
    for title, ties in told.items():
        say += [f"{title}:", *(line for tie in ties for line in _tie_lines(tie))] if ties else []
    say += ["Earlier customers:"] if found.changes else []
    return say + [f"  {_minute(one.changed_at)}  {_change(one)}" for one in found.changes]


def _tie_lines(tie: Tie) -> list[str]:
    """Return a tie and below it what its records agree on, bit by bit, the rest being what no field says."""
    lines = [
        f"  {_minute(tie.known_at)}  {tie.left} and {tie.right}, {_rule(tie.rule, tie.match_probability)}"
    ]
    if tie.pair is not None:
        lines += [f"    {one.weight:+6.1f} bits  {one}" for one in tie.pair.agreements]
        rest = tie.pair.match_weight - sum(one.weight for one in tie.pair.agreements)
        lines.append(f"    {rest:+6.1f} bits  how rare matches are, and what people of one home share")
        lines.append(f"    {tie.pair.match_weight:+6.1f} bits  in all")
    return lines


def _rule(rule: str, probability: float) -> str:
    return f"{rule}, probability {probability:.3f}" if probability < 1 else rule


def _change(one: IdentityChange) -> str:
    if one.change == "merge":
        return f"{one.customer_id} became part of {one.other_customer_id}"
    return f"some identifiers of {one.customer_id} went to {one.other_customer_id}"


def _minute(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"


def explain(store: Path, asked: str) -> Explanation:
    """Return why a customer of the store in this folder is one customer.

    `asked` is a customer's id, also one that became part of another, or an identifier, `type:value`.

    Raises
    ------
    InputError
        When nobody in the store is known by it; the message does not repeat it.
    NotBuiltError
        When the store keeps no ties.
    """
    state = state_folder(store)
    with duckdb.connect() as connection:
        for relation, path in _tables(store, state):
            relation.create_view(connection, f"FROM {standing(path)}")
        customer = find_customer(connection, asked.strip())
        if customer is None:
            raise _nobody(connection)
        OWN_IDENTIFIERS.create_table(connection, _OWN, [customer])
        identifiers = connection.execute(_IDENTIFIERS).fetchall()
        changes = connection.execute(_CHANGES, [customer] * 3).fetchall()
        rows = connection.execute(_CUSTOMER_TIES).fetchall()
        compared = _compared(connection, state)
    ties = [
        (holds, _tie(tuple(rest), compared.get(frozenset(rest[:2])) if rest[3] == "match" else None))
        for holds, *rest in rows
    ]
    return Explanation(
        asked=asked,
        customer_id=customer,
        identifiers=[Identifier(masked_key(key), *rest) for key, *rest in identifiers],
        ties=[tie for holds, tie in ties if holds],
        refused=[tie for holds, tie in ties if not holds],
        held=[found.tie for found in compared.values() if found.held],
        changes=[IdentityChange(*change) for change in changes],
    )


_OWN = f"""
    SELECT source || ':' || source_key AS key, * EXCLUDE (source, source_key)
    FROM {CROSSWALK} WHERE customer_id = ? AND unlinked_at IS NULL"""

_IDENTIFIERS = f"""
    SELECT own.key, MIN({CROSSWALK}.linked_at) AS first_seen_at, own.linked_at, own.rule, own.match_probability
    FROM {OWN_IDENTIFIERS} AS own JOIN {CROSSWALK} ON own.key = source || ':' || source_key
    GROUP BY ALL ORDER BY own.linked_at, 2, 1"""

_CHANGES = f"""
    SELECT customer_id, 'merge' AS change, merged_into, merged_at AS moment FROM {MERGES} WHERE merged_into = ?
    UNION ALL SELECT customer_id, change, other_customer_id, changed_at FROM {BEFORE_LOG}
    WHERE change = 'split' AND (customer_id = ? OR other_customer_id = ?) ORDER BY moment, customer_id"""

_CUSTOMER_TIES = f"""
    SELECT holds, "left", "right", arrived_at, rule, match_probability FROM {BEFORE_TIES}
    WHERE "left" IN (SELECT key FROM {OWN_IDENTIFIERS}) OR "right" IN (SELECT key FROM {OWN_IDENTIFIERS})
    ORDER BY arrived_at, "left", "right", rule"""

_CUSTOMER_PAIRS = f"""
    WITH own_records AS (SELECT record_id FROM {BEFORE_RECORDS} WHERE key IN (SELECT key FROM {OWN_IDENTIFIERS}))
    SELECT {BEFORE_PAIRS}.* FROM {BEFORE_PAIRS} WHERE "left" IN (FROM own_records) OR "right" IN (FROM own_records)
    ORDER BY match_weight, "left", "right" """


@dataclass(frozen=True)
class _Compared:
    """A compared pair as a tie, since when both records are there, and whether its merge is held."""

    tie: Tie
    held: bool


def _tables(store: Path, state: Path) -> list[tuple[Relation, Path]]:
    """Return the files to read, those of matching only where records were matched."""
    stored = [(relation, store / f"{relation}.parquet") for relation in (CROSSWALK, MERGES)]
    decided = [(PREVIOUS[name], state / f"{name}.parquet") for name in ("ties", "log", "records", "pairs")]
    return [(relation, path) for relation, path in stored + decided if path.is_file()]


def find_customer(connection: duckdb.DuckDBPyConnection, asked: str) -> str | None:
    """Return today's customer of what is asked for, from CROSSWALK and MERGES; None for nobody.

    `asked` is a customer's id, also one that became part of another, or an identifier, `type:value`, in any spelling of
    a build's, or in the store's, which an older version may have written.
    """
    kind, _, value = asked.partition(":")
    customers = connection.execute(
        f"""SELECT customer_id, 0 AS place FROM {CROSSWALK} WHERE customer_id = $asked AND unlinked_at IS NULL
           UNION ALL SELECT merged_into, 1 FROM {MERGES} WHERE customer_id = $asked
           UNION ALL SELECT customer_id, 2 FROM {CROSSWALK}
           WHERE source = $kind AND source_key IN ($spelling, $stored) AND unlinked_at IS NULL
           ORDER BY place LIMIT 1""",
        {
            "asked": asked,
            "kind": kind,
            "spelling": identifier(kind, value),
            "stored": earlier_spelling(kind, value),
        },
    ).fetchall()
    return str(customers[0][0]) if customers else None


def _nobody(connection: duckdb.DuckDBPyConnection) -> InputError:
    kinds = connection.execute(f"SELECT DISTINCT source FROM {CROSSWALK} ORDER BY 1").fetchall()
    return InputError(
        "Nobody in the store is known by what customer= says; give the id of a customer, also a former one, or an "
        f"identifier with its type, customer=TYPE:VALUE, of the types {', '.join(name for (name,) in kinds)}."
    )


def _tie(row: tuple[str, str, datetime, str, float], found: "_Compared | None") -> Tie:
    left, right, known_at, rule, probability = row
    return Tie(
        masked_key(left), masked_key(right), known_at, rule, probability, found.tie.pair if found else None
    )


def _compared(connection: duckdb.DuckDBPyConnection, state: Path) -> dict[frozenset[str], _Compared]:
    """Return the pairs that touch the customer by their two identifiers, of several records the best pair."""
    fields = stored_fields(state)
    if not fields:
        return {}
    pairs = connection.sql(_CUSTOMER_PAIRS).to_arrow_table()
    records = stored_records(state, pairs)
    about = {row["record_id"]: (row["key"], row["arrived_at"]) for row in _about(records)}
    compared_pairs = {}
    sides = zip(*(pairs[name].to_pylist() for name in ("left", "right", "held")), strict=True)
    for (left, right, held), pair in zip(sides, judged_pairs(records, pairs, fields), strict=True):
        (left_key, left_since), (right_key, right_since) = about[left], about[right]
        known_at = datetime.fromtimestamp(max(left_since, right_since) / 1e6, UTC).replace(tzinfo=None)
        tie = Tie(pair.left, pair.right, known_at, "match", pair.match_probability, pair)
        compared_pairs[frozenset((left_key, right_key))] = _Compared(tie, held)
    return compared_pairs


def _about(records: pa.Table) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = records.select(["record_id", "key", "arrived_at"]).to_pylist()
    return rows
