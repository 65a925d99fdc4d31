"""Calibration by segment: whether propensities are right for each channel, tenure, category and tenth of the scores."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sintonia.arrays import Floats, Ints
from sintonia.intervals import DIGITS, Z95, Estimate, cluster_variance, rounded_estimate
from sintonia.metrics import equal_mass_bins
from sintonia.training_set import Dataset

TOLERANCE = 0.05
"""Distance of propensity and observed rate that a segment may have: at fault is only what surely lies above."""
CHANNEL = "channel_mix__last_by_"
TENURE = "rfm__days_since_first_purchase"
TENURE_DAYS = (90, 365)
FEWEST = 100
"""Rows that a segment must have to be judged by itself."""


@dataclass(frozen=True)
class Segment:
    """One segment of the test rows: what was said on average, and what came true less that, with its interval.

    `fails` says whether the distance surely lies above the tolerance.
    """

    by: str
    name: str
    rows: int
    predicted: float
    gap: Estimate
    fails: bool


def judge_segments(rows: Dataset, propensities: Floats, categories: Sequence[str] = ()) -> list[Segment]:
    """Return the segments of the rows in which propensities can be judged, by channel, tenure, category and decile.

    The channel is the one of the last interaction, the tenure that since the first purchase; what the rows'
    features do not tell of is left out, and so are segments of fewer than 100 rows. Intervals are over customers.

    Parameters
    ----------
    rows
        Out-of-time rows with their label.
    propensities
        What was said of them.  # (n_rows,)
    categories
        Names of the places in `rows.category`.
    """
    customers = np.unique(rows.customer_id.astype(str), return_inverse=True)[1].astype(np.int64)
    found = []
    for by, named in segment_names(rows, propensities, categories).items():
        names, codes = np.unique(named, return_inverse=True)
        gaps = rows.label - propensities
        variances = cluster_variance(gaps.astype(np.float64), customers, codes.astype(np.int64))
        for at, name in enumerate(names.tolist()):
            mine = codes == at
            if name and mine.sum() >= FEWEST:
                found.append(_segment(by, name, propensities[mine], gaps[mine], float(variances[at])))
    return found


def _segment(by: str, name: str, said: Floats, gaps: Floats, variance: float) -> Segment:
    gap, half = float(gaps.mean()), Z95 * float(np.sqrt(variance))
    return Segment(
        by=by,
        name=name,
        rows=len(said),
        predicted=round(float(said.mean()), DIGITS),
        gap=rounded_estimate(gap, gap - half, gap + half),
        fails=abs(gap) - half > TOLERANCE,
    )


def segment_names(
    rows: Dataset, propensities: Floats, categories: Sequence[str] = ()
) -> dict[str, NDArray[np.str_]]:
    """Return each way to segment that the features tell of, with every row's segment, "" for none."""
    named = {"decile": _deciles(equal_mass_bins(propensities))}
    came = [at for at, name in enumerate(rows.names) if name.startswith(CHANNEL)]
    if came:
        channels = np.array([rows.names[at].removeprefix(CHANNEL) for at in came] + [""])
        by = np.nan_to_num(rows.values[:, came]) > 0
        named["channel"] = channels[np.where(by.any(axis=1), by.argmax(axis=1), len(came))]
    if TENURE in rows.names:
        days = rows.values[:, rows.names.index(TENURE)]
        words = [f"to {TENURE_DAYS[0]} days", f"{TENURE_DAYS[0]} to {TENURE_DAYS[1]} days", "longer", ""]
        place = np.where(np.isnan(days), len(TENURE_DAYS) + 1, np.searchsorted(TENURE_DAYS, days))
        named["tenure"] = np.array(words)[place]
    if rows.category is not None:
        named["category"] = np.array(categories)[rows.category]
    return named


def _deciles(bins: Ints) -> NDArray[np.str_]:
    return np.array([f"{at + 1:02d}" for at in range(int(bins.max(initial=0)) + 1)])[bins]
