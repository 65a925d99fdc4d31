"""Is a model still about these customers? How far they lie from those it learned from, and how old model and data are.

The population stability index compares two distributions over the training's deciles: sum of (now - then) x
ln(now / then). Below 0.1 is usually called no change and above 0.25 a large one (Siddiqi 2006). Of few customers it
is large by chance alone, so that it counts only beyond what chance would give one time in a thousand: with B parts,
n customers and m training rows, chi-squared with B - 1 degrees of freedom times (1/n + 1/m).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sintonia.core.arrays import Ints
from sintonia.core.config import DriftConfig, iso_time
from sintonia.core.errors import DriftError
from sintonia.training.models import OutcomeModel
from sintonia.training.profile import Deciles, TrainingProfile, count_by_bin

SCORE = "the score"
CHANCE = 0.001


@dataclass(frozen=True)
class BinCounts:
    """How many of the customers scored lie in each part of each column: features in order, then the score.

    Tallies of chunks add up to that of the list.
    """

    columns: tuple[Ints, ...]

    def __add__(self, other: "BinCounts") -> "BinCounts":
        return BinCounts(
            tuple(mine + theirs for mine, theirs in zip(self.columns, other.columns, strict=True))
        )


@dataclass(frozen=True)
class ColumnDrift:
    """A column's stability index, and what chance alone would stay under."""

    name: str
    psi: float
    chance: float

    def beyond(self, bound: float) -> bool:
        """Return whether the index lies above the bound by more than chance."""
        return self.psi > bound + self.chance


@dataclass(frozen=True)
class Drift:
    """The columns of a list by how far they moved, the furthest first, over so many rows."""

    rows: int
    moved: tuple[ColumnDrift, ...]

    def beyond(self, bound: float) -> tuple[ColumnDrift, ...]:
        """Return the columns that moved further than the bound, surely."""
        return tuple(column_drift for column_drift in self.moved if column_drift.beyond(bound))


def count_bins(
    reference: TrainingProfile, values: NDArray[np.float32], outcome: NDArray[np.float64]
) -> BinCounts:
    """Return the tally of rows scored.  # values (n_rows, n_features), outcome (n_rows,)"""
    columns = [count_by_bin(values[:, index], column.edges) for index, column in enumerate(reference.columns)]
    if reference.prediction_deciles is not None:
        columns.append(count_by_bin(outcome, reference.prediction_deciles.edges))
    return BinCounts(tuple(columns))


def drift_of_model(model: OutcomeModel, tallies: "list[BinCounts]") -> Drift:
    """Return how far the rows of the tallies lie from the training; nothing, of a model without a reference.

    By the features the model uses and its score: how others moved changes none of its scores.
    """
    if model.profile is None:
        return Drift(0, ())
    return drift_from(model.profile.of_columns(model.columns_used.tolist()), model.names_used, tallies)


def drift_from(reference: TrainingProfile, names: Sequence[str], tallies: Sequence[BinCounts]) -> Drift:
    """Return how far the rows of the tallies lie from a reference whose features have these names."""
    if not tallies:
        return Drift(0, ())
    total = reduce(BinCounts.__add__, tallies)
    columns = [*reference.columns, *([reference.prediction_deciles] if reference.prediction_deciles else [])]
    moved = [
        _column_drift(name, counts, column, reference.rows)
        for name, counts, column in zip([*names, SCORE], total.columns, columns, strict=False)
    ]
    rows = int(total.columns[0].sum()) if total.columns else 0
    return Drift(
        rows,
        tuple(sorted(moved, key=lambda column_drift: -(column_drift.psi - column_drift.chance)))
        if rows
        else (),
    )


def _column_drift(name: str, counts: Ints, column: Deciles, rows: int) -> ColumnDrift:
    from scipy.stats import chi2

    n, before_counts = int(counts.sum()), np.array(column.shares) * rows
    occupied = (counts > 0) | (before_counts > 0)
    parts = int(occupied.sum())
    if parts < 2 or not n:
        return ColumnDrift(name, 0.0, 0.0)
    # Half a row in each part: an empty one has no logarithm.
    now, before = ((part[occupied] + 0.5) / (part.sum() + 0.5 * parts) for part in (counts, before_counts))
    psi = float(np.sum((now - before) * np.log(now / before)))
    return ColumnDrift(name, psi, float(chi2.ppf(1 - CHANCE, parts - 1) * (1 / n + 1 / rows)))


@dataclass(frozen=True)
class DriftCheck:
    """What to know before a list is used: its drift, what to look at, and what the bounds refuse."""

    drift: Drift
    warnings: tuple[str, ...]
    refusals: tuple[str, ...]

    def refuse(self, force: bool) -> None:
        """Raise DriftError where a bound is passed and not overridden.

        Raises
        ------
        DriftError
            With every bound that was passed.
        """
        if self.refusals and not force:
            raise DriftError(
                f"{' '.join(self.refusals)} Train the model again, or override with force=true, which is recorded."
            )

    def figures(self, force: bool) -> dict[str, Any]:
        """Return JSON values: the ten columns that moved furthest, warnings, and bounds that were overridden."""
        return {
            "rows": self.drift.rows,
            "psi": {one.name: round(one.psi, 4) for one in self.drift.moved[:10]},
            "warnings": list(self.warnings),
            "forced": list(self.refusals) if force else [],
        }


def check_drift(
    model: OutcomeModel, drift: Drift, config: DriftConfig, *, as_of: datetime, newest: datetime
) -> DriftCheck:
    """Return the drift check of a list scored as of `as_of`, of a store whose data end at `newest`."""
    reference, task = model.profile, model.task
    definitions = {feature.name: feature.definition for feature in model.catalogue}
    named = Drift(
        drift.rows,
        tuple(
            replace(column_drift, name=definitions.get(column_drift.name, column_drift.name))
            for column_drift in drift.moved
        ),
    )
    warnings = [_drift_sentence(task.name, named, bound)] if named.beyond(bound := config.warn_above) else []
    refusals = []
    if config.refuse_above is not None and named.beyond(config.refuse_above):
        refusals.append(_drift_sentence(task.name, named, config.refuse_above))
    today = iso_time("drift.today", config.today) if config.today else datetime.now(UTC).replace(tzinfo=None)
    ages = {
        f"The model of '{task.name}' was trained on data until": (
            None if reference is None else reference.until,
            as_of,
        ),
        "The store has data until": (newest, today),
    }
    for what, (until, now) in ages.items():
        days = 0 if until is None else (now - until).days
        sentence = f"{what} {until:%Y-%m-%d}, {days} days before {now:%Y-%m-%d}" if until else ""
        # A table without dates is as old as whoever wrote its date said.
        if days > task.horizon_days and not task.attribute:
            warnings.append(f"{sentence}: longer than the task's horizon of {task.horizon_days} days.")
        if config.refuse_older_days is not None and days > config.refuse_older_days:
            refusals.append(f"{sentence}: older than drift.refuse_older_days={config.refuse_older_days}.")
    return DriftCheck(drift, tuple(warnings), tuple(refusals))


def _drift_sentence(task: str, drift: Drift, bound: float) -> str:
    drifted = drift.beyond(bound)
    named = "; ".join(f"{column_drift.name} {column_drift.psi:.2f}" for column_drift in drifted[:3])
    return (
        f"The customers scored for '{task}' ({drift.rows:,} rows) have drifted from the training data: "
        f"{len(drifted)} of {len(drift.moved)} columns have a population stability index above {bound:g} ({named})."
    )
