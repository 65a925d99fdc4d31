"""What a store keeps of a customer's identity, read into an explanation: crosswalk, merges, ties, compared pairs."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from sintonia.core.errors import InputError
from sintonia.data.identity.explanation import Explanation, Identifier, IdentityChange, Tie
from sintonia.data.identity.files import standing
from sintonia.data.identity.findings import masked_key
from sintonia.data.identity.judged import judged_pairs, state_folder, stored_fields, stored_records


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
        for name, path in _tables(store, state).items():
            connection.execute(f"CREATE VIEW {name} AS FROM {standing(path)}")
        customer = find_customer(connection, asked.strip())
        if customer is None:
            raise _nobody(connection)
        connection.execute(_OWN, [customer])
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


_OWN = """CREATE TEMP TABLE own AS SELECT source || ':' || source_key AS key, * EXCLUDE (source, source_key)
          FROM crosswalk WHERE customer_id = ? AND unlinked_at IS NULL"""

_IDENTIFIERS = """
    SELECT own.key, MIN(crosswalk.linked_at) AS first_seen_at, own.linked_at, own.rule, own.match_probability
    FROM own JOIN crosswalk ON own.key = source || ':' || source_key GROUP BY ALL ORDER BY own.linked_at, 2, 1"""

_CHANGES = """
    SELECT customer_id, 'merge' AS change, merged_into, merged_at AS moment FROM merges WHERE merged_into = ?
    UNION ALL SELECT customer_id, change, other_customer_id, changed_at FROM log
    WHERE change = 'split' AND (customer_id = ? OR other_customer_id = ?) ORDER BY moment, customer_id"""

_CUSTOMER_TIES = """
    SELECT holds, "left", "right", arrived_at, rule, match_probability FROM ties
    WHERE "left" IN (SELECT key FROM own) OR "right" IN (SELECT key FROM own)
    ORDER BY arrived_at, "left", "right", rule"""

_CUSTOMER_PAIRS = """
    WITH touched AS (SELECT record_id FROM records WHERE key IN (SELECT key FROM own))
    SELECT pairs.* FROM pairs WHERE "left" IN (FROM touched) OR "right" IN (FROM touched)
    ORDER BY match_weight, "left", "right" """


@dataclass(frozen=True)
class _Compared:
    """A compared pair as a tie, since when both records are there, and whether its merge is held."""

    tie: Tie
    held: bool


def _tables(store: Path, state: Path) -> dict[str, Path]:
    """Return the files to read, those of matching only where records were matched."""
    found = {name: store / f"{name}.parquet" for name in ("crosswalk", "merges")}
    found |= {name: state / f"{name}.parquet" for name in ("ties", "log", "records", "pairs")}
    return {name: path for name, path in found.items() if path.is_file()}


def find_customer(connection: duckdb.DuckDBPyConnection, asked: str) -> str | None:
    """Return today's customer of what is asked for, from the tables `crosswalk` and `merges`; None for nobody.

    `asked` is a customer's id, also one that became part of another, or an identifier, `type:value`; e-mail addresses
    are known in lower case.
    """
    kind, _, value = asked.partition(":")
    spelt = value.strip().lower() if kind == "email" else value.strip()
    found = connection.execute(
        """SELECT customer_id, 0 AS place FROM crosswalk WHERE customer_id = $asked AND unlinked_at IS NULL
           UNION ALL SELECT merged_into, 1 FROM merges WHERE customer_id = $asked
           UNION ALL SELECT customer_id, 2 FROM crosswalk
           WHERE source = $kind AND source_key = $value AND unlinked_at IS NULL ORDER BY place LIMIT 1""",
        {"asked": asked, "kind": kind, "value": spelt},
    ).fetchall()
    return str(found[0][0]) if found else None


def _nobody(connection: duckdb.DuckDBPyConnection) -> InputError:
    kinds = connection.execute("SELECT DISTINCT source FROM crosswalk ORDER BY 1").fetchall()
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
    found = {}
    told = zip(*(pairs[name].to_pylist() for name in ("left", "right", "held")), strict=True)
    for (left, right, held), pair in zip(told, judged_pairs(records, pairs, fields), strict=True):
        (one, since), (other, too) = about[left], about[right]
        known_at = datetime.fromtimestamp(max(since, too) / 1e6, UTC).replace(tzinfo=None)
        tie = Tie(pair.left, pair.right, known_at, "match", pair.match_probability, pair)
        found[frozenset((one, other))] = _Compared(tie, held)
    return found


def _about(records: pa.Table) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = records.select(["record_id", "key", "arrived_at"]).to_pylist()
    return rows
