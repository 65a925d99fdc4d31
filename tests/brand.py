"""A brand of arrays for tests: customers whose next purchase depends on their pace, with no file behind it."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from builder import build_store
from sintonia.core.config import FeaturesConfig, ModelConfig, SiloConfig, SplitConfig, TaskConfig
from sintonia.data.store import Store
from sintonia.features import Fitted, catalogue

START, DAYS = datetime(2025, 1, 1), 300
SILO = SiloConfig(
    path="events.csv",
    identifiers={"card": "card"},
    occurred_at="at",
    known_at="known",
    interactions={"thread_id": "row", "amount": "price", "kind": "kind", "channel": "channel"},
)
FEATURES = FeaturesConfig(families=["rfm", "kinds"], windows_days=[14, 56])
FITTED = Fitted(START + timedelta(days=56), {"channel": ("store", "web"), "kind": ("purchase", "view")})
CATALOGUE = catalogue(FEATURES, FITTED)
TASK = TaskConfig(name="churn", active_days=56, horizon_days=28)
SPLIT = SplitConfig(every_days=14, snapshots=12, valid_snapshots=1, test_snapshots=2, history_days=56)
MODEL = ModelConfig(num_leaves=7, max_trees=60, early_stopping_rounds=10, min_data_in_leaf=20, threads=1)


def build_brand(folder: Path, customers: int = 300, seed: int = 3) -> Store:
    """Return the store of a brand whose customers buy every 3 to 60 days and may stop for good at any time."""
    rng = np.random.default_rng(seed)
    lines = ["card,at,known,row,price,kind,channel"]
    for customer in range(customers):
        pace, at = rng.uniform(2, 60), rng.uniform(0, 200)
        while at < DAYS:
            moment = START + timedelta(days=float(at))
            known = moment + timedelta(days=float(rng.choice([0, 0, 0, 9])))
            kind, channel = (("purchase", "store"), ("view", "web"))[int(rng.random() < 0.3)]
            price = f"{rng.integers(100, 9000) / 100:.2f}" if kind == "purchase" else ""
            lines.append(
                f"{customer:04d},{moment:%Y-%m-%dT%H:%M},{known:%Y-%m-%dT%H:%M},{len(lines)},{price},{kind},{channel}"
            )
            at += rng.exponential(pace)
            if rng.random() < 0.02:
                break
    (folder / "events.csv").write_text("\n".join(lines) + "\n")
    return build_store(folder, {"events": SILO})
