"""Person records: what the silos say of people, one record per silo and record key, as it first arrived."""

from collections.abc import Mapping, Sequence

import duckdb
import pyarrow as pa

from sintonia.config import SiloConfig
from sintonia.identity.deterministic import lead
from sintonia.schema import CONTACT_FIELDS

NAMING = ("first_name", "last_name", "birth_date")
"""Fields that name somebody; an e-mail address alone does not say that two records are two people."""


def collect_persons(
    connection: duckdb.DuckDBPyConnection,
    silos: Mapping[str, SiloConfig],
    shareable: Sequence[str],
    known: pa.Table | None = None,
) -> pa.Table:
    """Return the person records of the silos that carry contacts, from their mapped rows and the table `nodes`.

    One row per (silo, lead identifier), the `known` ones of an earlier build first and in their order, then by
    node and silo: `silo`, `node`, `key`, `old` (its place among the known ones, null: new), `arrived_at`
    (microseconds), `names` (whether it names somebody) and CONTACT_FIELDS. A record is taken as it first arrived,
    so that a later correction cannot change what was matched before.
    """
    parts = [_records(name, silo, shareable) for name, silo in silos.items() if silo.contacts]
    if not parts:
        parts = [
            f"SELECT '' AS key, CAST(NULL AS TIMESTAMP) AS arrived_at, '' AS silo, {_fields(())} WHERE false"
        ]
    connection.register("known_records", _places(known))
    found = connection.sql(f"""
        SELECT silo, node, key, known.old, COALESCE(known.arrived_at, EPOCH_US(told.arrived_at)) AS arrived_at,
               COALESCE({", ".join(NAMING)}) IS NOT NULL AS names, {", ".join(CONTACT_FIELDS)}
        FROM ({" UNION ALL BY NAME ".join(parts)}) AS told JOIN nodes USING (key)
        LEFT JOIN known_records AS known USING (silo, key) ORDER BY known.old, node, silo
    """).to_arrow_table()
    connection.unregister("known_records")
    return found


def _places(known: pa.Table | None) -> pa.Table:
    if known is None:
        nothing = pa.array([], pa.int64())
        text = pa.array([], pa.string())
        return pa.table({"silo": text, "key": text, "arrived_at": nothing, "old": nothing})
    return known.select(["silo", "key", "arrived_at"]).append_column(
        "old", pa.array(range(known.num_rows), pa.int64())
    )


def _records(name: str, silo: SiloConfig, shareable: Sequence[str]) -> str:
    key = lead("_keys", shareable)
    return f"""SELECT {key} AS key, arrived_at, '{name}' AS silo, {_fields(tuple(silo.contacts))} FROM mapped_{name}
               WHERE _read AND reason IS NULL
               QUALIFY ROW_NUMBER() OVER (PARTITION BY {key} ORDER BY arrived_at, _file, _row) = 1"""


def _fields(there: Sequence[str]) -> str:
    return ", ".join(
        f'"c__{field}" AS {field}' if field in there else f"CAST(NULL AS VARCHAR) AS {field}"
        for field in CONTACT_FIELDS
    )
