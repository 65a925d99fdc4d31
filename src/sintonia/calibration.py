"""Score to probability: a monotone map fitted on rows the model has not learnt from, kept as plain JSON."""

import json
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike

from sintonia.errors import NotEnoughDataError, UnsupportedModelError, unknown
from sintonia.metrics import Floats

KINDS = ("sigmoid", "isotonic")


@dataclass(frozen=True)
class Calibrator:
    """A map from raw score (log-odds) to propensity; a higher score never means a lower propensity.

    Attributes
    ----------
    kind
        'sigmoid' or 'isotonic'.
    slope, intercept
        Sigmoid: propensity = 1 / (1 + exp(-(slope * score + intercept))), slope >= 0.
    scores, propensities
        Isotonic: the knots, between which the map is a straight line and beyond which it is flat.

    Examples
    --------
    >>> Calibrator("sigmoid", slope=1.0).apply([0.0]).tolist()
    [0.5]
    >>> Calibrator("isotonic", scores=(0.0, 2.0), propensities=(0.25, 0.5)).apply([-9.0, 1.0, 9.0]).tolist()
    [0.25, 0.375, 0.5]
    """

    kind: str
    slope: float = 0.0
    intercept: float = 0.0
    scores: tuple[float, ...] = ()
    propensities: tuple[float, ...] = ()

    def apply(self, raw: ArrayLike) -> Floats:
        """Return the propensities of raw scores, each by itself: chunks of a list give the same bytes."""
        scores = np.asarray(raw, dtype=np.float64)
        if self.kind == "isotonic":
            return self._interpolated(scores)
        from scipy.special import expit

        return np.asarray(expit(self.slope * scores + self.intercept), dtype=np.float64)

    def _interpolated(self, scores: Floats) -> Floats:
        # np.interp may pass a knot by one rounding step, which would break monotony: hence the minimum.
        x, y = np.array(self.scores), np.array(self.propensities)
        if len(x) == 1:
            return np.where(np.isnan(scores), scores, y[0])
        inside = np.clip(scores, x[0], x[-1])
        left = np.clip(np.searchsorted(x, inside, side="right") - 1, 0, len(x) - 2)
        share = (inside - x[left]) / (x[left + 1] - x[left])
        return np.asarray(np.minimum(y[left] + share * (y[left + 1] - y[left]), y[left + 1]))

    def to_json(self) -> str:
        """Return the calibrator as strict JSON; floats keep every bit."""
        return json.dumps(asdict(self), allow_nan=False, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Calibrator":
        """Return the calibrator that `to_json` wrote.

        Raises
        ------
        UnsupportedModelError
            When the text is not a calibrator this version knows.
        """
        try:
            found = json.loads(text)
            scores, propensities = (tuple(map(float, found.pop(key))) for key in ("scores", "propensities"))
            read = cls(**found, scores=scores, propensities=propensities)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise UnsupportedModelError(
                f"The model's calibration cannot be read ({error}); train it again."
            ) from None
        if read.kind not in KINDS:
            raise UnsupportedModelError(
                f"The model's calibration is of kind '{read.kind}'; this version reads {', '.join(KINDS)}."
            )
        return read


def fit_calibrator(raw_scores: ArrayLike, labels: ArrayLike, kind: str = "sigmoid") -> Calibrator:
    """Return the calibrator that fits raw scores (log-odds) to labels the model has not learnt from.

    Both kinds fit Platt's targets, (n1 + 1) / (n1 + 2) for a label 1 and 1 / (n0 + 2) for a label 0, so that
    no propensity is exactly 0 or 1 (Platt 1999). A score that runs against the labels gives a flat map, for a
    model must not be turned round by its calibration.

    Raises
    ------
    ConfigError
        For a kind that does not exist.
    NotEnoughDataError
        When only one outcome is there.

    Examples
    --------
    >>> fit_calibrator([-1.0, 0.0, 1.0, 2.0], [0, 1, 0, 1], kind="isotonic").propensities
    (0.25, 0.5, 0.5, 0.75)
    """
    scores, truth = np.asarray(raw_scores, dtype=np.float64), np.asarray(labels, dtype=np.float64)
    if kind not in KINDS:
        raise unknown("calibration", kind, KINDS)
    ones = float(truth.sum())
    zeros = len(truth) - ones
    if not ones or not zeros:
        raise NotEnoughDataError(
            f"Calibration needs both outcomes; the {len(truth)} validation rows hold {ones:.0f} of label 1. "
            "Add validation snapshots."
        )
    targets = np.where(truth > 0, (ones + 1) / (ones + 2), 1 / (zeros + 2))
    return _isotonic(scores, targets) if kind == "isotonic" else _sigmoid(scores, targets)


def _isotonic(scores: Floats, targets: Floats) -> Calibrator:
    from sklearn.isotonic import IsotonicRegression

    fitted = IsotonicRegression(out_of_bounds="clip").fit(scores, targets)
    knots = fitted.X_thresholds_.tolist(), fitted.y_thresholds_.tolist()
    return Calibrator("isotonic", scores=tuple(knots[0]), propensities=tuple(knots[1]))


def _sigmoid(scores: Floats, targets: Floats) -> Calibrator:
    """Least log loss in slope and intercept: convex, two parameters, on standardised scores."""
    from scipy.optimize import minimize
    from scipy.special import expit

    centre, scale = float(scores.mean()), float(scores.std()) or 1.0
    x = (scores - centre) / scale

    def loss(parameters: Floats) -> tuple[float, Floats]:
        odds = parameters[0] * x + parameters[1]
        error = expit(odds) - targets
        return float(np.mean(np.logaddexp(0, odds) - targets * odds)), np.array(
            [np.mean(error * x), np.mean(error)]
        )

    start = np.array([0.0, float(np.log(targets.mean() / (1 - targets.mean())))])
    bounds = [(0.0, None), (None, None)]
    found = minimize(
        loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-15, "gtol": 1e-10}
    )
    slope = float(found.x[0]) / scale
    return Calibrator("sigmoid", slope=slope, intercept=float(found.x[1]) - slope * centre)
