"""What earlier builds decided about identities, so that the next one goes on from there and decides nothing anew.

It lies beside the store it belongs to, in the folder `identity` of the same version: both are replaced in one step.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from sintonia.config import IdentityConfig
from sintonia.errors import InputError
from sintonia.identity.comparisons import comparisons
from sintonia.identity.fields import PATTERNS
from sintonia.identity.match import Model
from sintonia.identity.training import Weights

PREFIX = "identity_"
"""The engine's tables of this name are written into the folder `identity` of the next store."""

_EMPTY = {
    "nodes": "CAST(NULL AS BIGINT) AS node, '' AS key, '' AS confers",
    "ties": """'' AS "left", '' AS "right", CAST(NULL AS TIMESTAMP) AS arrived_at, 1e0 AS match_probability,
               '' AS rule, true AS holds""",
    "log": """'' AS customer_id, '' AS change, '' AS other_customer_id, 0::BIGINT AS identifiers,
              CAST(NULL AS TIMESTAMP) AS changed_at""",
    "holdings": "'' AS key, '' AS customer_id",
    "merges": "'' AS customer_id, '' AS merged_into, CAST(NULL AS TIMESTAMP) AS merged_at",
}


@dataclass(frozen=True)
class Before:
    """The folder of an earlier build's decisions, None without one, and how far they stand.

    `decisions` are ties and groups, which rest on the rules of the house; `scores` are weights and pairs, which
    rest on how records are read. Customer ids stand whatever happens.
    """

    folder: Path | None = None
    decisions: bool = False
    scores: bool = False

    def read(self, name: str) -> pa.Table | None:
        """Return a table of the folder, None where there is none."""
        path = self.folder / f"{name}.parquet" if self.folder else None
        return pq.read_table(path) if path and path.is_file() else None


def recall(connection: duckdb.DuckDBPyConnection, folder: Path | None, config: IdentityConfig) -> Before:
    """Return how far an earlier build's decisions stand; the engine's `before_` tables now hold them.

    - `before_nodes`: `node`, `key` and `confers`, the id of a customer of which this identifier is the first.
    - `before_ties`: `left`, `right` (identifiers), `arrived_at`, `match_probability`, `rule`, and whether it `holds`.
    - `before_holdings`: whose each `key` was at the end of that build; `before_merges` and `before_log` as stored.
    """
    known = folder is not None and (folder / "rules.parquet").is_file()
    rules = pq.read_table(folder / "rules.parquet").to_pylist()[0] if folder and known else {}
    now = fingerprints(config)
    decisions = bool(known and not config.relearn and rules == now)
    scores = bool(known and not config.relearn and rules["scores"] == now["scores"])
    stand = {"nodes": known, "ties": decisions, "log": known}
    for name, stands in stand.items():
        _view(connection, name, _scan(folder / f"{name}.parquet") if folder and stands else None)
    store = folder.parent if folder and known else None
    held = "(SELECT source || ':' || source_key AS key, customer_id FROM {} WHERE unlinked_at IS NULL)"
    _view(connection, "holdings", held.format(_scan(store / "crosswalk.parquet")) if store else None)
    _view(connection, "merges", _scan(store / "merges.parquet") if store else None)
    return Before(folder if known else None, decisions, scores)


def _scan(path: Path) -> str:
    """Return the SQL that reads a file, whatever its folders are called (L'Ordine)."""
    quoted = str(path).replace("'", "''")
    return f"read_parquet('{quoted}')"


def _view(connection: duckdb.DuckDBPyConnection, name: str, source: str | None) -> None:
    rows = f"FROM {source}" if source else f"SELECT {_EMPTY[name]} WHERE false"
    connection.execute(f"CREATE OR REPLACE TEMP VIEW before_{name} AS {rows}")


