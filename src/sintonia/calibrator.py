"""Score to probability or amount: monotone maps, kept as plain JSON."""

import json
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike

from sintonia.arrays import Floats
from sintonia.errors import UnsupportedModelError

KINDS = ("sigmoid", "beta", "isotonic")
"""The maps to a probability, the plainest first."""

AMOUNT = "amount"


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
        above, below = softplus(scores)
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
            found = json.loads(text)
            scores, propensities = (tuple(map(float, found.pop(key))) for key in ("scores", "propensities"))
            read = cls(**found, scores=scores, propensities=propensities)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise UnsupportedModelError(
                f"The model's calibration cannot be read ({error}); train it again."
            ) from None
        if read.kind not in (*KINDS, AMOUNT):
            raise UnsupportedModelError(
                f"The model's calibration is of kind '{read.kind}'; this version reads {', '.join(KINDS)}, {AMOUNT}."
            )
        return read


def softplus(scores: Floats) -> tuple[Floats, Floats]:
    """Return -log(1 - p) and log(p) of log-odds, both rising with them."""
    rest = np.log1p(np.exp(-np.abs(scores)))
    return np.maximum(scores, 0.0) + rest, np.minimum(scores, 0.0) - rest
