"""Identifiers that the data show to be nobody's: one value that stands with many birth dates or names.

Which they are is learned from all rows of a build, as the matcher's weights are, and frozen with them: a build with
`identity.weights` sets those aside that the build of the weights did.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa

from sintonia.core.config import IdentityConfig, SiloConfig
from sintonia.data.identity.evidence import masked_key
from sintonia.data.identity.previous_build import PreviousBuild, keep
from sintonia.data.identity.standardise import standardise
from sintonia.data.sources.reader import literal
from sintonia.data.sources.silos import SiloReport, counted_again

PERSONAL = ("first_name", "last_name", "birth_date")
REASON = "identifier of many people"
CROWDED = "crowded"
SHOWN = 3
"""How many of these identifiers a silo's warning names."""


def refuse_crowded(
    connection: duckdb.DuckDBPyConnection,
    reports: Sequence[SiloReport],
    silos: Mapping[str, SiloConfig],
    config: IdentityConfig,
) -> list[SiloReport]:
    """Return the silos' reports with rows rejected that have no identifier but one of many people.

    An identifier of many people is not `shareable` and stands with more than `most_persons` birth dates, or with more
    than as many first and as many last names (a person's own are misspelt, rarely both). It goes from the rows of
    all silos, under every way of matching: what is left ties them. With `identity.weights` those go that went in the
    build of the weights; others are left, with a warning. CROWDED has the hash of each for `keep_crowded`.
    """
    crowded = _crowded(connection, silos, config)
    if config.weights is not None:
        frozen = _known_before(connection, silos, Path(config.weights))
        reports = [
            _warned(connection, report, sorted({*crowded} - {*frozen}), config.most_persons, _LEFT)
            for report in reports
        ]
        crowded = frozen
    hashes = pa.table({"hash": pa.array([_hash(key) for key in crowded], pa.string())})
    connection.register("handed", hashes)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {CROWDED} AS FROM handed")
    connection.unregister("handed")
    if not crowded:
        return list(reports)
    return [
        _without(connection, report, silos[report.name], crowded, config.most_persons) for report in reports
    ]


def keep_crowded(connection: duckdb.DuckDBPyConnection) -> None:
    """Put the hashes of the identifiers that were set aside where the next store takes them from."""
    keep(connection, {CROWDED: connection.sql(f"FROM {CROWDED}").to_arrow_table()})


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _known_before(
    connection: duckdb.DuckDBPyConnection, silos: Mapping[str, SiloConfig], folder: Path
) -> list[str]:
    """Return the keys among the rows that the build of this folder set aside."""
    frozen = PreviousBuild(folder).read(CROWDED)
    if frozen is None or not frozen.num_rows:
        return []
    connection.register("frozen", frozen)
    keys = " UNION ".join(f"SELECT UNNEST(_keys) AS key FROM mapped_{name}" for name in silos)
    found = connection.execute(f"SELECT key FROM ({keys}) WHERE SHA256(key) IN (SELECT hash FROM frozen)")
    rows = found.fetchall()
    connection.unregister("frozen")
    return sorted(key for (key,) in rows)


def _crowded(
    connection: duckdb.DuckDBPyConnection, silos: Mapping[str, SiloConfig], config: IdentityConfig
) -> list[str]:
    """Return the keys of identifiers of many people."""
    parts = []
    for name, silo in silos.items():
        own = [kind for kind in silo.identifiers if kind not in config.shareable]
        told = [field for field in PERSONAL if field in silo.contacts]
        if own and told:
            keys = ", ".join(f"'{kind}:' || \"id__{kind}\"" for kind in own)
            fields = ", ".join(
                f'LOWER("c__{field}") AS {field}' if field in told else f"CAST(NULL AS VARCHAR) AS {field}"
                for field in PERSONAL
            )
            given = " OR ".join(f'"c__{field}" IS NOT NULL' for field in told)
            parts.append(
                f"""SELECT DISTINCT UNNEST([{keys}]) AS key, {fields} FROM mapped_{name}
                    WHERE _read AND reason IS NULL AND ({given})"""
            )
    if not parts:
        return []
    many = " OR ".join(f"COUNT(DISTINCT {field}) > {config.most_persons}" for field in PERSONAL)
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE named_keys AS
        WITH named AS ({" UNION ".join(parts)})
        FROM named SEMI JOIN (SELECT key FROM named WHERE key IS NOT NULL GROUP BY key HAVING {many}) USING (key)
        ORDER BY ALL""")
    rows = connection.sql("FROM named_keys").to_arrow_table()
    connection.execute("DROP TABLE named_keys")
    if not rows.num_rows:
        return []
    # In one spelling: 3 May 1990 and 1990-05-03 are one birth date.
    standard = standardise(rows.select(list(PERSONAL)), region=config.region).append_column(
        "key", rows["key"]
    )
    counts = standard.group_by("key").aggregate([(field, "count_distinct") for field in PERSONAL]).to_pylist()
    most = config.most_persons
    return sorted(row["key"] for row in counts if _persons(row) > most)


def _persons(row: Mapping[str, int]) -> int:
    """Return how many people an identifier stands with at least."""
    first, last, born = (row[f"{field}_count_distinct"] for field in PERSONAL)
    return max(born, min(first, last) if first and last else max(first, last))


_NOBODY = "identify nobody; more are allowed by identity.most_persons."
_LEFT = (
    "tie people, for identity.weights was learned without them; leave identity.weights out to set them aside."
)


def _rows_by_key(
    connection: duckdb.DuckDBPyConnection, name: str, crowded: Sequence[str]
) -> list[tuple[str, int]]:
    """Return how many rows of a silo have each of these identifiers, the most first."""
    listed = ", ".join(map(literal, crowded)) or "NULL"
    return connection.execute(f"""
        SELECT key, COUNT(*) FROM (SELECT UNNEST(_keys) AS key FROM mapped_{name} WHERE _read AND reason IS NULL)
        WHERE key IN ({listed}) GROUP BY key ORDER BY 2 DESC, 1""").fetchall()


def _warned(
    connection: duckdb.DuckDBPyConnection,
    report: SiloReport,
    crowded: Sequence[str],
    most: int,
    outcome: str = _NOBODY,
) -> SiloReport:
    """Return the report with a warning that names the first of these identifiers, and what becomes of them."""
    rows = _rows_by_key(connection, report.name, crowded)
    if not rows:
        return report
    named = ", ".join(f"{masked_key(key)} ({count:,} rows)" for key, count in rows[:SHOWN])
    more = f" and {len(rows) - SHOWN:,} more" if len(rows) > SHOWN else ""
    warning = f"Silo '{report.name}': {named}{more}: identifiers with more than {most} birth dates or names {outcome}"
    return replace(report, warnings=(*report.warnings, warning))


def _without(
    connection: duckdb.DuckDBPyConnection,
    report: SiloReport,
    silo: SiloConfig,
    crowded: Sequence[str],
    most: int,
) -> SiloReport:
    """Take these identifiers from a silo's rows, and return the report that says so."""
    warned = _warned(connection, report, crowded, most)
    if warned is report:
        return report
    table, listed = f"mapped_{report.name}", ", ".join(map(literal, crowded))
    connection.execute(f"UPDATE {table} SET _keys = LIST_FILTER(_keys, LAMBDA key: key NOT IN ({listed}))")
    connection.execute(f"UPDATE {table} SET reason = '{REASON}' WHERE reason IS NULL AND LEN(_keys) = 0")
    return counted_again(connection, warned, silo)
