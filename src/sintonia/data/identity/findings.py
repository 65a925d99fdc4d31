"""What a person should look at: merges held, pairs near the border, identifiers that several people use.

The tables name records by their identifiers and carry their values masked: first letters and lengths, which
show a slip of the pen and nobody's address.
"""

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sintonia.core.paths import WorkspacePaths
from sintonia.data.identity.comparisons import FieldComparison

FINDINGS = ("held", "borderline", "shared")
"""Files under `identity/` of the workspace."""

PERSONAL = ("email", "phone", "handle")
"""Types of identifiers that are personal in themselves, and never shown in full."""

BORDERLINE = 200
"""How many of the pairs nearest to the border are written."""


_REST = re.compile(r"(?<=\w)\w")


@lru_cache(maxsize=2**16)  # names and places come again and again
def masked(value: str | None) -> str:
    """Return the value with all but the first letter of each word starred.

    Examples
    --------
    >>> masked("maria rossi"), masked("1984-05-31"), masked("m.rossi@posta.it"), masked(None)
    ('m**** r****', '1***-0*-3*', 'm.r****@p****.i*', '-')
    """
    return _REST.sub("*", value) if value else "-"


def masked_key(key: str) -> str:
    """Return an identifier, `type:value` or a value alone, masked where it is personal in itself.

    Examples
    --------
    >>> masked_key("crm:C17"), masked_key("phone:+39061234567"), masked_key("m.rossi@posta.it")
    ('crm:C17', 'phone:+3**********', 'm.r****@p****.i*')
    """
    kind, colon, value = key.partition(":") if ":" in key else ("", "", key)
    personal = kind in PERSONAL or "@" in value or value.startswith("+")
    return f"{kind}{colon}{masked(value)}" if personal else key


def clear_findings(workspace: Path) -> None:
    """Remove what an earlier build found."""
    shutil.rmtree(WorkspacePaths(workspace).identity, ignore_errors=True)


def write_findings(
    connection: duckdb.DuckDBPyConnection,
    workspace: Path,
    compared: Sequence[FieldComparison],
    shareable: Sequence[str],
) -> list[Path]:
    """Return the files written under `identity/`, those without a row left out.

    `held` and `borderline` have one row per pair of records: `left`, `right` (type:value), `match_probability`,
    `arrived_at`, `evidence` (each field's degree of agreement, values masked). `shared` has one row per
    identifier: `source`, `source_key`, `refused` (ties), `known_at`, `shown` (masked).
    """
    tables = {"shared": _shared_identifiers(connection, shareable)}
    if compared:
        nearest = f'ORDER BY ABS(match_weight), "left", "right" LIMIT {BORDERLINE}'
        chosen = {"held": "WHERE held", "borderline": nearest}
        pairs = {name: _chosen_pairs(connection, which) for name, which in chosen.items()}
        records = _records_of(connection, list(pairs.values()))
        tables |= {name: _described(records, table, compared) for name, table in pairs.items()}
    paths = WorkspacePaths(workspace)
    written = [paths.identity_finding(name) for name, table in tables.items() if table.num_rows]
    for path in written:
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(tables[path.stem], path)
    return written


def _shared_identifiers(connection: duckdb.DuckDBPyConnection, shareable: Sequence[str]) -> pa.Table:
    listed = ", ".join(f"'{kind}'" for kind in shareable) or "NULL"
    found = connection.sql(f"""
        WITH apart AS (
            SELECT CASE WHEN SPLIT_PART("left", ':', 1) IN ({listed}) THEN "left"
                        WHEN SPLIT_PART("right", ':', 1) IN ({listed}) THEN "right" END AS key, arrived_at
            FROM now_ties WHERE NOT holds AND rule = 'same record')
        SELECT SPLIT_PART(key, ':', 1) AS source, SUBSTR(key, STRPOS(key, ':') + 1) AS source_key,
               COUNT(*) AS refused, MIN(arrived_at) AS known_at
        FROM apart WHERE key IS NOT NULL GROUP BY key ORDER BY refused DESC, key
    """).to_arrow_table()
    return found.append_column("shown", pa.array(map(masked, found["source_key"].to_pylist()), pa.string()))


def _chosen_pairs(connection: duckdb.DuckDBPyConnection, which: str) -> pa.Table:
    """Return pairs with all their columns, which few of the millions that are chosen among are read with."""
    connection.execute(
        f'CREATE OR REPLACE TEMP TABLE chosen_pairs AS SELECT "left", "right" FROM now_pairs {which}'
    )
    return connection.sql(
        'FROM now_pairs SEMI JOIN chosen_pairs USING ("left", "right") ORDER BY ABS(match_weight), "left", "right"'
    ).to_arrow_table()


def _records_of(connection: duckdb.DuckDBPyConnection, pairs: Sequence[pa.Table]) -> pa.Table:
    """Return the records that the pairs are made of, by their number."""
    ids = [table[side].to_numpy() for table in pairs for side in ("left", "right")]
    connection.register("chosen_records", pa.table({"record_id": np.unique(np.concatenate(ids))}))
    records = connection.sql(
        "FROM now_records SEMI JOIN chosen_records USING (record_id) ORDER BY record_id"
    ).to_arrow_table()
    connection.unregister("chosen_records")
    return records


def _described(records: pa.Table, pairs: pa.Table, compared: Sequence[FieldComparison]) -> pa.Table:
    ids = records["record_id"].to_numpy()
    sides = [pa.array(np.searchsorted(ids, pairs[side].to_numpy())) for side in ("left", "right")]
    arrived = [records["arrived_at"].take(side).to_numpy() for side in sides]
    return pa.table(
        {
            "left": records["key"].take(sides[0]),
            "right": records["key"].take(sides[1]),
            "match_probability": pairs["match_probability"],
            "arrived_at": pa.array(np.maximum(*arrived), pa.timestamp("us")),
            "evidence": pa.array(evidence(records, pairs, compared), pa.string()),
        }
    )


@dataclass(frozen=True)
class FieldAgreement:
    """How far two records agree on one field: the degree in words and as its place (0 same), what it weighs (bits),
    and both values masked.
    """

    field: str
    degree: str
    level: int
    weight: float
    left: str
    right: str

    def __str__(self) -> str:
        """Return it in words."""
        return f"{self.field} {self.degree} ({self.left} / {self.right})"


def agreements(
    standard: pa.Table, pairs: pa.Table, compared: Sequence[FieldComparison]
) -> list[tuple[FieldAgreement, ...]]:
    """Return for each pair of record ids what speaks for and against it; fields that one record lacks say nothing."""
    ids = standard["record_id"].combine_chunks()
    sides = [standard.take(pc.index_in(pairs[side].combine_chunks(), ids)) for side in ("left", "right")]
    told: list[list[FieldAgreement]] = [[] for _ in range(pairs.num_rows)]
    for one in (one for one in compared if one.field in standard.column_names):
        levels = (pairs[f"{kind}_{one.field}"].to_pylist() for kind in ("level", "weight"))
        values, labels = (side[one.field].to_pylist() for side in sides), one.labels
        for found, level, weight, left, right in zip(told, *levels, *values, strict=True):
            if level is not None:
                shown = masked(left), masked(right)
                found.append(FieldAgreement(one.field, labels[level], level, weight, *shown))
    return [tuple(found) for found in told]


def evidence(standard: pa.Table, pairs: pa.Table, compared: Sequence[FieldComparison]) -> list[str]:
    """Return for each pair of record ids what speaks for and against it in words, with masked values."""
    return ["; ".join(map(str, found)) for found in agreements(standard, pairs, compared)]
