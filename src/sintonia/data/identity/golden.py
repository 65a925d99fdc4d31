"""The golden record: of all that silos say of a customer, the values that survive, each with its source and time."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from sintonia.core.config import IdentityConfig
from sintonia.core.paths import WorkspacePaths
from sintonia.core.schema import ATTRIBUTES, CONTACTS
from sintonia.data.consent import PREFIX, consents
from sintonia.data.identity.relations import MERGES, STATED_VALUES

_RULES = {
    "most_recent": "occurred_at DESC, priority",
    "most_frequent": "frequency DESC, priority, occurred_at DESC",
    "source_priority": "priority, occurred_at DESC",
    "most_complete": "completeness DESC, priority, occurred_at DESC",
}
"""What goes first under each rule of survivorship."""


def write_customers(
    connection: duckdb.DuckDBPyConnection, workspace: Path, config: IdentityConfig
) -> list[Path]:
    """Return the file of the golden record, from the engine's CONTACTS, ATTRIBUTES and MERGES; none if empty.

    It holds personal data and is read by people alone: no feature, run, log or review reads it. Consents follow
    their own law (see `sintonia.data.consent`), whatever the rules of survivorship.
    """
    STATED_VALUES.create_view(
        connection,
        f"""
        SELECT customer_id, field, value, occurred_at, source FROM {CONTACTS}
        UNION ALL SELECT customer_id, name, value, occurred_at, source FROM {ATTRIBUTES}
        ANTI JOIN {MERGES} USING (customer_id) WHERE NOT STARTS_WITH(name, '{PREFIX}')""",
    )
    customers = _with_consents(connection, golden_record(connection, config))
    path = WorkspacePaths(workspace).golden_records
    if not customers.num_rows:
        return []
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(customers, path, compression="zstd")
    return [path]


def _with_consents(connection: duckdb.DuckDBPyConnection, customers: pa.Table) -> pa.Table:
    """Return the golden record with each customer's consents among its fields."""
    connection.register("survived", customers)
    connection.register("answered", consents(connection))
    with_consents = connection.sql(f"""
        SELECT customer_id, field, value, rule, occurred_at, source FROM survived
        UNION ALL SELECT customer_id, '{PREFIX}' || channel, IF(allowed, 'yes', 'no'), 'consent', answered_at, source
        FROM answered ORDER BY customer_id, field""").to_arrow_table()
    connection.unregister("survived")
    connection.unregister("answered")
    return with_consents


def golden_record(connection: duckdb.DuckDBPyConnection, config: IdentityConfig) -> pa.Table:
    """Return the surviving values of the relation `STATED_VALUES` (customer_id, field, value, occurred_at, source).

    One row per (customer_id, field): `value`, `rule`, `occurred_at` and `source`. What one silo said at one moment
    of a group of fields (an address) survives as a unit, so that no street meets another's city; completeness is a
    group's number of fields, or a lone value's length. Ties go by source priority, then time, then text.
    """
    fields = [
        field
        for (field,) in connection.execute(
            f"SELECT DISTINCT field FROM {STATED_VALUES} ORDER BY 1"
        ).fetchall()
    ]
    if not fields:
        return connection.sql(f"SELECT *, '' AS rule FROM {STATED_VALUES}").to_arrow_table()
    connection.register("survival", _survival(fields, config))
    surviving = " UNION ALL ".join(_surviving(rule, order) for rule, order in _RULES.items())
    golden = connection.sql(f"""
        WITH stated AS (
            SELECT customer_id, unit, rule, source, occurred_at, field, MIN(value) AS value
            FROM {STATED_VALUES} JOIN survival USING (field) GROUP BY ALL
        ), units AS (
            SELECT customer_id, unit, rule, source, occurred_at, LIST((field, value) ORDER BY field) AS content,
                   IF(unit = MIN(field) AND COUNT(*) = 1, MIN(LENGTH(value)), COUNT(*)) AS completeness,
                   {_priority(config.source_priority)} AS priority
            FROM stated GROUP BY customer_id, unit, rule, source, occurred_at
        ), counted AS (
            SELECT *, COUNT(*) OVER (PARTITION BY customer_id, unit, content) AS frequency FROM units
        ), surviving AS ({surviving})
        SELECT customer_id, field, value, stated.rule, occurred_at, source
        FROM stated JOIN surviving USING (customer_id, unit, source, occurred_at) ORDER BY customer_id, field
    """).to_arrow_table()
    connection.unregister("survival")
    return golden


def _survival(fields: Iterable[str], config: IdentityConfig) -> pa.Table:
    """Return the unit and the rule of each field."""
    unit_of: Mapping[str, str] = {
        field: unit for unit, members in config.value_groups.items() for field in members
    }
    default = config.survivorship.get("default", "most_recent")
    rows = [(field, unit_of.get(field, field)) for field in fields]
    return pa.table(
        {
            "field": [field for field, _ in rows],
            "unit": [unit for _, unit in rows],
            "rule": [config.survivorship.get(unit, default) for _, unit in rows],
        }
    )


def _priority(sources: Sequence[str]) -> str:
    listed = ", ".join("'" + source.replace("'", "''") + "'" for source in sources)
    return f"COALESCE(LIST_POSITION([{listed}]::VARCHAR[], source), {len(sources) + 1})"


def _surviving(rule: str, order: str) -> str:
    first = f"ROW_NUMBER() OVER (PARTITION BY customer_id, unit ORDER BY {order}, source, content) = 1"
    return f"SELECT customer_id, unit, source, occurred_at FROM counted WHERE rule = '{rule}' QUALIFY {first}"