def fingerprints(config: IdentityConfig) -> dict[str, str]:
    """Return what decisions and scores rest on; equal texts, equal rules.

    Examples
    --------
    >>> one, other = IdentityConfig(), IdentityConfig(match_probability=0.9)
    >>> [fingerprints(one)[name] == fingerprints(other)[name] for name in ("scores", "decisions")]
    [True, False]
    """
    overrides = Path(config.overrides) if config.overrides else None
    told = overrides.read_bytes() if overrides and overrides.is_file() else b""
    # Another version's degrees of agreement have weights of their own.
    compared = repr(comparisons({*PATTERNS, "first_name_forms"}))
    scores = [config.name, config.region, config.weights, compared]
    decisions = [
        config.match_probability,
        config.shareable,
        config.persons_per_identifier,
        config.hold_implausible,
        hashlib.sha256(told).hexdigest(),
    ]
    return {"scores": _digest(scores), "decisions": _digest([*scores, *decisions])}


def _digest(values: Sequence[object]) -> str:
    return hashlib.sha256(json.dumps(list(values)).encode()).hexdigest()[:16]


def keep(connection: duckdb.DuckDBPyConnection, tables: dict[str, pa.Table]) -> None:
    """Put tables where the next store takes them from."""
    for name, table in tables.items():
        connection.register("kept", table)
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {PREFIX}{name} AS FROM kept")
        connection.unregister("kept")


def keep_ties(connection: duckdb.DuckDBPyConnection) -> None:
    """Put identifiers and the ties between them, refused ones too, where the next store takes them from."""
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {PREFIX}nodes AS SELECT node, key, confers FROM nodes ORDER BY node"
    )
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE {PREFIX}ties AS
        SELECT a.key AS "left", b.key AS "right", arrived_at, match_probability, rule, holds
        FROM (SELECT left_node, right_node, arrived_at, match_probability, rule, true AS holds FROM ties UNION ALL
              SELECT left_node, right_node, arrived_at, match_probability, rule, false FROM refused)
        JOIN nodes AS a ON a.node = left_node JOIN nodes AS b ON b.node = right_node
        ORDER BY left_node, right_node, rule""")


def read_model(before: Before, config: IdentityConfig) -> Model | None:
    """Return the model that stands: that of earlier builds, or of the folder `identity.weights`; None: learn one.

    Raises
    ------
    InputError
        When that folder holds no weights.
    """
    given = Before(Path(config.weights), scores=True) if config.weights else None
    source = before if before.scores and before.read("weights") is not None else given
    if source is None:
        return None
    weights, frequencies = source.read("weights"), source.read("frequencies")
    if weights is None or frequencies is None:
        raise InputError(
            f"No weights in identity.weights='{config.weights}'; give the folder store/<version>/identity of a "
            "workspace built with identity=probabilistic, or null to learn them."
        )
    limits = source.read("limits")
    picked = (
        None
        if limits is None
        else dict(zip(limits["key"].to_pylist(), limits["most"].to_pylist(), strict=True))
    )
    return Model(_weights(weights), frequencies, picked)


def model_tables(model: Model) -> dict[str, pa.Table]:
    """Return a model as tables, `limits` only where it has some.

    `weights` has one row per (field, degree): `m`, `u`, and the shares of matches and households.
    """
    limits = model.limits
    keys = (
        {} if limits is None else {"limits": pa.table({"key": list(limits), "most": list(limits.values())})}
    )
    return {"weights": _weights_table(model.weights), "frequencies": model.frequencies, **keys}


def _weights_table(weights: Weights) -> pa.Table:
    rows = [(field, degree) for field, shares in weights.m.items() for degree in range(len(shares))]
    return pa.table(
        {
            "field": [field for field, _ in rows],
            "degree": [degree for _, degree in rows],
            "m": [weights.m[field][degree] for field, degree in rows],
            "u": [weights.u[field][degree] for field, degree in rows],
            "match_share": [weights.match_share] * len(rows),
            "household_share": [weights.household_share] * len(rows),
        }
    )


def _weights(table: pa.Table) -> Weights:
    m: dict[str, list[float]] = {}
    u: dict[str, list[float]] = {}
    rows = table.to_pylist()
    for row in rows:
        m.setdefault(row["field"], []).append(row["m"])
        u.setdefault(row["field"], []).append(row["u"])
    return Weights(m, u, rows[0]["match_share"], rows[0]["household_share"])
