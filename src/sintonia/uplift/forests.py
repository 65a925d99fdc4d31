"""Trees over customers and actions together: one forest for all actions, its size found on customers it has not seen.

A row is a decision's features, then the action's attributes, then the action itself as a category; so actions that
are alike share what is learned, and an unseen action is predicted from its attributes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from sintonia.core.arrays import Floats, Floats32, Ints
from sintonia.core.config import ModelConfig
from sintonia.training.forest import fastest_engine, predict_raw
from sintonia.uplift.logged import Actions

if TYPE_CHECKING:
    import lightgbm


def tree_inputs(values: Floats32, actions: Actions, action: Ints) -> Floats32:
    """Return the rows trees look at: features, attributes of the action, the action.  # (n, n_columns)"""
    taken = action[:, None].astype(np.float32)
    return np.hstack([values, actions.attributes[action].astype(np.float32), taken])


@dataclass(frozen=True)
class OutcomeTrees:
    """Grown trees as LightGBM's text; none where nothing could be learned, which predicts 0."""

    trees: str | None

    @cached_property
    def booster(self) -> "lightgbm.Booster":
        """The trees, loaded."""
        import lightgbm

        return lightgbm.Booster(model_str=self.trees)

    def predict(self, values: Floats32, actions: Actions) -> Floats:
        """Return what the trees say of each action at each decision.  # (n, n_actions)"""
        predicted = np.zeros((len(values), len(actions)))
        if self.trees is None or not len(values):
            return predicted
        engine = fastest_engine(self.booster, predicted.size)
        for index in range(len(actions)):
            predicted[:, index] = predict_raw(
                engine, tree_inputs(values, actions, np.full(len(values), index))
            )
        return predicted

    def predict_rows(self, rows: Floats32) -> Floats:
        """Return what the trees say of rows as they were grown on.  # (n_rows,)"""
        if self.trees is None or not len(rows):
            return np.zeros(len(rows))
        return predict_raw(fastest_engine(self.booster, len(rows)), rows)


@dataclass(frozen=True)
class TrainingExamples:
    """What trees learn from: rows, what they should say, the fold of each row's customer, and how much it counts."""

    rows: Floats32  # (n_rows, n_columns)
    target: Floats  # (n_rows,)
    fold: Ints  # (n_rows,)
    weight: Floats | None = None  # (n_rows,), None for all alike

    def loss_of_zero(self) -> float:
        """Return the mean squared error of saying 0."""
        return float(np.average(self.target**2, weights=self.weight))

    def weight_share(self, rows: Ints) -> float:
        """Return how much of all that counts these rows are."""
        if self.weight is None:
            return len(rows) / len(self.target)
        return float(self.weight[rows].sum() / self.weight.sum())


@dataclass(frozen=True)
class CrossFittedTrees:
    """A forest of all examples, and one of all folds but one for each fold; `trees` is how many each has."""

    full: OutcomeTrees
    without_fold: tuple[OutcomeTrees, ...]
    trees: int


def grow_outcome_trees(
    examples: TrainingExamples, folds: int, config: ModelConfig, seed: int, constant: bool = True
) -> CrossFittedTrees:
    """Return forests of as many trees as predict the customers of left-out folds best, by squared error.

    With `constant` the first thing learned is the mean; without, the trees start from 0 and none at all are kept
    unless they are better than 0.
    """
    import lightgbm

    parameters = {**_parameters(config, seed), "boost_from_average": constant}
    action_column = examples.rows.shape[1] - 1
    dataset = lightgbm.Dataset(
        examples.rows,
        examples.target,
        weight=examples.weight,
        categorical_feature=[action_column],
        free_raw_data=False,
        params=parameters,
    ).construct()
    boosters, losses = [], []
    for fold in range(folds):
        recorded: dict[str, dict[str, list[float]]] = {}
        inside, outside = np.flatnonzero(examples.fold != fold), np.flatnonzero(examples.fold == fold)
        booster = lightgbm.train(
            parameters,
            dataset.subset(inside),
            config.max_trees,
            valid_sets=[dataset.subset(outside)],
            callbacks=[
                lightgbm.early_stopping(config.early_stopping_rounds, verbose=False),
                lightgbm.record_evaluation(recorded),
            ],
        )
        boosters.append(booster)
        losses.append(np.array(recorded["valid_0"]["l2"]) * examples.weight_share(outside))
    trees, loss = _best_size(losses)
    if not constant and loss >= examples.loss_of_zero():
        return CrossFittedTrees(OutcomeTrees(None), (OutcomeTrees(None),) * folds, 0)
    full = lightgbm.train(parameters, dataset, trees)
    without_fold = tuple(OutcomeTrees(one.model_to_string(num_iteration=trees)) for one in boosters)
    return CrossFittedTrees(OutcomeTrees(full.model_to_string()), without_fold, trees)


def _best_size(losses: Sequence[Floats]) -> tuple[int, float]:
    """Return the number of trees with the least loss over all folds, and that loss.

    Every fold was grown for a while beyond its own best, the shortest says how far all can be compared.
    """
    shortest = min(map(len, losses))
    total = np.sum([fold_losses[:shortest] for fold_losses in losses], axis=0)
    return int(total.argmin()) + 1, float(total.min())


def _parameters(config: ModelConfig, seed: int) -> dict[str, Any]:
    return {
        "objective": "l2",
        "metric": "l2",
        "num_leaves": config.num_leaves,
        "learning_rate": config.learning_rate,
        "min_data_in_leaf": config.min_data_in_leaf,
        "feature_fraction": config.feature_fraction,
        "bagging_fraction": config.bagging_fraction,
        "bagging_freq": 1,
        "max_bin": config.max_bin,
        "lambda_l2": config.lambda_l2,
        # Sums in a fixed order: the same seed, configuration and data give the same text, byte for byte.
        "num_threads": config.threads,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
