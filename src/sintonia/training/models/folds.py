"""Rolling validation: rows are binned once, and every fold of every trial grows its trees on a share of them.

Bin edges are quantiles of features alone, from rows whose labels end before the test: they know no outcome.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from sintonia.core.arrays import Indices
from sintonia.core.config import ModelConfig, TrainSettings
from sintonia.core.timeline import Fold
from sintonia.training.dataset import Dataset
from sintonia.training.models.boosting import BINARY, TWEEDIE, TreeObjective, bin_rows, lightgbm_parameters
from sintonia.training.tasks import find_task

if TYPE_CHECKING:
    import lightgbm

QUANTISED_FROM = 100_000
"""Rows from which gradients are rounded to a few levels while settings are compared: it halves the time of a fit."""

MIN_LEAVES = 5
"""Leaves that a fold's training rows must be able to fill; with fewer rows, trees cannot split."""

FoldWatch = Callable[[int, int, float], None]
"""Called with a fold (from 0), a number of trees and the best loss so far; what it raises ends the validation."""

ExplainFold: TypeAlias = Callable[["lightgbm.Booster"], Mapping[str, float]]
"""Returns how much each feature family moves the scores of a fold's trees, at the best number of trees."""


@dataclass(frozen=True)
class FoldResult:
    """How the trees of one fold did on its as-of date: `figures` are by LightGBM's metrics, the first is the loss.

    `sizes` is what moves its scores, where somebody asked.
    """

    as_of: str
    train_rows: int
    valid_rows: int
    trees: int
    figures: Mapping[str, float]
    seconds: float
    sizes: Mapping[str, float] = field(default_factory=dict)

    @property
    def loss(self) -> float:
        """What early stopping watched."""
        return next(iter(self.figures.values()))


@dataclass(frozen=True)
class BinnedFolds:
    """Folds as shares of rows that were binned once: LightGBM datasets to learn from and to judge by."""

    folds: tuple[Fold, ...]
    parts: tuple[tuple["lightgbm.Dataset", "lightgbm.Dataset"], ...]
    objective: TreeObjective
    names: tuple[str, ...]
    rows: int


def bin_folds(rows: Dataset, folds: Sequence[Fold], settings: TrainSettings) -> BinnedFolds:
    """Return the folds with both parts of each, binned together.

    A fold is left out when one of its parts holds one outcome only, or its training rows would not fill `MIN_LEAVES`
    leaves of the settings: it can neither teach nor judge.
    """
    amount = find_task(settings.task).label == "amount"
    used = rows.at({as_of for fold in folds for as_of in (*fold.train, fold.valid)})
    min_rows = MIN_LEAVES * settings.model.min_data_in_leaf
    usable = [fold for fold in folds if has_two_outcomes(used, fold) and len(used.at(fold.train)) >= min_rows]
    if not usable:
        return BinnedFolds((), (), BINARY, rows.names, 0)
    binned = bin_rows(used, settings.model)
    target = used.label.astype(np.float64)
    # Amounts in units of their mean, as the model itself is fitted.
    target = target / target.mean() if amount else target
    parts = tuple(
        (
            binned.part(_row_indices(used, fold.train), target),
            binned.part(_row_indices(used, (fold.valid,)), target),
        )
        for fold in usable
    )
    return BinnedFolds(tuple(usable), parts, TWEEDIE if amount else BINARY, rows.names, len(used))


def has_two_outcomes(rows: Dataset, fold: Fold) -> bool:
    """Return whether both parts of a fold hold both outcomes: else it can neither teach nor judge."""
    return all(len(np.unique(rows.at(dates).label > 0)) > 1 for dates in (fold.train, (fold.valid,)))


def _row_indices(rows: Dataset, dates: Sequence[datetime]) -> Indices:
    return np.flatnonzero(np.isin(rows.as_of, np.array(dates, "datetime64[us]")))


def validate_folds(
    binned: BinnedFolds,
    config: ModelConfig,
    seed: int,
    watch: FoldWatch | None = None,
    explain: ExplainFold | None = None,
) -> tuple[FoldResult, ...]:
    """Return how each fold did, oldest (and smallest) first, its trees stopped early by its own as-of date.

    `config` may differ from the one the rows were binned by in anything but its bins; `watch` is told of every tree,
    and what `explain` says of each fold's trees is kept with its result.
    """
    objective = binned.objective
    settings = {
        **lightgbm_parameters(config, seed, objective, binned.names),
        "metric": [objective.metric, *(["auc"] if objective is BINARY else [])],
        "feature_pre_filter": False,
        "use_quantized_grad": binned.rows >= QUANTISED_FROM,
    }
    fits = (_fit_fold(binned, at, settings, config, watch) for at in range(len(binned.folds)))
    return tuple(replace(result, sizes=explain(trees)) if explain else result for result, trees in fits)


def _fit_fold(
    binned: BinnedFolds, fold: int, settings: Mapping[str, Any], config: ModelConfig, watch: FoldWatch | None
) -> "tuple[FoldResult, lightgbm.Booster]":
    import lightgbm

    train, valid = binned.parts[fold]
    started = time.perf_counter()
    callbacks: list[Callable[..., None]] = [
        lightgbm.early_stopping(config.early_stopping_rounds, first_metric_only=True, verbose=False)
    ]
    if watch is not None:
        callbacks.append(_loss_callback(watch, fold))
    grown = lightgbm.train(
        dict(settings), train, num_boost_round=config.max_trees, valid_sets=[valid], callbacks=callbacks
    )
    result = FoldResult(
        as_of=f"{binned.folds[fold].valid:%Y-%m-%d}",
        train_rows=train.num_data(),
        valid_rows=valid.num_data(),
        trees=max(grown.best_iteration, 1),
        figures={name: round(float(value), 6) for name, value in grown.best_score["valid_0"].items()},
        seconds=round(time.perf_counter() - started, 3),
    )
    return result, grown


def _loss_callback(watch: FoldWatch, fold: int) -> Callable[..., None]:
    """Return a callback of LightGBM that tells of the best loss so far."""
    best = np.inf

    def tell(env: Any) -> None:  # noqa: ANN401  LightGBM's own record
        nonlocal best
        best = min(best, env.evaluation_result_list[0][2])
        watch(fold, env.iteration + 1, float(best))

    return tell
