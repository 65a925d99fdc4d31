"""Columns that may tell of the future: strong ones, of which nothing shows that they were known at the decision.

Strength alone cannot tell: an honest count can reach an AUC of 0.86 where a leak has 0.81. So a strong column is
asked for its time: a value that came after the decision is of no use to it, and a value without a known-at of its
own may have been written, or overwritten, at any later time.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sintonia.core.config import TaskConfig
from sintonia.core.intervals import Estimate
from sintonia.data.store import Store
from sintonia.evaluation.leakage.columns import ColumnAtMoments, columns_at, parquet
from sintonia.evaluation.leakage.strength import strength

Outcomes = tuple[NDArray[np.int8], NDArray[np.bool_]]
"""The label of each moment, and whether its customer is of the first half."""

KNOWN_SHARE = 0.5
ONE_DAY = 0.9
SERIES = 1.1
"""Rows a customer from which a silo is a log of events, each at its time, and no table overwritten in place."""


@dataclass(frozen=True)
class LeakRules:
    """How hard to look: moments to judge on, the AUC from which a column counts as strong, and the draw's seed."""

    rows: int = 5_000
    strong_auc: float = 0.7
    seed: int = 7


@dataclass(frozen=True)
class LeakFinding:
    """One column and the verdict on it.

    `strength` is the AUC of the column alone at the test dates, of the value as it was known at the decision, or, when
    most values were not, of the value as its table has it now. `known_share` is the share of the decisions about
    customers with a value at which one was known already, `late_days` the median time by which the others'
    came too late.
    """

    what: str
    source: str
    column: str
    strength: Estimate | None
    own_known_at: bool
    lag_days: tuple[float, float]
    known_share: float
    late_days: float | None
    may_leak: bool
    why: str

    @property
    def name(self) -> str:
        """How people call the column: an attribute by its name, others by what was counted or averaged."""
        return self.column if self.what == "attribute" else f"{self.what} of {self.column}"


def find_leaks(
    connection: duckdb.DuckDBPyConnection,
    store: Store,
    moments: pa.Table,
    task: TaskConfig,
    rules: LeakRules,
) -> list[LeakFinding]:
    """Return a finding for every column of the store that says anything at the moments; what may leak comes first.

    Parameters
    ----------
    moments
        `customer_id`, `as_of` and `label` of the test dates, as `ask` and `moments_of` give them. Of a customer the
        first counts, for whoever counts twice makes every interval too narrow; `rules.rows` of these are drawn,
        from as few buckets as hold them.
    """
    buckets = _draw(connection, store, moments, rules)
    drawn = connection.execute("SELECT label, half FROM moments ORDER BY row").fetchnumpy()
    outcomes = np.asarray(drawn["label"], np.int8), np.asarray(drawn["half"], bool)
    own = {silo.name: silo.own_known_at for silo in store.silos}
    found = [
        _judge(told, outcomes, own.get(told.source, False), rules)
        for told in columns_at(connection, store.paths.attributes, buckets, task.active_days)
    ]
    return sorted(found, key=lambda one: (not one.may_leak, -(one.strength.value if one.strength else 0)))


def leak_figures(findings: Sequence[LeakFinding]) -> dict[str, Any]:
    """Return the findings as plain JSON values: how many columns, which may leak, and each of them."""
    return {
        "columns": len(findings),
        "may_leak": [f"{found.source}: {found.name}" for found in findings if found.may_leak],
        "findings": [{"name": found.name, **asdict(found)} for found in findings],
    }


def _draw(
    connection: duckdb.DuckDBPyConnection, store: Store, moments: pa.Table, rules: LeakRules
) -> list[Path]:
    """Return the buckets to read; the table `moments` (row, customer_id, as_of, label, half) is their draw."""
    share = min(1.0, rules.rows / max(moments.num_rows, 1))
    buckets = store.buckets[: math.ceil(len(store.buckets) * share)]
    connection.register("given_moments", moments)
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE moments AS
        WITH there AS (SELECT DISTINCT customer_id FROM {parquet(buckets)}),
        firsts AS (
            SELECT customer_id, MIN(as_of) AS as_of, ARG_MIN(label, as_of) AS label,
                   HASH(customer_id, {rules.seed}) AS draw
            FROM given_moments SEMI JOIN there USING (customer_id) GROUP BY customer_id
            ORDER BY draw, customer_id LIMIT {rules.rows})
        SELECT ROW_NUMBER() OVER (ORDER BY draw, customer_id) - 1 AS row, customer_id, as_of, label, row % 2 = 0 AS half
        FROM firsts"""
    )
    connection.unregister("given_moments")
    return buckets


def _judge(told: ColumnAtMoments, outcomes: Outcomes, own_known_at: bool, rules: LeakRules) -> LeakFinding:
    """Return the verdict on one column."""
    late = told.after_days[told.after_days > 0]
    (valued,) = np.isfinite(told.after_days).nonzero()
    known_share = 1 - len(late) / len(valued)
    found = strength(told.then if known_share >= KNOWN_SHARE else told.now, *outcomes)
    finding = LeakFinding(
        what=told.what,
        source=told.source,
        column=told.column,
        strength=found,
        own_known_at=own_known_at,
        lag_days=told.lag_days,
        known_share=known_share,
        late_days=float(np.median(late)) if len(late) else None,
        may_leak=False,
        why="",
    )
    may_leak, why = _verdict(finding, told, rules.strong_auc)
    return replace(finding, may_leak=may_leak, why=why)


def _verdict(found: LeakFinding, told: ColumnAtMoments, strong_auc: float) -> tuple[bool, str]:
    """Return whether the column may leak, and why or why not."""
    if found.strength is None:
        return False, "too few outcomes to say how strong it is"
    if found.strength.low < strong_auc:
        return False, f"not strong: its AUC may be below {strong_auc:g}"
    if found.known_share < KNOWN_SHARE:
        why = (
            f"strong, but known only after the moment of decision: {1 - found.known_share:.0%} of the decisions had no "
            f"value yet, which came {in_words(found.late_days or 0)} later (median)"
        )
        if told.day_share >= ONE_DAY:
            why += (
                f"; {told.day_share:.0%} of its values bear one date, {told.day}, as those of an extract do, "
                "and tell of that day"
            )
        return True, why
    if found.what == "count" or (found.what == "mean" and told.rows_each > SERIES):
        return False, "strong, and every event it is made of carries its own time"
    if not found.own_known_at:
        return True, (
            f"strong, and silo '{found.source}' maps no known_at: a value counts as known since occurred_at, "
            "even if it was written or overwritten later; map the time it reached you as known_at, "
            "or leave the column out"
        )
    return False, "strong, and known before the decision by a known_at of its own"


def in_words(days: float) -> str:
    """Return a time in the unit people would use.

    Examples
    --------
    >>> in_words(0.003), in_words(0.5), in_words(61.2)
    ('4 minutes', '12 hours', '61 days')
    """
    for unit, size in (("day", 1.0), ("hour", 1 / 24), ("minute", 1 / 1440)):
        if days >= size:
            many = round(days / size)
            return f"{many} {unit}{'s' if many > 1 else ''}"
    return "less than a minute"
