"""The protocol of registered models, and the document in their folders."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from sintonia.core.config import FeaturesConfig, TaskConfig
from sintonia.core.errors import InputError, UnsupportedModelError
from sintonia.features import Feature, Fitted, History
from sintonia.training.dataset import Dataset
from sintonia.training.profile import TrainingProfile

FORMAT = 4
"""Of a model's folder. Formats 2 (a policy's) and 3 had no `kind`; what they hold is read as it was."""
DOCUMENT = "model.json"
OLD_POLICY = "policy.json"
OLD_FORMATS = {DOCUMENT: (3, "lightgbm"), OLD_POLICY: (2, "policy")}

Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]


class Model(Protocol):
    """A trained model, as the registry keeps it: what it answers, from which features, and its files.

    `fitted` is what its features took from the past; scoring uses it as it is. `names` are the columns of the values
    it is handed, in their order. `profile` is what its training rows were like; None where nobody looked.
    """

    @property
    def task(self) -> TaskConfig:
        """The question it answers."""

    @property
    def features(self) -> FeaturesConfig:
        """The settings of the features it reads."""

    @property
    def fitted(self) -> Fitted:
        """What its features took from the past."""

    @property
    def names(self) -> tuple[str, ...]:
        """The features it reads, in the order of the columns of `values`."""

    @property
    def names_used(self) -> tuple[str, ...]:
        """Those of the features that its answers depend on: with any other values of the rest they are the same."""

    @property
    def catalogue(self) -> tuple[Feature, ...]:
        """The features it reads, as they are computed now."""

    @property
    def source(self) -> str:
        """The brand it learned from."""

    @property
    def fingerprint(self) -> str:
        """Which data it learned from."""

    @property
    def profile(self) -> TrainingProfile | None:
        """What its training rows were like; None where nobody looked."""

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of what it predicts."""

    @property
    def own_code(self) -> str:
        """The text of a user's own file that the model runs; "" where there is none."""

    def predict(self, values: Floats32) -> Floats:
        """Return a column an output.  # (n_rows, n_features) to (n_rows, n_outputs)"""

    def contributions(self, values: Floats32) -> Floats | None:
        """Return how far each feature moved each row's raw score, and in the last column what they start from.

        # (n_rows, n_features + 1), rows sum to the raw scores; None of a model that gives no contributions.
        """

    def rows_at(self, history: History, as_of: datetime) -> Dataset:
        """Return the rows it answers for of customers' histories, as known at a date."""

    def save(self, folder: Path) -> None:
        """Write its files into the folder, `model.json` among them."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Return the model that `save` wrote."""


def write_document(folder: Path, kind: str, document: Mapping[str, Any]) -> None:
    """Write `model.json` with the format, the kind that loads the folder again, and what the model has to say."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"format": FORMAT, "kind": kind, **document}, indent=1, sort_keys=True)
    (folder / DOCUMENT).write_text(text, encoding="utf-8")


def read_document(folder: Path, kinds: Sequence[str]) -> dict[str, Any]:
    """Return what `write_document` wrote, or the same of a folder of an older format.

    Raises
    ------
    InputError
        When the folder holds no model.
    UnsupportedModelError
        When another version of sintonia wrote it, or its kind is none of `kinds`.
    """
    path = next((folder / name for name in OLD_FORMATS if (folder / name).is_file()), None)
    if path is None:
        raise InputError(f"No model in '{folder}'; it should hold {DOCUMENT}.")
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    old_format, old_kind = OLD_FORMATS[path.name]
    if document.get("format") == old_format:
        document["kind"] = old_kind
    elif document.get("format") != FORMAT:
        raise UnsupportedModelError(
            f"The model in '{folder}' has format {document.get('format')}; this version reads {FORMAT} and "
            f"{old_format}. Train it again."
        )
    if document["kind"] not in kinds:
        raise UnsupportedModelError(
            f"The model in '{folder}' is of kind '{document['kind']}'; expected {' or '.join(kinds)}."
        )
    return document
