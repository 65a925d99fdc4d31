"""What a model has to beat: a rule on recency alone, and a logistic regression on four numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sintonia.config import FeaturesConfig
from sintonia.features import Feature, Fitted, catalogue
from sintonia.training_set import Rows

RECENCY = "rfm__days_since_purchase"
RFM = (RECENCY, "rfm__orders__365d", "rfm__amount__365d", "rfm__days_since_first_purchase")
NEEDS = FeaturesConfig(families=["rfm"], windows_days=[365])
NOTHING = Fitted(datetime.min)  # rfm takes nothing from the past of all

Floats = NDArray[np.float64]


def with_baselines(features: Sequence[Feature]) -> list[Feature]:
    """Return the features with what the baselines need beside them."""
    there = {feature.name for feature in features}
    needed = [feature for feature in catalogue(NEEDS, NOTHING) if feature.name in RFM]
    return [*features, *(feature for feature in needed if feature.name not in there)]


@dataclass(frozen=True)
class Baselines:
    """Both baselines, fitted on the rows that trained the model."""

    recency_rule: Any
    rfm_logistic: Any
    longest_days: float

    def propensities(self, rows: Rows) -> dict[str, Floats]:
        """Return each baseline's propensities: name to (n_rows,)."""
        recency = _columns(rows, (RECENCY,), self.longest_days)[:, 0]
        numbers = _columns(rows, RFM, self.longest_days)
        return {
            "recency rule": np.asarray(self.recency_rule.predict(recency), np.float64),
            "RFM logistic": np.asarray(self.rfm_logistic.predict_proba(numbers)[:, 1], np.float64),
        }


def fit_baselines(rows: Rows) -> Baselines:
    """Return the baselines fitted on these rows.

    The recency rule gives each number of days since the last purchase the outcome's rate at it, forced to go one
    way (isotonic), which is the best any rule on recency alone can do. The logistic regression sees recency,
    orders, money spent (both as logarithms) and days since the first purchase. Who never bought counts as having
    bought before everybody else.
    """
    from sklearn.isotonic import IsotonicRegression
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    longest_days = float(np.nanmax(_raw(rows, (RECENCY,)), initial=0.0)) + 1.0
    recency = _columns(rows, (RECENCY,), longest_days)[:, 0]
    rule = IsotonicRegression(increasing="auto", out_of_bounds="clip", y_min=0.001, y_max=0.999)
    logistic = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return Baselines(
        recency_rule=rule.fit(recency, rows.label),
        rfm_logistic=logistic.fit(_columns(rows, RFM, longest_days), rows.label),
        longest_days=longest_days,
    )


def _raw(rows: Rows, names: tuple[str, ...]) -> Floats:
    return rows.values[:, [rows.names.index(name) for name in names]].astype(np.float64)


def _columns(rows: Rows, names: tuple[str, ...], longest_days: float) -> Floats:
    raw = _raw(rows, names)
    filled = np.where(np.isnan(raw), longest_days, raw)
    counted = np.array(["days" not in name for name in names])
    return np.where(counted, np.log1p(np.maximum(filled, 0.0)), filled)
