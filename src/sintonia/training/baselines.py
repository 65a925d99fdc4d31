"""Baselines: rules on recency, regressions on a few features, and the behavioural prior."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sintonia.core.arrays import Floats
from sintonia.core.config import FeaturesConfig, TaskConfig
from sintonia.features import Feature, Fitted, catalogue
from sintonia.features.families.row_category import CATEGORY_INDEX, FAMILY
from sintonia.training.dataset import Dataset
from sintonia.training.tasks import find_task

RECENCY = "rfm__days_since_purchase"
RFM = (RECENCY, "rfm__orders__365d", "rfm__amount__365d", "rfm__days_since_first_purchase")
IN_CATEGORY = (f"{FAMILY}__days_since", f"{FAMILY}__visits", f"{FAMILY}__mean_gap")
NOTHING_FITTED = Fitted(datetime.min)  # rfm takes nothing from the past of all

Predict: TypeAlias = Callable[[Dataset], Floats]


def add_baseline_features(features: Sequence[Feature], task: TaskConfig, fitted: Fitted) -> list[Feature]:
    """Return the features, followed by those that only the baselines need."""
    if find_task(task).from_attribute:
        return [*features]
    present = {feature.name for feature in features}
    needed = [
        candidate
        for candidate in catalogue(FeaturesConfig(families=["rfm"], windows_days=[365]), NOTHING_FITTED)
        if candidate.name in RFM
    ]
    if find_task(task).label_kinds[0] == "purchase" and not find_task(task).by_category:
        prior = catalogue(FeaturesConfig(families=["prior"], windows_days=[task.horizon_days]), fitted)
        needed += [candidate for candidate in prior if candidate.name in _prior_feature_names(task)]
    return [*features, *(feature for feature in needed if feature.name not in present)]


@dataclass(frozen=True)
class Baselines:
    """The baselines of a task by name, fitted on the rows that trained the model."""

    by_name: Mapping[str, Predict]

    def outcomes(self, rows: Dataset) -> dict[str, Floats]:
        """Return each baseline's propensities, or expected cents: name to (n_rows,)."""
        return {name: predict(rows) for name, predict in self.by_name.items()}


def fit_baselines(rows: Dataset, task: TaskConfig) -> Baselines:
    """Return the task's baselines fitted on these rows.

    For propensities: the best rule of the form "bought in the last horizon / 2^k"; the outcome's rate at each number
    of days since the last purchase, forced to go one way (isotonic), which is the best any rule on recency alone can
    do; a logistic regression on recency, orders, money spent (both as logarithms) and days since the first purchase;
    and, where features fit it, the behavioural prior (BG/NBD), calibrated. For amounts: what was spent so far a day,
    a log-linear Tweedie regression on the same four numbers, and the prior with gamma-gamma, all three scaled to the
    rows' total. By category, the first three look at the category, and the regression knows which it is. Who never
    bought counts as having bought before everybody else. For a label of a table without dates: the outcome's rate for
    everybody, and a logistic regression on the attributes.
    """
    if find_task(task).label == "amount":
        return Baselines(_amounts(rows, task))
    if find_task(task).from_attribute:
        return Baselines(_of_attributes(rows))
    return Baselines(_by_category(rows, task) if rows.category is not None else _propensities(rows, task))


def _propensities(rows: Dataset, task: TaskConfig) -> dict[str, Predict]:
    baselines = {
        "naive rule": _naive_rule(rows, RECENCY, task.horizon_days),
        "recency rule": _recency_rule(rows, RECENCY),
        "RFM logistic": _logistic(rows, _filled(rows, RFM)),
    }
    if _prior_feature_names(task)[0] in rows.names:
        baselines["BG/NBD"] = _logistic(rows, _log_odds(_prior_feature_names(task)[0]))
    return baselines


def _by_category(rows: Dataset, task: TaskConfig) -> dict[str, Predict]:
    names = [name for name in rows.names if name.startswith(f"{FAMILY}__visits__")]
    columns = _filled(rows, (*IN_CATEGORY, *names, *RFM))
    which = rows.names.index(CATEGORY_INDEX)

    def with_category(new_rows: Dataset) -> Floats:
        return np.hstack(
            [columns(new_rows), np.eye(len(task.categories))[new_rows.values[:, which].astype(int)]]
        )

    return {
        "naive rule": _naive_rule(rows, IN_CATEGORY[0], task.horizon_days),
        "recency rule": _recency_rule(rows, IN_CATEGORY[0]),
        "RFM logistic": _logistic(rows, with_category),
    }


def _of_attributes(rows: Dataset) -> dict[str, Predict]:
    rate = (float(rows.label.sum()) + 1) / (len(rows) + 2)  # never 0 or 1
    baselines: dict[str, Predict] = {"naive rule": lambda new_rows: np.full(len(new_rows), rate)}
    names = [name for name in rows.names if name.startswith("profile__")]
    values = _feature_columns(rows, names)
    names = [name for name, column in zip(names, values.T, strict=True) if not np.isnan(column).all()]
    if names:
        means = np.nanmean(_feature_columns(rows, names), axis=0)

        def columns(new_rows: Dataset) -> Floats:
            raw = _feature_columns(new_rows, names)
            return np.hstack([np.where(np.isnan(raw), means, raw), np.isnan(raw)])

        baselines["attribute logistic"] = _logistic(rows, columns)
    return baselines


