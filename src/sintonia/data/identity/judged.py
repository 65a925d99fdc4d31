"""Pairs of records with what speaks for and against them, fit to show, from a table at hand or from a store."""

from collections.abc import Sequence
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sintonia.core.errors import NotBuiltError
from sintonia.core.paths import StorePaths
from sintonia.data.identity.charts import JudgedPair, Matcher
from sintonia.data.identity.comparisons import FieldComparison, comparisons
from sintonia.data.identity.files import standing
from sintonia.data.identity.findings import agreements, masked_key
from sintonia.data.identity.learned import read_model


def state_folder(store: Path) -> Path:
    """Return the folder of what the store's build decided about identities.

    Raises
    ------
    NotBuiltError
        When the build kept nothing of it, as an older version's did not.
    """
    folder = StorePaths(store).identity
    if not (folder / "ties.parquet").is_file():
        raise NotBuiltError(
            f"The store '{store}' keeps no ties between identifiers; run `sintonia build` again."
        )
    return folder


def nearest(pairs: pa.Table, match_probability: float, most: int) -> pa.Table:
    """Return the pairs nearest to the border between one customer and two, nearest first."""
    border = np.log2(match_probability / (1 - match_probability))
    away = np.abs(pairs["match_weight"].to_numpy() - border)
    return pairs.take(pa.array(np.argsort(away, kind="stable")[:most]))


def judged_pairs(records: pa.Table, pairs: pa.Table, compared: Sequence[FieldComparison]) -> list[JudgedPair]:
    """Return pairs of standardised records with what speaks for and against them, values and names masked.

    A record is named by its identifier, `key`, where the records have one, otherwise by its id.
    """
    named = "key" if "key" in records.column_names else "record_id"
    names = dict(
        zip(records["record_id"].to_pylist(), map(masked_key, records[named].to_pylist()), strict=True)
    )
    columns = ("left", "right", "match_weight", "match_probability")
    rows = zip(
        *(pairs[name].to_pylist() for name in columns), agreements(records, pairs, compared), strict=True
    )
    return [JudgedPair(names[left], names[right], *judged) for left, right, *judged in rows]


def stored_fields(state: Path) -> tuple[FieldComparison, ...]:
    """Return what a build compared records on, in its order; nothing where it matched none."""
    path = state / "weights.parquet"
    return comparisons(pq.read_table(path)["field"].to_pylist()) if path.is_file() else ()


def stored_matcher(state: Path, most: int) -> Matcher | None:
    """Return what matched a store's records, with the pairs of least certainty; None where none were matched."""
    model = read_model(state)
    if model is None:
        return None
    compared = stored_fields(state)
    with duckdb.connect() as connection:
        scored = connection.sql(f"FROM {standing(state / 'pairs.parquet')}")
        weights = scored.project("match_weight").to_arrow_table()["match_weight"].to_numpy()
        pairs = scored.order('abs(match_weight), "left", "right"').limit(most).to_arrow_table()
    told = judged_pairs(stored_records(state, pairs), pairs, compared)
    return Matcher(compared, model.weights, weights, tuple(told))


def stored_records(state: Path, pairs: pa.Table) -> pa.Table:
    """Return the records that the pairs are made of."""
    with duckdb.connect() as connection:
        connection.register("pairs", pairs.select(["left", "right"]))
        return connection.sql(f"""
            FROM {standing(state / "records.parquet")}
            SEMI JOIN (SELECT "left" AS record_id FROM pairs UNION SELECT "right" FROM pairs) USING (record_id)
        """).to_arrow_table()
