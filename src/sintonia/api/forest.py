"""SHAP values of LightGBM models by the exact forest engine, with the names of `shap.TreeExplainer`."""

from typing import TYPE_CHECKING, Any

import numpy as np

from sintonia.api.frames import to_matrix
from sintonia.core.arrays import Floats
from sintonia.core.errors import InputError
from sintonia.training import forest

if TYPE_CHECKING:
    import shap


class ForestExplainer:
    """Exact path-dependent SHAP values of a LightGBM booster, faster than LightGBM's own `pred_contrib`.

    A row's values and `expected_value` add up to its raw score (log odds, or log mean).

    Parameters
    ----------
    booster
        A `lightgbm.Booster`, or a scikit-learn model of LightGBM, with one score per row.
    n_threads
        How many threads share the rows.

    Examples
    --------
    >>> import lightgbm as lgb
    >>> x = np.random.default_rng(7).normal(size=(500, 3))
    >>> options = {"objective": "binary", "num_threads": 1, "verbose": -1}
    >>> booster = lgb.train(options, lgb.Dataset(x, (x[:, 0] > 0).astype(int)), 5)
    >>> explainer = ForestExplainer(booster, n_threads=1)
    >>> values = explainer.shap_values(x)
    >>> bool(np.allclose(values.sum(axis=1) + explainer.expected_value, booster.predict(x, raw_score=True)))
    True
    """

    def __init__(self, booster: Any, *, n_threads: int = 2) -> None:  # noqa: ANN401
        """Refuse what is no LightGBM model with one score per row."""
        booster = getattr(booster, "booster_", booster)
        if not hasattr(booster, "model_to_string"):
            raise InputError(f"`booster` is a {type(booster).__name__}; give a LightGBM Booster.")
        if booster.num_model_per_iteration() != 1:
            raise InputError(
                f"The booster has {booster.num_model_per_iteration()} scores per row; "
                "explain a model of one class against the rest."
            )
        self.booster, self.n_threads = booster, n_threads
        self.feature_names: list[str] = list(booster.feature_name())
        self.expected_value: float = forest.expected_value(booster, len(self.feature_names))

    def shap_values(self, X: Any, *, check_additivity: bool = True) -> Floats:  # noqa: ANN401, N803
        """Return the contribution of each feature to each row's raw score.  # (n_rows, n_features)

        Raises
        ------
        InputError
            When X has other columns than the model has features.
        """
        matrix = self._matrix(X)
        model = forest.fastest_engine(self.booster, len(matrix), explain=True)
        values: Floats = forest.contributions(model, matrix, n_threads=self.n_threads)
        if check_additivity:
            raw = forest.predict_raw(self.booster, matrix, n_threads=self.n_threads)
            assert np.allclose(values.sum(axis=1) + self.expected_value, raw, rtol=1e-6, atol=1e-6)
        return values

    def __call__(self, X: Any) -> "shap.Explanation":  # noqa: ANN401, N803
        """Return the contributions as a `shap.Explanation`, for shap's plots."""
        import shap

        matrix, values = self._matrix(X), self.shap_values(X)
        return shap.Explanation(
            values, np.full(len(values), self.expected_value), matrix, feature_names=self.feature_names
        )

    def _matrix(self, x: Any) -> Any:  # noqa: ANN401
        if isinstance(x, np.ndarray):
            matrix = x
        else:
            matrix, names = to_matrix(x)
            matrix = matrix.astype(np.float64) if names is None else matrix
        if matrix.ndim != 2 or matrix.shape[1] != len(self.feature_names):
            raise InputError(
                f"X has shape {matrix.shape}; the model reads {len(self.feature_names)} features."
            )
        return matrix
