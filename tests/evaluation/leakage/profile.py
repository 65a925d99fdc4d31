"""A brand whose profile tables tell of the present in every way a profile table can, and one that does not."""

from datetime import timedelta
from pathlib import Path

import numpy as np

from brand import DAYS, SILO, SPLIT, START, TASK
from builder import build_store
from sintonia.core.config import SiloConfig
from sintonia.core.timeline import Split, split_snapshots
from sintonia.data.store import Store
from sintonia.evaluation.leakage import label_moments
from sintonia.training.tasks import label_kinds

EXTRACT = START + timedelta(days=DAYS + 10)
PROFILE = {"path": "profile.csv", "identifiers": {"card": "card"}}
SILOS = {
    "events": SILO,
    # Written on the day of the extract, as it says of itself.
    "updated_today": SiloConfig(
        **PROFILE,
        occurred_at="extracted",
        known_at="extracted",
        attributes={"days_active": "days_active", "eye": "eye"},
    ),
    # Written on the same day, and mapped as if it had been so since the registration.
    "since_registration": SiloConfig(
        **PROFILE,
        occurred_at="registered",
        attributes={"last_seen": "last_seen", "eyes": "eye"},
    ),
    # Asked at the registration, as the table can show.
    "asked_once": SiloConfig(
        **PROFILE, occurred_at="registered", known_at="loaded", attributes={"pace": "pace"}
    ),
}


def build_profiled(folder: Path, customers: int = 400, seed: int = 3) -> Store:
    """Return a brand whose customers buy at their own pace until they stop for good.

    `days_active` and `last_seen` (a date) are read off the whole history; `pace` shows from the start whether one
    buys often; the colour of the eyes means nothing.
    """
    rng = np.random.default_rng(seed)
    events, profile = (
        ["card,at,known,row,price,kind,channel"],
        ["card,registered,loaded,extracted,days_active,last_seen,pace,eye"],
    )
    for customer in range(customers):
        pace, end = float(rng.choice([5, 45])), rng.uniform(60, DAYS)
        days = np.append(rng.uniform(0, 20), np.arange(20, end, pace) + rng.uniform(0, 5))
        for day in days:
            at = f"{START + timedelta(days=float(day)):%Y-%m-%dT%H:%M}"
            events.append(f"{customer:04d},{at},{at},{len(events)},{rng.integers(1, 90)},purchase,store")
        first, last = (START + timedelta(days=float(days[place])) for place in (0, -1))
        profile.append(
            f"{customer:04d},{first:%Y-%m-%d},{first:%Y-%m-%d},{EXTRACT:%Y-%m-%d},"
            f"{(last - first).days},{last:%Y-%m-%d},{pace},{rng.choice(['brown', 'blue', 'green'])}"
        )
    (folder / "events.csv").write_text("\n".join(events) + "\n")
    (folder / "profile.csv").write_text("\n".join(profile) + "\n")
    return build_store(folder, SILOS)


def split_of(store: Store) -> Split:
    """Return the split of the brand's churn task."""
    kinds = label_kinds(TASK)
    return split_snapshots(SPLIT, TASK, store.data_from(kinds), store.data_until(kinds))


def moments_for(store: Store):
    """Return all moments of decision of the brand's churn task."""
    return label_moments(store, split_of(store), TASK, 5000)
