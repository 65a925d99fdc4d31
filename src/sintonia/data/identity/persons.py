"""Person records: what the silos say of people, one record per silo and record key, as it first arrived."""

from collections.abc import Mapping, Sequence

import duckdb
import pyarrow as pa

from sintonia.core.config import SiloConfig
from sintonia.core.schema import CONTACT_FIELDS
from sintonia.data.identity.deterministic import lead

NAMING = ("first_name", "last_name", "birth_date")
"""Fields that name somebody; an e-mail address alone does not say that two records are two people."""


def collect_persons(
    connection: duckdb.DuckDBPyConnection,
    silos: Mapping[str, SiloConfig],
    shareable: Sequence[str],
    part: bool,
) -> pa.Table:
    """Return the person records of the silos that carry contacts which no earlier build knew, from their mapped rows.

    One row per (silo, lead identifier), by its place among identifiers and by silo: `silo`, `key`, `arrived_at`
    (microseconds), `names` (whether it names somebody) and CONTACT_FIELDS. A record is taken as it first arrived,
    so that a later correction cannot change what was matched before. Places are those of the table `nodes`, of a
    `part` those of `before_nodes` and then by first arrival. The engine's table `gone_records` holds the
    `record_id` of those in `before_records` that no silo has any more; `all_records` has the `key` and `names` of
    all there are now, with their arrival: those of earlier builds were there before anything that is new, even what
    comes late from long ago.
    """
    told = _person_rows(silos, shareable)
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE gone_records AS
        SELECT record_id FROM before_records ANTI JOIN (SELECT silo, key FROM ({told})) USING (silo, key)""")
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE fresh_records AS
        SELECT *, COALESCE({", ".join(NAMING)}) IS NOT NULL AS names
        FROM ({told}) ANTI JOIN before_records USING (silo, key)
        QUALIFY ROW_NUMBER() OVER (PARTITION BY silo, key ORDER BY arrived_at, _file, _row) = 1""")
    connection.execute("""
        CREATE OR REPLACE TEMP VIEW all_records AS
        SELECT key, names, -9223372036854775808 AS arrived_at FROM before_records
        ANTI JOIN gone_records USING (record_id)
        UNION ALL SELECT key, names, EPOCH_US(arrived_at) FROM fresh_records""")
    # Nearly all of them arrived: nothing is looked up among millions of identifiers for nobody.
    places = """FROM (SELECT key, node, first_seen_at FROM arrived)
                UNION ALL SELECT key, node, NULL FROM before_nodes
                JOIN (SELECT DISTINCT key FROM fresh_records ANTI JOIN arrived USING (key)) USING (key)"""
    return connection.sql(f"""
        SELECT silo, key, EPOCH_US(arrived_at) AS arrived_at, names, {", ".join(CONTACT_FIELDS)}
        FROM fresh_records JOIN ({places if part else "SELECT key, node, first_seen_at FROM nodes"}) USING (key)
        ORDER BY node, first_seen_at, key, silo
    """).to_arrow_table()


def _person_rows(silos: Mapping[str, SiloConfig], shareable: Sequence[str]) -> str:
    """Return the SQL of what silos say of people, row by row."""
    parts = [
        f"""SELECT {lead("_keys", shareable)} AS key, arrived_at, '{name}' AS silo, {_fields(tuple(silo.contacts))},
                   _file, _row FROM mapped_{name} WHERE _read AND reason IS NULL"""
        for name, silo in silos.items()
        if silo.contacts
    ]
    nobody = f"""SELECT '' AS key, CAST(NULL AS TIMESTAMP) AS arrived_at, '' AS silo, {_fields(())},
                        '' AS _file, 0 AS _row WHERE false"""
    return " UNION ALL BY NAME ".join(parts) or nobody


def _fields(there: Sequence[str]) -> str:
    return ", ".join(
        f'"c__{field}" AS {field}' if field in there else f"CAST(NULL AS VARCHAR) AS {field}"
        for field in CONTACT_FIELDS
    )
