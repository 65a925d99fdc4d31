"""Growing LightGBM trees on bins that are made once, and shared by folds, trials and the last fit.

Binning and its memory are most of what many fits on the same rows cost; a part of a binned table needs no second.
Bins are edges of the features' values and see no label.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sintonia.core.arrays import Floats, Indices
from sintonia.core.config import ModelConfig
from sintonia.core.errors import unknown
from sintonia.training.dataset import Dataset

if TYPE_CHECKING:
    import lightgbm


CATEGORICAL = ("category__which",)
"""Columns that hold the place of a category, not a number."""


@dataclass(frozen=True)
class TreeObjective:
    """What trees are grown for, in LightGBM's names: the loss they go down, and the one that stops them."""

    name: str
    metric: str
    parameters: tuple[tuple[str, float], ...] = ()


BINARY = TreeObjective("binary", "binary_logloss")
# Between Poisson (1) and gamma (2): many customers spend nothing, the others widely.
TWEEDIE = TreeObjective("tweedie", "tweedie", (("tweedie_variance_power", 1.5),))
MEDIAN = TreeObjective("regression_l1", "l1")


@dataclass(frozen=True)
class BinnedRows:
    """Rows and their bins."""

    rows: Dataset
    data: "lightgbm.Dataset"

    def part(self, rows: Indices, target: Floats) -> "lightgbm.Dataset":
        """Return the binned rows of these places, ascending, with their part of the target.  # (n_rows,)"""
        subset = self.data.subset(rows)
        subset.construct()
        return subset.set_label(target[rows])


@dataclass(frozen=True)
class BoostedTrees:
    """A forest of one output, and how many trees served the judging rows best (all, where none judged)."""

    booster: "lightgbm.Booster"
    trees: int
    loss: float

    def raw(self, values: NDArray[np.float32]) -> Floats:
        """Return raw scores by the trees that served best.  # (n_rows, n_features) to (n_rows,)"""
        return np.asarray(self.booster.predict(values, raw_score=True, num_iteration=self.trees), np.float64)


@dataclass(frozen=True)
class FitRows:
    """One fit of several on the same bins: the places of the rows that teach and of those that judge."""

    train: Indices
    valid: Indices


def bin_rows(rows: Dataset, config: ModelConfig) -> BinnedRows:
    """Return the rows with their values in at most `config.max_bin` bins a feature."""
    import lightgbm

    data = lightgbm.Dataset(
        rows.values,
        feature_name=[*rows.names],
        categorical_feature=[name for name in rows.names if name in CATEGORICAL],
        # Of parts with leaves of other sizes, which features can split is not known here.
        params={"max_bin": config.max_bin, "feature_pre_filter": False, **_shared_parameters(config)},
        free_raw_data=False,
    )
    data.construct()
    return BinnedRows(rows, data)


def grow_trees(
    binned: BinnedRows,
    target: Floats,
    part: FitRows,
    config: ModelConfig,
    seed: int,
    objective: TreeObjective = BINARY,
) -> BoostedTrees:
    """Return trees grown on a part's training rows until its judging rows, later in time, get no better."""
    import lightgbm

    valid = binned.part(part.valid, target)
    booster = lightgbm.train(
        lightgbm_parameters(config, seed, objective, binned.rows.names),
        binned.part(part.train, target),
        num_boost_round=config.max_trees,
        valid_sets=[valid],
        callbacks=[lightgbm.early_stopping(config.early_stopping_rounds, verbose=False)],
    )
    loss = booster.best_score["valid_0"][objective.metric]
    return BoostedTrees(booster, max(booster.best_iteration, 1), float(loss))


def regrow(
    binned: BinnedRows,
    target: Floats,
    trees: int,
    config: ModelConfig,
    seed: int,
    objective: TreeObjective = BINARY,
) -> BoostedTrees:
    """Return so many trees grown on all rows."""
    import lightgbm

    settings = lightgbm_parameters(config, seed, objective, binned.rows.names)
    all_rows = binned.part(np.arange(len(binned.rows)), target)
    return BoostedTrees(lightgbm.train(settings, all_rows, num_boost_round=trees), trees, float("nan"))


def lightgbm_parameters(
    config: ModelConfig, seed: int, objective: TreeObjective, names: Sequence[str]
) -> dict[str, Any]:
    """Return LightGBM's parameters: no class weights, and the same text for the same seed, settings and data.

    Raises
    ------
    ConfigError
        When a pattern of `config.monotone_constraints` meets no feature.
    """
    return {
        "objective": objective.name,
        "metric": objective.metric,
        **dict(objective.parameters),
        "num_leaves": config.num_leaves,
        "learning_rate": config.learning_rate,
        "min_data_in_leaf": config.min_data_in_leaf,
        "feature_fraction": config.feature_fraction,
        "bagging_fraction": config.bagging_fraction,
        "bagging_freq": 1,
        "lambda_l2": config.lambda_l2,
        "max_bin": config.max_bin,
        **({"monotone_constraints": monotone_constraints(config, names)} if config.monotone else {}),
        "seed": seed,
        **_shared_parameters(config),
    }


def monotone_constraints(config: ModelConfig, names: Sequence[str]) -> list[int]:
    """Return each feature's constraint: 1 the score may only rise with it, -1 only fall, 0 either.

    Raises
    ------
    ConfigError
        When a pattern meets no feature.

    Examples
    --------
    >>> config = ModelConfig(monotone={"rfm__orders__*": -1})
    >>> monotone_constraints(config, ["rfm__days_since_purchase", "rfm__orders__30d"])
    [0, -1]
    """
    for pattern in config.monotone:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise unknown("feature in model.monotone_constraints", pattern, names)
    directions = [
        [direction for pattern, direction in config.monotone.items() if fnmatchcase(name, pattern)]
        for name in names
    ]
    return [matches[-1] if matches else 0 for matches in directions]


def _shared_parameters(config: ModelConfig) -> dict[str, Any]:
    # Sums in a fixed order: the same seed, configuration and data give the same text, byte for byte.
    return {"num_threads": config.threads, "deterministic": True, "force_row_wise": True, "verbosity": -1}
