"""A family of models of a user's own: one file with one class, `model.name=folder/my_model.py`.

The class is handed arrays and gives arrays; task, features, calibration, registry, pages and promotion are ours. What
it must have, and what it may have, is `Estimator`. A file names it, as `folder/my_model.py` (the only class of the
file that has `fit`) or `folder/my_model.py:MyModel`, or an installed module, `my_package.my_model:MyModel`.

**Trust.** The text of the file is copied into the registered model, so that the model loads where the file is not:
on another machine, in a server, in MLflow. Whoever loads such a model therefore runs the Python in its folder, with
the rights of the process. A pickle is no different in this; but the text can be read beforehand: it is `own_model.py`
in the model's folder, its hash is part of the run's `sintonia.code`, and an approval is tied to its bytes. Load models
with code of their own only from a registry whose writers you trust. Only the one file is copied: what it imports must
be installed where the model is loaded.
"""

import inspect
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from sintonia.core.config import TrainSettings
from sintonia.core.errors import ConfigError, InputError
from sintonia.core.own_code import defined_in, module_of_text, own_module, own_object
from sintonia.core.timeline import Fold
from sintonia.training import forest
from sintonia.training.calibration import Calibrator, choose_calibrator, fit_amounts, fit_calibrator
from sintonia.training.dataset import Dataset, concatenate_datasets
from sintonia.training.models.folds import FoldResult, has_two_outcomes
from sintonia.training.models.outcome_model import OutcomeModel, shared_fields
from sintonia.training.models.protocol import Floats, Floats32, read_document, write_document
from sintonia.training.tasks import find_task

KEY, EXAMPLE = "model.name", "MyModel"
CODE, STATE = "own_model.py", "own"
MIN_PROBABILITY = 1e-12
"""Probabilities and amounts nearer to 0 (and probabilities nearer to 1) have no logarithm to speak of."""
TOLERANCE = 1e-6
"""How far contributions may miss the raw score they should add up to, relative to its size and to 1."""


class Estimator(Protocol):
    """What a user's class has. It is made without arguments.

    Beside these it may have `contributions(values)`, (n_rows, n_features + 1): how far each feature moves each row's
    log-odds (of an amount: its logarithm), what they start from in the last column. Without it lists carry no reasons
    and the page explains no score, and both say so. And it may have `predict_median(values)`, in cents, for amounts.
    """

    def fit(
        self, values: Floats32, label: Floats, *, names: Sequence[str], amount: bool, seed: int
    ) -> object:
        """Learn from rows.

        Parameters
        ----------
        values
            Features, NaN where missing.  # (n_rows, n_features)
        label
            0 or 1, or cents where `amount` is true.  # (n_rows,)
        names
            Of the features.  # (n_features,)
        seed
            For whatever is random: the same seed must give the same model.
        """

    def predict(self, values: Floats32) -> Floats:
        """Return probabilities of 1, or expected cents; each row by itself.  # (n_rows,)"""

    def save(self, folder: Path) -> None:
        """Write what was learned into an empty folder."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Return what `save` wrote."""


REQUIRED_METHODS = ("fit", "predict", "save", "load")


