"""The log of merges and splits: what became of the customers of earlier builds, and where their ids lead now."""

import duckdb

from sintonia.data.identity.files import PREFIX


def write_log(connection: duckdb.DuckDBPyConnection) -> None:
    """Fill the engine's `identity_log`, and complete `merges` so that every id of earlier builds still resolves.

    `identity_log` has one row per change, oldest first: `customer_id`, the customer before; `change`, merge (it is
    part of the other now) or split (some of its identifiers are the other's now); `other_customer_id`;
    `identifiers`, how many; `changed_at`, for a merge the arrival of the tie, else the moment it was found. A
    customer whose first identifier another one holds goes on in the customer that holds most of its identifiers.
    """
    connection.execute("""
        CREATE OR REPLACE TEMP TABLE moved AS
        WITH now AS (SELECT key, customer_id FROM decided_crosswalk WHERE unlinked_at IS NULL),
        spread AS (
            SELECT before.customer_id, now.customer_id AS other_customer_id, COUNT(*) AS identifiers
            FROM known_holdings AS before JOIN now USING (key) GROUP BY 1, 2)
        SELECT *, other_customer_id = ARG_MIN(other_customer_id, (other_customer_id <> spread.customer_id,
                      -identifiers, other_customer_id)) OVER (PARTITION BY spread.customer_id) AS goes_on
        FROM spread""")
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE {PREFIX}log AS
        SELECT customer_id, change, other_customer_id, identifiers, changed_at FROM before_log
        UNION ALL
        SELECT customer_id, IF(goes_on, 'merge', 'split'), other_customer_id, identifiers,
               IF(goes_on, COALESCE(merged_at, now()::TIMESTAMP), now()::TIMESTAMP)
        FROM moved LEFT JOIN merges USING (customer_id) WHERE customer_id <> other_customer_id
        ORDER BY changed_at, customer_id, other_customer_id""")
    connection.execute("""
        INSERT INTO merges
        WITH past AS (
            SELECT customer_id, merged_into, merged_at FROM before_merges
            UNION ALL SELECT customer_id, customer_id, now()::TIMESTAMP FROM moved WHERE goes_on),
        customers AS (SELECT DISTINCT customer_id FROM decided_crosswalk WHERE unlinked_at IS NULL)
        SELECT past.customer_id, moved.other_customer_id, ANY_VALUE(past.merged_at)
        FROM past JOIN moved ON moved.customer_id = past.merged_into AND moved.goes_on
        ANTI JOIN merges ON merges.customer_id = past.customer_id
        ANTI JOIN customers ON customers.customer_id = past.customer_id
        GROUP BY 1, 2""")
