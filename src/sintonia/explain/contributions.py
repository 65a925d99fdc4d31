"""Why a score is what it is: exact SHAP contributions of a LightGBM model, and what they add up to.

LightGBM computes TreeSHAP itself (`pred_contrib`), which unlike shap's own code is right for categories.
Contributions are to the raw score, before calibration: they add up there and nowhere else.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sintonia.core.arrays import Floats
from sintonia.core.errors import InputError, UnsupportedModelError

if TYPE_CHECKING:
    import lightgbm
    import pandas as pd
    import shap

    from sintonia.training.models import Model

FeatureValues: TypeAlias = "pd.DataFrame | NDArray[Any]"
FeatureValue: TypeAlias = float | str | None

SWARM_FEATURES = 12
SWARM_ROWS = 500


class FeatureMeaning(Protocol):
    """What a reader must know of a feature; the entries of the feature catalogue have these."""

    @property
    def definition(self) -> str:
        """What is measured, in words."""

    @property
    def unit(self) -> str:
        """In what: 'days', 'cents', 'share', 'times', 'orders', ..."""

    @property
    def missing(self) -> str:
        """What a missing value says."""


@dataclass(frozen=True)
class Contributions:
    """How far each feature moved each raw score from the base; `base + values.sum(axis=1)` is the score."""

    names: tuple[str, ...]
    values: Floats  # (n_rows, n_features)
    base: float


@dataclass(frozen=True)
class Swarm:
    """One feature's contributions over a sample of rows, with the ranks of its values (0 lowest, 1 highest).

    Points are sorted within the feature, so that no customer can be followed from one feature to the next.
    A rank is None where the value is missing or is a category, which has no order.
    """

    feature: str
    contributions: tuple[float, ...]
    ranks: tuple[float | None, ...]


def contributions(booster: "lightgbm.Booster", features: FeatureValues) -> Contributions:
    """Return every feature's contribution to every row's raw score, which they sum to with the base.

    Parameters
    ----------
    booster
        A `lightgbm.Booster` with one output.
    features
        One row per score, columns as the booster learnt them.  # (n_rows, n_features)

    Raises
    ------
    InputError
        Without rows, or when the columns are not the booster's.
    UnsupportedModelError
        For a model with several outputs.
    """
    names = tuple(booster.feature_name())
    _check_columns(names, features)
    if isinstance(features, np.ndarray):
        from sintonia.training import forest

        engine = forest.fastest_engine(booster, len(features), explain=True)
        if isinstance(engine, forest.Forest):
            return Contributions(names, forest.contributions(engine, features), engine.expected_value)
    with_base = np.asarray(booster.predict(features, pred_contrib=True), dtype=np.float64)
    if with_base.shape[1] != len(names) + 1:
        raise UnsupportedModelError(
            f"The model has {with_base.shape[1] // (len(names) + 1)} outputs; only models with one can be explained."
        )
    return Contributions(names, with_base[:, :-1], float(with_base[0, -1]))


def model_contributions(model: "Model", values: NDArray[np.float32]) -> Contributions | None:
    """Return the contributions to a model's raw scores; None of a model that gives none.

    Raises
    ------
    InputError
        Without rows, or when the columns are not the model's.
    """
    _check_columns(model.names, values)
    parts = model.contributions(values)
    if parts is None:
        return None
    return Contributions(model.names, np.ascontiguousarray(parts[:, :-1]), float(parts[0, -1]))


def _check_columns(names: tuple[str, ...], features: FeatureValues) -> None:
    if not len(features):
        raise InputError("There are no rows to explain; give at least one.")
    columns = features.shape[1] if isinstance(features, np.ndarray) else tuple(map(str, features.columns))
    if columns not in (len(names), names):
        shown = columns if isinstance(columns, int) else f"{len(columns)} ({', '.join(columns[:3])}, ...)"
        raise InputError(
            f"The model explains {len(names)} features ({', '.join(names[:3])}, ...); the table has {shown}. "
            "Give the model's columns in the model's order."
        )


def shap_explanation(parts: Contributions, features: FeatureValues) -> "shap.Explanation":
    """Return the contributions as a `shap.Explanation`, for the plots of a notebook."""
    import shap

    base = np.full(len(parts.values), parts.base)
    return shap.Explanation(parts.values, base, np.asarray(features), feature_names=list(parts.names))


def _values_by_row(features: FeatureValues, columns: NDArray[np.intp]) -> list[FeatureValue]:
    """Return one value per row, each from the column named for that row."""
    cells: list[FeatureValue] = [None] * len(columns)
    for column in np.unique(columns):
        rows = np.flatnonzero(columns == column)
        selected = features[rows, column] if isinstance(features, np.ndarray) else features.iloc[rows, column]
        for row, value in zip(rows.tolist(), selected.tolist(), strict=True):
            cells[row] = value if isinstance(value, str) else _finite_or_none(value)
    return cells


def _finite_or_none(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else float(value)


def format_value(value: float | str, unit: str) -> str:
    """Return a feature's value as people write it.

    Examples
    --------
    >>> [format_value(*pair) for pair in ((123456.0, "cents"), (0.347, "share"), (1.25, "times"), (74.0, "days"))]
    ['1,234.56', '35 %', '1.2 times', '74']
    """
    if isinstance(value, str):
        return value
    if unit == "cents":
        return f"{value / 100:,.2f}"
    if unit == "yes or no":
        return "yes" if value else "no"
    if unit == "share":
        return f"{100 * value:.0f} %"
    number = f"{value:,.0f}" if value.is_integer() or abs(value) >= 100 else f"{value:,.2g}"
    return f"{number} times" if unit == "times" else number


def importance(parts: Contributions) -> list[tuple[str, float]]:
    """Return each feature's mean absolute contribution, largest first; of equals, the earlier feature."""
    sizes = np.abs(parts.values).mean(axis=0)
    return [(parts.names[index], float(sizes[index])) for index in np.argsort(-sizes, kind="stable")]


def feature_swarms(
    parts: Contributions,
    features: FeatureValues,
    top: int = SWARM_FEATURES,
    rows: int = SWARM_ROWS,
    seed: int = 7,
) -> list[Swarm]:
    """Return the swarms of the most important features over one random sample of rows."""
    rng = np.random.default_rng(seed)
    sampled = rng.choice(len(parts.values), size=min(rows, len(parts.values)), replace=False)
    sample = features[sampled] if isinstance(features, np.ndarray) else features.iloc[sampled]
    important = [parts.names.index(name) for name, size in importance(parts)[:top] if size > 0]
    return [
        _feature_swarm(parts.names[index], parts.values[sampled, index], sample, index) for index in important
    ]


def _feature_swarm(name: str, moved: Floats, sample: FeatureValues, column: int) -> Swarm:
    ranks = _ranks(_values_by_row(sample, np.full(len(moved), column)))
    points = sorted(zip(moved.tolist(), ranks, strict=True), key=lambda point: (point[0], point[1] or 0.0))
    rounded = tuple(None if rank is None else round(rank, 3) for _, rank in points)
    return Swarm(name, tuple(round(x, 4) for x, _ in points), rounded)


def _ranks(values: list[FeatureValue]) -> list[float | None]:
    from scipy.stats import rankdata

    numbers = [value for value in values if isinstance(value, float)]
    if len(numbers) < 2:
        return [0.5 if isinstance(value, float) else None for value in values]
    scaled = iter(((rankdata(numbers) - 1) / (len(numbers) - 1)).tolist())
    return [next(scaled) if isinstance(value, float) else None for value in values]