@dataclass(frozen=True, kw_only=True)
class OwnModel(OutcomeModel):
    """A trained task whose scores a user's own class gives; `code` is the text of its file."""

    code: str
    class_name: str
    estimator: Any = field(compare=False)

    KIND = "own"

    @property
    def own_code(self) -> str:
        """The text of the user's file, which the model runs."""
        return self.code

    @property
    def gives_contributions(self) -> bool:
        """Whether the class has `contributions`."""
        return hasattr(self.estimator, "contributions")

    def raw_scores(self, values: Floats32, listed: int = 0) -> Floats:
        """Return log-odds, or log amounts, before calibration.  # (n_rows, n_features) to (n_rows,)"""
        return _raw_scores(self.estimator, self.class_name, values, amount=self.predicts_amounts)

    def contributions(self, values: Floats32) -> Floats | None:
        """Return what the class says of its features, the base last; None where it says nothing.

        # (n_rows, n_features + 1)

        Raises
        ------
        ConfigError
            When they do not add up to the raw scores.
        """
        if not self.gives_contributions:
            return None
        n_rows, n_features = values.shape
        if not n_rows:
            return np.empty((0, n_features + 1))
        parts = np.asarray(self.estimator.contributions(values), np.float64)
        if parts.shape != (n_rows, n_features + 1):
            raise ConfigError(
                f"{KEY}: {self.class_name}.contributions gave {parts.shape} for {n_rows} rows of {n_features} "
                "features; give a column a feature and the base in the last one."
            )
        scores = self.raw_scores(values)
        miss = np.abs(parts.sum(axis=1) - scores) / np.maximum(np.abs(scores), 1.0)
        if miss.max() > TOLERANCE:
            raise ConfigError(
                f"{KEY}: {self.class_name}.contributions miss the log score by {miss.max():.2g}; "
                "with the base they must add up to it."
            )
        return parts

    def leading_groups(
        self, values: Floats32, groups: NDArray[np.int64], k: int
    ) -> tuple[NDArray[np.int32], Floats] | None:
        """Return the features that lead the k groups that moved each row most, and the groups' contributions."""
        parts = self.contributions(values)
        return None if parts is None else forest.leading_groups(parts[:, :-1], groups, k)

    def median_cents(self, values: Floats32, listed: int = 0) -> Floats | None:
        """Return the amount that one half of such customers exceed; None of a class without `predict_median`."""
        if not self.predicts_amounts or not hasattr(self.estimator, "predict_median"):
            return None
        return np.asarray(self.estimator.predict_median(values), np.float64)

    def save(self, folder: Path) -> None:
        """Write `model.json`, the text of the user's file as `own_model.py`, and what the class saves under `own`."""
        write_document(folder, self.KIND, {**self.document(), "class_name": self.class_name})
        (folder / CODE).write_text(self.code, encoding="utf-8")
        (folder / STATE).mkdir(exist_ok=True)
        self.estimator.save(folder / STATE)
        self.write_profile(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Return the model that `save` wrote; the Python in its folder is run (see the module's word on trust).

        Raises
        ------
        InputError
            When the folder holds no such model.
        ConfigError
            When its code cannot be run here.
        """
        document = read_document(folder, [cls.KIND])
        if not (folder / CODE).is_file():
            raise InputError(f"No model in '{folder}'; it should hold {CODE} and model.json.")
        code = (folder / CODE).read_text(encoding="utf-8")
        own = getattr(module_of_text(code, CODE.removesuffix(".py")), document["class_name"])
        return cls(
            **shared_fields(document, folder),
            code=code,
            class_name=document["class_name"],
            estimator=own.load(folder / STATE),
        )


def own_estimator(reference: str) -> tuple[type[Estimator], str]:
    """Return the class that `model.name` names, and the text of its file.

    Raises
    ------
    ConfigError
        When there is no such class, or it lacks what an estimator needs.
    InputError
        When there is no such file or module.
    """
    if reference.endswith(".py"):
        module = own_module(reference, KEY, EXAMPLE)
        classes = [candidate for candidate in defined_in(module, "class") if hasattr(candidate, "fit")]
        if len(classes) != 1:
            raise ConfigError(
                f"{KEY}: '{reference}' defines {len(classes)} classes with fit; name one, {reference}:MyModel."
            )
        (estimator_class,) = classes
    else:
        estimator_class = own_object(reference, KEY, "class", EXAMPLE)
    lacking = [name for name in REQUIRED_METHODS if not callable(getattr(estimator_class, name, None))]
    if lacking:
        raise ConfigError(
            f"{KEY}: {estimator_class.__name__} has no {lacking[0]}; a model needs {', '.join(REQUIRED_METHODS)}."
        )
    file = reference if reference.endswith(".py") else reference.rpartition(":")[0]
    if file.endswith(".py"):
        return estimator_class, Path(file).expanduser().read_text(encoding="utf-8")
    return estimator_class, inspect.getsource(own_module(file, KEY, EXAMPLE))


def fit_own(train: Dataset, valid: Dataset, settings: TrainSettings, empty: OutcomeModel) -> OwnModel:
    """Return a model of a user's class: calibrated on validation rows it has not seen, then fitted on all rows."""
    own, code = own_estimator(settings.model.name)
    amount = empty.predicts_amounts
    estimator = _fit_estimator(own, train, amount=amount, seed=settings.seed)
    scores = _raw_scores(estimator, own.__name__, valid.values, amount=amount)
    model = OwnModel(
        task=empty.task,
        features=empty.features,
        fitted=empty.fitted,
        names=empty.names,
        source=empty.source,
        fingerprint=empty.fingerprint,
        calibrator=fit_amounts(scores, valid.label)
        if amount
        else fit_calibration(scores, valid, settings.model.calibration, settings.seed),
        code=code,
        class_name=own.__name__,
        estimator=_fit_estimator(
            own, concatenate_datasets([train, valid]), amount=amount, seed=settings.seed
        ),
    )
    model.contributions(train.values[:100])  # refused now, and not when the page is drawn
    figures = _fold_figures(scores, valid, amount=amount)
    return replace(model, validation_loss=next(iter(figures.values())))


def validate_own(rows: Dataset, folds: Sequence[Fold], settings: TrainSettings) -> tuple[FoldResult, ...]:
    """Return how a user's class did on each fold's as-of date, oldest first; folds of one outcome are left out."""
    own, _ = own_estimator(settings.model.name)
    amount = find_task(settings.task).label == "amount"
    results = []
    for fold in folds:
        if not has_two_outcomes(rows, fold):
            continue
        started = time.perf_counter()
        train, valid = rows.at(fold.train), rows.at((fold.valid,))
        estimator = _fit_estimator(own, train, amount=amount, seed=settings.seed)
        scores = _raw_scores(estimator, own.__name__, valid.values, amount=amount)
        results.append(
            FoldResult(
                as_of=f"{fold.valid:%Y-%m-%d}",
                train_rows=len(train),
                valid_rows=len(valid),
                trees=0,
                figures=_fold_figures(scores, valid, amount=amount),
                seconds=round(time.perf_counter() - started, 3),
            )
        )
    return tuple(results)


def _fold_figures(scores: Floats, valid: Dataset, *, amount: bool) -> dict[str, float]:
    """Return the loss of raw scores and, of probabilities, their AUC, under LightGBM's names."""
    if amount:
        return {"l1": round(float(np.abs(np.exp(scores) - valid.label).mean()), 6)}
    from sklearn.metrics import roc_auc_score

    loss = float(np.logaddexp(0.0, np.where(valid.label > 0, -scores, scores)).mean())
    return {"binary_logloss": round(loss, 6), "auc": round(float(roc_auc_score(valid.label, scores)), 6)}


def fit_calibration(scores: Floats, valid: Dataset, kind: str, seed: int) -> Calibrator:
    """Return the map from log-odds to probabilities: of the kind in the settings, or whichever serves best."""
    if kind == "best":
        return choose_calibrator(scores, valid.label, valid.customer_id, seed)
    return fit_calibrator(scores, valid.label, kind)


def _fit_estimator(own: type[Estimator], rows: Dataset, *, amount: bool, seed: int) -> Estimator:
    estimator = own()
    estimator.fit(rows.values, rows.label.astype(np.float64), names=rows.names, amount=amount, seed=seed)
    return estimator


def _raw_scores(estimator: Estimator, name: str, values: Floats32, *, amount: bool) -> Floats:
    """Return the logarithms of what a class predicts: of the odds, or of the amount."""
    if not len(values):
        return np.empty(0)
    answer = np.asarray(estimator.predict(values), np.float64)
    if answer.shape != (len(values),) or not np.isfinite(answer).all():
        raise ConfigError(
            f"{KEY}: {name}.predict gave {answer.shape} for {len(values)} rows, or no number; give one number a row."
        )
    if amount:
        return np.log(np.maximum(answer, MIN_PROBABILITY))
    if answer.min() < 0 or answer.max() > 1:
        raise ConfigError(
            f"{KEY}: {name}.predict gave {answer.min():.3g} to {answer.max():.3g}; give probabilities."
        )
    inside = np.clip(answer, MIN_PROBABILITY, 1 - MIN_PROBABILITY)
    return np.log(inside) - np.log1p(-inside)
