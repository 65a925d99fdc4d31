"""Consent: whether a customer may be contacted on a channel, as it was known at a date.

The latest answer wins, of two at one moment the stricter, and silence is no. An answer is an attribute
`consent_<channel>` or an interaction of kind `unsubscribe`, which takes back a yes on its channel.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sintonia.core.paths import StorePaths
from sintonia.core.schema import ATTRIBUTES, INTERACTIONS, MERGES
from sintonia.core.visibility import CURRENT, interactions_query, visible_at

if TYPE_CHECKING:
    import duckdb
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

PREFIX = "consent_"
"""Attributes of this name and a channel are answers."""

YES = ("yes", "y", "true", "t", "1", "on", "ok", "si", "sì", "opt-in", "opt_in", "granted")
"""What counts as a yes, in any case; every other answer is a no, for a yes must be unmistakable."""


def consents(connection: "duckdb.DuckDBPyConnection", as_of: datetime | None = None) -> "pa.Table":
    """Return the answer that holds for each customer and channel that gave one; where there is no row, it is no.

    One row per (customer_id, channel), in that order: `allowed`, `answered_at` (UTC, when it was given) and `source`
    (the silo that says so). It reads the engine's relations ATTRIBUTES, INTERACTIONS and MERGES.

    Parameters
    ----------
    connection
        Of an engine that holds the three relations, whole or as views of a store.
    as_of
        What had been said and was known by then, (-inf, as_of]; all of it when None. A customer that had become part
        of another by then has no row: what it said is its successor's from that moment on.
    """
    seen = "true" if as_of is None else f"GREATEST(occurred_at, known_at) <= TIMESTAMP '{as_of}'"
    holds = CURRENT if as_of is None else visible_at(f"TIMESTAMP '{as_of}'")
    merged = "true" if as_of is None else f"merged_at <= TIMESTAMP '{as_of}'"
    yes = ", ".join(f"'{word}'" for word in YES)
    return connection.sql(f"""
        WITH answers AS (
            SELECT customer_id, SUBSTR(name, {len(PREFIX) + 1}) AS channel, LOWER(TRIM(value)) IN ({yes}) AS allowed,
                   occurred_at, source FROM {ATTRIBUTES} WHERE STARTS_WITH(name, '{PREFIX}') AND {seen}
            UNION ALL
            SELECT customer_id, channel, false, occurred_at, source FROM {INTERACTIONS}
            WHERE kind = 'unsubscribe' AND channel IS NOT NULL AND {holds}
        )
        SELECT customer_id, channel, allowed, occurred_at AS answered_at, source
        FROM answers ANTI JOIN (SELECT customer_id FROM {MERGES} WHERE {merged}) USING (customer_id)
        QUALIFY ROW_NUMBER() OVER (PARTITION BY customer_id, channel ORDER BY occurred_at DESC, allowed, source) = 1
        ORDER BY customer_id, channel""").to_arrow_table()


def read_consents(store: Path, as_of: datetime | None = None) -> "pa.Table":
    """Return the consents (see `consents`) of a version of the store, from its folder."""
    import duckdb

    paths = StorePaths(store)
    with duckdb.connect() as connection:
        for name, file in ((ATTRIBUTES.name, paths.attributes), (MERGES.name, paths.merges)):
            connection.read_parquet(str(file)).create_view(name)
        connection.sql(interactions_query([paths.interactions / "*.parquet"])).create_view(INTERACTIONS.name)
        return consents(connection, as_of)


def allowed(
    consents: "pa.Table", customer_ids: Sequence[str], channels: Sequence[str]
) -> "NDArray[np.bool_]":
    """Return who may be contacted where, (n_customers, n_channels); who never answered may not.

    Examples
    --------
    >>> import pyarrow as pa
    >>> told = pa.table({"customer_id": ["A", "A"], "channel": ["email", "sms"], "allowed": [True, False]})
    >>> allowed(told, ["A", "B"], ["sms", "email"]).tolist()
    [[False, True], [False, False]]
    """
    import numpy as np

    columns = (consents[name].to_pylist() for name in ("customer_id", "channel", "allowed"))
    said = {(customer, channel): answer for customer, channel, answer in zip(*columns, strict=True)}
    answers = [[said.get((customer, channel), False) for channel in channels] for customer in customer_ids]
    return np.array(answers, bool).reshape(len(customer_ids), len(channels))
