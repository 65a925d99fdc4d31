"""The registered model as MLflow's users call it: `mlflow.pyfunc.load_model(...).predict(frame)`.

The signature has doubles, for a missing value has no integer and other clients refuse float32; the cast to what the
trees read is here. What comes in are ready features, or customers' histories as they are in the store.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sintonia.core.config import iso_time
from sintonia.core.errors import InputError, hint
from sintonia.features.from_frames import history_from_frame, is_history
from sintonia.registry.models import load_model
from sintonia.training.models import Model

if TYPE_CHECKING:
    import pandas as pd

AS_OF = "as_of"


class PyfuncModel:
    """A model behind MLflow's signature, for features row by row or for customers' interactions.

    Out comes `propensity` or `expected_cents`, or of a policy a column `gain_<action>` for each action.
    """

    def __init__(self, model: Model) -> None:
        self.model = model

    def predict(self, frame: "pd.DataFrame", params: dict[str, Any] | None = None) -> "pd.DataFrame":
        """Return a row for each row of features; or, of histories, for each customer asked about.

        A frame without the features but with `customer_id`, `occurred_at` and `kind` is histories (see `frames`):
        whole customers, every row known until `params["as_of"]`, an ISO time, now where it is left out. Then the rows
        begin with `customer_id` and, where the task asks about categories, `category`; customers the task does not
        ask about have none.

        Raises
        ------
        InputError
            When a feature or a key is missing.
        """
        missing = [name for name in self.model.names if name not in frame.columns]
        if missing and is_history(frame.columns):
            return self._of_histories(frame, _moment(params or {}))
        if missing:
            columns = [str(column) for column in frame.columns]
            raise InputError(
                f"The model needs the feature '{missing[0]}'; {hint(missing[0], columns)} Or give interactions, with "
                "customer_id, occurred_at and kind."
            )
        # Through float64, as the signature has it: nearest, and of what was float32 the same bits again.
        values = frame[list(self.model.names)].to_numpy(dtype=np.float64, na_value=np.nan).astype(np.float32)
        return self._predicted(values, frame.index)

    def _of_histories(self, frame: "pd.DataFrame", as_of: datetime) -> "pd.DataFrame":
        history = history_from_frame(frame)
        rows = self.model.rows_at(history, as_of)
        table = self._predicted(rows.values, None)
        table.insert(0, "customer_id", rows.customer_id)
        if rows.category is not None:
            categories = np.array(self.model.task.categories, object)
            table.insert(1, "category", categories[rows.category])
        return table

    def _predicted(self, values: "np.ndarray[Any, Any]", index: "pd.Index[Any] | None") -> "pd.DataFrame":
        import pandas as pd

        return pd.DataFrame(self.model.predict(values), index, list(self.model.outputs))


def _moment(params: dict[str, Any]) -> datetime:
    """Return the as-of date asked for, else now."""
    as_of = params.get(AS_OF)
    return iso_time(AS_OF, str(as_of)) if as_of else datetime.now(UTC).replace(tzinfo=None)


def _load_pyfunc(path: str) -> PyfuncModel:
    """Return the model of an artifact folder; MLflow calls this by name."""
    return PyfuncModel(load_model(Path(path)))
