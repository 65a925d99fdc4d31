"""The registered model as MLflow's users call it: `mlflow.pyfunc.load_model(...).predict(features)`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sintonia.errors import InputError, hint
from sintonia.model import Model, load_model

if TYPE_CHECKING:
    import pandas as pd


class PyfuncModel:
    """A model behind MLflow's signature: features in, a frame with `propensity` or `expected_cents` out, row by row."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def predict(self, features: "pd.DataFrame", params: dict[str, Any] | None = None) -> "pd.DataFrame":
        """Return one row per row of `features`, with the column `propensity` (0 to 1), or `expected_cents`.

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
        return pd.DataFrame({self.model.outcome: self.model.outcomes(values)}, index=features.index)


def _load_pyfunc(path: str) -> PyfuncModel:
    """Return the model of an artifact folder; MLflow calls this by name."""
    return PyfuncModel(load_model(Path(path)))
