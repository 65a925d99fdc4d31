"""Calibration: monotone maps from raw scores to probabilities or amounts, fitted on held-out rows, stored as JSON."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike

from sintonia.core.arrays import Floats
from sintonia.core.errors import NotEnoughDataError, UnsupportedModelError, unknown

KINDS = ("sigmoid", "beta", "isotonic")
"""The maps to a probability, the simplest first."""

AMOUNT = "amount"

FOLDS = 5
"""Folds of customers for choosing the kind of map by cross-validation."""


@dataclass(frozen=True)
class Calibrator:
    """A map from raw score to propensity or amount; a higher score never means a lower one.

    Attributes
    ----------
    kind
        'sigmoid', 'beta' or 'isotonic' from log-odds to a propensity, 'amount' from a log mean to an amount.
    slope, intercept
        Sigmoid: propensity = 1 / (1 + exp(-(slope * score + intercept))). Amount: exp(slope * score + intercept).
    slope_below
        Beta (Kull, Silva Filho, Flach 2017), with p = 1 / (1 + exp(-score)): the log-odds are
        slope * -log(1 - p) + slope_below * log(p) + intercept. Equal slopes are the sigmoid; none is negative.
    scores, propensities
        Isotonic: the knots, between which the map is a straight line and beyond which it is flat.

    Examples
    --------
    >>> Calibrator("sigmoid", slope=1.0).apply([0.0]).tolist()
    [0.5]
    >>> Calibrator("beta", slope=1.0, slope_below=1.0).apply([-2.0, 2.0]).round(4).tolist()
    [0.1192, 0.8808]
    >>> Calibrator("isotonic", scores=(0.0, 2.0), propensities=(0.25, 0.5)).apply([-9.0, 1.0, 9.0]).tolist()
    [0.25, 0.375, 0.5]
    """

    kind: str
    slope: float = 0.0
    intercept: float = 0.0
    slope_below: float = 0.0
    scores: tuple[float, ...] = ()
    propensities: tuple[float, ...] = ()

    def apply(self, raw: ArrayLike) -> Floats:
        """Return the propensities (amounts) of raw scores, each by itself: chunks of a list give the same bytes."""
        scores = np.asarray(raw, dtype=np.float64)
        if self.kind == "isotonic":
            return self._interpolated(scores)
        if self.kind == AMOUNT:
            return np.asarray(np.exp(self.slope * scores + self.intercept), dtype=np.float64)
        from scipy.special import expit

        return np.asarray(expit(self._log_odds(scores)), dtype=np.float64)

    def _log_odds(self, scores: Floats) -> Floats:
        if self.kind == "sigmoid":
            return self.slope * scores + self.intercept
        above, below = log_probabilities(scores)
        return self.slope * above + self.slope_below * below + self.intercept

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
            document = json.loads(text)
            scores, propensities = (
                tuple(map(float, document.pop(key))) for key in ("scores", "propensities")
            )
            calibrator = cls(**document, scores=scores, propensities=propensities)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise UnsupportedModelError(
                f"The model's calibration cannot be read ({error}); train it again."
            ) from None
        if calibrator.kind not in (*KINDS, AMOUNT):
            raise UnsupportedModelError(
                f"The model's calibration is of kind '{calibrator.kind}'; this version reads "
                f"{', '.join(KINDS)}, {AMOUNT}."
            )
        return calibrator


def log_probabilities(scores: Floats) -> tuple[Floats, Floats]:
    """Return -log(1 - p) and log(p) for log-odds of p, both increasing in them."""
    tail = np.log1p(np.exp(-np.abs(scores)))
    return np.maximum(scores, 0.0) + tail, np.minimum(scores, 0.0) - tail


def fit_calibrator(raw_scores: ArrayLike, labels: ArrayLike, kind: str = "sigmoid") -> Calibrator:
    """Return the calibrator that fits raw scores (log-odds) to labels the model has not learnt from.

    All kinds fit Platt's targets, (n1 + 1) / (n1 + 2) for a label 1 and 1 / (n0 + 2) for a label 0, so that
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
    if kind not in _FITS:
        raise unknown("calibration", kind, KINDS)
    ones = float(truth.sum())
    zeros = len(truth) - ones
    if not ones or not zeros:
        raise NotEnoughDataError(
            f"Calibration needs both outcomes; the {len(truth)} validation rows have {ones:.0f} of label 1. "
            "Add validation snapshots."
        )
    targets = np.where(truth > 0, (ones + 1) / (ones + 2), 1 / (zeros + 2))
    return _FITS[kind](scores, targets)


def choose_calibrator(
    raw_scores: ArrayLike, labels: ArrayLike, customers: ArrayLike, seed: int
) -> Calibrator:
    """Return the calibrator of the kind with the least log loss on customers it was not fitted on.

    Five parts of whole customers, each judged by the maps of the others; of equals, the plainest kind. Where a part
    leaves one outcome only, the sigmoid.

    Raises
    ------
    NotEnoughDataError
        When only one outcome is there.
    """
    scores, truth = np.asarray(raw_scores, dtype=np.float64), np.asarray(labels, dtype=np.float64)
    codes = np.unique(np.asarray(customers).astype(str), return_inverse=True)[1]
    parts = np.random.default_rng(seed).integers(FOLDS, size=codes.max(initial=0) + 1)[codes]
    if any(len(np.unique(truth[parts != part])) < 2 for part in range(FOLDS)):
        return fit_calibrator(scores, truth)
    losses = {kind: _cross_validated_loss(scores, truth, parts, kind) for kind in KINDS}
    return fit_calibrator(scores, truth, min(KINDS, key=losses.__getitem__))


