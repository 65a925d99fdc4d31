"""A trained task: LightGBM with its calibration and its feature list, as text and JSON and nothing else."""

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sintonia.calibrator import Calibrator
from sintonia.config import FeaturesConfig, TaskConfig
from sintonia.config.convert import convert
from sintonia.errors import InputError, UnsupportedModelError
from sintonia.features import Feature, Fitted, Plan
from sintonia.forest import ROWS_TO_EXPLAIN, ROWS_TO_SCORE, Forest, fastest, predict_raw
from sintonia.reference import Reference
from sintonia.training_set import catalogue_of, plan_for

if TYPE_CHECKING:
    import lightgbm

FORMAT = 3
MEDIAN = "median.txt"
REFERENCE = "reference.json"
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Model:
    """A trained task: what it asks, what it reads, LightGBM's own text, and the map from score to outcome.

    `fitted` is what its features took from the past before its first training date; scoring uses it as it is. An
    amount has a second forest, of the square root of the median; `median_trees` is empty for a propensity. The
    levels of its categories are `task.categories`. `validation_loss` is that of the trees before they were grown on
    everything, where they stopped. `reference` is what the training rows were like; None where nobody looked.
    """

    task: TaskConfig
    features: FeaturesConfig
    fitted: Fitted
    names: tuple[str, ...]
    trees: str
    calibrator: Calibrator
    source: str
    fingerprint: str
    validation_loss: float = float("nan")
    median_trees: str = ""
    reference: Reference | None = None

    @property
    def outcome(self) -> str:
        """What `outcomes` gives: 'propensity' or 'expected_cents'."""
        return "expected_cents" if self.median_trees else "propensity"

    @cached_property
    def booster(self) -> "lightgbm.Booster":
        """The trees, loaded."""
        import lightgbm

        return lightgbm.Booster(model_str=self.trees)

    @cached_property
    def median_booster(self) -> "lightgbm.Booster":
        """The trees of an amount's median, loaded."""
        import lightgbm

        return lightgbm.Booster(model_str=self.median_trees)

    @cached_property
    def forest(self) -> "Forest | lightgbm.Booster":
        """What scores many rows: the same scores as the trees', to the last bit."""
        return fastest(self.booster, ROWS_TO_SCORE)

    @cached_property
    def median_forest(self) -> "Forest | lightgbm.Booster":
        """What gives many rows their medians."""
        return fastest(self.median_booster, ROWS_TO_SCORE)

    @cached_property
    def explainer(self) -> "Forest | lightgbm.Booster":
        """What gives contributions: one engine for every list, for two differ in the last bits, and chunks must not."""
        return fastest(self.booster, ROWS_TO_EXPLAIN, explain=True)

    @cached_property
    def catalogue(self) -> tuple[Feature, ...]:
        """The features the model reads, as they are made now.

        Raises
        ------
        UnsupportedModelError
            When they are no longer those it was trained on.
        """
        made = catalogue_of(self.task, self.features, self.fitted)
        if (found := tuple(feature.name for feature in made)) != self.names:
            other = sorted({*found} ^ {*self.names}) or ["their order"]
            raise UnsupportedModelError(
                f"The features have changed since the model was trained ({', '.join(other[:3])}); train it again."
            )
        return tuple(made)

    @cached_property
    def names_used(self) -> tuple[str, ...]:
        """The features that some tree splits on, in the order of `names`: scores depend on no other.

        Trees never look at the columns of the others, which may hold anything.
        """
        used: set[int] = set()
        for line in f"{self.trees}\n{self.median_trees}".splitlines():
            key, _, columns = line.partition("=")
            if key == "split_feature":
                used.update(map(int, columns.split()))
        return tuple(name for at, name in enumerate(self.names) if at in used)

    @cached_property
    def columns_used(self) -> NDArray[np.intp]:
        """The columns of `names_used` among `names`.  # (n_used,)"""
        return np.array([self.names.index(name) for name in self.names_used], np.intp)

    @cached_property
    def plan_used(self) -> Plan:
        """How the features that scores depend on are computed, for `rows_of`."""
        return plan_for(self.catalogue, self.task, self.names_used)

    def raw_scores(self, values: NDArray[np.float32], listed: int = 0) -> Floats:
        """Return log-odds, or log amounts, before calibration.  # (n_rows, n_features) to (n_rows,)

        `listed` is how many rows there are in all where these are but some of them: speed and nothing else.
        """
        if not len(values):
            return np.empty(0)
        many = max(len(values), listed) >= ROWS_TO_SCORE
        return np.asarray(predict_raw(self.forest if many else self.booster, values), np.float64)

    def outcomes(self, values: NDArray[np.float32], listed: int = 0) -> Floats:
        """Return calibrated probabilities, or expected cents, each row by itself.

        # (n_rows, n_features) to (n_rows,)
        """
        return self.calibrator.apply(self.raw_scores(values, listed))

    def propensities(self, values: NDArray[np.float32]) -> Floats:
        """Return the outcomes of a task whose label is binary: calibrated probabilities."""
        assert not self.median_trees, "an amount is no probability"
        return self.outcomes(values)

    def median_cents(self, values: NDArray[np.float32], listed: int = 0) -> Floats:
        """Return the amount that one half of such customers exceed: the prediction of least absolute error."""
        if not len(values):
            return np.empty(0)
        many = max(len(values), listed) >= ROWS_TO_SCORE
        roots = predict_raw(self.median_forest if many else self.median_booster, values)
        return np.maximum(np.asarray(roots, np.float64), 0.0) ** 2

    def save(self, folder: Path) -> None:
        """Write `model.txt` and, of an amount, `median.txt` (LightGBM's text), and `model.json` into the folder.

        Beside them `reference.json`, where there is one.
        """
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.txt").write_text(self.trees, encoding="utf-8")
        if self.median_trees:
            (folder / MEDIAN).write_text(self.median_trees, encoding="utf-8")
        if self.reference is not None:
            (folder / REFERENCE).write_text(json.dumps(self.reference.as_plain()), encoding="utf-8")
        told = {
            "format": FORMAT,
            "task": asdict(self.task),
            "features": asdict(self.features),
            "fitted": self.fitted.as_plain(),
            "names": list(self.names),
            "calibrator": json.loads(self.calibrator.to_json()),
            "source": self.source,
            "fingerprint": self.fingerprint,
            "validation_loss": self.validation_loss,
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
        validation_loss=told["validation_loss"],
        median_trees=(folder / MEDIAN).read_text(encoding="utf-8") if (folder / MEDIAN).is_file() else "",
        reference=_read_reference(folder / REFERENCE),
    )


def _read_reference(path: Path) -> Reference | None:
    return Reference.from_plain(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None
