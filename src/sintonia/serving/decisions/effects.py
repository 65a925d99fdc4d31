"""Effects of actions on customers as a matrix, from the registered policy or from a table of the user's own."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sintonia.core.config import NONE
from sintonia.core.errors import InputError, hint

EFFECT_COLUMNS = ("customer_id", "action_id", "effect")
INTERVAL_COLUMNS = ("effect_low", "effect_high")


def effects_matrix(
    table: pa.Table, ids: pa.Array, actions: Sequence[str], origin: str
) -> NDArray[np.float32]:
    """Return each action's effect on each customer, (n_customers, n_actions); NaN where the table has no row.

    The effect of doing nothing is 0. Rows of other customers or actions are ignored. `origin` names the table in
    messages.

    Raises
    ------
    InputError
        When an effect is not a number, a pair has two, or no row is of a known customer and action.
    """
    effect = table["effect"].to_numpy()
    if not np.isfinite(effect).all():
        raise InputError(f"{origin} has effects that are not numbers; leave out unknown ones.")
    rows_used, cell = _matrix_cells(table, ids, actions)
    if not len(rows_used):
        action_names = ", ".join(
            sorted({str(name) for name in pc.unique(table["action_id"]).to_pylist()})[:8]
        )
        raise InputError(
            f"{origin} has no row of a known customer and action; its actions are {action_names}."
        )
    effects = np.full(len(ids) * len(actions), np.nan, np.float32)
    effects[cell] = effect[rows_used]
    if np.count_nonzero(~np.isnan(effects)) < len(cell):
        raise InputError(f"{origin} has two effects for one customer and action; give one.")
    matrix = effects.reshape(len(ids), len(actions))
    matrix[:, list(actions).index(NONE)] = 0
    return matrix


def effect_intervals(
    table: pa.Table, ids: pa.Array, action: NDArray[np.int64], actions: Sequence[str]
) -> dict[str, pa.Array]:
    """Return `effect_low` and `effect_high` of each customer's action, null where the table has none.

    Parameters
    ----------
    action
        The index among `actions` of each customer's action.  # (n_customers,)
    """
    rows_used, cell = _matrix_cells(table, ids, actions)
    is_chosen = action[cell // len(actions)] == cell % len(actions)
    rows, customer_index = rows_used[is_chosen], cell[is_chosen] // len(actions)
    intervals = {}
    for name in INTERVAL_COLUMNS:
        bound = np.full(len(ids), np.nan)
        if name in table.column_names:
            bound[customer_index] = table[name].to_numpy()[rows]
        intervals[name] = pa.array(bound, mask=~np.isfinite(bound))
    return intervals


def _matrix_cells(
    table: pa.Table, ids: pa.Array, actions: Sequence[str]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows of the table that are used, and their flat index: customer x number of actions + action."""
    customer = pc.fill_null(pc.index_in(table["customer_id"], ids), -1).to_numpy()
    action = pc.fill_null(pc.index_in(table["action_id"], pa.array(actions)), -1).to_numpy()
    rows_used = np.flatnonzero((customer >= 0) & (action >= 0))
    return rows_used, customer[rows_used].astype(np.int64) * len(actions) + action[rows_used]


def read_effects(path: Path) -> pa.Table:
    """Return a table of effects from a Parquet or CSV file: customer_id, action_id, effect, and intervals if present.

    Raises
    ------
    InputError
        When it is missing, or lacks a column, or cannot be read.
    """
    if not path.is_file():
        near = [entry.name for entry in path.parent.glob("*")] if path.parent.is_dir() else []
        raise InputError(f"No table of effects '{path}'; {hint(path.name, near)}")
    try:
        table = pq.read_table(path) if path.suffix == ".parquet" else pyarrow.csv.read_csv(path)
        for name in EFFECT_COLUMNS:
            if name not in table.column_names:
                raise InputError(f"'{path}' has no column '{name}'; {hint(name, table.column_names)}")
        types = {"customer_id": pa.string(), "action_id": pa.string(), "effect": pa.float64()}
        types |= {name: pa.float64() for name in INTERVAL_COLUMNS if name in table.column_names}
        return table.select(list(types)).cast(pa.schema(list(types.items())))
    except pa.ArrowInvalid as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"'{path}' cannot be read as a table of effects: {reason}.") from None
