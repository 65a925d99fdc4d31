"""Whether the data stay what they were: label rates and missing values by date, and the population stability index."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sintonia.estimates import Estimate, wilson
from sintonia.training_set import Rows

Floats = NDArray[np.float64]

BINS = 10
MOVED, SHIFTED = 0.1, 0.25
"""Usual readings of a PSI (Siddiqi 2006): below the first stable, above the second another population."""
SAMPLED = 20_000
"""Rows by which a part's distribution is measured: a tenth of them then is known to within half a point."""


@dataclass(frozen=True)
class LabelRate:
    """The outcome's rate at one as-of date of a part."""

    as_of: str
    part: str
    rows: int
    rate: Estimate


@dataclass(frozen=True)
class Profile:
    """One feature's distribution in training, and how far the test's is from it.

    `edges` part the values into bins of equal mass in training, `shares` are those bins' shares, that of missing
    values last. `psi` is the index of the test; `missing` are the shares of missing values in training and test.
    """

    feature: str
    edges: tuple[float, ...]
    shares: tuple[float, ...]
    psi: float
    missing: tuple[float, ...]


@dataclass(frozen=True)
class Now:
    """The features of customers as they are now: their as-of date, rows, and each feature's PSI against training."""

    as_of: str
    rows: int
    psi: dict[str, float]


def label_rates(rows: Rows, parts: dict[str, Sequence[Any]]) -> tuple[LabelRate, ...]:
    """Return the outcome's rate at each as-of date, with Wilson's interval: of a date, a customer has one row."""
    found = []
    for name, dates in parts.items():
        for as_of in dates:
            label = rows.label[rows.as_of == np.datetime64(as_of, "us")] > 0
            if len(label):
                found.append(
                    LabelRate(f"{as_of:%Y-%m-%d}", name, len(label), wilson(float(label.mean()), len(label)))
                )
    return tuple(found)


def profiles(train: Rows, test: Rows, seed: int) -> tuple[Profile, ...]:
    """Return each feature's distribution in training and the test's distance from it."""
    before, after = _some(train.values, seed), _some(test.values, seed)
    return tuple(_profile(name, before[:, at], after[:, at]) for at, name in enumerate(train.names))


def now_against(told: Sequence[Profile], rows: Rows, seed: int) -> Now:
    """Return how far the features of these rows, all of one date, are from training; the rows have its features."""
    values = _some(rows.values, seed)
    psi = {
        one.feature: round(
            index(np.array(one.shares), _shares(np.array(one.edges), values[:, at]), len(values)), 4
        )
        for at, one in enumerate(told)
    }
    return Now(f"{rows.as_of[0].astype('datetime64[D]')}", len(rows), psi)


def _profile(name: str, before: Floats, after: Floats) -> Profile:
    known = before[~np.isnan(before)]
    edges = np.unique(np.quantile(known, np.arange(1, BINS) / BINS)) if len(known) else np.empty(0)
    shares, now = _shares(edges, before), _shares(edges, after)
    return Profile(
        feature=name,
        edges=tuple(float(edge) for edge in edges),
        shares=tuple(round(float(share), 6) for share in shares),
        psi=round(index(shares, now, len(after)), 4),
        missing=tuple(round(float(np.isnan(part).mean()), 4) for part in (before, after)),
    )


def _shares(edges: Floats, values: Floats) -> Floats:
    """Return the share of the values in each bin (edge below < value <= edge), the missing ones last."""
    place = np.where(np.isnan(values), len(edges) + 1, np.searchsorted(edges, values, side="left"))
    return np.bincount(place.astype(np.int64), minlength=len(edges) + 2) / max(len(values), 1)


def index(before: Floats, after: Floats, rows: int) -> float:
    """Return the population stability index: sum of (after - before) ln(after / before) over bins.

    Half a row is added to every bin of the `rows`, so that an empty one counts, and not without end.

    Examples
    --------
    >>> even, skewed = np.array([0.5, 0.5]), np.array([0.75, 0.25])
    >>> round(index(even, even, 1000), 4), round(index(even, skewed, 1_000_000), 4)
    (0.0, 0.2747)
    """
    half = 0.5 / max(rows, 1)
    one, other = (part + half for part in (before, after))
    one, other = one / one.sum(), other / other.sum()
    return float(((other - one) * np.log(other / one)).sum())


def _some(values: NDArray[np.float32], seed: int) -> NDArray[Any]:
    if len(values) <= SAMPLED:
        return values
    return values[np.random.default_rng(seed).choice(len(values), SAMPLED, replace=False)]
