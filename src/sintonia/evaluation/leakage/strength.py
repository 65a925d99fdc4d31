"""How much a single column tells of the label: an AUC with its interval.

Nothing is fitted but the label's rate per bin of values, learned from one half of the customers and judged on the
other, so that numbers need not be monotone, texts need no order, and a missing value may mean something. Both halves
are of the same dates: a value that tells of the present (when somebody was last seen) means something else at
every date, and what it meant in spring would hide how much it gives away in autumn.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sintonia.core.intervals import Estimate, normal_interval

Values = NDArray[Any]
"""Floats with NaN for none, or texts with None for none."""

BINS, CATEGORIES, PRIOR_ROWS = 20, 50, 20
FEWEST = 10
"""Outcomes of either sort that it takes for an interval to mean anything."""


def strength(values: Values, label: NDArray[np.int8], half: NDArray[np.bool_]) -> Estimate | None:
    """Return the AUC of the values, either half judged by what the other taught; None with few of either outcome.

    Examples
    --------
    >>> label, half = np.tile([0, 1], 200).astype(np.int8), np.arange(400) < 200
    >>> strength(np.tile([3.0, 8.0], 200), label, half)
    Estimate(value=1.0, low=1.0, high=1.0)
    >>> strength(np.ones(400), label, half).value
    0.5
    """
    found = []
    for judged in (half, ~half):
        if np.bincount(label[judged], minlength=2).min() < FEWEST:
            return None
        found.append(auc(label[judged], _rates(values, label, ~judged)[judged]))
    value = sum(auc for auc, _ in found) / 2
    error = float(np.sqrt(sum(variance for _, variance in found))) / 2
    return normal_interval(value, error, least=0.0, most=1.0)


def _rates(values: Values, label: NDArray[np.int8], teach: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return for each value the label's rate among the teaching rows of its bin."""
    bins = binned(values, teach)
    rows = np.bincount(bins[teach], minlength=bins.max() + 1)
    hits = np.bincount(bins[teach], label[teach], minlength=bins.max() + 1)
    # Few rows say little: a bin's rate is drawn towards that of all, as if by PRIOR_ROWS more rows.
    rates: NDArray[np.float64] = (hits + PRIOR_ROWS * label[teach].mean()) / (rows + PRIOR_ROWS)
    return rates[bins]


def binned(values: Values, teach: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return each value's bin, 0 for none: numbers by quantiles of the teaching rows, texts by their commonest."""
    if values.dtype.kind == "f":
        there = ~np.isnan(values)
        known = values[there & teach]
        edges = np.unique(np.quantile(known, np.arange(1, BINS) / BINS)) if len(known) else np.empty(0)
        return np.where(there, np.searchsorted(edges, values, side="right") + 1, 0)
    there = np.array([value is not None for value in values])
    names, counts = np.unique(values[there & teach].astype(str), return_counts=True)
    kept = names[np.argsort(-counts, kind="stable")[:CATEGORIES]]
    places = {name: place for place, name in enumerate(kept.tolist(), start=1)}
    rest = len(places) + 1
    return np.array([0 if value is None else places.get(str(value), rest) for value in values], np.int64)


def auc(label: NDArray[np.int8], score: NDArray[np.float64]) -> tuple[float, float]:
    """Return the AUC and its variance (DeLong 1988), for rows of different customers.

    It costs one sort, where a bootstrap of every column would cost seconds.

    Examples
    --------
    >>> auc(np.array([0, 0, 1, 1], np.int8), np.array([0.1, 0.3, 0.2, 0.9]))
    (0.75, 0.125)
    """
    _, place = np.unique(score, return_inverse=True)
    hits, rows = np.bincount(place, label), np.bincount(place)
    misses = rows - hits
    positives, negatives = hits.sum(), misses.sum()
    below = (np.cumsum(misses) - misses / 2) / negatives  # negatives below a score, ties by half
    above = (positives - np.cumsum(hits) + hits / 2) / positives
    area = float(hits @ below / positives)
    variance = hits @ (below - area) ** 2 / positives / max(positives - 1, 1)
    variance += misses @ (above - area) ** 2 / negatives / max(negatives - 1, 1)
    return area, float(variance)
