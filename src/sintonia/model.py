"""The model: LightGBM with its calibration and its feature list, as text and JSON and nothing else."""

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sintonia.calibration import Calibrator, fit_calibrator
from sintonia.config import FeaturesConfig, ModelConfig, TaskConfig, TrainSettings
from sintonia.config.convert import convert
from sintonia.errors import InputError, NotEnoughDataError, UnsupportedModelError
from sintonia.features import Feature, Fitted, catalogue
from sintonia.forest import fastest, predict_raw
from sintonia.interactions import Store
from sintonia.training_set import Rows

if TYPE_CHECKING:
    import lightgbm

FORMAT = 2
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Model:
    """A trained task: what it asks, what it reads, LightGBM's own text, and the map from score to propensity.

    `fitted` is what its features took from the past before its first training date; scoring uses it as it is.
    """

    task: TaskConfig
    features: FeaturesConfig
    fitted: Fitted
    names: tuple[str, ...]
    trees: str
    calibrator: Calibrator
    source: str
    fingerprint: str

    @cached_property
    def booster(self) -> "lightgbm.Booster":
        """The trees, loaded."""
        import lightgbm

        return lightgbm.Booster(model_str=self.trees)

    @cached_property
    def catalogue(self) -> tuple[Feature, ...]:
        """The features the model reads, as they are made now.

        Raises
        ------
        UnsupportedModelError
            When they are no longer those it was trained on.
        """
        made = catalogue(self.features, self.fitted)
        if (found := tuple(feature.name for feature in made)) != self.names:
            other = sorted({*found} ^ {*self.names}) or ["their order"]
            raise UnsupportedModelError(
                f"The features have changed since the model was trained ({', '.join(other[:3])}); train it again."
            )
        return tuple(made)

    def raw_scores(self, values: NDArray[np.float32]) -> Floats:
        """Return log-odds before calibration.  # (n_rows, n_features) to (n_rows,)"""
        if not len(values):
            return np.empty(0)
        return np.asarray(predict_raw(fastest(self.booster, len(values)), values), np.float64)

    def propensities(self, values: NDArray[np.float32]) -> Floats:
        """Return calibrated probabilities, each row by itself.  # (n_rows, n_features) to (n_rows,)"""
        return self.calibrator.apply(self.raw_scores(values))

    def save(self, folder: Path) -> None:
        """Write `model.txt` (LightGBM's text) and `model.json` into the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.txt").write_text(self.trees, encoding="utf-8")
        told = {
            "format": FORMAT,
            "task": asdict(self.task),
            "features": asdict(self.features),
            "fitted": self.fitted.as_plain(),
            "names": list(self.names),
            "calibrator": json.loads(self.calibrator.to_json()),
            "source": self.source,
            "fingerprint": self.fingerprint,
        }
        (folder / "model.json").write_text(json.dumps(told, indent=1, sort_keys=True), encoding="utf-8")


def load_model(folder: Path) -> Model:
    """Return the model that `Model.save` wrote.

    Raises
    ------
    InputError
        When the folder holds no model.
    UnsupportedModelError
        When another version of sintonia wrote it.
    """
    if not (folder / "model.json").is_file() or not (folder / "model.txt").is_file():
        raise InputError(f"No model in '{folder}'; it should hold model.txt and model.json.")
    told: dict[str, Any] = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    if told.get("format") != FORMAT:
        raise UnsupportedModelError(
            f"The model in '{folder}' has format {told.get('format')}; this version reads {FORMAT}. Train it again."
        )
    return Model(
        task=TaskConfig(**told["task"]),
        features=convert(FeaturesConfig, told["features"], "features"),
        fitted=Fitted.from_plain(told["fitted"]),
        names=tuple(told["names"]),
        trees=(folder / "model.txt").read_text(encoding="utf-8"),
        calibrator=Calibrator.from_json(json.dumps(told["calibrator"])),
        source=told["source"],
        fingerprint=told["fingerprint"],
    )


def fit_model(train: Rows, valid: Rows, settings: TrainSettings, fitted: Fitted, store: Store) -> Model:
    """Return a model of train and validation rows, whose size and calibration the validation rows chose.

    First the trees are grown on `train` until `valid`, later in time, gets no better; the scores of `valid` under
    those trees give the calibration. Then as many trees are grown on both.

    Raises
    ------
    NotEnoughDataError
        When either part holds one outcome only.
    """
    import lightgbm

    for part, rows in (("training", train), ("validation", valid)):
        if len(np.unique(rows.label)) < 2:
            raise NotEnoughDataError(
                f"The {len(rows)} {part} rows hold one outcome only; use more customers, dates or a longer horizon."
            )
    config = settings.model
    parameters = _parameters(config, settings.seed)
    names = [*train.names]
    grown = lightgbm.train(
        parameters,
        lightgbm.Dataset(train.values, train.label, feature_name=names),
        num_boost_round=config.max_trees,
        valid_sets=[lightgbm.Dataset(valid.values, valid.label, feature_name=names)],
        callbacks=[lightgbm.early_stopping(config.early_stopping_rounds, verbose=False)],
    )
    n_trees = max(grown.best_iteration, 1)
    calibrator = fit_calibrator(
        grown.predict(valid.values, raw_score=True, num_iteration=n_trees), valid.label
    )
    values = np.concatenate([train.values, valid.values])
    labels = np.concatenate([train.label, valid.label])
    final = lightgbm.train(
        parameters, lightgbm.Dataset(values, labels, feature_name=names), num_boost_round=n_trees
    )
    return Model(
        task=settings.task,
        features=settings.features,
        fitted=fitted,
        names=train.names,
        trees=final.model_to_string(),
        calibrator=calibrator,
        source=store.source,
        fingerprint=store.fingerprint,
    )


def _parameters(config: ModelConfig, seed: int) -> dict[str, Any]:
    return {
        "objective": "binary",
        "metric": "binary_logloss",
        "num_leaves": config.num_leaves,
        "learning_rate": config.learning_rate,
        "min_data_in_leaf": config.min_data_in_leaf,
        "feature_fraction": config.feature_fraction,
        "bagging_fraction": config.bagging_fraction,
        "bagging_freq": 1,
        "lambda_l2": config.lambda_l2,
        # Sums in a fixed order: the same seed, configuration and data give the same text, byte for byte.
        "num_threads": config.threads,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