def fit_amounts(raw_scores: ArrayLike, amounts: ArrayLike) -> Calibrator:
    """Return the map exp(slope * score + intercept) of log means whose amounts add up to the true total.

    A Poisson regression: its score equations make the totals equal, all over and weighted by the score.

    Raises
    ------
    NotEnoughDataError
        When nothing was spent.
    """
    scores, truth = np.asarray(raw_scores, dtype=np.float64), np.asarray(amounts, dtype=np.float64)
    if not truth.sum() > 0:
        raise NotEnoughDataError(
            f"The {len(truth)} validation rows have no spend; add validation snapshots or a longer horizon."
        )
    unit = float(truth.mean())
    centre, scale = float(scores.mean()), float(scores.std()) or 1.0
    x = (scores - centre) / scale

    def loss(parameters: Floats) -> tuple[float, Floats]:
        log_mean = np.minimum(parameters[0] * x + parameters[1], 50.0)
        mean = np.exp(log_mean)
        error = mean - truth / unit
        return float(np.mean(mean - truth / unit * log_mean)), np.array([np.mean(error * x), np.mean(error)])

    parameters_fitted = _minimise(loss, np.array([scale, 0.0]), [(0.0, None), (None, None)])
    slope = float(parameters_fitted[0]) / scale
    return Calibrator(
        AMOUNT, slope=slope, intercept=float(parameters_fitted[1]) - slope * centre + float(np.log(unit))
    )


def _cross_validated_loss(scores: Floats, truth: Floats, parts: Floats, kind: str) -> float:
    """Return the mean log loss of maps of one kind on the parts that they were not fitted on."""
    predicted = np.empty(len(scores))
    for part in range(FOLDS):
        held_out = parts == part
        predicted[held_out] = fit_calibrator(scores[~held_out], truth[~held_out], kind).apply(
            scores[held_out]
        )
    return float(-np.mean(np.where(truth > 0, np.log(predicted), np.log1p(-predicted))))


def _isotonic(scores: Floats, targets: Floats) -> Calibrator:
    from sklearn.isotonic import IsotonicRegression

    fitted = IsotonicRegression(out_of_bounds="clip").fit(scores, targets)
    knots = fitted.X_thresholds_.tolist(), fitted.y_thresholds_.tolist()
    return Calibrator("isotonic", scores=tuple(knots[0]), propensities=tuple(knots[1]))


def _sigmoid(scores: Floats, targets: Floats) -> Calibrator:
    """Least log loss in slope and intercept: convex, two parameters, on standardised scores."""
    centre, scale = float(scores.mean()), float(scores.std()) or 1.0
    parameters = _logistic([(scores - centre) / scale], targets)
    slope = float(parameters[0]) / scale
    return Calibrator("sigmoid", slope=slope, intercept=float(parameters[1]) - slope * centre)


def _beta(scores: Floats, targets: Floats) -> Calibrator:
    """Least log loss in two slopes and an intercept, on standardised logarithms of p and 1 - p."""
    halves = log_probabilities(scores)
    centres = [float(half.mean()) for half in halves]
    scales = [float(half.std()) or 1.0 for half in halves]
    parameters = _logistic(
        [(half - c) / s for half, c, s in zip(halves, centres, scales, strict=True)], targets
    )
    slopes = [float(value) / scale for value, scale in zip(parameters[:2], scales, strict=True)]
    intercept = float(parameters[2]) - sum(
        slope * centre for slope, centre in zip(slopes, centres, strict=True)
    )
    return Calibrator("beta", slope=slopes[0], slope_below=slopes[1], intercept=intercept)


_FITS: dict[str, Callable[[Floats, Floats], Calibrator]] = {
    "sigmoid": _sigmoid,
    "beta": _beta,
    "isotonic": _isotonic,
}


def _logistic(columns: list[Floats], targets: Floats) -> Floats:
    """Return the slopes, none negative, and the intercept of least log loss."""
    from scipy.special import expit

    x = np.stack([*columns, np.ones(len(targets))])

    def loss(parameters: Floats) -> tuple[float, Floats]:
        odds = parameters @ x
        error = expit(odds) - targets
        return float(np.mean(np.logaddexp(0, odds) - targets * odds)), np.asarray(x @ error / len(error))

    start = np.append(np.zeros(len(columns)), np.log(targets.mean() / (1 - targets.mean())))
    return _minimise(loss, start, [*[(0.0, None)] * len(columns), (None, None)])


def _minimise(
    loss: Callable[[Floats], tuple[float, Floats]], start: Floats, bounds: list[tuple[float | None, None]]
) -> Floats:
    from scipy.optimize import minimize

    options = {"ftol": 1e-15, "gtol": 1e-10}
    optimum = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return np.asarray(optimum.x, np.float64)
