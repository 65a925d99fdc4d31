"""Customer ids that survive rebuilds: every identifier confers one on the customer who starts with it, for good."""

import duckdb

from sintonia.engine import fetch_row


def confer_ids(connection: duckdb.DuckDBPyConnection) -> None:
    """Fill `confers` of the table `nodes`: as in earlier builds, and for new identifiers an id of their own.

    The id is the key itself where a source has a single kind of key, else a hash of it, which shows no e-mail or
    phone. Where the first identifier of an earlier customer is no longer in any silo, the first that is left takes
    over its id.
    """
    _take_over(connection)
    kinds = connection.execute("SELECT DISTINCT SPLIT_PART(key, ':', 1) FROM nodes").fetchall()
    plain = len(kinds) == 1 and kinds[0][0] not in ("email", "phone")
    own = "SUBSTR(key, STRPOS(key, ':') + 1)" if plain else "'C' || UPPER(SUBSTR(SHA256(key), 1, 16))"
    connection.execute(f"UPDATE nodes SET confers = {own} WHERE confers IS NULL")


def _take_over(connection: duckdb.DuckDBPyConnection) -> None:
    gone = "before_nodes AS gone ANTI JOIN nodes USING (key)"
    (orphans,) = fetch_row(connection, f"SELECT COUNT(*) FROM {gone}")
    if orphans:
        connection.execute(f"""
            UPDATE nodes SET confers = heirs.confers FROM (
                SELECT gone.confers, MIN(nodes.node) AS node
                FROM (FROM {gone}) AS gone JOIN before_holdings ON customer_id = gone.confers
                JOIN nodes ON nodes.key = before_holdings.key GROUP BY gone.confers
            ) AS heirs WHERE heirs.node = nodes.node""")
