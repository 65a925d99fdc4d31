"""The registered model as MLflow's users call it: `mlflow.pyfunc.load_model(...).predict(features)`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sintonia.errors import InputError, hint
from sintonia.model import Model, load_model
from sintonia.uplift.saved import FILE, PolicyModel, load_policy

if TYPE_CHECKING:
    import pandas as pd


class PyfuncModel:
    """A model behind MLflow's signature: a frame of features in, a frame out, row by row.

    Out comes `propensity` or `expected_cents`, or of a policy a column `gain_<action>` for each action.
    """

    def __init__(self, model: Model | PolicyModel) -> None:
        self.model = model

    def predict(self, features: "pd.DataFrame", params: dict[str, Any] | None = None) -> "pd.DataFrame":
        """Return one row per row of `features`: `propensity` (0 to 1), `expected_cents`, or each action's gain.

        Raises
        ------
        InputError
            When a feature is missing.
        """
        import pandas as pd

        missing = [name for name in self.model.names if name not in features.columns]
        if missing:
            found = [str(column) for column in features.columns]
            raise InputError(f"The model needs the feature '{missing[0]}'; {hint(missing[0], found)}")
        values = features[list(self.model.names)].to_numpy(dtype=np.float32)
        if isinstance(self.model, Model):
            return pd.DataFrame({self.model.outcome: self.model.outcomes(values)}, index=features.index)
        return pd.DataFrame(self.model.predict(values), features.index, list(self.model.outputs))


def _load_pyfunc(path: str) -> PyfuncModel:
    """Return the model of an artifact folder; MLflow calls this by name."""
    policy = (Path(path) / FILE).is_file()
    return PyfuncModel(load_policy(Path(path)) if policy else load_model(Path(path)))
