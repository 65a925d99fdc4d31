"""The categories of a task: those that most customers bought, as known before the first training date."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sintonia.core.config import TaskConfig
from sintonia.core.errors import NotEnoughDataError
from sintonia.core.visibility import visible_rows
from sintonia.training.tasks.task import find_task

CATEGORY_COLUMNS = ("customer_id", "occurred_at", "known_at", "known_until", "kind", "category")


def choose_categories(config: TaskConfig, interactions: Iterable[pa.Table], until: datetime) -> TaskConfig:
    """Return the configuration with its categories: the `top_k` with most buyers among purchases visible at `until`.

    Of equals, in the order of their letters; without those of `config.without`, and without purchases that have no
    category. Categories given by hand stay, and a task that is not by category stays as it is. Each table holds
    whole customers.

    Raises
    ------
    NotEnoughDataError
        When no purchase has a category.
    """
    if not find_task(config).by_category or config.categories:
        return config
    buyers: dict[str, int] = {}
    for table in interactions:
        for category, count in _buyers(table, until):
            buyers[category] = buyers.get(category, 0) + count
    chosen = sorted(buyers.keys() - set(config.without), key=lambda name: (-buyers[name], name))
    if not chosen:
        raise NotEnoughDataError(
            f"No purchase known at {until:%Y-%m-%d} has a category; map `category` in the source, "
            "or give task.categories."
        )
    return replace(config, categories=chosen[: config.top_k])


def _buyers(table: pa.Table, until: datetime) -> list[tuple[str, int]]:
    """Return how many customers bought each category."""
    kind = pc.equal(table["kind"].cast(pa.string()), "purchase")
    has_category = pc.and_(pc.and_(kind, visible_rows(table, until)), pc.is_valid(table["category"]))
    bought = table.filter(has_category).group_by(["category", "customer_id"]).aggregate([])
    names, counts = np.unique(
        np.asarray(bought["category"].cast(pa.string()).to_pylist(), str), return_counts=True
    )
    return list(zip(names.tolist(), counts.tolist(), strict=True))
