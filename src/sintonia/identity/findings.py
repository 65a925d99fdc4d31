"""What a person should look at: merges held, pairs near the border, identifiers that several people use.

The tables name records by their identifiers and carry their values masked: first letters and lengths, which
show a slip of the pen and nobody's address.
"""

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sintonia.identity.comparisons import Comparison
from sintonia.identity.linkage import Ints
from sintonia.identity.resolve import Resolved

FINDINGS = ("held", "borderline", "shared")
"""Files under `identity/` of the workspace."""

PERSONAL = ("email", "phone", "handle")
"""Types of identifiers that are personal in themselves, and never shown in full."""

BORDERLINE = 200
"""How many of the pairs nearest to the border are written."""


def masked(value: str | None) -> str:
    """Return the value with all but the first letter of each word starred.

    Examples
    --------
    >>> masked("maria rossi"), masked("1984-05-31"), masked("m.rossi@posta.it"), masked(None)
    ('m**** r****', '1***-0*-3*', 'm.r****@p****.i*', '-')
    """
    return re.sub(r"(?<=\w)\w", "*", value) if value else "-"


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
    shutil.rmtree(workspace / "identity", ignore_errors=True)


def write_findings(
    connection: duckdb.DuckDBPyConnection, workspace: Path, found: Resolved | None
) -> list[Path]:
    """Return the files written under `identity/`, those without a row left out.

    `held` and `borderline` have one row per pair of records: `left`, `right` (type:value), `match_probability`,
    `arrived_at`, `evidence` (each field's degree of agreement, values masked). `shared` has one row per
    identifier: `source`, `source_key`, `refused` (ties), `known_at`, `shown` (masked).
    """
    tables = {"shared": _shared(connection)}
    if found is not None:
        pairs = found.matches.pairs
        tables["held"] = _described(found, np.flatnonzero(found.decided.held))
        nearest = np.argsort(np.abs(pairs["match_weight"].to_numpy()), kind="stable")
        tables["borderline"] = _described(found, nearest[:BORDERLINE])
    folder = workspace / "identity"
    written = [folder / f"{name}.parquet" for name, table in tables.items() if table.num_rows]
    for path in written:
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(tables[path.stem], path)
    return written


def _shared(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    found = connection.sql("""
        SELECT SPLIT_PART(key, ':', 1) AS source, SUBSTR(key, STRPOS(key, ':') + 1) AS source_key,
               COUNT(*) AS refused, MIN(arrived_at) AS known_at
        FROM refused JOIN nodes ON node = identifier WHERE shareable GROUP BY key ORDER BY refused DESC, key
    """).to_arrow_table()
    return found.append_column("shown", pa.array(map(masked, found["source_key"].to_pylist()), pa.string()))


def _described(found: Resolved, places: Ints) -> pa.Table:
    pairs = found.matches.pairs.take(pa.array(places))
    sides = [pairs[side].cast(pa.int64()) for side in ("left", "right")]
    arrived = [found.persons["arrived_at"].take(side.combine_chunks()).to_numpy() for side in sides]
    return pa.table(
        {
            "left": found.persons["key"].take(sides[0].combine_chunks()),
            "right": found.persons["key"].take(sides[1].combine_chunks()),
            "match_probability": pairs["match_probability"],
            "arrived_at": pa.array(np.maximum(*arrived), pa.timestamp("us")),
            "evidence": pa.array(evidence(found.standard, pairs, found.matches.compared), pa.string()),
        }
    )


@dataclass(frozen=True)
class Agreement:
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
    standard: pa.Table, pairs: pa.Table, compared: Sequence[Comparison]
) -> list[tuple[Agreement, ...]]:
    """Return for each pair of record ids what speaks for and against it; fields that one record lacks say nothing."""
    ids = standard["record_id"].combine_chunks()
    sides = [standard.take(pc.index_in(pairs[side].combine_chunks(), ids)) for side in ("left", "right")]
    told: list[list[Agreement]] = [[] for _ in range(pairs.num_rows)]
    for one in compared:
        levels = (pairs[f"{kind}_{one.field}"].to_pylist() for kind in ("level", "weight"))
        values = (side[one.field].to_pylist() for side in sides)
        for found, level, weight, left, right in zip(told, *levels, *values, strict=True):
            if level is not None:
                shown = masked(left), masked(right)
                found.append(Agreement(one.field, one.labels[level], level, weight, *shown))
    return [tuple(found) for found in told]


def evidence(standard: pa.Table, pairs: pa.Table, compared: Sequence[Comparison]) -> list[str]:
    """Return for each pair of record ids what speaks for and against it in words, with masked values."""
    return ["; ".join(map(str, found)) for found in agreements(standard, pairs, compared)]
