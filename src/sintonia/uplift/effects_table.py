"""Effects of every action for every customer as a table, the one that `sintonia decide effects=` reads."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from sintonia import features
from sintonia.core.arrays import Floats, Floats32
from sintonia.core.config import EngineConfig
from sintonia.core.progress import track
from sintonia.data.store import Store
from sintonia.features import History
from sintonia.uplift.model import PolicyModel


def effects_table(store: Store, model: PolicyModel, as_of: datetime, engine: EngineConfig) -> pa.Table:
    """Return what each action changes for each customer known at as_of: one row per (customer_id, action_id).

    `effect` is in units of the reward's worth, the cost not taken off, `effect_low` to `effect_high` its 95 % interval.
    Where the personalised policy did not pass the gate it is the mean effect, the same for everybody: differences that
    were not confirmed decide nothing.
    """
    plan = features.plan(features.catalogue(model.features, model.fitted))
    actions = model.effects.actions.names

    def bucket_table(path: Path) -> pa.Table:
        interactions = store.read_bucket(path, None, dict.fromkeys([*plan.reads, "customer_id"]))
        other_tables = {name: store.read_beside(name, path) for name in plan.others}
        history = History(interactions, **other_tables) if other_tables else interactions
        computed = features.compute_features(history, [as_of], plan)
        values = np.column_stack([computed[name].to_numpy() for name in plan.names])
        effect, low, high = _effects_with_intervals(model, values)
        customer = np.repeat(np.arange(len(values)), len(actions))
        return pa.table(
            {
                "customer_id": computed["customer_id"].cast(pa.string()).take(pa.array(customer)),
                "action_id": pa.array(np.tile(np.array(actions, object), len(values)), pa.string()),
                "effect": effect.ravel(),
                "effect_low": low.ravel(),
                "effect_high": high.ravel(),
            }
        )

    with ThreadPoolExecutor(engine.threads) as pool:
        parts = list(
            track(pool.map(bucket_table, store.buckets), "Writing effects", total=len(store.buckets))
        )
    return pa.concat_tables(parts)


def _effects_with_intervals(model: PolicyModel, values: Floats32) -> tuple[Floats, Floats, Floats]:
    """Return effects with low and high: individual ones where they passed the gate, else the mean ones."""
    effects = model.effects
    if model.passed:
        return effects.predict(values), *effects.intervals(values)
    means = (effects.constants, *effects.mean_intervals())
    effect, low, high = (np.tile(row, (len(values), 1)) for row in means)
    return effect, low, high
