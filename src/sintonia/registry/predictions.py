"""What models predict of the test rows, kept with the run: for comparing runs row by row, later and elsewhere."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sintonia.core.errors import InputError
from sintonia.core.pseudonyms import COLUMN, pseudonyms
from sintonia.evaluation.evaluate import Evaluation, evaluate, evaluate_amounts
from sintonia.training.dataset import Dataset

PREDICTIONS_FILE = "predictions.parquet"
PREDICTION_KEYS = (COLUMN, "as_of", "category")
MODEL_COLUMN = "model"
CENTS_PER_UNIT = 100


def predictions_of(rows: Dataset, predictions: Mapping[str, NDArray[np.float64]], key: bytes) -> pa.Table:
    """Return one row a test row: pseudonym, as_of, category (-1 without), label, and a column a model.

    `predictions` is name to propensities, or to expected cents; the first is the model, whose column is `model`.
    """
    names = [MODEL_COLUMN, *list(predictions)[1:]]
    category = np.full(len(rows), -1, np.int16) if rows.category is None else rows.category
    return pa.table(
        {
            COLUMN: pa.array(pseudonyms(key, rows.customer_id.tolist()), pa.string()),
            "as_of": pa.array(rows.as_of, pa.timestamp("us")),
            "category": pa.array(category, pa.int16()),
            "label": pa.array(rows.label),
            **{name: pa.array(values) for name, values in zip(names, predictions.values(), strict=True)},
        }
    )


def shared_rows(tables: Sequence[pa.Table]) -> list[pa.Table]:
    """Return the rows that all tables have, in the same order in each.

    Raises
    ------
    InputError
        When there is no such row.
    """
    keys = [_keys(table) for table in tables]
    shared = set(keys[0]).intersection(*keys[1:])
    if not shared:
        raise InputError(
            "The runs were evaluated on different customers or dates and share no row; train them on the same split."
        )
    rows_by_key = [{key: row_of for row_of, key in enumerate(table_keys)} for table_keys in keys]
    ordered = sorted(shared)
    return [
        table.take(pa.array([row_of[key] for key in ordered]))
        for table, row_of in zip(tables, rows_by_key, strict=True)
    ]


def covers(table: pa.Table, rows: pa.Table) -> bool:
    """Return whether the table has every one of the rows."""
    return set(_keys(rows)) <= set(_keys(table))


def _keys(table: pa.Table) -> list[tuple[Any, ...]]:
    return list(zip(*(table[name].to_pylist() for name in PREDICTION_KEYS), strict=True))


def evaluate_together(
    tables: Mapping[str, pa.Table], *, amount: bool, seed: int, draws: int = 300
) -> Evaluation:
    """Return how the models of several runs did on the rows all of them judged; the first is compared to the others.

    Labels are the first run's. Amounts are given in cents and judged in euros.
    """
    rows = dict(zip(tables, shared_rows([*tables.values()]), strict=True))
    first = next(iter(rows.values()))
    customers, label = np.asarray(first[COLUMN].to_pylist()), first["label"].to_numpy()
    predictions = {name: table[MODEL_COLUMN].to_numpy() for name, table in rows.items()}
    if not amount:
        return evaluate(label, predictions, customers, draws=draws, seed=seed)
    amounts = {name: values / CENTS_PER_UNIT for name, values in predictions.items()}
    return evaluate_amounts(label / CENTS_PER_UNIT, amounts, customers, draws=draws, seed=seed)
