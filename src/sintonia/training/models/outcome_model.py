"""What every trained outcome model has, whichever family its scores come from: task, features and calibration."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from sintonia.core.arrays import Floats
from sintonia.core.config import FeaturesConfig, TaskConfig
from sintonia.core.config.convert import from_plain
from sintonia.core.errors import UnsupportedModelError
from sintonia.features import Feature, Fitted, History, Plan
from sintonia.training.calibration import Calibrator
from sintonia.training.dataset import Dataset, catalogue_of, history_rows, plan_for
from sintonia.training.models.protocol import Floats32
from sintonia.training.profile import TrainingProfile
from sintonia.training.tasks import find_task

PROFILE_FILE = "reference.json"


@dataclass(frozen=True, kw_only=True)
class OutcomeModel:
    """A trained task that predicts what happens to a customer: what it asks, what it reads, its calibration.

    How raw scores come about is said by the class of the family: `raw_scores`, `leading_groups`, `contributions`.
    `fitted` is what its features took from the past before its first training date; scoring uses it as it is. The
    levels of its categories are `task.categories`. `validation_loss` is that of what was fitted before it was fitted
    on everything. `profile` is what the training rows were like; None where nobody looked.
    """

    task: TaskConfig
    features: FeaturesConfig
    fitted: Fitted
    names: tuple[str, ...]
    calibrator: Calibrator
    source: str
    fingerprint: str
    validation_loss: float = float("nan")
    profile: TrainingProfile | None = None

    @property
    def predicts_amounts(self) -> bool:
        """Whether outcomes are expected cents; else they are propensities."""
        return find_task(self.task).label == "amount"

    @property
    def outcome(self) -> str:
        """What `outcomes` gives: 'propensity' or 'expected_cents'."""
        return "expected_cents" if self.predicts_amounts else "propensity"

    @property
    def outputs(self) -> tuple[str, ...]:
        """The one column of `predict`."""
        return (self.outcome,)

    @property
    def gives_contributions(self) -> bool:
        """Whether it can say how far each feature moves a score: without that there are no reasons."""
        return False

    @property
    def names_used(self) -> tuple[str, ...]:
        """The features that its answers depend on: all, where the family does not know better."""
        return self.names

    @cached_property
    def columns_used(self) -> NDArray[np.intp]:
        """The columns of `names_used` among `names`.  # (n_used,)"""
        return np.array([self.names.index(name) for name in self.names_used], np.intp)

    @cached_property
    def plan_used(self) -> Plan:
        """How the features that scores depend on are computed, for `history_rows`."""
        return plan_for(self.catalogue, self.task, self.names_used)

    @property
    def own_code(self) -> str:
        """The text of a user's own file that the model runs; "" where there is none."""
        return ""

    @cached_property
    def catalogue(self) -> tuple[Feature, ...]:
        """The features the model reads, as they are made now.

        Raises
        ------
        UnsupportedModelError
            When they are no longer those it was trained on.
        """
        catalogue = catalogue_of(self.task, self.features, self.fitted)
        if (names := tuple(feature.name for feature in catalogue)) != self.names:
            changed = sorted({*names} ^ {*self.names}) or ["their order"]
            raise UnsupportedModelError(
                f"The features have changed since the model was trained ({', '.join(changed[:3])}); train it again."
            )
        return tuple(catalogue)

    def raw_scores(self, values: Floats32, listed: int = 0) -> Floats:
        """Return log-odds, or log amounts, before calibration.  # (n_rows, n_features) to (n_rows,)

        `listed` is how many rows there are in all where these are but some of them: speed and nothing else.
        """
        raise NotImplementedError(type(self).__name__)

    def contributions(self, values: Floats32) -> Floats | None:
        """Return how far each feature moved each raw score, the base last; None of a family that cannot say.

        # (n_rows, n_features + 1)
        """
        return None

    def leading_groups(
        self, values: Floats32, groups: NDArray[np.int64], k: int
    ) -> tuple[NDArray[np.int32], Floats] | None:
        """Return the features that lead the k groups that moved each row most, and the groups' contributions.

        # (n_rows, k) each, as `forest.top_groups` has them; None of a family that gives no contributions.
        """
        return None

    def median_cents(self, values: Floats32, listed: int = 0) -> Floats | None:
        """Return the amount that one half of such customers exceed; None of a family that does not predict it."""
        return None

    def outcomes(self, values: NDArray[np.float32], listed: int = 0) -> Floats:
        """Return calibrated probabilities, or expected cents, each row by itself.

        # (n_rows, n_features) to (n_rows,)
        """
        return self.calibrator.apply(self.raw_scores(values, listed))

    def propensities(self, values: NDArray[np.float32]) -> Floats:
        """Return the outcomes of a task whose label is binary: calibrated probabilities."""
        assert not self.predicts_amounts, "an amount is no probability"
        return self.outcomes(values)

    def predict(self, values: Floats32) -> Floats:
        """Return the outcomes as the one column there is.  # (n_rows, 1)"""
        return self.outcomes(values)[:, np.newaxis]

    def rows_at(self, history: History, as_of: datetime) -> Dataset:
        """Return the rows of customers whom the task asks about, as known at a date."""
        return history_rows(history, as_of, self.catalogue, self.task, self.plan_used)

    def save(self, folder: Path) -> None:
        """Write its files into the folder, `model.json` among them."""
        raise NotImplementedError(type(self).__name__)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Return the model that `save` wrote."""
        raise NotImplementedError(cls.__name__)

    def document(self) -> dict[str, Any]:
        """Return what `model.json` holds of any family."""
        return {
            "task": asdict(self.task),
            "features": asdict(self.features),
            "fitted": self.fitted.as_plain(),
            "names": list(self.names),
            "calibrator": json.loads(self.calibrator.to_json()),
            "source": self.source,
            "fingerprint": self.fingerprint,
            "validation_loss": self.validation_loss,
        }

    def write_profile(self, folder: Path) -> None:
        """Write `reference.json`, where there is a reference."""
        if self.profile is not None:
            (folder / PROFILE_FILE).write_text(json.dumps(self.profile.as_plain()), encoding="utf-8")


def shared_fields(document: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return the fields of an `OutcomeModel` from its folder, as keywords."""
    return {
        "task": from_plain(TaskConfig, document["task"], "task"),
        "features": from_plain(FeaturesConfig, document["features"], "features"),
        "fitted": Fitted.from_plain(document["fitted"]),
        "names": tuple(document["names"]),
        "calibrator": Calibrator.from_json(json.dumps(document["calibrator"])),
        "source": document["source"],
        "fingerprint": document["fingerprint"],
        "validation_loss": document["validation_loss"],
        "profile": _read_profile(folder / PROFILE_FILE),
    }


def _read_profile(path: Path) -> TrainingProfile | None:
    return (
        TrainingProfile.from_plain(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None
    )