def _amounts(rows: Dataset, task: TaskConfig) -> dict[str, Predict]:
    from sklearn.linear_model import TweedieRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    columns, unit = _filled(rows, RFM), max(float(rows.label.mean()), 1.0)
    tweedie = make_pipeline(
        StandardScaler(), TweedieRegressor(power=1.5, link="log", alpha=1e-4, max_iter=1000)
    )
    tweedie.fit(columns(rows), rows.label / unit)
    baselines = {
        "spend so far": _scaled(rows, _daily_spend(rows)),
        "RFM Tweedie": _scaled(rows, lambda new_rows: np.asarray(tweedie.predict(columns(new_rows)) * unit)),
    }
    value = _prior_feature_names(task)[1]
    if value in rows.names:
        baselines["BG/NBD"] = _scaled(
            rows, lambda new_rows: np.nan_to_num(_feature_columns(new_rows, (value,))[:, 0])
        )
    return baselines


def _naive_rule(rows: Dataset, recency: str, horizon_days: int) -> Predict:
    """Return the rate of the outcome on either side of horizon / 2^k days of silence, for the best of five k."""
    since = np.nan_to_num(_feature_columns(rows, (recency,))[:, 0], nan=np.inf)

    def sides(days: Floats, cut: float) -> NDArray[np.intp]:
        return (days < cut).astype(np.intp)

    def rates(cut: float) -> Floats:
        # As if one row more of either outcome lay on each side: no propensity is 0 or 1.
        side = sides(since, cut)
        return (np.bincount(side, rows.label, 2) + 1) / (np.bincount(side, minlength=2) + 2)

    def loss(cut: float) -> float:
        predicted = rates(cut)[sides(since, cut)]
        return float(-np.mean(np.where(rows.label > 0, np.log(predicted), np.log1p(-predicted))))

    best = min((horizon_days / 2**k for k in range(5)), key=loss)
    fitted = rates(best)
    return lambda new_rows: fitted[
        sides(np.nan_to_num(_feature_columns(new_rows, (recency,))[:, 0], nan=np.inf), best)
    ]


def _recency_rule(rows: Dataset, recency: str) -> Predict:
    from sklearn.isotonic import IsotonicRegression

    columns = _filled(rows, (recency,))
    rule = IsotonicRegression(increasing="auto", out_of_bounds="clip", y_min=0.001, y_max=0.999)
    rule.fit(columns(rows)[:, 0], rows.label)
    return lambda new_rows: np.asarray(rule.predict(columns(new_rows)[:, 0]), np.float64)


def _logistic(rows: Dataset, columns: Callable[[Dataset], Floats]) -> Predict:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    fitted: Any = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    fitted.fit(columns(rows), rows.label)
    return lambda new_rows: np.asarray(fitted.predict_proba(columns(new_rows))[:, 1], np.float64)


def _daily_spend(rows: Dataset) -> Predict:
    """Return the money spent per day since the first purchase, over the last year at most."""

    def pace(new_rows: Dataset) -> Floats:
        amount, first = _feature_columns(new_rows, (RFM[2], RFM[3])).T
        return np.asarray(np.maximum(amount, 0.0) / np.clip(np.nan_to_num(first, nan=365.0), 1.0, 365.0))

    return pace


def _scaled(rows: Dataset, predict: Predict) -> Predict:
    """Return the prediction times what makes it add up to the rows' total."""
    scale = float(rows.label.sum()) / max(float(predict(rows).sum()), 1e-9)
    return lambda new_rows: scale * predict(new_rows)


def _prior_feature_names(task: TaskConfig) -> tuple[str, str]:
    """Return the names of the prior's probability of a purchase and expected spend in the horizon."""
    days = task.horizon_days
    return f"prior__purchase_in_{days}d", f"prior__value_in_{days}d"


def _log_odds(name: str) -> Callable[[Dataset], Floats]:
    def columns(rows: Dataset) -> Floats:
        safe = np.clip(np.nan_to_num(_feature_columns(rows, (name,))), 1e-6, 1 - 1e-6)
        return np.log(safe / (1 - safe))

    return columns


def _filled(rows: Dataset, names: Sequence[str]) -> Callable[[Dataset], Floats]:
    """Return how to take these columns: days as they are, the longest for none; the rest as logarithms."""
    days = np.array(["days" in name or "gap" in name for name in names])
    longest = np.nanmax(np.where(days, _feature_columns(rows, names), 0.0), axis=0, initial=0.0) + 1.0

    def columns(new_rows: Dataset) -> Floats:
        raw = _feature_columns(new_rows, names)
        filled = np.where(np.isnan(raw), longest * days, raw)
        return np.where(days, filled, np.log1p(np.maximum(filled, 0.0)))

    return columns


def _feature_columns(rows: Dataset, names: Sequence[str]) -> Floats:
    return rows.values[:, [rows.names.index(name) for name in names]].astype(np.float64)
