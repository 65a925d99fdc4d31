"""Every kind of model there is, by the name that its folder's `model.json` carries."""

from pathlib import Path

from sintonia.training.models import LightGBMModel, Model, OwnModel
from sintonia.training.models.protocol import read_document
from sintonia.uplift.model import PolicyModel

KINDS: dict[str, type[Model]] = {one.KIND: one for one in (LightGBMModel, OwnModel, PolicyModel)}


def kind_of(folder: Path) -> type[Model]:
    """Return the class of a folder's model, which its `model.json` names.

    Raises
    ------
    InputError
        When the folder holds no model.
    UnsupportedModelError
        When another version of sintonia wrote it.
    """
    return KINDS[read_document(folder, list(KINDS))["kind"]]


def load_model(folder: Path) -> Model:
    """Return the model of a folder, of whatever kind it is.

    Raises
    ------
    InputError
        When the folder holds no model.
    UnsupportedModelError
        When another version of sintonia wrote it.
    """
    return kind_of(folder).load(folder)
