"""Customer ids that survive rebuilds: every identifier confers one on the customer who starts with it, for good."""

import duckdb

from sintonia.core.engine import fetch_row


def assign_ids(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table `nodes` of `placed`, `confers` filled: as in earlier builds, and for new identifiers their own.

    The id is the key itself where a source has a single kind of key, now and in the build before, else a hash of it,
    which shows no e-mail or phone. Where the first identifier of an earlier customer is no longer in any silo, the
    first that is left takes over its id.
    """
    kinds = connection.execute("SELECT DISTINCT SPLIT_PART(key, ':', 1) FROM placed").fetchall()
    plain = len(kinds) == 1 and kinds[0][0] not in ("email", "phone") and not _others(connection, kinds[0][0])
    own = "SUBSTR(key, STRPOS(key, ':') + 1)" if plain else "'C' || UPPER(SUBSTR(SHA256(key), 1, 16))"
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE nodes AS
        SELECT node, number, key, first_seen_at, COALESCE(heirs.confers, placed.confers, {own}) AS confers
        FROM placed LEFT JOIN ({_heirs(connection)}) AS heirs USING (node)""")
    connection.execute("DROP TABLE placed")


def _others(connection: duckdb.DuckDBPyConnection, kind: str) -> bool:
    """Return whether the build before knew identifiers of another kind."""
    query = "SELECT 1 FROM before_nodes WHERE SPLIT_PART(key, ':', 1) <> ? LIMIT 1"
    return bool(connection.execute(query, [kind]).fetchall())


def _heirs(connection: duckdb.DuckDBPyConnection) -> str:
    """Return the SQL of the nodes that take over an id, with the id."""
    gone = "known_nodes AS gone ANTI JOIN placed USING (key)"
    (orphans,) = fetch_row(connection, f"SELECT COUNT(*) FROM {gone}")
    if not orphans:
        return "SELECT 0 AS node, '' AS confers WHERE false"
    return f"""
        SELECT gone.confers, MIN(placed.node) AS node
        FROM (FROM {gone}) AS gone JOIN known_holdings ON customer_id = gone.confers
        JOIN placed ON placed.key = known_holdings.key GROUP BY gone.confers"""
