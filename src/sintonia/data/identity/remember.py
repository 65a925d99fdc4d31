"""What matching gave, in the engine's tables: for the ties of this build, and for the next build to go on from."""

from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from sintonia.data.identity.files import PREFIX, scan
from sintonia.data.identity.learned import model_tables
from sintonia.data.identity.linkage import Linked
from sintonia.data.identity.match import Matches
from sintonia.data.identity.state import keep


def remember_matched(
    connection: duckdb.DuckDBPyConnection, one: pa.ChunkedArray, other: pa.ChunkedArray, made: Linked
) -> None:
    """Fill `matched` with the merges made: `one`, `other` (identifiers), `arrived_at`, `match_probability`."""
    probability = 1 / (1 + np.exp2(-np.clip(made.match_weight, -300, 300)))
    columns = {
        "one": one,
        "other": other,
        "arrived_at": made.arrived_at,
        "match_probability": np.minimum(probability, 1 - 1e-12),
    }
    _store_table(
        connection, "matched", pa.table(columns), "* REPLACE (MAKE_TIMESTAMP(arrived_at) AS arrived_at)"
    )


def remember_records(
    connection: duckdb.DuckDBPyConnection, about: pa.Table, standard: pa.Table, moved: pa.Table
) -> None:
    """Fill `added_records`: one row per person record that is new or `moved` to another group, as compared.

    It has `record_id` (its number), `silo`, `key`, `arrived_at` (microseconds), `names`, `cluster` (the number of the
    first record of its group) and the standard fields. `about` and `standard` are of new records, row by row;
    `moved_records` (`number`, `group`) are known ones whose group is another now. `all_records` has all there are.
    """
    number = standard["record_id"].cast(pa.int64())
    whole = about.add_column(0, "record_id", number)
    for name in standard.drop_columns(["record_id"]).column_names:
        whole = whole.append_column(name, standard[name])
    _store_table(connection, "new_records", whole)
    _store_table(connection, "moved_records", moved)
    connection.execute("""
        CREATE OR REPLACE TEMP VIEW added_records AS
        SELECT known.* REPLACE ("group" AS cluster)
        FROM before_records AS known JOIN moved_records ON number = record_id
        UNION ALL BY NAME FROM new_records""")
    connection.execute("""
        CREATE OR REPLACE TEMP VIEW now_records AS
        FROM before_records ANTI JOIN gone_records USING (record_id) UNION ALL BY NAME FROM new_records""")


def remember_pairs(connection: duckdb.DuckDBPyConnection, new: pa.Table, held: pa.Table) -> None:
    """Fill `added_pairs` with scored pairs that are new, or of which an earlier build said otherwise whether their
    merge is `held` for a person; `now_pairs` has all there are.

    `changed_pairs` has the latter and the pairs of records that are gone.
    """
    _store_table(
        connection, "new_pairs", new, '* REPLACE ("left"::BIGINT AS "left", "right"::BIGINT AS "right")'
    )
    _store_table(connection, "held_pairs", held, "*, true AS held")
    connection.execute("""
        CREATE OR REPLACE TEMP VIEW now_pairs AS
        SELECT pairs.* EXCLUDE (held), COALESCE(held_pairs.held, false) AS held
        FROM (FROM before_pairs ANTI JOIN gone_records ON record_id = "left"
              ANTI JOIN gone_records AS others ON others.record_id = "right"
              UNION ALL BY NAME FROM new_pairs) AS pairs
        LEFT JOIN held_pairs ON held_pairs."left" = pairs."left" AND held_pairs."right" = pairs."right" """)
    connection.execute("""
        CREATE OR REPLACE TEMP TABLE changed_pairs AS
        SELECT "left", "right" FROM before_pairs LEFT JOIN held_pairs AS now USING ("left", "right")
        WHERE before_pairs.held <> COALESCE(now.held, false) OR "left" IN (FROM gone_records)
           OR "right" IN (FROM gone_records)""")
    connection.execute("""
        CREATE OR REPLACE TEMP VIEW added_pairs AS
        FROM now_pairs SEMI JOIN (SELECT "left", "right" FROM changed_pairs
                                  UNION ALL SELECT "left", "right" FROM new_pairs) USING ("left", "right")""")


def remember_model(connection: duckdb.DuckDBPyConnection, found: Matches, folder: Path | None) -> None:
    """Fill the tables of the model: of the `folder` it came from, with the frequencies of values that are new.

    Values that none of the records has any more go: what a model knows of a person goes with the person.
    """
    keep(connection, model_tables(found.model))
    _store_table(connection, "new_frequencies", found.model.frequencies)
    if folder is None:
        known = "SELECT field, value, frequency FROM new_frequencies WHERE false"
    else:
        known = f"FROM {scan(folder / 'frequencies.parquet')}"
    _store_table(
        connection,
        "gone_values",
        pa.table({"field": pa.array([], pa.string()), "value": pa.array([], pa.string())}),
    )
    columns = {name for name, *_ in connection.execute("DESCRIBE before_records").fetchall()}
    ((gone,),) = connection.execute("SELECT COUNT(*) FROM gone_records").fetchall()
    for field in (
        [one.field for one in found.compared if one.by_frequency and one.field in columns] if gone else ()
    ):
        connection.execute(f"""
            INSERT INTO gone_values
            SELECT DISTINCT '{field}', {field} FROM before_records SEMI JOIN gone_records USING (record_id)
            WHERE {field} NOT IN (SELECT {field} FROM now_records WHERE {field} IS NOT NULL)""")
    connection.execute(f"""
        CREATE OR REPLACE TEMP VIEW {PREFIX}frequencies AS
        FROM ({known}) ANTI JOIN gone_values USING (field, value) UNION ALL BY NAME FROM new_frequencies""")


def _store_table(
    connection: duckdb.DuckDBPyConnection, name: str, table: pa.Table, columns: str = "*"
) -> None:
    connection.register("handed", table)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT {columns} FROM handed")
    connection.unregister("handed")
