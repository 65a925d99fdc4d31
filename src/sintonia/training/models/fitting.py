"""Fitting a task: trees grown until later dates get no better, calibrated there, and grown again on everything."""

from dataclasses import replace

import numpy as np

from sintonia.core.arrays import Floats
from sintonia.core.config import LIGHTGBM, TrainSettings
from sintonia.core.errors import NotEnoughDataError
from sintonia.data.store import Store
from sintonia.features import Fitted
from sintonia.training.calibration import Calibrator, fit_amounts
from sintonia.training.dataset import Dataset, concatenate_datasets
from sintonia.training.models.boosting import (
    BINARY,
    MEDIAN,
    TWEEDIE,
    BinnedRows,
    BoostedTrees,
    FitRows,
    TreeObjective,
    bin_rows,
    grow_trees,
    regrow,
)
from sintonia.training.models.lightgbm_model import LightGBMModel
from sintonia.training.models.outcome_model import OutcomeModel
from sintonia.training.models.own import fit_calibration, fit_own
from sintonia.training.tasks import find_task


def fit_model(
    train: Dataset, valid: Dataset, settings: TrainSettings, fitted: Fitted, store: Store
) -> OutcomeModel:
    """Return a model of train and validation rows, which the validation rows calibrated.

    `model.name` says of which family: LightGBM's trees, or a class of a user's own (`sintonia.training.models.own`).

    Raises
    ------
    NotEnoughDataError
        When either part holds one outcome only.
    """
    amount = find_task(settings.task).label == "amount"
    _require_outcomes("training", train, amount)
    _require_outcomes("validation", valid, amount)
    empty = LightGBMModel(
        task=settings.task,
        features=settings.features,
        fitted=fitted,
        names=train.names,
        trees="",
        calibrator=Calibrator("sigmoid"),
        source=store.source,
        fingerprint=store.fingerprint,
    )
    if settings.model.name == LIGHTGBM:
        return fit_lightgbm(train, valid, settings, empty)
    return fit_own(train, valid, settings, empty)


def fit_lightgbm(
    train: Dataset, valid: Dataset, settings: TrainSettings, empty: LightGBMModel
) -> LightGBMModel:
    """Return an empty model with LightGBM's trees, whose number and calibration the validation rows chose.

    First the trees are grown on `train` until `valid`, later in time, gets no better; the scores of `valid` under
    those trees give the calibration. Then as many trees are grown on both: with more in proportion to the rows the
    Complete Journey's earlier dates were ranked no better, and the calibration is one of so many trees.
    """
    binned = bin_rows(concatenate_datasets([train, valid]), settings.model)
    rows = np.arange(len(binned.rows))
    part = FitRows(rows[: len(train)], rows[len(train) :])
    target = binned.rows.label.astype(np.float64)
    if not empty.predicts_amounts:
        grown, final_trees = _grow_and_refit(binned, target, part, settings, BINARY)
        scores = grown.raw(valid.values)
        calibrator = fit_calibration(scores, valid, settings.model.calibration, settings.seed)
        return replace(empty, trees=final_trees, calibrator=calibrator, validation_loss=grown.loss)
    # In units of the mean, so that what holds leaves back holds back cents and euros alike.
    grown, final_trees = _grow_and_refit(binned, target / target.mean(), part, settings, TWEEDIE)
    _, median_trees = _grow_and_refit(binned, np.sqrt(target), part, settings, MEDIAN)
    return replace(
        empty,
        trees=final_trees,
        median_trees=median_trees,
        validation_loss=grown.loss,
        calibrator=fit_amounts(grown.raw(valid.values), valid.label),
    )


def _grow_and_refit(
    binned: BinnedRows, target: Floats, part: FitRows, settings: TrainSettings, objective: TreeObjective
) -> tuple[BoostedTrees, str]:
    """Return what grew on the training rows, and the text of what then grew on all."""
    grown = grow_trees(binned, target, part, settings.model, settings.seed, objective)
    refitted = regrow(binned, target, grown.trees, settings.model, settings.seed, objective)
    return grown, refitted.booster.model_to_string()


def _require_outcomes(part: str, rows: Dataset, amount: bool) -> None:
    if amount and not rows.label.any():
        raise NotEnoughDataError(
            f"The {len(rows)} {part} rows have no spend; use more customers, dates or a longer horizon."
        )
    if not amount and len(np.unique(rows.label)) < 2:
        raise NotEnoughDataError(
            f"The {len(rows)} {part} rows have only one outcome; use more customers, dates or a longer horizon."
        )
