"""Identifiers that the data show to be nobody's: one value that stands with many birth dates or names."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import duckdb

from sintonia.core.config import IdentityConfig, SiloConfig
from sintonia.data.identity.evidence import masked_key
from sintonia.data.identity.standardise import standardise
from sintonia.data.sources.reader import literal
from sintonia.data.sources.silos import SiloReport, counted_again

PERSONAL = ("first_name", "last_name", "birth_date")
REASON = "identifier of many people"
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
    all silos, under every way of matching: what is left ties them.
    """
    crowded = _crowded(connection, silos, config)
    if not crowded:
        return list(reports)
    return [
        _without(connection, report, silos[report.name], crowded, config.most_persons) for report in reports
    ]


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


def _without(
    connection: duckdb.DuckDBPyConnection,
    report: SiloReport,
    silo: SiloConfig,
    crowded: Sequence[str],
    most: int,
) -> SiloReport:
    """Take these identifiers from a silo's rows, and return the report that says so."""
    table, listed = f"mapped_{report.name}", ", ".join(map(literal, crowded))
    rows = connection.execute(f"""
        SELECT key, COUNT(*) FROM (SELECT UNNEST(_keys) AS key FROM {table} WHERE _read AND reason IS NULL)
        WHERE key IN ({listed}) GROUP BY key ORDER BY 2 DESC, 1""").fetchall()
    if not rows:
        return report
    connection.execute(f"UPDATE {table} SET _keys = LIST_FILTER(_keys, LAMBDA key: key NOT IN ({listed}))")
    connection.execute(f"UPDATE {table} SET reason = '{REASON}' WHERE reason IS NULL AND LEN(_keys) = 0")
    named = ", ".join(f"{masked_key(key)} ({count:,} rows)" for key, count in rows[:SHOWN])
    more = f" and {len(rows) - SHOWN:,} more" if len(rows) > SHOWN else ""
    warning = (
        f"Silo '{report.name}': {named}{more}: identifiers with more than {most} birth dates or names identify nobody; "
        "more are allowed by identity.most_persons."
    )
    counted = counted_again(connection, report, silo)
    return replace(counted, warnings=(*counted.warnings, warning))
